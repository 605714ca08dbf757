"""WebSockets of a trace are played to clients that do the same, in their own way."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.server.link import Link
from tests.sandbox.client import RAW_STT, Client, start, text
from tests.sandbox.replay.lines import STT, TTS, Socket, Trace, audio

START = {**RAW_STT, "context": {"terms": ["one", "two"]}}


def words(*texts: str) -> dict[str, Any]:
    """Return a result with final tokens."""
    return {"tokens": [{"text": each, "is_final": True} for each in texts]}


FINISHED = {"tokens": [], "finished": True}


def spoken(stream_id: str, data: bytes, **more: Any) -> dict[str, Any]:
    """Return a message with audio, as a trace has it."""
    return {"stream_id": stream_id, "audio": audio(data), **more}


@pytest.fixture
def trace() -> Trace:
    """Provide an empty trace."""
    return Trace()


def transcription(trace: Trace) -> None:
    """Add a session: 300 bytes of audio in three pieces, two results, the end."""
    socket = trace.socket(STT).sent(START, b"a" * 100).received(words("one"))
    socket.sent(b"b" * 100, b"c" * 100).received(words("two")).sent("").received(FINISHED)
    socket.close("received").close("sent").end()


@pytest.mark.parametrize("pieces", [[300], [100, 100, 100], [1] * 300, [99, 2, 199]])
def test_a_session_is_played_however_audio_is_cut(trace: Trace, pieces: list[int]) -> None:
    """The messages of the trace come, in order, whatever the sizes of the client's pieces."""
    transcription(trace)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        client.send(dict(reversed(START.items())), *(bytes(size) for size in pieces), "")
        assert client.receive_all() == [words("one"), words("two"), FINISHED]
        assert client.close_code == 1000
        assert sandbox.replay.differences == sandbox.replay.remaining == ()


def test_a_result_waits_for_its_audio(trace: Trace) -> None:
    """A result is not played before as much audio has come as in the trace."""
    transcription(trace)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        client.send(START, bytes(99))
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.2)
        client.send(bytes(1))
        assert client.receive() == words("one")
        assert sandbox.replay.remaining == (
            "connection 1, /transcribe-websocket: not played from line 9 on",
        )


def test_keys_references_and_keepalives_do_not_matter(trace: Trace) -> None:
    """Keys, `client_reference_id` and keepalives may differ from the trace."""
    sent = {**START, "api_key": "***", "client_reference_id": "then"}
    trace.socket(STT).sent(sent, {"type": "keepalive"}, "").received(FINISHED).close("received")
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt, {}) as client:
        client.send({"type": "keepalive"}, {**START, "api_key": "k", "client_reference_id": "now"})
        client.send({"type": "keepalive"}, {"type": "keepalive"}, "")
        assert client.receive_all() == [FINISHED]
        assert sandbox.replay.differences == ()


def test_streams_get_the_ids_of_the_client(trace: Trace) -> None:
    """A stream's messages carry the id that the client uses now, and their audio."""
    socket = trace.socket(TTS).sent(start("a1"), text("a1", "Hello "), text("a1", "world."))
    socket.received(spoken("a1", b"abc"), spoken("a1", b"de", audio_end=True))
    socket.received({"stream_id": "a1", "terminated": True})
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(start("z"), text("z", "Hello world.", end=False), text("z", "", end=True))
        received = client.receive_until("terminated")
        assert {each["stream_id"] for each in received} == {"z"}
        assert [base64.b64decode(each.get("audio", "")) for each in received] == [
            b"abc",
            b"de",
            b"",
        ]
        assert sandbox.replay.differences == ()


def test_streams_are_told_apart_by_config_and_text(trace: Trace) -> None:
    """Streams that begin in another order than in the trace get what is theirs."""
    socket = trace.socket(TTS)
    voices = {"1": "Adrian", "2": "Adrian", "3": "Maya"}
    for stream_id, voice in voices.items():
        socket.sent(start(stream_id, voice=voice), text(stream_id, f"Text {stream_id}."))
    for stream_id in voices:
        socket.received(spoken(stream_id, stream_id.encode()))
        socket.received({"stream_id": stream_id, "terminated": True})
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(start("c", voice="Maya"), start("b"), start("a"))
        for stream_id, number in (("b", 2), ("c", 3), ("a", 1)):
            client.send(text(stream_id, f"Text {number}."))
            got = client.receive_until("terminated")
            assert {each["stream_id"] for each in got} == {stream_id}
            assert base64.b64decode(got[0]["audio"]) == str(number).encode()
        assert sandbox.replay.differences == ()


