"""The engine room of a `Recording`: its lock, its threads, its sessions.

The decisions are in `protocol/recorder.py`; here they are carried out. The lock of the recording is
held round every call of its `Recorder` and while what that has to tell is put into queues, never
round I/O or a wait. Lock order: Recording -> send -> state -> leaf.

Threads: the source's own, one pump that sends, one reader per session, an opener while a session is
being connected.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Any, Callable, Optional, Protocol

from .cancel import CancelToken
from .clock import Clock
from .config import SttConfig
from .errors import SonioxConnectionError, SonioxError
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
from .protocol.tokens import SttEvent
from .sources.base import AudioSource, AudioSourceHandlers
from .stt import SessionObserver, SttSession
from .transport.deadline import slice_sec
from .transport.latch import Latch

_log = logging.getLogger("soniox_sync")

MakeSession = Callable[[SttConfig, SessionObserver, CancelToken], SttSession]

# a finite source is held back when this much audio waits to be sent; a pause costs no more memory
_READ_AHEAD_SEC = 5.0


class Listener(Protocol):
    """Is told what happens. All but the last two come under the recording's lock: no waiting."""

    def _deliver(self, event: SttEvent) -> bool:
        """Take one event for the user; False when nobody consumes and its queue is full."""

    def _overflow(self) -> SonioxError:
        """Make the error for a queue that is full."""

    def _emit(self, kind: str, payload: Any) -> None:
        """Take news: a name of an event and what it carries."""

    def _ask_reconnect(self, action: Announce, answered: Callable[[bool], None]) -> bool:
        """Have the user's handlers decide; False when there are none to ask."""

    def _ended(self, error: Optional[BaseException]) -> None:
        """Learn that all is over. The pump's last act."""


