"""Splitting text into pieces to speak, and into words to time. Uses no library."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["UNSPACED", "Word", "find_words", "pieces"]

# Written without spaces between words, so that a cut is not visible in the text.
UNSPACED = frozenset({"zh", "ja", "th"})
_UNSPACED_RUN = 4

# A Latin full stop ends a sentence only after a word of four letters: "Mr." and "3." rarely end
# one, and a sentence that is not cut does no harm.
_END = re.compile(r"(?:(?<=\w{4})\.|[!?…])[\"'”’)\]]*\s+|[。！？]\s*|\n\s*")
# A longer piece is cut at a comma, or else at a space, so that its first audio is available soon.
_LONG = 300


@dataclass(frozen=True)
class Word:
    """Word of a piece: `text[start:end]` with its punctuation, without spaces.

    A separate sign, such as a dash, belongs to the word before it.
    """

    text: str
    start: int
    end: int


def pieces(text: str) -> Iterator[str]:
    """Yield sentences, or parts of very long ones; concatenated, they are the text."""
    start = 0
    for match in _END.finditer(text):
        yield from _bounded(text[start : match.end()])
        start = match.end()
    if start < len(text):
        yield from _bounded(text[start:])


def _bounded(text: str) -> Iterator[str]:
    while len(text) > _LONG:
        head = text[:_LONG]
        cut = max(head.rfind(", "), head.rfind("，"), head.rfind("、")) + 1
        if cut < _LONG // 3:
            cut = head.rfind(" ") + 1 or _LONG
        yield text[:cut]
        text = text[cut:]
    yield text


def find_words(text: str, language: str) -> Sequence[Word]:
    """Find the words of a piece; a text without letters or digits has none."""
    spans: list[tuple[int, int]] = []
    for start, end in _runs(text, language):
        # a run without letters joins its neighbour
        if spans and not (_is_spoken(text, (start, end)) and _is_spoken(text, spans[-1])):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [Word(text[a:b], a, b) for a, b in spans if _is_spoken(text, (a, b))]


def _is_spoken(text: str, span: tuple[int, int]) -> bool:
    return any(character.isalnum() for character in text[span[0] : span[1]])


def _runs(text: str, language: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"\S+", text):
        if language in UNSPACED:
            yield from _short_runs(text, *match.span())
        else:
            yield match.span()


def _short_runs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a run without spaces into short ones, never inside an ASCII word or before a sign."""
    at = start
    for cut in range(start + 1, end):
        inside = text[cut - 1].isascii() and text[cut].isascii()
        if cut - at >= _UNSPACED_RUN and text[cut].isalnum() and not inside:
            yield at, cut
            at = cut
    yield at, end
