"""An event whose `set()` never blocks, even after a signal interrupted one of its waiters.

Ctrl-C inside `threading.Event.wait()` can leave the event's lock acquired (in CPython, between
acquiring a lock and entering the `with` body); the thread that then sets the event, here mostly the
reader, would hang forever. This one has no lock that a thread holds while doing something else.
"""

from __future__ import annotations

import threading
from typing import Optional

from .deadline import Deadline

# a waiter checks the flag this often: an interrupted one may have left the gate closed
_SLICE_SEC = 1.0


class Latch:
    """Event with the interface of `threading.Event`. Thread-safe."""

    __slots__ = ("_gate", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        # Guards nothing: held while the latch is unset, waiters sleep on it. Leaf.
        self._gate = threading.Lock()
        self._gate.acquire()

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Wake all waiters; later ones do not wait. Never blocks."""
        self._is_set = True
        self._open_gate()

    def clear(self) -> None:
        """Make later calls of `wait()` wait again. Never blocks."""
        self._is_set = False
        self._gate.acquire(blocking=False)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is set, at most `timeout` seconds; return whether it is set."""
        deadline = Deadline(timeout)
        while not self._is_set:
            left = deadline.at_most(_SLICE_SEC)
            try:
                self._gate.acquire(timeout=left)
            finally:  # also after Ctrl-C, or the next waiter would not get through
                if self.is_set():
                    self._open_gate()
            if deadline.passed:
                return self.is_set()
        return True

    def _open_gate(self) -> None:
        try:
            self._gate.release()
        except RuntimeError:
            pass  # it was open already
