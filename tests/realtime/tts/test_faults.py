"""How speech fails: each failure once, for every waiter, after the audio before it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Optional

import pytest

from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    BufferOverflowError,
    DurationLimitError,
    NetworkError,
    QuotaError,
    RealtimeAuthError,
    RealtimeError,
    RealtimeRateLimitError,
    SonioxConnectionError,
    SonioxError,
    is_retriable,
)
from soniox_sync.realtime.tts import stream as tts_stream
from tests.peers import BINARY, RawPeer, Remote, close_frame, frame, message
from tests.realtime.servers import (
    VOICE,
    audio,
    begin,
    connected_tts,
    failure,
    raised_by,
    terminated,
    whole,
)
from tests.waiting import Task, drain, eventually


class Events:
    """Records the calls of a stream's handlers."""

    def __init__(self, stream: Any) -> None:
        self.errors: list[Any] = []
        self.terminated = threading.Event()
        stream.on("error", self.errors.append)
        stream.on("terminated", self.terminated.set)


FAILURES = [
    (400, "invalid_request", BadRequestError, False),
    (401, "unauthenticated", RealtimeAuthError, False),
    (402, "organization_balance_exhausted", QuotaError, False),
    (403, "permission_denied", RealtimeAuthError, False),
    (408, "request_timeout", NetworkError, True),
    (413, "max_audio_duration_reached", DurationLimitError, False),
    (429, "limit_exceeded", RealtimeRateLimitError, True),
    (500, "internal_error", NetworkError, True),
    (503, "service_unavailable", NetworkError, True),
]


@pytest.mark.parametrize(("code", "kind", "expected", "retriable"), FAILURES)
def test_an_error_frame_fails_its_stream_only(
    raw_peer: RawPeer, code: int, kind: str, expected: type[RealtimeError], retriable: bool
) -> None:
    """An error frame is one exception, for every waiter, after the audio before it."""
    with connected_tts(raw_peer) as (connection, remote):
        stream, other = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        seen = Events(stream)
        waiters = [Task(lambda: stream.wait(20)), Task(lambda: stream.wait(20))]
        remote.send(audio("s1", b"one"), failure(code, kind, stream_id="s1"), terminated("s1"))
        received = drain(stream)
        assert received[0] == b"one"
        for error in [received[1], *(raised_by(waiter.result) for waiter in waiters)]:
            assert type(error) is expected
            assert (error.status_code, error.error_type, error.request_id) == (code, kind, "r-17")
            assert is_retriable(error) is retriable
        assert received[1] is not raised_by(waiters[0].result)
        assert seen.terminated.wait(10)
        assert len(seen.errors) == 1
        assert stream.state == "error"
        remote.send(whole("s2", b"two"))
        assert other.read(10) == b"two"


def test_an_error_and_terminated_share_one_frame(raw_peer: RawPeer) -> None:
    """A frame with audio, an error and `terminated` delivers audio, one error, and frees the id."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        seen = Events(stream)
        remote.send(failure(stream_id="s1", terminated=True, audio="b25l"))
        received = drain(stream)
        assert received[0] == b"one"
        assert type(received[1]) is NetworkError
        assert seen.terminated.wait(10)
        assert len(seen.errors) == 1
        assert connection.active_streams == 0
        begin(connection, remote, "s1")


def test_an_error_without_terminated_keeps_the_slot(raw_peer: RawPeer) -> None:
    """The id of a failed stream is only free after `terminated`."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(failure(stream_id="s1"))
        assert isinstance(raised_by(lambda: stream.wait(10)), NetworkError)
        assert connection.active_streams == 1
        remote.send(terminated("s1"))
        eventually(lambda: connection.active_streams == 0)


