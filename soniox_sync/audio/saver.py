"""Writing audio that arrives as a stream, whose header gets its lengths at the end."""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO, Optional, TypeVar, Union, cast

from .._support.checks import wrong_type
from .._support.reprs import byte_size, file_name, summary
from .._support.types import FilePath, WritableFile
from ..errors import StateError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows, whose descriptors have no such flags
    fcntl = None

Target = Union[FilePath, WritableFile]
S = TypeVar("S", bound="StreamSaver")


class StreamSaver:
    """Base of writers that correct a header after the last byte was written. Not thread-safe.

    `target` is a path (opened and closed here) or a binary file object (written from its current
    position, left open). Bytes are written as they arrive. `close()` corrects the header if the
    file is seekable and not in append mode; otherwise the header is left unchanged. Use it as a
    context manager.
    """

    _kind = "file"  # for messages

    def __init__(self, target: Target) -> None:
        self._owned = isinstance(target, (str, os.PathLike))
        if isinstance(target, (str, os.PathLike)):
            file: BinaryIO = open(target, "wb")  # noqa: SIM115 - close() closes it
        else:
            file = cast(BinaryIO, target)
        self._file = file
        self._start = file.tell() if _can_patch(file) else None
        self._written = 0
        self._closed = False

    def __repr__(self) -> str:
        closed = "closed" if self._closed else ""
        size = byte_size(self._written)
        return summary(self, file_name(self._file), self._describe(), size, closed)

    @property
    def bytes_written(self) -> int:
        """Number of bytes written so far, header included."""
        return self._written

    def write(self, data: bytes) -> int:
        """Write the next bytes of the stream and return their number.

        Raises
            StateError: after `close()`.
            InputTypeError: `data` is not bytes-like.
            OSError: the file cannot be written.
        """
        if self._closed:
            raise StateError(f"cannot write: the {self._kind} is closed")
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise wrong_type("data", "bytes", data)
        data = bytes(data)
        write_all(self._file, data)
        self._written += len(data)
        self._follow(data)
        return len(data)

    def close(self) -> None:
        """Correct the lengths in the header and release the file. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            _flush(self._file)  # a full disk is reported here, not by a failing seek
            if self._start is not None:
                self._correct(self._start)
        finally:
            if self._owned:
                self._file.close()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _describe(self) -> str:
        """Return what is known of the audio, for the repr."""
        return ""

    def _follow(self, data: bytes) -> None:
        """Parse what was written."""

    def _correct(self, start: int) -> None:
        """Correct the header of the file, whose first byte is at `start`."""

    def _can_go_back(self, start: int) -> bool:
        """Try to seek: a compressing file claims that it can, then refuses to go backwards."""
        end = self._file.tell()
        try:
            self._file.seek(start)
        except OSError:
            return False
        self._file.seek(end)
        return True

    def _patch(self, position: int, data: bytes) -> None:
        """Replace bytes, and return to the end."""
        end = self._file.tell()
        self._file.seek(position)
        write_all(self._file, data)
        self._file.seek(end)
        _flush(self._file)


def _can_patch(file: BinaryIO) -> bool:
    """Return whether bytes already written can be replaced: not in pipes, not in append mode."""
    try:
        if not file.seekable() or "a" in str(getattr(file, "mode", "")):
            return False
        file.tell()
    except (AttributeError, OSError, ValueError):
        return False
    return not _appends(file)


def _appends(file: BinaryIO) -> bool:
    # `>> out.wav`: the shell's append mode is visible only in the flags of the descriptor
    if fcntl is None:
        return False
    try:
        return bool(fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_APPEND)
    except (AttributeError, OSError, ValueError):
        return False  # no descriptor behind it, as in BytesIO


def write_all(file: WritableFile, data: bytes) -> None:
    """Write all of `data`, even to a file that accepts only part of it at a time.

    Raises
        BlockingIOError: the file is non-blocking and full.
    """
    while data:
        count = cast(Optional[int], file.write(data))
        if count is None and isinstance(file, io.RawIOBase):
            raise BlockingIOError("the file is non-blocking and full")
        if count is None:  # a file-like object whose write() returns nothing
            return
        data = data[count:]


def _flush(file: BinaryIO) -> None:
    flush = getattr(file, "flush", None)  # a file-like object may have nothing but write()
    if flush is not None:
        flush()
