"""Speech that nobody recognises: how long it was, where pocketsphinx is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np

from .resample import Samples
from .sphinx import SphinxWord

__all__ = ["SpeechMeter"]

_BLOCK_MS = 30
# Quieter blocks (RMS) are silence, as for the endpoints of pocketsphinx's detector.
_LEAST_LEVEL = 100.0
# Voices are between these; the period of the waveform shows at once what is a voice.
_LOWEST_HZ, _HIGHEST_HZ = 70.0, 400.0
# Correlation of a block with itself one period later: vowels have 0.7 and more, noise 0.3.
_VOICED = 0.55
# so much of a voice makes speech: less is a click or a cough
_LEAST_VOICED_MS = 150
# A longer pause ends the speech; pauses inside a sentence are shorter.
_PAUSE_MS = 500
# Speech without a pause is cut here, or captions would never become final.
_LONGEST_MS = 20_000
_CONFIDENCE = 0.5


class SpeechMeter:
    """Writes one word, such as `[speech 1.2 s]`, for each stretch of speech. Not thread-safe.

    It has the interface of `SphinxTranscriber`, and takes its place.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._block = sample_rate * _BLOCK_MS // 1000
        self._waiting: Samples = np.zeros(0, np.int16)
        # position of the next sample
        self._end = 0
        # of the current speech: first and last block with sound, and how much is a voice
        self._first_ms: Optional[int] = None
        self._last_ms = 0
        self._voiced_ms = 0
        self.speech_end_ms: int = 0
        """Where the last speech ended."""

    @property
    def partial(self) -> Sequence[SphinxWord]:
        """The word for the current speech so far."""
        return self._word()

    @property
    def speech_start_ms(self) -> Optional[int]:
        """Where the current speech started, `None` between speeches."""
        return self._first_ms if self._is_speech else None

    def feed(self, start: int, samples: Samples) -> list[SphinxWord]:
        """Add samples from position `start` of the stream; return words that became final."""
        words: list[SphinxWord] = []
        if start != self._end:
            words += self.flush()
            self._end = start
        self._end += len(samples)
        self._waiting = np.concatenate((self._waiting, samples))
        while len(self._waiting) >= self._block:
            block, self._waiting = self._waiting[: self._block], self._waiting[self._block :]
            words += self._listen(block, self._end - len(self._waiting))
        return words

    def flush(self) -> list[SphinxWord]:
        """End the speech and return its word."""
        self._waiting = self._waiting[:0]
        return self._finish()

    def close(self) -> None:
        """Do nothing."""

    @property
    def _is_speech(self) -> bool:
        return self._voiced_ms >= _LEAST_VOICED_MS

    def _listen(self, block: Samples, end: int) -> list[SphinxWord]:
        """Take one block, which ends at position `end`; return the word that is final after it."""
        end_ms = end * 1000 // self._rate
        wave = block.astype(np.float64) - block.mean()
        if float(wave @ wave) >= len(wave) * _LEAST_LEVEL**2:
            if self._first_ms is None:
                self._first_ms = end_ms - _BLOCK_MS
            self._last_ms = end_ms
            self._voiced_ms += _BLOCK_MS if self._is_voiced(wave) else 0
            if self._is_speech:
                self.speech_end_ms = end_ms
        first = end_ms if self._first_ms is None else self._first_ms
        is_over = end_ms - self._last_ms >= _PAUSE_MS or end_ms - first >= _LONGEST_MS
        return self._finish() if is_over else []

    def _is_voiced(self, wave: Any) -> bool:
        # a rumble, too, is like itself a moment later; its differences are not
        wave = np.diff(wave)
        size = 1 << (2 * len(wave)).bit_length()
        product = np.fft.irfft(np.abs(np.fft.rfft(wave, size)) ** 2)[: len(wave)]
        # fewer samples overlap, the longer the period is
        overlap = np.arange(len(wave), 0, -1) / len(wave)
        low, high = int(self._rate / _HIGHEST_HZ), int(self._rate / _LOWEST_HZ) + 1
        return float((product / overlap)[low:high].max(initial=0.0)) > _VOICED * float(product[0])

    def _word(self) -> list[SphinxWord]:
        if self._first_ms is None or not self._is_speech:
            return []
        text = f"[speech {(self._last_ms - self._first_ms) / 1000:.1f} s]"
        return [SphinxWord(text, self._first_ms, self._last_ms, _CONFIDENCE)]

    def _finish(self) -> list[SphinxWord]:
        words = self._word()
        self._first_ms, self._voiced_ms = None, 0
        return words
