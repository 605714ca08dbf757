"""A connection is read by one thread and ends once, with its first cause for every caller."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from typing import Any, Callable

import pytest

from soniox_sync import AbortError, CancelToken, NetworkError, SonioxConnectionError, SonioxError
from soniox_sync.runtime.connection import Connection
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from tests.peers import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Listener,
    RawPeer,
    close_frame,
    fragments,
    frame,
    text,
)
from tests.runtime.pairs import BIG, Pair, text_frame
from tests.waiting import WAIT, Task, eventually

# -- messages -------------------------------------------------------------------------------------


def test_messages_arrive_in_order(pair: Pair) -> None:
    """Text and binary messages, whole or fragmented, reach the receiver as they were sent."""
    _, remote, listener, _ = pair
    remote.send(text("a"), frame(BINARY, b"b"), fragments(TEXT, b"c", b"d", b""), text("é"))
    got = [listener.take() for _ in range(4)]
    assert got == [(TEXT, b"a"), (BINARY, b"b"), (TEXT, b"cd"), (TEXT, "é".encode())]


def test_messages_are_sent(pair: Pair) -> None:
    """Sent messages reach the server masked, whole and in order."""
    connection, remote, _, _ = pair
    connection.send(lambda: text_frame("one"))
    connection.send(lambda: [text_frame("two"), text_frame("three")])
    assert connection.try_send(lambda: text_frame("four"))
    got = [remote.recv_frame() for _ in range(4)]
    assert [g.text for g in got] == ["one", "two", "three", "four"]
    assert all(g.masked and g.fin and not g.rsv for g in got)


def test_huge_and_dripping_messages_are_read(pair: Pair) -> None:
    """A message of several megabytes, and one received byte by byte, arrive whole."""
    _, remote, listener, _ = pair
    feeder = Task(lambda: remote.send(frame(BINARY, BIG)))
    assert listener.take() == (BINARY, BIG)
    feeder.result()
    remote.send_dripping(text("slowly"))
    assert listener.take() == (TEXT, b"slowly")


def test_an_error_of_the_receiver_ends_the_connection(pair: Pair) -> None:
    """An error of the receiver is the cause of the end; a `SonioxError` is not wrapped."""
    _, remote, listener, _ = pair
    error = SonioxConnectionError("malformed", code="protocol_error")

    def refuse(messages: Any) -> None:
        raise error

    listener.messages_received = refuse  # type: ignore[method-assign]
    remote.send(text("x"))
    assert listener.end().cause is error
    assert remote.frames_to_end() == []


def test_unexpected_errors_of_a_receiver_are_wrapped(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in the library is not hidden: it is logged and reported as an internal error."""
    _, remote, listener, _ = pair

    def fail(messages: Any) -> None:
        raise KeyError("a fault of the test")

    listener.messages_received = fail  # type: ignore[method-assign]
    remote.send(text("x"))
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "internal_error"
    assert isinstance(cause.__cause__, KeyError)
    assert "a fault of the test" in caplog.text


# -- ends by the peer -----------------------------------------------------------------------------


def test_close_of_the_peer_is_answered_and_reported(pair: Pair) -> None:
    """A close frame is echoed once, after earlier messages; code and reason are reported."""
    connection, remote, listener, _ = pair
    remote.send(text("last"), close_frame(1001, "going"), text("never"))
    end = listener.end()
    assert (end.cause, end.code, end.reason) == (None, 1001, "going")
    assert "1001" in end.describe()
    assert "going" in end.describe()
    assert listener.payloads == [b"last"]
    answers = remote.frames_to_end()
    assert [(a.opcode, a.close_code) for a in answers] == [(CLOSE, 1001)]
    assert not connection.is_open


def test_close_without_a_code_is_answered(pair: Pair) -> None:
    """A close frame without a code is reported as 1005 and answered with 1000."""
    _, remote, listener, _ = pair
    remote.send(close_frame(None))
    assert listener.end().code == 1005
    assert [a.close_code for a in remote.frames_to_end()] == [1000]


def test_end_without_close_frame_is_reported(pair: Pair) -> None:
    """EOF is reported as an end without cause and code: the receiver decides what it means."""
    _, remote, listener, _ = pair
    remote.send(text("last"))
    remote.fin()
    end = listener.end()
    assert (end.cause, end.code) == (None, None)
    assert end.describe() == "connection closed without a close frame"
    assert listener.payloads == [b"last"]


def test_end_inside_a_frame_delivers_complete_messages(pair: Pair) -> None:
    """A partial frame before the EOF is not a message."""
    _, remote, listener, _ = pair
    remote.send(text("whole"), text("torn off")[:-3])
    remote.fin()
    assert listener.end().code is None
    assert listener.payloads == [b"whole"]


