"""`Recording`: an audio source transcribed over as many sessions as it takes, losing nothing.

Here is what users hold. The threads and sessions behind it are in `recording_runtime.py`, the
decisions in `protocol/recorder.py`.
"""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from .cancel import CancelToken
from .clock import Clock, process_clock
from .config import SttConfig
from .errors import (
    AbortError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    fresh,
)
from .forks import remember
from .protocol.recorder_actions import Announce, RecorderSettings, RecordingState
from .protocol.tokens import SttEvent
from .recording_runtime import MakeSession, RecordingRuntime
from .sources.base import AudioSource
from .stt_outlet import SttOutlet
from .transcript import Transcript
from .transport.deadline import Deadline, wait_for

# how long close() waits for the pump; it only has to cut lines and stop the source
_CLOSE_WAIT_SEC = 5.0
# how long the end of a `with` block lets handlers run that are due already
_CALLBACK_DRAIN_SEC = 10.0

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


class Recording(SttOutlet):
    """Transcribes a source until it ends or `stop()` is called. Made by `client.realtime.record`.

    Iterating gives `SttEvent`s on one clock, every final token once, whatever happens to the lines
    underneath (with `auto_reconnect`); it ends normally only after the last word is final. Safe
    from any thread. As a context manager: leaving normally stops and drains, leaving by an
    exception cancels.

    Events for `on()`: `"result"` (Result), `"token"` (Token), `"endpoint"`, `"finalized"`,
    `"finished"`, `"connected"`, `"error"` (exception), `"state_change"` (mapping: old_state,
    new_state, reason), `"reconnecting"` (`ReconnectingEvent`), `"reconnected"` (mapping: attempt,
    replayed_ms, lost_ms), `"session_restart"` (mapping: reset_transcript), `"source_muted"`,
    `"source_unmuted"`. Source: Soniox docs stt/rt, PROTOCOL 2, 9 (RecordOptions).
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
        super().__init__(
            _EVENTS, ("finished", "error"), max_buffered_events, "soniox-callback-recording"
        )
        # Immutable
        self._cancel_token = cancel
        self._reset_transcript = reset_transcript_on_reconnect
        self._runtime = RecordingRuntime(source, config, make_session, settings, self, clock)
        self._recorder = self._runtime.recorder
        # Under the runtime's lock
        self._transcript = Transcript()
        # Set once, before and at the end
        self._forget_cancel: Optional[Callable[[], None]] = None
        self._error: Optional[BaseException] = None
        remember(self)

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
        return self._runtime.source

    def __repr__(self) -> str:
        return f"<Recording {self.state} {self._recorder.held_bytes} bytes kept>"

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> Recording:
        """Start the source and the first session; `client.realtime.record()` has done it.

        Returns once the source captures; connecting goes on behind. Raises what the source raises
        (`AudioSourceError`, `OSError`), `StateError` the second time.
        """
        if self.state is not RecordingState.IDLE:
            raise StateError(f"cannot start: the recording is {self.state}")
        self._runtime.start()
        token = self._cancel_token
        if token is not None:
            self._forget_cancel = token.on_cancel(lambda: self.cancel(token.error()))
        return self

    def stop(self, timeout_sec: Optional[float] = None) -> None:
        """End the recording well: no more audio, everything captured transcribed, last word final.

        Legal in every state, also while reconnecting, but for one never started (`StateError`);
        idempotent. Waits for the end, at most `timeout_sec` (`None`: as long as it takes). Raises
        the recording's error, or `SonioxTimeoutError` (it goes on ending by itself).
        """
        if self.state is RecordingState.IDLE:
            raise StateError("cannot stop: the recording was not started")
        self._runtime.end_source()
        self._runtime.command(self._recorder.stop)
        self.wait(timeout_sec)

    def cancel(self, error: Optional[BaseException] = None) -> None:
        """End at once; iterating raises `AbortError`. Idempotent, never blocks for long."""
        self._runtime.cut(error or AbortError("the recording was cancelled"))

    def close(self) -> None:
        """Cancel unless it is over, and wait a few seconds at most until nothing is left of it."""
        self.cancel()
        thread = self._runtime.thread
        if thread.ident is not None and threading.current_thread() is not thread:
            wait_for(self._runtime.over, Deadline(_CLOSE_WAIT_SEC))
            self._worker.drain(Deadline(_CALLBACK_DRAIN_SEC))

    def wait(self, timeout_sec: Optional[float] = None) -> None:
        """Wait until the recording is over. Raises its error, or `SonioxTimeoutError`.

        `timeout_sec`: the longest wait, `None` as long as it takes.
        """
        if not wait_for(self._runtime.over, Deadline(timeout_sec)):
            raise SonioxTimeoutError(
                f"the recording did not end within {timeout_sec:g} s; it is {self.state}"
            )
        if self._error is not None:
            raise fresh(self._error)

    def pause(self) -> None:
        """Leave out what is said until `resume()`; what was said before is made final. The session
        is kept alive, and the pause is billed. Idempotent."""
        self._runtime.command(self._recorder.pause)
        self._runtime.ask_source("pause")

    def resume(self) -> None:
        """Go on after `pause()`. Idempotent."""
        self._runtime.command(self._recorder.resume)
        self._runtime.ask_source("resume")

    def finalize(self) -> None:
        """Ask that everything captured so far become final; a `"finalized"` event answers."""
        self._runtime.command(self._recorder.finalize)

    def reconnect(self) -> None:
        """Change to a new session now, losing nothing; for instance after the network changed."""
        self._runtime.command(self._recorder.reconnect)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None and self.state is not RecordingState.CANCELED:
                self.stop()
                self._worker.drain(Deadline(_CALLBACK_DRAIN_SEC))
        finally:
            self.close()

    # -- called by the runtime -------------------------------------------------------------------

    def _deliver(self, event: SttEvent) -> bool:
        """Queue one event. For the runtime, under its lock."""
        self._transcript.add_event(event)
        return self._offer(event)

    def _overflow(self) -> SonioxError:
        """Make the error for events that nobody consumed. For the runtime."""
        return self._delivery.overflow()

    def _emit(self, kind: str, payload: Any) -> None:
        """Let handlers know. For the runtime, under its lock."""
        if kind == "session_restart":
            if self._reset_transcript:
                self._transcript.clear()
            payload = {"reset_transcript": self._reset_transcript}
        if payload is None:
            self._events.emit(kind)
        else:
            self._events.emit(kind, payload)

    def _ask_reconnect(self, action: Announce, answered: Callable[[bool], None]) -> bool:
        """Run the `reconnecting` handlers, then answer. For the runtime."""
        if not self._events.has("reconnecting"):
            return False
        event = ReconnectingEvent(action.attempt, action.max_attempts, action.delay_sec)
        self._events.emit("reconnecting", event)
        self._worker.post(lambda: answered(event.default_prevented))
        return True

    def _ended(self, error: Optional[BaseException]) -> None:
        """Let everybody meet the end. For the runtime."""
        self._error = error
        if self._forget_cancel is not None:
            self._forget_cancel()
        self._delivery.end(error)
        if error is not None and not isinstance(error, AbortError):
            self._events.emit("error", error)
        self._worker.stop()

    def _orphan(self) -> None:
        """Make a forked child's copy dead; the parent's goes on."""
        error = SonioxConnectionError(
            "this recording was started before a fork and belongs to the parent process",
            code="forked",
        )
        was_over = self.state.is_over
        self._renew_locks()
        self._runtime.orphan()
        if not was_over:
            self._error = error
            self._delivery.end(error)
