"""What a client does unlike in the trace is told, to it and to the user, and never hangs."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, Optional

import pytest

from soniox_sync.errors import BadRequestError, RealtimeError
from soniox_sync.sandbox import Difference, Sandbox
from soniox_sync.sandbox.replay.connection import PlayedConnection
from soniox_sync.sandbox.replay.differences import Findings
from soniox_sync.sandbox.replay.script import Script
from soniox_sync.sandbox.replay.stage import ReplayRoutes
from soniox_sync.sandbox.replay.trace import read_trace
from tests.sandbox.client import RAW_STT, Client, start, text
from tests.sandbox.replay.lines import STT, TTS, Trace

CONFIG = {**RAW_STT, "context": {"terms": ["one", "two"]}, "language_hints": ["en"]}
CANCEL = {"stream_id": "s", "cancel": True}
FINISHED = {"tokens": [], "finished": True}
ONCE = "a trace is played once: start the sandbox again to play it again"


def transcription(trace: Trace) -> None:
    """Add a session: a config, 100 bytes of audio, a finalize, the end."""
    socket = trace.socket(STT).sent(CONFIG, b"a" * 100, {"type": "finalize"}, "")
    socket.received(FINISHED).close("received").end()


def speech(trace: Trace) -> None:
    """Add a stream with text."""
    trace.socket(TTS).sent(start("s"), text("s", "Hello world.")).received(
        {"stream_id": "s", "terminated": True}
    )


def told(sandbox: Sandbox, received: list[dict[str, Any]]) -> Difference:
    """Return the one difference, which the client got as an error, before the close."""
    (found,) = sandbox.replay.differences
    assert received[-1]["error_code"] == 400
    assert received[-1]["error_type"] == "replay_difference"
    assert str(found) in received[-1]["error_message"]
    assert str(found) in repr(found)
    return found


FINALIZE = {"type": "finalize"}
MODEL = json.dumps(RAW_STT["model"])
SESSIONS: list[tuple[list[Any], str, Optional[str], str, Optional[str]]] = [
    ([{**CONFIG, "model": "m"}], "message", "model", MODEL, '"m"'),
    ([{**CONFIG, "extra": 1}], "message", "extra", "nothing", "1"),
    (
        [{**CONFIG, "context": {"terms": ["one", "2"]}}],
        "message",
        "context.terms[1]",
        '"two"',
        '"2"',
    ),
    (
        [{**CONFIG, "language_hints": ["en", "de"]}],
        "message",
        "language_hints",
        '["en"]',
        '["en", "de"]',
    ),
    (
        [{k: v for k, v in CONFIG.items() if k != "model"}],
        "message",
        "model",
        MODEL,
        "nothing",
    ),
    ([CONFIG, ""], "message", None, '{"type": "finalize"}', '""'),
    ([CONFIG, bytes(100), FINALIZE, FINALIZE], "message", None, '""', '{"type": "finalize"}'),
    ([CONFIG, bytes(60), bytes(41)], "audio", None, "100 bytes of audio", "101 bytes"),
    ([CONFIG, bytes(99), FINALIZE, ""], "audio", None, "100 bytes of audio", "99 bytes"),
    ([CONFIG, "not JSON"], "message", None, '{"type": "finalize"}', '"not JSON"'),
]


@pytest.mark.parametrize(("messages", "kind", "field", "expected", "got"), SESSIONS)
def test_another_session_is_told(
    messages: list[Any], kind: str, field: Optional[str], expected: str, got: str
) -> None:
    """Another field, message or amount of audio ends the session with an error that names it."""
    trace = Trace()
    transcription(trace)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        client.send(*messages)
        found = told(sandbox, client.receive_all())
        assert (found.kind, found.field) == (kind, field)
        assert (found.expected or "nothing", found.got or "nothing") == (expected, got)
        assert found.where == "connection 1, /transcribe-websocket"
        assert found.line is not None
        assert client.close_code == 1000


STREAMS: list[tuple[list[Any], str, Optional[str], Optional[str]]] = [
    ([start("s", voice="Maya")], "message", '"Adrian"', '"Maya"'),
    ([start("s"), text("s", "Hello you.")], "text", '"Hello world."', '"Hello you."'),
    ([start("s"), text("s", "Hello w", end=False), text("s", "ide.")], "text", '"orld."', '"ide."'),
    ([start("s"), text("s", "Hello", end=True)], "text", '"Hello world."', '"Hello"'),
    (
        [start("s"), text("s", "Hello world. More.")],
        "text",
        '"Hello world."',
        '"Hello world. More."',
    ),
    (
        [start("s"), text("s", "Hello ", end=False), CANCEL],
        "message",
        None,
        '{"stream_id": "s", "cancel": true}',
    ),
    (
        [text("t", "Hello")],
        "message",
        None,
        '{"stream_id": "t", "text": "Hello", "text_end": true}',
    ),
    ([start("s"), start("t")], "message", None, "{"),
]


@pytest.mark.parametrize(("messages", "kind", "expected", "got"), STREAMS)
def test_another_stream_is_told(
    messages: list[Any], kind: str, expected: Optional[str], got: str
) -> None:
    """Another voice, text, stream or cancel ends the connection with an error that names it."""
    trace = Trace()
    speech(trace)
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(*messages)
        found = told(sandbox, client.receive_all())
        assert (found.kind, found.expected) == (kind, expected)
        assert (found.got or "").startswith(got)


def test_text_after_the_end_of_a_failed_stream_is_no_difference() -> None:
    """What a client sends to a stream that failed in the middle of its text may be more now."""
    trace = Trace()
    trace.socket(TTS).sent(start("s"), text("s", "Hello", end=False)).received(
        {
            "stream_id": "s",
            "error_code": 408,
            "error_message": "m",
            "error_type": "request_timeout",
        },
        {"stream_id": "s", "terminated": True},
    )
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(start("s"), text("s", "Hello world."))
        assert client.receive()["error_code"] == 408
        client.send(CANCEL, text("s", "More."))
        assert client.receive() == {"stream_id": "s", "terminated": True}
        assert sandbox.replay.differences == ()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "stt",
            f"/transcribe-websocket: expected 1 connection, got connection 2; {ONCE}",
        ),
        ("tts", "/tts-websocket: expected nothing, got a connection"),
    ],
)
def test_a_connection_too_many_is_refused(path: str, said: str) -> None:
    """A connection that the trace does not have is refused with HTTP 400, and what to do."""
    trace = Trace()
    transcription(trace)
    with trace.sandbox() as sandbox:
        if path == "stt":
            Client(sandbox.urls.stt).__exit__()
        client = sandbox.client()
        with pytest.raises(BadRequestError, match=said):
            if path == "stt":
                client.realtime.stt(model="m", audio_format="auto").connect()
            else:
                client.realtime.tts(language="en", voice="v", audio_format="wav").send_text("a")
        assert sandbox.replay.differences[-1].kind == "connection"
        assert str(sandbox.replay.differences[-1]) == said


def test_a_client_that_ends_early_is_a_difference() -> None:
    """A connection that the client ends before it has sent everything is recorded."""
    trace = Trace()
    transcription(trace)
    with trace.sandbox() as sandbox:
        with Client(sandbox.urls.stt) as client:
            client.send(CONFIG, bytes(100))
        assert sandbox.log.wait_until_idle()
        (found,) = sandbox.replay.differences
        assert found.kind == "connection"
        assert found.expected == '{"type": "finalize"}'
        assert found.got == "the end of the connection"


def test_less_audio_before_an_early_end_is_no_difference() -> None:
    """How much audio was sent when a connection ended without its end is a matter of timing."""
    trace = Trace()
    trace.socket(STT).sent(CONFIG, b"a" * 100).end("SonioxConnectionError: connection lost")
    with trace.sandbox() as sandbox:
        with Client(sandbox.urls.stt) as client:
            client.send(CONFIG, bytes(50))
        assert sandbox.log.wait_until_idle()
        assert sandbox.replay.differences == ()


def test_what_was_not_played_is_listed() -> None:
    """Connections and requests that nobody asked for, or not to their end, remain."""
    trace = Trace()
    transcription(trace)
    speech(trace)
    trace.exchange("GET", "/v1/models", answer={"models": []})
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        client.send(CONFIG)
        assert sandbox.log.wait_for(lambda entry: entry.direction == "in")
        assert sandbox.replay.remaining == (
            "connection 1, /transcribe-websocket: not played from line 8 on",
            "connection 2, /tts-websocket (line 11): never requested",
            "GET /v1/models (line 16): never requested",
        )


def test_a_connection_that_is_being_opened_remains() -> None:
    """Between the answer to its upgrade and its first message a connection is not yet played."""
    trace = Trace()
    transcription(trace)
    routes = ReplayRoutes(trace.lines, None)
    connection = routes.claim(STT)
    unplayed = ("connection 1, /transcribe-websocket: not played from line 2 on",)
    assert routes.replay.remaining == unplayed
    routes.play(connection, Peer(ManualTimers()))  # type: ignore[arg-type]
    assert "not played from line 8 on" in routes.replay.remaining[0]


class Peer:
    """A `WsPeer` without a connection: keeps what was sent."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.sent: list[Any] = []

    def send(self, message: Any) -> None:
        """Keep a message."""
        self.sent.append(message)

    def received(self, message: Any, size: int) -> None:
        """Do nothing."""

    def close(self, code: Optional[int] = 1000, reason: str = "") -> None:
        """Keep the code."""
        self.sent.append(code)


