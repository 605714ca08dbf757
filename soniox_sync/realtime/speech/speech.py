"""`Speech`: what `client.realtime.speak()` returns, continuous audio of any text."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from typing import Optional, Union

from ..._support.checks import output_file, timeout
from ..._support.reprs import byte_size, summary
from ..._support.types import FilePath, WritableFile
from ...audio.saving import save_whole, with_true_lengths
from ...errors import AbortError
from ...protocol.tts import AudioChunk
from ...runtime import forks
from ...runtime.signals import safe_in_signal_handlers
from ...transport.deadline import Deadline
from ..tts.metrics import describe_metrics
from ..tts.reader import ChunkReader
from .consumer import Consumer
from .engine import Engine
from .played import Played

__all__ = ["Speech", "SpeechMetrics"]

# how long close() waits for the thread, which closes the connection within 2 s
_CLOSE_WAIT_SEC = 3.0


class SpeechMetrics:
    """Measurements of one speech; readable at any time, `None` until known. Thread-safe.

    `time_to_first_audio_sec`: from the first text sent to the first audio received.
    `audio_bytes`, `audio_sec`: of the audio that you have received (`audio_sec` is `None` for
    formats in which it cannot be known). `wall_sec`: from the first text sent to the end or to now.
    """

    def __init__(self, engine: Engine, played: Played) -> None:
        self._engine = engine
        self._played = played

    @property
    def audio_bytes(self) -> int:
        """Bytes of audio that you have received."""
        return self._played.audio_bytes

    @property
    def audio_sec(self) -> Optional[float]:
        """Duration of that audio in seconds; `None` for formats in which it cannot be known."""
        return self._played.audio_sec

    @property
    def time_to_first_audio_sec(self) -> Optional[float]:
        """Seconds from the first text sent to the first audio received; `None` until then."""
        first_text, first_audio = self._engine.first_text_at, self._engine.first_audio_at
        return None if first_text is None or first_audio is None else first_audio - first_text

    @property
    def wall_sec(self) -> Optional[float]:
        """Seconds from the first text sent to the end, or to now; `None` before the first text."""
        engine = self._engine
        if engine.first_text_at is None:
            return None
        end = engine.clock.now() if engine.ended_at is None else engine.ended_at
        return end - engine.first_text_at

    def __repr__(self) -> str:
        first_sec = self.time_to_first_audio_sec
        return describe_metrics(self, self.audio_bytes, self.audio_sec, first_sec)


class Speech:
    """Audio of one text, of any length: iterate over it, `read()` it or `save()` it.

    Made by `client.realtime.speak()`, and already speaking. Consume it from one thread; `cancel()`,
    `close()` and the properties are thread-safe. Leaving the loop early, or the `with` block,
    cancels it.
    """

    def __init__(self, engine: Engine) -> None:
        # Immutable
        self._engine = engine
        self._audio_format = engine.config.audio_format
        self._played = Played(engine.config)
        self._metrics = SpeechMetrics(engine, self._played)
        # a speech that is garbage-collected was never closed: its thread must not wait forever
        self._finalizer = weakref.finalize(self, engine.cancel_soon)
        self._finalizer.atexit = False
        # Consumer only. They do not refer to the speech, which is thus freed with its last
        # reference. Once over, it needs no finalizer, which would keep the engine and the frames of
        # the error alive
        self._consumer = Consumer(engine, self._played, on_over=self._finalizer.detach)
        self._chunks = ChunkReader(self._consumer.take)
        engine.start()

    # -- facts -----------------------------------------------------------------------------------

    @property
    def metrics(self) -> SpeechMetrics:
        """Measurements, live."""
        return self._metrics

    @property
    def audio_format(self) -> str:
        """Format of the audio."""
        return self._audio_format

    @property
    def sample_rate(self) -> Optional[int]:
        """Requested sample rate in Hz; `None`: the service chooses (never for raw formats)."""
        return self._engine.config.sample_rate

    @property
    def spoken_text(self) -> str:
        """Text whose audio you have received so far.

        With timestamps it is exact to the character, as far as the service's normalised text can be
        matched; otherwise it is estimated from the amount of audio, and ends with a whole word.
        """
        return self._played.text

    # -- audio -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the audio as it is received: whole samples in each chunk, one WAV header.

        Ends after all text was spoken, or at once after `cancel()`. An error is raised after the
        audio before it: an exception of the text iterable unchanged, errors of the service with
        `audio_ms`, the milliseconds of audio that you have received (`None` for formats in which
        that cannot be known). Leaving the loop early cancels.
        """
        for chunk in self.events():
            if chunk.weight:
                yield chunk.audio

    def events(self) -> Iterator[AudioChunk]:
        """Iterate over `AudioChunk(audio, timestamps, audio_end)`; otherwise like `iter(speech)`.

        Times count from the start of the whole speech. Only the last chunk has `audio_end`; it may
        be empty.
        """
        try:
            while True:
                self._check_kept()
                chunk = self._chunks.next(Deadline(None))
                if chunk is None:
                    return
                yield chunk
        finally:
            if not self._consumer.is_over:
                self.cancel()

    def read(self, timeout_sec: Optional[float] = None) -> bytes:
        """Return all remaining audio. Raises like iteration.

        A WAV or FLAC read from its start has its length in the header. `timeout_sec` limits the
        whole call, in seconds; `None` waits for the end.

        Raises
            AbortError: the speech was cancelled or closed before all audio was returned.
            SonioxTimeoutError: the speech did not end within `timeout_sec`; the audio received so
                far is kept for the next call.
        """
        timeout("timeout_sec", timeout_sec)
        self._check_kept()
        audio = self._chunks.read(timeout_sec)
        self._raise_if_cancelled()
        return with_true_lengths(audio)

    def _raise_if_cancelled(self) -> None:
        if self._consumer.was_cancelled:
            raise AbortError("the speech was cancelled before all of it was spoken")

    def _complete(self) -> Iterator[bytes]:
        """Yield the remaining audio; raise if a cancel ends it early."""
        yield from self
        self._raise_if_cancelled()

    def _check_kept(self) -> None:
        """Refuse to work in a forked child; after `cancel()` drop what a `read()` has kept."""
        if self._engine.pid != os.getpid():
            raise forks.fork_error("speech", "start")
        if self._engine.cancelled:
            self._chunks.clear()

    def save(self, path: Union[FilePath, WritableFile]) -> int:
        """Write the remaining audio to a file or binary file object; return its size in bytes.

        The length fields of a WAV are set at the end. A file at a path appears only when it is
        complete. Raises like iteration; after any error a file that existed at `path` is unchanged.

        Raises
            AbortError: the speech was cancelled or closed before all audio was returned.
            StateError: the text has no words, and the format needs audio (not a WAV or raw audio).
            OSError: the file cannot be written.
        """
        output_file("path", path)
        return save_whole(self._complete(), path, self._audio_format, self.sample_rate)

    # -- ending ----------------------------------------------------------------------------------

    @safe_in_signal_handlers
    def cancel(self) -> None:
        """Stop at once: iteration, streams and reading of text end. Never blocks.

        Use it for barge-in; `spoken_text` is then the text whose audio you have received.
        Thread-safe, idempotent; does nothing once you have received all audio.
        """
        self._finalizer.detach()
        self._engine.cancel()

    @safe_in_signal_handlers
    def close(self) -> None:
        """Cancel the speech unless it is over; wait up to about 3 s until its thread has ended.

        Idempotent; thread-safe.
        """
        self._finalizer.detach()
        self._engine.close(_CLOSE_WAIT_SEC)

    def __enter__(self) -> Speech:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return summary(self, self._engine.name, self._state, byte_size(self._metrics.audio_bytes))

    @property
    def _state(self) -> str:
        if self._engine.pid != os.getpid():
            return "of the parent process"
        if self._consumer.error is not None:
            return "failed"
        if self._engine.cancelled:
            return "cancelled"
        return "finished" if self._consumer.is_over else "speaking"
