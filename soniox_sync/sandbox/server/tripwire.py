"""Triggers for the faults of one connection.

A fault that is due at a count acts at exactly that count, because sender and receiver first ask how
much may pass. A FIN after 1001 bytes out, of which 1000 have passed, with 4096 more to be sent:

    trip.room("bytes_out", 4096)   -> 1, so a single byte is sent
    trip.advance("bytes_out", 1)   1001 have passed: the FIN is sent, before any other byte
"""

from __future__ import annotations

import functools

from ..._support.locks import new_lock
from ..clock import Clock
from ..schedule import COUNTERS, ScheduledFault, Target

__all__ = ["Tripwire"]


class Tripwire:
    """Counts what passes on one connection, and runs its faults when they are due.

    Thread-safe: used by the reader, the writer and the clock. An action runs once, on the thread
    that reaches its moment, without a lock held.
    """

    def __init__(
        self, faults: list[ScheduledFault], target: Target, number: int, clock: Clock
    ) -> None:
        self._faults = faults
        self._target = target
        self._number = number
        self._clock = clock
        # Guards _armed and _seen. Leaf: actions run after its release.
        self._lock = new_lock()
        self._seen: dict[str, float] = dict.fromkeys(COUNTERS, 0.0)
        # counter, mark, fault
        self._armed = [
            (*fault.moment, fault)
            for fault in faults
            if fault.moment is not None and fault.moment.counter in COUNTERS
        ]

    def start(self) -> None:
        """Run the faults without a moment, and set the timers of those with a time."""
        for fault in self._faults:
            if fault.moment is None:
                fault.act(self._number, self._target)
            elif fault.moment.counter == "sec":
                act = functools.partial(self._act_if_alive, fault)
                self._clock.after(fault.moment.mark, act)
        for name in COUNTERS:
            self.advance(name, 0)

    def room(self, name: str, size: int) -> int:
        """Return how much of `size` may pass before the next fault on this counter; at least 1."""
        if not self._armed:
            return size
        with self._lock:
            seen = self._seen[name]
            rooms = [int(mark - seen) for counter, mark, _ in self._armed if counter == name]
        return max(1, min([size, *rooms]))

    def advance(self, name: str, amount: float) -> None:
        """Add to a counter, and run the faults that are due."""
        if not self._armed:
            return
        with self._lock:
            self._seen[name] += amount
            seen = self._seen[name]
            due = [armed for armed in self._armed if armed[0] == name and armed[1] <= seen]
            self._armed = [armed for armed in self._armed if armed not in due]
        for _, _, fault in due:
            fault.act(self._number, self._target)

    def _act_if_alive(self, fault: ScheduledFault) -> None:
        if self._target.link.mode != "gone":
            fault.act(self._number, self._target)
