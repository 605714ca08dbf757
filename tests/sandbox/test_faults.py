"""Faults of the sandbox: each has its effect on the client at the scheduled point."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from typing import Any, Callable

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import (
    KEY,
    PATIENCE,
    RAW_STT,
    TTS,
    Client,
    audio_of,
    raw_socket,
    read_until,
    silence,
    start,
    stt,
    text,
    tts,
    upgrade_bytes,
)

MakeSandbox = Callable[..., Sandbox]


def opened(sandbox: Sandbox, path: str = "/tts-websocket") -> socket.socket:
    """Return a socket after its upgrade, to read every byte after the response."""
    sock = raw_socket(sandbox)
    sock.sendall(upgrade_bytes(path))
    assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    return sock


def client_frame(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """Return a frame of less than 64 KB, masked with zeros."""
    first = (0x80 if fin else 0) | opcode
    if len(payload) < 126:
        return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload
    return bytes([first, 0xFE]) + struct.pack("!H", len(payload)) + bytes(4) + payload


def read_all(sock: socket.socket) -> bytes:
    """Read to the end of the stream."""
    data = b""
    while True:
        piece = sock.recv(65536)
        if not piece:
            return data
        data += piece


def test_drop_resets_the_connection(sandbox: Sandbox) -> None:
    """A drop is a TCP reset: the client's read fails instead of returning the end."""
    fault = sandbox.faults.drop(kind="tts")
    with opened(sandbox) as sock, pytest.raises(ConnectionResetError):
        sock.recv(1)
    assert fault.fired.is_set()


def test_fin_ends_without_a_close_frame(sandbox: Sandbox) -> None:
    """A FIN is a clean end of TCP without a close frame."""
    sandbox.faults.fin(kind="tts")
    with opened(sandbox) as sock:
        assert sock.recv(100) == b""


def test_drop_after_audio_ms_of_stt(sandbox: Sandbox) -> None:
    """A fault with `after_audio_ms` acts when that much audio was received, not before."""
    fault = sandbox.faults.drop(kind="stt", after_audio_ms=600)
    with stt(sandbox) as client:
        client.send(silence(480))
        assert client.receive()["tokens"]
        assert not fault.fired.is_set()
        client.send(silence(120))
        assert fault.fired.wait(PATIENCE)
        with pytest.raises(ConnectionClosed):
            while True:
                client.receive()
    assert fault.connections == [1]


def test_fin_after_audio_ms_of_tts(sandbox: Sandbox) -> None:
    """For TTS, sent audio counts: the audio before the fault is complete."""
    sandbox.faults.fin(kind="tts", after_audio_ms=300)
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "This is a longer sentence."))
        received = client.receive_all()
        assert client.close_code == 1006
    assert len(audio_of(received)) == 300 * 32


def test_bytes_out_are_exact(sandbox: Sandbox) -> None:
    """A fault after n bytes lets exactly n bytes be sent, even in the middle of a frame."""
    sandbox.faults.fin(kind="tts", after_bytes_out=1001)
    with opened(sandbox) as sock:
        sock.sendall(client_frame(json.dumps(start("s")).encode()))
        sock.sendall(client_frame(json.dumps(text("s", "Hello world.")).encode()))
        assert len(read_all(sock)) == 1001


def test_bytes_in_are_exact(sandbox: Sandbox) -> None:
    """A fault after n received bytes acts before the rest of the frame arrives."""
    fault = sandbox.faults.fin(kind="tts", after_bytes_in=10)
    with opened(sandbox) as sock:
        sock.sendall(bytes(9))
        assert not fault.fired.wait(0.1)
        sock.sendall(bytes(1))
        assert fault.fired.wait(PATIENCE)


def test_frames_out_are_exact(sandbox: Sandbox) -> None:
    """A fault after n frames lets n messages be sent."""
    sandbox.faults.fin(kind="tts", after_frames_out=3)
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Hello world, this is long."))
        assert len(client.receive_all()) == 3


def test_frames_in_are_counted(sandbox: Sandbox) -> None:
    """A fault after n received messages acts at the n-th."""
    fault = sandbox.faults.close(4000, "enough", kind="stt", after_frames_in=3)
    with stt(sandbox) as client:
        client.send(silence(10), silence(10))
        assert fault.fired.wait(PATIENCE)
        client.receive_all()
        assert client.close_code == 4000


def test_after_sec_acts_by_the_clock(sandbox: Sandbox) -> None:
    """A fault with a time acts without any traffic."""
    fault = sandbox.faults.drop(kind="stt", after_sec=0.05)
    with opened(sandbox, "/transcribe-websocket") as sock:
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert fault.fired.is_set()


