"""Nothing truncated looks complete: every way to lose a transcription, in every call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest

from soniox_sync import CancelToken
from soniox_sync.errors import (
    AbortError,
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
    StateError,
    is_retriable,
)
from tests.peers import BINARY, RawPeer, Remote, close_frame, frame, message
from tests.realtime.servers import (
    RAW,
    client_for,
    connected_stt,
    failure,
    finished,
    raised_by,
    result,
    token,
)
from tests.waiting import WAIT, Task, drain

Cut = Callable[[Remote], Any]
CUTS: dict[str, tuple[Cut, Optional[str]]] = {
    "reset": (lambda remote: remote.reset(), None),
    "fin": (lambda remote: remote.fin(), None),
    "close 1000": (lambda remote: remote.send(close_frame(1000)), "1000"),
    "close 1001": (lambda remote: remote.send(close_frame(1001, "idle")), "idle"),
    "close 1011": (lambda remote: remote.send(close_frame(1011)), "1011"),
    "close without code": (lambda remote: remote.send(close_frame(None)), None),
    "half a close code": (lambda remote: remote.send(frame(8, b"\3")), None),
    "close 1006": (lambda remote: remote.send(frame(8, b"\3\xee")), "1006"),
    "garbage": (lambda remote: remote.send(b"HTTP/1.1 500 Oops\r\n\r\n"), None),
    "binary": (lambda remote: remote.send(frame(BINARY, b'{"tokens":[]}')), "binary"),
    "not JSON": (lambda remote: remote.send(frame(1, b"tokens")), "JSON"),
    "empty text": (lambda remote: remote.send(frame(1, b"")), "JSON"),
    "NaN": (lambda remote: remote.send(frame(1, b'{"tokens":[],"x":NaN}')), "JSON"),
    "deep JSON": (lambda remote: remote.send(frame(1, b"[" * 100_000)), None),
    "a string": (lambda remote: remote.send(frame(1, b'"tokens"')), "object"),
    "tokens a dict": (lambda remote: remote.send(message(tokens={"text": "x"})), "list"),
    "token a string": (lambda remote: remote.send(message(tokens=["x"])), "token"),
    "text a number": (lambda remote: remote.send(message(tokens=[{"text": 7}])), "text"),
    "text missing": (lambda remote: remote.send(message(tokens=[{"is_final": True}])), "text"),
    "huge frame": (lambda remote: remote.send(b"\x81\x7f" + (1 << 62).to_bytes(8, "big")), "limit"),
    "17 MB frame": (
        lambda remote: remote.send(b"\x81\x7f" + (17 << 20).to_bytes(8, "big")),
        "limit",
    ),
    "reserved bits": (lambda remote: remote.send(frame(1, b"{}", rsv=4)), None),
    "unknown kind": (lambda remote: remote.send(frame(3, b"{}")), None),
    "stray continuation": (lambda remote: remote.send(frame(0, b"{}")), None),
    "masked": (lambda remote: remote.send(frame(1, b"{}", mask=b"mask")), "masked"),
    "half a frame, then fin": (lambda remote: (remote.send(b"\x81\x05{}"), remote.fin()), None),
}


def waiters(session: Any, remote: Remote) -> list[Task]:
    """Start a thread that sends at a pace and one that finishes; return when both are waiting."""
    sending = Task(lambda: session.send_stream([b"\1", b"\2"], pace_sec=600))
    assert remote.recv_message().payload == b"\1"
    finishing = Task(lambda: session.finish(600))
    assert remote.recv_message().payload == b""
    return [sending, finishing]


@pytest.mark.parametrize("name", CUTS)
def test_a_cut_session_raises_after_what_was_received(raw_peer: RawPeer, name: str) -> None:
    """However the connection ends before `finished`, iterator, results() and every call raise."""
    cut, shown = CUTS[name]
    seen: dict[str, list[Any]] = {"error": [], "disconnected": [], "finished": []}
    gone = threading.Event()
    with connected_stt(raw_peer) as (session, remote):
        for event, items in seen.items():
            session.on(event, lambda *args, items=items: items.append(args))
        session.on("disconnected", gone.set)
        session.send_audio(b"\0\0")
        assert remote.recv_message().opcode == BINARY
        remote.send(
            result(token("One "), final_audio_proc_ms=40), result(token("two", final=False))
        )
        events = iter(session)
        assert [next(events).text for _ in range(2)] == ["One ", "two"]
        tasks = waiters(session, remote)
        cut(remote)
        errors = [raised_by(lambda: next(events)), *(raised_by(task.result) for task in tasks)]
        errors += [raised_by(lambda: list(session.results())), raised_by(session.finish)]
        errors += [raised_by(lambda: session.send_audio(b"x")), raised_by(session.keep_alive)]
        for error in errors:
            assert type(error) is SonioxConnectionError, error
            assert is_retriable(error)
            assert shown is None or shown in str(error)
        assert len({id(error) for error in errors}) == len(errors), "one exception was shared"
        assert session.state == "error"
        assert gone.wait(WAIT)
    assert [len(seen[k]) for k in ("error", "disconnected", "finished")] == [1, 1, 0]


@pytest.mark.parametrize("name", ["reset", "fin", "close 1000"])
def test_what_was_received_but_not_read_is_delivered_first(raw_peer: RawPeer, name: str) -> None:
    """Results that arrived before the loss are returned by the iterator before its exception."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(*(result(token(f"{n} ")) for n in range(200)))
        remote.await_handled()
        CUTS[name][0](remote)
        got = drain(session)
        assert [event.text for event in got[:-1]] == [f"{n} " for n in range(200)]
        assert type(got[-1]) is SonioxConnectionError


