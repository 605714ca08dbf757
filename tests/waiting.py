"""Waiting without sleeping: a manual clock, calls on threads, conditions.

`ManualClock` makes minutes pass at once; `Task` runs a call that may block; `eventually` waits for
effects that no event announces.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Iterable
from typing import Any, Callable, Optional

# longest wait of any test, in seconds; reached only by a test that fails
WAIT = 10.0


class ManualTimer:
    """One timer of a `ManualClock`."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Optional[Callable[[], None]] = callback

    def cancel(self) -> None:
        """Drop the callback."""
        self.callback = None


class ManualClock:
    """Clock with the interface of `soniox_sync.runtime.clock.Clock` that moves in `advance()` only.

    Safe from any thread; callbacks run in the thread that advances it.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._lock = threading.Lock()
        self._now = start
        self._order = itertools.count()
        self._heap: list[tuple[float, int, ManualTimer]] = []

    def now(self) -> float:
        """Return the current time."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> ManualTimer:
        """Call `callback` when the clock is advanced to `when`."""
        timer = ManualTimer(when, callback)
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ManualTimer:
        """Call `callback` after `seconds`."""
        return self.call_at(self._now + seconds, callback)

    @property
    def pending(self) -> int:
        """Number of timers neither due nor cancelled."""
        with self._lock:
            return sum(timer.callback is not None for _, _, timer in self._heap)

    def advance(self, seconds: float) -> None:
        """Move time forward; due timers run in order, each at its own time."""
        end = self._now + seconds
        while True:
            with self._lock:
                if not self._heap or self._heap[0][0] > end:
                    self._now = end
                    return
                when, _, timer = heapq.heappop(self._heap)
                self._now = max(self._now, when)
                callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()


class Task:
    """Function running on a thread; `result()` returns its value or raises its exception."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._value: Any = None
        self._error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="test-task", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001 - raised by result()
            self._error = error

    @property
    def done(self) -> bool:
        """Whether the function has returned or raised."""
        return not self._thread.is_alive()

    def result(self, timeout: float = WAIT) -> Any:
        """Wait for the function to end; return its value or raise its exception."""
        self._thread.join(timeout)
        assert self.done, "the call did not return"
        if self._error is not None:
            raise self._error
        return self._value


def eventually(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Return `condition()` once it is true; for effects that no event announces."""
    pause = threading.Event()
    for _ in range(int(WAIT / 0.005)):
        value = condition()
        if value:
            return value
        pause.wait(0.005)
    raise AssertionError(f"{what} did not come true")


def drain(items: Iterable[Any]) -> list[Any]:
    """Return the items of an iterator until it ends or raises; the exception comes last."""
    taken: list[Any] = []
    try:
        for item in items:
            taken.append(item)
    except Exception as error:  # noqa: BLE001 - the test looks at it
        taken.append(error)
    return taken
