"""Give every word and every character of spoken text its time."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from .resample import Samples
from .speech_text import Word

__all__ = ["Spans", "time_characters", "time_words"]

Spans = List[Tuple[int, int]]
"""Start and end in samples."""

_LEADING = " -\u2010\u2011\u2012\u2013\u2014"
# Below this a voice is silent: -54 dB, under the faintest consonant of espeak-ng.
_SILENT = 64


def time_words(words: Sequence[Word], events: Sequence[Tuple[int, int]], pcm: Samples) -> Spans:
    """Return the span of each word in `pcm`.

    `events` are (place in the text, sample) where the voice began a word. A word without an event
    of its own, such as the second half of a contraction, gets its share of the word before. A word
    ends at its last sound, so that a pause belongs to no word.
    """
    if not words:
        return []
    heard = [(_letter_at(words, place), sample) for place, sample in events]
    starts = _fill(words, [_event_in(word, heard) for word in words], len(pcm))
    limits = [*starts[1:], len(pcm)]
    return [(start, _last_sound(pcm, start, limit)) for start, limit in zip(starts, limits)]


def _letter_at(words: Sequence[Word], place: int) -> int:
    """Move an event on a space or dash to the word it announces: espeak-ng counts `- no` as one."""
    for word in words:
        if place < word.end:
            inside = word.text[max(place - word.start, 0) :]
            rest = inside.lstrip(_LEADING)
            return word.end - len(rest) if rest else word.end + 1
    return place


def _event_in(word: Word, events: Sequence[Tuple[int, int]]) -> Optional[int]:
    return next((sample for place, sample in events if word.start <= place < word.end), None)


def _fill(words: Sequence[Word], known: List[Optional[int]], length: int) -> List[int]:
    """Share out the time between words that have one among those that have none."""
    known[0] = known[0] or 0
    anchors = [i for i, start in enumerate(known) if start is not None]
    starts: List[int] = []
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

    Letters share the time of their word; the signs and spaces behind them share the pause.
    """
    times: Spans = []
    begin = 0
    for word, (start, end) in zip(words, spans):
        first, last = _letters(word)
        # what stands before the first letter shares the time since the last one
        times += _share(first - len(times), begin, start)
        times += _share(last - first, start, end)
        begin = end
    return times + _share(len(text) - len(times), begin, length)


def _letters(word: Word) -> Tuple[int, int]:
    places = [word.start + i for i, character in enumerate(word.text) if character.isalnum()]
    return places[0], places[-1] + 1


def _share(count: int, start: int, end: int) -> Spans:
    marks = [start + (end - start) * i // count for i in range(count + 1)] if count else []
    return list(zip(marks, marks[1:]))
