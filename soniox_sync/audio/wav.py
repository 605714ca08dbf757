"""WAV files and streams: samples read, samples written, lengths put right afterwards.

A stream's header cannot know its length. It holds 0xFFFFFFFF or 0 there, which readers of streams
take as "to the end"; a file gets the true length once the last byte is written. Files above 4 GiB
keep 0xFFFFFFFF.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import BinaryIO, Optional, Union, cast

from ..errors import ConfigurationError, InputTypeError, StateError
from ._wav_header import UNKNOWN_SIZE, WavHeader, WavParser, wav_header, wav_sizes

__all__ = [
    "WavHeader",
    "WavParser",
    "WavReader",
    "WavSaver",
    "WavWriter",
    "save_audio",
    "wav_header",
]

Target = Union[str, "os.PathLike[str]", BinaryIO]
Source = Union[str, "os.PathLike[str]", bytes, BinaryIO]


class WavSaver:
    """Writes a WAV that arrives as a stream, and puts its lengths right at the end.

    `target` is a path (opened here, closed here) or a binary file object (left open, written from
    its present position). Bytes go out as they come; `close()` corrects the header when the file
    can seek and is not in append mode, otherwise it stays as the stream had it. Bytes that are
    no WAV are written unchanged and never corrected. Use it as a context manager; an exception
    inside still leaves a file with the right length of what arrived. Not thread-safe.
    """

    def __init__(self, target: Target) -> None:
        self._owned = isinstance(target, (str, os.PathLike))
        self._file = _opened_for_writing(target)
        self._start = self._file.tell() if _can_patch(self._file) else None
        self._parser: Optional[WavParser] = WavParser()
        self._head = bytearray()  # the first bytes, until the header is known
        self._written = 0
        self._closed = False
        self.header: Optional[WavHeader] = None

    @property
    def bytes_written(self) -> int:
        """Give the bytes taken so far, header included."""
        return self._written

    def write(self, data: bytes) -> int:
        """Write the next bytes of the stream and give their number.

        Raises
            StateError: after `close()`. InputTypeError: not bytes-like. OSError: as the file does.
        """
        if self._closed:
            raise StateError("cannot write: the WAV is closed")
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InputTypeError(f"WAV data must be bytes, not {type(data).__name__}")
        data = bytes(data)
        _write_all(self._file, data)
        self._written += len(data)
        self._look(data)
        return len(data)

    def close(self) -> None:
        """Put the lengths right and release the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            self._correct()
        finally:
            if self._owned:
                self._file.close()

    def __enter__(self: WavSaver) -> WavSaver:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        self.close()

    def _look(self, data: bytes) -> None:
        """Follow the stream until its header is known, or known not to come."""
        if self._parser is None:
            return
        self._head += data
        try:
            self.header = self._parser.feed(data)
        except ConfigurationError:  # no WAV, or one we cannot measure: written as it is
            self._parser = None
        if self.header is not None:
            self._parser = None
            del self._head[self.header.data_offset :]

    def _correct(self) -> None:
        _flush(self._file)  # a full disk shows here, not as a seek that fails
        if self._start is None or self.header is None or self._head[:4] != b"RIFF":
            return
        length = self._written - self.header.data_offset
        if self._is_consistent(length) or not self._can_go_back():
            return
        if length % 2:
            _write_all(self._file, b"\0")  # chunks are padded to even lengths
        end = self._file.tell()
        riff, data = wav_sizes(self.header.data_offset, length)
        self._patch(4, riff)
        self._patch(self.header.data_offset - 4, data)
        self._patch_fact(length)
        self._file.seek(end)
        _flush(self._file)

    def _can_go_back(self) -> bool:
        """Try it: a compressing file says it can seek and then refuses to go backwards."""
        end = self._file.tell()
        try:
            self._file.seek(self._start or 0)
        except OSError:
            return False
        self._file.seek(end)
        return True

    def _is_consistent(self, length: int) -> bool:
        """Tell whether the stream brought true lengths, perhaps with chunks after the samples."""
        said = struct.unpack_from("<I", self._head, 4)[0] + 8
        known = self.header.data_bytes if self.header else None
        return known is not None and known <= length and said == self._written

    def _patch(self, position: int, value: int) -> None:
        assert self._start is not None  # _correct asked
        self._file.seek(self._start + position)
        _write_all(self._file, struct.pack("<I", value))

    def _patch_fact(self, length: int) -> None:
        assert self.header is not None  # _correct asked
        position = self._head.find(b"fact\4\0\0\0")
        if position >= 0:
            frames = length // self.header.raw_audio.bytes_per_frame
            self._patch(position + 8, min(frames, UNKNOWN_SIZE))


class WavWriter(WavSaver):
    """Writes samples into a WAV: header at once, as a stream's; the true lengths at `close()`.

    `audio_format`: little-endian PCM, float, `mulaw` or `alaw`. `target` and the rest as in
    `WavSaver`; `write()` takes samples, in pieces of any size.

    Raises
        ConfigurationError: WAV cannot hold that format.
    """

    def __init__(
        self,
        target: Target,
        *,
        sample_rate: int,
        num_channels: int = 1,
        audio_format: str = "pcm_s16le",
    ) -> None:
        header = wav_header(audio_format, sample_rate=sample_rate, num_channels=num_channels)
        super().__init__(target)
        try:
            self.write(header)
        except BaseException:  # a path opened here would stay open: nobody holds this object
            self.close()
            raise

    def __enter__(self) -> WavWriter:
        return self


