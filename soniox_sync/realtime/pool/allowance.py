"""How many streams an account allows at once, learnt from refusals (429 `limit_exceeded`)."""

from __future__ import annotations

import logging
import random

_log = logging.getLogger("soniox_sync")

# after a refusal: pause before the next stream; doubles with each consecutive refusal
_BACKOFF_SEC = 0.5
_MAX_BACKOFF_SEC = 8.0
# after this long without another refusal one more stream is tried
_RELAX_SEC = 30.0


class Allowance:
    """Limit of streams at once, and pauses after refusals. Used under the pool's lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = most
        self._refusals = 0  # consecutive
        self._refused_at = 0.0
        self.pause_until: float = 0.0

    def permits(self, active: int, now: float) -> bool:
        """Return whether one more than `active` may start now."""
        if self._allowed < self._most and now - self._refused_at > _RELAX_SEC:
            self._allowed += 1
            self._refused_at = now
        return now >= self.pause_until and active < self._allowed

    def refused(self, active: int, now: float) -> None:
        """Record that `active` streams were one too many: pause, and start fewer."""
        pause = min(_BACKOFF_SEC * 2.0**self._refusals, _MAX_BACKOFF_SEC)
        # jitter: the workers of a fleet share one account
        self.pause_until = now + pause * random.uniform(0.5, 1.5)
        self._refusals += 1
        self._refused_at = now
        self._allowed = max(1, min(self._allowed, active - 1))
        _log.debug("! too many streams for the account: pool limited to %d", self._allowed)

    def accepted(self) -> None:
        """Record that a stream was accepted, which ends a series of refusals."""
        self._refusals = 0
