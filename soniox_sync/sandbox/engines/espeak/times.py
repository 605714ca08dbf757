"""Times of the words and characters of spoken text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from ..resample import Samples
from .text import Word

__all__ = ["Spans", "time_characters", "time_words"]

Spans = list[tuple[int, int]]
"""Start and end in samples."""

_LEADING = " -\u2010\u2011\u2012\u2013\u2014"
# Samples below this are silence: -54 dB, less than the quietest consonant of espeak-ng.
_SILENT = 64


def time_words(words: Sequence[Word], events: Sequence[tuple[int, int]], pcm: Samples) -> Spans:
    """Return the span of each word in `pcm`.

    `events` are (position in the text, sample) where espeak-ng started a word. A word without an
    event of its own, such as the second half of a contraction, gets a share of the word before. A
    word ends with its last sound, so that a pause does not belong to a word. For example:

        words       some   of    the   cake
        events      0            100         200     (`of the` is one word of espeak-ng)
        starts      0      100   140   200           (2 of 5 letters: 2/5 of the time)
    """
    if not words:
        return []
    begun = [(_letter_at(words, place), sample) for place, sample in events]
    known = [
        next((sample for place, sample in begun if word.start <= place < word.end), None)
        for word in words
    ]
    starts = _fill(words, known, len(pcm))
    limits = [*starts[1:], len(pcm)]
    return [(start, _last_sound(pcm, start, limit)) for start, limit in zip(starts, limits)]


def _letter_at(words: Sequence[Word], place: int) -> int:
    """Move an event from a space or dash to the word after it: espeak-ng counts `- no` as one."""
    for word in words:
        if place < word.end:
            inside = word.text[max(place - word.start, 0) :]
            rest = inside.lstrip(_LEADING)
            return word.end - len(rest) if rest else word.end + 1
    return place


def _fill(words: Sequence[Word], known: list[Optional[int]], length: int) -> list[int]:
    """Return a start for every word: the time between known ones is divided by letters."""
    known[0] = known[0] or 0
    anchors = [i for i, start in enumerate(known) if start is not None]
    starts: list[int] = []
    for at, following in zip(anchors, [*anchors[1:], len(words)]):
        begin = max(known[at] or 0, starts[-1] if starts else 0)
        end = (known[following] if following < len(words) else length) or 0
        letters = [len(word.text) for word in words[at:following]]
        done = 0
        for count in letters:
            starts.append(min(begin + max(end - begin, 0) * done // sum(letters), length))
            done += count
    return starts


def _last_sound(pcm: Samples, start: int, limit: int) -> int:
    sounds = np.flatnonzero(np.abs(pcm[start:limit].astype(np.int32)) > _SILENT)
    return start + int(sounds[-1]) + 1 if len(sounds) else limit


def time_characters(text: str, words: Sequence[Word], spans: Spans, length: int) -> Spans:
    """Return the span of each code point of `text`, monotone, within `length` samples.

    Letters share the time of their word; the signs and spaces after them share the pause.
    """
    times: Spans = []
    begin = 0
    for word, (start, end) in zip(words, spans):
        first, last = _letters(word)
        # characters before the first letter share the time since the previous word
        times += _share(first - len(times), begin, start)
        times += _share(last - first, start, end)
        begin = end
    return times + _share(len(text) - len(times), begin, length)


def _letters(word: Word) -> tuple[int, int]:
    places = [word.start + i for i, character in enumerate(word.text) if character.isalnum()]
    return places[0], places[-1] + 1


def _share(count: int, start: int, end: int) -> Spans:
    marks = [start + (end - start) * i // count for i in range(count + 1)] if count else []
    return list(zip(marks, marks[1:]))
