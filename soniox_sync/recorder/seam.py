"""Joining the text of one session to that of the next: words and the spaces between them.

The service puts a space before each word, but not before the first word of a session. So after a
change of sessions, "Hello" and "world" would become one word::

    session 0   "Hello" " dear"
    session 1   "world" "."        delivered as " world" "."
    session 0   "今日"
    session 1   "は"               delivered as it is: this script has no spaces
    session 0   "Hel"              lost in the middle of a word
    session 1   "lo"               delivered as it is: it continues the word
"""

from __future__ import annotations

# No single word has this many tokens: if none has a leading space, the text is written without
# spaces, whatever its script.
_MIN_UNSPACED_TOKENS = 4
# scripts written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, han
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF)),
    *((0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
)
_FIRST_UNSPACED = _UNSPACED[0][0]  # most scripts come before
# written without a space after the word before
_CLOSING = frozenset(".,!?;:)]}%…’'\"»”")


class Seam:
    """Restores the space that the first token of a session lacks.

    Speech and translation are two texts, each with a seam of its own.
    """

    def __init__(self) -> None:
        self._last = ""  # text delivered last
        self._is_spaced = False  # some token had a leading space: the text has them between words
        self._tokens = 0
        self._is_open = False  # the next token is the first of its session

    def begin(self, *, mid_word: bool) -> None:
        """Record that another session continues here, possibly inside a word."""
        self._is_open = bool(self._last) and not mid_word

    def close(self) -> None:
        """Record that the next token is not the first of its session: it has its own space."""
        self._is_open = False

    def join(self, text: str) -> str:
        """Return `text`, with a space before it if one is missing after what was delivered."""
        may_need_space = self._is_spaced or self._tokens < _MIN_UNSPACED_TOKENS
        if not (self._is_open and may_need_space and text):
            return text
        if self._last[-1].isspace() or text[0].isspace() or text[0] in _CLOSING:
            return text
        return text if _is_unspaced(text[0]) else " " + text

    def delivered(self, text: str) -> None:
        """Record the text of a final token."""
        if text:
            self._is_spaced = self._is_spaced or text[0].isspace()
            self._tokens += 1
            self._last = text
            self._is_open = False


def continues_word(before: str, after: str) -> bool:
    """Return whether `after` continues the word that `before` ends with.

    Always False in scripts without spaces between words.
    """
    # the token first: most begin with a space
    return bool(before and after) and _is_in_word(after[0]) and _is_in_word(before[-1])


def _is_in_word(char: str) -> bool:
    return (char.isalnum() or char in "'’-") and not _is_unspaced(char)


def _is_unspaced(char: str) -> bool:
    code = ord(char)
    return code >= _FIRST_UNSPACED and any(low <= code <= high for low, high in _UNSPACED)