def test_a_stream_may_come_on_another_connection(trace: Trace) -> None:
    """Streams of a pool that come on each other's connection get what is theirs."""
    for number in ("1", "2"):
        socket = trace.socket(TTS).sent(start(number), text(number, f"Text {number}."))
        socket.received(spoken(number, number.encode()), {"stream_id": number, "terminated": True})
        socket.close("received", 1001, "Timeout")
    with trace.sandbox() as sandbox:
        with Client(sandbox.urls.tts) as one, Client(sandbox.urls.tts) as two:
            for client, number in ((one, "2"), (two, "1")):
                client.send(start("x"), text("x", f"Text {number}."))
                got = client.receive_until("terminated")
                assert base64.b64decode(got[0]["audio"]) == number.encode()
            for client in (one, two):
                assert client.receive_all() == []
                assert client.close_code == 1001
        assert sandbox.replay.differences == sandbox.replay.remaining == ()


def test_a_connection_waits_for_the_stream_that_it_got_in_return(trace: Trace) -> None:
    """A connection whose stream came elsewhere ends only after the one that it is to carry now."""
    for number in ("1", "2"):
        socket = trace.socket(TTS).sent(start(number), text(number, f"Text {number}."))
        socket.close("received", 1001, "Timeout")
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as one:
        with Client(sandbox.urls.tts) as two:
            one.send(start("x"), text("x", "Text 2."))
            assert one.receive_all() == []
            with pytest.raises(TimeoutError):
                two.receive(timeout=0.2)
            two.send(start("x"), text("x", "Text 1."))
            assert two.receive_all() == []
            assert (one.close_code, two.close_code) == (1001, 1001)


def test_a_connection_ends_when_its_last_stream_came_elsewhere(trace: Trace) -> None:
    """A connection that has no stream left to wait for ends as in the trace."""
    for number in ("1", "2"):
        trace.socket(TTS).sent(start(number), text(number, f"Text {number}."))
    Socket(trace, 2).close("received", 1001, "Timeout")
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as one:
        with Client(sandbox.urls.tts) as two:
            one.send(start("x"), text("x", "Text 1."), start("y"), text("y", "Text 2."))
            assert two.receive_all() == []
            assert two.close_code == 1001
        assert sandbox.replay.differences == ()


def test_what_comes_for_a_stream_that_is_over_is_ignored(trace: Trace) -> None:
    """A cancel that crossed the end of its stream is no difference; the connection goes on."""
    socket = trace.socket(TTS)
    for number in ("1", "2"):
        socket.sent(start(number), text(number, f"Text {number}."))
        socket.received({"stream_id": number, "terminated": True})
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(start("x"), text("x", "Text 1."))
        assert client.receive() == {"stream_id": "x", "terminated": True}
        client.send({"stream_id": "x", "cancel": True}, start("y"), text("y", "Text 2."))
        assert client.receive() == {"stream_id": "y", "terminated": True}
        assert sandbox.replay.differences == ()


def test_an_id_may_be_used_again(trace: Trace) -> None:
    """Two streams with one id, one after another, are two streams."""
    socket = trace.socket(TTS)
    for said in ("One.", "Two."):
        socket.sent(start("s"), text("s", said)).received({"stream_id": "s", "terminated": True})
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        for said in ("One.", "Two."):
            client.send(start("t"), text("t", said))
            assert client.receive() == {"stream_id": "t", "terminated": True}
        assert sandbox.replay.remaining == sandbox.replay.differences == ()


def test_a_cancel_is_answered_whatever_text_had_come(trace: Trace) -> None:
    """A client that cancels earlier than in the trace gets what followed the cancel there."""
    socket = trace.socket(TTS).sent(start("s"), text("s", "One two ", end=False))
    socket.sent({"stream_id": "s", "cancel": True}).received({"stream_id": "s", "terminated": True})
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        client.send(start("s"), text("s", "One", end=False), {"stream_id": "s", "cancel": True})
        assert client.receive() == {"stream_id": "s", "terminated": True}
        assert sandbox.replay.differences == ()


def test_connections_are_played_in_the_order_of_their_path(trace: Trace) -> None:
    """The second connection to a path is the second of the trace, in any process of it."""
    for number in (1, 2):
        trace.socket(STT).sent(START).received(words(f"stt {number}"))
        trace.process()
        trace.socket(TTS).received({"ready": number})
    with trace.sandbox() as sandbox:
        with Client(sandbox.urls.tts) as one, Client(sandbox.urls.tts) as two:
            assert (one.receive(), two.receive()) == ({"ready": 1}, {"ready": 2})
        with Client(sandbox.urls.stt) as one, Client(sandbox.urls.stt) as two:
            two.send(START)
            one.send(START)
            assert (one.receive(), two.receive()) == (words("stt 1"), words("stt 2"))


