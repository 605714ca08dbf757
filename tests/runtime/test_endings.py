"""Ends that somebody asked for: who waits for them, for how long, and what they leave."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import NetworkError, SonioxConnectionError
from soniox_sync.runtime import signals
from soniox_sync.runtime.connection import Connection
from soniox_sync.runtime.receiver import CloseInfo
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.frames import encode_frame
from tests.peers import BINARY, CLOSE, Listener, close_frame, open_pair, text
from tests.runtime.pairs import BIG, Pair, text_frame
from tests.runtime.test_causes import HeldListener
from tests.waiting import WAIT, ManualClock, Task, eventually

# nobody waits that long in a test: what takes this time hangs
FOREVER = 3600.0


class Connecting:
    """Connection whose attempt waits for a server that answers nothing."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.begun = threading.Event()
        self.deadlines: list[Deadline] = []
        self.connection = Connection(
            Target("ws://pair.invalid/"), Listener(), opener=self._open_socket
        )

    def _open_socket(self, _: Any, deadline: Deadline, keep: Any) -> socket.socket:
        self.deadlines.append(deadline)
        keep(self.ours)
        self.begun.set()
        self.ours.recv(1)
        raise NetworkError("the attempt was cut")


@pytest.fixture
def connecting() -> Iterator[Connecting]:
    made = Connecting()
    with made.ours, made.theirs:
        yield made
        made.theirs.close()


def test_close_cuts_a_connection_attempt(connecting: Connecting) -> None:
    """`close()` ends an attempt that hangs, does not wait, and is why `open()` raises."""
    opening = Task(lambda: connecting.connection.open(FOREVER))
    assert connecting.begun.wait(WAIT)
    connecting.connection.close(FOREVER)
    assert connecting.connection.closed.wait(WAIT)
    with pytest.raises(SonioxConnectionError, match="closed while connecting") as caught:
        opening.result()
    assert caught.value.code == "closed"


def test_an_attempt_has_the_time_that_open_was_given(connecting: Connecting) -> None:
    """All its steps share one deadline: that of `open()`."""
    opening = Task(lambda: connecting.connection.open(FOREVER))
    assert connecting.begun.wait(WAIT)
    (deadline,) = connecting.deadlines
    assert FOREVER - WAIT < deadline.at_most(2 * FOREVER) <= FOREVER
    connecting.theirs.close()
    with pytest.raises(NetworkError, match="was cut"):
        opening.result()


def test_a_socket_of_an_attempt_that_is_over_is_not_connected() -> None:
    """An attempt that failed while it had no socket yet goes no further once it has one."""
    ours, theirs = socket.socketpair()
    raised: list[BaseException] = []

    def late(_: Any, __: Deadline, keep: Any) -> socket.socket:
        connection.fail(NetworkError("too slow"))
        try:
            keep(ours)
        except SonioxConnectionError as error:
            raised.append(error)
            raise
        return ours

    connection = Connection(Target("ws://pair.invalid/"), Listener(), opener=late)
    with ours, theirs:
        with pytest.raises(NetworkError, match="too slow"):
            connection.open(WAIT)
        assert connection.closed.wait(WAIT)
    assert [getattr(error, "code", None) for error in raised] == ["closed"]


def test_close_on_the_reader_thread_does_not_wait() -> None:
    """The peer's answer could not be read meanwhile: the connection is cut once asked to close."""

    class Closing(Listener):
        def messages_received(self, messages: list[tuple[int, bytes]]) -> None:
            super().messages_received(messages)
            connection.close(FOREVER)

    listener = Closing()
    with open_pair(listener) as (connection, remote):
        remote.send(text("enough"))
        assert listener.end().cause is None
        assert [frame.opcode for frame in remote.frames_to_end()] == [CLOSE]


def test_close_does_not_wait_for_an_answer_to_what_was_not_sent(pair: Pair) -> None:
    """A peer that reads nothing gets no close frame, and is not waited for."""
    connection, _, listener, _ = pair
    writer = Task(lambda: connection.send(lambda: encode_frame(BINARY, BIG), Deadline(FOREVER)))
    eventually(lambda: connection._sender and connection._sender._left_over, "the full uplink")
    connection.close(FOREVER)
    assert listener.end().cause is None
    with pytest.raises(SonioxConnectionError):
        writer.result()


