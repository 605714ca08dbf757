"""Timed words for captions, from tokens as they arrive."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ..protocol.tokens import Token
from .segments import Segment
from .text import begins_word, chop, split_words, text_width
from .translation import PairBuilder, PairMatcher

__all__ = ["WORD_GAP_MS", "Word", "WordSource", "printable"]

# No word has so long a silence inside: what follows it is a new word, even without a space.
WORD_GAP_MS = 700
# How many stretches of speech may wait behind one whose translation has not arrived: enough for
# translations that are seconds late, few enough to stop waiting for one that never comes.
_MAX_PENDING_PAIRS = 32


@dataclass
class Word:
    """Text that a line break must not split, beginning with at most one space; times in ms.

    `begins_cue`: the words before it belong to an utterance that has ended, or it is late.
    `is_late`: it belongs to a translation that was shown already, or to no speech.
    """

    text: str
    start_ms: int
    end_ms: int
    speaker: Optional[str] = None
    session: int = 0
    language: Optional[str] = None
    begins_cue: bool = False
    is_late: bool = False

    def same_voice(self, other: Word) -> bool:
        """Return whether both belong to one speaker and one language."""
        return (self.speaker, self.session, self.language) == (
            other.speaker,
            other.session,
            other.language,
        )


class WordSource:
    """Source of the words to show, each once, in order, from all tokens of a transcription.

    `add` and `flush` return the words that are complete. With `translated`, speech that has a
    translation is shown as that alone; untranslated speech (status `"none"`, or a translation that
    never came) as it was spoken. A translation is complete when it has all the sentences of its
    speech, when tokens of another pair follow it, or at an endpoint.
    """

    # With `translated`, and the translation status of each token:
    #
    #     Good     original      pair 1: held back, for its translation and because it may grow
    #     morning  original      pair 1
    #     Buenos   translation   pair 1
    #     días     translation   pair 1
    #     Hola     none          pair 2 begins, so pair 1 is complete: "Buenos" and "días" are shown
    #                            pair 2 needs no translation: "Hola" is shown once the word is
    #                            complete

    def __init__(self, *, translated: bool, max_width: int, chars_per_sec: float) -> None:
        self._translated = translated
        # a mark that comes after a pause could not join a word that was shown live, as that of a
        # translation must be: its cues are the same live and afterwards
        self._joiner = _WordJoiner(max_width, chars_per_sec, joins_late_marks=not translated)
        self._matcher = PairMatcher()

    @property
    def clock(self) -> int:
        """End of the latest word, in milliseconds."""
        return self._joiner.clock

    @property
    def is_holding(self) -> bool:
        """Whether speech is held back, to be shown as its translation."""
        return bool(self._matcher.pairs)

    def begins_at(self, final_ms: int) -> int:
        """Return the time before which no further word begins; audio is final up to `final_ms`."""
        if not self._matcher.pairs:
            return final_ms
        starts = (token.start_ms for token in self._matcher.pairs[0].original)
        return min(final_ms, next((start for start in starts if start is not None), 0))

    @property
    def growing_from(self) -> Optional[int]:
        """Start of the word that may still get longer, `None` when there is none."""
        return self._joiner.growing.start_ms if self._joiner.growing else None

    def add(self, token: Token) -> list[Word]:
        """Add a final token; return the words it completed."""
        if not self._translated:
            return [] if token.is_translation else self._joiner.add_tokens([token])
        pair = self._matcher.add(token)
        if not token.is_translation:
            pair.ended = False
        elif pair.shown:
            pair = self._late_part_of(pair, token)
        return self._show_pairs(growing=pair)

    def _late_part_of(self, pair: PairBuilder, token: Token) -> PairBuilder:
        """Add a token of a translation that was shown already; return the part it belongs to.

        The part is shown next, as words of their own.
        """
        pairs = self._matcher.pairs
        index = 0
        while index < len(pairs) and pairs[index].late_for is not None:
            if pairs[index].late_for is pair:
                pairs[index].translation.append(token)
                return pairs[index]
            index += 1
        part = PairBuilder(late_for=pair)
        part.translation.append(token)
        pairs.insert(index, part)
        return part

    def end_utterance(self) -> list[Word]:
        """Return the words that an endpoint completes; speech still to be translated waits on."""
        words = self._show_pairs(growing=None)
        if self._matcher.pairs:
            self._matcher.pairs[-1].ended = True
            return words
        return words + self._joiner.end_utterance()

    def complete_word(self) -> list[Word]:
        """Return the word that was growing, which a pause has completed."""
        return self._joiner.flush()

    def flush(self) -> list[Word]:
        """Return everything held back."""
        words = [word for pair in self._matcher.pairs for word in self._pair_words(pair)]
        self._matcher.pairs.clear()
        return words + self._joiner.flush()

    def _show_pairs(self, *, growing: Optional[PairBuilder]) -> list[Word]:
        """Show the oldest pairs, up to the first that may still change.

        That is one whose translation may still come, or is `growing`: its next token may be near,
        unless its translation is whole. `None`: an endpoint has ended them all.

        Only the order of tokens and endpoints counts, not when they came: so captions that are cut
        live and afterwards are the same.
        """
        words: list[Word] = []
        pairs = self._matcher.pairs
        while pairs:
            pair = pairs[0]
            if not _is_untranslated(pair):
                if not pair.translation and len(pairs) <= _MAX_PENDING_PAIRS:
                    break
                may_grow = growing is not None and (pair is growing or pair is pairs[-1])
                if may_grow and not pair.is_whole:
                    break
            words += self._pair_words(pairs.pop(0))
        return words

    def _pair_words(self, pair: PairBuilder) -> list[Word]:
        pair.shown = True
        segment = pair.build().translation
        if segment is None:
            words = self._joiner.add_tokens(pair.original)
        else:
            words = self._joiner.add_segment(segment, is_late=not pair.original)
        return words + self._joiner.end_utterance() if pair.ended else words


def _is_untranslated(pair: PairBuilder) -> bool:
    """Return whether this is speech that no translation will come for."""
    return not pair.translation and pair.original[-1].translation_status == "none"


class _WordJoiner:
    """Incremental joining of subword tokens into words; text without times gets estimates."""

    # A word is complete when the next one begins (times in ms):
    #
    #     "He"     100-200     growing: "He" 100-200
    #     "llo"    200-300     no space, same voice, no gap: "Hello" 100-300
    #     "."      1900-1950   a gap, but punctuation: "Hello." 100-300, without the gap
    #     " you"   2000-2400   a space: "Hello." is complete; growing: " you"
    #     "Well"   3500-3900   a gap of 1100: " you" is complete; growing: " Well", with a space

    def __init__(self, max_width: int, chars_per_sec: float, *, joins_late_marks: bool) -> None:
        self._max_width = max_width
        self._joins_late_marks = joins_late_marks
        self._ms_per_column = 1000 / chars_per_sec
        # whether the text so far ended with a space, which the next word then leads with
        self._space = False
        # whether the next word begins a cue, and whether it is late
        self._begins_cue = self._is_late = False
        # the word that may still get longer
        self.growing: Optional[Word] = None
        # the end of the latest word
        self.clock = 0

    def add_tokens(self, tokens: Iterable[Token], at_ms: Optional[int] = None) -> list[Word]:
        """Add tokens with times of their own; return the words they complete.

        Tokens without times follow what came before, or begin at `at_ms`.
        """
        words: list[Word] = []
        for token in tokens:
            start = _first(self.clock, token.start_ms, token.end_ms, at_ms)
            end = token.start_ms if token.end_ms is None else token.end_ms
            words += self._add_text(_empty_word(token), token.text, start, end)
        return words

    def add_segment(self, segment: Segment, *, is_late: bool) -> list[Word]:
        """Add a translation; its words share the time of the speech they translate.

        What `is_late` comes without speech: it follows the words before, as a cue of its own.
        """
        start = _first(self.clock, segment.start_ms, segment.end_ms)
        words: list[Word] = []
        if is_late:
            words = self.end_utterance()
            self._is_late = True
        voice = _empty_word(segment.tokens[0])
        words += self._add_text(voice, segment.translated_text, start, segment.end_ms)
        self._is_late = False
        return words

    def flush(self) -> list[Word]:
        """Return the word that was growing."""
        words = self._take_growing()
        self._space = False
        return words

    def end_utterance(self) -> list[Word]:
        """Return the word that was growing; the next one begins a cue."""
        self._begins_cue = True
        return self.flush()

    def _add_text(self, voice: Word, text: str, start: int, end: Optional[int]) -> list[Word]:
        text = printable(text)
        if end is None:
            end = start + round(text_width(text) * self._ms_per_column)
        words: list[Word] = []
        for piece, began, ended in spread(split_words(text), start, max(start, end)):
            words += self._add_piece(replace(voice, text=piece, start_ms=began, end_ms=ended))
        return words

    def _add_piece(self, piece: Word) -> list[Word]:
        """Add text without a break inside: it continues the growing word, or begins one."""
        stripped = piece.text.strip()
        leads = self._space or piece.text[:1].isspace()
        self._space = piece.text[-1:].isspace()
        if not stripped:
            self._space = self._space or leads
            return []
        self.clock = max(self.clock, piece.end_ms)
        last = self.growing
        if last and not leads and last.same_voice(piece) and not begins_word(last.text, stripped):
            near = piece.start_ms - last.end_ms < WORD_GAP_MS
            is_mark = self._joins_late_marks and not any(map(str.isalnum, stripped))
            if near or is_mark:
                last.text += stripped
                # a full stop after a pause belongs to the word, the pause does not
                last.end_ms = max(last.end_ms, piece.end_ms) if near else last.end_ms
                return []
            leads = True
        words = self._take_growing()
        piece.text = " " + stripped if leads else stripped
        piece.is_late, self._is_late = self._is_late, False
        piece.begins_cue, self._begins_cue = self._begins_cue, False
        self.growing = piece
        return words

    def _take_growing(self) -> list[Word]:
        """Return the growing word, cut where it is wider than a line."""
        word, self.growing = self.growing, None
        if word is None:
            return []
        if text_width(word.text.strip()) <= self._max_width:
            return [word]
        lead = " " if word.text.startswith(" ") else ""
        pieces = chop(word.text.strip(), self._max_width)
        pieces[0] = lead + pieces[0]
        parts = [
            replace(word, text=text, start_ms=start, end_ms=end, begins_cue=False, is_late=False)
            for text, start, end in spread(pieces, word.start_ms, word.end_ms)
        ]
        parts[0].begins_cue, parts[0].is_late = word.begins_cue, word.is_late
        return parts


def spread(pieces: Sequence[str], start: int, end: int) -> list[tuple[str, int, int]]:
    """Divide a stretch of time among pieces of text by their width.

    `spread(["aaaa", " bbbb"], 0, 900)` gives the first 0-400, the second, with its space, 400-900.
    """
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


def _empty_word(token: Token) -> Word:
    return Word("", 0, 0, token.speaker, token.session, token.language)


def _first(default: int, *values: Optional[int]) -> int:
    return next((value for value in values if value is not None), default)


def printable(text: str) -> str:
    """Replace what no file or terminal should get: control characters, halves of surrogates.

    Line ends and tabs stay; other white space among the control characters becomes a space.
    """
    if text.isprintable():
        return text
    return "".join(
        char
        if char in "\n\r\t" or unicodedata.category(char) not in ("Cc", "Cs")
        else " "
        if char.isspace()
        else "\ufffd"
        for char in text
    )
