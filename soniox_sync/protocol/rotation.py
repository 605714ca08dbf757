"""Changing sessions before the service ends one: when to prepare, when to change. No I/O.

A session lives at most 300 minutes (PROTOCOL 2.7). Well before that a second one is opened beside
it, and takes over in a pause of the speech, so that no word is cut.
"""

from __future__ import annotations

import enum
from typing import Optional

from .ledger import Ledger
from .tokens import SttEvent

# after rotate_after_sec the change waits for a pause in speech, at most this long
_PATIENCE_SEC = 20 * 60.0
_SILENCE_MS = 500
# a prepared session that fails is tried again after this long; the present one still works
_STANDBY_RETRY_SEC = 5.0


class Line(enum.Enum):
    """Is how far a session's line has come."""

    OPENING = "opening"
    LIVE = "live"
    ENDING = "ending"  # its audio is complete, results still come
    OVER = "over"


class Session:
    """Is what the recorder knows of one session."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.line = Line.OPENING
        self.offset_ms = 0  # of its first audio, on the recording's clock
        self.opened_at = 0.0
        self.sent_sec = 0.0
        self.held: list[SttEvent] = []  # results that wait until its predecessor is drained


class Rotation:
    """Holds the session that stands by, and knows the time for it. Not thread-safe."""

    def __init__(self, after_sec: Optional[float]) -> None:
        self._after = after_sec
        self.standby: Optional[Session] = None
        self._retry_at: Optional[float] = None
        self._due_since: Optional[float] = None

    def is_due(self, current: Session, now: float) -> bool:
        """Tell whether the present session has lived, or heard, long enough."""
        if self._after is None:
            return False
        if self._due_since is None:
            if now - current.opened_at < self._after and current.sent_sec < self._after:
                return False
            self._due_since = now
        return True

    def wants_standby(self, now: float) -> bool:
        """Tell whether a session should be opened now to stand by."""
        if self.standby is not None or (self._retry_at is not None and now < self._retry_at):
            return False
        self._retry_at = None
        return True

    def drop_standby(self, now: float) -> None:
        """Note that the session standing by failed."""
        self.standby = None
        self._retry_at = now + _STANDBY_RETRY_SEC

    @property
    def ready(self) -> Optional[Session]:
        """Give the session standing by if its line is live."""
        standby = self.standby
        return standby if standby is not None and standby.line is Line.LIVE else None

    def take(self) -> None:
        """Note that the session standing by took over."""
        self.standby = None
        self._due_since = None

    def may_switch(self, ledger: Ledger, now: float, *, paused: bool, in_segment: bool) -> bool:
        """Tell whether this is a moment between words, or waiting for one has lasted too long."""
        if self._due_since is None:
            return False
        if paused or now - self._due_since >= _PATIENCE_SEC:
            return True
        silent = ledger.silence_ms >= _SILENCE_MS or not in_segment
        return ledger.is_between_words and silent

    def moments(self, current: Session) -> list[Optional[float]]:
        """Give when the answers above may change by time alone."""
        if self._after is None:
            return []
        if self._due_since is None:
            return [current.opened_at + self._after]
        return [self._retry_at, self._due_since + _PATIENCE_SEC]
