"""Uploads: a file and some fields as one multipart body, read from disk while it is sent.

`requests` builds such a body in memory. This one keeps one block of it, has a known length, and can
be read again if the connection could not be opened.
"""

from __future__ import annotations

import inspect
import io
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Callable, Optional, Union, cast

from .._support.checks import (
    encoded,
    function,
    input_path,
    not_a_path,
    refused,
    text,
    wrong_type,
)
from .._support.reprs import byte_size, quoted, summary
from .._support.types import FilePath, ReadableFile
from ..cancel import CancelToken, check_cancel
from ..errors import ConfigurationError
from .copying import BLOCK_BYTES, MAX_BYTES, copied, too_large

Upload = Union[FilePath, bytes, bytearray, memoryview, ReadableFile]
OnProgress = Callable[[int, int], object]

# half a minute of 16 kHz PCM: more than what tests upload, and little to keep in memory
_SMALL_BYTES = 1024 * 1024
_DEFAULT_NAME = "upload.bin"


class FilePart:
    """File to upload: a path, bytes, or a binary file object from its current position.

    A path is opened and closed here, a file object is left open. One that is not seekable is copied
    to a temporary file first, because its length must be known; `cancel` ends that. A context
    manager. `argument`: its name in errors.

    Raises
        ConfigurationError: an empty or too large file.
        InputTypeError: any other type.
        OSError: as `open()` raises it.
        AbortError: after a cancel.
    """

    def __init__(
        self,
        file: Upload,
        filename: Optional[str] = None,
        argument: str = "file",
        cancel: Optional[CancelToken] = None,
    ) -> None:
        self._argument = argument
        self._cancel = cancel
        if cancel is not None:
            check_cancel("cancel", cancel)
        if filename is not None:
            text(empty=True)("filename", filename)
        self._owned = True
        self._file = self._opened(file)
        try:
            # a name from the file system may contain bytes that are not text
            name = (filename or _name_of(file)).encode("utf-8", "replace").decode("utf-8")
            self.filename: str = name or _DEFAULT_NAME
            self._start = self._file.tell()
            self.size: int = self._file.seek(0, io.SEEK_END) - self._start
            if self.size == 0:
                raise refused(argument, "a file with content", "an empty one")
            if self.size > MAX_BYTES:
                raise too_large(argument, str(self.size))
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return summary(self, quoted(self.filename), byte_size(self.size))

    def _opened(self, file: Upload) -> BinaryIO:
        if isinstance(file, (bytes, bytearray, memoryview)):
            if self._argument == "file":  # other data may be any text
                not_a_path("file", "a path, bytes or a binary file object", bytes(file[:5000]))
            self._owned = False  # a mock may show the body to a test after the call
            return io.BytesIO(file)
        if isinstance(file, (str, os.PathLike)):
            input_path(self._argument, file)
            if os.path.isdir(file):
                raise refused(self._argument, "a file", "a directory", "pass its files one by one")
            opened = open(file, "rb")  # noqa: SIM115 - returned
            if opened.seekable():
                return opened
            return copied(opened, self._argument, self._cancel, close=True)
        if hasattr(file, "encoding"):
            advice = "open it with mode 'rb'"
            raise wrong_type(self._argument, "a binary file object", file, advice)
        if not _can_read(file):
            expected = "a path, bytes or a binary file object"
            raise wrong_type(self._argument, expected, file, _way_out(file))
        seekable = getattr(file, "seekable", None)
        self._owned = not (seekable() if callable(seekable) else hasattr(file, "seek"))
        if self._owned:
            return copied(file, self._argument, self._cancel)
        return cast(BinaryIO, file)

    def blocks(self) -> Iterator[bytes]:
        """Yield the file from its start.

        Raises
            ConfigurationError: it has become shorter.
        """
        self._file.seek(self._start)
        left = self.size
        while left:
            block = self._file.read(min(BLOCK_BYTES, left))
            if not block:
                raise ConfigurationError(
                    f"{self.filename}: the file became shorter during the upload"
                )
            left -= len(block)
            yield block

    def close(self) -> None:
        """Close what was opened here."""
        if self._owned:
            self._file.close()

    def __enter__(self) -> FilePart:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Streamed:
    """Body that is read while it is sent, and can be read again; `requests` takes `len` from it."""

    len: int
    # exception of the file or a callback, which is not a network error
    failure: Optional[BaseException] = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._blocks()
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failure = error
            raise

    def sendable(self) -> Union[bytes, Streamed]:
        """Return the body for one attempt: the bytes if it is small, otherwise itself.

        Mock libraries compare and record bodies that are bytes, as `requests` makes them of files.
        """
        return b"".join(self) if self.len <= _SMALL_BYTES and not self._is_watched() else self

    def _is_watched(self) -> bool:
        """Return whether reading it is reported: then it must be read only while it is sent."""
        return False

    def _blocks(self) -> Iterator[bytes]:
        raise NotImplementedError


