"""The threads, the lock and the sessions behind a `Recording`.

The decisions are made in `soniox_sync/recorder` and carried out here. The lock of the recording is
held during every call of its `Recorder`, and while events and notices are put into queues, never
during I/O. Lock order: Recording -> send -> state -> leaf.

Threads: the source's own, which also sends what it brings, one reader per session, an opener while
a session is being connected, and the pump while there is anything else to do (`pump.py`, where the
rule stands).
"""

from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Optional

from ..._support.checks import number, wrong_type
from ..._support.locks import new_condition, new_rlock
from ...cancel import CancelToken
from ...config import SttConfig
from ...config.recording import RecordingOptions
from ...errors import SonioxConnectionError, SonioxError, StateError
from ...protocol.tokens import SttEvent
from ...recorder import actions
from ...recorder.actions import Notice, RecorderContext, RecordingState, SourceMuted, SourceUnmuted
from ...recorder.recorder import Recorder
from ...runtime import forks
from ...runtime.clock import Clock
from ...runtime.log import harmless
from ...sources.base import AudioSource, AudioSourceHandlers
from ...transport.latch import Latch
from ..stt.core import SessionCore, SessionObserver
from .capture import Capture, StartConfig
from .listener import RecordingListener
from .pump import Pump

_log = logging.getLogger("soniox_sync")

MakeSession = Callable[[SttConfig, SessionObserver, CancelToken], SessionCore]


