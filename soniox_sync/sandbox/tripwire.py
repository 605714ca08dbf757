"""Where the faults of one connection wait for their moment."""

from __future__ import annotations

import functools
import threading

from .clock import Clock
from .faults import COUNTERS, Fault, Target

__all__ = ["Tripwire"]


class Tripwire:
    """Counts what passes on one connection and lets its faults act at their moments.

    Thread-safe: the reader, the writer and the clock all come here. An action runs once, on the
    thread that reached the moment, without a lock.
    """

    def __init__(self, faults: list[Fault], target: Target, number: int, clock: Clock) -> None:
        self._target = target
        self._number = number
        # Guards _armed and _seen. Leaf: actions run after it was released.
        self._lock = threading.Lock()
        self._seen: dict[str, float] = dict.fromkeys(COUNTERS, 0.0)
        # counter, mark, fault
        self._armed: list[tuple[str, float, Fault]] = []
        self._timed: list[tuple[float, Fault]] = []
        self._now: list[Fault] = []
        for fault in faults:
            self._sort_in(fault)
        self._clock = clock

    def _sort_in(self, fault: Fault) -> None:
        if fault.moment is None:
            self._now.append(fault)
        elif fault.moment[0] == "sec":
            self._timed.append((fault.moment[1], fault))
        else:
            self._armed.append((*fault.moment, fault))

    def start(self) -> None:
        """Let the faults without a moment act, and start those with a time."""
        for sec, fault in self._timed:
            self._clock.after(sec, functools.partial(self._act_if_alive, fault))
        for fault in self._now:
            self._act(fault)
        for name in COUNTERS:
            self.advance(name, 0)

    def room(self, name: str, size: int) -> int:
        """Cut `size` so that the next fault on this counter is met exactly; at least 1."""
        if not self._armed:
            return size
        with self._lock:
            seen = self._seen[name]
            rooms = [int(mark - seen) for counter, mark, _ in self._armed if counter == name]
        return max(1, min([size, *rooms]))

    def advance(self, name: str, amount: float) -> None:
        """Count, and act on what has become due."""
        if not self._armed:
            return
        with self._lock:
            self._seen[name] += amount
            seen = self._seen[name]
            due = [armed for armed in self._armed if armed[0] == name and armed[1] <= seen]
            self._armed = [armed for armed in self._armed if armed not in due]
        for _, _, fault in due:
            self._act(fault)

    def _act_if_alive(self, fault: Fault) -> None:
        if self._target.link.mode != "gone":
            self._act(fault)

    def _act(self, fault: Fault) -> None:
        fault.act(self._target, self._number)