def test_half_open_peer_keeps_the_socket(sandbox: Sandbox) -> None:
    """A half-open peer neither answers a ping nor ends."""
    fault = sandbox.faults.half_open(kind="tts")
    with opened(sandbox) as sock:
        assert fault.fired.wait(PATIENCE)
        sock.sendall(client_frame(b"hi", opcode=9))
        sock.settimeout(0.2)
        with pytest.raises(OSError, match="timed out"):
            sock.recv(1)


def test_stall_still_answers_pings(sandbox: Sandbox) -> None:
    """A stalled server sends no data but pongs."""
    sandbox.faults.stall(kind="tts", after_frames_out=1)
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Hello world, this is long."))
        client.receive()
        assert client.ws.ping().wait(PATIENCE)
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.2)


def test_split_and_fragment_change_no_message(sandbox: Sandbox) -> None:
    """With tiny TCP writes and WebSocket fragments the messages are the same."""
    sandbox.faults.split(3, kind="tts")
    sandbox.faults.fragment(50, kind="tts")
    with tts(sandbox) as client:
        client.send(start("s", sample_rate=8000), text("s", "Hi."))
        received = client.receive_until("terminated")
    with tts(sandbox) as client:
        client.send(start("s", sample_rate=8000), text("s", "Hi."))
        assert client.receive_until("terminated") == received


def test_fragments_are_sent(sandbox: Sandbox) -> None:
    """A fragmented message is a text frame without FIN and continuations."""
    sandbox.faults.fragment(10, kind="tts")
    with opened(sandbox) as sock:
        sock.sendall(client_frame(json.dumps({**start("s"), "voice": "Maya"}).encode()))
        assert read_until(sock, b"}")[:2] == bytes([0x01, 10])


def test_delay_delays_everything(sandbox: Sandbox) -> None:
    """A delayed connection is late but complete."""
    sandbox.faults.delay(0.3, kind="tts")
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "Hi."))
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.05)
        assert client.receive_until("terminated")[-2]["audio_end"]


def test_slow_reader_backs_up_the_sender(sandbox: Sandbox) -> None:
    """A slow reader leaves the client's bytes in the client's own buffers."""
    sandbox.faults.slow_reader(1000, kind="stt")
    with opened(sandbox, "/transcribe-websocket") as sock:
        sock.setblocking(False)
        frame = client_frame(bytes(60_000), opcode=2)
        sent = 0
        with pytest.raises(BlockingIOError):
            while sent < 64_000_000:
                sent += sock.send(frame)
    assert sent < 64_000_000


@pytest.mark.parametrize(
    ("stream", "expected"), [("active", "s"), ("", ""), (None, None), ("other", "other")]
)
def test_error_frames_name_the_scheduled_stream(
    make_sandbox: MakeSandbox, stream: Any, expected: Any
) -> None:
    """An error that names a stream ends it; one that names none ends the connection."""
    sandbox = make_sandbox(limits={"tts_pace": 1})
    sandbox.faults.error_frame(
        "internal_error", "Oops.", stream=stream, kind="tts", after_frames_out=1
    )
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "A sentence that goes on for a while."))
        received = []
        while not received or "error_code" not in received[-1]:
            received.append(client.receive())
        assert received[-1].get("stream_id") == expected
        assert (received[-1]["error_code"], received[-1]["error_type"]) == (500, "internal_error")
        if stream == "active":
            assert client.receive() == {"stream_id": "s", "terminated": True}
            client.send(start("t"), text("t", "Next."))
            assert client.receive_until("terminated", "t")[-2]["audio_end"]
        elif not stream:
            client.receive_all()
            assert client.close_code == 1000


def test_error_frame_ends_an_stt_session(sandbox: Sandbox) -> None:
    """An error frame ends the session, followed by close 1000."""
    sandbox.faults.error_frame(kind="stt", after_audio_ms=200)
    with stt(sandbox) as client:
        client.send(silence(240))
        frame = client.receive_all()[-1]
        assert client.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (503, "service_unavailable")
    assert frame["tokens"] == []


def test_terminate_sends_no_audio_end(make_sandbox: MakeSandbox) -> None:
    """An aborted stream terminates without audio_end; the connection stays open."""
    sandbox = make_sandbox(limits={"tts_pace": 1})
    sandbox.faults.terminate(after_frames_out=1)
    with tts(sandbox) as client:
        client.send(start("s"), text("s", "A sentence that goes on for a while."))
        received = client.receive_until("terminated")
        assert not any(message.get("audio_end") for message in received)
        client.send(start("t"), text("t", "Next."))
        assert client.receive_until("terminated", "t")[-2]["audio_end"]


