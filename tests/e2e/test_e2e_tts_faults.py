"""How speech fails: each failure once, to everybody who waits, after the audio before it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Optional

import pytest
from peers import BINARY, RawLine, RawPeer, Task, close_frame, drain, eventually, frame, message
from servers import (
    VOICE,
    audio,
    begin,
    failure,
    raised_by,
    terminated,
    tts_line,
    whole,
)

from soniox_sync import tts_stream
from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    BufferOverflowError,
    DurationLimitError,
    NetworkError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    is_retriable,
)


class Told:
    """Collects what a stream's handlers are told."""

    def __init__(self, stream: Any) -> None:
        self.errors: list[Any] = []
        self.terminated = threading.Event()
        stream.on("error", self.errors.append)
        stream.on("terminated", self.terminated.set)


FAILURES = [
    (400, "invalid_request", BadRequestError, False),
    (401, "unauthenticated", AuthError, False),
    (402, "organization_balance_exhausted", QuotaError, False),
    (403, "permission_denied", AuthError, False),
    (408, "request_timeout", NetworkError, True),
    (413, "max_audio_duration_reached", DurationLimitError, False),
    (429, "limit_exceeded", QuotaError, False),
    (500, "internal_error", NetworkError, True),
    (503, "service_unavailable", NetworkError, True),
]


@pytest.mark.parametrize(("code", "kind", "expected", "retriable"), FAILURES)
def test_an_error_frame_fails_its_stream_only(
    raw_peer: RawPeer, code: int, kind: str, expected: type[RealtimeError], retriable: bool
) -> None:
    """An error and `terminated` are one exception, for every waiter, after the audio before it."""
    with tts_line(raw_peer) as (connection, line):
        stream, other = begin(connection, line, "s1"), begin(connection, line, "s2")
        told = Told(stream)
        waiters = [Task(lambda: stream.wait(20)), Task(lambda: stream.wait(20))]
        line.send(audio("s1", b"one"), failure(code, kind, stream_id="s1"), terminated("s1"))
        heard = drain(stream)
        assert heard[0] == b"one"
        for error in [heard[1], *(raised_by(waiter.result) for waiter in waiters)]:
            assert type(error) is expected
            assert (error.status_code, error.error_type, error.request_id) == (code, kind, "r-17")
            assert is_retriable(error) is retriable
        assert heard[1] is not raised_by(waiters[0].result)
        assert told.terminated.wait(10)
        assert len(told.errors) == 1
        assert stream.state == "error"
        line.send(whole("s2", b"two"))
        assert other.read(10) == b"two"


def test_an_error_and_terminated_share_one_frame(raw_peer: RawPeer) -> None:
    """A frame that holds audio, an error and `terminated` gives audio, one error, a free id."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        told = Told(stream)
        line.send(failure(stream_id="s1", terminated=True, audio="b25l"))
        heard = drain(stream)
        assert heard[0] == b"one"
        assert type(heard[1]) is NetworkError
        assert told.terminated.wait(10)
        assert len(told.errors) == 1
        assert connection.active_streams == 0
        begin(connection, line, "s1")


def test_an_error_without_terminated_keeps_the_place(raw_peer: RawPeer) -> None:
    """The id of a failed stream is free only when `terminated` arrives."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(failure(stream_id="s1"))
        assert isinstance(raised_by(lambda: stream.wait(10)), NetworkError)
        assert connection.active_streams == 1
        line.send(terminated("s1"))
        eventually(lambda: connection.active_streams == 0)


def test_a_failed_stream_refuses_text_with_its_error(raw_peer: RawPeer) -> None:
    """Sending, finishing and waiting after a failure all raise that failure."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(failure(429, "limit_exceeded", stream_id="s1"), terminated("s1"))
        assert isinstance(raised_by(lambda: stream.wait(10)), QuotaError)
        for call in (lambda: stream.send_text("more"), stream.finish, stream.read):
            assert isinstance(raised_by(call), QuotaError)
        stream.cancel()  # never raises for a stream that is over
        stream.close()


def test_late_frames_of_a_dead_stream_are_ignored(raw_peer: RawPeer) -> None:
    """Audio, errors and `terminated` that cross a stream's death hit no living stream."""
    with tts_line(raw_peer) as (connection, line):
        stream, other = begin(connection, line, "s1"), begin(connection, line, "s2")
        line.send(whole("s1", b"one"))
        assert stream.read(10) == b"one"
        line.send(
            failure(400, "invalid_stream_state", stream_id="s1"),
            audio("s1", b"late"),
            terminated("s1"),
            audio("never-opened", b"?"),
            message(stream_id="s2", request_id="r-1"),
            message(),
            message(note="unknown frames are no errors"),
        )
        line.send(whole("s2", b"two"))
        assert other.read(10) == b"two"
        assert connection.is_connected
        assert list(stream) == []


