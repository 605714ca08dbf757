"""Emoji, and the spaces that are left where something was dropped. No clock, no I/O."""

from __future__ import annotations

__all__ = ["EMOJI", "EMOJI_IF_MARKED", "MARKED_AS_EMOJI", "SpokenText"]

# asks for the coloured picture of the character before it
MARKED_AS_EMOJI = "\ufe0f"
# Members of a character class: what is a picture wherever it stands. Python has no property for it.
EMOJI = (
    "\U0001f000-\U0001faff"  # pictures, flags, skin colours
    "\u2600-\u266c\u2670-\u2775\u2794-\u27bf"  # symbols and dingbats, without sharp and flat
    "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2b1b\u2b1c\u2b50\u2b55"
    "\U000e0020-\U000e007f"  # the letters of a flag
    "\ufe0e\ufe0f\u20e3"  # their marks, and the key round a digit
)
# characters of a text, and pictures only with `MARKED_AS_EMOJI` behind them (Unicode: emoji-data)
EMOJI_IF_MARKED = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194\u2195\u2196\u2197\u2198\u2199\u21a9\u21aa\u2328"
    "\u23cf\u23ed\u23ee\u23ef\u23f1\u23f2\u23f8\u23f9\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb"
    "\u25fc\u2934\u2935\u2b05\u2b06\u2b07\u3030\u303d\u3297\u3299"
)
# a space behind one of these completes a sentence, which must not wait for the next word
_ENDS = frozenset(".!?…:;,。！？\n")
# no space goes before these
_CLOSERS = frozenset(".,;:!?…)\n")


class SpokenText:
    """Text that is about to be spoken; one space remains where something was dropped.

    A space behind a word is held until the next character is known:

        say("Well done ")       take() -> "Well done"
        drop_emoji()
        say("!")                take() -> "!"
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._spaces = ""  # held
        self._last = "\n"  # the last character, without those held
        self._trimming = False  # something was dropped, and no character has followed
        self._word = ""  # the end of the word so far
        self.after_emoji: bool = False
        self.in_address: bool = False  # this word is an address, whose underscores belong to it

    def say(self, text: str) -> None:
        """Append text."""
        if not text:
            return
        self.after_emoji = False
        self._watch_address(text)
        if self._trimming:
            if self._spaces or self._last.isspace():
                text = text.lstrip(" ")
                if not text:
                    return
            if text[0] in _CLOSERS:
                self._spaces = ""
            self._trimming = False
        text = self._spaces + text
        said = text.rstrip(" ")
        if said:
            self._last = said[-1]
        if self._last in _ENDS:
            said = text
        self._spaces = text[len(said) :]
        if said:
            self._last = said[-1]
            self._parts.append(said)

    def trim(self) -> None:
        """Drop the spaces that follow if there is one already."""
        self._trimming = True

    def drop_emoji(self) -> None:
        """Note that an emoji was dropped here, or the marks of one: a key leaves its digit."""
        self.after_emoji = True
        self._trimming = True

    def take(self) -> str:
        """Return what was appended since the last call."""
        taken = "".join(self._parts)
        self._parts.clear()
        return taken

    def finish(self) -> str:
        """Return the spaces that were held."""
        spaces, self._spaces = self._spaces, ""
        return "" if self._trimming else spaces

    def _watch_address(self, text: str) -> None:
        words = text.split(" ")
        if len(words) > 1 or "\n" in text:
            self._word, self.in_address = "", False
        self._word += words[-1].rpartition("\n")[2]
        if "://" in self._word:
            self.in_address = True
        self._word = self._word[-2:]
