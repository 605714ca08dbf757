"""Whether and when a lost session is replaced. No I/O, no clock."""

from __future__ import annotations

from typing import Callable, Optional

from ..config.recording import RecordingOptions
from ..errors import ConnectTimeoutError, RealtimeError, SonioxError, advised, is_retriable
from .outage import Outage
from .sessions import Session, SessionPhase

# a session with this much new audio final is stable, however short its life was
_STABLE_FINAL_MS = 5000
# A connection lost to one of these was dead for a while before: it lived until its last message.
_SILENCE = frozenset({"ping_timeout", "send_timeout", "finish_timeout"})


class Retry:
    """Decides about the replacement of lost sessions, by the kind of error and by patience."""

    def __init__(
        self, options: RecordingOptions, new_key_possible: bool, jitter: Callable[[], float]
    ) -> None:
        self._options = options
        self._new_key_possible = new_key_possible
        self._outage = Outage(options, jitter)
        self.has_results: bool = False  # some session could decode the audio
        self.delay_sec: float = 0.0  # of the attempt that is announced
        self.cause: Optional[BaseException] = None  # what ended the last session
        self.awaits_handlers: bool = False  # the `reconnecting` handlers are still to run
        self._at: Optional[float] = None

    @property
    def attempt(self) -> int:
        """Number of the last attempt during this outage, 0 if there is none."""
        return self._outage.attempt

    # -- the end of an outage --------------------------------------------------------------------

    def session_lived(
        self,
        session: Session,
        final_ms: int,
        now: float,
        lost_to: Optional[BaseException] = None,
    ) -> None:
        """Record that a session lives, or has been `lost_to`; if it is stable, the outage is over.

        `final_ms`: up to where the recording is final by now.
        """
        if session.phase is SessionPhase.OPENING or not self._outage.attempt:
            return
        was_silent = isinstance(lost_to, SonioxError) and lost_to.code in _SILENCE
        lived = now - session.opened_at >= self._options.stable_after_sec and not was_silent
        if lived or final_ms - session.final_ms_before >= _STABLE_FINAL_MS:
            self._outage.end()

    def opened(self) -> None:
        """Record that a session is open, which is not stable yet."""
        self._outage.connected()

    # -- after a loss ----------------------------------------------------------------------------

    def lost(
        self,
        session: Optional[Session],
        final_ms: int,
        error: BaseException,
        now: float,
        *,
        counts: bool,
    ) -> Optional[BaseException]:
        """Prepare to replace a session lost to `error`; return what to fail with if that cannot be.

        Without `counts` another session is open already, so that this is no attempt.
        """
        if session is not None:
            self.session_lived(session, final_ms, now, error)
        if not self._is_outage(error):
            return error
        if not counts:
            self.replace(error)
            return None
        delay_sec = self._outage.next_delay(error, now)
        if delay_sec is None:
            return self.gave_up(error, now)
        self._prepare(error, announce=True)
        self.delay_sec = delay_sec
        return None

    def _is_outage(self, error: BaseException) -> bool:
        """Return whether a session lost to `error` may be replaced, while patience lasts."""
        if not self._options.auto_reconnect:
            return False
        if isinstance(error, RealtimeError):
            # before any result that is not an outage: the service does not recognise this as audio
            if error.status_code == 408 and not self.has_results:
                return False
            if error.error_type == "temp_api_key_session_expired":
                return self._new_key_possible
        if isinstance(error, SonioxError) and error.code == "internal_error":
            return False  # a bug in this library would only occur again
        return is_retriable(error)

    def replace(self, reason: BaseException) -> None:
        """Prepare to replace a session by our own decision.

        That is no attempt: there is no delay, and no handler that could prevent it.
        """
        self._prepare(reason, announce=False)

    def _prepare(self, error: BaseException, *, announce: bool) -> None:
        self.cause = error
        self.awaits_handlers = announce
        self._at = None

    def handlers_ran(self, now: float) -> None:
        """Start the delay: no handler prevented the attempt."""
        self.awaits_handlers = False
        self._at = now + self.delay_sec

    def waits_until(self, now: float) -> Optional[float]:
        """Return the time of the attempt, `None` once it is due."""
        return self._at if self._at is not None and now < self._at else None

    # -- the limits ------------------------------------------------------------------------------

    def opening(self, now: float) -> Optional[float]:
        """Start opening a session; return when to give that up, `None` without a limit."""
        self._outage.begin(now)
        sec = self._outage.opening_sec(now) if self._options.auto_reconnect else None
        return None if sec is None else now + sec

    def gave_up(self, error: Optional[BaseException], now: float) -> BaseException:
        """Return the error to raise: what ended the last session, with the reason to stop.

        `error`: what the last attempt failed with, `None` if it is given up unfinished.
        """
        if error is None and self.attempt and self.cause is not None:
            error = self.cause
        if error is None:  # the first session was never open
            error = ConnectTimeoutError(
                f"no connection within {self._options.give_up_after_sec:g} s: check the network "
                "and the region, or raise give_up_after_sec"
            )
        return self._outage.gave_up(error, now)


def not_replayable(cause: BaseException) -> BaseException:
    """Return the error of a lost session whose audio cannot be sent again, with advice."""
    if not isinstance(cause, SonioxError):
        return cause
    return advised(
        cause,
        "This audio is a container, which cannot be sent from the middle: to survive a lost "
        "session send raw PCM, WAV, FLAC, Ogg, WebM or mp3, or use a source with restart().",
    )
