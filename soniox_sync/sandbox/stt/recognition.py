"""Recognition of one stream of audio: decoding, pieces of equal length, maximum duration."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Optional

from ..audio.containers import Decoder
from ..engines.base import Listener, RecognitionResult
from ..problems import Problem
from ..world import World
from .config import SttConfig

__all__ = ["AudioRecognizer", "too_long"]

# audio is recognised in pieces of this length, however it was sent
_PIECE_MS = 120


def too_long() -> Problem:
    """Return the error for audio beyond the maximum duration (PROTOCOL 2.7)."""
    return Problem("max_duration_reached", "Maximum audio duration reached.")


class AudioRecognizer:
    """Decodes and recognises the audio of one session or one file. Not thread-safe.

    `stopped` ends `recognize` before the next piece.
    """

    def __init__(self, world: World, config: SttConfig, stopped: threading.Event) -> None:
        self._world = world
        self._config = config
        self._stopped = stopped
        self._listener: Optional[Listener] = None
        self._samples = 0
        self.decoder: Decoder = config.open_decoder()

    @property
    def started(self) -> bool:
        """Whether there was audio that could be decoded."""
        return self._listener is not None

    @property
    def total_ms(self) -> int:
        """Milliseconds of audio so far."""
        return self._samples * 1000 // (self.decoder.sample_rate or 1)

    def recognize(self, pcm: bytes) -> Iterator[tuple[float, Optional[RecognitionResult]]]:
        """Recognise what the decoder returned; yield the duration (ms) and result of each piece.

        Raises
            Problem: 413 if the audio is too long.
        """
        rate = self.decoder.sample_rate
        if not pcm or not rate:
            return
        size = max(1, rate * _PIECE_MS // 1000) * 2
        for at in range(0, len(pcm), size):
            if self._stopped.is_set():
                return
            piece = pcm[at : at + size]
            if self._listener is None:
                self._listener = self._world.recognizer.listen(
                    sample_rate=rate,
                    languages=self._config.language_hints,
                    endpoint_delay_ms=self._config.endpoint_delay_ms,
                )
            self._samples += len(piece) // 2
            limit = self._world.limits.stt_max_duration_sec
            if limit is not None and self._samples > limit * rate:
                raise too_long()
            yield len(piece) / 2 * 1000 / rate, self._listener.feed(piece)

    def finalize(self) -> RecognitionResult:
        """Make all audio so far final."""
        if self._listener is None:
            return RecognitionResult((), (), False, 0, 0)
        return self._listener.finalize()

    def close(self) -> None:
        """Release decoder and listener."""
        self.decoder.close()
        if self._listener is not None:
            self._listener.close()
