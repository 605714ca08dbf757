"""`SessionCore`: one transcription over one connection; its states, its messages, its end.

Users hold a `session.SttSession`, recordings hold cores. What happens is reported to an observer.
Source: Soniox docs stt/rt/real-time-transcription; PROTOCOL 2.
"""

from __future__ import annotations

from typing import Callable, Optional

from ..._support.checks import refused
from ..._support.locks import new_lock
from ...cancel import CancelToken
from ...config import SttConfig, SttSessionOptions
from ...errors import ConnectTimeoutError, SonioxConnectionError, SonioxError, StateError, fresh
from ...protocol.messages import malformed
from ...protocol.states import STT, SttSessionState, SttStep, step
from ...protocol.stt import SttReceiver
from ...protocol.tokens import Result, SttEvent
from ...runtime.clock import IdleTimer
from ...runtime.connection import Connection
from ...runtime.receiver import CloseInfo
from ...runtime.timeouts import EXPECTED_CLOSE_SEC, READER_REPORT_SEC
from ...service import SttPlan
from ...transport.deadline import Deadline, wait_for
from ...transport.frames import TEXT, Message, encode_frame
from ...transport.latch import Latch
from ...transport.sender import Frames
from .sending import audio_frames

# closing early waits this long for the server's close frame; results no longer matter then
CLOSE_WAIT_SEC = 1.0
# A server that finishes may leave so much audio out of its count: it counts in blocks, and may not
# count silence at the end. A second is more than either, and less than a sentence.
UNPROCESSED_TOLERANCE_MS = 1000


class SessionObserver:
    """Follows one session. The methods do nothing here; override those you need.

    Calls come from any thread, mostly the reader's; none may block. Only `state_changed` comes
    under the session's lock.
    """

    def state_changed(self, old: SttSessionState, new: SttSessionState) -> None:
        """Handle a change of state."""

    def connected(self) -> None:
        """Handle that the configuration is about to go out on the open connection."""

    def received(self, event: SttEvent) -> Optional[SonioxError]:
        """Handle one event; return the error to fail the session with, such as a full queue."""
        return None

    def explain(self, error: SonioxError) -> SonioxError:
        """Return the error of an error frame, perhaps with advice after its message."""
        return error

    def ended(self, error: Optional[BaseException], failed: bool) -> None:
        """Handle the end, once: `None` after `finished`. `failed`: not by `close()` or cancel."""

    def disconnected(self, reason: Optional[str], error: Optional[BaseException]) -> None:
        """Handle the end of the connection, once; nothing comes after it.

        `error`: that of the session. Ctrl-C in `close()` may have come before `ended()`.
        """

    def forked(self, error: SonioxError) -> None:
        """Invalidate what a forked child inherited."""


