"""Converting recognised words to the tokens of a response (PROTOCOL 2.5)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Optional

from ..engines.base import HeardWord, RecognitionResult
from .config import SttConfig
from .translate import translate_words

__all__ = ["UNSPACED", "TokenWriter"]

# languages written without spaces
UNSPACED = frozenset({"zh", "ja", "th"})
# letters in each subword token of a word
_SUBWORD = 4
# a translation is sent when a clause ends, or after this many words
_CLAUSE_WORDS = 8
_CLAUSE_ENDS = (".", ",", "!", "?", ";", ":", "。", "，", "！", "？")


class TokenWriter:
    """Produces the tokens of one session. Not thread-safe.

    It keeps track of whether there were words before, because tokens contain the space before them,
    and of the final words that still need a translation.
    """

    def __init__(self, config: SttConfig) -> None:
        self._config = config
        self._spoken = False
        self._translated = False
        self._untranslated: list[HeardWord] = []

    @property
    def owes_translation(self) -> bool:
        """Whether final words still need a translation."""
        return self._config.translation is not None and bool(self._untranslated)

    def response(
        self, result: RecognitionResult, *, finalized: bool = False, last: bool = False
    ) -> dict[str, Any]:
        """Return one response: finals, their translation, `<end>` or `<fin>`, then partials.

        `finalized`: the response answers a finalize; `last`: there is no more audio.
        """
        tokens = self._finals(result.final, flush=result.endpoint or finalized or last)
        if result.endpoint and self._config.endpoint_detection:
            tokens.append(self._marker("<end>", result.final))
        if finalized:
            tokens.append(self._marker("<fin>", result.final))
        tokens += self._partials(result.partial)
        return {
            "tokens": tokens,
            "final_audio_proc_ms": result.final_ms,
            "total_audio_proc_ms": result.total_ms,
        }

    def _finals(self, words: Sequence[HeardWord], *, flush: bool) -> list[dict[str, Any]]:
        tokens = [token for word in words for token in self._word(word, final=True)]
        if self._config.translation is None:
            return tokens
        for word in words:
            self._untranslated.append(word)
            if word.text.endswith(_CLAUSE_ENDS) or len(self._untranslated) >= _CLAUSE_WORDS:
                tokens += self._translate(final=True)
        return tokens + (self._translate(final=True) if flush else [])

    def _partials(self, words: Sequence[HeardWord]) -> list[dict[str, Any]]:
        before = self._spoken, self._translated, self._untranslated
        tokens = [token for word in words for token in self._word(word, final=False)]
        if self._config.translation is not None and words:
            self._untranslated = [*self._untranslated, *words]
            tokens += self._translate(final=False)
        # the next response replaces partials, so they must not change the state
        self._spoken, self._translated, self._untranslated = before
        return tokens

    # --- originals

    def _word(self, word: HeardWord, *, final: bool) -> Iterable[dict[str, Any]]:
        spaced = self._spoken and word.language not in UNSPACED
        self._spoken = True
        pieces = _subwords(word.text)
        total = len(word.text) or 1
        span, done = word.end_ms - word.start_ms, 0
        for at, piece in enumerate(pieces):
            start = word.start_ms + span * done // total
            done += len(piece)
            yield {
                "text": (" " if spaced and at == 0 else "") + piece,
                "start_ms": start,
                "end_ms": word.start_ms + span * done // total,
                "confidence": round(min(max(word.confidence, 0.0), 1.0), 3),
                "is_final": final,
                **self._labels(word),
            }

    def _labels(self, word: HeardWord) -> dict[str, Any]:
        labels: dict[str, Any] = {}
        if self._config.diarization:
            labels["speaker"] = word.speaker
        if self._config.language_identification or self._config.translation is not None:
            labels["language"] = word.language
        if self._config.translation is not None:
            translated = self._config.translation.target_of(word.language) is not None
            labels["translation_status"] = "original" if translated else "none"
        return labels

    def _marker(self, text: str, words: Sequence[HeardWord]) -> dict[str, Any]:
        """Return `<end>` or `<fin>`, at the end of the last word."""
        at = words[-1].end_ms if words else 0
        token: dict[str, Any] = {
            "text": text,
            "start_ms": at,
            "end_ms": at,
            "confidence": 1.0,
            "is_final": True,
        }
        if words and self._config.diarization:
            token["speaker"] = words[-1].speaker
        if self._config.translation is not None:
            token["translation_status"] = "none"
        return token

    # --- translations

    def _translate(self, *, final: bool) -> list[dict[str, Any]]:
        """Translate the words that need it, separately for each run of one language and speaker."""
        words, self._untranslated = self._untranslated, []
        runs = itertools.groupby(words, key=lambda word: (word.language, word.speaker))
        return [token for _, run in runs for token in self._translation(list(run), final)]

    def _translation(self, words: list[HeardWord], final: bool) -> list[dict[str, Any]]:
        translation = self._config.translation
        source = words[0].language
        target: Optional[str] = translation.target_of(source) if translation else None
        if target is None:
            return []
        tokens = []
        for text in translate_words([word.text for word in words], source, target):
            spaced = self._translated and target not in UNSPACED
            self._translated = True
            token = {
                "text": (" " if spaced else "") + text,
                "confidence": 0.9,
                "is_final": final,
                "language": target,
                "source_language": source,
                "translation_status": "translation",
            }
            if self._config.diarization:
                token["speaker"] = words[0].speaker
            tokens.append(token)
        return tokens


def _subwords(text: str) -> list[str]:
    """Split a word into tokens: groups of at least two letters, then punctuation.

    `"extraordinary."` is `["extr", "aord", "inary", "."]`.
    """
    core = text.rstrip(".,!?;:")
    tail = text[len(core) :]
    pieces = []
    while len(core) > _SUBWORD + 1:
        pieces.append(core[:_SUBWORD])
        core = core[_SUBWORD:]
    return [piece for piece in [*pieces, core, tail] if piece] or [text]
