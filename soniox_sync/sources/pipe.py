"""`PipeSource`: standard input, the output of a process, a socket: data as it arrives."""

from __future__ import annotations

import io
import os
import select
import socket
from typing import Any, Callable, Optional, Union

from .._support.checks import suggests_keywords
from .._support.locks import new_lock
from .._support.reprs import file_name
from .._support.types import ReadableFile
from ..audio.samples import buffer_bytes
from ..errors import StateError
from .base import SourceAudio
from .feeds import Feed
from .file import check_binary
from .pacing import SourceClock
from .streams import StreamFeed, StreamSource

# half a second of 16-bit samples at 16 kHz: a full pipe must not be sent as one long burst
_READ_BYTES = 16 * 1024


class PipeSource(StreamSource):
    """Source that delivers the data of a binary stream as it arrives, in chunks of any size.

    `fileobj`: raw or buffered (`sys.stdin.buffer`, `Popen.stdout`, `socket.makefile("rb")`). It is
    read with `read1` if it has that, is never closed, and must not be read by anyone else at the
    same time. While the handlers hold this source back it reads nothing, so the writer waits.

    `audio_format`, `sample_rate`, `num_channels`, `pace`, `audio`: as for `IterableSource`.

    `stop()` interrupts a blocked read at once if the platform can wait for descriptors (not on
    Windows, nor for objects without one). Otherwise it returns after half a second without the
    thread, which delivers nothing, but may consume one last chunk of the stream. Bytes that were
    read ahead into the stream's own buffer are delivered when more arrive. `clock` is for tests.
    Thread-safe.

    Raises
        ConfigurationError: a headerless format without rate or channels.
        InputTypeError: not a binary stream.
    """

    _thread_name = "soniox-source-pipe"

    @suggests_keywords()
    def __init__(
        self,
        fileobj: ReadableFile,
        *,
        pace: Union[bool, float, None] = False,
        audio_format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        num_channels: Optional[int] = None,
        clock: Optional[SourceClock] = None,
    ) -> None:
        super().__init__(pace, audio_format, sample_rate, num_channels, clock)
        check_binary("fileobj", "a binary stream", fileobj)
        self._file = fileobj  # immutable

    def _open(self) -> Feed:
        if getattr(self._file, "closed", False):
            raise StateError("cannot start: the stream is closed")
        return _PipeFeed(self._file, self._declared)

    def _describe(self) -> tuple[str, Optional[SourceAudio]]:
        return file_name(self._file), self.audio


class _PipeFeed(StreamFeed):
    """Feed of a binary stream; `read` waits for data, or for `wake`."""

    def __init__(self, file: ReadableFile, declared: Optional[SourceAudio]) -> None:
        super().__init__(declared)
        # read() of a raw file returns what is available; that of a buffered one waits for as much
        # as was requested
        self._read_some: Callable[[int], Any] = file.read
        if not isinstance(file, io.RawIOBase) and callable(getattr(file, "read1", None)):
            self._read_some = file.read1  # type: ignore[attr-defined]
        self._waiter = _waiter_for(file)

    def read(self) -> Optional[bytes]:
        """Return what is available, `b""` if woken, `None` at the end.

        Raises
            BlockingIOError: the stream is non-blocking and cannot be waited for.
            Exception: what the stream raised.
        """
        if self.is_over:
            return None
        if self._waiter is not None and not self._waiter.wait():
            return b""
        data = self._read_some(_READ_BYTES)
        if data is None:
            if self._waiter is None:
                raise BlockingIOError("the stream is non-blocking and cannot be waited for")
            return b""
        if not data:
            return self.end()
        return self.strip_header(buffer_bytes("the stream", data, None))

    def wake(self) -> None:
        """End a waiting `read`."""
        if self._waiter is not None:
            self._waiter.wake()

    def close(self) -> None:
        """Close the wake descriptors; the stream stays open."""
        if self._waiter is not None:
            self._waiter.close()


def _waiter_for(file: Any) -> Optional[_Waiter]:
    """Return a waiter for the stream; `None` if its reads can only block."""
    if not hasattr(select, "poll"):
        return None
    try:
        fd = file.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return _Waiter(fd) if _is_plain(getattr(file, "raw", file)) else None


def _is_plain(raw: object) -> bool:
    """Return whether all data is visible at the descriptor, unlike with decompression or TLS."""
    if isinstance(raw, socket.SocketIO):
        return type(getattr(raw, "_sock", None)) is socket.socket
    return isinstance(raw, io.FileIO)


class _Waiter:
    """Waits for a descriptor to become readable; `wake`, which is thread-safe, interrupts that."""

    def __init__(self, fd: int) -> None:
        # Guards the wake descriptors against a wake that races with close. Leaf, never waits.
        self._lock = new_lock()
        self._wake_in, self._wake_out = os.pipe()
        self._woken = False
        self._closed = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._wake_in, select.POLLIN)

    def wait(self) -> bool:
        """Wait; return False once woken, and from then on."""
        ready = [fd for fd, _ in self._poll.poll()]
        return self._wake_in not in ready

    def wake(self) -> None:
        """End this and every later wait."""
        with self._lock:
            if not self._woken and not self._closed:
                self._woken = True
                os.write(self._wake_out, b"\0")

    def close(self) -> None:
        """Close the wake descriptors."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._wake_in)
                os.close(self._wake_out)
