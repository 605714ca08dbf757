"""`IterableSource`: whatever the user's own code yields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

from ..errors import InputTypeError, StateError
from .base import SourceAudio, told_audio
from .streams import StreamFormat
from .threaded import Feed, SourceClock, ThreadedSource

__all__ = ["IterableSource"]

# A paced chunk is handed over in pieces of this length, so that a big one is no burst.
_PIECE_MS = 120


class IterableSource(ThreadedSource):
    """Delivers the bytes-like chunks of an iterable; empty ones are skipped.

    The next chunk is asked for when the last was taken: a slow handler holds the iterable back.
    Its `next()` runs on this source's thread. What it raises arrives at `on_error`, unchanged, as
    does the `InputTypeError` for a chunk that is no bytes. At the end, and on `stop()`, an
    iterator that has a `close()` (every generator) is closed, on the same thread.

    `audio_format`, `sample_rate` (Hz), `num_channels`: what the chunks are; nothing said means a
    container the service recognises, sent as it is. `"wav"` strips the header as it comes:
    `audio` is `None` until then. Chunks may be cut anywhere.

    `pace`: `False` (default) as fast as the handlers take it; `True` or a factor holds headerless
    audio and WAV to that multiple of real time, other audio is not paced.

    `stop()` cannot interrupt a `next()`: after half a second the thread is left to it, delivers
    nothing and closes the iterator once it comes back. `clock` is for tests. Thread-safe.

    Raises
        InputTypeError: no iterable, or one chunk in place of an iterable of chunks.
        ConfigurationError: a headerless format without rate or channels.
    """

    _thread_name = "soniox-source-iterable"

    def __init__(
        self,
        chunks: Iterable[Any],
        *,
        pace: Union[bool, float, None] = False,
        audio_format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        num_channels: Optional[int] = None,
        clock: Optional[SourceClock] = None,
    ) -> None:
        super().__init__(pace=pace, clock=clock)
        if isinstance(chunks, (str, bytes, bytearray, memoryview)) or not isinstance(
            chunks, Iterable
        ):
            raise InputTypeError(
                f"IterableSource needs an iterable of bytes, not {type(chunks).__name__}"
            )
        # Immutable
        self._chunks = chunks
        self._told = told_audio(audio_format, sample_rate, num_channels)
        # Under _lock
        self._used = False

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Say what is delivered; `None` for WAV until its header came."""
        return super().audio or StreamFormat(self._told).audio

    def _open(self) -> Feed:
        with self._lock:
            if self._used:
                raise StateError("cannot start again: an iterable is read once")
            self._used = True
        return _IterableFeed(self._chunks, StreamFormat(self._told), paced=self._speed is not None)


class _IterableFeed:
    """Reads the iterable; the iterator is made by the first `read`, on the source's thread."""

    can_restart = False

    def __init__(self, chunks: Iterable[Any], stream: StreamFormat, *, paced: bool) -> None:
        self._chunks = chunks
        self._stream = stream
        self._paced = paced
        self._iterator: Optional[Iterator[Any]] = None
        self._rest = memoryview(b"")

    @property
    def audio(self) -> Optional[SourceAudio]:
        return self._stream.audio

    @property
    def bytes_per_second(self) -> Optional[float]:
        return self._stream.bytes_per_second

    def read(self) -> Optional[bytes]:
        """Give the next piece. Raises what the iterable raises, `InputTypeError` for no bytes."""
        if not self._rest:
            if self._stream.is_over:
                return None
            data = self._next()
            if data is None:
                self._stream.end()
                return None
            self._rest = memoryview(self._stream.feed(data))
        size = self._piece_bytes()
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def _next(self) -> Optional[bytes]:
        if self._iterator is None:
            self._iterator = iter(self._chunks)
        try:
            chunk = next(self._iterator)
        except StopIteration:
            return None
        return _as_bytes(chunk)

    def _piece_bytes(self) -> int:
        rate = self.bytes_per_second
        if not self._paced or rate is None:
            return len(self._rest)
        return max(1, int(rate * _PIECE_MS / 1000))

    def restart(self) -> None:
        """Do nothing: the user's iterable knows no containers."""

    def wake(self) -> None:
        """Do nothing: the user's code cannot be woken."""

    def close(self) -> None:
        """Close the iterator. Raises what its cleanup raises."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


def _as_bytes(chunk: Any) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    try:
        return memoryview(chunk).tobytes()
    except TypeError:
        raise InputTypeError(
            f"an iterable of audio must yield bytes, not {type(chunk).__name__}"
        ) from None
