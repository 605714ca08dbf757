"""`IterableSource`: chunks of an iterable, such as a generator of the user's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Optional, Union

from .._support.checks import suggests_keywords, wrong_type
from .._support.types import Buffer
from ..audio.samples import SampleBytes, buffer_bytes
from ..errors import StateError
from .base import SourceAudio
from .feeds import Feed
from .pacing import SourceClock
from .streams import StreamFeed, StreamSource

# A paced chunk is delivered in parts of this length, so that a big one is not a burst.
_PART_MS = 120


class IterableSource(StreamSource):
    """Source that delivers the bytes-like chunks of an iterable; empty ones are skipped.

    The next chunk is requested after the last one was delivered: a slow handler holds the iterable
    back. Its `next()` runs on this source's thread. What it raises is passed to `on_error`
    unchanged, as is the `InputTypeError` for a chunk that is not bytes. At the end, and on
    `stop()`, an iterator with a `close()` (such as a generator) is closed, on the same thread.

    `audio_format`, `sample_rate` (Hz), `num_channels`: the format of the chunks. Without them they
    are sent unchanged, as a container that the service detects. With `"wav"` the header is
    stripped, and `audio` is `None` until then. Chunks may be cut anywhere; arrays of samples must
    have the type of `audio_format`.

    `pace`: `False` (default) is as fast as the handlers accept it; `True` or a number limits
    headerless audio and WAV to that multiple of real time; other audio is not paced.

    `stop()` cannot interrupt a `next()`: after half a second it returns without the thread, which
    delivers nothing and closes the iterator once `next()` returns. `clock` is for tests.
    Thread-safe.

    Raises
        ConfigurationError: a headerless format without rate or channels.
        InputTypeError: not an iterable, or a single chunk instead of an iterable of chunks.
    """

    _thread_name = "soniox-source-iterable"

    @suggests_keywords()
    def __init__(
        self,
        chunks: Iterable[Buffer],
        *,
        pace: Union[bool, float, None] = False,
        audio_format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        num_channels: Optional[int] = None,
        clock: Optional[SourceClock] = None,
    ) -> None:
        super().__init__(pace, audio_format, sample_rate, num_channels, clock)
        one_chunk = isinstance(chunks, (str, bytes, bytearray, memoryview))
        if one_chunk or not isinstance(chunks, Iterable):
            raise wrong_type("chunks", "an iterable of bytes", chunks)
        # Immutable
        self._chunks = chunks
        self._told = audio_format
        # Under _lock
        self._used = False

    def _open(self) -> Feed:
        with self._lock:
            if self._used:
                raise StateError(
                    "cannot start again: an iterable is read only once; make a new source"
                )
            self._used = True
        is_paced = self._speed is not None
        return _IterableFeed(self._chunks, self._declared, self._told, paced=is_paced)

    def _describe(self) -> tuple[str, Optional[SourceAudio]]:
        return type(self._chunks).__name__, self.audio


class _IterableFeed(StreamFeed):
    """Chunks of an iterable; its iterator is made by the first `read`, on the source's thread."""

    def __init__(
        self,
        chunks: Iterable[Buffer],
        declared: Optional[SourceAudio],
        told: Optional[str],
        *,
        paced: bool,
    ) -> None:
        super().__init__(declared)
        self._chunks = chunks
        self._told = told
        self._channels = declared.num_channels if declared is not None else None
        self._paced = paced
        self._iterator: Optional[Iterator[Buffer]] = None
        self._rest = memoryview(b"")  # of the current chunk

    def read(self) -> Optional[bytes]:
        """Return the next part of a chunk.

        Raises
            InputTypeError: the iterable yielded something that is not bytes.
            Exception: what the iterable raised.
        """
        if not self._rest:
            if self.is_over:
                return None
            data = self._next_chunk()
            if data is None:
                return self.end()
            data = self.strip_header(data)
            if isinstance(data, SampleBytes):
                return data
            self._rest = memoryview(data)
        rate = self.bytes_per_second if self._paced else None
        size = len(self._rest)
        if rate is not None:
            size = max(1, int(rate * _PART_MS / 1000))
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)

    def _next_chunk(self) -> Optional[bytes]:
        if self._iterator is None:
            self._iterator = iter(self._chunks)
        try:
            chunk = next(self._iterator)
        except StopIteration:
            return None
        return buffer_bytes("item of chunks", chunk, self._told, self._channels)

    def wake(self) -> None:
        """Do nothing: the user's code cannot be interrupted."""

    def close(self) -> None:
        """Close the iterator; an exception of its cleanup is passed on."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