def test_a_late_terminated_does_not_end_a_new_stream_of_that_name(raw_peer: RawPeer) -> None:
    """What is said of an earlier stream leaves its successor alone while that has sent nothing."""
    with tts_line(raw_peer) as (connection, line):
        first = begin(connection, line, "s1")
        line.send(whole("s1", b"one"))
        first.wait(10)
        second = connection.stream(**VOICE, stream_id="s1")
        line.send(
            terminated("s1"), failure(400, "invalid_stream_state", stream_id="s1"), frame(9, b"?")
        )
        assert line.recv_frame().opcode == 10  # the pong: all of it was read
        second.send_text("Hello.")
        assert line.recv_message().json["voice"]
        line.send(whole("s1", b"two"))
        assert second.read(10) == b"two"


@pytest.mark.parametrize("named", [{}, {"stream_id": ""}, {"stream_id": None}])
def test_an_error_of_the_connection_fails_every_stream_once(
    raw_peer: RawPeer, named: dict[str, Any]
) -> None:
    """An error without a stream, or with an empty id, fails all live streams, each once."""
    with tts_line(raw_peer) as (connection, line):
        of_connection: list[Any] = []
        closed = threading.Event()
        connection.on("error", of_connection.append).on("close", closed.set)
        streams = [begin(connection, line, "s1"), begin(connection, line, "s2")]
        fresh = connection.stream(**VOICE)
        told = [Told(stream) for stream in (*streams, fresh)]
        line.send(audio("s1", b"one"), failure(403, "temp_api_key_session_expired", **named))
        line.send(close_frame(1000))
        for stream in (*streams, fresh):
            heard = drain(stream)
            assert heard[:-1] == ([b"one"] if stream is streams[0] else [])
            assert type(heard[-1]) is AuthError
            assert isinstance(raised_by(lambda s=stream: s.send_text("x")), AuthError)
        assert closed.wait(10)
        assert all(one.terminated.wait(10) for one in told)
        assert [len(one.errors) for one in told] == [1, 1, 1]
        assert [type(error) for error in of_connection] == [AuthError]


