"""What users hold of real-time speech: `TtsStream` and `TtsConnection`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Optional, Union

from ..._support.characters import CharacterJoiner
from ..._support.checks import boolean, output_file, timeout, wrong_type
from ..._support.reprs import byte_size, counted, summary
from ..._support.types import FilePath, WritableFile
from ...audio.saving import save_whole, with_true_lengths
from ...config import TtsStreamConfig
from ...errors import AbortError, SonioxTimeoutError, StateError, fresh
from ...protocol.states import TtsPhase, TtsStreamState
from ...protocol.tts import AudioChunk
from ...runtime.signals import safe_in_signal_handlers
from ...runtime.timeouts import CLOSE_TIMEOUT_SEC
from ...runtime.unclosed import close_when_collected
from ...transport.deadline import Deadline, exit_timeout, wait_for
from .connection import Input, SharedConnection
from .handlers import ConnectionHandlers, StreamHandlers
from .metrics import TtsMetrics
from .reader import ChunkReader
from .stream import StreamCore

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ...config.keywords import TtsKeywords


class TtsStream(StreamHandlers):
    """One text to be spoken: `send_text(...)`, then iterate over the audio as it is received.

    Pull (`for chunk in stream`, `read()`, `save()`) or push (`on("audio", handler)`), not both.
    One thread may send while another iterates. Leaving a `with` block cancels a stream that is not
    over. Made by `client.realtime.tts()`, a connection or a pool. Source: Soniox docs tts/rt;
    PROTOCOL 3.
    """

    def __init__(
        self,
        core: StreamCore,
        *,
        owned: Optional[SharedConnection] = None,
        parent: Optional[object] = None,
    ) -> None:
        # Immutable
        self._core = core
        self._outlet = core.outlet
        self._owned = owned  # connection for this stream alone
        self._parent = parent  # its connection or pool, which must not be collected before it
        _close_when_collected(self, core, owned)
        self._metrics = TtsMetrics(core.config, core.timer)
        # Consumer only
        self._reader = ChunkReader(core.next_chunk)

    # -- properties ------------------------------------------------------------------------------

    @property
    def stream_id(self) -> str:
        """Id of this stream on its connection."""
        return self._core.stream_id

    @property
    def config(self) -> TtsStreamConfig:
        """Resolved configuration."""
        return self._core.config

    @property
    def state(self) -> TtsStreamState:
        """Current state: active, finishing, ended or error."""
        return self._core.state

    @property
    def metrics(self) -> TtsMetrics:
        """Measurements of this stream, live."""
        return self._metrics

    # -- text ------------------------------------------------------------------------------------

    def send_text(self, text: str, *, end: bool = False) -> None:
        """Send `text` to be spoken; with `end=True` it is the last.

        The stream starts on the server with its first text; from then on the server ends it if it
        receives no text for about 5 s, so send the end in time (PROTOCOL 3.5). An empty text
        without `end` is not sent: the service may turn it into noise. Thread-safe.

        Raises
            StateError: after `finish()` or `cancel()`.
            ConfigurationError: over 5000 UTF-8 bytes in the whole stream.
            SonioxError: the stream's error, once it has failed.
        """
        if not isinstance(text, str):
            raise wrong_type("text", "a str", text)
        boolean("end", end)
        self._core.send_text(text, end)

    def send_stream(self, texts: Iterable[Optional[str]]) -> None:
        """Send each of `texts` as it arrives, then the end. Blocks until all of it is sent.

        `None` is skipped, and characters that were cut in two are joined. An exception of the
        iterable cancels the stream and is raised here.
        """
        if isinstance(texts, str):
            texts = (texts,)
        elif isinstance(texts, (bytes, bytearray, memoryview)) or not isinstance(texts, Iterable):
            is_async = hasattr(texts, "__aiter__")
            advice = "collect the text of the async iterator first" if is_async else ""
            raise wrong_type("texts", "a str or an iterable of str", texts, advice)
        characters = CharacterJoiner()
        try:
            for text in texts:
                if text is not None:
                    self.send_text(characters.add(text) if isinstance(text, str) else text)
            if rest := characters.finish():
                self.send_text(rest)
        except BaseException:
            self.cancel()
            raise
        self.finish()

    def finish(self) -> None:
        """End the text; audio is still received. Idempotent.

        Without any text the stream ends at once, without audio.

        Raises
            SonioxError: the stream's error, once it has failed.
        """
        self._core.finish()

    @safe_in_signal_handlers
    def cancel(self) -> None:
        """Stop speaking: audio not yet consumed is dropped and iteration ends at once. Idempotent.

        The stream's slot on the connection is free once the server confirms. Does not raise if the
        stream is over or the connection is lost.
        """
        self._cancel(None)

    def _cancel(self, deadline: Optional[Deadline]) -> None:
        if self._core.record.phase.is_open:
            self._reader.clear()
            self._core.cancel(deadline)

    def wait(self, timeout_sec: Optional[float] = None) -> None:
        """Wait until the server has terminated the stream.

        It does so only after the text has ended, or after `cancel()`. `timeout_sec`: seconds to
        wait; `None`: no limit.

        Raises
            SonioxTimeoutError: the stream was not terminated within `timeout_sec`.
            SonioxError: the stream's error.
        """
        timeout("timeout_sec", timeout_sec)
        core = self._core
        deadline = Deadline(timeout_sec)
        if not wait_for(core.done, deadline):
            raise SonioxTimeoutError(
                f"stream {self.stream_id!r} was not terminated {deadline.within}: wait longer with "
                f"timeout_sec=..., or close(){self._why_no_end()}"
            )
        if core.record.error is not None:
            raise fresh(core.record.error)

    # -- audio -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the audio bytes as they are received; see `events()` for timestamps.

        Ends when the server has terminated the stream, or at once after `cancel()`. Raises the
        stream's error after the audio received before it.
        """
        self._outlet.delivery.start_pulling()
        return (chunk.audio for chunk in self._chunks() if chunk.weight)

    def events(self) -> Iterator[AudioChunk]:
        """Iterate over `AudioChunk(audio, timestamps, audio_end)`; otherwise like `iter()`."""
        self._outlet.delivery.start_pulling()
        return self._chunks()

    def _chunks(self) -> Iterator[AudioChunk]:
        take, forever = self._reader.next, Deadline(None)
        while (chunk := take(forever)) is not None:
            yield chunk

    def read(self, timeout_sec: Optional[float] = None) -> bytes:
        """Return all remaining audio; audio received before an error is kept for the next call.

        A WAV or FLAC read from its start has its length in the header. `timeout_sec` limits the
        whole call, in seconds; `None` waits for the end of the stream.

        Raises
            AbortError: the stream was cancelled or closed before its audio was complete.
            StateError: no text was sent yet, so there would never be any audio.
            SonioxTimeoutError: the stream did not end within `timeout_sec`.
            SonioxError: the stream's error.
        """
        timeout("timeout_sec", timeout_sec)
        self._refuse_without_text("read")
        try:
            audio = self._reader.read(timeout_sec)
        except SonioxTimeoutError as error:
            raise SonioxTimeoutError(f"{error}{self._why_no_end()}") from None
        self._raise_if_cancelled()
        return with_true_lengths(audio)

    def _refuse_without_text(self, verb: str) -> None:
        if self._core.record.phase is TtsPhase.NEW:
            raise StateError(f"cannot {verb}: no text was sent yet; call send_text() first")

    def _raise_if_cancelled(self) -> None:
        if self._core.is_cancelled:
            raise AbortError("the stream was cancelled before its audio was complete")

    def _complete(self) -> Iterator[bytes]:
        """Yield the remaining audio; raise if a cancel ends it early."""
        yield from self
        self._raise_if_cancelled()

    def _why_no_end(self) -> str:
        """Return what to add to a timeout's message if the stream cannot end."""
        if self._core.record.phase.can_send_text:
            return "; the text was not ended: pass end=True or call finish()"
        return ""

    def save(self, path: Union[FilePath, WritableFile]) -> int:
        """Write the remaining audio to a file or binary file object; return its size in bytes.

        The length fields of a WAV are set at the end. A file at a path appears only when it is
        complete. After any error a file that existed at `path` is unchanged.

        Raises
            AbortError: the stream was cancelled or closed before its audio was complete.
            StateError: no text was sent yet, so there would never be any audio.
            SonioxError: the stream's error.
            OSError: the file cannot be written.
        """
        output_file("path", path)
        self._refuse_without_text("save")
        config = self._core.config
        return save_whole(self._complete(), path, config.audio_format, config.sample_rate)

    # -- end -------------------------------------------------------------------------------------

    @safe_in_signal_handlers
    def close(self) -> None:
        """Cancel the stream unless it is over, and wait up to 2 s for the server to confirm.

        Also closes the connection if it was opened for this stream alone. Idempotent;
        thread-safe, also in a handler.
        """
        self._close(CLOSE_TIMEOUT_SEC)

    def _close(self, wait_sec: float) -> None:
        deadline = Deadline(wait_sec)
        try:
            self._cancel(deadline)
            wait_for(self._core.done, deadline)
        finally:
            if self._owned is not None:
                self._owned.close(wait_sec)

    def __enter__(self) -> TtsStream:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        self._close(exit_timeout(kind, CLOSE_TIMEOUT_SEC))

    def __repr__(self) -> str:
        return summary(self, self.stream_id, self.state, byte_size(self._metrics.audio_bytes))


