"""Text that trickles in, handed out in sentences. No clock, no I/O: the planner says when.

A stream of speech may only be ended where a sentence ends, or a listener hears it. So text is
collected to sentence ends; numbers, abbreviations, addresses and what a reader sees as one
character stay whole. Pieces concatenate to the text exactly.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Optional

from ..transcript.text import begins_word, graphemes
from .lengths import estimate_sec

__all__ = ["Piece", "Segmenter"]

# a sentence longer than this (estimated) is not waited for: it goes out in clauses
_LONG_SEC = 14.0
# a word longer than this is no word anybody would miss the middle of
_GIANT_SEC = 45.0
# no sentence is longer, and looking no further keeps the work linear
_FAR = 2000

_CLOSERS = "\"'”’»›)\\]}」』】》）〕］"
_END = re.compile(
    rf"""
      (?P<spaced> [.!?…‥]+ [{_CLOSERS}*_]* (?=\s) )        # certain once a space follows
    | (?P<alone> [。！？｡।॥؟۔።។။]+ [{_CLOSERS}]* )          # certain by itself
    | (?P<line> (?<=\S) [^\S\n]* \n (?= \s*\n | [^\S\n]*(?:[-*•#>|]|\d{{1,3}}[.)])\s ) )
    """,
    re.VERBOSE,
)
# what looks like an end at the very end of the text at hand
_OPEN_END = re.compile(rf"(?:[.!?…‥]+[{_CLOSERS}*_]*|\n)\s*$")
_CLAUSE = re.compile(r"(?:[,;:–—،؛](?=\s)|[、，；：])\s*")
_SPACE = re.compile(r"\s+")
# only what hardly ever ends a sentence: a word too many here delays the sentence it ends
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
    """Is a piece of text to be sent whole. `strong`: a sentence ends with it."""

    text: str
    strong: bool

    @property
    def sec(self) -> float:
        """Give the estimated seconds at speed 1.0."""
        return estimate_sec(self.text)


class Segmenter:
    """Collects text. `take()` gives what is complete; `settle()`, `words()`, `rest()` give more,
    for when waiting would be worse. Not thread-safe."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, text: str) -> None:
        """Take the next text, however little."""
        self._text += text

    @property
    def waiting(self) -> str:
        """Give the text that is still collected."""
        return self._text

    @property
    def has_words(self) -> bool:
        """Tell whether `words()` would give anything."""
        return _last_break(self._text) > 0

    def take(self) -> list[Piece]:
        """Give all complete sentences, and clauses of a sentence that is too long to wait for."""
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
    def settles(self) -> Optional[bool]:
        """Tell whether the text at hand ends like a sentence: `True` surely, `False` perhaps (its
        dot may go on as a number or an address), `None` not at all."""
        found = _OPEN_END.search(self._text)
        if found is None or not self._text[: found.start()].strip():
            return None
        word = _word_before(self._text, found.start(), 0)
        if _is_abbreviation(word):
            return None
        return not (_NUMBER.search(word[-1:]) or _ADDRESS.search(word))

    def settle(self) -> list[Piece]:
        """Give everything as a sentence: nothing followed its end for long enough."""
        text, self._text = self._text, ""
        return [Piece(text, True)] if text else []

    def words(self) -> list[Piece]:
        """Give all words but the last, which may not be complete."""
        text = self._text
        cut = _last_break(text)
        if not cut:
            return []
        self._text = text[cut:]
        return [Piece(text[:cut], False)]

    def rest(self, *, final: bool = False) -> list[Piece]:
        """Give everything; unless `final`, not an emoji of which more must follow."""
        text = self._text
        cut = len(text)
        if not final and text.endswith("\u200d"):
            cut -= len(list(graphemes(text[-32:]))[-1])
        self._text = text[cut:]
        return [Piece(text[:cut], final)] if cut else []


def _next_end(text: str, start: int) -> Optional[int]:
    """Find where the first sentence ends, behind the spaces that follow it."""
    for found in _END.finditer(text, start, start + _FAR):
        if found.lastgroup == "spaced" and not _ends_sentence(text, start, found):
            continue
        end = found.end()
        if found.lastgroup != "alone" or text[end : end + 1].isspace():
            spaces = _SPACE.match(text, end)
            end = spaces.end() if spaces else end
        if text[start:end].strip() and _is_clean(text, end):
            return end
    return None


def _ends_sentence(text: str, start: int, found: re.Match[str]) -> bool:
    behind = text[found.end() : found.end() + 40].lstrip()
    if behind[:1].islower():
        return False  # "approx. five", "'What?' he asked"
    if found.group().rstrip(_CLOSERS) != ".":
        return True
    word = _word_before(text, found.start(), start)
    if _NUMBER.fullmatch(word):
        return found.start() - len(word) > _line_start(text, found.start(), start)  # "1. First"
    return not _is_abbreviation(word)


def _line_start(text: str, at: int, start: int) -> int:
    """Give where the sentence or line begins that holds `at`, its leading spaces passed over."""
    line = max(text.rfind("\n", start, at) + 1, start)
    return line + len(text[line:at]) - len(text[line:at].lstrip())


def _word_before(text: str, at: int, start: int) -> str:
    """Give the word that ends at `at`, without opening quotes and brackets."""
    words = text[max(start, at - 80) : at].split()
    if not words or text[at - 1 : at].isspace():
        return ""
    return words[-1].lstrip("\"'“”‘«‹([{*_-–—")


def _is_abbreviation(word: str) -> bool:
    return word.lower() in _ABBREVIATIONS or (
        _INITIALS.fullmatch(word) is not None and word not in ("I", "A", "a", "y", "o")
    )


def _clause_cut(text: str, start: int) -> Optional[int]:
    """Find where to break a sentence that is too long, `None` while it is not."""
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
        return None  # an address, say: it may end soon
    whole = text[start : giant + 32]  # clusters of more than 32 code points do not exist in texts
    reached = 0
    for cluster in graphemes(whole):
        if reached and start + reached + len(cluster) > giant:
            return start + reached
        reached += len(cluster)
    return None


def _window(text: str, start: int, limit_sec: float) -> tuple[int, float]:
    """Give where `limit_sec` from `start` is reached, and the seconds up to there."""
    end, seconds = start, 0.0
    while end < len(text) and seconds < limit_sec:
        step = text[end : end + 16]
        seconds += estimate_sec(step)
        end += len(step)
    return end, seconds


def _last_break(text: str) -> int:
    """Give the last place where a new word surely begins; 0 when there is none."""
    for at in range(len(text) - 1, 0, -1):
        before = text[at - 1]
        if before.isspace():
            if not text[at].isspace() and _is_clean(text, at) and text[:at].strip():
                return at
        elif ord(before) >= 0x0E00 and begins_word(text[max(0, at - 16) : at], text[at]):
            return at
    return len(text) if text[-1:].isspace() and text.strip() else 0


def _is_clean(text: str, at: int) -> bool:
    """Tell whether no cluster is cut at `at`."""
    if at >= len(text):
        return True
    char = text[at]
    return char < "\u0300" or not (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or char in "\u200c\u200d"
        or text[at - 1] == "\u200d"
    )
