"""Ends that come at a bad moment: while connecting, while closing, after a farewell."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest

from soniox_sync.runtime.connection import Connection
from soniox_sync.transport.connect import Target
from tests.peers import Listener, Remote, text
from tests.runtime.pairs import Pair
from tests.waiting import WAIT


class _Interrupts:
    """Latch at which Ctrl-C strikes; then it is `behind`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._behind = connection.closed

    def is_set(self) -> bool:
        self._connection.closed = self._behind
        raise KeyboardInterrupt


def test_an_interrupted_close_leaves_no_connection(pair: Pair) -> None:
    """Ctrl-C in `close()`, even before its handshake, cuts the socket, so that the reader ends."""
    connection, remote, listener, _ = pair
    behind = connection.closed
    interrupts: Any = _Interrupts(connection)
    connection.closed = interrupts
    with pytest.raises(KeyboardInterrupt):
        connection.close()
    assert behind.wait(WAIT)
    assert listener.end().cause is None
    assert remote.frames_to_end() == []


def test_a_connection_that_is_expected_to_close_is_not_open(pair: Pair) -> None:
    """From `expect_close()` on nothing is sent any more, and a lost connection is no failure."""
    connection, remote, listener, _ = pair
    connection.expect_close(5.0)
    assert not connection.is_open
    remote.close()
    assert listener.end().cause is None


def test_what_comes_before_a_connection_is_open_is_dropped_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`close()` while connecting ends it, whatever the server has sent: no fault is logged."""
    ours, theirs = socket.socketpair()
    listener, remote = Listener(), Remote(theirs)
    remote.send(text("too early"))

    def closed_meanwhile(*_: Any) -> socket.socket:
        connection.close(0.0)
        return ours

    connection = Connection(Target("ws://pair.invalid/"), listener, opener=closed_meanwhile)
    with caplog.at_level(logging.ERROR, "soniox_sync"):
        with pytest.raises(ConnectionError, match="closed while connecting"):
            connection.open(WAIT)
        assert connection.closed.wait(WAIT)
    remote.close()
    assert listener.payloads == [] and caplog.text == ""