class SessionCore:
    """State machine of one session, and the receiver of its connection. Thread-safe."""

    def __init__(
        self,
        plan: SttPlan,
        options: SttSessionOptions,
        observer: SessionObserver,
        *,
        cancel: Optional[CancelToken] = None,
    ) -> None:
        # Immutable
        self.config: SttConfig = plan.config
        self._audio = plan.config.raw_audio
        self._options = options
        self._message_key = plan.message_key
        self._cancel = cancel
        self._dialect = plan.dialect
        self._observer = observer
        self.connection: Connection = Connection(
            plan.target,
            self,
            ping_interval_sec=options.ping_interval_sec,
            ping_timeout_sec=options.ping_timeout_sec,
            send_timeout_sec=plan.send_timeout_sec,
            trace=plan.trace,
        )
        # Reader only
        self._receiver = SttReceiver(plan.dialect)
        # Guards the fields below. Never held across I/O. Order: send -> state.
        self._lock = new_lock()
        self.state: SttSessionState = SttSessionState.IDLE
        self.error: Optional[BaseException] = None  # why it ended early; the first one stays
        self.paused: bool = False
        self._drop_while_paused = False
        self._audio_sent = False
        self._sent_bytes = 0
        self._last_audio = 0.0
        # Set once, while connecting
        self._keepalive: Optional[IdleTimer] = None
        self._forget_cancel: Optional[Callable[[], None]] = None
        # Latches, set from any thread; replaced in a forked child only
        self._ready = Latch()  # the gateway takes audio (only with waits_for_ready)
        self.unpaused: Latch = Latch()  # what is fed may be sent; also set once it is over
        self.unpaused.set()
        self.over: Latch = Latch()  # finished, failed, closed or cancelled

    @property
    def is_open(self) -> bool:
        """Whether audio and control messages may be sent: the start message is out and accepted."""
        return self.state.can_send_audio and self._receiver.ready

    def _move(self, what: SttStep) -> None:
        """Change the state, or raise `StateError`. Under the lock."""
        before = self.state
        self.state = step(STT, before, what, "the session")
        if self.state is not before:
            self.connection.log("= session %s", self.state)
            if self.state.is_over:
                self.over.set()
                self._ready.set()
                self.unpaused.set()
            self._observer.state_changed(before, self.state)

    # -- connecting ------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect and send the configuration, within `connect_timeout_sec`."""
        with self._lock:
            self._move(SttStep.CONNECT)
        deadline = Deadline(self._options.connect_timeout_sec)
        try:
            self.connection.open(self._options.connect_timeout_sec, self._cancel)
            self._send(SttStep.OPENED, self._make_start)
            self._watch_cancel()
            if not self._receiver.ready:
                self._await_ready(deadline)
            self._keepalive = IdleTimer(
                self.connection.clock,
                self._options.effective_keepalive_sec,
                lambda: self._last_audio,
                self._keep_alive_idle,
            )
            self._keepalive.start()
        except BaseException as error:
            self._end(SttStep.FAIL, error)
            self._stop_timers()
            self.connection.close(0.0)
            raise
        if self.state.is_over:
            self._stop_timers()

    def _watch_cancel(self) -> None:
        token = self._cancel
        if token is not None:
            self._forget_cancel = token.on_cancel(lambda: self._end(SttStep.CANCEL, token.error()))

    def _make_start(self) -> Frames:
        with self._lock:
            if self.error is not None:  # the server's refusal was faster than our start
                raise fresh(self.error)
            self._move(SttStep.OPENED)
            self._last_audio = self.connection.clock.now()
        self._observer.connected()
        wire = self.config.to_wire()  # as late as possible: no traceback has it as a local variable
        if self._message_key is not None:
            wire["api_key"] = self._message_key
        start = self._dialect.start(wire)
        if self.connection.log.is_on:
            self.connection.log("> config %s", self.connection.redactor.text(start))
        return encode_frame(TEXT, start.encode("utf-8"))

    def _await_ready(self, deadline: Deadline) -> None:
        """Wait until the gateway takes audio; raise what ended the session instead."""
        if not wait_for(self._ready, deadline):
            raise ConnectTimeoutError(
                f"the gateway did not say {deadline.within} that it is ready for audio: try again, "
                "or raise connect_timeout_sec"
            )
        self.raise_error()

    # -- sending ---------------------------------------------------------------------------------

    def send_audio(self, data: bytes) -> None:
        """Send audio; see `SttSession.send_audio`."""
        frames = audio_frames(data, self._dialect)
        if frames or not self.state.can_send_audio:
            self._send(SttStep.AUDIO, lambda: self._make_audio(frames, len(data)))

    def offer_audio(self, data: bytes) -> Optional[bytes]:
        """Send audio as far as that takes no wait; return what is left to do, `None`: nothing.

        That is `send_audio()` of what was returned; or `flush()` if it is empty: then all of it was
        accepted, and some bytes wait for room. Raises `SonioxError` as `send_audio()` does.
        """
        frames = audio_frames(data, self._dialect)
        if not self.connection.try_send(lambda: self._make_audio(frames, len(data))):
            return data
        return b"" if self.connection.is_behind else None

    def flush(self) -> None:
        """Write what waits for room."""
        self._send(SttStep.AUDIO, lambda: b"")

    def _make_audio(self, frames: list[bytes], size: int) -> Frames:
        with self._lock:
            self._check(SttStep.AUDIO)
            if self.paused:
                if self._drop_while_paused:
                    return b""
                raise StateError(
                    "cannot send audio: the session is paused; resume() first, or pause with "
                    "drop=True to have audio thrown away meanwhile"
                )
            self._audio_sent = True
            self._sent_bytes += size
            self._last_audio = self.connection.clock.now()
        if self.connection.log.is_on:
            self.connection.log("> audio %d bytes", size)
        return frames

    def _check(self, what: SttStep) -> None:
        """Raise what forbids `what`: the error that ended the session, else `StateError`."""
        if self.error is not None and self.state is not SttSessionState.CLOSED:
            raise fresh(self.error)
        step(STT, self.state, what, "the session")

    def _send(self, what: SttStep, make: Callable[[], Frames]) -> None:
        try:
            self.connection.send(make)
        except SonioxConnectionError:
            # the server's own error explains more than the lost connection
            if not self.connection.in_reader_thread:
                wait_for(self.over, Deadline(READER_REPORT_SEC))
            with self._lock:
                self._check(what)
            if self.state is not SttSessionState.FINISHED:
                raise

    def raise_error(self) -> None:
        """Raise what ended the session early, if it has."""
        if self.error is not None:
            raise fresh(self.error)

    def finalize(self, trailing_silence_ms: Optional[int] = None) -> None:
        """Ask that all audio sent so far become final."""
        self._control(SttStep.FINALIZE, self._dialect.finalize(trailing_silence_ms))

    def keep_alive(self) -> None:
        """Send a keepalive now."""
        self._control(SttStep.KEEP_ALIVE, self._dialect.keep_alive)

    def send_message(self, message: str) -> None:
        """Send a control message of the user's; see `SttSession.send_message`."""
        if self.connection.redactor.text(message) != message:
            raise refused(
                "message", "values without a key", "the key of the session", "leave it out"
            )
        self._control(SttStep.MESSAGE, message)

    def _control(self, what: SttStep, message: str) -> None:
        self._send(what, lambda: self._make_control(what, message))

    def _make_control(self, what: SttStep, message: str) -> Frames:
        with self._lock:
            self._check(what)
            if what is SttStep.KEEP_ALIVE:
                self._last_audio = self.connection.clock.now()
        # the contents of a user's message are private, and may be long
        shown = f"message {len(message)} chars" if what is SttStep.MESSAGE else message
        self.connection.log("%s %s", "%" if what is SttStep.KEEP_ALIVE else ">", shown)
        return encode_frame(TEXT, message.encode("utf-8"))

    def _keep_alive_idle(self) -> None:
        """Send a keepalive without waiting. Clock only."""
        try:
            message = self._dialect.keep_alive
            self.connection.try_send(lambda: self._make_control(SttStep.KEEP_ALIVE, message))
        except SonioxError as error:
            self.connection.log("! no keepalive: %s", error)  # finishing or failed: none is due

    def pause(self, *, finalize: bool, drop: bool) -> None:
        """Take no audio until `resume()`; see `SttSession.pause`."""
        with self._lock:
            self._check(SttStep.PAUSE)
            was_paused, self.paused = self.paused, True
            self._drop_while_paused = drop
            if not drop:
                self.unpaused.clear()
        if finalize and not was_paused and self._audio_sent:
            self.finalize()

    def resume(self) -> None:
        """Take audio again."""
        with self._lock:
            self._check(SttStep.RESUME)
            self.paused = False
            self.unpaused.set()

    # -- ending ----------------------------------------------------------------------------------

    def end_audio(self) -> None:
        """Send the end of the audio, without waiting for the last result."""
        if not self._finish_silently() and self.state is not SttSessionState.FINISHED:
            self._send(SttStep.FINISH, self._make_end)

    def _make_end(self) -> Frames:
        with self._lock:
            self._check(SttStep.FINISH)
            if self.state is not SttSessionState.CONNECTED:
                return b""  # the end is out already
            self._move(SttStep.FINISH)
        self.connection.log("> end of audio")
        return encode_frame(TEXT, self._dialect.end.encode("utf-8"))

    def _finish_silently(self) -> bool:
        """End a session without any audio here, as the service would answer 400; else False."""
        with self._lock:
            if self._audio_sent or self.state is not SttSessionState.CONNECTED:
                return False
            self._move(SttStep.GOT_FINISHED)
        self._report([SttEvent("finished", Result((), 0, 0, True))])
        self._stop_timers()
        self._observer.ended(None, False)
        self.connection.close(CLOSE_WAIT_SEC)
        return True

    def close(self, wait_sec: float) -> None:
        """End at once, finished or not, within about `wait_sec`."""
        try:
            self._end(
                SttStep.CLOSE,
                SonioxConnectionError(
                    "the session was closed before it finished: its transcript is incomplete",
                    code="closed",
                ),
            )
            self.connection.close(wait_sec)
        except BaseException:  # Ctrl-C anywhere in it: the connection must not outlive the call
            self.connection.abort()
            raise

    def abort(self) -> None:
        """Cut the connection without a close frame: the session was replaced. Never blocks."""
        error = SonioxConnectionError("the session was given up", code="closed")
        self._end(SttStep.CLOSE, error)
        self.connection.fail(error)

    def fail(self, error: BaseException) -> None:
        """End early because of `error`, unless it is over. Never blocks."""
        self._end(SttStep.FAIL, error)

    def _end(self, what: SttStep, error: BaseException) -> None:
        with self._lock:
            if self.state.is_over:
                return
            self.error = error
            self._move(what)
        self._stop_timers()
        self._observer.ended(error, what is SttStep.FAIL)
        if what is not SttStep.CLOSE:
            self.connection.fail(error)

    def _stop_timers(self) -> None:
        if self._keepalive is not None:
            self._keepalive.cancel()
        if self._forget_cancel is not None:
            self._forget_cancel()

    # -- called by the connection ----------------------------------------------------------------

    def messages_received(self, messages: list[Message]) -> None:
        """Handle what arrived. Reader only."""
        receiver = self._receiver
        for opcode, payload in messages:
            if opcode != TEXT:
                raise malformed("a binary message where only text is expected", payload)
            events = receiver.receive(payload)
            error = receiver.error or (self._unprocessed() if receiver.finished else None)
            if receiver.finished and error is not None:
                events.pop()  # the "finished": what is truncated must not look complete
            self._report(events)
            if receiver.finished or error is not None:
                self._server_ended(error)
                return
        if receiver.ready and not self._ready.is_set():
            self._ready.set()

    def _unprocessed(self) -> Optional[SonioxError]:
        """Return the error of a server that finished early by its own counter. Reader only."""
        processed_ms = self._receiver.processed_ms
        if self._audio is None or processed_ms is None:
            return None
        sent_ms = self._audio.bytes_to_ms(self._sent_bytes)
        if processed_ms >= sent_ms - UNPROCESSED_TOLERANCE_MS:
            return None
        return SonioxConnectionError(
            f"the server finished after {processed_ms} ms of the {sent_ms} ms of audio that were "
            "sent: the rest was not transcribed",
            code="incomplete",
        )

    def _report(self, events: list[SttEvent]) -> None:
        for event in events:
            if self.connection.log.is_on:
                self.connection.log("< %s", _summary(event))
            refusal = self._observer.received(event)
            if refusal is not None:
                self._end(SttStep.FAIL, refusal)
                return

    def _server_ended(self, error: Optional[SonioxError]) -> None:
        """Handle the server's last message; it closes the connection by itself. Reader only."""
        if error is not None:
            self.connection.redactor.error(error)
            self.connection.log("< error %s", error)
            error = self._observer.explain(error) if self._audio_sent else error
        with self._lock:
            first = not self.state.is_over
            if first:
                self.error = error
                self._move(SttStep.GOT_FINISHED if error is None else SttStep.FAIL)
        self._stop_timers()
        self.connection.expect_close(EXPECTED_CLOSE_SEC)
        if first:
            self._observer.ended(error, error is not None)

    def connection_ended(self, end: CloseInfo) -> None:
        """Handle the end of the connection. Reader only, once."""
        if not self._closed_well(end):
            error = end.cause or SonioxConnectionError(
                f"{end.describe()} before the transcription finished: what was received is "
                "incomplete"
            )
            self._end(SttStep.FAIL, error)
        self._stop_timers()  # as _end() did, unless Ctrl-C struck in it
        reason = end.reason or (str(end.cause) if end.cause else None)
        self._observer.disconnected(reason, self.error)

    def _closed_well(self, end: CloseInfo) -> bool:
        """Handle a close that is the last word of a gateway which has no other. Reader only."""
        if end.cause is not None or self.state is not SttSessionState.FINISHING:
            return False
        last = self._receiver.closed(end.code)
        if last is None:
            return False
        self._report([last])
        self._server_ended(None)
        return True

    def connection_forked(self, error: SonioxError) -> None:
        """Fail in a forked child."""
        if not self.state.is_over:
            self.state, self.error = SttSessionState.ERROR, error
        self._observer.forked(error)
        self.over.set()
        self._ready.set()


def _summary(event: SttEvent) -> str:
    """Return what an event holds, without its words."""
    if event.kind != "result":
        return event.kind
    result = event.result
    times = f"{result.final_audio_proc_ms} of {result.total_audio_proc_ms} ms final"
    return f"result {len(result.tokens)} tokens, {times}"
