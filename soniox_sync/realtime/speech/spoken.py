"""How much of a text was spoken, from the characters in the timestamps of the service.

Timestamps are for the *normalised* text ("$5" is "five dollars"), so positions in the original text
have to be found (PROTOCOL 3.2, 10.45). Words are aligned; where they differ, the later position is
used: a word left out is better than one spoken twice.

    text     "It costs $5 today, he said."
    spoken   "It costs five dollars today"
    words    it costs 5 today he said / it costs five dollars today
    aligned  it=it, costs=costs, 5=five (0.3), dollars extra (0.6), today=today
    result   17, after "today"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, Optional

__all__ = ["spoken_length", "text_until"]

# in scripts without spaces each character is a word; otherwise a run of letters, digits, marks
_ONE = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff]"
_WORD = re.compile(rf"{_ONE}|(?:(?!{_ONE})[^\W_])+")

# costs in an alignment: two words that differ, a spoken word that is not in the text, a word of the
# text that was not spoken, and a word with digits, which is hardly ever spoken as it is written
_OTHER, _EXTRA, _MISSING, _OTHER_NUMBER = 1.0, 0.6, 0.7, 0.3


class _Word(NamedTuple):
    text: str
    start: int
    end: int


def spoken_length(text: str, spoken: str) -> int:
    """Return how many characters of `text` were spoken; `spoken` is from the timestamps."""
    if not spoken.strip():
        return 0
    exact = _exact_length(text, spoken)
    return _aligned_length(text, spoken) if exact is None else exact


def _exact_length(text: str, spoken: str) -> Optional[int]:
    """Return the length if `spoken`, without spaces and case, is a prefix of `text`."""
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
    """Align the spoken words with the first words of the text, at the least cost."""
    known, said = _words(text), _words(spoken)
    if not said:
        return 0
    # costs[i]: of the spoken words so far, aligned with the first i words of the text
    costs = [i * _MISSING for i in range(len(known) + 1)]
    partial: dict[int, int] = {}  # i: end of the last spoken word, if it is the start of word i
    for number, word in enumerate(said):
        last = number == len(said) - 1
        row = [costs[0] + _EXTRA]
        for i, candidate in enumerate(known, 1):
            same = candidate.text == word.text
            cut = last and not same and candidate.text.startswith(word.text)
            other = _OTHER_NUMBER if any(map(str.isdigit, candidate.text)) else _OTHER
            step = costs[i - 1] + (0.0 if same or cut else other)
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


def text_until(times: Sequence[tuple[str, float]], until_sec: Optional[float]) -> str:
    """Return the characters that start before `until_sec` (`None`: all)."""
    if until_sec is None:
        return "".join(char for char, _ in times)
    return "".join(char for char, start in times if start < until_sec)
