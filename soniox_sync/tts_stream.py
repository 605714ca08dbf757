"""`TtsStream`: text in, audio out, one utterance on a shared or owned connection."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Optional, Union

from .audio.wav import save_audio
from .audio.whole import whole_file
from .config import TtsStreamConfig
from .delivery import CallbackWorker, Delivery, Emitter, Handler
from .errors import InputTypeError, SonioxError, SonioxTimeoutError, fresh
from .protocol.states import TtsPhase, TtsStreamState
from .protocol.tts import AudioChunk, StreamRecord
from .transport.deadline import Deadline, patience, wait_for
from .transport.latch import Latch
from .tts_metrics import TtsMetrics
from .tts_watch import LineLeft, StreamPlace, StreamWatcher

if TYPE_CHECKING:
    from .tts_line import TtsLine

_log = logging.getLogger("soniox_sync")

# audio a consumer may leave waiting; more means it stopped consuming
MAX_WAITING_AUDIO_BYTES = 64 * 1024 * 1024
# a frame counts at least this much, so that endless empty frames meet the bound as well
_LEAST_WEIGHT = 256
# a longer backlog is kept as bytes instead of base64, which would be a third more than the bound
_KEEP_ENCODED_BYTES = 1024 * 1024
# how long leaving `with` waits for the server to confirm a cancel
_CLOSE_WAIT_SEC = 2.0


class TtsStream:
    """Speaks one text: `send_text(...)`, then iterate over the audio as it is made.

    Pull (`for chunk in stream`, `read()`, `save()`) or push (`on("audio", handler)`), not both.
    One thread may send while another iterates. Use it as a context manager: leaving it cancels a
    stream that is not finished. Made by `client.realtime.tts()`, a connection or a pool. Source:
    Soniox docs tts/rt; PROTOCOL 3.
    """

    def __init__(
        self,
        line: TtsLine,
        config: TtsStreamConfig,
        worker: CallbackWorker,
        owner: Optional[Any] = None,
        wait_sec: Optional[float] = None,
        place: Optional[StreamPlace] = None,
    ) -> None:
        # Changed by the place only, between two lines
        self._line = line
        # Immutable
        self._config = config
        self._worker = worker
        self._owner = owner  # the connection that lives and dies with this stream
        self._metrics = TtsMetrics(config, line.connection.clock.now)
        self._delivery: Delivery[AudioChunk] = Delivery(MAX_WAITING_AUDIO_BYTES, "bytes of audio")
        self._events = Emitter(
            ("audio", "audio_end", "terminated", "error"), worker, final=("terminated", "error")
        )
        self._done = Latch()
        self._place = place  # in a pool
        self._watchers: tuple[StreamWatcher, ...] = ()
        if place is not None:
            self._watchers = (place,)
            place.attach(self)
        # Callback thread only
        self._handling = False  # an audio handler runs
        # Consumer only
        self._kept: deque[AudioChunk] = deque()  # taken by a read() that timed out
        # Set and changed by the line, under its lock
        self._record: StreamRecord
        line.admit(self, wait_sec)

    # -- facts -----------------------------------------------------------------------------------

    @property
    def stream_id(self) -> str:
        """Give the id of this stream on its connection."""
        return self._config.stream_id

    @property
    def config(self) -> TtsStreamConfig:
        """Give the resolved configuration."""
        return self._config

    @property
    def state(self) -> TtsStreamState:
        """Give the present state: active, finishing, ended or error."""
        if self._record.error is not None:
            return TtsStreamState.ERROR
        return self._record.phase.public

    @property
    def metrics(self) -> TtsMetrics:
        """Give the measurements of this stream, live."""
        return self._metrics

    # -- text ------------------------------------------------------------------------------------

    def send_text(self, text: str, *, end: bool = False) -> None:
        """Send `text` to be spoken; `end=True` says that it was the last.

        The stream starts on the server with its first text; from then on the server ends it when
        no text follows within about 5 s, so send the end in time (PROTOCOL 3.5). An empty text
        without `end` is not sent: the service may turn it into noise.

        Raises `StateError` after `finish()` or `cancel()`, `ConfigurationError` for over 5000
        UTF-8 bytes in the whole stream, the stream's error once it has failed. Thread-safe.
        """
        if not isinstance(text, str):
            raise InputTypeError(f"text: expected str, not {type(text).__name__}")
        if text or end:
            begun = self._metrics._now()  # before: the first audio may be faster than this thread
            self._put_text(text, end)
            if text:
                self._metrics._text_sent(begun)
        elif not self._record.phase.can_send_text:
            self._put_text(text, end)  # raises what forbids it

    def _put_text(self, text: str, end: bool) -> None:
        """Send on the line that carries the stream, waiting while it moves between two."""
        record = self._record
        while True:
            try:
                self._line.send_text(record, text, end)
                return
            except LineLeft as left:
                taken = left.taken
            if not text and record.phase is TtsPhase.NEW and self._give_up(None):
                return  # nothing was said: nothing has to move
            if self._place is not None:
                self._place.await_line()
            if taken and record.error is not None:
                raise fresh(record.error)
            if taken:
                return  # the move took it along

    def send_stream(self, texts: Iterable[str]) -> None:
        """Send every piece of `texts` as it comes, then the end. Blocks for as long as it lasts.

        An exception of the iterable cancels the stream and passes through.
        """
        if isinstance(texts, str):
            texts = (texts,)
        try:
            for text in texts:
                self.send_text(text)
        except BaseException:
            self.cancel()
            raise
        self.finish()

    def finish(self) -> None:
        """Say that no more text comes; the audio still arrives. Idempotent.

        Before any text it ends the stream at once, without audio. Raises the stream's error.
        """
        if self._record.phase.can_send_text or self._record.error is not None:
            self._put_text("", True)

    def cancel(self) -> None:
        """Stop speaking: what waits is dropped and iteration ends at once. Idempotent.

        The place on the connection becomes free when the server confirms. Never raises for a
        stream that is over or a line that is dead.
        """
        self._cancel(None)

    def _cancel(self, deadline: Optional[Deadline]) -> None:
        if self._record.phase.is_open:
            self._delivery.drop()
            self._kept.clear()
            while not (self._give_up(None) or self._line.cancel(self._record, deadline)):
                pass  # it has moved to another line between the two questions: ask again

    def wait(self, timeout_sec: Optional[float] = None) -> None:
        """Wait until the server terminated the stream (`None`: as long as it takes).

        Raises the stream's error, or `SonioxTimeoutError` after `timeout_sec`. Text must have
        ended before, or been cancelled, for this to come.
        """
        if not wait_for(self._done, Deadline(timeout_sec)):
            raise SonioxTimeoutError(
                f"stream {self.stream_id!r} was not terminated within {timeout_sec:g} s"
            )
        if self._record.error is not None:
            raise fresh(self._record.error)

    # -- audio -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the audio bytes as they arrive; see `events()` for timestamps.

        Ends after the server terminated the stream, or at once after `cancel()`. Raises the
        stream's error after the audio received before it.
        """
        self._delivery.start_pulling()
        return self._audio()

    def _audio(self) -> Iterator[bytes]:
        take, forever = self._next, Deadline(None)
        while True:
            chunk = take(forever, "audio")
            if chunk is None:
                return
            if chunk.weight:
                yield self._decoded(chunk)

    def _next(self, deadline: Deadline, what: str) -> Optional[AudioChunk]:
        if self._kept:
            try:
                return self._kept.popleft()
            except IndexError:
                pass  # another consumer was faster
        return self._delivery.take(deadline, what)

    def _decoded(self, chunk: AudioChunk) -> bytes:
        try:
            return chunk.audio
        except SonioxError as error:  # what follows would hide the hole: the stream ends here
            self._delivery.drop(error)
            self._line.fail_stream(self, error)
            raise

    def events(self) -> Iterator[AudioChunk]:
        """Iterate over `AudioChunk(audio, timestamps, audio_end)`; ends and raises like `iter`."""
        self._delivery.start_pulling()
        return self._chunks()

    def _chunks(self) -> Iterator[AudioChunk]:
        take, forever = self._next, Deadline(None)
        while True:
            chunk = take(forever, "audio")
            if chunk is None:
                return
            self._decoded(chunk)
            yield chunk

    def read(self, timeout_sec: Optional[float] = None) -> bytes:
        """Read all remaining audio. Raises the stream's error, or `SonioxTimeoutError`; what came
        is kept for whatever consumes the stream next.

        `timeout_sec` limits the whole call; `None` waits for the end of the stream.
        """
        deadline = Deadline(timeout_sec)
        taken: list[AudioChunk] = []
        audio: list[bytes] = []
        try:
            while (chunk := self._next(deadline, "end of the audio")) is not None:
                audio.append(self._decoded(chunk))
                taken.append(chunk)
        except BaseException:
            self._kept.extendleft(reversed(taken))
            raise
        return b"".join(audio)

    def save(self, path: Union[str, os.PathLike[str], BinaryIO]) -> int:
        """Write the remaining audio to a file or binary file object; give its size in bytes.

        A WAV's length fields are set right at the end. Under a path the file appears only when it
        is whole. Raises the stream's error, then nothing is left under `path`.
        """
        if not isinstance(path, (str, os.PathLike)):
            return save_audio(iter(self), path, self._config.audio_format)
        with whole_file(path) as file:
            return save_audio(iter(self), file, self._config.audio_format)

    # -- events ----------------------------------------------------------------------------------

    def on(self, event: str, handler: Handler) -> TtsStream:
        """Call `handler` at each `"audio"` (chunk, timestamps), `"audio_end"`, `"terminated"`,
        `"error"` (exception). Gives the stream back.

        Handlers run on the connection's callback thread, in order. An `"audio"` handler takes the
        audio from then on, what waited first; iterating raises `StateError` after it.
        """
        self._register(event, handler, once=False)
        return self

    def once(self, event: str, handler: Handler) -> TtsStream:
        """Call `handler` at the next `event` only."""
        self._register(event, handler, once=True)
        return self

    def off(self, event: str, handler: Optional[Handler] = None) -> TtsStream:
        """Forget a handler, or all of `event`."""
        self._events.off(event, handler)
        return self

    def _register(self, event: str, handler: Handler, once: bool) -> None:
        self._events.on(event, handler, once=once)
        if event == "audio":
            try:
                self._delivery.push_to(self._push, self._worker)
            except SonioxError:
                self._events.off(event, handler)
                raise

    def _push(self, chunk: AudioChunk) -> None:
        """Run the handlers for one chunk, on the callback thread."""
        try:
            audio = self._decoded(chunk)
        except SonioxError:
            return  # reported by the stream's "error" event
        self._handling = True
        try:
            if audio or chunk.timestamps is not None:
                self._events.run("audio", audio, chunk.timestamps)
            if chunk.audio_end and not chunk.told:
                self._events.run("audio_end")
        finally:
            self._handling = False

    @property
    def _is_handler(self) -> bool:
        """Tell whether the caller is a handler of this stream's audio."""
        return self._handling and self._worker.is_current

    # -- called by the line ----------------------------------------------------------------------

    def _take(self, chunk: AudioChunk) -> None:
        """Queue arriving audio. Reader only."""
        self._metrics._audio_received(chunk.weight)
        if self._delivery.waiting > _KEEP_ENCODED_BYTES:
            try:
                chunk.decode()
            except SonioxError as error:
                _log.debug("! %s", error)  # raised to the consumer when it gets there
        if not self._delivery.is_pushed and chunk.audio_end and self._events.has("audio_end"):
            chunk.told = True
            self._events.emit("audio_end")
        if not self._delivery.put(chunk, max(chunk.weight, _LEAST_WEIGHT)):
            self._line.fail_stream(self, self._delivery.overflow())
        for watcher in self._watchers:
            watcher.heard(chunk)

    def _fail(self, error: SonioxError) -> None:
        """Let every waiter and the iterator get `error`, after the audio before it."""
        self._delivery.end(error)
        self._events.emit("error", error)
        self._done.set()
        for watcher in self._watchers:
            watcher.failed(error)

    def _over(self, error: Optional[SonioxError]) -> None:
        """Learn that the id is free. Any thread; the first call counts."""
        self._metrics._ended()
        failed_before = self._done.is_set()
        self._delivery.end(error)
        if error is not None and not failed_before:
            self._events.emit("error", error)
        self._events.emit("terminated")
        self._done.set()
        for watcher in self._watchers:
            watcher.freed(error)

    def _forked(self, error: SonioxError) -> None:
        self._delivery.renew_locks()
        self._events.renew_locks()
        self._done = Latch()
        self._record.phase = TtsPhase.DEAD
        self._record.error = error
        self._delivery.end(error)
        self._done.set()
        self._watchers, self._place = (), None

    def _drifts(self, error: SonioxError) -> bool:
        """Say whether the loss of its line, with `error`, only moves the stream."""
        return self._place is not None and self._place.drift(error)

    def _seek_line(self) -> None:
        if self._place is not None:
            self._place.seek_line()

    def _give_up(self, error: Optional[SonioxError]) -> bool:
        """End the stream if it is between two lines; tell whether it was."""
        return self._place is not None and self._place.give_up(error)

    def _watch(self, watcher: StreamWatcher) -> None:
        """Tell `watcher` what happens from now on, and of the end (again) if that was before."""
        self._watchers += (watcher,)
        if self._record.phase.is_over:
            watcher.freed(self._record.error)

    # -- end -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Cancel the stream unless it is over, wait up to 2 s for the server to confirm, and close
        an owned connection. Idempotent; legal from any thread and from a handler."""
        self._close(_CLOSE_WAIT_SEC)

    def _close(self, wait_sec: float) -> None:
        deadline = Deadline(wait_sec)
        try:
            self._cancel(deadline)
            wait_for(self._done, deadline)
        finally:
            if self._owner is not None:
                self._owner._close(wait_sec)

    def __enter__(self) -> TtsStream:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        self._close(patience(kind, _CLOSE_WAIT_SEC))

    def __repr__(self) -> str:
        return f"<TtsStream {self.stream_id} {self.state} {self._metrics.audio_bytes} bytes>"
