"""Deadlines: one moment computed once, asked at each wait."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Callable, Optional, Protocol

# Ctrl-C of an IDE (`_thread.interrupt_main()`), and on Windows any, does not end a wait for a lock:
# the main thread, where it is raised, looks for it this often
_SLICE_SEC = 0.2


class Deadline:
    """Is a moment on the monotonic clock; `None` seconds never passes, `0` has passed already."""

    __slots__ = ("_at", "_now")

    def __init__(self, seconds: Optional[float], now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # what no lock can wait for (centuries, infinity) is as good as no limit
        unlimited = seconds is None or seconds >= threading.TIMEOUT_MAX
        self._at = None if unlimited else now() + max(0.0, seconds or 0.0)

    def remaining(self) -> Optional[float]:
        """Give the seconds left, never below 0; `None` without a limit."""
        return None if self._at is None else max(0.0, self._at - self._now())

    @property
    def passed(self) -> bool:
        """Tell whether no time is left."""
        return self._at is not None and self._now() >= self._at

    def at_most(self, seconds: float) -> float:
        """Give the seconds left, but no more than `seconds`."""
        left = self.remaining()
        return seconds if left is None else min(left, seconds)


def patience(raised: Optional[type[BaseException]], usual: float) -> float:
    """Give the seconds that leaving a `with` block may take: none after Ctrl-C, the user waits."""
    return usual if raised is None or issubclass(raised, Exception) else 0.0


def slice_sec() -> Optional[float]:
    """Give how long this thread may wait for a lock in one go; `None` for any time."""
    return _SLICE_SEC if threading.current_thread() is threading.main_thread() else None


class Waitable(Protocol):
    """Is a `Latch` or a `threading.Event`."""

    def is_set(self) -> bool:
        """Tell whether it is set."""

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is set; tell whether."""


def wait_for(event: Waitable, deadline: Deadline) -> bool:
    """Wait until `event` is set or `deadline` passed; tell which. Ctrl-C gets through."""
    slice_ = slice_sec()
    if slice_ is None:
        return event.wait(deadline.remaining())
    while not event.wait(deadline.at_most(slice_)):
        if deadline.passed:
            return event.is_set()
    return True


def join_thread(thread: threading.Thread, deadline: Deadline) -> bool:
    """Wait until `thread` ended or `deadline` passed; tell which. Ctrl-C gets through."""
    slice_ = slice_sec()
    if slice_ is None:
        thread.join(deadline.remaining())
        return not thread.is_alive()
    thread.join(deadline.at_most(slice_))
    while thread.is_alive() and not deadline.passed:
        thread.join(deadline.at_most(slice_))
    return not thread.is_alive()


def take_from(items: queue.SimpleQueue[Any], deadline: Deadline) -> Any:
    """Take the next item, or raise `queue.Empty` once `deadline` passed. Ctrl-C gets through."""
    if not items.empty():  # the quick way, which a fast stream takes
        try:
            return items.get_nowait()
        except queue.Empty:
            pass  # another consumer was faster
    slice_ = slice_sec()
    if slice_ is None:
        left = deadline.remaining()
        return items.get() if left is None else items.get(left > 0, left)
    while True:
        try:
            return items.get(True, deadline.at_most(slice_))
        except queue.Empty:
            if deadline.passed:
                raise


def acquire(lock: threading.Lock, deadline: Deadline) -> bool:
    """Take `lock` before `deadline`; tell whether it was had. Ctrl-C gets through."""
    slice_ = slice_sec()
    if slice_ is None:
        left = deadline.remaining()
        return lock.acquire(timeout=-1 if left is None else left)
    while not lock.acquire(timeout=deadline.at_most(slice_)):
        if deadline.passed:
            return False
    return True
