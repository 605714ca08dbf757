"""The first cause of the end of a connection is what every caller gets."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from soniox_sync import NetworkError, SonioxConnectionError, SonioxTimeoutError, StateError
from soniox_sync.runtime.connection import Connection
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from tests.peers import BINARY, CLOSE, Listener, RawPeer, close_frame, open_pair, text
from tests.runtime.pairs import BIG, Pair, text_frame
from tests.waiting import WAIT, Task


class HeldListener(Listener):
    """Listener that keeps the reader thread, and so the connection, until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = threading.Event()
        self.released = threading.Event()

    def messages_received(self, messages: list[tuple[int, bytes]]) -> None:
        self.reading.set()
        assert self.released.wait(WAIT)
        super().messages_received(messages)


def test_first_cause_wins_and_sticks() -> None:
    """The first fail() is the cause forever; each caller gets a fresh exception chained to it."""
    first, listener = NetworkError("the first"), HeldListener()
    with open_pair(listener) as (connection, remote):
        remote.send(text("keep the reader busy"))
        assert listener.reading.wait(WAIT)
        connection.fail(first)
        connection.fail(NetworkError("the second"))  # would do nothing if the reader had ended
        listener.released.set()
        connection.close()
        check_cause(connection, listener, first)
        connection.fail(NetworkError("the third"))
        assert connection.cause is first


def check_cause(connection: Connection, listener: Listener, first: NetworkError) -> None:
    """Check that `first` is the cause of the end and of what every call raises."""
    assert listener.end().cause is first
    raised = []
    for call in (
        connection.raise_cause,
        lambda: connection.send(lambda: text_frame("x")),
        connection.raise_cause,
    ):
        with pytest.raises(NetworkError, match="the first") as caught:
            call()
        raised.append(caught.value)
    assert len({id(error) for error in (*raised, first)}) == 4
    assert all(error.__cause__ is first for error in raised)


def test_racing_causes_leave_one(pair: Pair) -> None:
    """Many causes at once, a reset among them: one wins, for every caller."""
    connection, remote, listener, _ = pair
    causes = [NetworkError(str(n)) for n in range(8)]
    barrier = threading.Barrier(9)

    def fail(cause: NetworkError) -> None:
        barrier.wait()
        connection.fail(cause)

    tasks = [Task(lambda cause=cause: fail(cause)) for cause in causes]
    barrier.wait()
    remote.close()
    for task in tasks:
        task.result()
    end = listener.end()
    assert end.cause is connection.cause
    assert end.cause is None or end.cause in causes or isinstance(end.cause, SonioxConnectionError)


def test_errors_during_close_are_no_cause(pair: Pair) -> None:
    """An error during close() is not reported: the end was requested."""
    connection, remote, listener, _ = pair
    closing = Task(lambda: connection.close(WAIT))
    assert remote.recv_frame().opcode == CLOSE
    connection.fail(NetworkError("late"))
    closing.result()
    assert listener.end().cause is None


def test_error_frame_wins_over_the_broken_pipe(raw_peer: RawPeer) -> None:
    """A failed send raises the error that the server sent before it closed the socket."""
    listener = Listener()
    connection = Connection(Target(raw_peer.url), listener)
    said = NetworkError("the server said why")

    def received(messages: Any) -> None:
        raise said

    listener.messages_received = received  # type: ignore[method-assign]
    connection.open(WAIT)
    remote = raw_peer.accept()
    remote.send(text("error frame"))
    remote.close()
    with pytest.raises(NetworkError, match="said why"):
        for _ in range(10_000):
            connection.send(lambda: encode_frame(BINARY, b"x" * 60_000))
    connection.close()
    assert listener.end().cause is said


@pytest.mark.parametrize(
    "refusal",
    [
        StateError("not now"),
        SonioxConnectionError("the stream's own", code="protocol_error"),
        SonioxTimeoutError("the stream's own"),
        ValueError("odd"),
    ],
)
def test_what_make_raises_does_not_end_the_connection(pair: Pair, refusal: Exception) -> None:
    """What `make` raises passes through unchanged, nothing is sent, the connection stays open."""
    connection, remote, _, _ = pair

    def make() -> bytes:
        raise refusal

    with pytest.raises(type(refusal)) as caught:
        connection.send(make)
    assert caught.value is refusal
    assert connection.is_open
    connection.send(lambda: text_frame("next"))
    assert remote.recv_frame().text == "next"


def test_send_timeout_ends_the_connection(pair: Pair) -> None:
    """A send timeout fails the connection, and names it: part of a frame may have been sent."""
    connection, remote, listener, _ = pair
    with pytest.raises(SonioxConnectionError) as caught:
        connection.send(lambda: encode_frame(BINARY, BIG), Deadline(0.05))
    assert caught.value.code == "send_timeout"
    assert "not reading (not sent within 0.05 s)" in str(caught.value)
    cause = listener.end().cause
    assert isinstance(cause, SonioxConnectionError)
    assert cause.code == "send_timeout"
    assert remote.recv_to_end()


def test_abort_sets_no_cause(pair: Pair) -> None:
    """abort() ends the connection without a cause."""
    connection, _, listener, _ = pair
    connection.abort()
    assert listener.end().cause is None


def test_a_missing_expected_close_is_an_abort(pair: Pair) -> None:
    """A server that does not close in time is aborted; the first deadline counts."""
    connection, remote, listener, clock = pair
    connection.expect_close(2.0)
    connection.expect_close(60.0)
    clock.advance(1.9)
    assert not connection.closed.is_set()
    clock.advance(0.2)
    end = listener.end()
    assert (end.cause, end.code) == (None, None)
    assert remote.frames_to_end() == []
    assert connection.closed.wait(WAIT)
    assert clock.pending == 0


def test_an_expected_close_in_time_is_orderly(pair: Pair) -> None:
    """A server that closes in time ends the connection without an error, and no timer is left."""
    connection, remote, listener, clock = pair
    connection.expect_close(2.0)
    remote.send(close_frame(1000))
    assert listener.end().code == 1000
    assert connection.closed.wait(WAIT)
    assert clock.pending == 0
