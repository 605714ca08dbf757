"""`SttSession`: one transcription over one WebSocket. Audio in, results out, no reconnect.

For audio that must survive a lost connection use `Recording`. Source: Soniox docs
stt/rt/real-time-transcription; PROTOCOL 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional, get_args

from ..._support.checks import boolean, integer, timeout
from ..._support.reprs import audio_shape, summary
from ...audio.formats import RawAudio
from ...audio.samples import buffer_bytes
from ...audio.start import StartCheck
from ...cancel import CancelToken
from ...config import SttConfig, SttSessionOptions
from ...errors import SonioxError, SonioxTimeoutError, StateError
from ...protocol.states import StateChange, SttSessionState
from ...protocol.stt import explain_first_error
from ...protocol.tokens import SttEvent
from ...runtime.signals import safe_in_signal_handlers
from ...runtime.timeouts import CALLBACK_DRAIN_SEC
from ...runtime.unclosed import close_when_collected
from ...service import SttPlan
from ...transport.deadline import Deadline, exit_timeout, wait_for
from .core import CLOSE_WAIT_SEC, SessionCore, SessionObserver
from .handlers import SessionEvent, SessionHandlers
from .outlet import SttOutlet
from .sending import Audio, SendHandle, check_chunks, control_message, send_paced

# happen once; a session is handed out connected, so handlers may come later than they
_ONCE = ("connected", "finished", "disconnected", "error")

_silence_ms = integer(0, unit="ms")


class _Feed(SessionObserver):
    """Puts what one session reports into its outlet."""

    def __init__(self, outlet: SttOutlet, audio: Optional[RawAudio]) -> None:
        self._outlet = outlet
        self._audio = audio
        self._has_results = False

    def state_changed(self, old: SttSessionState, new: SttSessionState) -> None:
        self._outlet.events.emit("state_change", StateChange(old, new))

    def connected(self) -> None:
        self._outlet.events.emit("connected")

    def received(self, event: SttEvent) -> Optional[SonioxError]:
        self._has_results |= bool(event.result.tokens or event.result.total_audio_proc_ms)
        return None if self._outlet.offer(event) else self._outlet.delivery.overflow()

    def explain(self, error: SonioxError) -> SonioxError:
        return error if self._has_results else explain_first_error(error, self._audio)

    def ended(self, error: Optional[BaseException], failed: bool) -> None:
        self._outlet.delivery.end(error)
        if failed:
            self._outlet.events.emit("error", error)

    def disconnected(self, reason: Optional[str], error: Optional[BaseException]) -> None:
        self._outlet.delivery.end(error)  # does nothing after an earlier end
        self._outlet.events.emit("disconnected", reason)
        self._outlet.worker.stop()
        self._outlet.release()

    def forked(self, error: SonioxError) -> None:
        self._outlet.delivery.end(error)  # does nothing after an earlier end
        self._outlet.release()


def open_session(
    plan: SttPlan,
    options: SttSessionOptions,
    cancel: Optional[CancelToken] = None,
) -> SttSession:
    """Connect, send the configuration, and return the session.

    Blocks at most `connect_timeout_sec`.

    Raises
        SonioxConnectionError: no connection could be made
            (`ConnectTimeoutError`: not within `connect_timeout_sec`).
        RealtimeError: the upgrade was refused with an HTTP status.
        AbortError: `cancel` was cancelled.
    """
    outlet = SttOutlet(
        get_args(SessionEvent),
        _ONCE,
        options.max_buffered_events,
        "soniox-callback-stt",
        has_endpoints=lambda: plan.config.enable_endpoint_detection is True,
    )
    core = SessionCore(plan, options, _Feed(outlet, plan.config.raw_audio), cancel=cancel)
    core.connect()
    return SttSession(core, outlet, options)


def _check_stream(chunks: object, pace_sec: object, finish: object) -> None:
    """Check the arguments of `send_stream()` and `start_sending()`."""
    check_chunks(chunks)
    timeout("pace_sec", pace_sec)
    boolean("finish", finish)


class SttSession(SessionHandlers):
    """Transcription of one stream of audio. Made by `client.realtime.stt(...)`, connected.

    One thread may send while another iterates. Iterating gives `SttEvent`s and ends normally only
    after the service said that it has finished; anything else raises, after all that was received.
    `utterances()` gives what was said, each utterance as it ends, and `read()` the whole; both end
    only after the end of the audio, which `start_sending(finish=True)` sends.
    As a context manager: leaving normally finishes and waits for the last results, leaving by an
    exception closes at once.

    Events for `on()`: `"result"` (Result), `"token"` (Token), `"endpoint"`, `"finalized"`,
    `"finished"`, `"connected"`, `"disconnected"` (reason), `"error"` (exception), `"state_change"`
    (`StateChange`).
    """

    def __init__(self, core: SessionCore, outlet: SttOutlet, options: SttSessionOptions) -> None:
        super().__init__(outlet)
        self._core = core
        close_when_collected(
            self,
            lambda: f"SttSession {core.state}",
            lambda: not core.over.is_set(),
            lambda: core.close(CLOSE_WAIT_SEC),
        )
        self._finish_timeout_sec = options.finish_timeout_sec
        self._start = StartCheck(core.config.audio_format)

    # -- facts -----------------------------------------------------------------------------------

    @property
    def state(self) -> SttSessionState:
        """Current state."""
        return self._core.state

    @property
    def paused(self) -> bool:
        """Whether the session is paused."""
        return self._core.paused

    @property
    def config(self) -> SttConfig:
        """Configuration as it was sent."""
        return self._core.config

    def __repr__(self) -> str:
        config = self.config
        audio = audio_shape(config.audio_format, config.sample_rate, config.num_channels)
        return summary(self, self.state, config.model, audio, "paused" if self.paused else "")

    # -- sending ---------------------------------------------------------------------------------

    def send_audio(self, data: Audio) -> None:
        """Send a chunk of audio in the configured format, at about real time.

        `data`: bytes or anything with a buffer, of any size; an empty chunk is dropped.

        Blocks while the connection is full, at most for the client's `timeout_sec` (30 s by
        default); then the session fails. Thread-safe; chunks of several threads are not mixed, but
        their order is up to these threads.

        Raises
            StateError: while paused (after `pause(drop=True)` it is dropped instead), or after the
                end.
            ConfigurationError: it begins like a file of another format than the configured one, or
                of a format that real-time transcription cannot read.
            InputTypeError: not bytes-like, or an array whose elements are not samples of the
                configured format.
            SonioxError: the session's error, once it failed.
        """
        self._core.send_audio(self._bytes_of(data))

    def _bytes_of(self, data: Audio) -> bytes:
        """Return a chunk's bytes; refuse what cannot be the audio that was configured."""
        config = self._core.config
        audio = buffer_bytes("data", data, config.audio_format, config.num_channels)
        self._start.check(audio, "data")
        return audio

    def send_stream(
        self, chunks: Iterable[Audio], *, pace_sec: Optional[float] = None, finish: bool = False
    ) -> None:
        """Send every chunk of `chunks`, then call `finish()` if `finish` is set. Blocks meanwhile.

        While paused it waits for `resume()`. `pace_sec`: seconds between the starts of two chunks,
        kept on a schedule (`None`: as fast as they come). Ends at once when the session does, and
        raises its error.
        """
        _check_stream(chunks, pace_sec, finish)
        self._send_all(chunks, pace_sec)
        self._core.raise_error()
        if finish:
            self.finish()

    def start_sending(
        self, chunks: Iterable[Audio], *, pace_sec: Optional[float] = None, finish: bool = False
    ) -> SendHandle:
        """Do what `send_stream` does on a thread of its own; return a handle to `join()`.

        An exception of `chunks` ends the session, whose iterator raises it unchanged. With `finish`
        the end of the audio is sent after the last chunk; iterate to get the rest.
        """
        _check_stream(chunks, pace_sec, finish)

        def run() -> None:
            self._send_all(chunks, pace_sec)
            if finish and not self.state.is_over:
                self._core.end_audio()

        return SendHandle(run, self._core.fail)

    def _send_all(self, chunks: Iterable[Audio], pace_sec: Optional[float]) -> None:
        core = self._core
        send_paced(chunks, self._send_unpaused, pace_sec, core.over, core.connection.clock)

    def _send_unpaused(self, chunk: Audio) -> None:
        """Send a chunk, after `resume()` if the session is paused."""
        core, audio = self._core, self._bytes_of(chunk)
        while True:
            try:
                core.send_audio(audio)
                return
            except StateError:
                if not core.paused or core.over.is_set():
                    raise
            wait_for(core.unpaused, Deadline(None))

    def finalize(self, *, trailing_silence_ms: Optional[int] = None) -> None:
        """Ask that all audio sent so far become final; a `"finalized"` event answers.

        `trailing_silence_ms`: how much silence, in milliseconds, the audio sent already ends with.
        Best called after about 200 ms of silence; if it is called too often, the service may
        disconnect (PROTOCOL 2.4).

        Raises
            StateError: not connected.
            ConfigurationError: `trailing_silence_ms` is not an int of at least 0.
        """
        if trailing_silence_ms is not None:
            _silence_ms("trailing_silence_ms", trailing_silence_ms)
        self._core.finalize(trailing_silence_ms)

    def keep_alive(self) -> None:
        """Send a keepalive now; they are sent automatically whenever no audio goes out.

        Raises
            StateError: not connected.
        """
        self._core.keep_alive()

    def send_message(self, message: Mapping[str, Any]) -> None:
        """Send a JSON control message as it is, for anything newer than this library.

        `message`: a mapping with `str` names and values that JSON can represent, sent as one text
        message, with values that are `None` as well. It goes out at once, also while paused, and
        after all audio that was sent before. The service decides what it means: it may answer an
        unknown message with an error, which ends the session. Thread-safe.

        The session does not interpret it. A `{"type": "finalize"}` sent by hand works like
        `finalize()`: a `"finalized"` event answers. No message postpones keepalives: one is sent
        after `keepalive_interval_sec` without audio. End with `finish()`: the session does not
        notice an end sent by hand, and the service's close after it may look like a lost
        connection.

        Through a gateway the message must be one of the route's protocol: on "rt-v4" and newer one
        of the service, on "rt-v3" and the bridge one of the gateway.

        Raises
            StateError: not connected: finishing, finished or closed.
            ConfigurationError: it contains an `api_key`, or a value that JSON cannot represent.
            InputTypeError: not a mapping with `str` names, or a value of such a type.
            SonioxError: the session's error, once it failed.
        """
        self._core.send_message(control_message(message))

    def pause(self, *, finalize: bool = True, drop: bool = False) -> None:
        """Stop sending audio for a while; keepalives go on, and the pause is billed. Idempotent.

        `finalize`: whether what was said so far is made final. `drop`: whether audio sent meanwhile
        is thrown away, instead of raising `StateError`.

        Raises
            StateError: not connected.
        """
        boolean("finalize", finalize)
        boolean("drop", drop)
        self._core.pause(finalize=finalize, drop=drop)

    def resume(self) -> None:
        """Take audio again. Idempotent.

        Raises
            StateError: not connected.
        """
        self._core.resume()

    # -- ending ----------------------------------------------------------------------------------

    def finish(self, timeout_sec: Optional[float] = None) -> None:
        """End the audio and wait for the last result. Idempotent.

        `timeout_sec`: how long to wait, by default `finish_timeout_sec` of the options. Results
        that have come can still be iterated.

        Raises
            SonioxTimeoutError: the end did not come in time; the session continues.
            StateError: after `close()`.
            SonioxError: the session's error.
        """
        timeout("timeout_sec", timeout_sec)
        self.end_audio()
        seconds = self._finish_timeout_sec if timeout_sec is None else timeout_sec
        if not wait_for(self._core.over, Deadline(seconds)):
            raise SonioxTimeoutError(
                f"the last result did not come within {seconds:g} s: wait longer with "
                "finish(timeout_sec=...), or close()"
            )
        self._core.raise_error()

    def end_audio(self) -> None:
        """End the audio without waiting for the last result; iterate to get it. Idempotent.

        Raises
            StateError: after `close()`.
            SonioxError: the session's error.
        """
        self._core.end_audio()

    @safe_in_signal_handlers
    def close(self) -> None:
        """End the session at once, finished or not.

        What was received can still be iterated; an unfinished session then raises
        `SonioxConnectionError` (`code="closed"`). Takes a few seconds at most. Idempotent;
        thread-safe, also in a handler.
        """
        self._close(CLOSE_WAIT_SEC)

    def _close(self, wait_sec: float) -> None:
        try:
            self._core.close(wait_sec)
        finally:
            self._outlet.worker.stop()

    def __enter__(self) -> SttSession:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        try:
            if kind is None and self.state is not SttSessionState.CLOSED:
                self.finish()
                self._outlet.worker.drain(Deadline(CALLBACK_DRAIN_SEC))
        finally:
            self._close(exit_timeout(kind, CLOSE_WAIT_SEC))