Cut = Callable[[RawLine], Any]
CUTS: dict[str, tuple[Cut, Optional[str]]] = {
    "reset": (lambda line: line.reset(), None),
    "fin": (lambda line: line.fin(), None),
    "close 1000": (lambda line: line.send(close_frame(1000)), "1000"),
    "close 1001": (lambda line: line.send(close_frame(1001, "Timeout")), "1001"),
    "close without code": (lambda line: line.send(close_frame(None)), None),
    "garbage": (lambda line: line.send(b"\xff\xff\xff\xff garbage"), None),
    "not JSON": (lambda line: line.send(frame(1, b"{]")), None),
    "not UTF-8": (lambda line: line.send(frame(1, b'{"a":"\xff"}')), None),
    "a list": (lambda line: line.send(frame(1, b"[1]")), None),
    "binary": (lambda line: line.send(frame(BINARY, b"audio")), None),
    "numeric id": (lambda line: line.send(message(stream_id=1, audio="")), None),
    "numeric audio": (lambda line: line.send(message(stream_id="s1", audio=17)), None),
    "masked": (lambda line: line.send(frame(1, b"{}", mask=b"abcd")), None),
    "huge": (lambda line: line.send(b"\x81\x7f" + (1 << 40).to_bytes(8, "big")), None),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_cut_line_fails_every_stream_after_its_audio(raw_peer: RawPeer, name: str) -> None:
    """However the line ends, each stream delivers what came, then raises a connection error."""
    cut, shown = CUTS[name]
    with tts_line(raw_peer) as (connection, line):
        streams = [begin(connection, line, f"s{n}") for n in (1, 2, 3)]
        streams[2].finish()
        told = [Told(stream) for stream in streams]
        waiter = Task(lambda: streams[1].wait(60))
        line.send(audio("s1", b"one"))
        eventually(lambda: streams[0].metrics.audio_bytes == 3)  # a reset discards what is unread
        cut(line)
        for stream in streams:
            heard = drain(stream)
            assert heard[:-1] == ([b"one"] if stream is streams[0] else [])
            error = heard[-1]
            assert type(error) is SonioxConnectionError, error
            assert is_retriable(error)
            assert shown is None or shown in str(error)
            assert stream.state == "error"
        assert isinstance(raised_by(waiter.result), SonioxConnectionError)
        assert all(one.terminated.wait(10) for one in told)
        assert [len(one.errors) for one in told] == [1, 1, 1]


def test_a_finished_stream_survives_the_loss_of_its_line(raw_peer: RawPeer) -> None:
    """A stream that was terminated keeps its audio and its good end when the line dies."""
    with tts_line(raw_peer) as (connection, line):
        stream, other = begin(connection, line, "s1"), begin(connection, line, "s2")
        line.send(whole("s1", b"one"))
        line.send(close_frame(1001))
        assert isinstance(raised_by(lambda: other.wait(10)), SonioxConnectionError)
        assert stream.read(10) == b"one"
        stream.wait(1)
        assert stream.state == "ended"


def test_a_dead_peer_is_noticed_by_ping(raw_peer: RawPeer) -> None:
    """A peer that says nothing any more fails the streams within interval and timeout."""
    with tts_line(raw_peer, ping_interval_sec=0.05, ping_timeout_sec=0.1) as (connection, line):
        stream = begin(connection, line, "s1")
        heard = drain(stream)
        assert isinstance(heard[-1], SonioxConnectionError)
        assert heard[-1].code == "ping_timeout"


def test_an_unread_stream_overflows_alone(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream nobody reads fails at its bound, after what was kept; its neighbour goes on."""
    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 10_000)
    with tts_line(raw_peer) as (connection, line):
        unread, read = begin(connection, line, "s1"), begin(connection, line, "s2")
        told = Told(unread)
        chunks = iter(read)
        for _ in range(12):
            line.send(audio("s1", bytes(1000)), audio("s2", b"two"))
            assert next(chunks) == b"two"
        assert line.recv_message().json == {"stream_id": "s1", "cancel": True}
        line.send(terminated("s1"))
        heard = drain(unread)
        assert heard[:-1] == [bytes(1000)] * 10
        assert isinstance(heard[-1], BufferOverflowError)
        assert "10000" in str(heard[-1])
        assert told.terminated.wait(10)
        assert len(told.errors) == 1
        assert isinstance(raised_by(lambda: unread.wait(5)), BufferOverflowError)
        line.send(whole("s2", b"end"))
        assert list(chunks) == [b"end"]


def test_endless_empty_frames_meet_the_bound(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames without audio count, too: a server cannot fill the memory with them."""
    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 5_000)
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(*(audio("s1", b"") for _ in range(100)))
        assert isinstance(raised_by(lambda: stream.wait(10)), BufferOverflowError)


@pytest.mark.parametrize("bad", ["AAA", "A===", "====", "*AAA", "AA==AAAA", "AAAAAA\u00e9="])
def test_audio_that_is_not_base64_fails_the_stream(raw_peer: RawPeer, bad: str) -> None:
    """Broken base64 raises after the audio before it; nothing after the hole is delivered."""
    with tts_line(raw_peer) as (connection, line):
        stream, other = begin(connection, line, "s1"), begin(connection, line, "s2")
        line.send(audio("s1", b"one"), message(stream_id="s1", audio=bad), audio("s1", b"three"))
        line.send(whole("s2", b"two"))
        heard = drain(stream)
        assert heard[0] == b"one"
        assert len(heard) == 2
        assert isinstance(heard[1], SonioxConnectionError)
        assert other.read(10) == b"two"
        assert isinstance(raised_by(lambda: stream.wait(5)), SonioxError)


def test_broken_audio_in_a_complete_stream_is_told_to_its_handlers(raw_peer: RawPeer) -> None:
    """With handlers, broken base64 is an `error` event even when the stream is over already."""
    with tts_line(raw_peer) as (connection, line):
        stream = begin(connection, line, "s1")
        line.send(message(stream_id="s1", audio="A===", audio_end=True), terminated("s1"))
        stream.wait(10)
        told = Told(stream)
        heard: list[bytes] = []
        stream.on("audio", lambda chunk, timestamps: heard.append(chunk))
        eventually(lambda: told.errors)
        assert heard == []
        assert [type(error) for error in told.errors] == [SonioxConnectionError]


def test_a_refused_key_arrives_after_the_upgrade(raw_peer: RawPeer) -> None:
    """A 401 frame after 101 is an AuthError for every call, not a lost connection."""
    with tts_line(raw_peer) as (connection, line):
        told: list[Any] = []
        connection.on("error", told.append)
        stream = connection.stream(**VOICE)
        line.send(failure(401, "unauthenticated"), close_frame(1000))
        assert line.recv_message().opcode == 8
        for call in (lambda: stream.send_text("x"), lambda: stream.wait(5), stream.read):
            error = raised_by(call)
            assert type(error) is AuthError, error
            assert "region" in str(error)
        eventually(lambda: told)
        assert [type(error) for error in told] == [AuthError]


def test_a_refusal_that_races_with_the_first_text_is_still_the_refusal() -> None:
    """A server that answers the upgrade with 401 and close leaves no other error to be seen."""

    def refuse(line: RawLine) -> bytes:
        assert line.request is not None
        return line.request.accept() + failure(401, "unauthenticated") + close_frame(1000)

    from servers import client_for

    with RawPeer(answer=refuse) as peer:
        client = client_for(peer.url)
        for _ in range(60):

            def speak() -> None:
                with client.realtime.tts(**VOICE) as stream:
                    stream.send_text("Hello.")
                    stream.read(10)

            error = raised_by(speak)
            assert type(error) is AuthError, repr(error)
            peer.line().close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, AuthError), (403, AuthError), (429, QuotaError), (503, SonioxConnectionError)],
)
def test_a_refused_upgrade_says_so(status: int, expected: type[RealtimeError]) -> None:
    """An upgrade answered with an HTTP error raises the class of its status out of connect."""
    from servers import client_for

    body = b'{"error_code":%d,"error_message":"Not you.","request_id":"r-9"}' % status
    answer = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    with RawPeer(answer=lambda line: answer) as peer:
        error = raised_by(client_for(peer.url).realtime.tts.multi_stream)
        assert type(error) is expected
        assert error.status_code == status
        assert "Not you" in str(error)
        peer.line().close()
