"""What a page shows: rows of timed words, each of one speaker, with their translation beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional, Union

from ...protocol.tokens import Token
from ..captions import speaker_name
from ..text import begins_word, ends_sentence, split_words
from ..translation import translation_pairs
from ..utterances import Utterance
from ..words import printable, spread

__all__ = ["Row", "TimedWord", "rows_of"]

# A row this long ends with its sentence: a lecture is to be found one's way in.
_LONG_ROW_CHARS = 400


@dataclass
class TimedWord:
    """Text between two blanks, with the blanks before it; times in ms, `None` if unknown."""

    text: str
    start_ms: Optional[int]
    end_ms: Optional[int]


@dataclass(frozen=True)
class Row:
    """Stretch of speech of one speaker in one language; one of the two parts may be empty."""

    speaker: Optional[str] = None
    language: Optional[str] = None
    words: Sequence[TimedWord] = ()
    translation: Sequence[TimedWord] = ()
    target: Optional[str] = None

    @property
    def start_ms(self) -> Optional[int]:
        """Beginning of the first word that has a time."""
        return next((word.start_ms for word in self.words if word.start_ms is not None), None)


@dataclass
class _Part:
    """Tokens of one row that is still to be divided."""

    said: Sequence[Token] = ()
    translated: Sequence[Token] = field(default_factory=tuple)


def rows_of(utterances: Sequence[Utterance], names: Union[bool, Mapping[str, str]]) -> list[Row]:
    """Return the rows of a transcript; `names` as in `CaptionOptions.speakers`."""
    tokens = [token for each in utterances for token in each.tokens]
    if any(token.is_translation for token in tokens):
        parts = [
            _Part(
                pair.original.tokens if pair.original else (),
                pair.translation.tokens if pair.translation else (),
            )
            for pair in translation_pairs(tokens)
        ]
    else:
        parts = [_Part(segment.tokens) for each in utterances for segment in each.segments]
    return [row for part in parts for row in _divided(_row(part, names))]


def _row(part: _Part, names: Union[bool, Mapping[str, str]]) -> Row:
    first = (part.said or part.translated)[0]
    return Row(
        speaker=speaker_name(first.speaker, first.session, names),
        language=part.said[0].language if part.said else first.source_language,
        words=_words(part.said),
        translation=_words(part.translated),
        target=part.translated[0].language if part.translated else None,
    )


def _divided(row: Row) -> Iterator[Row]:
    """Yield a row as it is, or a long one without a translation in several, at sentence ends."""
    if row.translation:
        yield row
        return
    words: list[TimedWord] = []
    length = 0
    for word in row.words:
        words.append(word)
        length += len(word.text)
        if length >= _LONG_ROW_CHARS and ends_sentence(word.text):
            yield replace(row, words=words)
            words, length = [], 0
    if words:
        yield replace(row, words=words)


def _words(tokens: Iterable[Token]) -> list[TimedWord]:
    """Join the pieces of words; a token of several words is divided, and its time with it."""
    words: list[TimedWord] = []
    for token in tokens:
        pieces = split_words(printable(token.text))
        start, end = token.start_ms, token.end_ms
        timed: Iterable[tuple[str, Optional[int], Optional[int]]]
        if start is None or end is None:
            timed = [(piece, start, end) for piece in pieces]
        else:
            timed = spread(pieces, start, max(start, end))
        for piece, began, ended in timed:
            _append(words, piece, began, ended)
    return words


def _append(words: list[TimedWord], piece: str, start: Optional[int], end: Optional[int]) -> None:
    last = words[-1] if words else None
    if last is None or (begins_word(last.text, piece) and last.text.strip()):
        words.append(TimedWord(piece, start, end))
        return
    if not last.text.strip():  # blanks alone: the word that follows has the times
        last.start_ms = start
    last.text += piece
    last.end_ms = end if end is not None else last.end_ms
