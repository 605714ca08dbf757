"""Decoding compressed files to samples while they are read, with `miniaudio` if it is installed.

It decodes mp3, FLAC and Ogg Vorbis (not Opus, WebM or AAC).
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, Optional

from ..errors import AudioSourceError
from .base import SourceAudio
from .feeds import FileFeed, FileOptions

_log = logging.getLogger("soniox_sync")

# name from `sniff` -> name in miniaudio
_KINDS = {"mp3": "MP3", "flac": "FLAC", "vorbis": "VORBIS"}

# What speech recognition needs: resampling and mixing here at least halves the upload.
_RATE, _CHANNELS = 16000, 1
_NATIVE = "pcm_s16le" if sys.byteorder == "little" else "pcm_s16be"


def open_decoded(
    kind: Optional[str], file: BinaryIO, start: int, options: FileOptions
) -> Optional[DecodedFeed]:
    """Open a decoder for a container that starts at `start`; return `None` if there is none."""
    if kind not in _KINDS:
        return None
    try:
        import miniaudio
    except ImportError:
        _log.debug("= %s is sent as it is: miniaudio is not installed", kind)
        return None
    file.seek(start)
    rate = options.sample_rate or _RATE
    audio = SourceAudio(_NATIVE, rate, options.num_channels or _CHANNELS)
    reader = _reader(miniaudio, file, start)
    try:
        samples = miniaudio.stream_any(
            reader,
            getattr(miniaudio.FileFormat, _KINDS[kind]),
            output_format=miniaudio.SampleFormat.SIGNED16,
            nchannels=audio.num_channels,
            sample_rate=rate,
            frames_to_read=max(1, rate * options.chunk_ms // 1000),
        )
    except miniaudio.MiniaudioError as error:
        if reader.failed is not None:
            raise reader.failed from error
        _log.debug("= %s is sent as it is: %s", kind, error)
        return None
    return DecodedFeed(file, audio, samples, reader, miniaudio.MiniaudioError, options)


def _reader(miniaudio: Any, file: BinaryIO, start: int) -> Any:
    """Return an object for miniaudio to read from. It swallows exceptions; `failed` keeps them."""

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


class DecodedFeed(FileFeed):
    """Samples of a compressed file, at most one chunk of them in memory."""

    def __init__(
        self,
        file: BinaryIO,
        audio: SourceAudio,
        samples: Iterator[Any],
        reader: Any,
        decode_error: type[Exception],
        options: FileOptions,
    ) -> None:
        super().__init__(file, options)
        self.audio = audio
        self._samples = samples
        self._reader = reader  # the decoder holds no reference to it
        self._decode_error = decode_error

    @property
    def bytes_per_second(self) -> Optional[float]:
        """Bytes of one second of samples."""
        return self.audio.raw.bytes_per_second if self.audio.raw else None

    def read(self) -> Optional[bytes]:
        """Decode the next chunk.

        Raises
            AudioSourceError: the file is damaged.
            Exception: what reading the file raised.
        """
        try:
            samples = next(self._samples, None)
        except self._decode_error as error:
            if self._reader.failed is not None:
                raise self._reader.failed from error
            raise AudioSourceError(f"decoding failed, the file is damaged: {error}") from error
        if self._reader.failed is not None:
            raise self._reader.failed
        return None if samples is None else bytes(samples.tobytes())

    def close(self) -> None:
        """Free the decoder, and close the file if it was opened here."""
        close = getattr(self._samples, "close", None)
        if close is not None:
            close()
        super().close()
