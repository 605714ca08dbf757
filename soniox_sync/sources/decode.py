"""Compressed files to samples, as they are read, by `miniaudio` where it is installed.

It reads mp3, FLAC and Ogg Vorbis (not Opus, WebM or AAC).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Optional

from ..errors import AudioSourceError
from .base import SourceAudio

__all__ = ["DecodedFeed", "open_decoded"]

_log = logging.getLogger("soniox_sync")

# what `sniff` calls them -> what miniaudio calls them
_KINDS = {"mp3": "MP3", "flac": "FLAC", "vorbis": "VORBIS"}

# What speech is recognised from; a decoder that mixes and resamples halves the upload at least.
_RATE, _CHANNELS = 16000, 1
_NATIVE = "pcm_s16le" if sys.byteorder == "little" else "pcm_s16be"


def open_decoded(
    kind: Optional[str],
    file: BinaryIO,
    start: int,
    *,
    owned: bool,
    sample_rate: Optional[int],
    num_channels: Optional[int],
    chunk_ms: int,
) -> Optional[DecodedFeed]:
    """Open a decoder for a container that begins at `start`; `None` when none can read it.

    `sample_rate` (Hz) and `num_channels` of the samples; `None`: 16000 and 1.
    """
    if kind not in _KINDS:
        return None
    try:
        import miniaudio
    except ImportError:
        _log.debug("= %s is sent as it is: miniaudio is not installed", kind)
        return None
    file.seek(start)
    audio = SourceAudio(_NATIVE, sample_rate or _RATE, num_channels or _CHANNELS)
    reader = _reader(miniaudio, file, start)
    try:
        samples = miniaudio.stream_any(
            reader,
            getattr(miniaudio.FileFormat, _KINDS[kind]),
            output_format=miniaudio.SampleFormat.SIGNED16,
            nchannels=audio.num_channels,
            sample_rate=audio.sample_rate,
            frames_to_read=max(1, audio.sample_rate * chunk_ms // 1000) if audio.sample_rate else 1,
        )
    except miniaudio.MiniaudioError as error:
        if reader.failed is not None:
            raise reader.failed from error
        _log.debug("= %s is sent as it is: %s", kind, error)
        return None
    return DecodedFeed(audio, samples, reader, file if owned else None, miniaudio.MiniaudioError)


def _reader(miniaudio: Any, file: BinaryIO, start: int) -> Any:
    """Make what miniaudio reads from; it swallows exceptions, so they are kept in `failed`."""

    class Reader(miniaudio.StreamableSource):  # type: ignore[misc]
        failed: Optional[Exception] = None

        def read(self, num_bytes: int) -> bytes:
            try:
                return file.read(num_bytes) or b""
            except Exception as error:
                self.failed = error
                raise

        def seek(self, offset: int, origin: Any) -> bool:
            whence = getattr(origin, "value", origin)
            try:
                file.seek(offset + (start if whence == os.SEEK_SET else 0), whence)
            except (OSError, ValueError):
                return False
            return True

    return Reader()


class DecodedFeed:
    """Gives the samples of a compressed file; at most a chunk of it is in memory."""

    can_restart = True

    def __init__(
        self,
        audio: SourceAudio,
        samples: Iterator[Any],
        reader: Any,
        file: Optional[BinaryIO],
        decode_error: type[Exception],
    ) -> None:
        self.audio = audio
        self._samples = samples
        self._reader = reader  # the decoder holds no reference to it
        self._file = file
        self._decode_error = decode_error

    @property
    def bytes_per_second(self) -> Optional[float]:
        """Give the weight of a second of samples."""
        return self.audio.raw.bytes_per_second if self.audio.raw else None

    def read(self) -> Optional[bytes]:
        """Decode the next piece. Raises `AudioSourceError`, or what the file raised."""
        try:
            samples = next(self._samples, None)
        except self._decode_error as error:
            if self._reader.failed is not None:
                raise self._reader.failed from error
            raise AudioSourceError(f"the file cannot be decoded any further: {error}") from error
        if self._reader.failed is not None:
            raise self._reader.failed
        return None if samples is None else bytes(samples.tobytes())

    def restart(self) -> None:
        """Do nothing: samples have no header."""

    def wake(self) -> None:
        """Do nothing: files do not keep one waiting."""

    def close(self) -> None:
        """Free the decoder, close the file if it was opened here."""
        close = getattr(self._samples, "close", None)
        if close is not None:
            close()
        if self._file is not None:
            self._file.close()