def _close_when_collected(
    stream: TtsStream, core: StreamCore, owned: Optional[SharedConnection]
) -> None:
    """Cancel a stream that is garbage-collected while open, and close its own connection."""

    def is_open() -> bool:
        return core.record.phase.is_open or (owned is not None and owned.is_connected)

    def end() -> None:
        core.cancel(Deadline(0))
        if owned is not None:
            owned.close(CLOSE_TIMEOUT_SEC)

    def describe() -> str:
        phase = core.record.phase
        if not phase.is_open:
            return ""  # its audio is complete: only its connection has to be closed
        if owned is None and phase is TtsPhase.NEW:
            return ""  # it never sent anything: only its slot has to be freed
        return f"TtsStream {core.stream_id} {core.state}"

    close_when_collected(stream, describe, is_open, end)


class TtsConnection(ConnectionHandlers):
    """Connection that carries up to five streams at once. Thread-safe; a context manager.

    Made by `client.realtime.tts.multi_stream()`, and already connected. It reconnects on demand
    after the server has closed it. Events: `"error"` (exception) when the connection fails,
    `"close"` when it ends, for whatever reason.
    """

    def __init__(self, shared: SharedConnection) -> None:
        self._shared = shared
        self._events = shared.events
        close_when_collected(
            self,
            lambda: f"TtsConnection with {shared.active_streams} streams",
            lambda: shared.is_connected,
            lambda: shared.close(CLOSE_TIMEOUT_SEC),
        )

    def connect(self) -> TtsConnection:
        """Open the connection unless it is open, and return this object.

        Blocks for at most `connect_timeout_sec`.

        A refused key is reported only later: the service accepts the connection and answers with an
        error frame (PROTOCOL 1.3).

        Raises
            StateError: after `close()`.
            SonioxConnectionError: no connection could be made
                (`ConnectTimeoutError`: not within `connect_timeout_sec`).
        """
        self._shared.ready()
        return self

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open now."""
        return self._shared.is_connected

    @property
    def active_streams(self) -> int:
        """Number of streams that hold one of the five slots."""
        return self._shared.active_streams

    def stream(
        self,
        input: Optional[Input] = None,
        *,
        wait_sec: Optional[float] = None,
        **fields: Unpack[TtsKeywords],
    ) -> TtsStream:
        """Take one of the five slots for a new stream; nothing is sent before its first text.

        `fields` are those of `TtsStreamInput` (`model`, `language`, `voice`, `audio_format`, ...).
        They take precedence over `input`, which takes precedence over the client's `tts_defaults`.
        Reconnects if the server has closed the connection. `wait_sec`: seconds to wait for a slot,
        `None` and `0`: not at all.

        Raises
            ConfigurationError: fields are missing or illegal; the message names all of them.
            StateError: a sixth stream, an id in use, or after `close()`.
            SonioxTimeoutError: no slot became free within `wait_sec`.
            SonioxConnectionError: it could not reconnect.
        """
        timeout("wait_sec", wait_sec)
        return TtsStream(self._shared.start(input, fields, wait_sec), parent=self)

    def keep_alive(self) -> None:
        """Send a keepalive now; they are also sent automatically when the connection is idle.

        Raises
            StateError: the connection is not open, or its gateway has no keepalive for speech.
        """
        self._shared.keep_alive()

    @safe_in_signal_handlers
    def close(self) -> None:
        """Close the connection; live streams fail with `SonioxConnectionError`.

        Takes at most about 2 s. Idempotent; thread-safe, also in a handler.
        """
        self._shared.close(CLOSE_TIMEOUT_SEC)

    def __enter__(self) -> TtsConnection:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        self._shared.close(exit_timeout(kind, CLOSE_TIMEOUT_SEC))

    def __repr__(self) -> str:
        return summary(self, self._shared.state, counted(self.active_streams, "stream"))