def test_a_close_takes_at_most_two_seconds(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless its caller says otherwise, that is how long it waits for the peer's answer."""
    connection, remote, listener, _ = pair
    allowed: list[float] = []

    def waited(closed: Any, deadline: Deadline) -> bool:
        allowed.append(deadline.at_most(FOREVER))
        monkeypatch.undo()
        return False

    monkeypatch.setattr("soniox_sync.runtime.connection.wait_for", waited)
    connection.close()
    assert listener.end().cause is None
    assert len(allowed) == 1 and 1.0 < allowed[0] <= 2.0
    assert [frame.opcode for frame in remote.frames_to_end()] == [CLOSE]


@pytest.mark.parametrize(
    ("reason", "said"), [("", "(code 1001)"), ("going", "(code 1001 'going')")]
)
def test_the_description_of_a_close_has_a_reason_only_if_the_peer_gave_one(
    reason: str, said: str
) -> None:
    """Nothing is quoted that was not said."""
    described = CloseInfo(None, 1001, reason).describe()
    assert described == f"the server closed the connection {said}"


def test_a_ping_that_times_out_does_not_cut_a_close_short(pinging: Pair) -> None:
    """While a connection closes, its own deadline counts: what is in flight is still delivered."""
    connection, remote, listener, clock = pinging
    closing = Task(lambda: connection.close(FOREVER))
    assert remote.recv_frame().opcode == CLOSE
    clock.advance(60.0)
    remote.send(text("the last word"), close_frame())
    closing.result()
    assert listener.end().cause is None
    assert listener.payloads == [b"the last word"]


def test_the_first_time_allowed_for_the_servers_close_counts(pair: Pair) -> None:
    """`expect_close()` repeated, or after the end, changes nothing and leaves no timer."""
    connection, remote, listener, clock = pair
    connection.expect_close(5.0)
    clock.advance(3.0)
    connection.expect_close(5.0)
    assert clock.pending == 1
    clock.advance(2.0)
    assert listener.end().cause is None
    assert connection.closed.wait(WAIT)
    connection.expect_close(5.0)
    assert clock.pending == 0
    assert remote.frames_to_end() == []


class _EndsMeanwhile(ManualClock):
    """Clock on which everything takes until the connection has ended."""

    connection: Any = None

    def call_later(self, seconds: float, callback: Any) -> Any:
        self.connection.abort()
        assert self.connection.closed.wait(WAIT)
        return super().call_later(seconds, callback)


def test_no_timer_is_left_of_a_connection_that_ended_meanwhile() -> None:
    """An end just before the timer of `expect_close()` exists: the timer is cancelled."""
    clock = _EndsMeanwhile()
    with open_pair(Listener(), clock=clock, ping_interval_sec=None) as (connection, _):
        clock.connection = connection
        connection.expect_close(5.0)
        assert clock.pending == 0


def test_what_cannot_be_written_at_once_was_not_accepted() -> None:
    """`try_send()` on a broken socket says so; the reader reports why."""
    listener = HeldListener()
    with open_pair(listener) as (connection, remote):
        remote.send(text("keep the reader busy"))
        assert listener.reading.wait(WAIT)
        connection.abort()
        assert connection.try_send(lambda: text_frame("x")) is False
        listener.released.set()
        assert listener.end() is not None


def test_nothing_is_called_while_the_interpreter_shuts_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A `close()` then does nothing: no thread runs that it could wait for."""
    calls: list[str] = []
    close = signals.safe_in_signal_handlers(lambda: calls.append("close"))
    monkeypatch.setattr(signals.sys, "is_finalizing", lambda: True)
    close()
    monkeypatch.undo()
    assert calls == []
    close()
    assert calls == ["close"]


def test_threads_are_no_signal_handlers() -> None:
    """What the library calls there is called directly, on the same thread."""
    threads: list[threading.Thread] = []
    close = signals.safe_in_signal_handlers(lambda: threads.append(threading.current_thread()))
    of_the_library = {"__name__": "soniox_sync.runtime.any"}
    call_from_it = eval("lambda function: function()", of_the_library)

    def act() -> threading.Thread:
        call_from_it(lambda: close())
        return threading.current_thread()

    caller = Task(act).result()
    assert threads == [caller]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_connection_that_has_ended_is_not_ended_again_in_a_child(pair: Pair) -> None:
    """Its receiver has learned its end; a fork is no further one."""
    connection, _, listener, _ = pair
    connection.close(0.0)
    listener.end()
    connection._thread.join(WAIT)
    pid = os.fork()
    if pid == 0:
        os._exit(len(listener.forks))
    assert os.waitpid(pid, 0)[1] == 0


def test_the_log_tells_of_a_connections_beginning_and_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At level DEBUG: where it is open to, and that it is closed."""
    with caplog.at_level(logging.DEBUG, "soniox_sync"):
        with open_pair(Listener()) as (connection, _):
            connection.close(0.0)
            connection._thread.join(WAIT)
    said = [record.getMessage() for record in caplog.records]
    assert any("= open to pair.invalid" in line for line in said), said
    assert any("= closed" in line for line in said), said
