"""Lines of a connection: each kind, in the order of the wire, with what the format promises."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import soniox_sync
from soniox_sync.errors import SonioxError
from soniox_sync.runtime.connection import Connection
from soniox_sync.runtime.trace.trace import Trace
from soniox_sync.transport.connect import Target
from soniox_sync.transport.frames import BINARY, TEXT, encode_frame
from tests.peers import PING, PONG, Listener, RawPeer, Remote, close_frame, frame, message, text
from tests.runtime.pairs import text_frame
from tests.runtime.trace.lines import KEY, client_of, lines_of, of_kind, said, traced
from tests.waiting import WAIT, ManualClock

PCM = bytes(range(256)) * 10
RESULT = {"tokens": [{"text": "é", "is_final": True}], "final_audio_proc_ms": 60}


def audio_object(data: bytes, whole: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest()[:16],
    }
    return {**found, "data": base64.b64encode(data).decode()} if whole else found


def refuse(remote: Remote) -> bytes:
    body = b'{"error_message": "no such route", "api_key": "temp:abcdefgh1"}'
    head = b"HTTP/1.1 403 Forbidden\r\nX-Request-Id: r1\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


def test_a_connection_from_connect_to_end(raw_peer: RawPeer) -> None:
    """A connection's lines are the trace, connect, open, its frames, both closes and the end."""
    out = io.BytesIO()
    listener = Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    connection.send(lambda: [text_frame('{"a":1}'), encode_frame(BINARY, PCM), text_frame("")])
    for _ in range(3):
        remote.recv_frame()
    remote.send(frame(PING, b"abc"))
    assert remote.recv_frame().opcode == PONG
    remote.send(frame(PONG, b""), message(**RESULT), text("no JSON"), frame(BINARY, PCM))
    remote.send(close_frame(1001, "bye"))
    listener.end()
    lines = lines_of(out)
    for line in lines:
        del line["clock"], line["pid"]
    number = {"connection": connection.number}
    sent, received = {"direction": "sent"}, {"direction": "received"}
    opened = lines.pop(2)
    assert opened["headers"]["upgrade"] == "websocket"
    assert (opened["kind"], opened["status"], opened["subprotocol"]) == ("open", 101, None)
    assert lines == [
        {
            "kind": "trace",
            "version": 1,
            "library": soniox_sync.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
            "platform": sys.platform,
            "audio": False,
        },
        {
            "kind": "connect",
            **number,
            "url": raw_peer.url,
            "headers": {"Authorization": "Bearer ***", "User-Agent": "test"},
            "subprotocols": [],
        },
        {"kind": "message", **number, **sent, "json": {"a": 1}},
        {"kind": "message", **number, **sent, "binary": audio_object(PCM)},
        {"kind": "message", **number, **sent, "text": ""},
        {"kind": "ping", **number, **received, "bytes": 3},
        {"kind": "pong", **number, **sent, "bytes": 3},
        {"kind": "pong", **number, **received, "bytes": 0},
        {"kind": "message", **number, **received, "json": RESULT},
        {"kind": "message", **number, **received, "text": "no JSON"},
        {"kind": "message", **number, **received, "binary": audio_object(PCM)},
        {"kind": "close", **number, **received, "code": 1001, "reason": "bye"},
        {"kind": "close", **number, **sent, "code": 1001, "reason": ""},
        {"kind": "end", **number, "error": None},
    ]


def test_our_own_pings_and_keepalives(raw_peer: RawPeer) -> None:
    """A ping of the heartbeat, and what is sent without waiting, are recorded as sent."""
    out, clock = io.BytesIO(), ManualClock()
    connection = Connection(
        Target(raw_peer.url), Listener(), ping_interval_sec=20.0, clock=clock, trace=Trace(out)
    )
    connection.open(WAIT)
    remote = raw_peer.accept()
    assert connection.try_send(lambda: text_frame('{"type":"keepalive"}'))
    clock.advance(20.5)
    assert remote.recv_frame().json == {"type": "keepalive"}
    ping = remote.recv_frame()
    connection.close(0.0)
    lines = [line for line in lines_of(out) if line.get("direction") == "sent"]
    assert [line["kind"] for line in lines] == ["message", "ping", "close"]
    assert lines[1]["bytes"] == len(ping.payload)