FAILURES = [
    (400, "invalid_request", BadRequestError, False),
    (400, "model_not_available", BadRequestError, False),
    (401, "unauthenticated", RealtimeAuthError, False),
    (402, "project_monthly_budget_exhausted", QuotaError, False),
    (403, "temp_api_key_session_expired", RealtimeAuthError, False),
    (408, "request_timeout", NetworkError, True),
    (413, "max_duration_reached", DurationLimitError, True),
    (429, "limit_exceeded", RealtimeRateLimitError, True),
    (500, "internal_error", NetworkError, True),
    (503, "service_unavailable", NetworkError, True),
    (418, "teapot", RealtimeError, False),
    ("503", "service_unavailable", NetworkError, True),
]


@pytest.mark.parametrize(("code", "kind", "expected", "retriable"), FAILURES)
def test_an_error_frame_raises_its_class_though_the_close_is_normal(
    raw_peer: RawPeer, code: Any, kind: str, expected: type[RealtimeError], retriable: bool
) -> None:
    """An error frame followed by close 1000 is the mapped error, for the iterator and all calls."""
    with connected_stt(raw_peer) as (session, remote):
        tasks = waiters(session, remote)
        remote.send(result(token("One")), failure(code, kind, tokens=[]), close_frame(1000))
        got = drain(session)
        assert [event.text for event in got[:-1]] == ["One"]
        errors = [got[-1], *(raised_by(task.result) for task in tasks), raised_by(session.finish)]
        for error in errors:
            assert type(error) is expected, error
            assert (error.status_code, error.error_type) == (int(code), kind)
            assert error.request_id == "r-17"
            assert is_retriable(error) is retriable
        assert session.state == "error"


def test_an_old_server_s_error_is_an_error(raw_peer: RawPeer) -> None:
    """An error frame with only a code and a message is an error."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(message(error_code=401, error_message="Invalid API key."), close_frame())
        error = drain(session)[-1]
        assert isinstance(error, AuthError)
        assert error.error_type == "unauthenticated"


def test_tokens_of_an_error_frame_are_delivered_first(raw_peer: RawPeer) -> None:
    """Tokens in the error frame are delivered before its exception."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(failure(503, "service_unavailable", tokens=[token("last words")]))
        got = drain(session)
        assert [event.text for event in got[:-1]] == ["last words"]
        assert type(got[-1]) is NetworkError


