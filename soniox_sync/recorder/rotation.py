"""Replacing a session that still works: before the service ends it, or if translations stop.

A session lasts at most 300 minutes (PROTOCOL 2.7). Well before that a second one is opened as a
standby, and takes over in a pause of the speech, so that no word is cut. No I/O, no clock.
"""

from __future__ import annotations

from typing import Optional

from .merging import Merger
from .sessions import Session

# Speech without a pause is cut after this time: 270 + 20 minutes, 10 before the service's limit.
_MAX_WAIT_SEC = 20 * 60.0
# this much silence is a pause, where endpoint detection is off or slower
_SILENCE_MS = 500
# The current session still works, so there is no hurry to try again after a failed standby.
_STANDBY_RETRY_SEC = 5.0
# Translations follow within 10 s of speech; after 15 s of originals without one they have stopped.
_UNTRANSLATED_MS = 15_000
# at most one replacement in this time: if the next session does not translate either, it won't help
_WATCHDOG_INTERVAL_SEC = 60.0


class Rotation:
    """When to open a standby session, and when to switch to it. Not thread-safe.

    With `after_sec` = 16200 (270 minutes)::

        16200 s   due: a standby is opened (again after 5 s if that fails)
        16203 s   it is open; the speaker is in the middle of a word: not yet
        16204 s   500 ms of silence, or an endpoint: switch
        17400 s   20 minutes without a pause: switch, even within a word
    """

    def __init__(self, after_sec: Optional[float]) -> None:
        self._after_sec = after_sec
        self._standby_retry_at = 0.0
        self._due_since: Optional[float] = None

    def is_due(self, current: Session, now: float) -> bool:
        """Return whether the current session is old enough, by its age or by new audio sent.

        A replay does not count: it may be longer than a short `after_sec`, and the next session,
        due at once, would begin with the same replay.
        """
        if self._after_sec is None:
            return False
        if self._due_since is None:
            # compared as in wake_times(): a difference may round to less at that very time
            is_old = now >= current.opened_at + self._after_sec
            if not is_old and current.sent_sec < self._after_sec:
                return False
            self._due_since = now
        return True

    def has_begun(self, current: Session, more_sec: float = 0.0) -> bool:
        """Return whether it was due when last asked, or is by the audio that was sent since.

        `more_sec`: the length of more audio, which may make it due.
        """
        if self._due_since is not None:
            return True
        return self._after_sec is not None and current.sent_sec + more_sec >= self._after_sec

    def may_open_standby(self, now: float) -> bool:
        """Return whether a standby session may be opened now."""
        return now >= self._standby_retry_at

    def standby_failed(self, now: float) -> None:
        """Record that the standby session could not be opened, or was lost."""
        self._standby_retry_at = now + _STANDBY_RETRY_SEC

    def completed(self) -> None:
        """Record that the standby session took over."""
        self._due_since = None

    def may_switch(self, merger: Merger, now: float, *, paused: bool, in_segment: bool) -> bool:
        """Return whether no word is being spoken, or waiting for a pause has taken too long."""
        assert self._due_since is not None
        if paused or now - self._due_since >= _MAX_WAIT_SEC:
            return True
        is_silent = merger.silence_ms >= _SILENCE_MS or not in_segment
        return merger.is_between_words and is_silent

    def wake_times(self, current: Session) -> list[float]:
        """Return the times at which `is_due()` and the like may return something else."""
        if self._after_sec is None:
            return []
        if self._due_since is None:
            return [current.opened_at + self._after_sec]
        return [self._standby_retry_at, self._due_since + _MAX_WAIT_SEC]


class TranslationWatchdog:
    """Detects a session that still transcribes but no longer translates. Not thread-safe."""

    def __init__(self, enabled: bool) -> None:
        self.is_enabled: bool = enabled
        self._acted_at: Optional[float] = None

    def should_replace(self, untranslated_ms: int, now: float) -> bool:
        """Return whether to replace the session, which the caller then does."""
        if not self.is_enabled or untranslated_ms < _UNTRANSLATED_MS:
            return False
        if self._acted_at is not None and now - self._acted_at < _WATCHDOG_INTERVAL_SEC:
            return False
        self._acted_at = now
        return True
