"""The one clock thread of the process: keepalives, pings, deadlines, rotations.

It starts with the first timer and ends with the last, so an idle process has no thread. Callbacks
run on it one after another and must not block: they send without waiting, or cut a line.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from typing import Callable, Optional

_log = logging.getLogger("soniox_sync")


class Timer:
    """Is one appointment with the clock; `cancel()` is idempotent and legal from any thread."""

    __slots__ = ("_clock", "callback", "epoch", "when")

    def __init__(self, clock: Clock, when: float, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.epoch = clock.epoch
        self.when = when
        self.callback: Optional[Callable[[], None]] = callback

    def cancel(self) -> None:
        """Make sure that the callback will not start any more (it may be running)."""
        self._clock._cancel(self)


class Clock:
    """Calls functions at moments of the monotonic clock, on one daemon thread of its own."""

    def __init__(self) -> None:
        self.epoch = 0  # counts the forks that led here; a timer of another epoch is not ours
        self._reset()

    def _reset(self) -> None:
        self.epoch += 1
        # made when they are first asked for: a worker may put gevent's locks in place after the
        # import, or after the fork
        self.__dict__.pop("_guard", None)
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._live = 0  # timers in the heap that were not cancelled
        self._thread: Optional[threading.Thread] = None

    def __getattr__(self, name: str) -> tuple[threading.Lock, threading.Condition]:
        # called only for what is not there yet; setdefault gives all threads the same ones
        if name != "_guard":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        # Guards the fields that _reset makes. Never held while a callback runs. Leaf. It is taken
        # as it is, not through its condition, where Ctrl-C could leave it taken.
        lock = threading.Lock()
        guard: tuple[threading.Lock, threading.Condition] = self.__dict__.setdefault(
            name, (lock, threading.Condition(lock))
        )
        return guard

    def now(self) -> float:
        """Give the time in seconds that `call_at` counts in."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` at `when`, or at once if that has passed."""
        timer = Timer(self, when, callback)
        lock, changed = self._guard
        with lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="soniox-clock", daemon=True)
                thread.start()  # may fail; then no timer is left behind that nobody would call
                self._thread = thread
            heapq.heappush(self._heap, (when, next(self._order), timer))
            self._live += 1
            if self._heap[0][2] is timer:
                changed.notify()
        return timer

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after `seconds`."""
        return self.call_at(self.now() + seconds, callback)

    def _cancel(self, timer: Timer) -> None:
        lock, changed = self._guard
        with lock:
            if timer.callback is None:
                return
            timer.callback = None
            if timer.epoch != self.epoch:
                return  # it was inherited by a fork and never counted here
            self._live -= 1
            if self._live == 0:
                changed.notify()  # nothing left to wait for: the thread may end

    def _run(self) -> None:
        while True:
            callback = self._next_due()
            if callback is None:
                return
            try:
                callback()
            except Exception:  # noqa: BLE001 - a thread's top: logged
                _log.exception("! a timer failed")

    def _next_due(self) -> Optional[Callable[[], None]]:
        """Wait for the next timer; `None` when there is none and this thread must end."""
        lock, changed = self._guard
        with lock:
            while self._live:
                when, _, timer = self._heap[0]
                if timer.callback is None:
                    heapq.heappop(self._heap)
                    continue
                wait = when - self.now()
                if wait > 0:
                    changed.wait(min(wait, threading.TIMEOUT_MAX))
                    continue
                heapq.heappop(self._heap)
                callback, timer.callback = timer.callback, None
                self._live -= 1
                return callback
            self._heap.clear()
            self._thread = None
            return None


class IdleTimer:
    """Calls `act` when nothing happened for `interval` seconds since `last()`; repeats.

    Runs on the clock thread; `act` must not block.
    """

    def __init__(
        self, clock: Clock, interval: float, last: Callable[[], float], act: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._last = last
        self._act = act
        self._stopped = False
        self._timer = clock.call_later(interval, self._tick)

    def _tick(self) -> None:
        if self._was_cancelled():
            return
        now = self._clock.now()
        due = self._last() + self._interval
        if due <= now:
            self._act()
            due = now + self._interval
        self._timer = timer = self._clock.call_at(due, self._tick)
        if self._was_cancelled():  # meanwhile: then it cancelled the timer before this one
            timer.cancel()

    def _was_cancelled(self) -> bool:
        return self._stopped

    def cancel(self) -> None:
        """End the repetition; legal from any thread, more than once."""
        self._stopped = True
        self._timer.cancel()


process_clock = Clock()

if hasattr(os, "register_at_fork"):
    # the child has no clock thread: start over, its inherited timers belong to the parent
    os.register_at_fork(after_in_child=process_clock._reset)
