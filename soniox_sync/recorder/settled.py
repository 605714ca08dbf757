"""When a recording certainly has nothing to do, so that its recorder need not be asked."""

from __future__ import annotations

from collections.abc import Sized

from .finalizing import FinalizeRequests
from .holding import Holding
from .lifecycle import Lifecycle
from .rotation import Rotation, TranslationWatchdog
from .sessions import SessionPhase, Sessions
from .uplink import Uplink


class Settled:
    """Check for the usual case: a session gets the audio as it is captured, and answers.

    For speed: it costs a quarter of `Recorder.next()`, which it may replace twice for each chunk.
    What is not listed here is not settled, and found by `next()`. Not thread-safe.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        sessions: Sessions,
        uplink: Uplink,
        finalizing: FinalizeRequests,
        holding: Holding,
        rotation: Rotation,
        watchdog: TranslationWatchdog,
        decided: Sized,
    ) -> None:
        self._lifecycle = lifecycle
        self._sessions = sessions
        self._uplink = uplink
        self._finalizing = finalizing
        self._holding = holding
        self._rotation = rotation
        self._watchdog = watchdog
        self._decided = decided

    def holds(self) -> bool:
        """Return whether `next()` would return a `Wait`, and for no less time than before.

        Then neither a chunk that was sent nor a result that was received has led to anything.
        """
        sessions = self._sessions
        current = sessions.current
        return (
            current is not None
            and current.phase is SessionPhase.LIVE
            and sessions.draining is None
            and sessions.standby is None
            and self._uplink.is_caught_up
            and self._finalizing.waiting is None
            and not self._decided
            and not self._lifecycle.is_stopping
            and self._lifecycle.outcome is None
            and not self._holding.wake_times
            and not self._rotation.has_begun(current)
            and not self._watchdog.is_enabled
        )
