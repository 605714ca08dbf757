"""Timers of a sandbox, all on one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from typing import Callable, Optional

from .._support.locks import new_condition

__all__ = ["Clock", "Timer", "Watch"]

log: logging.Logger = logging.getLogger(__name__)


# cancelled timers are removed each time this many were added: one of five hours would stay as long
_SWEEP_EVERY = 1024
# a wait of more than 292 years is refused by `threading`, which would end the thread of all timers
_LONGEST_WAIT_SEC = 3600.0


class Timer:
    """Call scheduled for the future. `cancel()` may be called at any time. Thread-safe."""

    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self._call: Optional[Callable[[], None]] = call

    def cancel(self) -> None:
        """Cancel the call, unless it has already started."""
        self._call = None

    @property
    def cancelled(self) -> bool:
        """Whether the call was cancelled, or has been made."""
        return self._call is None

    def fire(self) -> None:
        """Make the call, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Clock:
    """Runs scheduled calls, one after another, on a daemon thread.

    `scale` multiplies the seconds passed to `later()`; `after()` takes real seconds. Calls must be
    short and never block. The thread starts with the first timer.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        # Guards _heap, _thread and _closed. Leaf: nothing is called under it.
        self._wake = new_condition()
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._thread: Optional[threading.Thread] = None
        self._closed = False

    def later(self, sec: float, call: Callable[[], None]) -> Timer:
        """Run `call` after `sec` seconds of the service's time."""
        return self.after(sec * self.scale, call)

    def after(self, sec: float, call: Callable[[], None]) -> Timer:
        """Run `call` after `sec` seconds of real time."""
        timer = Timer(time.monotonic() + sec, call)
        with self._wake:
            if not self._closed:
                number = next(self._order)
                heapq.heappush(self._heap, (timer.due, number, timer))
                if number % _SWEEP_EVERY == 0:
                    self._heap = [entry for entry in self._heap if not entry[2].cancelled]
                    heapq.heapify(self._heap)
                self._start()
                self._wake.notify()
        return timer

    def close(self) -> None:
        """Drop every timer and end the thread. Idempotent."""
        with self._wake:
            self._closed = True
            self._heap.clear()
            self._wake.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="soniox-sandbox-clock", daemon=True
            )
            self._thread.start()

    def _run(self) -> None:
        while True:
            timer = self._next()
            if timer is None:
                return
            try:
                timer.fire()
            except Exception:
                log.exception("a sandbox timer failed")

    def _next(self) -> Optional[Timer]:
        with self._wake:
            while not self._closed:
                if not self._heap:
                    self._wake.wait()
                    continue
                due, _, timer = self._heap[0]
                pause = due - time.monotonic()
                if timer.cancelled or not pause > 0:  # also of a due time that is no number
                    heapq.heappop(self._heap)
                    if not timer.cancelled:
                        return timer
                else:
                    self._wake.wait(min(pause, _LONGEST_WAIT_SEC))
            return None


class Watch:
    """Calls `expired` once when it was not touched for `sec` seconds of the service's time.

    With `sec=None` it never expires. A touch costs one assignment: when the timer is due, it checks
    the time of the last touch and restarts if necessary.
    """

    def __init__(self, clock: Clock, sec: Optional[float], expired: Callable[[], None]) -> None:
        self._clock = clock
        self._span = None if sec is None else sec * clock.scale
        self._expired = expired
        self._touched = 0.0
        self._running = False
        self._timer: Optional[Timer] = None

    def start(self) -> None:
        """Start counting from now; if running already, only touch."""
        self.touch()
        if self._span is None or self._running:
            return
        self._running = True
        self._timer = self._clock.after(self._span, self._look)

    def touch(self) -> None:
        """Start counting again from now, if running."""
        self._touched = time.monotonic()

    def stop(self) -> None:
        """Stop without expiring; `start()` may follow."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        if not self._running or self._span is None:
            return
        rest = self._touched + self._span - time.monotonic()
        if rest > 0:
            self._timer = self._clock.after(rest, self._look)
        else:
            self._running = False
            self._expired()
