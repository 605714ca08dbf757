"""Recognizer without any library: it returns the words of a script as audio arrives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Optional, Union

from ..._support.reprs import counted, quoted, summary
from .base import HeardWord, RecognitionResult

__all__ = ["Script", "ScriptedListener", "ScriptedRecognizer"]

_LOREM = (
    "The quick brown fox jumps over the lazy dog. How vexingly quick daft zebras jump! "
    "Pack my box with five dozen liquor jugs. Sphinx of black quartz, judge my vow."
)
# in a repr
_SHOWN_WORDS = 6
_ENDS = (".", "!", "?", "。", "！", "？")


class Script:
    """Words that are recognised, whatever the audio.

    `words`: a text, or words as `str` or `HeardWord`. A `str` lasts `ms_per_word` of audio; a
    `HeardWord` has its own times, speaker and language. A word becomes final `final_lag_ms` of
    audio after its end. A word with a full stop, question mark or exclamation mark ends an
    utterance. `repeat` starts over at the end. The default is four sentences, repeated forever.
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
        self._repeat = repeat or words is None
        words = _LOREM if words is None else words
        self._words: list[Union[str, HeardWord]] = list(
            words.split() if isinstance(words, str) else words
        )
        self.final_lag_ms = final_lag_ms
        self._ms_per_word = ms_per_word
        self._speaker = speaker
        self._language = language
        # by how much the times of `HeardWord`s are shifted in each further round
        self._round_ms = max(
            (word.end_ms for word in self._words if isinstance(word, HeardWord)), default=0
        )

    def __repr__(self) -> str:
        words = [
            word if isinstance(word, str) else word.text for word in self._words[:_SHOWN_WORDS]
        ]
        if len(self._words) > _SHOWN_WORDS:
            words.append("...")
        again = "repeated" if self._repeat else ""
        return summary(self, counted(len(self._words), "word"), quoted(" ".join(words)), again)

    def word(self, index: int, language: str) -> Optional[HeardWord]:
        """Return word number `index`, `None` after the last; `language` is the default."""
        if not self._words or (index >= len(self._words) and not self._repeat):
            return None
        rounds, at = divmod(index, len(self._words))
        word = self._words[at]
        if isinstance(word, HeardWord):
            shift = rounds * self._round_ms
            return dataclasses.replace(
                word, start_ms=word.start_ms + shift, end_ms=word.end_ms + shift
            )
        start = index * self._ms_per_word
        end = start + self._ms_per_word * 9 // 10
        confidence = 0.9 + (index % 10) / 100
        return HeardWord(word, start, end, confidence, self._speaker, self._language or language)


class ScriptedListener:
    """Recognises one script, at the pace of the audio. Not thread-safe."""

    def __init__(self, script: Script, sample_rate: int, language: str) -> None:
        self._script = script
        self._rate = sample_rate
        self._language = language
        self._bytes = 0
        self._next = 0  # index of the first word that is not final
        self._reported: tuple[HeardWord, ...] = ()

    def feed(self, pcm: bytes) -> Optional[RecognitionResult]:
        """Advance by the length of `pcm`; return `None` if no word changed."""
        self._bytes += len(pcm)
        total = self._total_ms()
        final, endpoint = self._settle(total - self._script.final_lag_ms)
        partial = tuple(_cut(word, total) for word in self._begun(total))
        if not final and partial == self._reported:
            return None
        self._reported = partial
        return RecognitionResult(final, partial, endpoint, self._final_ms(total), total)

    def finalize(self) -> RecognitionResult:
        """Make every word that has started final."""
        total = self._total_ms()
        words = self._begun(total)
        self._next += len(words)
        self._reported = ()
        final = tuple(dataclasses.replace(word, end_ms=min(word.end_ms, total)) for word in words)
        return RecognitionResult(final, (), False, total, total)

    def close(self) -> None:
        """Do nothing."""

    def _total_ms(self) -> int:
        return self._bytes // 2 * 1000 // self._rate

    def _settle(self, until_ms: int) -> tuple[tuple[HeardWord, ...], bool]:
        """Return the words that become final, up to an endpoint, and whether there is one."""
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
        """Return the words that are not final and started before `total` (ms)."""
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


def _cut(word: HeardWord, total: int) -> HeardWord:
    """Cut a word that has not ended by `total` (ms), so that partials grow as real ones do."""
    if word.end_ms <= total:
        return word
    letters = max(1, len(word.text) * (total - word.start_ms) // (word.end_ms - word.start_ms))
    return dataclasses.replace(word, text=word.text[:letters], end_ms=total)


class ScriptedRecognizer:
    """Opens listeners that all recognise the same script. Thread-safe."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> ScriptedListener:
        """Return a listener at the start of the script, for `sample_rate` (Hz).

        The first hint is the language of its words. Endpoints are determined by the script.
        """
        return ScriptedListener(self._script, sample_rate, languages[0] if languages else "en")
