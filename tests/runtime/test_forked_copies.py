"""What a forked child has of its parent's connections and timers is of no use, and does no harm.

The copies are made in this process: `dup()` stands for the descriptor that stays the parent's.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from soniox_sync import SonioxConnectionError
from soniox_sync.runtime.clock import Clock, Timer
from soniox_sync.runtime.connection import Connection
from soniox_sync.transport.connect import Target
from soniox_sync.transport.sender import Sender
from soniox_sync.transport.sockets import wrap
from tests.peers import Listener
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
