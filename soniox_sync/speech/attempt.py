"""One stream that speaks (the rest of) one part, and what is known of it."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from ..audio.formats import RawAudio, is_raw, stt_format_name
from ..config import TtsStreamConfig
from ..errors import SonioxError
from ..protocol.tts import AudioChunk, Timestamps
from ..tts_stream import TtsStream
from .planner import Part
from .spoken import spoken_length, text_of

__all__ = ["Attempt", "bytes_per_second", "marks_of"]

Marks = list[tuple[str, float]]


def bytes_per_second(config: TtsStreamConfig) -> Optional[float]:
    """Give how many bytes a second of audio has, `None` where that is not known."""
    name = "pcm_s16le" if config.audio_format == "wav" else config.audio_format
    if is_raw(name):
        return RawAudio(stt_format_name(name), config.sample_rate or 24000).bytes_per_second
    return config.bitrate / 8 if config.bitrate else None


def marks_of(timestamps: Optional[Timestamps]) -> Marks:
    """Give the characters of one frame with the seconds at which they begin."""
    if timestamps is None:
        return []
    characters = timestamps.get("characters")
    starts = timestamps.get("character_start_times_seconds")
    if not isinstance(characters, list) or not isinstance(starts, list):
        return []
    return [
        (char, float(start))
        for char, start in zip(characters, starts)
        if isinstance(char, str) and isinstance(start, (int, float))
    ]


class Attempt:
    """Watches one stream.

    `sounds` is called with its first audio, `ended` once, with the stream's error or `None`.
    """

    def __init__(
        self,
        part: Part,
        stream: TtsStream,
        now: Callable[[], float],
        sounds: Callable[[], None],
        ended: Callable[[Attempt, Optional[SonioxError]], None],
    ) -> None:
        # Immutable
        self.part = part
        self.begin = part.begin
        self.stream = stream
        self._progress = part.progress
        self._now = now
        self._sounds = sounds
        self._ended = ended
        self._rate = bytes_per_second(stream.config)
        self._header_bytes = 44 if stream.config.audio_format == "wav" else 0
        self._exact = is_raw(stream.config.audio_format) or self._header_bytes > 0
        # Pump only
        self.text_sec = 0.0  # estimated, of the text sent
        # Reader only, until it ended
        self.marks: Marks = []
        self.audio_bytes = 0
        self.is_complete = False  # its last audio came
        self._told = False
        # Guards the field below. Leaf.
        self._lock = threading.Lock()
        self._holder: Optional[str] = None

    # -- the stream's side -----------------------------------------------------------------------

    def heard(self, chunk: AudioChunk) -> None:
        """Note what arrived. Reader only."""
        self.audio_bytes += chunk.weight
        self.marks += marks_of(chunk.timestamps)
        if chunk.audio_end or chunk.weight:
            self.is_complete = chunk.audio_end
        progress = self._progress
        progress.audio_sec = self._audio_sec()
        progress.at = self._now()
        if chunk.weight and not progress.heard:
            progress.heard = True
            self._sounds()

    def _audio_sec(self) -> float:
        if self._rate is not None:
            return max(0, self.audio_bytes - self._header_bytes) / self._rate
        # a guess that is rather low: the estimate is high, and not all of it has come
        return max(self.text_sec / 2, self.marks[-1][1] if self.marks else 0.0)

    def failed(self, error: SonioxError) -> None:
        """Pass the failure on, once."""
        self._tell(error)

    def freed(self, error: Optional[SonioxError]) -> None:
        """Pass the end on, once."""
        self._tell(error)

    def _tell(self, error: Optional[SonioxError]) -> None:
        with self._lock:
            told, self._told = self._told, True
        if not told:
            self._ended(self, error)

    # -- who has its audio -----------------------------------------------------------------------

    def claim(self) -> bool:
        """Take the audio to hand it out; False when it was revoked before."""
        with self._lock:
            self._holder = self._holder or "consumer"
            return self._holder == "consumer"

    def revoke(self) -> bool:
        """Take the audio to throw it away; False when some may have been handed out."""
        with self._lock:
            self._holder = self._holder or "nobody"
            return self._holder == "nobody"

    # -- facts -----------------------------------------------------------------------------------

    def spoken_chars(self) -> int:
        """Give up to where the part's text has sounded, by the timestamps received."""
        sec = self._audio_sec() if self._exact else None
        return self.begin + spoken_length(self.part.text[self.begin :], text_of(self.marks, sec))