def test_nothing_after_the_end_counts(raw_peer: RawPeer) -> None:
    """Frames after `finished` or after an error frame change nothing."""
    with connected_stt(raw_peer) as (session, remote):
        remote.send(result(token("x")), finished(), result(token("late")), failure(500))
        assert [event.kind for event in session] == ["result", "finished"]
        assert session.state == "finished"
    with connected_stt(raw_peer) as (session, remote):
        remote.send(failure(500), finished(), failure(401, "unauthenticated"))
        assert [type(e) for e in drain(session)] == [NetworkError]


def test_after_finished_any_end_of_the_connection_is_good(raw_peer: RawPeer) -> None:
    """After `finished` even a reset is not an error."""
    with connected_stt(raw_peer) as (session, remote):
        session.send_audio(b"\1")
        remote.send(result(token("x")), finished(), frame(9, b"?"))
        session.finish()
        remote.reset()
        assert [event.kind for event in session] == ["result", "finished"]
        session.finish()


def test_an_immediate_refusal_is_raised() -> None:
    """A refusal sent together with the upgrade is an AuthError in every call."""

    def refuse(remote: Remote) -> bytes:
        assert remote.request is not None
        return remote.request.accept() + failure(401, "unauthenticated") + close_frame(1000)

    with RawPeer(answer=refuse) as peer:
        client = client_for(peer.url)
        for _ in range(60):

            def transcribe() -> None:
                session = client.realtime.stt(**RAW)
                try:
                    session.send_audio(b"\1" * 100)
                    list(session)
                finally:
                    session.close()

            error = raised_by(transcribe)
            assert isinstance(error, AuthError), repr(error)
            peer.accept().close()


def test_a_half_open_peer_is_detected_by_ping(raw_peer: RawPeer) -> None:
    """A peer that neither answers nor closes times out after ping interval and timeout."""
    options = {"ping_interval_sec": 0.05, "ping_timeout_sec": 0.1}
    with connected_stt(raw_peer, options=options) as (session, remote):
        remote.send(result(token("x")))
        got = drain(session)
        assert got[0].text == "x"
        assert type(got[1]) is SonioxConnectionError
        assert got[1].code == "ping_timeout"
        assert remote.recv_frame().opcode == 9


def test_a_peer_that_answers_pings_stays_connected(raw_peer: RawPeer) -> None:
    """Pongs keep the connection open, however long nothing else is received."""
    options = {"ping_interval_sec": 0.02, "ping_timeout_sec": 5.0}
    with connected_stt(raw_peer, options=options) as (session, remote):
        for _ in range(5):
            ping = remote.recv_frame()
            assert ping.opcode == 9
            remote.send(frame(10, ping.payload))
        assert session.state == "connected"


def test_the_server_s_pings_are_answered(raw_peer: RawPeer) -> None:
    """Pings are answered with their payload, between messages and inside a fragmented one."""
    with connected_stt(raw_peer) as (session, remote):
        whole = b'{"tokens":[{"text":"x","is_final":true}]}'
        remote.send(frame(1, whole[:9], fin=False), frame(9, b"inside"), frame(0, whole[9:]))
        assert remote.recv_frame().payload == b"inside"
        assert next(iter(session)).text == "x"


def test_too_many_unread_events_fail_the_session(raw_peer: RawPeer) -> None:
    """An unread session fails at `max_buffered_events`, after the events it kept."""
    with connected_stt(raw_peer, options={"max_buffered_events": 5}) as (session, remote):
        session.send_audio(b"\1")
        remote.send(*(result(token(f"{n}")) for n in range(8)))
        error = raised_by(lambda: session.finish(WAIT))
        assert type(error) is BufferOverflowError
        assert "5" in str(error)
        got = drain(session)
        assert [event.text for event in got[:-1]] == ["0", "1", "2", "3", "4"]
        assert type(got[-1]) is BufferOverflowError
        assert session.state == "error"


