"""An ear without any library: it hears what a script says, word by word as audio arrives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Optional, Union

from .engines.base import HeardWord, Hearing

__all__ = ["Script", "ScriptedListener", "ScriptedRecognizer"]

_LOREM = (
    "The quick brown fox jumps over the lazy dog. How vexingly quick daft zebras jump! "
    "Pack my box with five dozen liquor jugs. Sphinx of black quartz, judge my vow."
)
_ENDS = (".", "!", "?", "。", "！", "？")


class Script:
    """Is what a scripted ear hears, whatever the audio.

    `words`: a text, or words as `str` or `HeardWord`. A `str` lasts `ms_per_word` of audio; a
    `HeardWord` brings its own times, speaker and language. A word becomes final `final_lag_ms` of
    audio after its end. A word that ends with a full stop, question or exclamation mark ends an
    utterance. `repeat` starts over at the end. The default is four sentences, over and over.
    """

    def __init__(
        self,
        words: Optional[Union[str, Iterable[Union[str, HeardWord]]]] = None,
        *,
        ms_per_word: int = 300,
        final_lag_ms: int = 900,
        speaker: str = "1",
        language: Optional[str] = None,
        repeat: bool = False,
    ) -> None:
        given: list[Union[str, HeardWord]] = (
            list(_LOREM.split())
            if words is None
            else list(words.split() if isinstance(words, str) else words)
        )
        self.final_lag_ms = final_lag_ms
        self._ms_per_word = ms_per_word
        self._speaker = speaker
        self._language = language
        self._repeat = repeat or words is None
        self._given = given

    def word(self, index: int, language: str) -> Optional[HeardWord]:
        """Give the word number `index`, `None` after the last."""
        if not self._given or (index >= len(self._given) and not self._repeat):
            return None
        rounds, at = divmod(index, len(self._given))
        word = self._given[at]
        if isinstance(word, HeardWord):
            shift = rounds * self._given_ms()
            return dataclasses.replace(
                word, start_ms=word.start_ms + shift, end_ms=word.end_ms + shift
            )
        start = index * self._ms_per_word
        end = start + self._ms_per_word * 9 // 10
        confidence = 0.9 + (index % 10) / 100
        return HeardWord(word, start, end, confidence, self._speaker, self._language or language)

    def _given_ms(self) -> int:
        return max((w.end_ms for w in self._given if isinstance(w, HeardWord)), default=0)


class ScriptedListener:
    """Hears one script along the time of the audio it is fed. Not thread-safe."""

    def __init__(self, script: Script, sample_rate: int, language: str) -> None:
        self._script = script
        self._rate = sample_rate
        self._language = language
        self._bytes = 0
        self._next = 0
        self._shown: tuple[HeardWord, ...] = ()

    def feed(self, pcm: bytes) -> Optional[Hearing]:
        """Advance by the length of `pcm`; `None` when no word changed."""
        self._bytes += len(pcm)
        total = self._total_ms()
        final, endpoint = self._settle(total - self._script.final_lag_ms)
        partial = tuple(_so_far(word, total) for word in self._begun(total))
        if not final and partial == self._shown:
            return None
        self._shown = partial
        return Hearing(final, partial, endpoint, self._final_ms(total), total)

    def finalize(self) -> Hearing:
        """Make every word that has begun final."""
        total = self._total_ms()
        words = self._begun(total)
        self._next += len(words)
        self._shown = ()
        final = tuple(dataclasses.replace(word, end_ms=min(word.end_ms, total)) for word in words)
        return Hearing(final, (), False, total, total)

    def close(self) -> None:
        """Hold nothing."""

    def _total_ms(self) -> int:
        return self._bytes // 2 * 1000 // self._rate

    def _settle(self, until_ms: int) -> tuple[tuple[HeardWord, ...], bool]:
        final: list[HeardWord] = []
        while True:
            word = self._script.word(self._next, self._language)
            if word is None or word.end_ms > until_ms:
                return tuple(final), False
            final.append(word)
            self._next += 1
            if word.text.endswith(_ENDS):
                return tuple(final), True

    def _begun(self, total: int) -> tuple[HeardWord, ...]:
        words: list[HeardWord] = []
        at = self._next
        while True:
            word = self._script.word(at, self._language)
            if word is None or word.start_ms >= total:
                return tuple(words)
            words.append(word)
            at += 1

    def _final_ms(self, total: int) -> int:
        following = self._script.word(self._next, self._language)
        return total if following is None else min(following.start_ms, total)


def _so_far(word: HeardWord, total: int) -> HeardWord:
    """Cut a word that still sounds, so that guesses grow and change as real ones do."""
    if word.end_ms <= total:
        return word
    letters = max(1, len(word.text) * (total - word.start_ms) // (word.end_ms - word.start_ms))
    return dataclasses.replace(word, text=word.text[:letters], end_ms=total)


class ScriptedRecognizer:
    """Opens listeners that all hear the same script. Thread-safe."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> ScriptedListener:
        """Give a listener at the script's beginning; the first hint is its language."""
        return ScriptedListener(self._script, sample_rate, languages[0] if languages else "en")