def test_a_failed_stream_refuses_text_with_its_error(raw_peer: RawPeer) -> None:
    """Sending, finishing and waiting after a failure all raise that failure."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(failure(429, "limit_exceeded", stream_id="s1"), terminated("s1"))
        assert isinstance(raised_by(lambda: stream.wait(10)), QuotaError)
        for call in (lambda: stream.send_text("more"), stream.finish, stream.read):
            assert isinstance(raised_by(call), QuotaError)
        stream.cancel()  # never raises for a stream that has ended
        stream.close()


def test_late_frames_of_an_ended_stream_are_ignored(raw_peer: RawPeer) -> None:
    """Audio, errors and `terminated` received after a stream's end affect no live stream."""
    with connected_tts(raw_peer) as (connection, remote):
        stream, other = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        remote.send(whole("s1", b"one"))
        assert stream.read(10) == b"one"
        remote.send(
            failure(400, "invalid_stream_state", stream_id="s1"),
            audio("s1", b"late"),
            terminated("s1"),
            audio("never-opened", b"?"),
            message(stream_id="s2", request_id="r-1"),
            message(),
            message(note="unknown frames are no errors"),
        )
        remote.send(whole("s2", b"two"))
        assert other.read(10) == b"two"
        assert connection.is_connected
        assert list(stream) == []


def test_a_late_terminated_does_not_end_a_new_stream_with_that_id(raw_peer: RawPeer) -> None:
    """Late frames of an earlier stream do not affect its successor, which has sent nothing."""
    with connected_tts(raw_peer) as (connection, remote):
        first = begin(connection, remote, "s1")
        remote.send(whole("s1", b"one"))
        first.wait(10)
        second = connection.stream(**VOICE, stream_id="s1")
        remote.send(terminated("s1"), failure(400, "invalid_stream_state", stream_id="s1"))
        remote.await_handled()
        second.send_text("Hello.")
        assert remote.recv_message().json["voice"]
        remote.send(whole("s1", b"two"))
        assert second.read(10) == b"two"


@pytest.mark.parametrize("named", [{}, {"stream_id": ""}, {"stream_id": None}])
def test_an_error_of_the_connection_fails_every_stream_once(
    raw_peer: RawPeer, named: dict[str, Any]
) -> None:
    """An error without a stream, or with an empty id, fails all live streams, each once."""
    with connected_tts(raw_peer) as (connection, remote):
        of_connection: list[Any] = []
        closed = threading.Event()
        connection.on("error", of_connection.append).on("close", closed.set)
        streams = [begin(connection, remote, "s1"), begin(connection, remote, "s2")]
        fresh = connection.stream(**VOICE)
        seen = [Events(stream) for stream in (*streams, fresh)]
        remote.send(audio("s1", b"one"), failure(403, "temp_api_key_session_expired", **named))
        remote.send(close_frame(1000))
        for stream in (*streams, fresh):
            received = drain(stream)
            assert received[:-1] == ([b"one"] if stream is streams[0] else [])
            assert isinstance(received[-1], AuthError)
            assert isinstance(raised_by(lambda s=stream: s.send_text("x")), AuthError)
        assert closed.wait(10)
        assert all(one.terminated.wait(10) for one in seen)
        assert [len(one.errors) for one in seen] == [1, 1, 1]
        assert [type(error) for error in of_connection] == [RealtimeAuthError]


