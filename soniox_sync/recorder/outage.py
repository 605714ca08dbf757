"""Back-off and patience while the service cannot be reached. No I/O, no clock."""

from __future__ import annotations

import random
from typing import Callable, Optional, TypeVar

from .._support.checks import MAX_SECONDS
from .._support.reprs import counted
from ..config.patience import Patience
from ..errors import RateLimitError, RealtimeError, SonioxError, advised

E = TypeVar("E", bound=BaseException)

# more doublings than any ceiling needs, and few enough for a float
_MAX_DOUBLINGS = 40
# An attempt made shortly before patience ends has at least this long: connecting takes less than a
# second where it works, and a packet that is lost is repeated after 1 s and again after 3 s.
_LAST_ATTEMPT_SEC = 5.0
# where another class than `RateLimitError` carries them
_LIMITS = frozenset({"limit_exceeded", "max_concurrent_connections_reached"})


def is_limit(error: BaseException) -> bool:
    """Return whether the service refuses because there are too many requests (429)."""
    if isinstance(error, RateLimitError):
        return True
    return isinstance(error, RealtimeError) and error.error_type in _LIMITS


class Outage:
    """Attempts made, and time passed, since the connection was last stable.

    With a base delay of 1 s, at most 30 s, giving up after 60 s, and no jitter (which shortens a
    delay by up to half)::

        now    next_delay()
        0.0    0.0    attempt 1: the first one is made at once
        0.0    1.0    attempt 2
        1.0    2.0    attempt 3
        3.0    4.0, 8.0, 16.0 ...
        31.0   29.0   attempt 7, and not after 30 s: the last one is made when 60 s have passed
        60.0   None
    """

    def __init__(self, patience: Patience, jitter: Callable[[], float] = random.random) -> None:
        self._patience = patience
        self._jitter = jitter
        self.attempt: int = 0  # number of the last attempt, 0 before the first
        self.was_connected: bool = False  # at any time: losing that is what attempts make good
        self._since: Optional[float] = None

    # -- its beginning and its end ---------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Start the clock, unless it runs: a connection is being opened, or was lost."""
        if self._since is None:
            self._since = now

    def connected(self) -> None:
        """Record that a connection is open: after a loss that does not end the outage yet."""
        self.was_connected = True
        if not self.attempt:
            self._since = None

    def end(self) -> None:
        """Record that the connection was stable: the count and the clock start anew."""
        self.attempt, self._since = 0, None

    # -- patience --------------------------------------------------------------------------------

    def next_delay(self, error: BaseException, now: float) -> Optional[float]:
        """Count one more attempt, after `error`; return in how many seconds to make it.

        `None`: patience is exhausted, and no attempt was counted. The last attempt is made when
        `give_up_after_sec` have passed, unless the service asked for a longer wait.
        """
        self.begin(now)
        most = self._patience.max_reconnect_attempts
        if most is not None and self.attempt >= most:
            return None
        left_sec = self._left_sec(now)
        asked_sec = (error.retry_after_sec or 0.0) if isinstance(error, RateLimitError) else 0.0
        if left_sec <= 0 or asked_sec > left_sec:
            return None
        self.attempt += 1
        # the first attempt is made at once, except for a service that has too many requests already
        doublings = self.attempt - (1 if is_limit(error) else 2)
        delay_sec = self._back_off(doublings) if doublings >= 0 else 0.0
        return min(max(delay_sec, asked_sec), left_sec, MAX_SECONDS)

    def _back_off(self, doublings: int) -> float:
        patience = self._patience
        delay = patience.reconnect_base_delay_sec * 2.0 ** min(doublings, _MAX_DOUBLINGS)
        # after an outage clients must not return all at once: not even those at the ceiling
        return min(delay, patience.max_reconnect_delay_sec) * (0.5 + self._jitter() / 2)

    def _left_sec(self, now: float) -> float:
        limit = self._patience.give_up_after_sec
        if limit is None or self._since is None:
            return float("inf")
        return self._since + limit - now

    def opening_sec(self, now: float) -> Optional[float]:
        """Return how long an attempt that is made now may take, `None` without a limit."""
        left_sec = self._left_sec(now)
        return None if left_sec == float("inf") else max(left_sec, _LAST_ATTEMPT_SEC)

    def gave_up(self, error: E, now: float) -> E:
        """Return the error to raise once patience is exhausted: the last one, with the reason."""
        if not self.attempt or self._since is None or not isinstance(error, SonioxError):
            return error
        most = self._patience.max_reconnect_attempts
        by_count = most is not None and self.attempt >= most
        limit = "max_reconnect_attempts" if by_count else "give_up_after_sec"
        aim = "reconnect" if self.was_connected else "connect"
        tried = f"{counted(self.attempt, 'attempt')} to {aim} in {_seconds(now - self._since)}"
        return advised(error, f"Gave up after {tried} ({limit})")


def _seconds(sec: float) -> str:
    if sec < 0.1:
        return "less than 0.1 s"
    return f"{sec:.0f} s" if sec >= 10 else f"{round(sec, 1):g} s"
