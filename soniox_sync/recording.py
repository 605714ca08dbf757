"""`Recording`: an audio source transcribed over as many sessions as it takes, losing nothing.

The decisions are in `protocol/recorder.py`; here are the threads that carry them out. Lock order:
Recording -> send -> state -> leaf. The lock of the recording is held round every call of its
`Recorder` and while what that has to tell is put into queues, never round I/O or a wait.

Threads: the source's own, one pump that sends, one reader per session, an opener while a session is
being connected, a callback thread once a handler is registered.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Callable, Optional

from .cancel import CancelToken
from .clock import Clock, process_clock
from .config import SttConfig
from .delivery import CallbackWorker, Delivery, Emitter, Handler
from .errors import (
    AbortError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    fresh,
)
from .protocol.intake import Intake
from .protocol.recorder import Recorder
from .protocol.recorder_actions import (
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
from .protocol.tokens import Result, SttEvent
from .sources.base import AudioSource, AudioSourceHandlers
from .stt import SessionObserver, SttSession
from .transcript import Transcript
from .transport.deadline import Deadline, wait_for

_log = logging.getLogger("soniox_sync")

MakeSession = Callable[[SttConfig, SessionObserver, CancelToken], SttSession]

# a finite source is held back when this much audio waits to be sent; a pause costs no more memory
_READ_AHEAD_SEC = 5.0
# how long close() waits for the pump; it only has to cut lines and stop the source
_CLOSE_WAIT_SEC = 5.0
# how long the end of a `with` block lets handlers run that are due already
_CALLBACK_DRAIN_SEC = 10.0
# waits are cut into slices where Ctrl-C is seen only between them (Windows)
_SLICE_SEC = 0.2 if os.name == "nt" else None

_EVENTS = (
    "connected",
    "endpoint",
    "error",
    "finalized",
    "finished",
    "reconnected",
    "reconnecting",
    "result",
    "session_restart",
    "source_muted",
    "source_unmuted",
    "state_change",
    "token",
)
_DATA_EVENTS = ("result", "token")


class ReconnectingEvent:
    """Is handed to `"reconnecting"` handlers; one of them may call `prevent_default()`.

    `attempt` counts from 1 up to `max_attempts`; `delay_sec` passes before the attempt is made.
    """

    def __init__(self, attempt: int, max_attempts: int, delay_sec: float) -> None:
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.delay_sec = delay_sec
        self.default_prevented = False

    def prevent_default(self) -> None:
        """Give up instead of reconnecting; the recording ends with the error."""
        self.default_prevented = True

    def __repr__(self) -> str:
        return f"<ReconnectingEvent {self.attempt}/{self.max_attempts} in {self.delay_sec:.3g} s>"


class Recording:
    """Transcribes a source until it ends or `stop()` is called. Made by `client.realtime.record`.

    Iterating gives `SttEvent`s on one clock, every final token once, whatever happens to the lines
    underneath (with `auto_reconnect`); it ends normally only after the last word is final. Safe
    from any thread. As a context manager: leaving normally stops and drains, leaving by an
    exception cancels. Source: Soniox docs stt/rt, PROTOCOL 2, 9 (RecordOptions).
    """

    def __init__(
        self,
        source: AudioSource,
        config: SttConfig,
        make_session: MakeSession,
        settings: RecorderSettings,
        *,
        cancel: Optional[CancelToken] = None,
        max_buffered_events: int = 10_000,
        reset_transcript_on_reconnect: bool = False,
        clock: Clock = process_clock,
    ) -> None:
        # Immutable
        self._source = source
        self._config = config
        self._make_session = make_session
        self._settings = settings
        self._cancel_token = cancel
        self._reset_transcript = reset_transcript_on_reconnect
        self._clock = clock
        self._is_live = bool(getattr(source, "is_live", True))
        self._worker = CallbackWorker("soniox-callback-recording")
        self._events = Emitter(_EVENTS, self._worker, final=("finished", "error"))
        self._delivery: Delivery[SttEvent] = Delivery(max_buffered_events, "events")
        self._over = threading.Event()  # the pump has ended
        self._thread = threading.Thread(target=self._run, name="soniox-recording", daemon=True)
        # Guards the fields below. Order: Recording -> send -> state -> leaf.
        self._news = threading.Condition(threading.RLock())
        self._recorder = Recorder(settings)
        self._intake = Intake(config.audio_format, config.sample_rate, config.num_channels)
        self._sessions: dict[int, SttSession] = {}
        self._opening: dict[int, CancelToken] = {}
        self._source_running = False
        self._released = False  # a source that waits in on_data must return
        self._error: Optional[BaseException] = None
        self._forget_cancel: Optional[Callable[[], None]] = None
        self._transcript = Transcript()
        _live.add(self)

    # -- facts -----------------------------------------------------------------------------------

    @property
    def state(self) -> RecordingState:
        """Give the present state."""
        return self._recorder.state

    @property
    def transcript(self) -> Transcript:
        """Give the live transcript of what was delivered so far."""
        return self._transcript

    @property
    def lost_ms(self) -> int:
        """Give how much audio, in milliseconds, could not be kept for a new session; 0 is whole."""
        return self._recorder.lost_ms

    @property
    def source(self) -> AudioSource:
        """Give the source of the audio."""
        return self._source

    def __repr__(self) -> str:
        return f"<Recording {self.state} {self._recorder.held_bytes} bytes kept>"

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> Recording:
        """Start the source and the first session; `client.realtime.record()` has done it.

        Returns once the source captures; connecting goes on behind. Raises what the source raises
        (`AudioSourceError`, `OSError`), `StateError` the second time.
        """
        with self._news:
            if self.state is not RecordingState.IDLE:
                raise StateError(f"cannot start: the recording is {self.state}")
            self._recorder.start()
            self._learn_format()
            self._source_running = True
            self._tell()
        handlers = AudioSourceHandlers(
            on_data=self._on_data,
            on_error=self._on_source_error,
            on_muted=lambda: self._events.emit("source_muted"),
            on_unmuted=lambda: self._events.emit("source_unmuted"),
            on_end=self._on_source_end,
            on_restart=self._on_source_restart,
        )
        try:
            self._source.start(handlers)
        except BaseException as error:
            with self._news:
                self._recorder.fail(error)
                self._tell()
            self._thread.start()
            raise
        self._thread.start()
        token = self._cancel_token
        if token is not None:
            self._forget_cancel = token.on_cancel(lambda: self.cancel(token.error()))
        return self

    def stop(self, timeout_sec: Optional[float] = None) -> None:
        """End the recording well: no more audio, everything captured transcribed, last word final.

        Legal in every state, also while reconnecting; idempotent. Waits for the end, at most
        `timeout_sec` (`None`: as long as it takes). Raises the recording's error, or
        `SonioxTimeoutError` (the recording goes on ending by itself).
        """
        self._end_source()
        with self._news:
            self._recorder.stop()
            self._tell()
        self.wait(timeout_sec)

    def cancel(self, error: Optional[BaseException] = None) -> None:
        """End at once; iterating raises `AbortError`. Idempotent, never blocks for long."""
        with self._news:
            self._recorder.cancel(error or AbortError("the recording was cancelled"))
            self._released = True
            self._tell()
            openings = list(self._opening.values())
        for token in openings:
            token.cancel("the recording was cancelled")

    def close(self) -> None:
        """Cancel unless it is over, and wait a few seconds at most until nothing is left of it."""
        self.cancel()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            wait_for(self._over, Deadline(_CLOSE_WAIT_SEC))
            self._worker.drain(Deadline(_CALLBACK_DRAIN_SEC))

    def wait(self, timeout_sec: Optional[float] = None) -> None:
        """Wait until the recording is over. Raises its error, or `SonioxTimeoutError`."""
        if not wait_for(self._over, Deadline(timeout_sec)):
            raise SonioxTimeoutError(
                f"the recording did not end within {timeout_sec:g} s; it is {self.state}"
            )
        if self._error is not None:
            raise fresh(self._error)

    def pause(self) -> None:
        """Leave out what is said until `resume()`; what was said before is made final. The session
        is kept alive, and the pause is billed. Idempotent."""
        with self._news:
            self._recorder.pause()
            self._tell()
        self._ask_source("pause")

    def resume(self) -> None:
        """Go on after `pause()`. Idempotent."""
        with self._news:
            self._recorder.resume()
            self._tell()
        self._ask_source("resume")

    def finalize(self) -> None:
        """Ask that everything captured so far become final; a `"finalized"` event answers."""
        with self._news:
            self._recorder.finalize()
            self._news.notify_all()

    def reconnect(self) -> None:
        """Change to a new session now, losing nothing; for instance after the network changed."""
        with self._news:
            self._recorder.reconnect()
            self._tell()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None and self.state is not RecordingState.CANCELED:
                self.stop()
                self._worker.drain(Deadline(_CALLBACK_DRAIN_SEC))
        finally:
            self.close()

    # -- results ---------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[SttEvent]:
        """Iterate over events as they arrive; ends after the `"finished"` one.

        Raises the error that ended the recording, after everything received before it.
        """
        self._delivery.start_pulling()
        return self._pull()

    def _pull(self) -> Iterator[SttEvent]:
        take, forever = self._delivery.take, Deadline(None)
        while True:
            event = take(forever, "result")
            if event is None:
                return
            yield event

    def results(self) -> Iterator[Result]:
        """Iterate over the `Result`s only, the `finished` one last; ends and raises like `iter`."""
        self._delivery.start_pulling()
        return (event.result for event in self._pull() if event.kind in ("result", "finished"))

    def on(self, event: str, handler: Handler) -> Recording:
        """Call `handler` at each `event`; gives the recording back.

        `"result"` (Result), `"token"` (Token), `"endpoint"`, `"finalized"`, `"finished"`,
        `"connected"`, `"error"` (exception), `"state_change"` (mapping: old_state, new_state,
        reason), `"reconnecting"` (`ReconnectingEvent`), `"reconnected"` (mapping: attempt,
        replayed_ms, lost_ms), `"session_restart"` (mapping: reset_transcript), `"source_muted"`,
        `"source_unmuted"`. Handlers run on the recording's callback thread, in order. One for
        results or tokens takes them from then on; iterating raises `StateError` after it.
        """
        return self._register(event, handler, once=False)

    def once(self, event: str, handler: Handler) -> Recording:
        """Call `handler` at the next `event` only."""
        return self._register(event, handler, once=True)

    def off(self, event: str, handler: Optional[Handler] = None) -> Recording:
        """Forget a handler, or all of `event`."""
        self._events.off(event, handler)
        return self

    def _register(self, event: str, handler: Handler, once: bool) -> Recording:
        self._events.on(event, handler, once=once)
        if event in _DATA_EVENTS:
            try:
                self._delivery.push_to(self._push, self._worker)
            except SonioxError:
                self._events.off(event, handler)
                raise
        return self

    def _push(self, event: SttEvent) -> None:
        if event.kind == "result":
            self._events.run("result", event.result)
            if self._events.has("token"):
                for token in event.result.tokens:
                    self._events.run("token", token)
        elif not event.told:
            self._events.run(event.kind)

    # -- the source's thread ---------------------------------------------------------------------

    def _on_data(self, data: bytes) -> None:
        with self._news:
            if not self._is_live:
                while self._must_wait():
                    self._news.wait(_SLICE_SEC)
            self._learn_format()
            try:
                audio = self._intake.take(bytes(data))
            except SonioxError as error:
                self._recorder.fail(error)
                audio = b""
            self._settle_format()
            if audio:
                self._recorder.capture(audio)
            self._tell()

    def _must_wait(self) -> bool:
        if self._released or self.state.is_over:
            return False
        return self._recorder.is_paused or self._recorder.ahead_sec > _READ_AHEAD_SEC

    def _learn_format(self) -> None:
        """Take the source's word for what it delivers. Under the lock."""
        told = getattr(self._source, "audio", None)
        raw = getattr(told, "raw", None)
        if raw is not None:
            self._intake.declare(raw)
        self._settle_format()

    def _settle_format(self) -> None:
        if self._intake.known and not self._recorder.knows_audio:
            self._recorder.know(self._intake.audio)

    def _on_source_end(self) -> None:
        with self._news:
            rest = self._intake.end()
            self._settle_format()
            if rest:
                self._recorder.capture(rest)
            self._recorder.stop()
            self._tell()

    def _on_source_error(self, error: BaseException) -> None:
        with self._news:
            self._intake.end()
            self._settle_format()
            self._recorder.stop(error)
            self._tell()

    def _on_source_restart(self) -> None:
        with self._news:
            self._recorder.container_restarted()

    def _restart_source(self) -> None:
        """Have the source begin a new container; one that cannot ends the recording."""
        try:
            self._ask_source("restart")
        except SonioxError as error:
            with self._news:
                self._recorder.fail(error)
                self._tell()

    def _ask_source(self, name: str) -> None:
        method = getattr(self._source, name, None)
        if method is not None:
            method()

    def _end_source(self) -> None:
        """Stop the source; a piece it is waiting to hand over is still taken."""
        with self._news:
            running, self._source_running = self._source_running, False
            self._released = True
            self._news.notify_all()
        if running:
            self._source.stop()

    # -- the pump --------------------------------------------------------------------------------

    def _run(self) -> None:
        error: Optional[BaseException] = None
        try:
            error = self._work()
        except Exception as unexpected:  # noqa: BLE001 - a thread's top: reported
            _log.exception("! the pump of a recording failed")
            error = SonioxConnectionError(
                f"recording failed: {unexpected!r}", code="internal_error"
            )
            with self._news:
                self._recorder.fail(error)
        finally:
            self._wind_up(error)

    def _work(self) -> Optional[BaseException]:
        while True:
            with self._news:
                action = self._recorder.next(self._clock.now())
                self._tell()
                if isinstance(action, Wait):
                    self._sleep(action.until)
                    continue
            if isinstance(action, Done):
                return action.error
            self._perform(action)

    def _sleep(self, until: Optional[float]) -> None:
        """Wait for news under the lock, until a moment of the clock at most."""
        self._news.wait(None if until is None else max(0.0, until - self._clock.now()))

    def _perform(self, action: Action) -> None:
        if isinstance(action, Send):
            self._with_session(action.number, lambda session: session.send_audio(action.data))
            with self._news:
                self._news.notify_all()  # a source that was held back may go on
        elif isinstance(action, Open):
            self._open(action.number)
        elif isinstance(action, Finalize):
            self._with_session(action.number, lambda session: session.finalize())
        elif isinstance(action, End):
            self._with_session(action.number, lambda session: session.end_audio())
        elif isinstance(action, Abandon):
            self._abandon(action.number)
        elif isinstance(action, Announce):
            self._announce(action)
        elif isinstance(action, RestartSource):
            self._restart_source()

    def _with_session(self, number: int, act: Callable[[SttSession], None]) -> None:
        session = self._sessions.get(number)
        if session is None:
            return
        try:
            act(session)
        except SonioxError as error:
            # its observer reports the end of the session, with the first cause of it
            _log.debug("! session %d: %s", number, error)

    def _open(self, number: int) -> None:
        token = CancelToken()
        with self._news:
            self._opening[number] = token
        threading.Thread(
            target=self._connect, args=(number, token), name="soniox-opener", daemon=True
        ).start()

    def _connect(self, number: int, token: CancelToken) -> None:
        """Open one session, on a thread of its own, so that the pump stays answerable."""
        try:
            session = self._make_session(self._wire_config(), _Observer(self, number), token)
            with self._news:
                self._sessions[number] = session
            session.connect()
        except Exception as error:  # noqa: BLE001 - a thread's top: the recorder decides
            failure: Optional[BaseException] = error
        else:
            failure = None
        with self._news:
            self._opening.pop(number, None)
            now = self._clock.now()
            if failure is None:
                self._recorder.opened(number, now)
            else:
                self._recorder.failed(number, failure, now)
            self._tell()

    def _wire_config(self) -> SttConfig:
        audio = self._intake.audio
        if audio is None:
            return self._config
        return replace(
            self._config,
            audio_format=audio.format,
            sample_rate=audio.sample_rate,
            num_channels=audio.num_channels,
        )

    def _abandon(self, number: int) -> None:
        with self._news:
            token = self._opening.pop(number, None)
            session = self._sessions.pop(number, None)
        if token is not None:
            token.cancel("the session is no longer needed")
        if session is not None:
            session.abandon()

    def _announce(self, action: Announce) -> None:
        """Let the handlers of `reconnecting` decide; a stop or cancel meanwhile cuts it short."""
        event = ReconnectingEvent(action.attempt, action.max_attempts, action.delay_sec)
        if self._events.has("reconnecting"):
            heard = threading.Event()
            self._events.emit("reconnecting", event)
            self._worker.post(lambda: self._wake(heard))
            with self._news:
                while not heard.is_set() and self.state is RecordingState.RECONNECTING:
                    self._news.wait()
        with self._news:
            self._recorder.announced(event.default_prevented, self._clock.now())
            self._tell()

    def _wake(self, heard: threading.Event) -> None:
        heard.set()
        with self._news:
            self._news.notify_all()

    def _wind_up(self, error: Optional[BaseException]) -> None:
        """Stop and close everything, then let everybody know. The pump's last act."""
        with self._news:
            sessions = list(self._sessions.values())
            tokens = list(self._opening.values())
            self._sessions.clear()
            self._error = error
            forget = self._forget_cancel
        for token in tokens:
            token.cancel("the recording is over")
        for session in sessions:
            session.abandon()
        try:
            self._end_source()
        except Exception:  # noqa: BLE001 - foreign code at a thread's top: logged
            _log.exception("! stopping the audio source failed")
        if forget is not None:
            forget()
        self._delivery.end(error)
        if error is not None and not isinstance(error, AbortError):
            self._events.emit("error", error)
        self._worker.stop()
        self._over.set()

    # -- telling ---------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Hand what the recorder has to say to queues and handlers. Under the lock; no waiting."""
        recorder = self._recorder
        if recorder.notices:
            notices, recorder.notices = recorder.notices, []
            for kind, payload in notices:
                if kind == "event":
                    self._deliver(payload)
                elif kind == "session_restart":
                    if self._reset_transcript:
                        self._transcript.clear()
                    self._events.emit(kind, {"reset_transcript": self._reset_transcript})
                elif payload is None:
                    self._events.emit(kind)
                else:
                    self._events.emit(kind, payload)
        self._news.notify_all()

    def _deliver(self, event: SttEvent) -> None:
        self._transcript.add_event(event)
        live = event.kind != "result" and not self._delivery.is_pushed
        if live and self._events.has(event.kind):
            event.told = True
            self._events.emit(event.kind)
        if not self._delivery.put(event, 1):
            self._recorder.fail(self._delivery.overflow())

    # -- fork ------------------------------------------------------------------------------------

    def _orphan(self) -> None:
        """Make a forked child's copy dead; the parent's goes on."""
        error = SonioxConnectionError(
            "this recording was started before a fork and belongs to the parent process",
            code="forked",
        )
        self._news = threading.Condition(threading.RLock())
        self._over = threading.Event()
        self._delivery.renew_locks()
        self._events.renew_locks()
        self._worker.renew_locks()
        self._source_running = False
        if not self.state.is_over:
            self._error = error
            self._recorder.state = RecordingState.ERROR
            self._delivery.end(error)
        self._over.set()


class _Observer(SessionObserver):
    """Hands what one session received to the recording, under its number."""

    def __init__(self, recording: Recording, number: int) -> None:
        self._recording = recording
        self._number = number

    def heard(self, event: SttEvent) -> None:
        """Take one event."""
        recording = self._recording
        with recording._news:
            recording._recorder.heard(self._number, event, recording._clock.now())
            recording._tell()

    def over(self, error: Optional[BaseException]) -> None:
        """Take the end of the session."""
        recording = self._recording
        with recording._news:
            recording._sessions.pop(self._number, None)
            now = recording._clock.now()
            if error is None:
                recording._recorder.finished(self._number, now)
            else:
                recording._recorder.failed(self._number, error, now)
            recording._tell()


# Recordings of this process, for the child of a fork
_live: weakref.WeakSet[Recording] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for recording in list(_live):
        recording._orphan()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
