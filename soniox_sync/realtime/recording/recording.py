"""`Recording`: an audio source transcribed over as many sessions as it takes, losing nothing.

Here is what users hold. The threads and sessions behind it are in `runtime.py`, the decisions in
`soniox_sync/recorder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, get_args

from ..._support.checks import timeout, wrong_type
from ..._support.reprs import byte_size, summary
from ...cancel import CancelToken
from ...config.recording import RecordingOptions
from ...errors import AbortError, SonioxTimeoutError, StateError, fresh
from ...recorder.actions import RecorderContext, RecordingState
from ...runtime import forks
from ...runtime.clock import Clock, process_clock
from ...runtime.signals import safe_in_signal_handlers
from ...runtime.timeouts import CALLBACK_DRAIN_SEC
from ...runtime.unclosed import close_when_collected
from ...sources.base import AudioSource
from ...transport.deadline import Deadline, wait_for
from ..stt.outlet import SttOutlet
from ..stt.sending import control_message
from .capture import StartConfig
from .handlers import RecordingEvent, RecordingHandlers
from .listener import RecordingListener
from .runtime import MakeSession, RecordingRuntime

# How long close() waits for the pump, which only has to cut connections and stop the source. A
# source of the user's may take a while for that.
_CLOSE_WAIT_SEC = 5.0


class Recording(RecordingHandlers):
    """Transcription of a source until it ends or `stop()` is called.

    Made by `client.realtime.record()`. Iterating gives `SttEvent`s on one clock, every final token
    once, whatever happens to the connections underneath (with `auto_reconnect`); it ends normally
    only after the last word is final. `utterances()` gives what was said, each utterance as it
    ends, and `read()` the whole. Thread-safe. As a context manager: leaving normally stops
    and waits for the last results, leaving by an exception cancels.

    Events for `on()`: `"result"` (`Result`), `"token"` (`Token`), `"endpoint"`, `"finalized"`,
    `"finished"`, `"connected"`, `"error"` (exception), `"state_change"` (`StateChange`),
    `"reconnecting"` (`Reconnecting`), `"reconnected"` (`Reconnected`), `"session_restart"`
    (`SessionRestart`), `"source_muted"`, `"source_unmuted"`.
    Source: Soniox docs stt/rt, PROTOCOL 2, 9 (RecordOptions).
    """

    def __init__(
        self,
        source: AudioSource,
        config: StartConfig,
        make_session: MakeSession,
        options: RecordingOptions,
        context: RecorderContext,
        *,
        cancel: Optional[CancelToken] = None,
        max_buffered_events: int,
        clock: Clock = process_clock,
    ) -> None:
        outlet = SttOutlet(
            get_args(RecordingEvent),
            ("finished", "error"),
            max_buffered_events,
            "soniox-callback-recording",
            has_endpoints=lambda: config.has_endpoints,
            clock=clock,
        )
        super().__init__(outlet)
        # Immutable
        self._cancel_token = cancel
        self._listener = RecordingListener(outlet)
        self._runtime = RecordingRuntime(
            source, config, make_session, options, context, self._listener, clock
        )
        self._recorder = recorder = self._runtime.recorder
        forks.register(self._invalidate)
        cut = self._runtime.cancel
        close_when_collected(
            self,
            lambda: f"Recording {recorder.state}",
            lambda: not (recorder.state is RecordingState.IDLE or recorder.state.is_over),
            lambda: cut(AbortError("the recording was dropped without close()")),
        )

    # -- facts -----------------------------------------------------------------------------------

    @property
    def state(self) -> RecordingState:
        """Current state."""
        return self._recorder.state

    @property
    def lost_ms(self) -> int:
        """Milliseconds of audio that could not be kept for a new session; 0: nothing was lost."""
        return self._recorder.lost_ms

    @property
    def source(self) -> AudioSource:
        """Source of the audio."""
        return self._runtime.source

    def __repr__(self) -> str:
        lost = f"{self.lost_ms} ms lost" if self.lost_ms else ""
        return summary(self, self.state, byte_size(self._recorder.held_bytes), "kept", lost)

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> Recording:
        """Start the source and the first session; `client.realtime.record()` has already done so.

        Returns once the source captures audio; the connection is made in the background.

        Raises
            StateError: it was started before.
            AudioSourceError, OSError: the source could not start.
        """
        self._runtime.start()
        token = self._cancel_token
        if token is not None:
            # not self.cancel: the token would keep a recording that nobody holds any more
            cancel = self._runtime.cancel
            self._listener.forget_cancel = token.on_cancel(lambda: cancel(token.error()))
        return self

    def stop(self, timeout_sec: Optional[float] = None) -> None:
        """Take no more audio, and wait until all that was captured is transcribed and final.

        Callable in every state but before the start, also while reconnecting. Idempotent.
        `timeout_sec`: the longest wait, `None` for as long as it takes.

        Raises
            StateError: it was not started.
            SonioxTimeoutError: the end did not come in time; the recording is still finishing.
            SonioxError: what ended the recording early, of its own class.
        """
        timeout("timeout_sec", timeout_sec)
        if self.state is RecordingState.IDLE:
            raise StateError("cannot stop: the recording was not started")
        self._runtime.stop_source()
        self._runtime.command(self._recorder.stop)
        self.wait(timeout_sec)

    @safe_in_signal_handlers
    def cancel(self, error: Optional[BaseException] = None) -> None:
        """End at once; iterating then raises `error`, `AbortError` by default.

        Idempotent; does not wait. A recording that was not started can then no longer be started.

        Raises
            InputTypeError: `error` is not an exception.
        """
        if error is None:
            error = AbortError("the recording was cancelled")
        elif not isinstance(error, BaseException):
            raise wrong_type("error", "an exception", error)
        self._runtime.cancel(error)

    @safe_in_signal_handlers
    def close(self) -> None:
        """Cancel unless it is over, and wait a few seconds at most until its threads have ended."""
        self.cancel()
        if self._runtime.is_joinable:
            wait_for(self._runtime.over, Deadline(_CLOSE_WAIT_SEC))
            self._outlet.worker.drain(Deadline(CALLBACK_DRAIN_SEC))

    def wait(self, timeout_sec: Optional[float] = None) -> None:
        """Wait until the recording is over.

        `timeout_sec`: the longest wait, `None` for as long as it takes.

        Raises
            SonioxTimeoutError: it is not over by then.
            SonioxError: what ended the recording early, of its own class.
        """
        timeout("timeout_sec", timeout_sec)
        deadline = Deadline(timeout_sec)
        if not wait_for(self._runtime.over, deadline):
            raise SonioxTimeoutError(
                f"the recording did not end {deadline.within}; it is {self.state}: wait longer "
                "with timeout_sec=..., or close()"
            )
        if self._listener.error is not None:
            raise fresh(self._listener.error)

    def pause(self) -> None:
        """Leave out what is said until `resume()`; what was said before is made final.

        The session is kept alive, and the pause is billed. Idempotent.
        """
        self._runtime.command(self._recorder.pause)
        self._runtime.call_source("pause")

    def resume(self) -> None:
        """Go on after `pause()`. Idempotent."""
        self._runtime.command(self._recorder.resume)
        self._runtime.call_source("resume")

    def finalize(self) -> None:
        """Ask that everything captured so far become final; a `"finalized"` event answers."""
        self._runtime.command(self._recorder.finalize)

    def send_message(self, message: Mapping[str, Any]) -> None:
        """Send a JSON control message as it is to the current session.

        See `SttSession.send_message`. It goes out at once, ahead of audio that still waits to be
        sent, and only to the session that gets the audio now. If a later session must have it too,
        send it again in a handler of `"session_restart"`.

        Raises
            StateError: no session is connected, as while connecting, reconnecting or stopping.
            ConfigurationError: it contains an `api_key`, or a value that JSON cannot represent.
            InputTypeError: not a mapping with `str` names, or a value of such a type.
            SonioxError: the session was lost, and the message with it; the recording goes on.
        """
        self._runtime.send_message(control_message(message))

    def reconnect(self) -> None:
        """Change to a new session now, losing nothing, for instance after the network changed."""
        self._runtime.command(self._recorder.reconnect)

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None and self.state is not RecordingState.CANCELED:
                self.stop()
                self._outlet.worker.drain(Deadline(CALLBACK_DRAIN_SEC))
        finally:
            self.close()

    def _invalidate(self) -> None:
        """Fail in a forked child; the parent's recording goes on."""
        error = forks.fork_error("recording", "start")
        if self.state is RecordingState.IDLE or self._runtime.over.is_set():
            return  # nothing is the parent's: nothing was started, or it was over
        self._runtime.invalidate(error)
        self._listener.invalidate(error)
