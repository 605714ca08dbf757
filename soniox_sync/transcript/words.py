"""Turn tokens into timed words for captions, while they arrive."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ..protocol.tokens import Token
from .segments import Segment, token_span
from .text import begins_word, chop, split_words, text_width
from .translation import PairBuilder, PairMatcher

__all__ = ["Word", "WordSource", "printable"]

# no word has so long a silence inside: what follows it without a space is a new word all the same
_WORD_GAP_MS = 700
# how many stretches of speech may wait behind one whose translation is still owed
_MAX_OWED = 32


@dataclass
class Word:
    """Is what a line must not part: `text` leads with one space or none; times in ms."""

    text: str
    start_ms: int
    end_ms: int
    speaker: Optional[str] = None
    session: int = 0
    language: Optional[str] = None

    def same_voice(self, other: Word) -> bool:
        """Tell whether both belong to one speaker and one language."""
        return (self.speaker, self.session, self.language) == (
            other.speaker,
            other.session,
            other.language,
        )


class WordSource:
    """Chooses what is shown and gives it as words, each once, in order.

    `add` and `flush` give the words that are complete. With `translated`, speech that has a
    translation is shown by that alone; untranslated speech (status `"none"`, or a translation that
    never came) as it was said.
    """

    def __init__(self, *, translated: bool, max_width: int, chars_per_sec: float) -> None:
        self._translated = translated
        self._joiner = _WordJoiner(max_width, chars_per_sec)
        self._matcher = PairMatcher()

    @property
    def clock(self) -> int:
        """Give the end of the latest word, in milliseconds."""
        return self._joiner.clock

    @property
    def held_from(self) -> Optional[int]:
        """Give the start of what is held back, `None` when nothing is."""
        if self._joiner.growing:
            return self._joiner.growing.start_ms
        if not self._matcher.pairs:
            return None
        starts = (token.start_ms for token in self._matcher.pairs[0].original)
        return next((start for start in starts if start is not None), 0)

    def add(self, token: Token) -> list[Word]:
        """Take a final token; give the words it completed."""
        if not self._translated:
            return [] if token.is_translation else self._joiner.add_tokens([token])
        pair = self._matcher.add(token)
        if not pair.shown:
            return self._show_pairs(keep=1)
        # a late rest of a translation must not be lost
        return self._joiner.add_tokens([token], token_span(pair.original)[1])

    def settle(self) -> list[Word]:
        """Give what can be given at a pause; speech whose translation is owed waits on."""
        words = self._show_pairs(keep=0)
        return words if self._matcher.pairs else words + self._joiner.flush()

    def flush(self) -> list[Word]:
        """Give everything held back."""
        words = [word for pair in self._matcher.pairs for word in self._pair_words(pair)]
        self._matcher.pairs.clear()
        return words + self._joiner.flush()

    def _show_pairs(self, keep: int) -> list[Word]:
        """Show the oldest pairs up to the first whose translation may still come."""
        words: list[Word] = []
        pairs = self._matcher.pairs
        while pairs:
            grows = len(pairs) <= keep and not _is_untranslated(pairs[0])
            if grows or not (_is_settled(pairs[0]) or len(pairs) > _MAX_OWED):
                break
            words += self._pair_words(pairs.pop(0))
        return words

    def _pair_words(self, pair: PairBuilder) -> list[Word]:
        pair.shown = True
        if not pair.translation:
            return self._joiner.add_tokens(pair.original)
        segment = pair.build().translation
        return self._joiner.add_segment(segment) if segment else []


def _is_settled(pair: PairBuilder) -> bool:
    return bool(pair.translation) or _is_untranslated(pair)


def _is_untranslated(pair: PairBuilder) -> bool:
    """Tell whether this is speech that no translation will come for."""
    return not pair.translation and pair.original[-1].translation_status == "none"


class _WordJoiner:
    """Joins subwords into words and gives times to those without."""

    def __init__(self, max_width: int, chars_per_sec: float) -> None:
        self._max_width = max_width
        self._ms_per_column = 1000 / chars_per_sec
        self._space = False
        # the word that may still get longer
        self.growing: Optional[Word] = None
        # the end of the latest word
        self.clock = 0

    def add_tokens(self, tokens: Iterable[Token], at_ms: Optional[int] = None) -> list[Word]:
        """Take tokens with times of their own; those without follow what came before.

        `at_ms` is the time of tokens without, where it is known better.
        """
        words: list[Word] = []
        for token in tokens:
            start = _first(self.clock, token.start_ms, token.end_ms, at_ms)
            end = token.start_ms if token.end_ms is None else token.end_ms
            words += self._add_text(_like(token), start, end)
        return words

    def add_segment(self, segment: Segment) -> list[Word]:
        """Take a translation; its words share the time of the speech they translate."""
        head = segment.tokens[0]
        start = _first(self.clock, segment.start_ms, segment.end_ms)
        voice = replace(_like(head), text=segment.text)
        return self._add_text(voice, start, segment.end_ms)

    def flush(self) -> list[Word]:
        """Give the word that was growing."""
        words = self._finished()
        self._space = False
        return words

    def _add_text(self, voice: Word, start: int, end: Optional[int]) -> list[Word]:
        text = printable(voice.text)
        if end is None:
            end = start + round(text_width(text) * self._ms_per_column)
        words: list[Word] = []
        for piece, began, ended in spread(split_words(text), start, max(start, end)):
            words += self._add_piece(replace(voice, text=piece, start_ms=began, end_ms=ended))
        return words

    def _add_piece(self, piece: Word) -> list[Word]:
        stripped = piece.text.strip()
        leads = self._space or piece.text[:1].isspace()
        self._space = piece.text[-1:].isspace()
        if not stripped:
            self._space = self._space or leads
            return []
        self.clock = max(self.clock, piece.end_ms)
        last = self.growing
        if last and not leads and last.same_voice(piece) and not begins_word(last.text, stripped):
            near = piece.start_ms - last.end_ms < _WORD_GAP_MS
            if near or not any(map(str.isalnum, stripped)):
                last.text += stripped
                # a full stop after a pause belongs to the word, the pause does not
                last.end_ms = max(last.end_ms, piece.end_ms) if near else last.end_ms
                return []
            leads = True
        words = self._finished()
        piece.text = " " + stripped if leads else stripped
        self.growing = piece
        return words

    def _finished(self) -> list[Word]:
        """Give the growing word, cut where it is wider than a line."""
        word, self.growing = self.growing, None
        if word is None:
            return []
        if text_width(word.text.strip()) <= self._max_width:
            return [word]
        lead = " " if word.text.startswith(" ") else ""
        pieces = chop(word.text.strip(), self._max_width)
        pieces[0] = lead + pieces[0]
        return [
            replace(word, text=text, start_ms=start, end_ms=end)
            for text, start, end in spread(pieces, word.start_ms, word.end_ms)
        ]


def spread(pieces: Sequence[str], start: int, end: int) -> list[tuple[str, int, int]]:
    """Share a stretch of time among pieces of text by their width."""
    if len(pieces) == 1:
        return [(pieces[0], start, end)]
    widths = [text_width(piece) for piece in pieces]
    total = sum(widths) or 1
    shares: list[tuple[str, int, int]] = []
    done = 0
    for piece, width in zip(pieces, widths):
        began = start + (end - start) * done // total
        done += width
        shares.append((piece, began, start + (end - start) * done // total))
    return shares


def _like(token: Token) -> Word:
    return Word(token.text, 0, 0, token.speaker, token.session, token.language)


def _first(default: int, *values: Optional[int]) -> int:
    return next((value for value in values if value is not None), default)


def printable(text: str) -> str:
    """Replace what no file or terminal should get: control characters, halves of surrogates."""
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(char) in ("Cc", "Cs") and not char.isspace() else char
        for char in text
    )
