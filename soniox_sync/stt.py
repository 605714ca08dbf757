"""`SttSession`: one transcription over one WebSocket. Audio in, results out, no reconnect.

For audio that must survive a dropped line use `Recording`. Source: Soniox docs
stt/rt/real-time-transcription; PROTOCOL 2.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import Callable, Optional, Protocol

from .cancel import CancelToken
from .clock import Clock, IdleTimer, process_clock
from .config import SttConfig, SttSessionOptions
from .connection import Connection, LineEnd
from .errors import (
    ConfigurationError,
    ConnectTimeoutError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    fresh,
)
from .protocol.dialects import NATIVE_STT, SttDialect
from .protocol.messages import malformed
from .protocol.states import STT, SttSessionState, SttStep, step
from .protocol.stt import SttReceiver
from .protocol.tokens import Result, SttEvent
from .stt_outlet import SttOutlet
from .stt_sending import Audio, SendHandle, audio_frames, send_paced
from .transport.connect import Target
from .transport.deadline import Deadline, patience, wait_for
from .transport.frames import TEXT, Message, encode_frame
from .transport.latch import Latch
from .transport.sender import Frames

_log = logging.getLogger("soniox_sync")

# the server closes by itself right after `finished` or an error frame
_CLOSE_AFTER_END_SEC = 2.0
# closing early waits this long for the server's goodbye; results no longer matter then
_CLOSE_WAIT_SEC = 1.0
# how long a failed send waits for the reader to tell why; it needs microseconds
_LAST_WORDS_SEC = 1.0
# how long the end of a `with` block lets handlers run that are due already
_CALLBACK_DRAIN_SEC = 10.0
_EVENTS = (
    "result",
    "token",
    "endpoint",
    "finalized",
    "finished",
    "connected",
    "disconnected",
    "error",
    "state_change",
)
# happen once; a session is handed out connected, so handlers may come later than they
_ONCE = ("connected", "finished", "disconnected", "error")


class SessionObserver(Protocol):
    """Takes what a session receives instead of its queue. Calls come without any lock held."""

    def heard(self, event: SttEvent) -> None:
        """Take one event, on the reader thread; must not block."""

    def over(self, error: Optional[BaseException]) -> None:
        """Learn once that the session ended, `None` after `finished`; from any thread."""


class SttSession(SttOutlet):
    """Transcribes one stream of audio. Made by `client.realtime.stt(...)`, connected.

    One thread may send while another iterates. Iterating gives `SttEvent`s and ends normally only
    after the service said that it has finished; anything else raises, after all that was received.
    As a context manager: leaving normally finishes and waits for the last results, leaving by an
    exception closes at once.

    Events for `on()`: `"result"` (Result), `"token"` (Token), `"endpoint"`, `"finalized"`,
    `"finished"`, `"connected"`, `"disconnected"` (reason), `"error"` (exception), `"state_change"`
    (mapping with old_state and new_state).
    """

    def __init__(
        self,
        target: Target,
        config: SttConfig,
        options: SttSessionOptions,
        *,
        message_key: Optional[str] = None,
        cancel: Optional[CancelToken] = None,
        observer: Optional[SessionObserver] = None,
        dialect: SttDialect = NATIVE_STT,
        send_timeout_sec: float = 30.0,
        clock: Clock = process_clock,
    ) -> None:
        super().__init__(_EVENTS, _ONCE, options.max_buffered_events, "soniox-callback-stt")
        # Immutable
        self._config = config
        self._options = options
        self._message_key = message_key
        self._cancel = cancel
        self._dialect = dialect
        self._observer = observer
        self._connection = Connection(
            target,
            self,
            ping_interval_sec=options.ping_interval_sec,
            ping_timeout_sec=options.ping_timeout_sec,
            send_timeout_sec=send_timeout_sec,
            clock=clock,
        )
        # Reader only
        self._receiver = SttReceiver(dialect)
        # Guards the fields below. Never held across I/O. Order: send -> state.
        self._lock = threading.Lock()
        self._state = SttSessionState.IDLE
        self._error: Optional[BaseException] = None  # why it ended early; the first one stays
        self._paused = False
        self._drop_while_paused = False
        self._audio_sent = False
        self._last_audio = 0.0
        self._keepalive: Optional[IdleTimer] = None
        self._forget_cancel: Optional[Callable[[], None]] = None
        self._ready = Latch()  # the gateway takes audio (only with ready_first)
        self._unpaused = Latch()  # what is fed may be sent; also set once it is over
        self._unpaused.set()
        self._over = Latch()  # finished, failed, closed or cancelled

    # -- facts -----------------------------------------------------------------------------------

    @property
    def state(self) -> SttSessionState:
        """Give the present state."""
        return self._state

    @property
    def paused(self) -> bool:
        """Tell whether `pause()` is in force."""
        return self._paused

    @property
    def config(self) -> SttConfig:
        """Give the configuration as it was sent."""
        return self._config

    def __repr__(self) -> str:
        return f"<SttSession {self._state}{' paused' if self._paused else ''}>"

    def _move(self, what: SttStep) -> None:
        """Change the state, or raise `StateError`. Under the lock."""
        before = self._state
        self._state = step(STT, before, what, "the session")
        if self._state is not before:
            _log.debug("= session %s", self._state)
            if self._state.is_over:
                self._over.set()
                self._ready.set()
                self._unpaused.set()
            update = {"old_state": before, "new_state": self._state}
            self._events.emit("state_change", update)

    # -- connecting ------------------------------------------------------------------------------

    def connect(self) -> SttSession:
        """Connect and send the configuration; `client.realtime.stt()` has done it.

        Blocks at most `connect_timeout_sec`. Raises `SonioxConnectionError`
        (`ConnectTimeoutError`), `AbortError` on cancel. A refused key shows only later, as an
        error of the first call or of the iterator (PROTOCOL 1.3).
        """
        with self._lock:
            self._move(SttStep.CONNECT)
        deadline = Deadline(self._options.connect_timeout_sec)
        try:
            self._connection.open(self._options.connect_timeout_sec, self._cancel)
            self._send(SttStep.OPENED, self._make_start)
            self._heed_cancel()
            if not self._receiver.ready:
                self._await_ready(deadline)
            self._keepalive = IdleTimer(
                self._connection.clock,
                self._options.effective_keepalive_sec,
                lambda: self._last_audio,
                self._keep_alive_idle,
            )
        except BaseException as error:
            self._end(SttStep.FAIL, error)
            self._stop_timers()
            self._connection.close(0.0)
            raise
        if self._state.is_over:
            self._stop_timers()
        return self

    def _heed_cancel(self) -> None:
        token = self._cancel
        if token is not None:
            self._forget_cancel = token.on_cancel(lambda: self._end(SttStep.CANCEL, token.error()))

    def _make_start(self) -> Frames:
        wire = self._config.to_wire()
        if self._message_key is not None:
            wire["api_key"] = self._message_key
        with self._lock:
            if self._error is not None:  # the server's refusal was faster than our start
                raise fresh(self._error)
            self._move(SttStep.OPENED)
            self._last_audio = self._connection.clock.now()
        self._events.emit("connected")
        return encode_frame(TEXT, self._dialect.start(wire).encode("utf-8"))

    def _await_ready(self, deadline: Deadline) -> None:
        """Wait for the gateway's leave to send audio; raise what ended the session instead."""
        if not wait_for(self._ready, deadline):
            raise ConnectTimeoutError(
                "the gateway did not say within the deadline that it is ready for audio: try "
                "again, or raise connect_timeout_sec"
            )
        self._raise_error()

    # -- sending ---------------------------------------------------------------------------------

    def send_audio(self, data: Audio) -> None:
        """Send a piece of audio: bytes or anything with a buffer, of any size, in the format
        configured, about real time.

        An empty piece is dropped. Blocks while the line is full, at most the send timeout. Raises
        `StateError` while paused (dropped instead after `pause(drop=True)`) and after the end,
        the session's error once it failed, `ConfigurationError` for anything but bytes.
        Thread-safe; pieces of several threads are not mixed, but their order is theirs.
        """
        frames = audio_frames(data, self._dialect)
        if frames or not self._state.can_send_audio:
            self._send(SttStep.AUDIO, lambda: self._make_audio(frames))

    def _make_audio(self, frames: list[bytes]) -> Frames:
        with self._lock:
            self._check(SttStep.AUDIO)
            if self._paused:
                if self._drop_while_paused:
                    return b""
                raise StateError(
                    "cannot send audio: the session is paused; resume() first, or pause with "
                    "drop=True to have audio thrown away meanwhile"
                )
            self._audio_sent = True
            self._last_audio = self._connection.clock.now()
        return frames

    def _check(self, what: SttStep) -> None:
        """Raise what forbids `what`: the error that ended the session, else `StateError`."""
        if self._error is not None and self._state is not SttSessionState.CLOSED:
            raise fresh(self._error)
        step(STT, self._state, what, "the session")

    def _send(self, what: SttStep, make: Callable[[], Frames]) -> None:
        try:
            self._connection.send(make)
        except SonioxConnectionError:
            # the server's own word explains more than the broken line
            if not self._connection.is_reader:
                wait_for(self._over, Deadline(_LAST_WORDS_SEC))
            with self._lock:
                self._check(what)
            if self._state is not SttSessionState.FINISHED:
                raise

    def _raise_error(self) -> None:
        if self._error is not None:
            raise fresh(self._error)

    def send_stream(
        self, chunks: Iterable[Audio], *, pace_sec: Optional[float] = None, finish: bool = False
    ) -> None:
        """Send every chunk of `chunks`, then finish if `finish`. Blocks for as long as it lasts.

        While paused it waits for `resume()`. `pace_sec`: seconds between the starts of two chunks,
        kept on a schedule (`None`: as fast as they come). Ends at once when the session does,
        raising its error.
        """
        send_paced(chunks, self._feed, pace_sec, self._over, self._connection.clock)
        self._raise_error()
        if finish:
            self.finish()

    def _feed(self, chunk: Audio) -> None:
        """Send a chunk, after `resume()` if the session is paused."""
        while True:
            try:
                self.send_audio(chunk)
                return
            except StateError:
                if not self._paused or self._over.is_set():
                    raise
            wait_for(self._unpaused, Deadline(None))

    def start_sending(
        self, chunks: Iterable[Audio], *, pace_sec: Optional[float] = None, finish: bool = False
    ) -> SendHandle:
        """Do what `send_stream` does on a thread of its own; give a handle to `join()`.

        An exception of `chunks` ends the session and surfaces in the iterator, as it is. With
        `finish` the end of audio is sent after the last chunk; iterate to get the rest.
        """

        def run() -> None:
            send_paced(chunks, self._feed, pace_sec, self._over, self._connection.clock)
            if finish and not self._state.is_over:
                self.end_audio()

        return SendHandle(run, self._sending_failed)

    def _sending_failed(self, error: BaseException) -> None:
        if self._error is None and not self._state.is_over:
            self._end(SttStep.FAIL, error)

    def finalize(self, *, trailing_silence_ms: Optional[int] = None) -> None:
        """Ask that all audio sent so far become final; a `"finalized"` event answers.

        `trailing_silence_ms`: how much silence the audio sent already ends with. Suggested after
        about 200 ms of silence; too often may disconnect (PROTOCOL 2.4). Raises `StateError`
        unless connected, `ConfigurationError` for a number below 0.
        """
        if trailing_silence_ms is not None and (
            isinstance(trailing_silence_ms, bool)
            or not isinstance(trailing_silence_ms, int)
            or trailing_silence_ms < 0
        ):
            raise ConfigurationError("trailing_silence_ms: expected an int of 0 or more")
        self._control(SttStep.FINALIZE, self._dialect.finalize(trailing_silence_ms))

    def keep_alive(self) -> None:
        """Send a keepalive now; they are sent by themselves whenever no audio goes out."""
        self._control(SttStep.KEEP_ALIVE, self._dialect.keep_alive)

    def _control(self, what: SttStep, message: str) -> None:
        self._send(what, lambda: self._make_control(what, message))

    def _make_control(self, what: SttStep, message: str) -> Frames:
        with self._lock:
            self._check(what)
            if what is SttStep.KEEP_ALIVE:
                self._last_audio = self._connection.clock.now()
        _log.debug("> %s", message)
        return encode_frame(TEXT, message.encode("utf-8"))

    def _keep_alive_idle(self) -> None:
        """Send a keepalive without waiting. Clock only."""
        try:
            message = self._dialect.keep_alive
            self._connection.try_send(lambda: self._make_control(SttStep.KEEP_ALIVE, message))
        except SonioxError as error:
            _log.debug("! no keepalive: %s", error)  # finishing or failed: none is due

    def pause(self, *, finalize: bool = True, drop: bool = False) -> None:
        """Stop sending audio for a while; keepalives go on, and the pause is billed.

        `finalize`: have what was said so far made final. `drop`: throw away audio sent meanwhile
        instead of raising `StateError`. Idempotent. Raises `StateError` unless connected.
        """
        with self._lock:
            self._check(SttStep.PAUSE)
            was_paused, self._paused = self._paused, True
            self._drop_while_paused = drop
            if not drop:
                self._unpaused.clear()
        if finalize and not was_paused and self._audio_sent:
            self.finalize()

    def resume(self) -> None:
        """Take audio again. Idempotent. Raises `StateError` unless connected."""
        with self._lock:
            self._check(SttStep.RESUME)
            self._paused = False
            self._unpaused.set()

    # -- ending ----------------------------------------------------------------------------------

    def finish(self, timeout_sec: Optional[float] = None) -> None:
        """Say that the audio is complete and wait for the last result. Idempotent.

        `timeout_sec`: how long to wait, default `finish_timeout_sec` of the options. The results
        wait to be iterated. Raises the session's error, `SonioxTimeoutError` when the end did not
        come in time (the session lives on), `StateError` after `close()`.
        """
        self.end_audio()
        seconds = self._options.finish_timeout_sec if timeout_sec is None else timeout_sec
        if not wait_for(self._over, Deadline(seconds)):
            raise SonioxTimeoutError(
                f"the last result did not come within {seconds:g} s: wait longer with "
                "finish(timeout_sec=...), or close()"
            )
        self._raise_error()

    def end_audio(self) -> None:
        """Say that the audio is complete without waiting for the last result; see `finish()`."""
        if not self._finish_silently() and self._state is not SttSessionState.FINISHED:
            self._send(SttStep.FINISH, self._make_end)

    def _make_end(self) -> Frames:
        with self._lock:
            self._check(SttStep.FINISH)
            if self._state is not SttSessionState.CONNECTED:
                return b""  # the end is out already
            self._move(SttStep.FINISH)
        _log.debug("> end of audio")
        return encode_frame(TEXT, self._dialect.end.encode("utf-8"))

    def _finish_silently(self) -> bool:
        """End a session without any audio here, telling whether; the service would answer 400."""
        with self._lock:
            if self._audio_sent or self._state is not SttSessionState.CONNECTED:
                return False
            self._move(SttStep.GOT_FINISHED)
        self._deliver([SttEvent("finished", Result((), 0, 0, True))])
        self._delivery.end()
        self._stop_timers()
        if self._observer is not None:
            self._observer.over(None)
        self._connection.close(_CLOSE_WAIT_SEC)
        return True

    def close(self) -> None:
        """End the session at once, finished or not. Idempotent; legal from any thread and from a
        handler; bounded to a few seconds. What was received can still be iterated; an unfinished
        session then raises `SonioxConnectionError` (`code="closed"`)."""
        self._close(_CLOSE_WAIT_SEC)

    def _close(self, wait_sec: float) -> None:
        try:
            self._end(
                SttStep.CLOSE,
                SonioxConnectionError(
                    "the session was closed before it finished: its transcript is incomplete",
                    code="closed",
                ),
            )
            self._connection.close(wait_sec)
        except BaseException:  # Ctrl-C anywhere in it: the line must not outlive the call
            self._connection.cut()
            raise
        finally:
            self._worker.stop()

    def abandon(self) -> None:
        """Cut the line without a goodbye; never blocks. For a session that was replaced."""
        error = SonioxConnectionError("the session was given up", code="closed")
        self._end(SttStep.CLOSE, error)
        self._connection.fail(error)
        self._worker.stop()

    def _end(self, what: SttStep, error: BaseException) -> None:
        """End early because of `error`, unless it is over. Never blocks."""
        with self._lock:
            if self._state.is_over:
                return
            self._error = error
            self._move(what)
        self._delivery.end(error)
        self._stop_timers()
        if what is SttStep.FAIL:
            self._events.emit("error", error)
        if what is not SttStep.CLOSE:
            self._connection.fail(error)
        if self._observer is not None:
            self._observer.over(error)

    def _stop_timers(self) -> None:
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._forget_cancel is not None:
            self._forget_cancel()

    def __enter__(self) -> SttSession:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        try:
            if kind is None and self._state is not SttSessionState.CLOSED:
                self.finish()
                self._worker.drain(Deadline(_CALLBACK_DRAIN_SEC))
        finally:
            self._close(patience(kind, _CLOSE_WAIT_SEC))

    # -- the reader's side -----------------------------------------------------------------------

    def received(self, messages: list[Message]) -> None:
        """Take what arrived; for the connection to call, on its reader thread."""
        receiver = self._receiver
        for opcode, payload in messages:
            if opcode != TEXT:
                raise malformed("a binary message where only text is spoken", payload)
            self._deliver(receiver.receive(payload))
            if receiver.error is not None:
                self._server_ended(receiver.error)
                return
            if receiver.finished:
                self._server_ended(None)
                return
        if receiver.ready and not self._ready.is_set():
            self._ready.set()

    def _deliver(self, events: list[SttEvent]) -> None:
        for event in events:
            if self._observer is not None:
                if event.kind != "finished":  # told by over()
                    self._observer.heard(event)
                continue
            if not self._offer(event):
                self._end(SttStep.FAIL, self._delivery.overflow())
                return

    def _server_ended(self, error: Optional[SonioxError]) -> None:
        """Take the last message of the server; it closes the line by itself. Reader only."""
        if error is None:
            with self._lock:
                first = not self._state.is_over
                if first:
                    self._move(SttStep.GOT_FINISHED)
            self._delivery.end()
        else:
            self._connection.censor.error(error)
            with self._lock:
                first = not self._state.is_over
                if first:
                    self._error = error
                    self._move(SttStep.FAIL)
            self._delivery.end(error)
            if first:
                self._events.emit("error", error)
        self._stop_timers()
        self._connection.expect_close(_CLOSE_AFTER_END_SEC)
        if first and self._observer is not None:
            self._observer.over(error)

    def ended(self, end: LineEnd) -> None:
        """Learn that the line is down; for the connection to call, once."""
        if not self._closed_well(end):
            error = end.cause or SonioxConnectionError(
                f"{end.describe()} before the transcription finished: what was received is "
                "incomplete"
            )
            self._end(SttStep.FAIL, error)
        self._events.emit("disconnected", end.reason or (str(end.cause) if end.cause else None))
        self._worker.stop()

    def _closed_well(self, end: LineEnd) -> bool:
        """Take a close that is the last word of a gateway which has no other. Reader only."""
        if end.cause is not None or self._state is not SttSessionState.FINISHING:
            return False
        last = self._receiver.closed(end.code)
        if last is None:
            return False
        self._deliver([last])
        self._server_ended(None)
        return True

    def forked(self, error: SonioxError) -> None:
        """Fail in a forked child; for the connection to call."""
        self._lock = threading.Lock()
        self._over, self._ready = Latch(), Latch()
        self._renew_locks()
        if not self._state.is_over:
            self._state, self._error = SttSessionState.ERROR, error
            self._delivery.end(error)
        self._over.set()
        self._ready.set()