class WholeFile(Streamed):
    """Body that is a file and nothing else."""

    def __init__(self, file: FilePart) -> None:
        self._file = file
        self.len: int = file.size

    def _blocks(self) -> Iterator[bytes]:
        return self._file.blocks()


class Multipart(Streamed):
    """`multipart/form-data` body (RFC 7578).

    `on_progress(sent, total)` is called in the uploading thread, in bytes of the file: once at
    the start with 0, then after each block, the last time with `sent == total`.
    """

    def __init__(
        self, fields: Mapping[str, str], file: FilePart, on_progress: Optional[OnProgress] = None
    ) -> None:
        if on_progress is not None:
            function("on_progress", on_progress)
        boundary = secrets.token_hex(16)
        self.content_type: str = f"multipart/form-data; boundary={boundary}"
        self._file = file
        self._on_progress = on_progress
        head = [_field(boundary, name, value) for name, value in fields.items()]
        head.append(_file_head(boundary, file.filename))
        self._head = b"".join(head)
        self._tail = f"\r\n--{boundary}--\r\n".encode("ascii")
        self.len: int = len(self._head) + file.size + len(self._tail)
        # name, file name and size of each part, for a trace
        self.parts: list[dict[str, object]] = [
            {"name": name, "filename": None, "bytes": len(value.encode("utf-8", "replace"))}
            for name, value in fields.items()
        ]
        self.parts.append({"name": "file", "filename": file.filename, "bytes": file.size})

    def __repr__(self) -> str:
        return summary(self, quoted(self._file.filename), byte_size(self.len))

    def _blocks(self) -> Iterator[bytes]:
        sent = 0
        self._report(sent)
        yield self._head
        for block in self._file.blocks():
            yield block
            sent += len(block)
            self._report(sent)
        yield self._tail

    def _is_watched(self) -> bool:
        return self._on_progress is not None

    def _report(self, sent: int) -> None:
        if self._on_progress is not None:
            self._on_progress(sent, self._file.size)


def _field(boundary: str, name: str, value: str) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + encoded(name, value) + b"\r\n"


def _file_head(boundary: str, filename: str) -> bytes:
    # as browsers escape it (HTML standard, 4.10.21.8)
    name = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()


def _name_of(file: Upload) -> str:
    if isinstance(file, (str, os.PathLike)):
        return os.path.basename(os.fsdecode(file))
    # Flask's FileStorage: its `name` is that of the form's field
    sent_as = getattr(file, "filename", None)
    if isinstance(sent_as, str) and sent_as:
        return re.split(r"[\\/]", sent_as)[-1]
    name = getattr(file, "name", None)  # a number if it has no path
    return os.path.basename(name) if isinstance(name, str) else _DEFAULT_NAME


def _can_read(file: object) -> bool:
    read = getattr(file, "read", None)
    return callable(read) and not inspect.iscoroutinefunction(read)


def _way_out(file: object) -> str:
    """Return what to do with an upload of a web framework, or a file of an event loop."""
    if _can_read(getattr(file, "file", None)):  # FastAPI's UploadFile
        return "pass its .file, and filename=its .filename"
    return "await its read(), and pass the bytes" if hasattr(file, "read") else ""
