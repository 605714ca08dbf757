"""What a recording does next: all of its decisions, without threads, sockets or a clock.

Calls report what happened: audio captured, sessions opened, events received, connections lost,
requests of the user. `next()` returns what to do, `take_notices()` what to pass to the user.
`RecordingRuntime` (realtime/recording/runtime.py) holds one lock around every call and carries out
the actions. So a thousand random fault schedules run in seconds (tests/recorder), and the rules
can be read in one place.

The parts are in `RecorderParts`. `Recorder` connects them.
"""

from __future__ import annotations

from typing import Optional

from ..audio.formats import RawAudio
from ..errors import SonioxConnectionError
from ..protocol.stt import explain_first_error
from ..protocol.tokens import Result, SttEvent
from . import actions
from .actions import Connected, Reconnected, RecordingState, SessionRestart
from .parts import RecorderParts
from .retry import not_replayable
from .sessions import Session, SessionPhase
from .uplink import MAX_CHUNK_SEC


class Recorder(RecorderParts):
    """Decisions of one recording. Not thread-safe: called with the runtime's lock held."""

    # -- what happened: the user and the source --------------------------------------------------

    def start(self) -> None:
        """Start. No session is opened before `set_audio_format()`."""
        self._lifecycle.change(RecordingState.STARTING, "user_action")

    def set_audio_format(self, audio: Optional[RawAudio]) -> None:
        """Set the format of the captured audio; `None` stands for a container format."""
        self._uplink.set_audio_format(audio)

    def capture(self, data: bytes, now: Optional[float] = None) -> None:
        """Add audio, captured `now`. While paused it is not part of the recording."""
        lifecycle = self._lifecycle
        if lifecycle.is_paused or lifecycle.is_stopping or lifecycle.is_over:
            self._restart.paused()
            return
        if not self._restart.captured(data, now):
            return
        if self._uplink.is_full:
            self.fail(self._uplink.overflow())
            return
        is_whole = self._uplink.capture(data)
        session = self._sessions.live
        if not is_whole and session is not None:
            # A session counts time by the audio it receives. If audio is dropped before it was
            # sent, later times would be too early, so a new session starts after the gap.
            self._replace(session, "the connection is too slow for the audio")

    def pass_through(self, data: bytes, now: float) -> Optional[actions.Send]:
        """Capture audio that goes out at once: do what `capture()` and `next()` would, faster.

        Only if nothing but this and `received()` was called since it was settled. Returns `None`,
        and has done nothing, if there is more to do.
        """
        current = self._sessions.current
        if current is None or self._rotation.has_begun(current, MAX_CHUNK_SEC):
            return None
        seconds = self._uplink.pass_through(data, now)
        if seconds is None:
            return None
        current.sent_sec += seconds
        return actions.Send(current.number, data)

    def container_restarted(self, at_ms: Optional[int] = None) -> None:
        """Record that a new container follows, which starts `at_ms` (`None`: now)."""
        if self._restart.is_pending:
            self._restart.started(at_ms)

    def source_ended(self, error: Optional[BaseException] = None) -> None:
        """Record that the source delivers nothing more; `error`: why it failed."""
        self.stop(error or self._restart.why_missed(self._retry.cause))

    def stop(self, error: Optional[BaseException] = None) -> None:
        """Accept no more audio; send what is left, finish, end. `error`: why the source failed."""
        self._lifecycle.stop(error)

    def cancel(self, error: BaseException) -> None:
        """End at once, at the user's request."""
        if not self._lifecycle.is_over:
            self._abort_all()
            self._lifecycle.cancel(error)

    def fail(self, error: BaseException) -> None:
        """End at once because of `error`."""
        if not self._lifecycle.is_over:
            for session in self._sessions.take_withheld():
                self._begin(session)
            self._drained()
            self._abort_all()
            self._lifecycle.fail(error)

    def restart_failed(self, error: BaseException) -> None:
        """Fail because the source could not restart; the lost session is the cause to report."""
        cause = self._retry.cause
        self.fail(error if cause is None else not_replayable(cause))

    def pause(self) -> None:
        """Discard audio until `resume()`; what was captured so far is finalized."""
        if self._lifecycle.pause() and self._uplink.end:
            self.finalize()

    def resume(self) -> None:
        """Accept audio again."""
        self._lifecycle.resume()

    def finalize(self) -> None:
        """Request that everything captured so far be finalized; if there is nothing, it is."""
        if self._uplink.end or self._lifecycle.is_over:
            self._finalizing.request(self._uplink.end)
        else:
            self._lifecycle.notify(SttEvent("finalized", Result((), 0, 0)))

    def reconnect(self) -> None:
        """Replace the current session at the user's request."""
        session = self._sessions.live
        if session is not None:
            self._replace(session, "reconnect() was called")

    # -- what happened: sessions -----------------------------------------------------------------

    def opened(self, number: int, now: float) -> None:
        """Record that session `number` is open."""
        session = self._sessions.find(number)
        if session is None or session.phase is not SessionPhase.OPENING:
            # it was abandoned while it was being opened
            self._actions.append(actions.Abort(number))
            return
        session.opened(now)
        if session is self._sessions.current:
            self._take_over(session)

    def _take_over(self, session: Session) -> None:
        """Start using the current session, which is open and has no predecessor to wait for."""
        # not `_resume_from_ms`: audio may have left the window while the session was opened
        session.offset_ms = self._uplink.cursor_ms
        self._uplink.begin_session()
        self._retry.opened()
        lifecycle = self._lifecycle
        resumed_from_ms, self._resume_from_ms = self._resume_from_ms, None
        is_reconnect = resumed_from_ms is not None
        lifecycle.run("reconnected" if is_reconnect else "connected")
        if resumed_from_ms is not None:
            replayed_ms = self._uplink.replayed_ms(resumed_from_ms)
            lost_ms = self._uplink.newly_lost_ms()
            lifecycle.notify(Reconnected(self._retry.attempt, replayed_ms, lost_ms))
        lifecycle.notify(Connected())
        self._begin(session, reset=is_reconnect and self._options.reset_transcript_on_reconnect)

    def _begin(self, session: Session, *, reset: bool = False) -> None:
        """Deliver the results of `session` from now on, pending ones first."""
        self._events.begin(session.offset_ms)
        session.final_ms_before = self._merger.final_ms
        self._lifecycle.notify(SessionRestart(reset, self._merger.session))
        pending, session.pending = session.pending, []
        for event in pending:
            self._deliver(event)

    def received(self, number: int, event: SttEvent, now: float) -> None:
        """Handle one event of a session, except those of `finished()` and `failed()`."""
        session = self._sessions.find(number)
        if session is None:
            return
        session.last_received_at = now
        if event.result.tokens or event.result.total_audio_proc_ms:
            self._retry.has_results = True
        if session is self._sessions.draining:
            self._lifecycle.notify(self._events.accept_late(event))
        elif self._sessions.is_delivering(session):
            self._deliver(event)
            self._retry.session_lived(session, self._merger.final_ms, now)
            self._uplink.trim(self._merger.final_ms, self._merger.resume_ms)
            if self._sessions.withheld:
                self._sessions.superseded(self._merger.final_ms)
        else:
            session.pending.append(event)

    def _deliver(self, event: SttEvent) -> None:
        self._lifecycle.notify(self._events.accept(event))
        if event.kind == "finalized":
            self._finalizing.answered()

    def finished(self, number: int, now: float) -> None:
        """Record that the service finished session `number`."""
        session = self._sessions.find(number)
        if session is None:
            return
        if session is self._sessions.standby:
            self._standby_lost(now)
        elif session is self._sessions.draining:
            self._predecessor_ended(is_lost=False)
        elif session.phase is SessionPhase.FINISHING:
            session.phase = SessionPhase.FINISHED
            # its predecessor, if there still is one, can only deliver translations
            if self._sessions.draining is None or not self._merger.awaits_translation:
                self._drained()
                self._complete()
        else:
            # `finished` although we have not ended the audio: the rest would be missing
            self._lose_current(
                SonioxConnectionError("the server finished before the audio was complete"), now
            )

    def failed(self, number: int, error: BaseException, now: float) -> None:
        """Record that session `number` could not be opened, or ended early."""
        session = self._sessions.find(number)
        if session is None:
            return
        if session is self._sessions.standby:
            self._standby_lost(now)
        elif session is self._sessions.draining:
            self._predecessor_ended(is_lost=True)
        else:
            self._lose_current(error, now)

    def _standby_lost(self, now: float) -> None:
        self._sessions.standby = None
        self._rotation.standby_failed(now)

    def _predecessor_ended(self, *, is_lost: bool) -> None:
        """Go on without the session that the current one has replaced."""
        current = self._sessions.current
        assert current is not None
        if is_lost and self._merger.awaits_translation:
            # Only the lost session could have translated its last words: replay them.
            self._replace(current, "a session ended before its last translations were received")
            return
        self._drained()
        if current.phase is SessionPhase.FINISHED:
            self._complete()

    def _drained(self) -> None:
        """Deliver the results of the current session: its predecessor sends nothing more."""
        successor = self._sessions.drained()
        if successor is not None:
            self._lifecycle.notify(self._events.flush())
            self._begin(successor)

    # -- the end ---------------------------------------------------------------------------------

    def _complete(self) -> None:
        """End after the last result."""
        self._lifecycle.notify(self._events.flush())
        self._abort_all()
        self._lifecycle.finish(self._events.finished())

    def _abort_all(self) -> None:
        self._actions += [actions.Abort(session.number) for session in self._sessions.drop_all()]

    # -- losing and replacing a session ----------------------------------------------------------

    def _replace(self, session: Session, why: str) -> None:
        """Replace the current session by our own decision, which does not count as an attempt."""
        self._actions.append(actions.Abort(session.number))
        self._lose_current(SonioxConnectionError(why), None)

    def _lose_current(self, error: BaseException, now: Optional[float]) -> None:
        """Replace the current session, or fail with `error`.

        `now`: when it was lost, `None` if it is replaced by our own decision.
        """
        sessions = self._sessions
        # results keep their order: what its predecessor has not sent by now is lost, and replayed
        is_translation_due = sessions.draining is not None and self._merger.awaits_translation
        if is_translation_due and self._uplink.keeps(self._merger.resume_ms()):
            sessions.withhold()
        self._drained()
        lost, sessions.current = sessions.current, None
        self._session_changed()
        has_standby = sessions.ready_standby is not None
        if now is None:
            self._retry.replace(error)
        else:
            final_ms = self._merger.final_ms
            failure = self._retry.lost(lost, final_ms, error, now, counts=not has_standby)
            if failure is not None:
                is_first = not (self._retry.has_results or self._uplink.is_unsent)
                self.fail(explain_first_error(failure, self._uplink.audio) if is_first else failure)
                return
        # a source that has ended cannot start a new container
        can_restart = self._context.can_restart and not self._lifecycle.is_stopping
        if not (self._uplink.can_replay or can_restart or self._uplink.is_unsent):
            self.fail(not_replayable(error))
            return
        # before any event of the next session, which recognises those words again
        self._lifecycle.notify(self._events.withdraw_partial())
        self._resume_from_ms = self._rewind()
        reason = "user_action" if now is None else "connection_lost"
        self._lifecycle.change(RecordingState.RECONNECTING, reason)
        if has_standby:
            # a rotation was in progress: its session is used at once, without `reconnecting`
            self._rotation.completed()
            self._take_over(sessions.use_standby())

    def _session_changed(self) -> None:
        self._holding.session_changed()
        self._finalizing.session_changed(None if self._uplink.can_replay else self._uplink.end)

    def _rewind(self) -> int:
        """Move the cursor to where a new session must start; return that time in ms."""
        if self._uplink.can_replay:
            return self._uplink.rewind(self._merger.resume_ms())
        if self._uplink.is_unsent:
            return self._merger.total_ms
        self._actions.append(actions.RestartSource())
        return self._restart.request()

    def announced(self, prevented: bool, now: float) -> None:
        """Record that the `reconnecting` handlers have run; `prevented`: by one of them."""
        if self._lifecycle.is_over or not self._retry.awaits_handlers:
            return
        if prevented:
            assert self._retry.cause is not None
            self.fail(self._retry.cause)
        else:
            self._retry.handlers_ran(now)

    # -- what to do ------------------------------------------------------------------------------

    def next(self, now: float) -> actions.Action:
        """Return what to do now. Call again when it is done, or when something happened."""
        if self._actions:
            return self._actions.popleft()
        if self._lifecycle.outcome is not None:
            return self._lifecycle.outcome
        sessions = self._sessions
        current, draining = sessions.current, sessions.draining
        if current is None:
            return self._open_next(now)
        if draining is not None and now >= sessions.drain_until:
            self._predecessor_ended(is_lost=True)
            return actions.Abort(draining.number)
        if current.phase is SessionPhase.LIVE:
            action = self._feed(current, now)
            if action is not None:
                return action
        patience_sec = self._context.finish_timeout_sec
        until = current.silent_until(patience_sec)
        if until is not None and now >= until:
            self._actions.append(actions.Abort(current.number))
            late = (
                f"the last result was not received: no data from the server for {patience_sec:g} s"
            )
            self._lose_current(SonioxConnectionError(late, code="finish_timeout"), now)
            return self.next(now)
        if current.opening_until is not None and now >= current.opening_until:
            self.fail(self._retry.gave_up(None, now))
            return self.next(now)
        return self._wait(current, now)

    def _open_next(self, now: float) -> actions.Action:
        """Return the next step towards a new session, or end if there is nothing to transcribe."""
        if self._lifecycle.is_stopping and self._uplink.end == 0:
            self._complete()
            return self.next(now)
        if not self._uplink.has_audio_format:
            return actions.Wait()  # the format is part of a session's first message
        retry = self._retry
        if retry.awaits_handlers:
            return actions.Announce(
                retry.attempt, self._options.max_reconnect_attempts, retry.delay_sec
            )
        until = retry.waits_until(now)
        if until is not None:
            return actions.Wait(until)
        session = self._sessions.current = self._sessions.new()
        session.opening_until = self._retry.opening(now)
        if self.state is RecordingState.STARTING:
            self._lifecycle.change(RecordingState.CONNECTING, "user_action")
        return actions.Open(session.number)

    def _feed(self, current: Session, now: float) -> Optional[actions.Action]:
        """Return what to do with the live session; `None` if there is nothing to do now."""
        rotation = self._rotate(current, now)
        if rotation is not None:
            return rotation
        uplink = self._uplink
        is_stopping = self._lifecycle.is_stopping
        untranslated_ms = self._merger.original_ms_since_translation
        if not is_stopping and self._watchdog.should_replace(untranslated_ms, now):
            self._replace(current, "translations stopped")
            return self.next(now)
        # before the next chunk: in a catch-up it would otherwise be sent after the whole backlog
        if self._finalizing.take_due(uplink.cursor):
            return actions.Finalize(current.number)
        chunk, seconds = uplink.next_chunk(now, self._finalizing.waiting)
        if chunk:
            current.sent_sec += 0.0 if uplink.is_replaying else seconds
            return actions.Send(current.number, chunk)
        if is_stopping and uplink.cursor >= uplink.end:
            current.finish(now)
            return actions.Finish(current.number)
        return self.next(now) if self._holding.relieve(now) else None

    def _wait(self, current: Session, now: float) -> actions.Action:
        """Return a `Wait` until the next time at which there may be something to do."""
        moments = self._sessions.wake_times(self._context.finish_timeout_sec)
        if current.phase is SessionPhase.LIVE:
            moments += self._rotation.wake_times(current) + self._holding.wake_times
            pace_sec = self._uplink.wait_sec()
            if pace_sec is not None:
                moments.append(now + pace_sec)
        return actions.Wait(min([moment for moment in moments if moment > now], default=None))

    # -- rotation --------------------------------------------------------------------------------

    def _rotate(self, current: Session, now: float) -> Optional[actions.Action]:
        """Return the next step of a rotation; `None` when it is not due, or has to wait."""
        sessions, rotation = self._sessions, self._rotation
        if not self._uplink.can_replay or self._lifecycle.is_stopping or self._holding.is_waiting:
            return None
        if not rotation.is_due(current, now):
            return None
        if sessions.standby is None and rotation.may_open_standby(now):
            sessions.standby = sessions.new()
            return actions.Open(sessions.standby.number)
        if sessions.ready_standby is None or sessions.draining is not None:
            return None
        if self._uplink.cursor_ms < self._merger.last_end_ms:
            return None  # audio that only this session can translate is still being replayed
        is_paused, in_segment = self._lifecycle.is_paused, self._events.in_segment
        if rotation.may_switch(self._merger, now, paused=is_paused, in_segment=in_segment):
            return self._switch(current, now)
        return None

    def _switch(self, old: Session, now: float) -> actions.Action:
        """Send the audio after the last word to the standby session; `old` only finishes."""
        new = self._sessions.drain(now)
        new.offset_ms = self._uplink.rewind(self._merger.resume_ms(with_translations=False))
        new.opened_at = now
        new.final_ms_before = self._merger.final_ms
        self._lifecycle.notify(self._events.withdraw_partial())
        self._session_changed()
        self._rotation.completed()
        self._uplink.begin_session()
        self._lifecycle.rotated()
        self._lifecycle.notify(Connected())
        return actions.Finish(old.number)
