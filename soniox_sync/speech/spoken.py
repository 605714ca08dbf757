"""Which characters of a text were spoken, from the characters the service says it spoke.

Timestamps follow the *normalised* text ("$5" is "five dollars"), so positions must be found again
(PROTOCOL 3.2, trap 45). Words are matched; where words differ the guess is the later position:
better a word too few than one spoken twice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, Optional

__all__ = ["spoken_length", "text_of"]

# characters of scripts without spaces are words of their own; otherwise letters, digits, marks
_ONE = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]"
_WORD = re.compile(rf"{_ONE}|(?:(?!{_ONE})[^\W_])+")

# what it costs to take one word for another, to hear one that the text lacks, to miss one; words
# with digits are hardly ever said as they are written
_OTHER, _EXTRA, _MISSING, _OTHER_NUMBER = 1.0, 0.6, 0.7, 0.3


class _Word(NamedTuple):
    text: str
    start: int
    end: int


def spoken_length(text: str, spoken: str) -> int:
    """Give how many characters of `text` were spoken when `spoken` is what was heard of it."""
    if not spoken.strip():
        return 0
    exact = _exact_length(text, spoken)
    return _aligned_length(text, spoken) if exact is None else exact


def _exact_length(text: str, spoken: str) -> Optional[int]:
    """Compare characters, spaces aside; `None` as soon as one differs."""
    at = 0
    for char in spoken:
        if char.isspace():
            continue
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text) or text[at].casefold() != char.casefold():
            return None
        at += 1
    return at


def _words(text: str) -> list[_Word]:
    return [_Word(m.group().casefold(), m.start(), m.end()) for m in _WORD.finditer(text)]


def _aligned_length(text: str, spoken: str) -> int:
    """Lay the words heard against the first words of the text, at the least cost."""
    known, heard = _words(text), _words(spoken)
    if not heard:
        return 0
    # costs[i]: of all words heard so far against the first i of the text
    costs = [i * _MISSING for i in range(len(known) + 1)]
    partial: dict[int, int] = {}  # where the last word heard is the start of a word of the text
    for number, word in enumerate(heard):
        last = number == len(heard) - 1
        row = [costs[0] + _EXTRA]
        for i, candidate in enumerate(known, 1):
            same = candidate.text == word.text
            cut = last and not same and candidate.text.startswith(word.text)
            step = costs[i - 1] + (0.0 if same or cut else _other(candidate))
            best = min(step, costs[i] + _EXTRA, row[i - 1] + _MISSING)
            if cut and best == step:
                partial[i] = candidate.start + len(word.text)
            row.append(best)
        costs = row
    least = min(costs)
    count = max(i for i, cost in enumerate(costs) if cost <= least + 1e-9)
    if not count:
        return 0
    end = partial.get(count, known[count - 1].end)
    while end < len(text) and unicodedata.category(text[end])[0] == "M":
        end += 1
    return end


def _other(word: _Word) -> float:
    return _OTHER_NUMBER if any(map(str.isdigit, word.text)) else _OTHER


def text_of(marks: Sequence[tuple[str, float]], until_sec: Optional[float]) -> str:
    """Join the characters that began before `until_sec` (`None`: all)."""
    if until_sec is None:
        return "".join(char for char, _ in marks)
    return "".join(char for char, start in marks if start < until_sec)
