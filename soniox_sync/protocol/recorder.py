"""What a recording does next: the whole of its decisions, without threads, sockets or a clock.

`Recorder` is told what happened (audio captured, sessions opened, results heard, lines lost, what
the user asked for) and says what to do (`next()`) and what to tell the user (`notices`). The shell
in `recording.py` holds one lock round every call and carries the answers out. So a thousand random
fault schedules run in seconds (tests/test_recorder.py), and the rules can be read in one place.
"""

from __future__ import annotations

import random
from typing import Any, Callable, Optional

from ..audio.formats import RawAudio
from ..errors import BufferOverflowError, SonioxConnectionError
from .ledger import Ledger
from .recorder_actions import (
    Abandon,
    Action,
    Announce,
    Done,
    End,
    Finalize,
    Open,
    RecorderSettings,
    RecordingState,
    RestartSource,
    Send,
    Wait,
)
from .retry import Retry
from .rotation import Line, Rotation, Session
from .tokens import Result, SttEvent
from .uplink import Uplink

# audio behind the resume point that is kept all the same: the point may move back a little
_KEEP_BEHIND_MS = 5000
# a replaced session gets this long for what it still owes, then its successor goes on
_DRAIN_SEC = 10.0
# originals without any translation for this much speech mean that translating has stopped
_WATCHDOG_SPEECH_MS = 15_000
_WATCHDOG_REST_SEC = 60.0


