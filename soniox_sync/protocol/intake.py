"""What a source delivers becomes headerless audio where possible: a WAV loses its header."""

from __future__ import annotations

from typing import Optional

from ..audio.formats import RawAudio, is_raw, stt_format_name
from ..audio.wav import WavParser
from ..errors import ConfigurationError

_RIFF = (b"RIFF", b"RF64")


class Intake:
    """Finds out what the audio is, from the config or from its first bytes. Not thread-safe.

    `known` says that `audio` is decided: a `RawAudio`, or `None` for a container format, which can
    neither be cut nor replayed.
    """

    def __init__(self, audio_format: str, sample_rate: Optional[int], channels: Optional[int]):
        self.audio: Optional[RawAudio] = None
        self.known = False
        self._parser: Optional[WavParser] = None
        self._begin = b""
        self._left: Optional[int] = None  # samples of a WAV whose length is known
        if is_raw(audio_format):
            self._decide(RawAudio(stt_format_name(audio_format), sample_rate or 0, channels or 0))
        self._is_container = audio_format not in ("auto", "wav")

    def declare(self, audio: RawAudio) -> None:
        """Learn from the source what it delivers."""
        if not self.known:
            self._decide(audio)

    def _decide(self, audio: Optional[RawAudio]) -> None:
        self.audio, self.known = audio, True

    def take(self, data: bytes) -> bytes:
        """Give the audio of `data`: nothing yet while it is not clear what it is.

        Raises `ConfigurationError` for a WAV of a kind that the service cannot read.
        """
        if not self.known and self._is_container:
            self._decide(None)
        if self.known:
            return self._cut(data)
        if self._parser is None:
            self._begin += data
            if len(self._begin) < 4:
                return b""
            data, self._begin = self._begin, b""
            if data[:4] not in _RIFF:
                self._decide(None)
                return data
            self._parser = WavParser()
        header = self._parser.feed(data)
        if header is None:
            return b""
        self._left = header.data_bytes
        self._decide(header.raw_audio)
        return self._cut(self._parser.rest)

    def _cut(self, data: bytes) -> bytes:
        """Leave out what follows the samples of a WAV: lists of names and the like."""
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    def end(self) -> bytes:
        """Give what was held back, when the source ends before anything was clear.

        Raises `ConfigurationError` for a WAV that ends inside its header: it was cut off.
        """
        if self.known:
            return b""
        if self._parser is not None:
            raise ConfigurationError("the WAV ends inside its header, before any sample")
        self._decide(None)
        return self._begin
