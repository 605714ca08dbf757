"""One HTTP call under way, which another thread can end: a token, a deadline, or `close()`.

`requests` blocks in a socket and knows no way to be woken. So each TCP connection of ours tells
which exchange uses it at present (`Line`), and ending an exchange shuts that socket down: the
blocked call returns with an error, and the exchange knows the true cause.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional

from ..cancel import CancelToken
from ..clock import Timer, process_clock
from ..errors import SonioxError

CANCELLED, TIMED_OUT, CLOSED, LEFT = "cancelled", "timeout", "closed", "left"

# Guards the fields of every `Line` and `Exchange`. Held for a few field accesses and one
# `shutdown`, which never blocks: outside of the lock it could hit the connection's next user. Leaf.
# Re-entrant, because the garbage collector closes what was dropped in whatever thread it runs.
_lock = threading.RLock()
_current = threading.local()


def _renew_lock() -> None:
    # a fork copies the lock as it is, taken or not
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class Ended(SonioxError):
    """Stops a connection that is about to be used by an exchange that was ended."""

    code = "aborted"


class Line:
    """Is one TCP connection, and the exchange that uses it at present."""

    __slots__ = ("owner", "sock")

    def __init__(self) -> None:
        self.owner: Optional[Exchange] = None
        self.sock: Any = None

    def hold(self, sock: Any) -> None:
        """Note the socket to shut; shuts it at once if the owner was ended meanwhile."""
        with _lock:
            self.sock = sock
            if self.owner is not None and self.owner.cause is not None:
                _shut(sock)


class Exchange:
    """Is one HTTP call, from before the connection until its body is read.

    `limit_sec`: the longest it may take, `None` without limit. `cancel`: ends it. `cause`:
    `None`, or why it was ended: `CANCELLED`, `TIMED_OUT`, `CLOSED` by the client's end, `LEFT` by
    who read the answer. `end()` and `over()` are legal from any thread at any time, the rest
    belongs to the thread that reads.
    """

    def __init__(self, cancel: Optional[CancelToken], limit_sec: Optional[float]) -> None:
        # Under _lock
        self.cause: Optional[str] = None
        self._line: Optional[Line] = None
        self._over = False
        # Immutable
        self._process = os.getpid()
        self._cancel = cancel
        self._timer: Optional[Timer] = None
        self._undo: Callable[[], None] = lambda: None
        if limit_sec is not None:
            self._timer = process_clock.call_later(limit_sec, lambda: self.end(TIMED_OUT))
        if cancel is not None:
            self._undo = cancel.on_cancel(lambda: self.end(CANCELLED))

    def end(self, cause: str) -> None:
        """Wake the call; the first cause counts. Does nothing once it is over."""
        with _lock:
            if self.cause is not None or self._over:
                return
            self.cause = cause
            if self._line is not None and self._line.owner is self and self._is_ours():
                _shut(self._line.sock)

    def _is_ours(self) -> bool:
        # a forked child has a copy of the descriptor; the line is its parent's
        return os.getpid() == self._process

    def take(self, line: Line) -> None:
        """Become the user of a connection. Raises `Ended` when it is too late for that."""
        with _lock:
            if self.cause is not None:
                raise Ended(self.cause)
            line.owner = self
            self._line = line

    def adopt(self, sock: Any) -> None:
        """Watch the socket of a connection that is not ours, once an answer has come over it."""
        with _lock:
            if self._line is not None or sock is None:
                return
            self._line = Line()
            self._line.owner, self._line.sock = self, sock
            if self.cause is not None:
                _shut(sock)

    def over(self) -> None:
        """Let go of everything; idempotent."""
        with _lock:
            self._over = True
            self._line = None
        if self._timer is not None:
            self._timer.cancel()
        self._undo()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let connections used by this thread know whom they work for."""
        before = current()
        _current.exchange = self
        try:
            yield
        finally:
            _current.exchange = before


def current() -> Optional[Exchange]:
    """Give the exchange this thread works for."""
    exchange: Optional[Exchange] = getattr(_current, "exchange", None)
    return exchange


def _shut(sock: Any) -> None:
    if sock is None:
        return
    sock = getattr(sock, "socket", sock)  # TLS inside TLS is no socket, but has one
    try:
        # not SSLSocket's own, which would touch the TLS state that the other thread works on
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        return  # it is down already, which is what was wanted