class Recorder:
    """Decides for one recording. Not thread-safe: the shell's lock is held round every call."""

    def __init__(
        self, settings: RecorderSettings, jitter: Callable[[], float] = random.random
    ) -> None:
        self._settings = settings
        self._uplink = Uplink(
            settings.replay_window_sec,
            settings.buffer_queue_size,
            settings.catch_up_speed,
            settings.catch_up_burst_sec,
        )
        self._ledger = Ledger()
        self._retry = Retry(settings, jitter)
        # sessions
        self._numbers = 0
        self._head: Optional[Session] = None  # whose results are delivered
        self._current: Optional[Session] = None  # who gets the audio
        self._rotation = Rotation(settings.rotate_after_sec)
        self._drain_until: Optional[float] = None
        self._resume_from_ms: Optional[int] = None  # where the next session begins to hear
        self._loss: Optional[BaseException] = None  # of the session before
        self._lost_reported_ms = 0
        self._recycled_at: Optional[float] = None
        # what the user asked for
        self._finalize_at: Optional[int] = None  # when the audio up to here was sent
        self._finalize_asked: Optional[int] = None  # sent for the audio up to here, unanswered
        self._stopping = False
        self._paused = False
        self._source_error: Optional[BaseException] = None
        # what comes next
        self._queue: list[Action] = []  # to be done before anything else
        self._end_sent = False
        self._heard_at = 0.0  # when the present session said something last
        self._spoke_since_endpoint = False
        self._outcome: Optional[Done] = None
        self.state = RecordingState.IDLE
        # what to tell the user, in order: ("event", SttEvent), ("state_change", mapping), ...
        self.notices: list[tuple[str, Any]] = []

    # -- what happened: the user and the source --------------------------------------------------

    def start(self) -> None:
        """Begin. Nothing is opened before `know()` said what the audio is."""
        self._set_state(RecordingState.STARTING, "user_action")

    def know(self, audio: Optional[RawAudio]) -> None:
        """Learn what is captured: headerless audio, or (`None`) some container format."""
        self._uplink.know(audio)

    @property
    def knows_audio(self) -> bool:
        """Tell whether `know()` was called."""
        return self._uplink.knows_audio

    @property
    def ahead_sec(self) -> float:
        """Give the seconds of audio captured but not sent, for back-pressure on finite sources."""
        return self._uplink.ahead_sec

    @property
    def held_bytes(self) -> int:
        """Give how much audio is kept in memory."""
        return self._uplink.held_bytes

    @property
    def lost_ms(self) -> int:
        """Give how much audio had to be given up."""
        return self._uplink.lost_ms

    @property
    def is_paused(self) -> bool:
        """Tell whether audio is left out at present."""
        return self._paused

    def capture(self, data: bytes) -> None:
        """Take captured audio. While paused it is not part of the recording."""
        if self._paused or self._stopping or self._outcome is not None:
            return
        if self._uplink.is_full:
            self._finish(
                BufferOverflowError(
                    f"more than {self._settings.buffer_queue_size} pieces of audio wait to be "
                    "sent, and a container format cannot lose any: raise buffer_queue_size"
                )
            )
        elif not self._uplink.capture(data):
            self._leave_hole()

    def _leave_hole(self) -> None:
        """Go on after audio that was never sent had to go: a session's clock counts what it hears,
        so after a hole it needs a successor."""
        current = self._current
        if current is not None and current.line is Line.LIVE:
            self._replace(current, "the line was too slow for the audio")

    def container_restarted(self) -> None:
        """Learn that what the source delivers from now on begins a new container."""
        if self._uplink.knows_audio and not self._uplink.can_replay:
            self._uplink.restart_container(0)

    def stop(self, error: Optional[BaseException] = None) -> None:
        """Take no more audio; send what is left, finish, end. `error`: the source failed."""
        if self._stopping or self._outcome is not None:
            return
        self._stopping = True
        self._source_error = error
        self._set_state(RecordingState.STOPPING, "error" if error else "user_action")

    def cancel(self, error: BaseException) -> None:
        """End at once by the user's wish."""
        if self._outcome is None:
            self._finish(error, RecordingState.CANCELED, "user_action")

    def fail(self, error: BaseException) -> None:
        """End at once because of `error`."""
        if self._outcome is None:
            self._finish(error)

    def restart_failed(self, error: BaseException) -> None:
        """End because the source cannot begin its container anew: the loss is what to tell."""
        self.fail(error if self._loss is None else _not_replayable(self._loss))

    def pause(self) -> None:
        """Take no audio for a while; what was said so far is made final."""
        if not self._paused and not self._stopping and not self.state.is_over:
            self._paused = True
            if self._uplink.end:
                self.finalize()
            if self.state is RecordingState.RECORDING:
                self._set_state(RecordingState.PAUSED, "user_action")

    def resume(self) -> None:
        """Take audio again."""
        if self._paused:
            self._paused = False
            if self.state is RecordingState.PAUSED:
                self._set_state(RecordingState.RECORDING, "user_action")

    def finalize(self) -> None:
        """Have everything captured so far made final; that is so at once if it is nothing."""
        if self._uplink.end or self.state.is_over:
            self._finalize_at = self._uplink.end
        else:
            self.notices.append(("event", SttEvent("finalized", Result((), 0, 0))))

    def reconnect(self) -> None:
        """Replace the present session, as after a lost line but at the user's wish."""
        current = self._current
        if current is not None and current.line is Line.LIVE and self._outcome is None:
            self._replace(current, "reconnect() was called")

    # -- what happened: sessions -----------------------------------------------------------------

    def opened(self, number: int, now: float) -> None:
        """Learn that session `number` stands."""
        session = self._find(number)
        if session is None or session.line is not Line.OPENING:
            self._queue.append(Abandon(number))
            return
        session.line = Line.LIVE
        session.opened_at = now
        if session is not self._rotation.standby:
            self._take_over(session)

    def _take_over(self, session: Session) -> None:
        if self._uplink.can_replay:
            session.offset_ms = self._uplink.cursor_ms  # audio may have had to go meanwhile
        self._uplink.new_session()
        self._begin(session)
        if self._resume_from_ms is None:
            self.notices.append(("connected", None))
            self._set_state(self._running_state(), "connected")
        else:
            self._report_reconnected(self._resume_from_ms)
            self._resume_from_ms = None

    def _begin(self, session: Session) -> None:
        """Make `session` the one whose results are delivered."""
        self._head = session
        self._ledger.begin(session.offset_ms)
        held, session.held = session.held, []
        for event in held:
            self._take(event)

    def _report_reconnected(self, from_ms: int) -> None:
        facts = {
            "attempt": self._retry.attempt,
            "replayed_ms": self._uplink.replayed_ms(from_ms),
            "lost_ms": self._uplink.lost_ms - self._lost_reported_ms,
        }
        self._lost_reported_ms = self._uplink.lost_ms
        self._set_state(self._running_state(), "reconnected")
        self.notices.append(("reconnected", facts))

    def _running_state(self) -> RecordingState:
        if self._stopping:
            return RecordingState.STOPPING
        return RecordingState.PAUSED if self._paused else RecordingState.RECORDING

    def heard(self, number: int, event: SttEvent, now: float) -> None:
        """Take one event of a session. `finished` and losses have methods of their own."""
        session = self._find(number)
        if session is None or self._outcome is not None:
            return
        if session is self._current:
            self._heard_at = now
        if session is not self._head:
            session.held.append(event)
        elif session is not self._current:
            if event.kind == "result":
                self._tell_result(self._ledger.accept_late(event.result))
        else:
            self._take(event)
            self._uplink.trim(self._ledger.resume_ms() - _KEEP_BEHIND_MS)

    def _take(self, event: SttEvent) -> None:
        ledger = self._ledger
        if event.kind == "result":
            had_guess = ledger.has_guess
            result = ledger.accept(event.result)
            if any(t.is_final and not t.is_translation for t in result.tokens):
                self._spoke_since_endpoint = True
            self._retry.progress(ledger.final_ms)
            if result.tokens or had_guess or not event.result.tokens:
                self.notices.append(("event", SttEvent("result", result)))
            return
        if event.kind == "finalized":
            self._finalize_asked = None
        if event.kind == "endpoint":
            heard_before = not self._spoke_since_endpoint and ledger.session > 0
            self._spoke_since_endpoint = False
            if heard_before:
                return  # the pause that an earlier session told of, replayed
        self.notices.append(("event", SttEvent(event.kind, ledger.counted([], event.result))))

    def _tell_result(self, result: Result) -> None:
        if result.tokens:
            self.notices.append(("event", SttEvent("result", result)))

    def finished(self, number: int, now: float) -> None:
        """Learn that the service finished session `number`."""
        session = self._find(number)
        if session is None or self._outcome is not None:
            return
        if session is self._rotation.standby:
            self._rotation.drop_standby(now)
        elif session is not self._current:
            session.line = Line.OVER
            self._promote()
        elif self._end_sent:
            self._promote()
            session.line = Line.OVER
            self._complete()
        else:
            error = SonioxConnectionError("the server finished before the audio was complete")
            self._lose_current(error)

    def failed(self, number: int, error: BaseException, now: float) -> None:
        """Learn that session `number` could not be opened, or ended early."""
        session = self._find(number)
        if session is None or self._outcome is not None:
            return
        if session is self._rotation.standby:
            self._rotation.drop_standby(now)
        elif session is not self._current:
            session.line = Line.OVER
            owed = self._ledger.owes_translation
            self._promote()
            if owed and self._current is not None and self._current.line is Line.LIVE:
                # only the lost one could have translated them: let them be heard again
                self._replace(self._current, "a session ended before its translations")
        else:
            self._lose_current(error)

    def _find(self, number: int) -> Optional[Session]:
        for session in (self._current, self._head, self._rotation.standby):
            if session is not None and session.number == number:
                return session
        return None

    def _promote(self) -> None:
        """Go on with the successor, if there is one: the old session has said all it had to say."""
        self._drain_until = None
        if self._head is not None and self._current not in (None, self._head):
            assert self._current is not None
            self._tell_result(self._ledger.rest())
            self._begin(self._current)

    def _complete(self) -> None:
        self._tell_result(self._ledger.rest())
        result = Result((), self._ledger.final_ms, self._ledger.total_ms, True)
        if self._source_error is None:
            self.notices.append(("event", SttEvent("finished", result)))
        self._finish(self._source_error)

    def _finish(
        self,
        error: Optional[BaseException],
        state: Optional[RecordingState] = None,
        reason: Optional[str] = None,
    ) -> None:
        for session in (self._head, self._current, self._rotation.standby):
            if session is not None and session.line is not Line.OVER:
                self._queue.append(Abandon(session.number))
                session.line = Line.OVER
        self._outcome = Done(error)
        if state is None:
            state = RecordingState.STOPPED if error is None else RecordingState.ERROR
            reason = "finished" if error is None else "error"
        self._set_state(state, reason or "error")

    # -- losing and finding a session ------------------------------------------------------------

    def _replace(self, session: Session, why: str) -> None:
        """Let a successor go on for `session` by our own decision; it does not count as a loss."""
        self._queue.append(Abandon(session.number))
        self._lose_current(SonioxConnectionError(why), free=True)

    def _lose_current(self, error: BaseException, *, free: bool = False) -> None:
        """Go on after the loss of the present session, or end with `error`."""
        self._promote()  # what its predecessor still owed is cut short: order comes first
        if self._current is not None:
            self._current.line = Line.OVER
        self._current = self._head = None
        self._end_sent = False
        self._ask_again_to_finalize()
        if not free and not self._retry.allows(error):
            self._finish(error)
            return
        self._loss = error
        # a source that has ended cannot begin its container anew
        can_restart = self._settings.can_restart and not self._stopping
        if not self._uplink.can_replay and not (can_restart or self._is_unsent()):
            self._finish(_not_replayable(error))
            return
        self._withdraw_guess()
        self._resume_from_ms = self._rewind()
        if free:
            self._retry.at_once(self._ledger.final_ms)
        else:
            self._retry.lost(error, self._ledger.final_ms)
        self._set_state(RecordingState.RECONNECTING, "user_action" if free else "connection_lost")
        self.notices.append(("session_restart", None))
        standby = self._rotation.ready
        if standby is not None:
            self._retry.awaits_answer = False
            self._rotation.take()
            self._current = standby
            self._take_over(standby)

    def _ask_again_to_finalize(self) -> None:
        """Have the next session answer what this one did not."""
        asked, self._finalize_asked = self._finalize_asked, None
        if asked is not None and self._finalize_at is None:
            # a container is not heard again: at the first piece of the new one
            self._finalize_at = asked if self._uplink.can_replay else self._uplink.end + 1

    def _is_unsent(self) -> bool:
        return self._uplink.cursor == 0

    def _withdraw_guess(self) -> None:
        if self._ledger.has_guess:
            self.notices.append(("event", SttEvent("result", self._ledger.withdrawal())))

    def _rewind(self) -> int:
        """Move the cursor back to where a new session must begin to hear; give that moment."""
        if self._uplink.can_replay:
            return self._uplink.rewind(self._ledger.resume_ms())
        if not self._is_unsent():
            self._uplink.restart_container(self._ledger.total_ms - self._ledger.final_ms)
            self._queue.append(RestartSource())
        return self._ledger.total_ms

    def announced(self, prevented: bool, now: float) -> None:
        """Learn that the handlers of `reconnecting` have run; `prevented`: one forbade it."""
        if self._outcome is not None or not self._retry.awaits_answer:
            return
        if prevented:
            assert self._loss is not None  # it was announced
            self._finish(self._loss)
            return
        self._retry.answered(now)

    # -- what to do ------------------------------------------------------------------------------

    def next(self, now: float) -> Action:
        """Say what to do now. Call again when it is done, or when something happened."""
        if self._queue:
            return self._queue.pop(0)
        if self._outcome is not None:
            return self._outcome
        current = self._current
        if current is None:
            return self._open_next(now)
        if self._drain_until is not None and now >= self._drain_until and self._head is not None:
            late = self._head
            late.line = Line.OVER
            self._promote()
            return Abandon(late.number)
        if current.line is Line.LIVE:
            action = self._feed(current, now)
            if action is not None:
                return action
        elif current.line is Line.ENDING and now >= self._patience_ends():
            self._queue.append(Abandon(current.number))
            self._lose_current(SonioxConnectionError("the last result did not come"))
            return self.next(now)
        return self._wait(current, now)

    def _patience_ends(self) -> float:
        """Give when a session that was told the end must have said something at the latest."""
        return self._heard_at + self._settings.finish_timeout_sec

    def _open_next(self, now: float) -> Action:
        if self._stopping and self._uplink.end == 0:
            self._complete()
            return self.next(now)
        if not self._uplink.knows_audio:
            return Wait()
        if self._retry.awaits_answer:
            limit = self._settings.max_reconnect_attempts
            return Announce(self._retry.attempt, limit, self._retry.delay_sec)
        until = self._retry.waits_until(now)
        if until is not None:
            return Wait(until)
        session = self._current = self._new_session()
        session.offset_ms = self._resume_from_ms or 0
        if self.state is RecordingState.STARTING:
            self._set_state(RecordingState.CONNECTING, "user_action")
        return Open(session.number)

    def _new_session(self) -> Session:
        session = Session(self._numbers)
        self._numbers += 1
        return session

    def _feed(self, current: Session, now: float) -> Optional[Action]:
        rotation = self._rotate(current, now)
        if rotation is not None:
            return rotation
        if self._watchdog_bites(now):
            self._recycled_at = now
            self._replace(current, "translations stopped")
            return self.next(now)
        if self._finalize_at is not None and self._uplink.cursor >= self._finalize_at:
            asked, self._finalize_at = self._finalize_at, None
            if asked:
                self._finalize_asked = asked
                return Finalize(current.number)
        piece, seconds = self._uplink.piece(now)
        if piece:
            current.sent_sec += seconds
            return Send(current.number, piece)
        if self._stopping and self._uplink.cursor >= self._uplink.end:
            self._end_sent = True
            current.line = Line.ENDING
            self._heard_at = now
            return End(current.number)
        return None

    def _wait(self, current: Session, now: float) -> Action:
        moments = [self._drain_until]
        if current.line is Line.ENDING:
            moments.append(self._patience_ends())
        if current.line is Line.LIVE:
            moments += self._rotation.moments(current)
            pace = self._uplink.wait_sec()
            if pace is not None:
                moments.append(now + pace)
        ahead = [moment for moment in moments if moment is not None and moment > now]
        return Wait(min(ahead) if ahead else None)

    # -- rotation --------------------------------------------------------------------------------

    def _rotate(self, current: Session, now: float) -> Optional[Action]:
        rotation = self._rotation
        if not self._uplink.can_replay or self._stopping or not rotation.is_due(current, now):
            return None
        if rotation.wants_standby(now):
            rotation.standby = self._new_session()
            return Open(rotation.standby.number)
        ready = rotation.ready
        if ready is None or self._head is not current:
            return None  # not open yet, or the last change is not through
        if self._uplink.cursor_ms < self._ledger.last_end_ms:
            return None  # it still hears again what only it can translate
        in_segment = self._spoke_since_endpoint
        if rotation.may_switch(self._ledger, now, paused=self._paused, in_segment=in_segment):
            return self._switch(current, ready, now)
        return None

    def _switch(self, old: Session, new: Session, now: float) -> Action:
        """Let `new` hear everything after the last word; `old` only ends what it began."""
        new.offset_ms = self._uplink.rewind(self._ledger.resume_ms(with_translations=False))
        self._withdraw_guess()
        old.line = Line.ENDING
        self._ask_again_to_finalize()
        self._current = new
        self._rotation.take()
        self._drain_until = now + _DRAIN_SEC
        new.opened_at = now
        self._uplink.new_session()
        self._set_state(self.state, "rotated")
        return End(old.number)

    def _watchdog_bites(self, now: float) -> bool:
        if not self._settings.translation_watchdog or self._stopping:
            return False
        if self._recycled_at is not None and now - self._recycled_at < _WATCHDOG_REST_SEC:
            return False
        return self._ledger.original_ms_since_translation >= _WATCHDOG_SPEECH_MS

    # -- telling ---------------------------------------------------------------------------------

    def _set_state(self, state: RecordingState, reason: str) -> None:
        if state is self.state and reason != "rotated":
            return
        update = {"old_state": self.state, "new_state": state, "reason": reason}
        self.state = state
        self.notices.append(("state_change", update))


def _not_replayable(cause: BaseException) -> SonioxConnectionError:
    error = SonioxConnectionError(
        f"{cause}; a container format cannot be sent from the middle: send raw PCM or WAV, or use "
        "a source with restart()",
        code="not_replayable",
    )
    error.__cause__ = cause
    return error
