"""How long nobody has been heard."""

from __future__ import annotations

from typing import Optional

from .turns import Silence


class Quiet:
    """Intervals in which somebody is waited for. Times in seconds.

    heard(0)  due 15   ring(15) -> count 1, 15 s   due 30   ring(30) -> count 2, 30 s
    spoke(40) due 55   ring(55) -> count 3, 15 s   the agent's own words: the count goes on
    """

    def __init__(self, waiting_for: str, interval_sec: float, now: float) -> None:
        self._waiting_for = waiting_for
        self._interval_sec = interval_sec
        self._count = 0
        self._since = self._last = now

    def heard(self, now: float) -> None:
        """Start over: who was waited for was heard."""
        self._count = 0
        self.spoke(now)

    def spoke(self, now: float) -> None:
        """Wait from now on; the count goes on."""
        self._since = self._last = now

    @property
    def due(self) -> float:
        """When the next interval is over."""
        return self._last + self._interval_sec

    def ring(self, now: float) -> Optional[Silence]:
        """Return the silence, if an interval is over."""
        if now < self.due:
            return None
        self._count += 1
        self._last = now
        return Silence(self._waiting_for, now - self._since, self._count)
