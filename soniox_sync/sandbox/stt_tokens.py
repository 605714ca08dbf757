"""From heard words to the tokens of a response (PROTOCOL 2.5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

from .engines.base import HeardWord, Hearing
from .stt_config import SttConfig
from .translate import translate_words

__all__ = ["TokenWriter"]

# languages written without spaces
_UNSPACED = frozenset({"zh", "ja", "th"})
# letters of a word's first token; the rest follows in pieces of this size
_PIECE = 4
# a translation leaves when a clause ends, or after so many words
_CLAUSE_WORDS = 8
_CLAUSE_ENDS = (".", ",", "!", "?", ";", ":", "。", "，", "！", "？")


class TokenWriter:
    """Writes the tokens of one session; remembers what was said and what translation is owed.

    Not thread-safe: the session's worker owns it.
    """

    def __init__(self, config: SttConfig) -> None:
        self._config = config
        self._spoken = False
        self._translated = False
        self._owed: list[HeardWord] = []

    def response(
        self, hearing: Hearing, *, finalized: bool = False, last: bool = False
    ) -> dict[str, Any]:
        """Write one response: finals, their translation, `<end>` or `<fin>`, then the guess."""
        tokens = self._finals(hearing.final, flush=hearing.endpoint or finalized or last)
        if hearing.endpoint and self._config.endpoint_detection:
            tokens.append(self._mark("<end>", hearing.final))
        if finalized:
            tokens.append(self._mark("<fin>", hearing.final))
        tokens += self._partials(hearing.partial)
        return {
            "tokens": tokens,
            "final_audio_proc_ms": hearing.final_ms,
            "total_audio_proc_ms": hearing.total_ms,
        }

    def _finals(self, words: Sequence[HeardWord], *, flush: bool) -> list[dict[str, Any]]:
        tokens = [token for word in words for token in self._word(word, final=True)]
        if self._config.translation is None:
            return tokens
        for word in words:
            self._owed.append(word)
            if word.text.endswith(_CLAUSE_ENDS) or len(self._owed) >= _CLAUSE_WORDS:
                tokens += self._pay(final=True)
        return tokens + (self._pay(final=True) if flush else [])

    def _partials(self, words: Sequence[HeardWord]) -> list[dict[str, Any]]:
        spoken, translated, owed = self._spoken, self._translated, self._owed
        tokens = [token for word in words for token in self._word(word, final=False)]
        if self._config.translation is not None and words:
            self._owed = [*owed, *words]
            tokens += self._pay(final=False)
        # a guess leaves no trace
        self._spoken, self._translated, self._owed = spoken, translated, owed
        return tokens

    # --- originals

    def _word(self, word: HeardWord, *, final: bool) -> Iterable[dict[str, Any]]:
        spaced = self._spoken and word.language not in _UNSPACED
        self._spoken = True
        pieces = _pieces(word.text)
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

    def _mark(self, text: str, words: Sequence[HeardWord]) -> dict[str, Any]:
        """Write a special token; it sits where the last word ended."""
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

    def _pay(self, *, final: bool) -> list[dict[str, Any]]:
        """Translate the words owed, run by run of one language and speaker."""
        tokens: list[dict[str, Any]] = []
        run: list[HeardWord] = []
        for word in [*self._owed, None]:
            if run and (word is None or _voice(word) != _voice(run[-1])):
                tokens += self._translation(run, final)
                run = []
            if word is not None:
                run.append(word)
        self._owed = []
        return tokens

    def _translation(self, words: list[HeardWord], final: bool) -> list[dict[str, Any]]:
        translation = self._config.translation
        source = words[0].language
        target: Optional[str] = translation.target_of(source) if translation else None
        if target is None:
            return []
        tokens = []
        for text in translate_words([word.text for word in words], source, target):
            spaced = self._translated and target not in _UNSPACED
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


def _voice(word: HeardWord) -> tuple[str, str]:
    return word.language, word.speaker


def _pieces(text: str) -> list[str]:
    """Cut a word into subwords: punctuation alone, letters in pieces, no crumbs of one letter."""
    core = text.rstrip(".,!?;:")
    tail = text[len(core) :]
    pieces = []
    while len(core) > _PIECE + 1:
        pieces.append(core[:_PIECE])
        core = core[_PIECE:]
    return [piece for piece in [*pieces, core, tail] if piece] or [text]
