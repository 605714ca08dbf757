"""A source that starts a new container after a loss: until when, and what is lost meanwhile."""

from __future__ import annotations

from typing import Optional

from ..audio.framing.choose import kind_of
from .merging import Merger
from .retry import not_replayable
from .uplink import Uplink

# A live source that is silent for longer is not capturing: that time is no audio.
_LONGEST_GAP_SEC = 5.0
# the flag of an Ogg page that starts a stream
_OGG_FIRST = 2


class ContainerRestart:
    """Decides what belongs to the new container, and when it starts. Not thread-safe.

    For containers whose times are not understood, so that only `AudioSource.restart()` helps. What
    the source captured before is of no use to a new session, so nothing goes out until it has
    restarted, which it reports (`on_restart`), or shows by a chunk with a header (times in ms)::

        the session is lost      processed 3000, final 2400: request(), lost 2400-3000
        captured(b"....")        the old container: dropped
        started(None)            a live source has captured for 3500: lost 2400-3500
        captured(b"#!AMR")       0 ms of the new session are 3500 of the recording
    """

    def __init__(self, uplink: Uplink, merger: Merger, *, is_live: bool) -> None:
        self._uplink = uplink
        self._merger = merger
        self._is_live = is_live
        self._head = b""  # first bytes of the recording
        self._captured_sec = 0.0  # on the clock
        self._last_at: Optional[float] = None
        self.is_pending: bool = False

    def captured(self, data: bytes, now: Optional[float]) -> bool:
        """Return whether captured bytes can be sent: nothing of an old container can."""
        if now is not None:
            gap_sec = 0.0 if self._last_at is None else now - self._last_at
            self._captured_sec += min(gap_sec, _LONGEST_GAP_SEC)
            self._last_at = now
        self._head = self._head or data[:64]
        if self.is_pending and self._is_start(data):
            self.started(None)
        return not self.is_pending

    def paused(self) -> None:
        """Record that what is captured now is not part of the recording."""
        self._last_at = None

    def _is_start(self, data: bytes) -> bool:
        if data[:4] == b"OggS":
            return len(data) > 5 and bool(data[5] & _OGG_FIRST)
        kind = kind_of(data)
        return data[:4] == self._head[:4] or (kind is not None and kind == kind_of(self._head))

    def request(self) -> int:
        """Drop what is queued until the source has restarted; return where it will, for now."""
        self.is_pending = True
        return self._restart_at(self._merger.total_ms)

    def started(self, at_ms: Optional[int]) -> int:
        """Record that a new container follows; return where it starts in the recording, in ms.

        `at_ms`: where the source says that is. `None`: if it is live, where its clock is, else
        after the last audio that was processed.
        """
        self.is_pending = False
        if at_ms is None:
            captured_ms = round(self._captured_sec * 1000) if self._is_live else 0
            at_ms = max(self._merger.total_ms, captured_ms)
        start_ms = self._restart_at(at_ms)
        self._merger.move_start(start_ms)
        return start_ms

    def why_missed(self, cause: Optional[BaseException]) -> Optional[BaseException]:
        """Return the error of a source that has ended without the new container it owed, if any.

        `cause`: what ended the last session.
        """
        return not_replayable(cause) if self.is_pending and cause is not None else None

    def _restart_at(self, at_ms: int) -> int:
        self._uplink.restart_container(self._merger.final_ms, at_ms)
        return at_ms
