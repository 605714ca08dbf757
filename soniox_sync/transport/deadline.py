"""Deadlines, computed once and checked at each wait, and waits that Ctrl-C can interrupt."""

from __future__ import annotations

import queue
import sys
import threading
import time
from typing import Any, Optional, Protocol

from .._support.queues import get_within
from .._support.reprs import summary

# Ctrl-C does not wake a thread that waits for a lock on Windows, or in an IDE that calls
# `_thread.interrupt_main()`: the main thread, where it is raised, waits in slices of this length
_SLICE_SEC = 0.2


class Deadline:
    """Point on the monotonic clock. `None` seconds: never passes; `0`: has already passed.

    While the interpreter shuts down every deadline has passed: threads that could end a wait do not
    run any more, and an object that is only then collected must not keep the process alive.
    """

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: Optional[float]) -> None:
        self._seconds = seconds
        # more than a lock can wait for (centuries, infinity) is no limit
        unlimited = seconds is None or seconds >= threading.TIMEOUT_MAX
        self._at = None if unlimited else time.monotonic() + max(0.0, seconds or 0.0)

    def __repr__(self) -> str:
        left = self.remaining()
        return summary(self, "never" if left is None else f"in {left:.3g} s")

    def remaining(self) -> Optional[float]:
        """Return the seconds left, never below 0; `None` without a limit."""
        if sys.is_finalizing():
            return 0.0
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    @property
    def within(self) -> str:
        """The limit in words, for the message that it has passed: "within 5 s"."""
        if self._seconds is None:  # it passes only then
            return "before the interpreter shut down"
        return f"within {self._seconds:g} s"

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        if self._at is None:
            return sys.is_finalizing()
        return time.monotonic() >= self._at or sys.is_finalizing()

    def at_most(self, seconds: float) -> float:
        """Return the seconds left, but no more than `seconds`."""
        left = self.remaining()
        return seconds if left is None else min(left, seconds)


def exit_timeout(raised: Optional[type[BaseException]], usual: float) -> float:
    """Return how many seconds leaving a `with` block may take: `usual`, but 0 after Ctrl-C."""
    return usual if raised is None or issubclass(raised, Exception) else 0.0


def slice_sec() -> Optional[float]:
    """Return for how many seconds this thread may wait for a lock; `None` for no limit."""
    return _SLICE_SEC if threading.current_thread() is threading.main_thread() else None


class Waitable(Protocol):
    """`Latch` or a `threading.Event`."""

    def is_set(self) -> bool:
        """Return whether it is set."""

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is set; return whether it is."""


def wait_for(event: Waitable, deadline: Deadline) -> bool:
    """Wait until `event` is set or `deadline` passes; return whether it is set."""
    slice_ = slice_sec()
    if slice_ is None:
        return event.wait(deadline.remaining())
    while not event.wait(deadline.at_most(slice_)):
        if deadline.passed:
            return event.is_set()
    return True


def join_thread(thread: threading.Thread, deadline: Deadline) -> bool:
    """Wait until `thread` ends or `deadline` passes; return whether it has ended."""
    slice_ = slice_sec()
    if slice_ is None:
        thread.join(deadline.remaining())
        return not thread.is_alive()
    thread.join(deadline.at_most(slice_))
    while thread.is_alive() and not deadline.passed:
        thread.join(deadline.at_most(slice_))
    return not thread.is_alive()


def take_from(items: queue.SimpleQueue[Any], deadline: Deadline) -> Any:
    """Return the next item; raise `queue.Empty` when `deadline` passes first."""
    if not items.empty():  # fast path: the stream is ahead of its consumer
        try:
            return items.get_nowait()
        except queue.Empty:
            pass  # another consumer was faster
    slice_ = slice_sec()
    if slice_ is None:
        return get_within(items, deadline.remaining())
    while True:
        try:
            return get_within(items, deadline.at_most(slice_))
        except queue.Empty:
            if deadline.passed:
                raise


def acquire(lock: threading.Lock, deadline: Deadline) -> bool:
    """Acquire `lock` before `deadline` passes; return whether it was acquired."""
    slice_ = slice_sec()
    if slice_ is None:
        left = deadline.remaining()
        return lock.acquire(timeout=-1 if left is None else left)
    while not lock.acquire(timeout=deadline.at_most(slice_)):
        if deadline.passed:
            return False
    return True
