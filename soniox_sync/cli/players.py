"""Where speech goes: a file, standard output, the loudspeaker."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Optional, Protocol, Union

from ..audio.wav import WavWriter
from ..errors import AudioUnavailableError
from .console import UsageError
from .feeds import import_sounddevice

__all__ = ["FileSink", "LoudspeakerSink", "Sink", "WavSink"]

Target = Union[str, BinaryIO]


class Sink(Protocol):
    """Takes audio as it comes."""

    def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def close(self) -> None:
        """Finish what was begun. Idempotent."""


class WavSink:
    """Writes samples as one WAV, begun with the first of them, so that a failure leaves no file."""

    def __init__(self, target: Target, sample_rate: int) -> None:
        self._target = target
        self._sample_rate = sample_rate
        self._writer: Optional[WavWriter] = None

    def write(self, data: bytes) -> None:
        """Write samples. Raises `UsageError` when the file cannot be made."""
        if self._writer is None:
            try:
                self._writer = WavWriter(self._target, sample_rate=self._sample_rate)
            except OSError as error:
                raise _cannot_write(self._target, error) from error
        self._writer.write(data)

    def close(self) -> None:
        """Put the header's lengths right where the file can seek."""
        if self._writer is not None:
            self._writer.close()


class FileSink:
    """Writes bytes as they are, into a file made with the first of them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._file: Optional[BinaryIO] = None

    def write(self, data: bytes) -> None:
        """Write bytes. Raises `UsageError` when the file cannot be made."""
        if self._file is None:
            self._file = self._opened()
        self._file.write(data)

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._file is not None and isinstance(self._target, str):
            self._file.close()

    def _opened(self) -> BinaryIO:
        if not isinstance(self._target, str):
            return self._target
        try:
            return open(self._target, "wb")
        except OSError as error:
            raise _cannot_write(self._target, error) from error


class LoudspeakerSink:
    """Plays 16-bit samples on the default loudspeaker while they come.

    Raises:
        AudioUnavailableError: no audio library, or no device.
    """

    def __init__(self, sample_rate: int) -> None:
        self._errors: Any = import_sounddevice().PortAudioError
        try:
            self._stream = import_sounddevice().RawOutputStream(
                samplerate=sample_rate, channels=1, dtype="int16"
            )
            self._stream.start()
        except self._errors as error:
            raise AudioUnavailableError(f"the loudspeaker cannot be opened: {error}") from error
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Play samples; blocks while the device's buffer is full."""
        data = self._rest + data
        whole = len(data) - len(data) % 2
        self._rest = data[whole:]
        self._stream.write(data[:whole])

    def close(self) -> None:
        """Wait until all is played, and release the device."""
        self._stream.stop()
        self._stream.close()


def _cannot_write(target: object, error: OSError) -> UsageError:
    name = os.fspath(target) if isinstance(target, str) else "the output"
    return UsageError(f"cannot write {name}: {error.strerror or error}")