@pytest.mark.parametrize(("code", "reason"), [(1001, "Timeout"), (1011, ""), (None, "")])
def test_close_frames_are_those_of_the_trace(trace: Trace, code: Any, reason: str) -> None:
    """The service closes with the code and reason of the trace, or without a code."""
    trace.socket(STT).received(FINISHED).close("received", code, reason).end()
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        assert client.receive_all() == [FINISHED]
        assert client.close_code == (1005 if code is None else code)
        assert client.ws.protocol.close_reason == reason


@pytest.mark.parametrize(
    "error",
    [
        "SonioxConnectionError: connection closed without a close frame",
        "SonioxConnectionError: recv failed: connection reset by peer",
    ],
)
def test_a_cut_connection_is_cut_after_its_last_message(trace: Trace, error: str) -> None:
    """An end without a close frame is one again, after everything that came before."""
    trace.socket(STT).sent(START, bytes(10)).received(words("one")).end(error)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        client.send(START, bytes(50))  # more was on its way when it was cut
        assert client.receive_all() == [words("one")]
        assert client.close_code == 1006
        assert sandbox.replay.differences == sandbox.replay.remaining == ()


@pytest.mark.parametrize("freezes", ["at once", "late"])
def test_a_service_that_went_silent_goes_silent(
    trace: Trace, freezes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a time-out of the client in the trace, the service answers no ping.

    Not even one that comes before the thread that sent the last message has frozen the connection.
    """
    if freezes == "late":
        monkeypatch.setattr(Link, "freeze", lambda link: None)
    socket = trace.socket(STT).sent(START).received(words("one"))
    socket.end("SonioxConnectionError: no data from the server for 40 s (ping timed out)")
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt, ping_interval=None) as client:
        client.send(START)
        assert client.receive() == words("one")
        assert not client.ws.ping().wait(0.3)
        sandbox.close()


def test_binary_and_other_messages_of_the_service_are_played(trace: Trace) -> None:
    """A binary message comes as binary, a text that is no JSON as it was."""
    trace.socket(TTS).received(b"\0\1\2", "not JSON", [1, 2])
    with trace.sandbox() as sandbox, Client(sandbox.urls.tts) as client:
        assert [client.ws.recv(10) for _ in range(3)] == [b"\0\1\2", "not JSON", "[1, 2]"]


def test_messages_come_at_their_time(trace: Trace) -> None:
    """With a speed, a message comes as long after the one before it as in the trace."""
    socket = trace.socket(STT).sent(START)
    for said in ("one", "two"):
        trace.clock += 3.0
        socket.received(words(said))
    with trace.sandbox(replay_speed=10) as sandbox, Client(sandbox.urls.stt) as client:
        began = time.monotonic()
        client.send(START)
        times = []
        for said in ("one", "two"):
            assert client.receive() == words(said)
            times.append(time.monotonic() - began)
        assert times[0] >= 0.29
        assert times[1] >= 0.59


def test_the_delay_counts_from_the_last_message_of_the_client(trace: Trace) -> None:
    """A client that takes less time than in the trace waits only for the service's share."""
    socket = trace.socket(STT).sent(START)
    trace.clock += 1000.0
    socket.sent(b"abc")
    trace.clock += 0.1
    socket.received(words("one"))
    with trace.sandbox(replay_speed=1.0) as sandbox, Client(sandbox.urls.stt) as client:
        client.send(START, b"abc")
        assert client.receive() == words("one")


def test_a_client_may_end_a_connection_before_the_service_does() -> None:
    """A client that closes before its time has come for the service's close frame left nothing."""
    trace = Trace()
    socket = trace.socket(STT).sent(START).received(FINISHED)
    trace.clock += 1000.0
    socket.close("received").end()
    with trace.sandbox(replay_speed=1.0) as sandbox:
        with Client(sandbox.urls.stt) as client:
            client.send(START)
            assert client.receive() == FINISHED
            assert sandbox.replay.remaining != ()
        assert sandbox.log.wait_until_idle()
        assert sandbox.replay.differences == sandbox.replay.remaining == ()


def test_faults_act_on_a_replay(trace: Trace) -> None:
    """A fault of the sandbox hits a replayed connection like any other."""
    transcription(trace)
    with trace.sandbox() as sandbox:
        sandbox.faults.error_frame(after_frames_in=1)
        with Client(sandbox.urls.stt) as client:
            client.send(START)
            assert client.receive_all()[-1]["error_code"] == 503


def test_a_sandbox_without_a_trace_has_no_replay() -> None:
    """Asking a sandbox of its own for its replay is an error that says what to pass."""
    from soniox_sync import StateError

    with pytest.raises(StateError, match="replay="):
        _ = Sandbox(engines="tones").replay
