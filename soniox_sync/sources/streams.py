"""Base classes of sources that read streams: format, and removal of a WAV header."""

from __future__ import annotations

from typing import Optional, Union

from ..audio.wav.header import WavHeader, WavParser
from ..errors import AudioSourceError
from .base import UNKNOWN_AUDIO, SourceAudio, declared_audio
from .pacing import SourceClock
from .threaded import ThreadedSource


class StreamFeed:
    """Base of the feeds that read streams: format, and removal of a WAV header.

    From a stream declared as `"wav"` the header and everything after the samples is removed; its
    `audio` is `None` until the header is complete, then the format of the samples. Any other stream
    is passed on unchanged.
    """

    can_restart = False

    def __init__(self, declared: Optional[SourceAudio]) -> None:
        self.audio: Optional[SourceAudio] = declared or UNKNOWN_AUDIO
        self._parser: Optional[WavParser] = None
        self._has_begun = False
        self._left: Optional[int] = None  # bytes of samples to come, if the header has a size
        if declared is not None and declared.audio_format == "wav":
            self.audio = None
            self._parser = WavParser()

    @property
    def bytes_per_second(self) -> Optional[float]:
        """Bytes of one second; `None` for containers, and before the header was read."""
        raw = self.audio.raw if self.audio is not None else None
        return raw.bytes_per_second if raw is not None else None

    @property
    def is_over(self) -> bool:
        """Whether the samples have ended, even if more data follows."""
        return self._left == 0

    def strip_header(self, data: bytes) -> bytes:
        """Return the audio in the next bytes, which may be none.

        Raises
            ConfigurationError: not a WAV, although declared as one.
        """
        if self._parser is not None:
            self._has_begun = self._has_begun or bool(data)
            header = self._parser.feed(data)
            if header is None:
                return b""
            data = self._begin(header, self._parser.rest)
        if self._left is None:
            return data
        data = data[: self._left]
        self._left -= len(data)
        return data

    def _begin(self, header: WavHeader, rest: bytes) -> bytes:
        """Set the format of the samples; return those that were read along with the header."""
        self._parser = None
        self.audio = SourceAudio(header.audio_format, header.sample_rate, header.num_channels)
        self._left = header.data_bytes
        return rest

    def end(self) -> Optional[bytes]:
        """Return samples that were held back until the stream ended, `None` if there are none.

        Raises
            AudioSourceError: it ended inside its header.
        """
        if self._parser is None or not self._has_begun:
            return None
        header = self._parser.finish()
        if header is None:
            raise AudioSourceError("the WAV stream ended inside its header")
        return self._begin(header, self._parser.rest) or None

    def restart(self) -> None:
        """Do nothing: see `can_restart`."""


class StreamSource(ThreadedSource):
    """Base of the sources that read streams; their options are those of `IterableSource`."""

    def __init__(
        self,
        pace: Union[bool, float, None],
        audio_format: Optional[str],
        sample_rate: Optional[int],
        num_channels: Optional[int],
        clock: Optional[SourceClock],
    ) -> None:
        super().__init__(pace=pace, clock=clock)
        self._declared = declared_audio(audio_format, sample_rate, num_channels)  # immutable

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Format of what is delivered; `None` for WAV until its header was read."""
        return super().audio or StreamFeed(self._declared).audio
