"""When a source that can wait has to wait, and for how long."""

from __future__ import annotations

from typing import Optional

from .finalizing import FinalizeRequests
from .merging import Merger
from .uplink import Uplink

# so that neither a file of hours nor a long pause takes more memory
_READ_AHEAD_SEC = 5.0


class Holding:
    """Back-pressure on a source, and patience with a service that owes results. Not thread-safe.

    A source that can wait is held back while a whole replay window is not final, so that no audio
    leaves the window before it is. But a service may itself wait for more audio. So after
    `patience_sec` without a new final result it is asked to finalize, and if that frees nothing,
    the window grows. It grows at once if the service owes nothing, as everything is final. No
    session is rotated meanwhile: with patience starting anew in each, a short rotation would hold
    the source back for ever. With a patience of 10 s and a window of 120 s, all sent at 0 s::

         0 s    final 500 ms    held
         4 s    final 900 ms    held, and patience starts again
        14 s    final 900 ms    finalize is requested
        24 s    final 900 ms    the window grows to 240 s: no longer held
    """

    def __init__(
        self,
        uplink: Uplink,
        merger: Merger,
        finalizing: FinalizeRequests,
        patience_sec: float,
    ) -> None:
        self._uplink = uplink
        self._merger = merger
        self._finalizing = finalizing
        self._patience_sec = patience_sec
        self._final_ms = 0
        self._asked = False
        self._until: Optional[float] = None  # when patience ends; `None` while it is not needed

    @property
    def wake_times(self) -> list[float]:
        """When to call `relieve()` next."""
        return [] if self._until is None else [self._until]

    @property
    def must_wait(self) -> bool:
        """Whether the source has to wait before it delivers more."""
        return self._uplink.ahead_sec > _READ_AHEAD_SEC or self._uplink.is_window_full

    @property
    def is_waiting(self) -> bool:
        """Whether the source waits, and the service, which has all audio, owes results for it."""
        uplink = self._uplink
        is_running = self._until is not None and uplink.is_window_full
        return is_running and uplink.cursor >= uplink.end

    def session_changed(self) -> None:
        """Start patience again, once the audio was sent. What was asked in vain stays asked."""
        self._until = None

    def relieve(self, now: float) -> bool:
        """Request `finalize`, or let the window grow, if it is time; return whether it was.

        Patience counts once all audio was sent: the service has everything that there is.
        """
        uplink = self._uplink
        if not uplink.is_window_full:
            self._until, self._asked = None, False
            return False
        if uplink.cursor < uplink.end:
            self._until = None
            return False
        if self._merger.final_ms >= uplink.cursor_ms:
            # the service owes nothing: what is kept is the last cluster, longer than the window
            uplink.grow_window()
            return True
        if self._merger.final_ms != self._final_ms:
            self._final_ms, self._asked = self._merger.final_ms, False
            self._until = None
        if self._until is None:
            self._until = now + self._patience_sec
        if now < self._until:
            return False
        self._until = now + self._patience_sec
        if self._asked:
            uplink.grow_window()
        else:
            self._finalizing.request(uplink.end)
        self._asked = not self._asked
        return True
