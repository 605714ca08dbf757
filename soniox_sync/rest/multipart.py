"""Uploads: a file and some fields as one multipart body, read from disk while it is sent.

`requests` builds such a body in memory. This one holds one block of it, knows its length
beforehand, and can be read anew when the connection could not be made.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import BinaryIO, Callable, Optional, Union

from ..config import MAX_UPLOAD_BYTES
from ..errors import ConfigurationError, InputTypeError

Upload = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO]
OnProgress = Callable[[int, int], object]

# large enough to cost few calls, small enough that a cancel is soon seen
_BLOCK = 256 * 1024


class FilePart:
    """Is the file to upload: a path, bytes, or a binary file object from its present position.

    A path is opened and closed here, a file object is left open. One that cannot seek is copied
    to a temporary file first, as its length must be known. A context manager. Raises
    `ConfigurationError` for an empty or too large file, `OSError` as `open()` does.
    """

    def __init__(self, file: Upload, filename: Optional[str] = None) -> None:
        self._owned = True
        self._file = self._opened(file)
        try:
            self.filename = _checked_name(filename or _name_of(file))
            self._start = self._file.tell()
            self.size = self._file.seek(0, io.SEEK_END) - self._start
            _check_size(self.size)
        except BaseException:
            self.close()
            raise

    def _opened(self, file: Upload) -> BinaryIO:
        if isinstance(file, (bytes, bytearray, memoryview)):
            return io.BytesIO(file)
        if isinstance(file, (str, os.PathLike)):
            return open(file, "rb")
        if hasattr(file, "encoding"):
            raise InputTypeError("file: open it in binary mode, 'rb'")
        if not callable(getattr(file, "read", None)):
            raise InputTypeError(
                f"file must be a path, bytes or a binary file object, not {type(file).__name__}"
            )
        self._owned = not _can_seek(file)
        return _copied(file) if self._owned else file

    def blocks(self) -> Iterator[bytes]:
        """Yield the file from its beginning. Raises when it is no longer as long as it was."""
        self._file.seek(self._start)
        left = self.size
        while left:
            block = self._file.read(min(_BLOCK, left))
            if not block:
                raise ConfigurationError(
                    f"{self.filename}: the file became shorter while it was uploaded"
                )
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned:
            self._file.close()

    def __enter__(self) -> FilePart:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class Multipart:
    """Is a `multipart/form-data` body (RFC 7578); `requests` takes its length from `len`.

    `on_progress(sent, total)` is called in the uploading thread, in bytes of the file: once at
    the start with 0, then after each block, the last time with `sent == total`.
    """

    def __init__(
        self, fields: Mapping[str, str], file: FilePart, on_progress: Optional[OnProgress] = None
    ) -> None:
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._file = file
        self._on_progress = on_progress
        head = [_field(boundary, name, value) for name, value in fields.items()]
        head.append(_file_head(boundary, file.filename))
        self._head = b"".join(head)
        self._tail = f"\r\n--{boundary}--\r\n".encode("ascii")
        self.len = len(self._head) + file.size + len(self._tail)
        # what the file or the callback raised: no matter of the network's
        self.failure: Optional[BaseException] = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._blocks()
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            raise

    def _blocks(self) -> Iterator[bytes]:
        sent = 0
        self._tell(sent)
        yield self._head
        for block in self._file.blocks():
            yield block
            sent += len(block)
            self._tell(sent)
        yield self._tail

    def _tell(self, sent: int) -> None:
        if self._on_progress is not None:
            self._on_progress(sent, self._file.size)


def _field(boundary: str, name: str, value: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    try:
        return f"{head}{value}\r\n".encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} holds half of a surrogate pair") from None


def _file_head(boundary: str, filename: str) -> bytes:
    # as browsers escape it (HTML standard, 4.10.21.8)
    name = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()


def _name_of(file: Upload) -> str:
    if isinstance(file, (str, os.PathLike)):
        return os.path.basename(os.fspath(file))
    name = getattr(file, "name", None)  # a number for what has no path
    return os.path.basename(name) if isinstance(name, str) else "upload.bin"


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise InputTypeError(f"filename must be a str, not {type(name).__name__}")
    # a name from the file system may hold bytes that are no text
    return name.encode("utf-8", "replace").decode("utf-8") or "upload.bin"


def _check_size(size: int) -> None:
    if size == 0:
        raise ConfigurationError("the file to upload is empty")
    if size > MAX_UPLOAD_BYTES:
        raise ConfigurationError(
            f"the file to upload is too large: {size} bytes, the service takes {MAX_UPLOAD_BYTES}"
        )


def _can_seek(file: BinaryIO) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if callable(seekable) else hasattr(file, "seek")


def _copied(file: BinaryIO) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - handed out
    try:
        shutil.copyfileobj(file, copy, _BLOCK)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy
