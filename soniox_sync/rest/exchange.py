"""One HTTP call in progress, which another thread can abort: a token, a deadline, or `close()`.

`requests` blocks in a socket and cannot be interrupted. So each of our TCP connections records
which exchange currently uses it (`TrackedSocket`), and aborting an exchange shuts down that socket:
the blocked call returns with an error, and the exchange has recorded the real cause.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

from .._support.locks import new_rlock
from ..cancel import CancelToken
from ..errors import SonioxError
from ..runtime.clock import Timer, process_clock
from ..transport.sockets import shut_down

CANCELLED, TIMED_OUT, CLOSED, ABANDONED = "cancelled", "timeout", "closed", "abandoned"

# Guards the fields of every `TrackedSocket` and `Exchange`. Held for a few field accesses and one
# `shutdown`, which never blocks: outside of the lock it could hit the next user of the socket.
# Leaf. Reentrant, because the garbage collector may close a dropped response in any thread.
_lock = new_rlock()
_current = threading.local()


class Aborted(SonioxError):
    """Stops a connection that is about to be used by an exchange that was aborted."""

    code = "aborted"


class TrackedSocket:
    """Socket of one HTTP connection, and the exchange that currently uses it.

    `connected`: whether it was connected: TCP, the tunnel of a proxy, and TLS.
    """

    __slots__ = ("connected", "owner", "sock")

    def __init__(self) -> None:
        self.connected: bool = False
        self.owner: Optional[Exchange] = None
        self.sock: Any = None

    def set(self, sock: Any) -> None:
        """Set the socket; shut it down at once if its user was aborted in the meantime."""
        with _lock:
            self.sock = sock
            if self.owner is not None and self.owner.cause is not None:
                _shut_down(sock)


class Exchange:
    """One HTTP call, from before the connection until its body is read.

    `limit_sec`: how long it may take, `None`: no limit. `cancel`: a token that aborts it. `cause`:
    `None`, or why it was aborted: `CANCELLED`, `TIMED_OUT`, `CLOSED` by `client.close()`,
    `ABANDONED` by the reader of the response. `abort()` and `release()` are thread-safe,
    the rest is for the thread that reads.
    """

    def __init__(self, cancel: Optional[CancelToken], limit_sec: Optional[float]) -> None:
        # Under _lock
        self.cause: Optional[str] = None
        self._tracked: Optional[TrackedSocket] = None
        self._released = False
        # Immutable
        self._process = os.getpid()
        self._timer: Optional[Timer] = None
        self._undo: Callable[[], None] = lambda: None
        if limit_sec is not None:
            self._timer = process_clock.call_later(limit_sec, lambda: self.abort(TIMED_OUT))
        if cancel is not None:
            self._undo = cancel.on_cancel(lambda: self.abort(CANCELLED))

    @property
    def connected(self) -> bool:
        """Whether its connection, one of ours, was complete; False after `release()`."""
        with _lock:
            return self._tracked is not None and self._tracked.connected

    def abort(self, cause: str) -> None:
        """Abort the call; only the first cause counts. Does nothing after `release()`."""
        with _lock:
            if self.cause is not None or self._released:
                return
            self.cause = cause
            if self._tracked is None or self._tracked.owner is not self:
                return
            # a forked child has a copy of the descriptor; the connection belongs to the parent
            if os.getpid() == self._process:
                _shut_down(self._tracked.sock)

    def use(self, tracked: TrackedSocket) -> None:
        """Become the user of one of our connections. Raises `Aborted` if it was aborted already."""
        with _lock:
            if self.cause is not None:
                raise Aborted(self.cause)
            tracked.owner = self
            self._tracked = tracked

    def watch(self, sock: Any) -> None:
        """Become the user of another connection, once a response was received on it."""
        with _lock:
            if self._tracked is not None or sock is None:
                return
            self._tracked = TrackedSocket()
            self._tracked.owner, self._tracked.sock = self, sock
            if self.cause is not None:
                _shut_down(sock)

    def release(self) -> None:
        """Release the connection, the timer and the token. Idempotent."""
        with _lock:
            self._released = True
            self._tracked = None
        if self._timer is not None:
            self._timer.cancel()
        self._undo()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make this the `current()` exchange of this thread."""
        before = current()
        _current.exchange = self
        try:
            yield
        finally:
            _current.exchange = before


def current() -> Optional[Exchange]:
    """Return the exchange of this thread, `None` outside of one."""
    exchange: Optional[Exchange] = getattr(_current, "exchange", None)
    return exchange


def _shut_down(sock: Any) -> None:
    if sock is not None:
        shut_down(getattr(sock, "socket", sock))  # TLS inside TLS is not a socket, but has one