class ManualTimers:
    """A clock that calls when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def after(self, sec: float, call: Callable[[], None]) -> Any:
        """Keep a call."""
        self.waiting.append((sec, call))
        return _Timer(self.waiting, self.waiting[-1])


class _Timer:
    def __init__(self, waiting: list[Any], entry: Any) -> None:
        self._waiting, self._entry = waiting, entry

    def cancel(self) -> None:
        """Drop the call."""
        if self._entry in self._waiting:
            self._waiting.remove(self._entry)


def played(
    trace: Trace, patience_sec: float, speed: Optional[float] = None
) -> tuple[PlayedConnection, Peer, Findings]:
    """Return a connection that is played to nobody."""
    peer, findings = Peer(ManualTimers()), Findings("t")
    connection = read_trace(trace.lines).connections[0]
    service = PlayedConnection(
        peer,  # type: ignore[arg-type]
        connection,
        Script(connection),
        findings,
        lock=threading.Lock(),
        speed=speed,
        patience_sec=patience_sec,
    )
    service.opened()
    return service, peer, findings


def test_patience_is_added_to_the_time_of_the_trace() -> None:
    """A client may take as long as in the trace and 30 s more; keepalives do not prolong it."""
    trace = Trace()
    socket = trace.socket(STT)
    trace.clock += 100
    socket.sent(CONFIG).received(FINISHED)
    service, peer, findings = played(trace, 30.0)
    service.text('{"type": "keepalive"}')
    ((sec, _),) = peer.clock.waiting
    assert 129 < sec <= 130
    assert findings.all() == ()


def test_delays_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that was played late does not delay the next one."""
    trace = Trace()
    socket = trace.socket(STT)
    for number in (1, 2):
        trace.clock += 1.0
        socket.received({"n": number})
    now = [50.0]
    monkeypatch.setattr("soniox_sync.sandbox.replay.connection.time.monotonic", lambda: now[0])
    _, peer, _ = played(trace, 30.0, speed=1.0)
    ((first, wake),) = peer.clock.waiting
    now[0] += 1.75  # 0.75 s late
    wake()
    ((second, _),) = peer.clock.waiting
    assert (first, second, peer.sent) == (1.0, 0.25, [{"n": 1}])