def test_a_full_uplink_fails_at_the_send_timeout() -> None:
    """With a peer that reads nothing the blocked send, the iterator and later calls fail."""
    with RawPeer(receive_buffer=4096) as peer:
        client = client_for(peer.url, timeout_sec=0.2)
        with connected_stt(peer, client=client) as (session, _line):
            error = raised_by(lambda: session.send_stream([bytes(60_000)] * 1000))
            assert type(error) is SonioxConnectionError
            assert error.code == "send_timeout"
            assert drain(session)[-1].code == "send_timeout"


@pytest.mark.parametrize("when", ["iterating", "finishing", "sending", "before"])
def test_a_cancel_token_ends_every_call(when: str) -> None:
    """Cancelling ends every wait with AbortError, and leaves the session canceled."""
    token_ = CancelToken()
    with RawPeer(receive_buffer=4096) as peer:
        client = client_for(peer.url)
        if when == "before":
            token_.cancel("too late")
            error = raised_by(lambda: client.realtime.stt(**RAW, cancel=token_))
            assert type(error) is AbortError
            assert peer.idle
            return
        session = client.realtime.stt(**RAW, cancel=token_)
        remote = peer.accept()
        started = threading.Event()
        if when == "iterating":
            session.on("error", lambda error: None)
            work: Callable[[], Any] = lambda: (started.set(), list(session))  # noqa: E731
        elif when == "finishing":
            session.send_audio(b"\1")
            work = lambda: (started.set(), session.finish(WAIT))  # noqa: E731
        else:

            def flood() -> Iterator[bytes]:
                for n in range(10_000):
                    if n == 10:
                        started.set()
                    yield bytes(60_000)

            work = lambda: session.send_stream(flood())  # noqa: E731
        task = Task(work)
        assert started.wait(WAIT)
        token_.cancel("enough")
        error = raised_by(task.result)
        assert type(error) is AbortError
        assert "enough" in str(error)
        assert session.state == "canceled"
        for call in (session.finish, lambda: list(session), lambda: session.send_audio(b"x")):
            assert type(raised_by(call)) is AbortError
        remote.close()
        session.close()


@pytest.mark.parametrize("doing", ["iterate", "finish", "send"])
def test_closing_wakes_other_threads(doing: str) -> None:
    """`close()` from another thread ends iteration, finish and a blocked send at once."""
    with RawPeer(receive_buffer=4096) as peer, connected_stt(peer) as (session, remote):
        session.send_audio(b"\1")
        calls = {
            "iterate": lambda: list(session),
            "finish": lambda: session.finish(600),
            "send": lambda: session.send_stream([bytes(60_000)] * 10_000),
        }
        task = Task(calls[doing])
        if doing == "finish":
            assert remote.recv_message().payload == b"\1"
            assert remote.recv_message().payload == b""
        session.close()
        error = raised_by(task.result)
        assert isinstance(error, (SonioxConnectionError, StateError)), error
        assert session.state == "closed"
        session.close()
        for call in (session.finish, lambda: session.send_audio(b"x"), session.finalize):
            assert isinstance(raised_by(call), StateError)
        last = drain(session)[-1]
        assert isinstance(last, SonioxConnectionError)
        assert "incomplete" in str(last)


def test_the_first_failure_stays(raw_peer: RawPeer) -> None:
    """Later errors do not replace the cause of the end."""
    token_ = CancelToken()
    session = client_for(raw_peer.url).realtime.stt(**RAW, cancel=token_)
    with raw_peer.accept() as remote:
        remote.send(failure(429, "limit_exceeded"))
        assert isinstance(drain(session)[-1], RealtimeRateLimitError)
        token_.cancel()
        remote.reset()
    session.close()
    assert session.state == "error"
    for _ in range(2):
        error = raised_by(session.finish)
        assert isinstance(error, RealtimeRateLimitError)
    assert isinstance(error, SonioxError)
