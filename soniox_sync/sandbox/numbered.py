"""Audio that says which word it is: what was heard tells exactly which samples arrived.

Made for tests of lossless recording. `numbered_audio(0, 50)` is PCM in which word `w0` to `w49`
are spoken: every sample of word n has the value n + 1, between words there is silence.
`NumberedRecognizer` hears them wherever they stand in a session's audio, so that a word missing or
doubled after a reconnect shows in the text. Works for `pcm_s16le` and WAV at any rate, mono.
"""

from __future__ import annotations

import array
import itertools
import sys
from collections.abc import Sequence
from typing import Optional

from .engines.base import HeardWord, Hearing

__all__ = ["NumberedRecognizer", "numbered_audio"]


def numbered_audio(
    first: int,
    count: int,
    *,
    ms_per_word: int = 200,
    gap_ms: int = 50,
    sample_rate: int = 16000,
) -> bytes:
    """Make s16le mono audio of `count` words from number `first`, at `sample_rate` (Hz).

    Each takes `ms_per_word`, of which the last `gap_ms` are silent.
    """
    sound = sample_rate * (ms_per_word - gap_ms) // 1000
    silence = bytes(2 * (sample_rate * ms_per_word // 1000 - sound))
    words = range(first, first + count)
    return b"".join((word + 1).to_bytes(2, "little") * sound + silence for word in words)


class NumberedListener:
    """Hears numbered words in one session. Not thread-safe."""

    def __init__(
        self, sample_rate: int, final_lag_ms: int, endpoint_ms: int, language: str
    ) -> None:
        self._rate = sample_rate
        self._lag = final_lag_ms
        self._endpoint_ms = endpoint_ms
        self._language = language
        self._rest = b""
        self._at = 0
        # value and first sample of the run that is going on
        self._run = (0, 0)
        self._ended: list[tuple[int, int, int]] = []
        self._open_utterance = False
        self._shown: tuple[HeardWord, ...] = ()

    def feed(self, pcm: bytes) -> Optional[Hearing]:
        """Follow the runs of equal samples."""
        pcm = self._rest + pcm
        whole = len(pcm) // 2 * 2
        self._rest = pcm[whole:]
        samples = array.array("h", pcm[:whole])
        if sys.byteorder == "big":
            samples.byteswap()
        for value, group in itertools.groupby(samples):
            self._follow(value, sum(1 for _ in group))
        return self._report()

    def finalize(self) -> Hearing:
        """Make all words so far final; one that still sounds goes on as a new word."""
        self._close_run()
        final = self._take(self._at)
        self._shown = ()
        return Hearing(final, (), False, self._ms(self._at), self._ms(self._at))

    def close(self) -> None:
        """Hold nothing."""

    def _follow(self, value: int, length: int) -> None:
        if value != self._run[0]:
            self._close_run()
            self._run = (value, self._at)
        self._at += length

    def _close_run(self) -> None:
        value, start = self._run
        if value and self._at > start:
            self._ended.append((value, start, self._at))
        self._run = (value, self._at)

    def _report(self) -> Optional[Hearing]:
        final = self._take(self._at - self._lag * self._rate // 1000)
        value, start = self._run
        guess = [*self._ended, *([(value, start, self._at)] if value else [])]
        partial = tuple(self._word(*each) for each in guess)
        silent = not value and self._ms(self._at - start) >= self._endpoint_ms
        endpoint = silent and self._open_utterance and not partial
        if endpoint:
            self._open_utterance = False
        if not final and not endpoint and partial == self._shown:
            return None
        self._shown = partial
        settled = guess[0][1] if guess else self._at
        return Hearing(final, partial, endpoint, self._ms(settled), self._ms(self._at))

    def _take(self, until: int) -> tuple[HeardWord, ...]:
        ready = [word for word in self._ended if word[2] <= until]
        del self._ended[: len(ready)]
        self._open_utterance = self._open_utterance or bool(ready)
        return tuple(self._word(*each) for each in ready)

    def _word(self, value: int, start: int, end: int) -> HeardWord:
        return HeardWord(f"w{value - 1}", self._ms(start), self._ms(end), 0.99, "1", self._language)

    def _ms(self, samples: int) -> int:
        return samples * 1000 // self._rate


class NumberedRecognizer:
    """Opens listeners for numbered audio; a word is final `final_lag_ms` after its end."""

    def __init__(self, *, final_lag_ms: int = 400) -> None:
        self._final_lag_ms = final_lag_ms

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> NumberedListener:
        """Give a listener for `sample_rate` (Hz); the first hint is its language.

        `endpoint_delay_ms`: how much silence ends an utterance.
        """
        language = languages[0] if languages else "en"
        return NumberedListener(sample_rate, self._final_lag_ms, endpoint_delay_ms, language)