def test_a_client_that_does_not_go_on_is_told_what_is_missing() -> None:
    """When patience ends, the client gets an error that names what it did not send."""
    trace = Trace()
    transcription(trace)
    _, peer, findings = played(trace, 0.0)
    (found,) = findings.all()
    assert (found.kind, found.got, found.line) == ("silence", None, 4)
    assert peer.sent[0]["error_code"] == 400
    assert str(found) in peer.sent[0]["error_message"]
    assert peer.sent[1] == 1000


def test_a_client_that_waits_after_the_end_of_the_trace_is_told() -> None:
    """When everything is played and the client ended the connection then, it is told so."""
    trace = Trace()
    trace.socket(STT).received(FINISHED).close("sent").end()
    _, peer, findings = played(trace, 0.0)
    assert peer.sent[0] == FINISHED
    (found,) = findings.all()
    assert found.expected == "the client to end the connection"
    assert peer.sent[1]["error_type"] == "replay_difference"


def test_a_difference_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Each difference is one warning that names the trace."""
    trace = Trace()
    transcription(trace)
    with trace.sandbox() as sandbox:
        with Client(sandbox.urls.stt) as client:
            client.send({**CONFIG, "model": "other"})
            client.receive_all()
        assert sandbox.log.wait_until_idle()
        (record,) = caplog.records
        assert record.getMessage() == f"replay: {sandbox.replay.differences[0]}"


def test_secrets_are_not_shown() -> None:
    """A difference shows no key, in a field or in a whole message."""
    trace = Trace()
    transcription(trace)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt, {}) as client:
        client.send({**CONFIG, "api_key": "secret-1"}, {"api_key": "secret-1", "type": "new"})
        found = told(sandbox, client.receive_all())
        assert "secret" not in str(found)


def test_the_library_raises_the_difference() -> None:
    """A session of the client raises an error that names the field."""
    trace = Trace()
    transcription(trace)
    with trace.sandbox() as sandbox:
        session = sandbox.client().realtime.stt(model="other", **_raw())
        with pytest.raises(RealtimeError, match=r"replay.*model"), session:
            session.read()


def _raw() -> Any:
    return {name: value for name, value in RAW_STT.items() if name != "model"}
