"""What a forked child has of its parent's connections and timers is of no use, and does no harm.

The copies are made in this process: `dup()` stands for the descriptor that stays the parent's.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from typing import Callable

import pytest

from soniox_sync import SonioxConnectionError, SonioxTimeoutError
from soniox_sync.runtime import forks
from soniox_sync.runtime.clock import Clock, Timer, process_clock
from soniox_sync.runtime.connection import Connection
from soniox_sync.runtime.delivery import Delivery
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.sender import Sender
from soniox_sync.transport.sockets import wrap
from tests.peers import Listener, open_pair
from tests.runtime.pairs import text_frame
from tests.waiting import WAIT

Copy = tuple[Connection, socket.socket, socket.socket, Listener]


@pytest.fixture
def copy() -> Iterator[Copy]:
    """Provide a child's copy of an open connection, its descriptor, the server's end, its receiver.

    The parent's descriptor stays open until the test is over.
    """
    ours, theirs = socket.socketpair()
    listener = Listener()
    connection = Connection(Target("ws://pair.invalid/"), listener)
    with ours, theirs, ours.dup():
        connection._socket = sock = wrap(ours)
        connection._sender = Sender(sock, None)
        yield connection, ours, theirs, listener


def test_a_childs_copy_of_a_connection_is_closed(copy: Copy) -> None:
    """Its descriptor is closed, the parent's goes on, and its receiver learns why it is over."""
    connection, ours, theirs, listener = copy
    connection._invalidate()
    assert ours.fileno() == -1
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):  # neither a byte nor an end
        theirs.recv(1)
    assert connection.closed.is_set() and not connection.is_open
    assert [getattr(error, "code", None) for error in listener.forks] == ["forked"]
    assert listener.ends == []


def test_nothing_is_decided_about_sending_in_a_child(copy: Copy) -> None:
    """What would be sent is not even made: its state is the parent's."""
    connection, _, _, _ = copy
    connection._invalidate()
    made: list[bytes] = []

    def make() -> bytes:
        made.append(text_frame("x"))
        return made[-1]

    with pytest.raises(SonioxConnectionError) as caught:
        connection.send(make)
    assert caught.value.code == "forked"
    assert connection.try_send(make) is False
    assert made == []


def test_a_connection_that_was_being_opened_is_closed_in_a_child() -> None:
    """So is the descriptor of one that was not open yet: whoever waits for it gets the error."""
    ours, theirs = socket.socketpair()
    connection = Connection(Target("ws://pair.invalid/"), Listener())
    connection._raw_socket = ours
    connection._invalidate()
    assert ours.fileno() == -1
    assert connection._opened.is_set()
    with pytest.raises(SonioxConnectionError, match="before a fork"):
        connection.open(WAIT)
    theirs.close()


def test_timers_of_the_parent_do_not_count_in_a_child() -> None:
    """Cancelling one there takes nothing from the timers of the child, which run."""
    clock = Clock()
    of_parent = Timer(clock, clock.now() + 60.0, lambda: None)
    clock.reset()
    of_parent.cancel()
    ran = threading.Event()
    clock.call_later(0.0, ran.set)
    assert ran.wait(WAIT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_the_clock_of_a_child_runs() -> None:
    """Its thread is not copied by a fork: the child starts one of its own."""
    ran = threading.Event()
    process_clock.call_later(0.0, ran.set)
    assert ran.wait(WAIT)

    def child() -> bool:
        again = threading.Event()
        process_clock.call_later(0.0, again.set)
        return again.wait(WAIT)

    assert in_child(child)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_consumer_in_a_child_that_was_forked_unseen_gets_the_reason() -> None:
    """Where no hook of Python ran, what is taken first finds out that this is a child.

    A fork without hooks may copy the lock of the interpreter while a thread holds it. So this one
    has hooks, and what is there after them stands for what was inherited.
    """
    delivery: Delivery[str] = Delivery(10, "items")

    class Ending(Listener):
        def connection_forked(self, error: BaseException) -> None:
            delivery.end(error)

    def child() -> bool:
        with open_pair(Ending()):
            forks._pid = os.getppid()
            try:
                delivery.take(Deadline(WAIT), "item")
            except SonioxConnectionError as error:
                return error.code == "forked"
            except SonioxTimeoutError:
                return False
        return False

    assert in_child(child)


def in_child(check: Callable[[], bool]) -> bool:
    """Return what `check` returns in a forked child."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0
