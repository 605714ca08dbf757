"""When a lost session is replaced, how soon and how often. No I/O, no clock."""

from __future__ import annotations

from typing import Callable, Optional

from ..errors import (
    DurationLimitError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    is_retriable,
)
from .recorder_actions import RecorderSettings


class Retry:
    """Counts the attempts of one outage; progress ends the outage."""

    def __init__(self, settings: RecorderSettings, jitter: Callable[[], float]) -> None:
        self._settings = settings
        self._jitter = jitter
        self.attempt = 0
        self.delay_sec = 0.0
        self.awaits_answer = False  # the user's handlers have not been asked yet
        self._at: Optional[float] = None
        self._final_ms_at_loss = -1

    def allows(self, error: BaseException) -> bool:
        """Tell whether a session lost to `error` is to be replaced."""
        settings = self._settings
        if not settings.auto_reconnect or self.attempt >= settings.max_reconnect_attempts:
            return False
        if isinstance(error, RealtimeError) and error.error_type == "temp_api_key_session_expired":
            return settings.new_key_possible
        if isinstance(error, SonioxError) and error.code == "internal_error":
            return False  # a fault of ours would only come again
        return is_retriable(error)

    def lost(self, error: BaseException, final_ms: int) -> None:
        """Begin an attempt after a loss; the handlers are to be asked first."""
        self._final_ms_at_loss = final_ms
        self.attempt += 1
        self.delay_sec = self._delay(error)
        self.awaits_answer = True
        self._at = None

    def at_once(self, final_ms: int) -> None:
        """Replace a session by our own decision: no attempt is counted, nobody is asked."""
        self._final_ms_at_loss = final_ms
        self.delay_sec = 0.0
        self.awaits_answer = False
        self._at = None

    def _delay(self, error: BaseException) -> float:
        """Give how long to wait: not at all where the service says so, then longer each time."""
        at_once = isinstance(error, (SonioxConnectionError, DurationLimitError)) or (
            isinstance(error, RealtimeError) and error.status_code == 503
        )
        doublings = self.attempt - (2 if at_once else 1)
        if doublings < 0:
            return 0.0
        spread = 0.5 + self._jitter() / 2  # many clients of one outage must not come back as one
        return float(self._settings.reconnect_base_delay_sec * (2**doublings) * spread)

    def answered(self, now: float) -> None:
        """Learn that nobody objects: the delay begins."""
        self.awaits_answer = False
        self._at = now + self.delay_sec

    def waits_until(self, now: float) -> Optional[float]:
        """Give the moment of the attempt if it is still ahead."""
        if self._at is not None and now < self._at:
            return self._at
        return None

    def progress(self, final_ms: int) -> None:
        """Note up to where audio is final: beyond the last loss, the outage is over."""
        if final_ms > self._final_ms_at_loss:
            self.attempt = 0
