"""Text that arrives in tokens, split into sentences. No clock, no I/O: the planner decides when.

A stream of speech may end only at the end of a sentence, or a listener would hear the break. So
text is collected up to the end of a sentence; numbers, abbreviations, addresses and graphemes are
kept whole. Concatenated, the pieces are exactly the text.

    add("Dr. Brown pays 3.")    take() -> []                   "3." may be the start of "3.14"
    add("14 euros. He")         take() -> ["Dr. Brown pays 3.14 euros. "]
                                held: "He"                     complete sentences only
    add(" said: good. ")        take() -> ["He said: good. "]
    add("So what is thi")       take_words() -> ["So what is "]
                                take_rest() -> ["thi"]         if waiting would be worse
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Optional

from ...transcript.text import begins_word, graphemes
from .lengths import estimate_sec

__all__ = ["Piece", "Segmenter"]

# a sentence longer than this (estimated) is split at its clauses rather than waited for
_LONG_SEC = 14.0
# a longer "word" is split anywhere: it cannot be a real word
_GIANT_SEC = 45.0
# no sentence has more characters, and searching no further keeps the work linear
_FAR = 2000

_CLOSERS = "\"'”’»›)\\]}」』】》）〕］"
_END = re.compile(
    rf"""
      (?P<spaced> (?<![.!?…‥]) [.!?…‥]+ [{_CLOSERS}*_]* (?=\s) )  # an end once a space follows
    | (?P<alone> [。！？｡।॥؟۔።។။]+ [{_CLOSERS}]* )          # an end in any case
    | (?P<line> (?<=\S) [^\S\n]* \n (?= \s*\n | [^\S\n]*(?:[-*•#>|]|\d{{1,3}}[.)])\s ) )
    """,
    re.VERBOSE,
)
# what looks like the end of a sentence at the end of the text so far
_OPEN_END = re.compile(rf"(?<![.!?…‥])[.!?…‥]+[{_CLOSERS}*_]*$")
_CLAUSE = re.compile(r"(?:[,;:–—،؛](?=\s)|[、，；：])\s*")
_SPACE = re.compile(r"\s+")
# only words that hardly ever end a sentence: any other would delay the sentences that it ends
_SHORT = (
    "mr mrs ms dr prof rev hon sr jr st mt gen col lt sgt capt cmdr gov sen messrs "
    "vs cf approx appt dept est misc nos vol vols fig figs pp ch sec eds ext tel ave blvd "
    "inc ltd corp bros univ jan feb apr aug sept oct nov dec ca bzw evtl ggf inkl hr hrn fr "
    "frl nr bd vgl zzgl geb mme mlle sra srta dra ud uds pág núm г ул им стр руб"
)
_ABBREVIATIONS = frozenset(_SHORT.split())
# "J", "U.S", "e.g", "z.B": single letters with dots between
_INITIALS = re.compile(r"(?:\w\.)*[^\W\d]")
_NUMBER = re.compile(r"\d+")
_ADDRESS = re.compile(r"[/@\\]|\w\.\w")


@dataclass(frozen=True)
class Piece:
    """Piece of text to be sent as a whole. `ends_sentence`: whether it ends a sentence."""

    text: str
    ends_sentence: bool

    @property
    def sec(self) -> float:
        """Estimated seconds at speed 1.0."""
        return estimate_sec(self.text)


class Segmenter:
    """Splits text into pieces. Not thread-safe.

    `take()` returns what is complete; `take_as_sentence()`, `take_words()` and `take_rest()` return
    more, for cases in which waiting would be worse.
    """

    def __init__(self) -> None:
        self._text = ""

    def add(self, text: str) -> None:
        """Add the next text, however short."""
        self._text += text

    @property
    def held(self) -> str:
        """Text that was added and not taken."""
        return self._text

    @property
    def has_words(self) -> bool:
        """Whether `take_words()` would return anything."""
        return _last_break(self._text) > 0

    def take(self) -> list[Piece]:
        """Return complete sentences, and clauses of a sentence that is too long to wait for."""
        pieces: list[Piece] = []
        text, start = self._text, 0
        while start < len(text):
            end = _next_end(text, start)
            if end is None or estimate_sec(text[start:end]) > 2 * _LONG_SEC:
                cut = _clause_cut(text, start)
                if cut is None and end is None:
                    break
                if cut is not None:
                    pieces.append(Piece(text[start:cut], False))
                    start = cut
                    continue
            assert end is not None
            pieces.append(Piece(text[start:end], True))
            start = end
        self._text = text[start:]
        return pieces

    @property
    def looks_complete(self) -> Optional[bool]:
        """Whether the held text ends like a sentence.

        `True`: yes. `False`: perhaps, but its dot may be inside a number or address. `None`: no.
        """
        end = _open_end(self._text)
        if end is None or not self._text[:end].strip():
            return None
        word = _word_before(self._text, end, 0)
        if _is_abbreviation(word):
            return None
        return not (_NUMBER.search(word[-1:]) or _ADDRESS.search(word))

    def take_as_sentence(self) -> list[Piece]:
        """Return all held text as a sentence."""
        text, self._text = self._text, ""
        return [Piece(text, True)] if text else []

    def take_words(self) -> list[Piece]:
        """Return all held words but the last, which may be incomplete."""
        text = self._text
        cut = _last_break(text)
        if not cut:
            return []
        self._text = text[cut:]
        return [Piece(text[:cut], False)]

    def take_rest(self, *, final: bool = False) -> list[Piece]:
        """Return all held text; without `final`, except for an incomplete emoji at its end."""
        text = self._text
        cut = len(text)
        if not final and text.endswith("\u200d"):  # joins the next code point to this emoji
            cut -= len(list(graphemes(text[-32:]))[-1])
        self._text = text[cut:]
        return [Piece(text[:cut], final)] if cut else []


def _next_end(text: str, start: int) -> Optional[int]:
    """Return where the first sentence ends, including spaces after it; `None` if it does not."""
    for found in _END.finditer(text, start, start + _FAR):
        if found.lastgroup == "spaced" and not _ends_sentence(text, start, found):
            continue
        spaces = _SPACE.match(text, found.end())
        end = spaces.end() if spaces else found.end()
        if text[start:end].strip() and _is_clean(text, end):
            return end
    return None


def _open_end(text: str) -> Optional[int]:
    """Return where the marks or the line end begin that may end a sentence at the end of `text`."""
    words = text.rstrip()
    begin = max(0, len(words) - _FAR)
    found = _OPEN_END.search(words[begin:])
    if found is not None:
        return begin + found.start()
    line_end = text.find("\n", len(words))
    return None if line_end < 0 else line_end


def _ends_sentence(text: str, start: int, found: re.Match[str]) -> bool:
    following = text[found.end() : found.end() + 40].lstrip()
    if following[:1].islower():
        return False  # "approx. five", "'What?' he asked"
    if found.group().rstrip(_CLOSERS) != ".":
        return True
    word = _word_before(text, found.start(), start)
    if _NUMBER.fullmatch(word):
        # "1. First": a number at the start of a line or sentence is a list marker
        line = max(text.rfind("\n", start, found.start()) + 1, start)
        return bool(text[line : found.start() - len(word)].strip())
    return not _is_abbreviation(word)


def _word_before(text: str, at: int, start: int) -> str:
    """Return the word that ends at `at`, without quotes and brackets before it."""
    words = text[max(start, at - 80) : at].split()
    if not words or text[at - 1 : at].isspace():
        return ""
    return words[-1].lstrip("\"'“”‘«‹([{*_-–—")


def _is_abbreviation(word: str) -> bool:
    return word.lower() in _ABBREVIATIONS or (
        _INITIALS.fullmatch(word) is not None and word not in ("I", "A", "a", "y", "o")
    )


def _clause_cut(text: str, start: int) -> Optional[int]:
    """Return where to split a sentence that is too long, `None` if it is not too long."""
    window, seconds = _window(text, start, _LONG_SEC)
    if seconds < _LONG_SEC:
        return None
    least = start + (window - start) * 2 // 5
    clauses = [m.end() for m in _CLAUSE.finditer(text, start, window) if m.end() > least]
    for end in reversed(clauses):
        if _is_clean(text, end) and end < len(text):
            return end
    cut = _last_break(text[start:window])
    if cut:
        return start + cut
    giant, seconds = _window(text, start, _GIANT_SEC)
    if seconds < _GIANT_SEC:
        return None  # an address, for example: it may end soon
    whole = text[start : giant + 32]  # no real cluster has more than 32 code points
    reached = 0
    for cluster in graphemes(whole):
        if reached and start + reached + len(cluster) > giant:
            return start + reached
        reached += len(cluster)
    # nothing but one cluster: more of it would only cost time
    return giant if len(text) >= giant + 32 else None


def _window(text: str, start: int, limit_sec: float) -> tuple[int, float]:
    """Return where `limit_sec` of text from `start` on end, and the seconds up to there."""
    end, seconds = start, 0.0
    while end < len(text) and seconds < limit_sec:
        step = text[end : end + 16]
        seconds += estimate_sec(step)
        end += len(step)
    return end, seconds


def _last_break(text: str) -> int:
    """Return the last position at which a word certainly starts, 0 if there is none."""
    for at in range(len(text) - 1, 0, -1):
        before = text[at - 1]
        if before.isspace():
            if not text[at].isspace() and _is_clean(text, at) and text[:at].strip():
                return at
        elif ord(before) >= 0x0E00 and begins_word(text[max(0, at - 16) : at], text[at]):
            return at
    return len(text) if text[-1:].isspace() and text.strip() else 0


def _is_clean(text: str, at: int) -> bool:
    """Return whether splitting at `at` leaves all grapheme clusters whole."""
    if at >= len(text):
        return True
    char = text[at]
    return char < "\u0300" or not (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in "\u200c\u200d"
        or text[at - 1] == "\u200d"
    )