class RecordingRuntime:
    """Runs one recording. Safe from any thread."""

    def __init__(
        self,
        source: AudioSource,
        config: SttConfig,
        make_session: MakeSession,
        settings: RecorderSettings,
        listener: Listener,
        clock: Clock,
    ) -> None:
        # Immutable
        self.source = source
        self._config = config
        self._make_session = make_session
        self._listener = listener
        self._clock = clock
        self._is_live = bool(getattr(source, "is_live", True))
        self.over = Latch()  # the pump has ended
        self.thread = threading.Thread(target=self._run, name="soniox-recording", daemon=True)
        # Guards the fields below. Order: Recording -> send -> state -> leaf.
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.recorder = Recorder(settings)
        self._intake = Intake(config.audio_format, config.sample_rate, config.num_channels)
        self._sessions: dict[int, SttSession] = {}
        self._opening: dict[int, CancelToken] = {}
        self._source_running = False
        self._released = False  # a source that waits in on_data must return
        self._answer: Optional[bool] = None  # of the handlers of `reconnecting`

    def start(self) -> None:
        """Start the source and the pump; raises what the source raises."""
        with self.lock:
            self.recorder.start()
            self._learn_format()
            self._source_running = True
            self._tell()
        try:
            self.source.start(self._handlers())
        except BaseException as error:
            failure = error  # the name of the handler is gone when the lambda runs
            self.command(lambda: self.recorder.fail(failure))
            self.thread.start()
            raise
        self.thread.start()

    def _handlers(self) -> AudioSourceHandlers:
        return AudioSourceHandlers(
            on_data=self._on_data,
            on_error=self._on_source_error,
            on_muted=lambda: self._listener._emit("source_muted", None),
            on_unmuted=lambda: self._listener._emit("source_unmuted", None),
            on_end=self._on_source_end,
            on_restart=self._on_source_restart,
        )

    def command(self, act: Callable[[], object]) -> None:
        """Change the recorder under the lock and let everybody learn what comes of it."""
        with self.lock:
            act()
            self._tell()

    def cut(self, error: BaseException) -> None:
        """End at once by the user's wish. Never blocks."""
        with self.lock:
            self.recorder.cancel(error)
            self._released = True
            self._tell()
            openings = list(self._opening.values())
        for token in openings:
            token.cancel("the recording was cancelled")

    def _tell(self) -> None:
        """Hand what the recorder has to say to the listener. Under the lock; no waiting."""
        recorder = self.recorder
        while recorder.notices:
            kind, payload = recorder.notices.pop(0)
            if kind != "event":
                self._listener._emit(kind, payload)
            elif not self._listener._deliver(payload):
                recorder.fail(self._listener._overflow())
        self.news.notify_all()

    # -- the source's thread ---------------------------------------------------------------------

    def _on_data(self, data: bytes) -> None:
        with self.lock:
            if not self._is_live:
                while self._must_wait():
                    self.news.wait(slice_sec())
            self._learn_format()
            try:
                audio = self._intake.take(bytes(data))
            except SonioxError as error:
                self.recorder.fail(error)
                audio = b""
            self._settle_format()
            if audio:
                self.recorder.capture(audio)
            self._tell()

    def _must_wait(self) -> bool:
        if self._released or self.recorder.state.is_over:
            return False
        return self.recorder.is_paused or self.recorder.ahead_sec > _READ_AHEAD_SEC

    def _learn_format(self) -> None:
        """Take the source's word for what it delivers. Under the lock."""
        told = getattr(self.source, "audio", None)
        raw = getattr(told, "raw", None)
        if raw is not None:
            self._intake.declare(raw)
        self._settle_format()

    def _settle_format(self) -> None:
        if self._intake.known and not self.recorder.knows_audio:
            self.recorder.know(self._intake.audio)

    def _on_source_end(self) -> None:
        with self.lock:
            try:
                rest = self._intake.end()
            except SonioxError as error:
                self.recorder.fail(error)
            else:
                self._settle_format()
                if rest:
                    self.recorder.capture(rest)
                self.recorder.stop()
            self._tell()

    def _on_source_error(self, error: BaseException) -> None:
        with self.lock:
            self._intake.end()
            self._settle_format()
            self.recorder.stop(error)
            self._tell()

    def _on_source_restart(self) -> None:
        with self.lock:
            self.recorder.container_restarted()

    def _restart_source(self) -> None:
        """Have the source begin a new container; one that cannot ends the recording."""
        try:
            self.ask_source("restart")
        except SonioxError as error:
            _log.debug("! restarting the source: %s", error)
            with self.lock:
                self.recorder.restart_failed(error)
                self._tell()

    def ask_source(self, name: str) -> None:
        method = getattr(self.source, name, None)
        if method is not None:
            method()

    def end_source(self) -> None:
        """Stop the source; a piece it is waiting to hand over is still taken."""
        with self.lock:
            running, self._source_running = self._source_running, False
            self._released = True
            self.news.notify_all()
        if running:
            self.source.stop()

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
            with self.lock:
                self.recorder.fail(error)
        finally:
            self._wind_up(error)

    def _work(self) -> Optional[BaseException]:
        while True:
            with self.lock:
                action = self.recorder.next(self._clock.now())
                self._tell()
                if isinstance(action, Wait):
                    self._sleep(action.until)
                    continue
            if isinstance(action, Done):
                return action.error
            self._perform(action)

    def _sleep(self, until: Optional[float]) -> None:
        """Wait for news under the lock, until a moment of the clock at most."""
        self.news.wait(None if until is None else max(0.0, until - self._clock.now()))

    def _perform(self, action: Action) -> None:
        if isinstance(action, Send):
            self._with_session(action.number, lambda session: session.send_audio(action.data))
            with self.lock:
                self.news.notify_all()  # a source that was held back may go on
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
        with self.lock:
            self._opening[number] = token
        threading.Thread(
            target=self._connect, args=(number, token), name="soniox-opener", daemon=True
        ).start()

    def _connect(self, number: int, token: CancelToken) -> None:
        """Open one session, on a thread of its own, so that the pump stays answerable."""
        try:
            session = self._make_session(self._wire_config(), _Observer(self, number), token)
            with self.lock:
                self._sessions[number] = session
            session.connect()
        except Exception as error:  # noqa: BLE001 - a thread's top: the recorder decides
            failure: Optional[BaseException] = error
        else:
            failure = None
        with self.lock:
            self._opening.pop(number, None)
            now = self._clock.now()
            if failure is None:
                self.recorder.opened(number, now)
            else:
                self.recorder.failed(number, failure, now)
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
        with self.lock:
            token = self._opening.pop(number, None)
            session = self._sessions.pop(number, None)
        if token is not None:
            token.cancel("the session is no longer needed")
        if session is not None:
            session.abandon()

    def _announce(self, action: Announce) -> None:
        """Let the handlers of `reconnecting` decide; a stop or cancel meanwhile cuts it short."""
        self._answer = None
        if self._listener._ask_reconnect(action, self._answered):
            with self.lock:
                while self._answer is None and self.recorder.state is RecordingState.RECONNECTING:
                    self.news.wait()
        prevented = bool(self._answer)
        self.command(lambda: self.recorder.announced(prevented, self._clock.now()))

    def _answered(self, prevented: bool) -> None:
        with self.lock:
            self._answer = prevented
            self.news.notify_all()

    def _wind_up(self, error: Optional[BaseException]) -> None:
        """Stop and close everything, then let everybody know. The pump's last act."""
        with self.lock:
            sessions = list(self._sessions.values())
            tokens = list(self._opening.values())
            self._sessions.clear()
        for token in tokens:
            token.cancel("the recording is over")
        for session in sessions:
            session.abandon()
        try:
            self.end_source()
        except Exception:  # noqa: BLE001 - foreign code at a thread's top: logged
            _log.exception("! stopping the audio source failed")
        self._listener._ended(error)
        self.over.set()

    # -- fork ------------------------------------------------------------------------------------

    def orphan(self) -> None:
        """Make a forked child's copy dead; the parent's goes on."""
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.over = Latch()
        self._source_running = False
        if not self.recorder.state.is_over:
            self.recorder.state = RecordingState.ERROR
        self.over.set()


class _Observer(SessionObserver):
    """Hands what one session received to the runtime, under its number."""

    def __init__(self, runtime: RecordingRuntime, number: int) -> None:
        self._runtime = runtime
        self._number = number

    def heard(self, event: SttEvent) -> None:
        """Take one event."""
        runtime = self._runtime
        with runtime.lock:
            runtime.recorder.heard(self._number, event, runtime._clock.now())
            runtime._tell()

    def over(self, error: Optional[BaseException]) -> None:
        """Take the end of the session."""
        runtime = self._runtime
        with runtime.lock:
            runtime._sessions.pop(self._number, None)
            now = runtime._clock.now()
            if error is None:
                runtime.recorder.finished(self._number, now)
            else:
                runtime.recorder.failed(self._number, error, now)
            runtime._tell()
