"""Timers on one clock thread per process: keepalives, pings, deadlines, rotations.

The thread starts with the first timer and ends with the last: an idle process has none. Callbacks
run on it one after another and must not block: they send without waiting, or abort a connection.

Code that acts at a given time takes a `Clock`, so that a test can hand it one that moves by hand.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from typing import Callable, Optional

from .._support.locks import new_condition, new_lock
from .._support.reprs import counted, summary

_log = logging.getLogger("soniox_sync")

# cancelled timers that are kept, besides as many as there are live ones: removing them costs as
# much as looking at all
_SPARE_TIMERS = 64


class Timer:
    """Call scheduled on a clock. Thread-safe."""

    __slots__ = ("_clock", "callback", "epoch", "when")

    def __init__(self, clock: Clock, when: float, callback: Callable[[], None]) -> None:
        self._clock = clock
        self.epoch: int = clock.epoch
        self.when: float = when
        self.callback: Optional[Callable[[], None]] = callback

    def cancel(self) -> None:
        """Prevent the callback from starting (it may be running already). Idempotent."""
        self._clock.cancel(self)


class Clock:
    """Monotonic clock that calls functions at given times, on a daemon thread of its own."""

    def __init__(self) -> None:
        self.epoch: int = 0  # number of forks so far; timers of another epoch belong to the parent
        self.reset()

    def reset(self) -> None:
        """Discard all timers and the thread. For a new clock, and in a forked child."""
        self.epoch += 1
        # made when first used: a web worker may install gevent's locks after the import, or after
        # the fork
        self.__dict__.pop("_guard", None)
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._live = 0  # timers in the heap that were not cancelled
        self._thread: Optional[threading.Thread] = None

    def __getattr__(self, name: str) -> tuple[threading.Lock, threading.Condition]:
        # called only while _guard is missing; setdefault returns the same pair to all threads
        if name != "_guard":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        # Guards the fields that reset() makes. Never held while a callback runs. Leaf. It is
        # acquired directly, not through its condition, where Ctrl-C could leave it acquired.
        lock = new_lock()
        guard: tuple[threading.Lock, threading.Condition] = self.__dict__.setdefault(
            name, (lock, new_condition(lock))
        )
        return guard

    def __repr__(self) -> str:
        return summary(self, counted(self._live, "timer"))

    def now(self) -> float:
        """Return the current time in seconds, for `call_at()`."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the clock thread at `when`, or at once if that has passed."""
        timer = Timer(self, when, callback)
        lock, changed = self._guard
        with lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="soniox-clock", daemon=True)
                thread.start()  # first: if it fails, no timer is left that would never run
                self._thread = thread
            if not self._heap or when < self._heap[0][0]:
                # before it is added: Ctrl-C in between would make it late, and those behind it
                changed.notify()
            heapq.heappush(self._heap, (when, next(self._order), timer))
            self._live += 1
        return timer

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the clock thread after `seconds`."""
        return self.call_at(self.now() + seconds, callback)

    def cancel(self, timer: Timer) -> None:
        """Prevent the callback of `timer` from starting; for `Timer.cancel()`."""
        lock, changed = self._guard
        with lock:
            if timer.callback is None:
                return
            timer.callback = None
            if timer.epoch != self.epoch:
                return  # set before a fork: not counted here
            self._live -= 1
            if self._live == 0:
                changed.notify()  # nothing is left to wait for: the thread ends
            elif len(self._heap) > 2 * self._live + _SPARE_TIMERS:
                # each cancelled one would stay until its time: hours, for a limit of a session
                self._heap[:] = [each for each in self._heap if each[2].callback is not None]
                heapq.heapify(self._heap)

    def _run(self) -> None:
        while True:
            callback = self._next_due()
            if callback is None:
                return
            try:
                callback()
            except Exception:  # noqa: BLE001 - top of a thread: logged
                _log.exception("! a timer callback failed")

    def _next_due(self) -> Optional[Callable[[], None]]:
        """Wait for the next timer; return its callback, or `None` to end the thread."""
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
    """Repeating timer that calls `act` when `interval` seconds have passed since `last()`.

    `last` returns the time of the last activity. `act` runs on the clock thread and must not block.
    It is started apart, once its owner refers to it: Ctrl-C may end `start()` after the clock has
    the timer, and only `cancel()` stops it then.
    """

    def __init__(
        self, clock: Clock, interval: float, last: Callable[[], float], act: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._last = last
        self._act = act
        self._stopped = False
        self._timer: Optional[Timer] = None

    def start(self) -> None:
        """Begin to wait for a pause."""
        self._call_tick(self._clock.now() + self._interval)

    def _tick(self) -> None:
        if self._was_cancelled():
            return
        now = self._clock.now()
        due = self._last() + self._interval
        if due <= now:
            self._act()
            due = now + self._interval
        self._call_tick(due)

    def _call_tick(self, when: float) -> None:
        self._timer = timer = self._clock.call_at(when, self._tick)
        if self._was_cancelled():  # cancel() ran in the meantime and stopped the previous timer
            timer.cancel()

    def _was_cancelled(self) -> bool:
        return self._stopped  # a method: mypy assumes that an attribute keeps its value

    def cancel(self) -> None:
        """Stop. Idempotent; thread-safe."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()


process_clock: Clock = Clock()

if hasattr(os, "register_at_fork"):
    # the child has no clock thread, and the timers belong to the parent. Not via forks.register():
    # the clock must be usable when the objects registered there are invalidated
    os.register_at_fork(after_in_child=process_clock.reset)
