"""`TtsMetrics`: how fast a stream of speech came and how much of it."""

from __future__ import annotations

from typing import Callable, Optional

from .audio.formats import RawAudio, is_raw, stt_format_name
from .config import TtsStreamConfig


class TtsMetrics:
    """Measures one stream; readable at any time from any thread, `None` where not known yet.

    `time_to_first_audio_sec`: from the first text sent to the first audio received.
    `audio_bytes`: audio received. `audio_sec`: its duration, for raw formats and WAV, else `None`.
    `wall_sec`: from the first text sent to the end (or to now).
    """

    def __init__(self, config: TtsStreamConfig, now: Callable[[], float]) -> None:
        self._now = now
        self._format = _raw_audio(config)
        self._header_bytes = 44 if config.audio_format == "wav" else 0
        self._first_text: Optional[float] = None
        self._first_audio: Optional[float] = None
        self._end: Optional[float] = None
        self.audio_bytes = 0

    def _text_sent(self, begun: float) -> None:
        if self._first_text is None:
            self._first_text = begun

    def _audio_received(self, size: int) -> None:
        if size and self._first_audio is None:
            self._first_audio = self._now()
        self.audio_bytes += size

    def _ended(self) -> None:
        if self._end is None:
            self._end = self._now()

    @property
    def time_to_first_audio_sec(self) -> Optional[float]:
        """Give the seconds from the first text to the first audio."""
        if self._first_text is None or self._first_audio is None:
            return None
        return self._first_audio - self._first_text

    @property
    def audio_sec(self) -> Optional[float]:
        """Give the duration of the audio received, `None` for compressed formats."""
        if self._format is None:
            return None
        return self._format.bytes_to_sec(max(0, self.audio_bytes - self._header_bytes))

    @property
    def wall_sec(self) -> Optional[float]:
        """Give the seconds since the first text, up to the end of the stream."""
        if self._first_text is None:
            return None
        return (self._now() if self._end is None else self._end) - self._first_text

    def __repr__(self) -> str:
        return f"<TtsMetrics {self.audio_bytes} bytes, first after {self.time_to_first_audio_sec}>"


def _raw_audio(config: TtsStreamConfig) -> Optional[RawAudio]:
    name = "pcm_s16le" if config.audio_format == "wav" else config.audio_format
    if not is_raw(name):
        return None
    return RawAudio(stt_format_name(name), config.sample_rate or 24000, 1)