def test_injected_bytes_and_messages_reach_the_client(sandbox: Sandbox) -> None:
    """Raw bytes are sent between frames; an injected message is a text frame."""
    sandbox.faults.message('{"from":"the future"}', kind="tts")
    with tts(sandbox) as client:
        assert client.receive() == {"from": "the future"}
    sandbox.faults.inject(b"\x82\x01", kind="tts")
    with opened(sandbox) as sock:
        assert sock.recv(2) == b"\x82\x01"


def test_refused_upgrade_is_an_http_status(sandbox: Sandbox) -> None:
    """A refused upgrade is answered with the scheduled status, headers and body."""
    sandbox.faults.refuse(429, kind="stt", headers={"Retry-After": "7"}, body=b"later")
    with pytest.raises(InvalidStatus) as caught:
        Client(sandbox.urls.stt)
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.response.body == b"later"


def test_hanging_upgrade_never_answers(sandbox: Sandbox) -> None:
    """A hanging server reads the request and never answers."""
    fault = sandbox.faults.hang(kind="tts")
    with raw_socket(sandbox) as sock:
        sock.sendall(upgrade_bytes("/tts-websocket"))
        assert fault.fired.wait(PATIENCE)
        sock.settimeout(0.1)
        with pytest.raises(OSError):
            sock.recv(1)


def test_selection_by_kind_times_and_skip(sandbox: Sandbox) -> None:
    """A fault applies to `times` connections of its kind, after `skip` others, and to no other."""
    fault = sandbox.faults.close(4001, kind="tts", skip=1, times=2)
    codes = []
    for _ in range(4):
        with tts(sandbox) as client:
            with contextlib.suppress(ConnectionClosed):
                # ends an unaffected connection
                client.send("{")
            client.receive_all()
            codes.append(client.close_code)
    assert codes == [1000, 4001, 4001, 1000]
    assert len(fault.connections) == 2
    every = sandbox.faults.close(4002, kind="stt", times=None)
    for _ in range(3):
        with Client(sandbox.urls.stt) as client:
            client.receive_all()
            assert client.close_code == 4002
    every.cancel()
    with stt(sandbox) as client:
        client.send(silence(100), "")
        assert client.receive_all()[-1]["finished"]


@pytest.mark.parametrize(
    "order",
    [
        lambda faults: faults.drop(kind="smtp"),
        lambda faults: faults.drop(after_sec=1, after_bytes_out=1),
        lambda faults: faults.drop(afterwards=1),
        lambda faults: faults.refuse(after_sec=1),
        lambda faults: faults.stall(kind="rest"),
        lambda faults: faults.drop(kind="rest", after_audio_ms=10),
        lambda faults: faults.drop(kind="stt", after_body_bytes=10),
        lambda faults: faults.drop(after_sec=-1),
        lambda faults: faults.drop(skip=-1),
        lambda faults: faults.split(0),
        lambda faults: faults.fragment(0),
        lambda faults: faults.slow_reader(0),
        lambda faults: faults.close(70000),
        lambda faults: faults.error_frame(""),
        lambda faults: faults.error_frame(code=70000),
        lambda faults: faults.refuse(7),
        lambda faults: faults.trailer(7),
    ],
)
def test_impossible_faults_are_refused(sandbox: Sandbox, order: Callable[[Any], Any]) -> None:
    """An impossible fault is refused when it is scheduled, not when it is due."""
    with pytest.raises(ConfigurationError):
        order(sandbox.faults)


@pytest.mark.parametrize(
    "order",
    [
        lambda faults: faults.drop(kind=1),
        lambda faults: faults.drop(times="all"),
        lambda faults: faults.drop(after_sec="soon"),
        lambda faults: faults.delay("long"),
        lambda faults: faults.inject("text"),
        lambda faults: faults.close(1000, 7),
        lambda faults: faults.error_frame(400),
        lambda faults: faults.error_frame(message=None),
        lambda faults: faults.error_frame(code="400"),
        lambda faults: faults.refuse("503"),
        lambda faults: faults.refuse(headers=[("Retry-After", "1")]),
        lambda faults: faults.refuse(headers={"Retry-After": 1}),
        lambda faults: faults.refuse(body="text"),
        lambda faults: faults.trailer("500"),
    ],
)
def test_arguments_of_wrong_types_are_refused(
    sandbox: Sandbox, order: Callable[[Any], Any]
) -> None:
    """An argument of the wrong type is refused when the fault is scheduled."""
    with pytest.raises(InputTypeError):
        order(sandbox.faults)


