"""Reading WAV files: the samples alone, from a path, from bytes, or from a stream."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO, Optional, Union, cast

from ..._support.reprs import byte_size, file_name, summary
from ..._support.types import Buffer, FilePath, ReadableFile
from ...errors import ConfigurationError
from ..formats import chunk_bytes
from .header import WavHeader, WavParser

Source = Union[FilePath, Buffer, ReadableFile]


class WavReader:
    """Reader for the samples of a WAV: a path, bytes, or a binary file object or pipe.

    The header is read on construction. `read()` stops at the length given in the header, or at the
    end of the file if the header has none. Never seeks. A path is closed by `close()`, a file
    object is left open. Not thread-safe.

    Raises
        ConfigurationError: not a WAV, one that the service cannot read, or one that ends inside
            its header.
    """

    def __init__(self, source: Source) -> None:
        self._owned = not hasattr(source, "read")
        self._file = _opened(source)
        self._rest = b""  # read along with the header
        try:
            self.header: WavHeader = self._read_header()
        except BaseException:
            self.close()
            raise
        self._left = self.header.data_bytes

    def __repr__(self) -> str:
        left = "" if self._left is None else f"{byte_size(self._left)} left"
        closed = "closed" if getattr(self._file, "closed", False) else ""
        return summary(self, file_name(self._file), self.header.describe(), left, closed)

    @property
    def audio_format(self) -> str:
        """Format, by its name in transcription."""
        return self.header.audio_format

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self.header.sample_rate

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return self.header.num_channels

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes of samples, all of them if negative; `b""` at the end.

        A pipe may return fewer bytes than requested.
        """
        if self._left is not None:
            size = self._left if size < 0 else min(size, self._left)
        if size < 0:
            data, self._rest = self._rest + read_some(self._file, -1), b""
        else:
            data, self._rest = self._rest[:size], self._rest[size:]
            if len(data) < size:
                data += read_some(self._file, size - len(data))
        if self._left is not None:
            self._left -= len(data)
        return data

    def chunks(self, chunk_ms: int = 120) -> Iterator[bytes]:
        """Yield chunks of `chunk_ms` milliseconds, in whole frames; the last one may be shorter.

        An incomplete frame at the end of a truncated file is dropped.
        """
        size = chunk_bytes(self.header.raw_audio, chunk_ms)
        pending = b""
        while data := self.read(size - len(pending)):
            pending += data
            if len(pending) == size:
                yield pending
                pending = b""
        if whole := self.header.raw_audio.align_down(len(pending)):
            yield pending[:whole]

    def close(self) -> None:
        """Close the file if it was opened here. Idempotent."""
        if self._owned:
            self._file.close()

    def __enter__(self) -> WavReader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _read_header(self) -> WavHeader:
        parser = WavParser()
        while True:
            data = read_some(self._file, 4096)
            header = parser.feed(data) if data else parser.finish()
            if header is not None:
                self._rest = parser.rest
                return header
            if not data:
                raise ConfigurationError("not a WAV: it ends inside its header")


def read_some(file: BinaryIO, size: int) -> bytes:
    """Read at most `size` bytes, all if negative; `b""` at the end.

    Raises
        BlockingIOError: the file is non-blocking and empty.
    """
    data = cast(Optional[bytes], file.read(size))
    if data is None:
        raise BlockingIOError("the file is non-blocking and has no data yet")
    return data


def _opened(source: Source) -> BinaryIO:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        return open(source, "rb")
    return cast(BinaryIO, source)