def test_reset_is_a_lost_connection(raw_peer: RawPeer) -> None:
    """A TCP reset is a retriable error, reported after the messages before it."""
    listener = Listener()
    connection = Connection(Target(raw_peer.url), listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    remote.send(text("last"))
    assert listener.take() == (TEXT, b"last")
    remote.reset()
    end = listener.end()
    assert isinstance(end.cause, SonioxConnectionError)
    with pytest.raises(SonioxConnectionError):
        connection.send(lambda: text_frame("late"))
    assert connection.closed.wait(WAIT)


_GARBAGE = [
    frame(TEXT, b"x", rsv=4),
    frame(TEXT, b"x", mask=b"abcd"),
    frame(3, b"x"),
    frame(PING, b"x" * 126),
    b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    frame(TEXT)[:1] + b"\x7f\xff" + b"\xff" * 7,
]


@pytest.mark.parametrize("garbage", _GARBAGE)
def test_messages_before_garbage_are_delivered(pair: Pair, garbage: bytes) -> None:
    """A violation ends the connection with its close code, after every message before it."""
    _, remote, listener, _ = pair
    remote.send(text("one"), frame(PING, b"p"), text("two"), garbage, text("never"))
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "protocol_error"
    assert listener.payloads == [b"one", b"two"]
    sent = remote.frames_to_end()
    assert [s.opcode for s in sent] == [PONG, CLOSE]
    assert sent[-1].close_code in (1002, 1009)


@pytest.mark.parametrize(
    "bad", [frame(CLOSE, b"\x03"), close_frame(1006), frame(CLOSE, b"\x03\xe8\xff")]
)
def test_bad_close_frames_are_violations(pair: Pair, bad: bytes) -> None:
    """A close frame that breaks the rules is a violation, not an orderly end."""
    _, remote, listener, _ = pair
    remote.send(text("one"), bad)
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "protocol_error"
    assert listener.payloads == [b"one"]
    assert remote.frames_to_end()[-1].close_code in (1002, 1007)


# -- ends by us -----------------------------------------------------------------------------------


def test_close_delivers_what_is_in_flight(pair: Pair) -> None:
    """close() sends one close frame; the reader delivers what precedes the peer's answer."""
    connection, remote, listener, _ = pair
    closing = Task(lambda: connection.close(WAIT))
    assert remote.recv_frame().close_code == 1000
    remote.send(text("in flight"), close_frame(1000))
    closing.result()
    end = listener.end()
    assert (end.cause, end.code) == (None, 1000)
    assert listener.payloads == [b"in flight"]
    assert remote.frames_to_end() == []
    assert connection.closed.is_set()


def test_close_is_idempotent_from_any_thread(pair: Pair) -> None:
    """Many closes at once send one close frame and report one end."""
    connection, remote, listener, _ = pair
    closers = [Task(lambda: connection.close(WAIT)) for _ in range(5)]
    assert remote.recv_frame().opcode == CLOSE
    remote.send(close_frame(1000))
    for closer in closers:
        closer.result()
    connection.close()
    listener.end()
    assert remote.frames_to_end() == []


def test_close_on_a_silent_peer_ends_at_its_timeout(pair: Pair) -> None:
    """A peer that never answers delays close() by its timeout at most."""
    connection, remote, listener, _ = pair
    began = time.monotonic()
    connection.close(0.05)
    assert connection.closed.is_set()
    assert time.monotonic() - began < WAIT / 2
    assert listener.end().cause is None
    assert [f.opcode for f in remote.frames_to_end()] == [CLOSE]


def test_close_on_a_full_uplink_is_bounded(pair: Pair) -> None:
    """A writer blocked by a peer that reads nothing does not block close(), which ends it."""
    connection, remote, listener, _ = pair
    writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(60)))
    eventually(lambda: connection._sender and connection._sender._left_over, "the full uplink")
    connection.close(0.05)
    with pytest.raises(SonioxConnectionError):
        writer.result()
    listener.end()
    assert remote.recv_to_end()


def test_sends_after_close_are_refused(pair: Pair) -> None:
    """After close() `send` raises an error that mentions it, `try_send` returns False."""
    connection, _, _, _ = pair
    connection.close(0.01)
    with pytest.raises(SonioxConnectionError) as caught:
        connection.send(lambda: text_frame("late"))
    assert caught.value.code == "closed"
    assert connection.try_send(lambda: text_frame("late")) is False


def test_never_opened_connection_closes(raw_peer: RawPeer) -> None:
    """close() before open() is legal, immediate and final."""
    connection = Connection(Target(raw_peer.url), Listener())
    connection.close()
    assert connection.closed.is_set()
    with pytest.raises(SonioxConnectionError):
        connection.send(lambda: text_frame("x"))


