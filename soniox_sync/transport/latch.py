"""An event whose `set()` never blocks, whatever interrupted those who wait for it.

Ctrl-C in the middle of `threading.Event.wait()` can leave the lock inside taken (CPython between
taking a lock and entering the `with` body); the thread that then sets the event, here mostly the
reader, would hang for ever. This one has no lock that anybody holds while doing something else.
"""

from __future__ import annotations

import threading
from typing import Optional

from .deadline import Deadline

# a waiter looks for itself this often: one that was interrupted may have kept the way in closed
_SLICE_SEC = 1.0


class Latch:
    """Is used like `threading.Event`. Safe from any thread."""

    __slots__ = ("_is_set", "_way_in")

    def __init__(self) -> None:
        self._is_set = False
        # Guards nothing: taken while unset, it is what waiters sleep on. Leaf.
        self._way_in = threading.Lock()
        self._way_in.acquire()

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Wake everybody, now and later. Never blocks."""
        self._is_set = True
        self._let_in()

    def clear(self) -> None:
        """Let those who come from now on wait again. Never blocks."""
        self._is_set = False
        self._way_in.acquire(blocking=False)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is set, at most `timeout` seconds (`None`: for ever); tell whether."""
        deadline = Deadline(timeout)
        while not self._is_set:
            left = deadline.at_most(_SLICE_SEC)
            try:
                self._way_in.acquire(timeout=left)
            finally:  # also after Ctrl-C, or the next in line would not get through
                if self.is_set():
                    self._let_in()
            if deadline.passed:
                return self.is_set()
        return True

    def _let_in(self) -> None:
        try:
            self._way_in.release()
        except RuntimeError:
            pass  # it stood open
