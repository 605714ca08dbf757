"""How much of a speech the user has received: audio, and from it text."""

from __future__ import annotations

from typing import Optional

from ...config import TtsStreamConfig
from ...protocol.tts import Timestamps
from .attempt import Attempt, CharacterTimes, bytes_per_second, character_times
from .lengths import estimate_sec
from .planner import Part
from .spoken import spoken_length, text_until

__all__ = ["Played"]

# how many times too long the estimated duration of a text is, on average
_ESTIMATE_FACTOR = 1.3
# for compressed audio of unknown bit rate
_COMPRESSED_BYTES_PER_SEC = 8000.0


class Played:
    """Audio and text that the user has received. Written by the consumer, read by any thread."""

    def __init__(self, config: TtsStreamConfig) -> None:
        self.audio_bytes: int = 0
        self.audio_sec: Optional[float] = 0.0  # `None` for formats without a known duration
        self._speed = config.speed or 1.0
        self._rate = bytes_per_second(config)
        self._texts: list[str] = []  # of the parts played to the end
        self._attempt: Optional[Attempt] = None  # of the current part, over or not
        # Of the current stream
        self._bytes = 0
        self._times: CharacterTimes = []

    def begin(self, attempt: Attempt) -> None:
        """Start the next stream."""
        self._bytes, self._times = 0, []
        self._attempt = attempt

    def stream_audio(self, size: int, timestamps: Optional[Timestamps]) -> None:
        """Record audio of the current stream, before joining."""
        self._bytes += size
        self._times += character_times(timestamps)

    def handed_out(self, size: int, audio_sec: Optional[float]) -> None:
        """Record `size` bytes for the user; `audio_sec` is the duration so far."""
        self.audio_bytes += size
        self.audio_sec = audio_sec

    def part_ended(self, part: Part) -> None:
        """Record that a part was played to its end."""
        self._texts.append(part.lead + part.text)
        self._attempt = None

    @property
    def audio_ms(self) -> Optional[int]:
        """Milliseconds of audio that the user has received; `None` if that cannot be known."""
        seconds = self.audio_sec
        if seconds is None and self._rate:
            seconds = self.audio_bytes / self._rate
        return None if seconds is None else int(seconds * 1000)

    @property
    def text(self) -> str:
        """Text whose audio the user has received; see `Speech.spoken_text`."""
        before, attempt = "".join(self._texts), self._attempt
        if attempt is None:
            return before
        part, begin = attempt.part, attempt.begin
        text = part.text[begin:]
        return before + part.lead + part.text[:begin] + text[: self._spoken_chars(attempt, text)]

    def _spoken_chars(self, attempt: Attempt, text: str) -> int:
        """Return how many characters of `text`, the text of the current stream, were spoken.

        Computed from the best data available: the times of the characters; or the share of the
        audio, if all of it was received; or the share of the text's estimated duration. The last
        two are rounded down to the end of a word.
        """
        if self._times:
            sec = self._bytes / self._rate if self._rate else None
            return spoken_length(text, text_until(self._times, sec))
        if attempt.is_complete and attempt.audio_bytes:
            share = self._bytes / attempt.audio_bytes
        else:
            sec = self._bytes / (self._rate or _COMPRESSED_BYTES_PER_SEC)
            share = sec / max(0.1, estimate_sec(text, self._speed) / _ESTIMATE_FACTOR)
        count = int(len(text) * min(1.0, share))
        return count if count == len(text) else text.rfind(" ", 0, count + 1) + 1
