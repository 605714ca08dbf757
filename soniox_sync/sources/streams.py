"""Bytes that come as a stream: the WAV header at their front, when they are said to be WAV."""

from __future__ import annotations

from typing import Optional

from ..audio.wav import WavParser
from ..errors import AudioSourceError
from .base import UNKNOWN_AUDIO, SourceAudio

__all__ = ["StreamFormat"]


class StreamFormat:
    """Turns a stream's bytes into what is delivered. For the source's thread alone.

    A stream said to be `"wav"` loses its header and what stands behind its samples; its `audio`
    is `None` until the header was whole, then the samples' format. Any other passes unchanged.
    """

    def __init__(self, told: Optional[SourceAudio]) -> None:
        self.audio: Optional[SourceAudio] = told or UNKNOWN_AUDIO
        self._parser: Optional[WavParser] = None
        self._left: Optional[int] = None  # bytes of samples, where the header says it
        self._is_wav = told is not None and told.audio_format == "wav"
        if self._is_wav:
            self.audio = None
            self._parser = WavParser()

    @property
    def bytes_per_second(self) -> Optional[float]:
        """Give the weight of a second; `None` for containers, and before the header."""
        raw = self.audio.raw if self.audio is not None else None
        return raw.bytes_per_second if raw is not None else None

    @property
    def is_over(self) -> bool:
        """Tell whether the samples have ended, whatever still comes."""
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes, give audio, perhaps none. Raises `ConfigurationError`: this is no WAV."""
        if self._parser is not None:
            header = self._parser.feed(data)
            if header is None:
                return b""
            self.audio = SourceAudio(header.audio_format, header.sample_rate, header.num_channels)
            self._left = header.data_bytes
            data, self._parser = self._parser.rest, None
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    def end(self) -> None:
        """Learn that the stream ended. Raises `AudioSourceError`: inside its header."""
        if self._parser is not None:
            raise AudioSourceError("the WAV stream ended inside its header")
