"""Whole characters from text that was cut anywhere, as the output of a language model is."""

from __future__ import annotations


class CharacterJoiner:
    """Joins halves of surrogate pairs that arrive in two chunks. Not thread-safe.

    A half without its other half becomes U+FFFD, the mark of an unreadable character::

        add("Hi \\ud83d") -> "Hi "     the first half of an emoji is held back
        add("\\ude00!")   -> "😀!"
        add("a\\ud83d")   -> "a"
        finish()          -> "\\ufffd"
    """

    def __init__(self) -> None:
        self._half = ""

    def add(self, text: str) -> str:
        """Return the whole characters so far that were not returned yet."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text

    def finish(self) -> str:
        """Return what is left of a character that was never completed."""
        self._half, half = "", self._half
        return "\ufffd" if half else ""