# -- tokens, threads, forks -----------------------------------------------------------------------


def test_cancel_after_opening_has_no_effect(raw_peer: RawPeer) -> None:
    """The cancel token of open() is only used while opening."""
    token = CancelToken()
    connection = Connection(Target(raw_peer.url), Listener())
    connection.open(WAIT, token)
    token.cancel()
    assert connection.is_open
    assert connection.cause is None
    connection.fail(AbortError("end of the test"))
    assert connection.closed.wait(WAIT)


def test_one_named_daemon_thread(raw_peer: RawPeer) -> None:
    """A connection has one thread, from open() on, and none after its end."""
    before = set(threading.enumerate())
    connection = Connection(Target(raw_peer.url), Listener(), ping_interval_sec=None)
    assert set(threading.enumerate()) == before
    connection.open(WAIT)
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    assert thread.name.startswith("soniox-reader-")
    raw_peer.accept().close()
    thread.join(WAIT)
    assert not thread.is_alive()
    connection.close()


def test_receiver_that_fails_at_the_end_is_logged(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """If the receiver raises at the end, it is logged and the connection is closed all the same."""
    connection, remote, listener, _ = pair

    def fail(end: Any) -> None:
        raise ValueError("a fault of the test")

    listener.connection_ended = fail  # type: ignore[method-assign]
    remote.fin()
    assert connection.closed.wait(WAIT)
    assert "a fault of the test" in caplog.text


@pytest.mark.parametrize("ending", ["close", "fail", "fin", "reset"])
def test_hundred_ends_under_load(ending: str, raw_peer: RawPeer) -> None:
    """Whatever ends a busy connection, every sender returns and the end is reported once."""
    for _ in range(10):
        listener = Listener()
        connection = Connection(Target(raw_peer.url), listener)
        connection.open(WAIT)
        remote = raw_peer.accept()

        def push(connection: Connection = connection) -> int:
            sent = 0
            while True:
                try:
                    connection.send(lambda: encode_frame(BINARY, b"x" * 3000))
                except SonioxError:
                    return sent
                sent += 1

        senders = [Task(push) for _ in range(3)]
        remote.recv_exactly(20_000)
        remote.send(text("hello"))
        ends: dict[str, Callable[[], None]] = {
            "close": lambda c=connection: c.close(0.05),
            "fail": lambda c=connection: c.fail(NetworkError("x")),
            "fin": remote.close,
            "reset": remote.reset,
        }
        ends[ending]()
        for sender in senders:
            sender.result()
        listener.end()
        assert connection.closed.wait(WAIT)
        connection.close()


_FORK = """
    import os, socket, sys, threading, warnings
    warnings.simplefilter("ignore")
    sys.path.insert(0, {root!r})
    from tests.peers import Listener, RawPeer, text, TEXT
    from tests.waiting import WAIT
    from soniox_sync import SonioxConnectionError
    from soniox_sync.runtime.connection import Connection
    from soniox_sync.transport.connect import Target
    from soniox_sync.transport.frames import encode_frame

    peer = RawPeer()
    listener = Listener()
    connection = Connection(Target(peer.url), listener)
    connection.open(WAIT)
    remote = peer.accept()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            assert not connection.is_open
            assert [error.code for error in listener.forks] == ["forked"], listener.forks
            for call in (connection.raise_cause, lambda: connection.send(lambda: b"child")):
                try:
                    call()
                except SonioxConnectionError as error:
                    assert error.code == "forked", error.code
                else:
                    raise AssertionError("the child could use its parent's connection")
            assert connection.try_send(lambda: b"child") is False
            connection.close()
            connection.fail(ValueError("child"))
            connection.abort()
            assert connection.closed.is_set()
            fresh = Connection(Target(peer.url), Listener())
            fresh.open(WAIT)
            fresh.send(lambda: encode_frame(TEXT, b"from the child"))
            fresh.close(0.2)
            code = 0
        finally:
            os._exit(code)
    child = peer.accept()
    assert child.recv_frame().text == "from the child"
    child.close()
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    connection.send(lambda: encode_frame(TEXT, b"from the parent"))
    assert remote.recv_frame().text == "from the parent"
    remote.send(text("and back"))
    assert listener.take() == (TEXT, b"and back")
    connection.close(0.1)
    peer.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_forked_child_does_not_touch_the_parents_connection() -> None:
    """In a forked child inherited connections fail with a clear error; the parent's stay open."""
    from pathlib import Path

    script = textwrap.dedent(_FORK).format(root=str(Path(__file__).parents[2]))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
