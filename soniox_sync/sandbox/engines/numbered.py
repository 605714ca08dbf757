"""Audio whose samples are numbered words, so that the text shows exactly which samples arrived.

For tests of lossless recording. `numbered_audio(0, 50)` is PCM with the words `w0` to `w49`: every
sample of word n has the value n + 1, with silence between the words. `NumberedRecognizer`
recognises them anywhere in the audio of a session, so that a word that is missing or repeated after
a reconnect is visible in the text. Works for mono `pcm_s16le` and WAV at any rate.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Optional

from ..._support.reprs import summary
from ..audio.samples import unpack
from .base import HeardWord, RecognitionResult

__all__ = ["NumberedRecognizer", "numbered_audio"]


def numbered_audio(
    first: int,
    count: int,
    *,
    ms_per_word: int = 200,
    gap_ms: int = 50,
    sample_rate: int = 16000,
) -> bytes:
    """Return s16le mono audio of `count` words from number `first`, at `sample_rate` (Hz).

    Each word takes `ms_per_word`, of which the last `gap_ms` are silent.
    """
    sound = sample_rate * (ms_per_word - gap_ms) // 1000
    silence = bytes(2 * (sample_rate * ms_per_word // 1000 - sound))
    words = range(first, first + count)
    return b"".join((word + 1).to_bytes(2, "little") * sound + silence for word in words)


class NumberedListener:
    """Recognises the numbered words of one session. Not thread-safe."""

    def __init__(
        self, sample_rate: int, final_lag_ms: int, endpoint_ms: int, language: str
    ) -> None:
        self._rate = sample_rate
        self._final_lag_ms = final_lag_ms
        self._endpoint_ms = endpoint_ms
        self._language = language
        self._rest = b""
        self._at = 0  # samples fed
        # value and first sample of the current run of equal samples
        self._run = (0, 0)
        # value, start and end of runs that are over but not final
        self._ended: list[tuple[int, int, int]] = []
        self._in_utterance = False
        self._reported: tuple[HeardWord, ...] = ()

    def __repr__(self) -> str:
        return summary(self, f"at {self._ms(self._at)} ms")

    def feed(self, pcm: bytes) -> Optional[RecognitionResult]:
        """Add audio; return what changed, `None` if nothing did."""
        pcm = self._rest + pcm
        whole = len(pcm) // 2 * 2
        self._rest = pcm[whole:]
        for value, group in itertools.groupby(unpack(pcm[:whole])):
            if value != self._run[0]:
                self._end_run()
                self._run = (value, self._at)
            self._at += sum(1 for _ in group)
        return self._result_if_changed()

    def finalize(self) -> RecognitionResult:
        """Make all words so far final; if one is cut, its rest counts as a new word."""
        self._end_run()
        final = self._take(self._at)
        self._reported = ()
        return RecognitionResult(final, (), False, self._ms(self._at), self._ms(self._at))

    def close(self) -> None:
        """Do nothing."""

    def _end_run(self) -> None:
        value, start = self._run
        if value and self._at > start:
            self._ended.append((value, start, self._at))
        self._run = (value, self._at)

    def _result_if_changed(self) -> Optional[RecognitionResult]:
        final = self._take(self._at - self._final_lag_ms * self._rate // 1000)
        value, start = self._run
        runs = [*self._ended, *([(value, start, self._at)] if value else [])]
        partial = tuple(self._word(*run) for run in runs)
        silent = not value and self._ms(self._at - start) >= self._endpoint_ms
        endpoint = silent and self._in_utterance and not partial
        if endpoint:
            self._in_utterance = False
        if not final and not endpoint and partial == self._reported:
            return None
        self._reported = partial
        settled = runs[0][1] if runs else self._at
        return RecognitionResult(final, partial, endpoint, self._ms(settled), self._ms(self._at))

    def _take(self, until: int) -> tuple[HeardWord, ...]:
        """Remove and return the words that ended by sample `until`."""
        ready = [word for word in self._ended if word[2] <= until]
        del self._ended[: len(ready)]
        self._in_utterance = self._in_utterance or bool(ready)
        return tuple(self._word(*each) for each in ready)

    def _word(self, value: int, start: int, end: int) -> HeardWord:
        return HeardWord(f"w{value - 1}", self._ms(start), self._ms(end), 0.99, "1", self._language)

    def _ms(self, samples: int) -> int:
        return samples * 1000 // self._rate


class NumberedRecognizer:
    """Opens listeners for numbered audio; a word is final `final_lag_ms` of audio after its end."""

    def __init__(self, *, final_lag_ms: int = 400) -> None:
        self._final_lag_ms = final_lag_ms

    def __repr__(self) -> str:
        return summary(self, f"final after {self._final_lag_ms} ms")

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> NumberedListener:
        """Return a listener for `sample_rate` (Hz); the first hint is the language of its words.

        `endpoint_delay_ms`: the silence that ends an utterance.
        """
        language = languages[0] if languages else "en"
        return NumberedListener(sample_rate, self._final_lag_ms, endpoint_delay_ms, language)