class RecordingRuntime:
    """Runs one recording. Thread-safe."""

    def __init__(
        self,
        source: AudioSource,
        config: StartConfig,
        make_session: MakeSession,
        options: RecordingOptions,
        context: RecorderContext,
        listener: RecordingListener,
        clock: Clock,
    ) -> None:
        # Immutable
        self.source = source
        self._make_session = make_session
        self._listener = listener
        self._clock = clock
        self.over: Latch = Latch()  # everything is closed, and the end was reported
        # Guards the fields below. Order: Recording -> send -> state -> leaf. Single fields of the
        # recorder (its state, its counters) may be read without it.
        self._lock = new_rlock()
        self._answered = new_condition(self._lock)  # `reconnecting` handlers need no waiting
        self._pump = Pump(self._lock, clock, self)
        self.recorder: Recorder = Recorder(options, context)
        self._capture = Capture(source, config, self.recorder, self._pump, self._lock, clock, self)
        self._sessions: dict[int, SessionCore] = {}
        self._opening: dict[int, CancelToken] = {}
        self._is_asking = False  # the pump waits for `reconnecting` handlers

    @property
    def is_joinable(self) -> bool:
        """Whether the caller may wait for the end: the source was started, this is not the pump."""
        return self._pump.is_enabled and not self._pump.is_current

    # -- commands --------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the source and the pump; raise what the source raises, or `StateError`."""
        with self._lock:
            if self.recorder.state is not RecordingState.IDLE:
                raise StateError(f"cannot start: the recording is {self.recorder.state}")
            self.recorder.start()
            self._capture.start()
            self._pass_on()
        try:
            self.source.start(
                AudioSourceHandlers(
                    on_data=self._capture.on_data,
                    on_error=self._source_failed,
                    on_muted=lambda *given: self._source_told("on_muted", SourceMuted(), given),
                    on_unmuted=lambda *given: self._source_told(
                        "on_unmuted", SourceUnmuted(), given
                    ),
                    on_end=self._source_ended,
                    on_restart=self._source_restarted,
                )
            )
        except BaseException as error:
            failure = error  # Python deletes `error` before the lambda may run
            self._enable_pump(lambda: self.recorder.fail(failure))
            raise
        self._enable_pump()

    def _enable_pump(self, act: Callable[[], object] = lambda: None) -> None:
        """Have done from now on what the recorder decides, first of all what follows from `act`."""

        def enable() -> None:
            act()
            self._pump.is_enabled = True

        self.command(enable)

    def command(self, act: Callable[[], object]) -> None:
        """Call `act`, which changes the recorder, under the lock, and see to what follows."""
        with self._lock:
            act()
            self.changed()
        self._pump.start_if_needed()

    def send_message(self, message: str) -> None:
        """Send a control message to the session that takes the audio, or raise `StateError`."""
        with self._lock:
            # A predecessor that is being drained is finishing, and a standby has a higher number.
            live = [n for n, each in self._sessions.items() if each.is_open]
            session = self._sessions[min(live)] if live else None
            state = self.recorder.state
        if session is None:
            raise StateError(
                f"cannot send a message: the recording is {state}, and no session is connected; "
                'send it in a handler of "session_restart"'
            )
        session.send_message(message)

    def cancel(self, error: BaseException) -> None:
        """End at once, at the user's request. Never blocks."""
        forks.check()  # what a forked child inherited is not its to cut
        with self._lock:
            is_idle = self.recorder.state is RecordingState.IDLE
            self.recorder.cancel(error)
            self._capture.release()
            self.changed()
            openings = list(self._opening.values())
            sessions = list(self._sessions.values())
        for token in openings:
            token.cancel("the recording was cancelled")
        for session in sessions:
            session.abort()  # here: the pump may be waiting for room to send
        self._pump.start_if_needed()
        if is_idle:  # no pump will do it
            self._clean_up(error)

    def changed(self, *, may_send: bool = False) -> Optional[actions.Send]:
        """Pass on what is new, have done what is due, wake who waited for it. Under the lock.

        With `may_send` the caller gets what is to be sent, and does it; see `Pump.look()`.
        """
        self._pass_on()
        send = self._pump.look(may_send=may_send)
        if self._capture.is_held:
            self._capture.let_go()
        if self._is_asking:
            self._answered.notify_all()
        return send

    def _pass_on(self) -> bool:
        """Pass on events and notices of the recorder; return whether there were any."""
        notices = self.recorder.take_notices()
        # For what comes with the end there is room always: a recording that is over cannot fail any
        # more, so that nobody would learn what was left out.
        weight = 0 if self.recorder.state.is_over else 1
        for notice in notices:
            if not isinstance(notice, SttEvent):
                self._listener.notify(notice)
            elif not self._listener.deliver(notice, weight):
                self.recorder.fail(self._listener.overflow())
                self._pump.is_quiet = False
                notices += self.recorder.take_notices()  # this loop goes on with them
        return bool(notices)

    def _notify(self, notice: Notice) -> None:
        with self._lock:
            self._listener.notify(notice)

    # -- the source ------------------------------------------------------------------------------

    # A source may be the user's: what it passes is checked here, and ends the recording, because an
    # exception would end the source's thread, and nobody would tell the recording.

    def _source_failed(self, error: Any = None) -> None:
        """Transcribe what was captured, then end with `error`."""
        if not isinstance(error, BaseException):
            advice = 'pass one, for instance AudioSourceError("the device is gone")'
            error = wrong_type("on_error", "an exception", error, advice)
        self.command(lambda: self._capture.ended(error))

    def _source_ended(self, *unexpected: object) -> None:
        """Transcribe what was captured, then end."""
        error = None
        if unexpected:
            advice = "a source that failed calls on_error(exception) instead"
            error = wrong_type("on_end", "no argument", unexpected[0], advice)
        self.command(lambda: self._capture.ended(error))

    def _source_told(self, name: str, notice: Notice, unexpected: tuple[object, ...]) -> None:
        """Pass on what the source tells of its device."""
        if unexpected:
            error = wrong_type(name, "no argument", unexpected[0])
            self.command(lambda: self._capture.ended(error))
        else:
            self._notify(notice)

    def _source_restarted(self, at_ms: Optional[int] = None) -> None:
        """Record that a new container follows, which starts `at_ms` (`None`: now)."""
        try:
            if at_ms is not None:
                number(0, unit="milliseconds")("on_restart(at_ms)", at_ms)
                at_ms = round(at_ms)
        except SonioxError as error:
            wrong = error  # Python deletes `error` before the lambda may run
            self.command(lambda: self._capture.ended(wrong))
        else:
            self.command(lambda: self.recorder.container_restarted(at_ms))

    def call_source(self, name: str) -> None:
        """Call an optional method of the source."""
        method = getattr(self.source, name, None)
        if method is not None:
            method()

    def stop_source(self) -> None:
        """Stop the source; a chunk that is being held back in `on_data` is still captured."""
        if self._capture.stop():
            self.source.stop()

    # -- what the pump does ------------------------------------------------------------------------

    def decide(self) -> actions.Action:
        """Return what to do now. Under the lock."""
        while True:
            try:
                action = self.recorder.next(self._clock.now())
            except Exception as unexpected:  # noqa: BLE001 - any thread may be the one that asks
                return actions.Done(self._report_failure(unexpected))
            # what was passed on may have failed the recording: then there is more to do
            if not (self._pass_on() and isinstance(action, actions.Wait)):
                return action

    def _report_failure(self, unexpected: Exception) -> BaseException:
        """Fail because of a mistake in this library. Under the lock."""
        _log.exception("! the pump of a recording failed")
        error = SonioxConnectionError(f"recording failed: {unexpected!r}", code="internal_error")
        self.recorder.fail(error)
        self._pass_on()
        return error

    def fail(self, error: BaseException) -> None:
        """Fail because no thread can be started. Under the lock."""
        self.recorder.fail(
            SonioxConnectionError(f"recording failed: {error}", code="internal_error")
        )

    def perform(self, action: actions.Action) -> bool:
        """Carry out an action; return whether it was the last. Never raises."""
        if isinstance(action, actions.Done):
            self._clean_up(action.error)
            return True
        try:
            self._perform(action)
        except Exception as unexpected:  # noqa: BLE001 - top of a thread: reported
            with self._lock:
                self._report_failure(unexpected)
        return False

    def _perform(self, action: actions.Action) -> None:
        if isinstance(action, actions.Send):
            self._with_session(action.number, lambda session: _send_all(session, action.data))
        elif isinstance(action, actions.Open):
            self._open(action.number)
        elif isinstance(action, actions.Finalize):
            self._with_session(action.number, lambda session: session.finalize())
        elif isinstance(action, actions.Finish):
            self._with_session(action.number, lambda session: session.end_audio())
        elif isinstance(action, actions.Abort):
            self._abort(action.number)
        elif isinstance(action, actions.Announce):
            self._announce(action)
        elif isinstance(action, actions.RestartSource):
            self._restart_source()

    def _with_session(self, number: int, act: Callable[[SessionCore], None]) -> None:
        with self._lock:
            session = self._sessions.get(number)
        if session is None:
            return
        try:
            act(session)
        except SonioxError as error:
            self._log_refusal(number, error)

    def offer(self, send: actions.Send, *, by_live_source: bool) -> Optional[bytes]:
        """Send audio without waiting; return what is left to send, `None` if nothing is."""
        session = self._sessions.get(send.number)
        if session is None:
            return None
        if by_live_source and session.connection.is_traced:
            return send.data  # a user's code would run here, and a live source must not wait for it
        try:
            return session.offer_audio(send.data)
        except SonioxError as error:
            self._log_refusal(send.number, error)
            return None

    def _log_refusal(self, number: int, error: SonioxError) -> None:
        # the session's observer reports its end, with its first cause
        _log.debug("! session %d: %s", number, harmless(str(error)))

    def _open(self, number: int) -> None:
        token = CancelToken()
        with self._lock:
            self._opening[number] = token
        threading.Thread(
            target=self._connect, args=(number, token), name="soniox-opener", daemon=True
        ).start()

    def _connect(self, number: int, token: CancelToken) -> None:
        """Open one session, on a thread of its own, so that the pump is not blocked."""
        failure: Optional[BaseException] = None
        with self._lock:
            config = self._capture.wire_config
        assert config is not None  # no session is opened before the format is known
        try:
            session = self._make_session(config, _Observer(self, number), token)
            with self._lock:
                self._sessions[number] = session
            session.connection.log("= session %d of the recording", number)
            session.connect()
        except BaseException as error:  # noqa: BLE001 - top of a thread: the recorder decides
            failure = error
        with self._lock:
            self._opening.pop(number, None)
            now = self._clock.now()
            if failure is None:
                self.recorder.opened(number, now)
            else:
                self.recorder.failed(number, failure, now)
            self.changed()
        self._pump.start_if_needed()

    def _abort(self, number: int) -> None:
        with self._lock:
            token = self._opening.pop(number, None)
            session = self._sessions.pop(number, None)
        if token is not None:
            token.cancel("the session is no longer needed")
        if session is not None:
            session.abort()

    def _announce(self, action: actions.Announce) -> None:
        """Let the `reconnecting` handlers decide; `stop()` and `cancel()` do not wait for them."""
        decision: list[bool] = []  # per announcement: a late answer must not affect the next one

        def decide(prevented: bool) -> None:
            with self._lock:
                decision.append(prevented)
                self._answered.notify_all()

        has_handlers = self._listener.ask_reconnect(action, decide)
        with self._lock:
            self._is_asking = has_handlers
            while has_handlers and not decision:
                if self.recorder.state is not RecordingState.RECONNECTING:
                    break
                self._answered.wait()
            self._is_asking = False
            self.recorder.announced(any(decision), self._clock.now())
            self._pass_on()

    def _restart_source(self) -> None:
        """Have the source start a new container; if it cannot, the recording ends."""
        try:
            self.call_source("restart")
        except SonioxError as error:
            _log.debug("! restarting the source: %s", error)
            failure = error  # Python deletes `error` before the lambda may run
            self.command(lambda: self.recorder.restart_failed(failure))

    def _clean_up(self, error: Optional[BaseException]) -> None:
        """Stop and close everything, then report the end. The pump's last action."""
        with self._lock:
            self._pump.stop_timer()
            sessions = list(self._sessions.values())
            tokens = list(self._opening.values())
            self._sessions.clear()
        for token in tokens:
            token.cancel("the recording is over")
        for session in sessions:
            session.abort()
        try:
            self.stop_source()
        except BaseException:  # noqa: BLE001 - a user's code, at the top of a thread: logged
            _log.exception("! stopping the audio source failed")
        self._listener.ended(error)
        self.over.set()

    # -- sessions, on their reader threads -------------------------------------------------------

    def received(self, number: int, event: SttEvent) -> None:
        """Handle one event of a session."""
        with self._lock:
            self.recorder.received(number, event, self._clock.now())
            self._pass_on()
            if self._pump.is_quiet:
                return
            self.changed()
        self._pump.start_if_needed()

    def session_ended(self, number: int, error: Optional[BaseException]) -> None:
        """Handle the end of a session; `error` is `None` if the service finished it."""
        with self._lock:
            self._sessions.pop(number, None)
            now = self._clock.now()
            if error is None:
                self.recorder.finished(number, now)
            else:
                self.recorder.failed(number, error, now)
            self.changed()
        self._pump.start_if_needed()

    # -- fork ------------------------------------------------------------------------------------

    def invalidate(self, error: BaseException) -> None:
        """Fail in a forked child, where the pump does not run; the parent's recording goes on."""
        self._pump.invalidate()
        self._capture.invalidate()
        self.recorder.fail(error)
        self.over.set()


def _send_all(session: SessionCore, audio: bytes) -> None:
    """Send audio, or without any what is left of a message; may wait for room."""
    if audio:
        session.send_audio(audio)
    else:
        session.flush()


class _Observer(SessionObserver):
    """Observer that passes the events of one session to the runtime, with the session's number."""

    def __init__(self, runtime: RecordingRuntime, number: int) -> None:
        self._runtime = runtime
        self._number = number

    def received(self, event: SttEvent) -> Optional[SonioxError]:
        """Handle one event."""
        if event.kind != "finished":  # ended() reports that
            self._runtime.received(self._number, event)
        return None

    def ended(self, error: Optional[BaseException], failed: bool) -> None:
        """Handle the end of the session."""
        self._runtime.session_ended(self._number, error)
