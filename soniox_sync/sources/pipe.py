"""`PipeSource`: standard input, a process' output, a socket: what comes, when it comes."""

from __future__ import annotations

import io
import os
import select
import socket
import threading
from typing import Any, BinaryIO, Callable, Optional, Union

from ..errors import StateError
from .base import SourceAudio, told_audio
from .file import check_binary
from .streams import StreamFormat
from .threaded import Feed, SourceClock, ThreadedSource

__all__ = ["PipeSource"]

# half a second of 16-bit 16 kHz: a full pipe must not become one long burst
_READ_BYTES = 16 * 1024


class PipeSource(ThreadedSource):
    """Delivers what a binary stream has, without waiting to fill a chunk; its end is the end.

    `fileobj`: raw or buffered (`sys.stdin.buffer`, `Popen.stdout`, `socket.makefile("rb")`). It is
    read with `read1` where it has that, never closed, and must not be read by anyone else
    meanwhile. While the handlers hold this source back it reads nothing, so the writer waits.

    `audio_format`, `sample_rate`, `num_channels`, `pace`, `audio`: as for `IterableSource`.

    `stop()` wakes a blocked read at once where the platform can wait for descriptors (not on
    Windows, nor for objects without one): there the thread is left behind after half a second and
    delivers nothing, but may take one last piece off the stream. Bytes that someone had the
    stream's own buffer read ahead arrive with the next that come. `clock` is for tests.
    Thread-safe.

    Raises
        InputTypeError: no binary stream. ConfigurationError: a headerless format without rate or
            channels.
    """

    _thread_name = "soniox-source-pipe"

    def __init__(
        self,
        fileobj: BinaryIO,
        *,
        pace: Union[bool, float, None] = False,
        audio_format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        num_channels: Optional[int] = None,
        clock: Optional[SourceClock] = None,
    ) -> None:
        super().__init__(pace=pace, clock=clock)
        check_binary(fileobj, "PipeSource needs a binary stream")
        # Immutable
        self._file = fileobj
        self._told = told_audio(audio_format, sample_rate, num_channels)

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Say what is delivered; `None` for WAV until its header came."""
        return super().audio or StreamFormat(self._told).audio

    def _open(self) -> Feed:
        if getattr(self._file, "closed", False):
            raise StateError("cannot start: the stream is closed")
        return _PipeFeed(self._file, StreamFormat(self._told))


class _PipeFeed:
    """Waits for the stream and for `wake`, reads what is there."""

    can_restart = False

    def __init__(self, file: BinaryIO, stream: StreamFormat) -> None:
        self._stream = stream
        self._read_some = _reader_of(file)
        self._waiter = _waiter_for(file)

    @property
    def audio(self) -> Optional[SourceAudio]:
        return self._stream.audio

    @property
    def bytes_per_second(self) -> Optional[float]:
        return self._stream.bytes_per_second

    def read(self) -> Optional[bytes]:
        """Give what is there, `b""` when woken, `None` at the end. Raises what the stream does."""
        if self._stream.is_over:
            return None
        if self._waiter is not None and not self._waiter.wait():
            return b""
        data = self._read_some(_READ_BYTES)
        if data is None:
            if self._waiter is None:
                raise BlockingIOError("the stream is non-blocking and cannot be waited for")
            return b""
        if not data:
            self._stream.end()
            return None
        return self._stream.feed(bytes(data))

    def restart(self) -> None:
        """Do nothing: what comes through a pipe cannot be begun again."""

    def wake(self) -> None:
        """End a waiting `read`."""
        if self._waiter is not None:
            self._waiter.wake()

    def close(self) -> None:
        """Give back what was needed to wait; the stream stays open."""
        if self._waiter is not None:
            self._waiter.close()


def _reader_of(file: BinaryIO) -> Callable[[int], Any]:
    # read() of a raw file gives what is there, that of a buffered one waits for all it was asked
    if not isinstance(file, io.RawIOBase) and callable(getattr(file, "read1", None)):
        read1: Callable[[int], Any] = file.read1  # type: ignore[attr-defined]
        return read1
    return file.read


def _waiter_for(file: BinaryIO) -> Optional[_Waiter]:
    """Make what waits for the stream; `None` when its reads can only block."""
    if not hasattr(select, "poll"):
        return None
    try:
        fd = file.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return _Waiter(fd) if _is_plain(getattr(file, "raw", file)) else None


def _is_plain(raw: object) -> bool:
    """Tell whether the descriptor shows all there is: decompressors and TLS hold more than it."""
    if isinstance(raw, socket.SocketIO):
        return type(getattr(raw, "_sock", None)) is socket.socket
    return isinstance(raw, io.FileIO)


class _Waiter:
    """Waits until a descriptor can be read or `wake` was called."""

    def __init__(self, fd: int) -> None:
        # Guards the wake descriptor against a wake that races with close. Leaf, never waits.
        self._lock = threading.Lock()
        self._wake_in, self._wake_out = os.pipe()
        self._woken = False
        self._closed = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._wake_in, select.POLLIN)

    def wait(self) -> bool:
        """Wait; False when woken, for good."""
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
