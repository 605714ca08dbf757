"""One stream that speaks a part, or the rest of one, and what is known about its audio."""

from __future__ import annotations

from typing import Callable, Optional

from ..._support.locks import new_lock
from ...audio.formats import is_raw
from ...config import TtsStreamConfig
from ...errors import SonioxError
from ...protocol.tts import AudioChunk, Timestamps
from ...runtime.clock import Clock
from ..tts.metrics import WAV_HEADER_BYTES, raw_audio
from ..tts.stream import StreamCore
from .planner import Part
from .spoken import spoken_length, text_until

__all__ = ["Attempt", "CharacterTimes", "bytes_per_second", "character_times"]

# characters, and at how many seconds each starts
CharacterTimes = list[tuple[str, float]]


def bytes_per_second(config: TtsStreamConfig) -> Optional[float]:
    """Return the bytes per second of audio, `None` if that is not known."""
    shape = raw_audio(config)
    if shape is not None:
        return shape.bytes_per_second
    return config.bitrate / 8 if config.bitrate else None


def character_times(timestamps: Optional[Timestamps]) -> CharacterTimes:
    """Return the characters of one chunk with their start times."""
    if timestamps is None:
        return []
    return list(zip(timestamps.characters, timestamps.character_start_times_seconds))


class Attempt:
    """Observer of one stream.

    `on_first_audio` is called at most once, `on_end` once, with the stream's error or `None`.
    """

    def __init__(
        self,
        part: Part,
        stream: StreamCore,
        clock: Clock,
        on_first_audio: Callable[[], None],
        on_end: Callable[[Attempt, Optional[SonioxError]], None],
    ) -> None:
        # Immutable
        self.part = part
        self.begin: int = part.begin
        self.opened_at: float = clock.now()
        self.stream = stream
        self._progress = part.progress
        self._clock = clock
        self._on_first_audio = on_first_audio
        self._on_end = on_end
        self._rate = bytes_per_second(stream.config)
        self._header_bytes = WAV_HEADER_BYTES if stream.config.audio_format == "wav" else 0
        self._has_exact_time = is_raw(stream.config.audio_format) or self._header_bytes > 0
        # Pump only
        self.text_sec: float = 0.0  # estimated, of the text sent
        # Reader only, until it ended
        self.times: CharacterTimes = []
        self.audio_bytes: int = 0
        self.is_complete: bool = False  # its last audio was received
        # Guards the fields below. Leaf.
        self._lock = new_lock()
        self._ended = False
        self._owner: Optional[str] = None  # of the audio

    # -- StreamObserver --------------------------------------------------------------------------

    def received(self, chunk: AudioChunk) -> None:
        """Record audio and its times. Reader only."""
        self.audio_bytes += chunk.weight
        self.times += character_times(chunk.timestamps)
        if chunk.audio_end or chunk.weight:
            self.is_complete = chunk.audio_end
        progress = self._progress
        progress.audio_sec = self._audio_sec()
        progress.last_audio_at = self._clock.now()
        if chunk.weight and not progress.has_audio:
            progress.has_audio = True
            self._on_first_audio()

    def _audio_sec(self) -> float:
        if self._rate is not None:
            return max(0, self.audio_bytes - self._header_bytes) / self._rate
        # a low estimate: half of a high one, since not all audio has been received
        return max(self.text_sec / 2, self.times[-1][1] if self.times else 0.0)

    def failed(self, error: SonioxError) -> None:
        """Report the failure as the end."""
        self._end(error)

    def released(self, error: Optional[SonioxError]) -> None:
        """Report the end, unless a failure was reported."""
        self._end(error)

    def _end(self, error: Optional[SonioxError]) -> None:
        with self._lock:
            ended_before, self._ended = self._ended, True
        if not ended_before:
            self._on_end(self, error)

    # -- whose audio it is -----------------------------------------------------------------------
    #
    # A stream that failed may be replaced by one that speaks all of its text again, but only if
    # none of its audio was played. The consumer and the pump race, and the first call decides:
    #
    #     claim() -> True, then revoke() -> False: the audio is played; the rest of the text is
    #         spoken by the next stream, or the error is raised after the audio
    #     revoke() -> True, then claim() -> False: the audio is dropped; the next stream speaks all
    #         of the text

    def claim(self) -> bool:
        """Claim the audio for the consumer; return False if it was revoked."""
        with self._lock:
            self._owner = self._owner or "consumer"
            return self._owner == "consumer"

    def revoke(self) -> bool:
        """Drop the audio; return False if it was claimed."""
        with self._lock:
            self._owner = self._owner or "nobody"
            return self._owner == "nobody"

    # -- position --------------------------------------------------------------------------------

    def spoken_chars(self) -> int:
        """Return up to which character of the part's text was spoken, by the timestamps."""
        sec = self._audio_sec() if self._has_exact_time else None
        text = self.part.text[self.begin :]
        return self.begin + spoken_length(text, text_until(self.times, sec))
