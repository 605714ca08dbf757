"""Requests to finalize, which must survive the session they were sent to."""

from __future__ import annotations

from typing import Optional


class FinalizeRequests:
    """When to send `finalize`, and when to repeat it. Not thread-safe.

    A request applies to the audio up to a byte position and is sent once that audio was sent. One
    that a lost session left unanswered is repeated in the next (`finalize()` after 4000 bytes)::

        request(4000)                       waiting 4000
        take_due(cursor=3200) -> False      800 bytes are still to be sent
        take_due(cursor=4000) -> True       unanswered 4000
        session_changed()                   waiting 4000: sent again after the replay
        take_due(cursor=2000) -> False
        take_due(cursor=4000) -> True       unanswered 4000
        answered()
    """

    def __init__(self) -> None:
        # position that is to be sent first, and no further; `None` if nothing is waiting
        self.waiting: Optional[int] = None
        self._unanswered: Optional[int] = None  # was sent, for the audio up to here

    def request(self, position: int) -> None:
        """Request finalization up to `position`; a request that is still waiting is replaced."""
        self.waiting = position

    def take_due(self, cursor: int) -> bool:
        """Return whether to send `finalize` now that all audio before `cursor` was sent."""
        if self.waiting is None or cursor < self.waiting:
            return False
        self._unanswered, self.waiting = self.waiting, None
        return True

    def answered(self) -> None:
        """Record that the service has finalized."""
        self._unanswered = None

    def session_changed(self, restart_at: Optional[int] = None) -> None:
        """Repeat the unanswered request in the next session.

        `restart_at`: for audio that cannot be replayed, the position where a new container starts;
        the request is then sent after the first chunk of that container.
        """
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None and self.waiting is None:
            self.waiting = unanswered if restart_at is None else restart_at + 1
