"""How much of a text was heard, from what the sink has played."""

from __future__ import annotations

from collections.abc import Sequence

from ...transcript.text import split_words
from ..speech.spoken import spoken_length

# (characters, end in seconds from the start of the audio), as the voice's timestamps have them
CharacterEnds = Sequence[tuple[str, float]]

# The end of a character is rounded by the service, and the sink counts whole milliseconds.
_ROUNDING_SEC = 0.002


def heard_by_times(text: str, times: CharacterEnds, played_sec: float) -> int:
    """Return how many characters were heard, up to the end of the last whole word.

    Times are of the normalised text: "$5" is "five dollars"; see `spoken`.
    """
    until = played_sec + _ROUNDING_SEC
    spoken = "".join(char for char, end in times if end <= until)
    return whole_words(text, spoken_length(text, spoken))


def heard_by_share(text: str, played_sec: float, received_sec: float) -> int:
    """Return the same in proportion to the audio that was received for the text."""
    if received_sec <= 0:
        return 0
    share = min(1.0, played_sec / received_sec)
    return len(text) if share >= 1.0 else whole_words(text, int(len(text) * share))


def whole_words(text: str, count: int) -> int:
    """Return how many characters the words have that end within the first `count`.

    Punctuation is silent, so that a word has ended before it: 4 of "It's noon." are "It's".
    """
    end = at = 0
    for word in split_words(text):
        at += len(word)
        said = len(word.rstrip()) - _silent_end(word.rstrip())
        if at - len(word) + said > count or not said:
            if said:
                break
            continue
        end = at - (len(word) - len(word.rstrip()))
    return end


def _silent_end(word: str) -> int:
    count = 0
    while count < len(word) and not word[-1 - count].isalnum() and ord(word[-1 - count]) < 0x3000:
        count += 1
    return count