def speak_raw(sandbox: Sandbox) -> bytes:
    """POST /tts over a raw socket and read to the end."""
    body = json.dumps({**TTS, "text": "Hello world."}).encode()
    head = (
        "POST /tts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with raw_socket(sandbox) as sock:
        sock.sendall(head.encode() + body)
        return read_all(sock)


def test_cut_body_has_no_last_chunk(sandbox: Sandbox) -> None:
    """A cut body ends exactly there, cleanly for TCP, without the terminating chunk."""
    sandbox.faults.cut(after_body_bytes=5000)
    raw = speak_raw(sandbox)
    assert not raw.endswith(b"0\r\n\r\n")
    sandbox.faults.cut(after_body_bytes=5000)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = requests.post(
            f"{sandbox.urls.tts_api}/tts",
            json={**TTS, "text": "Hello world."},
            headers=KEY,
            timeout=PATIENCE,
        ).content


def test_trailers_follow_the_last_chunk(sandbox: Sandbox) -> None:
    """A late failure is reported in trailers after a proper last chunk."""
    sandbox.faults.trailer(503, "Gone.", after_body_bytes=4000)
    raw = speak_raw(sandbox)
    assert raw.endswith(b"\r\n0\r\nX-Tts-Error-Code: 503\r\nX-Tts-Error-Message: Gone.\r\n\r\n")


def test_rest_can_be_refused_and_dropped(sandbox: Sandbox) -> None:
    """A request can be answered with any status, or reset in the middle of its body."""
    url = f"{sandbox.urls.api}/models"
    sandbox.faults.refuse(500, kind="rest", path="/models")
    assert requests.get(url, headers=KEY, timeout=PATIENCE).status_code == 500
    sandbox.faults.drop(kind="rest", after_bytes_out=100)
    with pytest.raises(requests.exceptions.RequestException):
        requests.get(url, headers=KEY, timeout=PATIENCE)
    assert requests.get(url, headers=KEY, timeout=PATIENCE).status_code == 200


def test_faults_of_one_request_do_not_last(sandbox: Sandbox) -> None:
    """On a kept-alive connection the fault affects only its request."""
    sandbox.faults.split(1, pause_sec=0.001, kind="rest")
    sandbox.faults.delay(0.05, kind="rest")
    with requests.Session() as session:
        session.headers.update(KEY)
        for _ in range(2):
            answer = session.get(f"{sandbox.urls.api}/nothing", timeout=PATIENCE)
            assert answer.status_code == 404
    assert sandbox.log.totals["connections"] == 1


def test_config_in_fragments_is_accepted(sandbox: Sandbox) -> None:
    """A client may fragment its messages, with a ping in between."""
    config = json.dumps(RAW_STT).encode()
    with opened(sandbox, "/transcribe-websocket") as sock:
        sock.sendall(client_frame(config[:10], opcode=1, fin=False))
        sock.sendall(client_frame(b"mid", opcode=9))
        sock.sendall(client_frame(config[10:], opcode=0))
        assert sock.recv(5) == b"\x8a\x03mid"
        sock.sendall(client_frame(silence(200), opcode=2) + client_frame(b""))
        assert b'"finished":true' in read_until(sock, b"\x88\x02\x03\xe8")


@pytest.mark.parametrize("pace", [None, 20.0])
def test_an_error_frame_is_sent_at_its_point(
    make_sandbox: Callable[..., Sandbox], pace: Any
) -> None:
    """An error with `after_audio_ms` ends the stream exactly there, however fast it is spoken."""
    sandbox = make_sandbox(limits={"tts_pace": pace})
    sandbox.faults.error_frame("internal_error", kind="tts", after_audio_ms=300)
    with tts(sandbox) as client:
        client.send(start("s1"), text("s1", "Many words are spoken here, one after another. " * 5))
        received = client.receive_until("terminated")
    assert [message.get("error_code") for message in received[-2:]] == [500, None]
    audio = audio_of(received)
    assert 300 <= len(audio) / 32 < 1000
    assert not any(message.get("audio_end") for message in received)


def test_a_bare_terminated_is_sent_at_its_point(make_sandbox: Callable[..., Sandbox]) -> None:
    """A stream terminated without `audio_end` ends exactly there, however fast it is spoken."""
    sandbox = make_sandbox(limits={"tts_pace": None})
    sandbox.faults.terminate(kind="tts", after_audio_ms=300)
    with tts(sandbox) as client:
        client.send(start("s1"), text("s1", "Many words are spoken here, one after another. " * 5))
        received = client.receive_until("terminated")
    assert 300 <= len(audio_of(received)) / 32 < 1000
    assert not any(message.get("audio_end") for message in received)