def test_what_the_receiver_gets_is_unchanged(raw_peer: RawPeer) -> None:
    """A traced connection delivers the bytes that it received."""
    listener = Listener()
    connection = traced(io.BytesIO(), raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    remote.send(message(**RESULT), text("no JSON"), frame(BINARY, PCM))
    expected = [(TEXT, json.dumps(RESULT).encode()), (TEXT, b"no JSON"), (BINARY, PCM)]
    assert [listener.take() for _ in range(3)] == expected
    connection.close()


def test_a_large_message_is_decoded(raw_peer: RawPeer) -> None:
    """Sent frames with each length of header are recorded as they were before masking."""
    out = io.BytesIO()
    connection = traced(out, raw_peer.url)
    connection.open(WAIT)
    remote = raw_peer.accept()
    chunks = [bytes(size) for size in (0, 125, 126, 65535, 65536)]
    connection.send(lambda: [encode_frame(BINARY, chunk) for chunk in chunks])
    assert [remote.recv_frame().payload for _ in chunks] == chunks
    connection.close(0.0)
    assert said(lines_of(out), "sent") == [audio_object(chunk) for chunk in chunks]


def test_results_are_copied_in_any_spelling(raw_peer: RawPeer) -> None:
    """Results with line feeds, escapes and other letters are whole lines with the same content."""
    texts = [
        '{"tokens": [{"text": "\\u0041\\u00e9\\n"}]}',
        '{"tokens":\n[],\r\n"model": "x"}',
        '{"tokens": [{"text": "Ж\u2028"}], "n": 1e5}',
        '{"tokens": [{"text": "\\ud800"}]}',
    ]
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    raw_peer.accept().send(*(text(each) for each in texts))
    for each in texts:
        assert listener.take()[1] == each.encode()
    connection.close(0.0)
    assert said(lines_of(out), "received") == [json.loads(each) for each in texts]


@pytest.mark.parametrize("whole", [False, True])
def test_audio_is_length_and_digest(raw_peer: RawPeer, whole: bool) -> None:
    """Audio, binary or in base64 in a message, is an audio object; `trace_audio` adds the bytes."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener, audio=whole)
    connection.open(WAIT)
    remote = raw_peer.accept()
    encoded = base64.b64encode(PCM).decode()
    gateway = {"type": "audio", "data": encoded}
    connection.send(lambda: [encode_frame(BINARY, PCM), text_frame(json.dumps(gateway))])
    remote.send(
        message(stream_id="s1", audio=encoded),
        message(type="AUDIO_CHUNK", stream_id="s1", data=encoded),
        message(data={"audio": encoded}),
        message(audio="not base64!", type="error"),
        message(audio="", audio_end=True),
        message(type="text", data="c29t"),
    )
    for _ in range(6):
        listener.take()
    connection.close(0.0)
    lines, audio = lines_of(out), audio_object(PCM, whole)
    assert lines[0]["audio"] is whole
    assert said(lines, "sent")[:2] == [audio, {"type": "audio", "data": audio}]
    bad = "not base64!" if whole else {**audio_object(b"not base64!"), "invalid": True}
    assert said(lines, "received") == [
        {"stream_id": "s1", "audio": audio},
        {"type": "AUDIO_CHUNK", "stream_id": "s1", "data": audio},
        {"data": {"audio": audio}},
        {"audio": bad, "type": "error"},
        {"audio": "", "audio_end": True},
        {"type": "text", "data": "c29t"},
    ]
    assert [line.get("stream") for line in of_kind(lines, "message")][2:4] == ["s1", "s1"]


def test_many_messages_at_once_stay_in_order(raw_peer: RawPeer) -> None:
    """Messages and pings that arrive together are recorded, and delivered, in their order."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    frames = [message(tokens=[], n=n) for n in range(100)]
    remote.send(*frames[:50], frame(PING, b""), *frames[50:], close_frame(1000))
    listener.end()
    assert [json.loads(payload)["n"] for payload in listener.payloads] == list(range(100))
    got = [line for line in lines_of(out) if line.get("direction") == "received"]
    kinds = ["message"] * 50 + ["ping"] + ["message"] * 50 + ["close"]
    assert [line["kind"] for line in got] == kinds
    assert [line["n"] for line in said(got, "received")] == list(range(100))


def test_a_refused_upgrade() -> None:
    """A refused upgrade has its status, headers and text, then the error that ends it."""
    out = io.BytesIO()
    with RawPeer(answer=refuse) as peer:
        connection = traced(out, peer.url)
        with pytest.raises(SonioxError):
            connection.open(WAIT)
        assert connection.closed.wait(WAIT)
    refused, end = lines_of(out)[-2:]
    assert refused["kind"] == "refused" and refused["status"] == 403
    assert refused["headers"]["x-request-id"] == "r1"
    assert json.loads(refused["body"]) == {"error_message": "no such route", "api_key": "***"}
    assert end["kind"] == "end" and end["error"].startswith("RealtimeAuthError: ")


def test_a_long_refusal_is_cut() -> None:
    """The body of a refusal is cut at 4,096 characters, after it was redacted."""
    body = b"x" * 4090 + KEY.encode()
    head = b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n" % len(body)
    out = io.BytesIO()
    with RawPeer(answer=lambda _: head + body) as peer:
        connection = traced(out, peer.url)
        with pytest.raises(SonioxError):
            connection.open(WAIT)
        assert connection.closed.wait(WAIT)
    (refused,) = of_kind(lines_of(out), "refused")
    assert refused["body"] == "x" * 4090 + "***"


def test_a_refusal_in_another_encoding() -> None:
    """A page that is not UTF-8 is recorded as far as it can be read."""
    body = "gesperrt für alle".encode("latin-1")
    head = b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(body)
    out = io.BytesIO()
    with RawPeer(answer=lambda _: head + body) as peer:
        connection = traced(out, peer.url)
        with pytest.raises(SonioxError):
            connection.open(WAIT)
        assert connection.closed.wait(WAIT)
    (refused,) = of_kind(lines_of(out), "refused")
    assert refused["body"] == "gesperrt f\ufffdr alle"


def test_a_connection_that_cannot_be_opened() -> None:
    """Without any response there are a connect and an end that says why."""
    with RawPeer() as peer:
        url = peer.url
    out = io.BytesIO()
    connection = traced(out, url)
    with pytest.raises(SonioxError):
        connection.open(WAIT)
    assert connection.closed.wait(WAIT)
    lines = lines_of(out)
    assert [line["kind"] for line in lines] == ["trace", "connect", "end"]
    assert lines[-1]["error"].startswith("SonioxConnectionError: could not connect")


def test_a_lost_connection(raw_peer: RawPeer) -> None:
    """A connection that ends without a close frame says so; nothing comes after it."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    raw_peer.accept().close()
    listener.end()
    with pytest.raises(SonioxError):
        connection.send(lambda: text_frame("late"))
    last = lines_of(out)[-1]
    assert last["kind"] == "end"
    assert last["error"] == "SonioxConnectionError: connection closed without a close frame"


def test_odd_close_frames(raw_peer: RawPeer) -> None:
    """A close frame without a code has none, and an illegal one is recorded as it is."""
    for payload, code in ((b"", None), (b"\x03", None), (b"\x00\x07\xff", 7)):
        out, listener = io.BytesIO(), Listener()
        connection = traced(out, raw_peer.url, listener)
        connection.open(WAIT)
        raw_peer.accept().send(frame(0x8, payload))
        listener.end()
        received = [c for c in of_kind(lines_of(out), "close") if c["direction"] == "received"]
        assert [line["code"] for line in received] == [code]


def test_the_clock_never_runs_backwards(raw_peer: RawPeer) -> None:
    """Lines of a process come in the order of their clocks, in seconds since 1970."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    for _ in range(50):
        connection.send(lambda: text_frame('{"n":1}'))
        remote.send(message(**RESULT))
    for _ in range(50):
        listener.take()
    connection.close(0.0)
    clocks = [line["clock"] for line in lines_of(out)]
    assert clocks == sorted(clocks)
    assert clocks[0] > 1_700_000_000


def test_an_answer_comes_after_what_it_answers(raw_peer: RawPeer) -> None:
    """A frame stands before the answer to it, in either direction."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    for turn in range(20):
        connection.send(lambda turn=turn: text_frame(f'{{"ask":{turn}}}'))  # type: ignore[misc]
        assert remote.recv_frame().json == {"ask": turn}
        remote.send(message(answer=turn))
        listener.take()
    connection.close(0.0)
    got = [line["json"] for line in of_kind(lines_of(out), "message")]
    assert got == [{word: turn} for turn in range(20) for word in ("ask", "answer")]


def test_the_number_is_that_of_the_log(raw_peer: RawPeer, caplog: pytest.LogCaptureFixture) -> None:
    """The number of a connection in a trace is the one in the DEBUG log."""
    caplog.set_level("DEBUG", logger="soniox_sync")
    out = io.BytesIO()
    connection = traced(out, raw_peer.url)
    connection.open(WAIT)
    raw_peer.accept()
    connection.close(0.0)
    (opened,) = of_kind(lines_of(out), "open")
    assert f"[{opened['connection']}]" in caplog.text


def test_a_subprotocol_is_recorded_without_its_key(raw_peer: RawPeer) -> None:
    """The key among the subprotocols is redacted, however short, also when the server echoes it."""

    def accept(remote: Remote) -> bytes:
        assert remote.request is not None
        return remote.request.accept("Sec-WebSocket-Protocol: s-key")

    out = io.BytesIO()
    with RawPeer(answer=accept) as peer:
        target = Target(peer.url, subprotocols=("soniox-api-key", "s-key"), secrets=("s-key",))
        connection = traced(out, peer.url, target=target)
        connection.open(WAIT)
        peer.accept()
        connection.close(0.0)
    lines = lines_of(out)
    assert of_kind(lines, "connect")[0]["subprotocols"] == ["soniox-api-key", "***"]
    assert of_kind(lines, "open")[0]["subprotocol"] == "***"
    assert "s-key" not in out.getvalue().decode()


def test_nothing_is_opened_or_traced_without_the_option(
    raw_peer: RawPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the option no recorder is made, no module of it is needed and no file appears."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SONIOX_SYNC_TRACE", raising=False)
    made: list[Any] = []
    monkeypatch.setattr(Trace, "__init__", lambda *a, **k: made.append(a))
    client = client_of(raw_peer.url, None)
    with client.realtime.tts.multi_stream() as connection:
        connection.connect()
        raw_peer.accept().answer_close()
    assert made == [] and list(tmp_path.iterdir()) == []