Cut = Callable[[Remote], Any]
CUTS: dict[str, tuple[Cut, Optional[str]]] = {
    "reset": (lambda remote: remote.reset(), None),
    "fin": (lambda remote: remote.fin(), None),
    "close 1000": (lambda remote: remote.send(close_frame(1000)), "1000"),
    "close 1001": (lambda remote: remote.send(close_frame(1001, "Timeout")), "1001"),
    "close without code": (lambda remote: remote.send(close_frame(None)), None),
    "garbage": (lambda remote: remote.send(b"\xff\xff\xff\xff garbage"), None),
    "not JSON": (lambda remote: remote.send(frame(1, b"{]")), None),
    "not UTF-8": (lambda remote: remote.send(frame(1, b'{"a":"\xff"}')), None),
    "a list": (lambda remote: remote.send(frame(1, b"[1]")), None),
    "binary": (lambda remote: remote.send(frame(BINARY, b"audio")), None),
    "numeric id": (lambda remote: remote.send(message(stream_id=1, audio="")), None),
    "numeric audio": (lambda remote: remote.send(message(stream_id="s1", audio=17)), None),
    "masked": (lambda remote: remote.send(frame(1, b"{}", mask=b"abcd")), None),
    "huge": (lambda remote: remote.send(b"\x81\x7f" + (1 << 40).to_bytes(8, "big")), None),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_lost_connection_fails_every_stream_after_its_audio(raw_peer: RawPeer, name: str) -> None:
    """However the connection ends, each stream delivers what was received, then raises an error."""
    cut, shown = CUTS[name]
    with connected_tts(raw_peer) as (connection, remote):
        streams = [begin(connection, remote, f"s{n}") for n in (1, 2, 3)]
        streams[2].finish()
        seen = [Events(stream) for stream in streams]
        waiter = Task(lambda: streams[1].wait(60))
        remote.send(audio("s1", b"one"))
        eventually(lambda: streams[0].metrics.audio_bytes == 3)  # a reset discards what is unread
        cut(remote)
        for stream in streams:
            received = drain(stream)
            assert received[:-1] == ([b"one"] if stream is streams[0] else [])
            error = received[-1]
            assert type(error) is SonioxConnectionError, error
            assert is_retriable(error)
            assert shown is None or shown in str(error)
            assert stream.state == "error"
        assert isinstance(raised_by(waiter.result), SonioxConnectionError)
        assert all(one.terminated.wait(10) for one in seen)
        assert [len(one.errors) for one in seen] == [1, 1, 1]


def test_a_finished_stream_survives_the_loss_of_its_connection(raw_peer: RawPeer) -> None:
    """A terminated stream keeps its audio and its success when the connection is lost."""
    with connected_tts(raw_peer) as (connection, remote):
        stream, other = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        remote.send(whole("s1", b"one"))
        remote.send(close_frame(1001))
        assert isinstance(raised_by(lambda: other.wait(10)), SonioxConnectionError)
        assert stream.read(10) == b"one"
        stream.wait(1)
        assert stream.state == "ended"


def test_a_silent_peer_is_detected_by_ping(raw_peer: RawPeer) -> None:
    """A peer that no longer sends anything fails the streams within interval and timeout."""
    with connected_tts(raw_peer, ping_interval_sec=0.05, ping_timeout_sec=0.1) as (
        connection,
        remote,
    ):
        stream = begin(connection, remote, "s1")
        received = drain(stream)
        assert isinstance(received[-1], SonioxConnectionError)
        assert received[-1].code == "ping_timeout"


def test_an_unread_stream_overflows_without_affecting_others(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unread stream fails at its bound, after the audio it kept; another one continues.

    The objects around each chunk count, too: 768 bytes.
    """
    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 10 * 1_768)
    with connected_tts(raw_peer) as (connection, remote):
        unread, read = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        seen = Events(unread)
        chunks = iter(read)
        for _ in range(12):
            remote.send(audio("s1", bytes(1000)), audio("s2", b"two"))
            assert next(chunks) == b"two"
        assert remote.recv_message().json == {"stream_id": "s1", "cancel": True}
        remote.send(terminated("s1"))
        received = drain(unread)
        assert received[:-1] == [bytes(1000)] * 10
        assert isinstance(received[-1], BufferOverflowError)
        assert "17680 bytes were waiting" in str(received[-1])
        assert seen.terminated.wait(10)
        assert len(seen.errors) == 1
        assert isinstance(raised_by(lambda: unread.wait(5)), BufferOverflowError)
        remote.send(whole("s2", b"end"))
        assert list(chunks) == [b"end"]


def test_endless_empty_frames_reach_the_bound(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames without audio count, too, so that they cannot fill the memory."""
    monkeypatch.setattr(tts_stream, "MAX_WAITING_AUDIO_BYTES", 5_000)
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(*(audio("s1", b"") for _ in range(100)))
        assert isinstance(raised_by(lambda: stream.wait(10)), BufferOverflowError)


@pytest.mark.parametrize("bad", ["AAA", "A===", "====", "*AAA", "AA==AAAA", "AAAAAA\u00e9="])
def test_audio_that_is_not_base64_fails_the_stream(raw_peer: RawPeer, bad: str) -> None:
    """Broken base64 raises after the audio before it; nothing after the gap is delivered."""
    with connected_tts(raw_peer) as (connection, remote):
        stream, other = begin(connection, remote, "s1"), begin(connection, remote, "s2")
        remote.send(audio("s1", b"one"), message(stream_id="s1", audio=bad), audio("s1", b"three"))
        remote.send(whole("s2", b"two"))
        received = drain(stream)
        assert received[0] == b"one"
        assert len(received) == 2
        assert isinstance(received[1], SonioxConnectionError)
        assert other.read(10) == b"two"
        assert isinstance(raised_by(lambda: stream.wait(5)), SonioxError)


def test_broken_audio_in_a_complete_stream_is_reported_to_handlers(raw_peer: RawPeer) -> None:
    """With handlers, broken base64 is an `error` event even if the stream has already ended."""
    with connected_tts(raw_peer) as (connection, remote):
        stream = begin(connection, remote, "s1")
        remote.send(message(stream_id="s1", audio="A===", audio_end=True), terminated("s1"))
        stream.wait(10)
        seen = Events(stream)
        received: list[bytes] = []
        stream.on("audio", lambda chunk, timestamps: received.append(chunk))
        eventually(lambda: seen.errors)
        assert received == []
        assert [type(error) for error in seen.errors] == [SonioxConnectionError]


def test_a_refused_key_arrives_after_the_upgrade(raw_peer: RawPeer) -> None:
    """A 401 frame after 101 is an AuthError for every call, not a lost connection."""
    with connected_tts(raw_peer) as (connection, remote):
        seen: list[Any] = []
        connection.on("error", seen.append)
        stream = connection.stream(**VOICE)
        remote.send(failure(401, "unauthenticated"), close_frame(1000))
        assert remote.recv_message().opcode == 8
        for call in (lambda: stream.send_text("x"), lambda: stream.wait(5), stream.read):
            error = raised_by(call)
            assert isinstance(error, AuthError), error
            assert "region" in str(error)
        eventually(lambda: seen)
        assert [type(error) for error in seen] == [RealtimeAuthError]


def test_a_refusal_during_the_first_text_is_raised() -> None:
    """A 401 and a close right after the upgrade raise the 401, never an error of the send."""

    def refuse(remote: Remote) -> bytes:
        assert remote.request is not None
        return remote.request.accept() + failure(401, "unauthenticated") + close_frame(1000)

    from tests.realtime.servers import client_for

    with RawPeer(answer=refuse) as peer:
        client = client_for(peer.url)
        for _ in range(60):

            def speak() -> None:
                with client.realtime.tts(**VOICE) as stream:
                    stream.send_text("Hello.")
                    stream.read(10)

            error = raised_by(speak)
            assert isinstance(error, AuthError), repr(error)
            peer.accept().close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, AuthError), (403, AuthError), (429, QuotaError), (503, SonioxConnectionError)],
)
def test_a_refused_upgrade_raises_the_class_for_its_status(
    status: int, expected: type[RealtimeError]
) -> None:
    """An upgrade answered with an HTTP error raises the class for its status from connect."""
    from tests.realtime.servers import client_for

    body = b'{"error_code":%d,"error_message":"Not you.","request_id":"r-9"}' % status
    answer = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
    with RawPeer(answer=lambda remote: answer) as peer:
        error = raised_by(client_for(peer.url).realtime.tts.multi_stream)
        assert isinstance(error, expected)
        assert error.status_code == status
        assert "Not you" in str(error)
        peer.accept().close()
