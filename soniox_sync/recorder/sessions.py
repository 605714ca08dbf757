"""The sessions of a recording, by role."""

from __future__ import annotations

import enum
from typing import Optional

from ..protocol.tokens import SttEvent

# A replaced session has this long for its last results; then those of its successor are delivered.
_DRAIN_SEC = 10.0


class SessionPhase(enum.Enum):
    """Phase of one session, as far as the recorder needs it."""

    OPENING = "opening"
    LIVE = "live"
    FINISHING = "finishing"  # all its audio was sent; results still come
    FINISHED = "finished"  # nothing more comes; its predecessor still owes translations


class Session:
    """State of one session, as the recorder tracks it."""

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.phase: SessionPhase = SessionPhase.OPENING
        self.offset_ms: int = 0  # where its audio starts in the recording
        self.opening_until: Optional[float] = None  # when to give it up, while it is opened
        self.opened_at: float = 0.0
        self.final_ms_before: int = 0  # up to where audio was final when its results began
        self.sent_sec: float = 0.0  # of audio that no session before had
        self.last_received_at: float = 0.0
        # received, but to be delivered only after the results of its predecessor
        self.pending: list[SttEvent] = []

    @property
    def pending_ms(self) -> int:
        """Up to where in the recording the audio is final in the pending results."""
        finals = [event.result.final_audio_proc_ms for event in self.pending]
        return self.offset_ms + max(finals, default=0)

    def opened(self, now: float) -> None:
        """Record that audio can be sent."""
        self.phase = SessionPhase.LIVE
        self.opened_at = now
        self.opening_until = None

    def finish(self, now: float) -> None:
        """Record that all its audio was sent: the wait for its last results starts now."""
        self.phase = SessionPhase.FINISHING
        self.last_received_at = now

    def silent_until(self, finish_timeout_sec: float) -> Optional[float]:
        """Return when to give up on its last results; `None` unless it only owes those."""
        if self.phase is not SessionPhase.FINISHING:
            return None
        return self.last_received_at + finish_timeout_sec


class Sessions:
    """Up to three sessions: current, draining, standby. Not thread-safe.

    A rotation involves all three roles (numbers are sessions)::

        current  draining  standby
        0        -         -        0 receives the audio, its results are delivered
        0        -         1        1 is opened and receives nothing yet
        1        0         -        1 receives the audio; results of 0 are delivered first
        1        -         -        0 has finished: the pending results of 1 are delivered

    At the end 1 may finish before 0, which owes translations: then it waits as `FINISHED`. If 0 is
    lost with them, 2 receives the audio again from there on, and what 1 has recognised is withheld:
    only 2 can deliver it behind those translations. It is needed if the recording fails first.
    """

    def __init__(self) -> None:
        self._next_number = 0
        self.current: Optional[Session] = None
        self.draining: Optional[Session] = None
        self.drain_until: float = 0.0  # while there is one
        self.standby: Optional[Session] = None
        self.withheld: list[Session] = []

    def new(self) -> Session:
        """Return a new session; the caller assigns its role."""
        self._next_number += 1
        return Session(self._next_number - 1)

    def find(self, number: int) -> Optional[Session]:
        """Return session `number`, or `None` if it no longer has a role."""
        for session in (self.current, self.draining, self.standby):
            if session is not None and session.number == number:
                return session
        return None

    @property
    def live(self) -> Optional[Session]:
        """Current session, if audio can be sent to it."""
        current = self.current
        return current if current is not None and current.phase is SessionPhase.LIVE else None

    @property
    def ready_standby(self) -> Optional[Session]:
        """Standby session, if it is open."""
        standby = self.standby
        return standby if standby is not None and standby.phase is SessionPhase.LIVE else None

    def is_delivering(self, session: Session) -> bool:
        """Return whether `session` is the current one and its results go to the user already."""
        is_open = session.phase is not SessionPhase.OPENING
        return session is self.current and is_open and self.draining is None

    def use_standby(self) -> Session:
        """Make the standby session the current one, and return it."""
        standby, self.standby = self.standby, None
        assert standby is not None
        self.current = standby
        return standby

    def drain(self, now: float) -> Session:
        """Let the current session only finish, and replace it by the standby; return that."""
        old = self.current
        assert old is not None
        old.finish(now)
        self.draining, self.drain_until = old, now + _DRAIN_SEC
        return self.use_standby()

    def drained(self) -> Optional[Session]:
        """Return the current session if it no longer has a predecessor to wait for, but had."""
        had, self.draining = self.draining, None
        return None if had is None else self.current

    def withhold(self) -> None:
        """Keep the results of the current session from the user; its predecessor is lost."""
        assert self.current is not None
        self.draining = None
        self.withheld.append(self.current)

    def superseded(self, final_ms: int) -> None:
        """Forget what was withheld up to a time, in ms: it was delivered by another session."""
        self.withheld = [session for session in self.withheld if session.pending_ms > final_ms]

    def take_withheld(self) -> list[Session]:
        """Remove and return the sessions whose results were withheld."""
        taken, self.withheld = self.withheld, []
        return taken

    def wake_times(self, finish_timeout_sec: float) -> list[float]:
        """Return the times at which a session has had long enough to open, to finish, to drain."""
        current = self.current
        moments = [self.drain_until if self.draining is not None else None]
        if current is not None:
            moments += [current.opening_until, current.silent_until(finish_timeout_sec)]
        return [moment for moment in moments if moment is not None]

    def drop_all(self) -> list[Session]:
        """Remove all sessions from their roles, and return them."""
        dropped = [self.draining, self.current, self.standby]
        self.draining = self.current = self.standby = None
        return [session for session in dropped if session is not None]