def _can_patch(file: BinaryIO) -> bool:
    """Tell whether bytes already written can be replaced: not in pipes, not in append mode."""
    try:
        if not file.seekable() or "a" in str(getattr(file, "mode", "")):
            return False
        file.tell()
    except (AttributeError, OSError, ValueError):
        return False
    return not _appends(file)


def _appends(file: BinaryIO) -> bool:
    # `>> out.wav`: the shell's append mode shows only in the descriptor's flags
    try:
        import fcntl
    except ImportError:  # Windows has no such flag
        return False
    try:
        return bool(fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND)
    except (AttributeError, OSError, ValueError):
        return False  # no descriptor behind it, as in BytesIO


def _write_all(file: BinaryIO, data: bytes) -> None:
    while data:
        # unbuffered files may take a part; home-made ones often return nothing
        count = cast(Optional[int], file.write(data))
        if count is None and isinstance(file, io.RawIOBase):
            raise BlockingIOError("the file is non-blocking and full")
        if count is None:
            return
        data = data[count:]


def _flush(file: BinaryIO) -> None:
    flush = getattr(file, "flush", None)  # home-made files may have nothing but write()
    if flush is not None:
        flush()


def _opened_for_writing(target: Target) -> BinaryIO:
    if isinstance(target, (str, os.PathLike)):
        return open(target, "wb")
    return target


def save_audio(chunks: Iterable[bytes], target: Target, audio_format: str) -> int:
    """Write a stream of speech to a path or file object and give the number of bytes.

    For `"wav"` the header's lengths are put right at the end, for others bytes are written as
    they come. A path is closed, a file object is left open. When `chunks` raises, what came
    before is in the file.
    """
    if audio_format == "wav":
        with WavSaver(target) as saver:
            for chunk in chunks:
                saver.write(chunk)
        return saver.bytes_written
    if isinstance(target, (str, os.PathLike)):
        with open(target, "wb") as file:
            return _copy(chunks, file)
    return _copy(chunks, target)


def _copy(chunks: Iterable[bytes], file: BinaryIO) -> int:
    total = 0
    for chunk in chunks:
        _write_all(file, chunk)
        total += len(chunk)
    return total


class WavReader:
    """Reads the samples of a WAV: from a path, from bytes, or from a binary file object or pipe.

    The header is read when made. `read()` stops at the length the header says, or at the end when
    it does not know. Never seeks. A path is closed by `close()`, a file object is left open.
    Not thread-safe.

    Raises
        ConfigurationError: no WAV, one the service cannot read, or it ends inside its header.
    """

    def __init__(self, source: Source) -> None:
        self._owned = not hasattr(source, "read")
        self._file = _opened(source)
        self._rest = b""
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise
        self._left = self.header.data_bytes

    @property
    def audio_format(self) -> str:
        """Give the format as transcription spells it."""
        return self.header.audio_format

    @property
    def sample_rate(self) -> int:
        """Give the rate in Hz."""
        return self.header.sample_rate

    @property
    def num_channels(self) -> int:
        """Give the number of channels."""
        return self.header.num_channels

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes of samples, all that are left when negative; `b""` at the end.

        From a pipe fewer may come, as the pipe has them.
        """
        if self._left is not None:
            size = self._left if size < 0 else min(size, self._left)
        if size < 0:
            data, self._rest = self._rest + self._from_file(-1), b""
        else:
            data, self._rest = self._rest[:size], self._rest[size:]
            if len(data) < size:
                data += self._from_file(size - len(data))
        if self._left is not None:
            self._left -= len(data)
        return data

    def _from_file(self, size: int) -> bytes:
        data = cast(Optional[bytes], self._file.read(size))
        if data is None:
            raise BlockingIOError("the file is non-blocking and has nothing yet")
        return data

    def chunks(self, chunk_ms: int = 120) -> Iterator[bytes]:
        """Give the samples in pieces of `chunk_ms` milliseconds, whole frames; the last is shorter.

        What is left at the very end of a file cut inside a frame is not given.
        """
        shape = self.header.raw_audio
        size = max(shape.ms_to_bytes(chunk_ms), shape.bytes_per_frame)
        pending = b""
        while data := self.read(size - len(pending)):
            pending += data
            if len(pending) == size:
                yield pending
                pending = b""
        if whole := shape.align_down(len(pending)):
            yield pending[:whole]

    def close(self) -> None:
        """Release the file if it was opened here. Idempotent."""
        if self._owned:
            self._file.close()

    def __enter__(self) -> WavReader:
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        tb: Optional[TracebackType],
    ) -> None:
        self.close()

    def _read_header(self) -> WavHeader:
        parser = WavParser()
        while True:
            data = self._from_file(4096)
            if not data:
                raise ConfigurationError("not a WAV: it ends inside its header")
            header = parser.feed(data)
            if header is not None:
                self._rest = parser.rest
                return header


def _opened(source: Source) -> BinaryIO:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, (str, os.PathLike)):
        return open(source, "rb")
    return source
