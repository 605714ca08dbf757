"""Where audio to transcribe comes from: a file, standard input, the microphone."""

from __future__ import annotations

import io
import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, Callable, Optional

from ..audio.formats import RawAudio
from ..audio.wav import WavParser
from ..errors import AudioDeviceError, AudioUnavailableError, ConfigurationError
from .console import UsageError
from .mailbox import pump

__all__ = ["Feed", "file_feed", "microphone_feed", "reader_of", "stdin_feed"]

log = logging.getLogger("soniox_sync.cli")

# what the service's own example sends at once (PROTOCOL 2.3)
CHUNK_MS = 120
# the pace of a container whose bit rate is not known: a common one for files, the highest one for
# pipes, since a live source must not be held up
_FILE_BYTES_PER_SEC = 16_000
_PIPE_BYTES_PER_SEC = 40_000
_MIN_CHUNK = 1024
_PIPE_READ = 32 * 1024
# a source that stalled may catch up this much at once
_MAX_LAG_SEC = 1.0


class Feed:
    """Gives audio in chunks, about in real time, until it ends or is stopped.

    Args:
        read: gives the next bytes, `b""` at the end.
        bytes_per_sec: the pace, `None` for as fast as they come.
        close: releases what lies behind `read`.

    `stop` may be called from any thread and from a signal handler; it never blocks. Leave it as a
    context manager to release what it reads from.
    """

    def __init__(
        self,
        read: Callable[[], bytes],
        bytes_per_sec: Optional[float] = None,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self._read = read
        self._pace = bytes_per_sec
        self._close = close
        self._stopped = threading.Event()
        self._on_stop: Callable[[], object] = lambda: None
        self._error: Optional[BaseException] = None

    def stop(self) -> None:
        """Let the iteration end now, as if the audio had ended."""
        self._stopped.set()
        self._on_stop()

    def on_stop(self, wake: Callable[[], object]) -> None:
        """Call `wake` at `stop`, to end a blocking `read`."""
        self._on_stop = wake

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._close()

    def __iter__(self) -> Iterator[bytes]:
        started, sent = time.monotonic(), 0
        while not self._stopped.is_set() and (chunk := self._next()):
            yield chunk
            sent += len(chunk)
            started = self._keep_pace(started, sent)

    def check(self) -> None:
        """Raise what ended the audio early, if anything did.

        Not raised while iterating, so that what was heard before gets transcribed.
        """
        if self._error is not None:
            raise self._error

    def _next(self) -> bytes:
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 - kept for `check`
            self._error = error
            return b""

    def _keep_pace(self, started: float, sent: int) -> float:
        """Wait until `sent` bytes are due; give the start of the schedule, moved if it lags."""
        if self._pace is None:
            return started
        ahead = started + sent / self._pace - time.monotonic()
        if ahead > 0:
            self._stopped.wait(ahead)
        return started + max(0.0, -ahead - _MAX_LAG_SEC)


def file_feed(path: str, raw: Optional[RawAudio], pace: float) -> Feed:
    """Read a file at `pace` times real time; 0 is as fast as it can be sent.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - the feed closes it
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    rate = _bytes_per_sec(raw, _head(file)) or _container_rate(path, file)
    return _paced(lambda size: file.read(size), rate, pace, file.close)


def stdin_feed(stdin: BinaryIO, raw: Optional[RawAudio], pace: float) -> Feed:
    """Read standard input as it comes, but not faster than `pace` times real time."""
    log.info("reading stdin")
    mailbox = pump(reader_of(stdin, _PIPE_READ), "stdin")
    head = mailbox.take() or b""
    rate = _bytes_per_sec(raw, head) or _PIPE_BYTES_PER_SEC
    pieces = _Pieces(mailbox.take, head)
    feed = _paced(pieces.read, rate, pace, lambda: None)
    feed.on_stop(mailbox.stop)
    return feed


def _paced(
    read: Callable[[int], bytes], rate: float, pace: float, close: Callable[[], object]
) -> Feed:
    size = max(_MIN_CHUNK, int(rate * CHUNK_MS / 1000))
    return Feed(lambda: read(size), rate * pace if pace else None, close)


class _Pieces:
    """Cuts what a pipe gives into chunks of at most a size, without waiting to fill them."""

    def __init__(self, take: Callable[[], Optional[bytes]], head: bytes) -> None:
        self._take = take
        self._rest = head

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes, `b""` at the end."""
        data = self._rest or self._take() or b""
        self._rest = data[size:]
        return data[:size]


def reader_of(stream: BinaryIO, size: int) -> Callable[[], bytes]:
    """Give a function that reads what a stream has, at least a byte, `b""` at its end."""
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, io.UnsupportedOperation):
        read: Callable[[int], Any] = getattr(stream, "read1", stream.read)
        return lambda: _as_bytes(read(size))
    return lambda: os.read(descriptor, size)


def _as_bytes(data: Any) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def _head(file: BinaryIO) -> bytes:
    try:
        head = file.read(4096)
        file.seek(0)
    except OSError as error:
        file.close()
        raise UsageError(f"cannot read {file.name}: {error.strerror or error}") from error
    return head


def _bytes_per_sec(raw: Optional[RawAudio], head: bytes) -> Optional[float]:
    """Tell how many bytes are a second, of raw audio or WAV; `None` for others."""
    if raw is not None:
        return raw.bytes_per_second
    try:
        header = WavParser().feed(head)
    except ConfigurationError:
        return None
    return header.raw_audio.bytes_per_second if header else None


def _container_rate(path: str, file: BinaryIO) -> float:
    """Find the bit rate of a compressed file, or assume one."""
    size = os.fstat(file.fileno()).st_size
    try:
        import miniaudio

        duration = miniaudio.get_file_info(path).duration
    except (ImportError, ValueError, OSError):
        return _FILE_BYTES_PER_SEC
    except Exception as error:
        # its own error classes derive from Exception alone
        if type(error).__module__.split(".")[0] != "miniaudio":
            raise
        return _FILE_BYTES_PER_SEC
    return size / duration if duration > 0 else _FILE_BYTES_PER_SEC


def microphone_feed(raw: RawAudio) -> Feed:
    """Listen to the default microphone.

    Raises:
        AudioUnavailableError: no audio library, or no device.
    """
    sounddevice = import_sounddevice()
    frames = raw.ms_to_bytes(CHUNK_MS) // raw.bytes_per_frame
    try:
        stream = sounddevice.RawInputStream(
            samplerate=raw.sample_rate, channels=raw.num_channels, dtype="int16"
        )
        stream.start()
    except sounddevice.PortAudioError as error:
        raise AudioUnavailableError(f"the microphone cannot be opened: {error}") from error

    def read() -> bytes:
        try:
            return bytes(stream.read(frames)[0])
        except sounddevice.PortAudioError as error:
            raise AudioDeviceError(f"the microphone failed: {error}") from error

    mailbox = pump(read, "microphone", stream.close)
    feed = Feed(lambda: mailbox.take() or b"")
    feed.on_stop(mailbox.stop)
    return feed


def import_sounddevice() -> Any:
    """Import the audio library.

    Raises:
        AudioUnavailableError: it, or the PortAudio it needs, is not installed.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise AudioUnavailableError(
            f"no audio device can be used here ({error}): "
            'python -m pip install "soniox-sync[audio]"'
        ) from error
    return sounddevice
