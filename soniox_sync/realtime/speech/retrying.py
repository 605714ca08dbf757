"""After which errors of a stream another one is opened, and for how long that is tried."""

from __future__ import annotations

from typing import Optional

from ...config.patience import Patience
from ...errors import RateLimitError, RealtimeError, SonioxError, is_retriable
from ...recorder.outage import Outage, is_limit
from .attempt import Attempt
from .planner import Part

__all__ = ["Retries", "may_try_again"]

# 413 ends a stream after two minutes of audio: another one can speak the rest
_RESUMABLE = frozenset({"max_audio_duration_reached", "invalid_stream_state"})
# a stream with this much audio was stable, however short its life
_STABLE_AUDIO_SEC = 5.0


def may_try_again(error: SonioxError, *, resumed: bool) -> bool:
    """Return whether another stream may succeed after `error`.

    `resumed`: the new stream continues after audio that was kept.
    """
    known = isinstance(error, RealtimeError) and error.error_type in _RESUMABLE
    return is_retriable(error) or (known and resumed)


class Retries:
    """Outages of the parts of one speech. Pump only."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._outages: dict[Part, Outage] = {}
        self._limited: set[Part] = set()  # refused for too many streams, not told for how long
        self._was_connected = False  # by any part
        self._failed_since: Optional[float] = None  # connecting failed before the first stream

    def connecting_sec(self, now: float) -> Optional[float]:
        """Return how many seconds connecting before the first stream may take, if limited."""
        outage = Outage(self._patience)
        outage.begin(now)
        return outage.opening_sec(now)

    def connecting_failed(self, since: float) -> None:
        """Record that connecting, which began at `since`, failed before there was any part."""
        self._failed_since = since

    def opening(self, part: Part, now: float) -> Optional[float]:
        """Start opening a stream; return how many seconds connecting may take, if limited."""
        outage = self._of(part)
        outage.begin(now if self._failed_since is None else self._failed_since)
        self._failed_since = None
        return outage.opening_sec(now)

    def opened(self, part: Part) -> None:
        """Record that the stream is open; only audio shows that it is stable."""
        self._was_connected = True
        self._of(part).connected()
        self._limited.discard(part)

    def next_delay(
        self, part: Part, attempt: Optional[Attempt], error: SonioxError, now: float, *, alone: bool
    ) -> Optional[float]:
        """Return in how many seconds to open another stream, `None` if patience is exhausted.

        `attempt`: the stream that failed, if it was open. `alone`: no other stream of the speech is
        open; otherwise a refusal for too many streams is not an outage: that stream will end.
        """
        outage = self._of(part)
        if attempt is not None and self._was_stable(attempt):
            outage.end()
        delay = outage.next_delay(error, now)
        if is_limit(error):
            if delay is None and not alone:
                delay = self._patience.max_reconnect_delay_sec
            if not (isinstance(error, RateLimitError) and error.retry_after_sec):
                self._limited.add(part)
        return delay

    def _was_stable(self, attempt: Attempt) -> bool:
        """Return whether a stream worked: one without audio did not, however long it was open."""
        progress = attempt.part.progress
        lived_sec = progress.last_audio_at - attempt.opened_at if progress.has_audio else -1.0
        return (
            lived_sec >= self._patience.stable_after_sec or progress.audio_sec >= _STABLE_AUDIO_SEC
        )

    def gave_up(self, part: Part, error: SonioxError, now: float) -> SonioxError:
        """Return the error to raise once patience is exhausted."""
        outage = self._of(part)
        outage.was_connected = self._was_connected
        return outage.gave_up(error, now)

    def attempt(self, part: Part) -> int:
        """Return the number of the last attempt, 0 if there is none."""
        return self._of(part).attempt

    def part_ended(self, part: Part) -> set[Part]:
        """Forget a part; return those that were refused a stream and may have its slot now."""
        self._outages.pop(part, None)
        self._limited.discard(part)
        waiting, self._limited = self._limited, set()
        for each in waiting:
            self._of(each).end()
        return waiting

    def _of(self, part: Part) -> Outage:
        if part not in self._outages:
            self._outages[part] = Outage(self._patience)
        return self._outages[part]
