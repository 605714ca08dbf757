"""`TtsMetrics`: speed and amount of the audio of one stream."""

from __future__ import annotations

from typing import Callable, Optional

from ..._support.reprs import byte_size, summary
from ...audio.formats import RawAudio, is_raw, stt_format_name
from ...config import TtsStreamConfig

# size of the canonical header that the service sends before the samples of a WAV
WAV_HEADER_BYTES = 44


class StreamTimer:
    """Times of one stream. Each field has one writer; all may be read at any time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        # Written by the first thread that sends text
        self.first_text: Optional[float] = None
        # Written by the reader
        self.first_audio: Optional[float] = None
        self.audio_bytes: int = 0
        # Written once, by the thread that ends the stream
        self.end: Optional[float] = None

    def text_sent(self, started: float) -> None:
        """Record text whose sending started at `started`."""
        if self.first_text is None:
            self.first_text = started

    def audio_received(self, size: int) -> None:
        """Record `size` bytes of audio."""
        if size and self.first_audio is None:
            self.first_audio = self.now()
        self.audio_bytes += size

    def ended(self) -> None:
        """Record the end; the first call counts."""
        if self.end is None:
            self.end = self.now()


class TtsMetrics:
    """Measurements of one stream; readable at any time, `None` until known. Thread-safe.

    `time_to_first_audio_sec`: from the first text sent to the first audio received.
    `audio_bytes`: audio received. `audio_sec`: its duration, for raw formats and WAV, else `None`.
    `wall_sec`: from the first text sent to the end or to now.
    """

    def __init__(self, config: TtsStreamConfig, timer: StreamTimer) -> None:
        self._timer = timer
        self._format = raw_audio(config)
        self._header_bytes = WAV_HEADER_BYTES if config.audio_format == "wav" else 0

    @property
    def audio_bytes(self) -> int:
        """Bytes of audio received."""
        return self._timer.audio_bytes

    @property
    def time_to_first_audio_sec(self) -> Optional[float]:
        """Seconds from the first text sent to the first audio received; `None` until then."""
        started, first = self._timer.first_text, self._timer.first_audio
        return None if started is None or first is None else first - started

    @property
    def audio_sec(self) -> Optional[float]:
        """Duration of the audio received, in seconds; `None` for compressed formats."""
        if self._format is None:
            return None
        return self._format.bytes_to_sec(max(0, self.audio_bytes - self._header_bytes))

    @property
    def wall_sec(self) -> Optional[float]:
        """Seconds from the first text sent to the end or to now; `None` before the first text."""
        started, end = self._timer.first_text, self._timer.end
        if started is None:
            return None
        return (self._timer.now() if end is None else end) - started

    def __repr__(self) -> str:
        first_sec = self.time_to_first_audio_sec
        return describe_metrics(self, self.audio_bytes, self.audio_sec, first_sec)


def describe_metrics(
    metrics: object, audio_bytes: int, audio_sec: Optional[float], first_sec: Optional[float]
) -> str:
    """Return the repr of metrics: bytes, duration and time to first audio, where known."""
    return summary(
        metrics,
        byte_size(audio_bytes),
        "" if audio_sec is None else f"of {audio_sec:.2f} s",
        "" if first_sec is None else f"first after {first_sec:.3f} s",
    )


def raw_audio(config: TtsStreamConfig) -> Optional[RawAudio]:
    """Return the sample format of a raw format or WAV, `None` for compressed formats."""
    name = "pcm_s16le" if config.audio_format == "wav" else config.audio_format
    if not is_raw(name):
        return None
    return RawAudio(stt_format_name(name), config.sample_rate or 24000, 1)
