"""Markdown that arrives in tokens, read as it would be spoken. No clock, no I/O.

What a mark means depends on its neighbours, so that text is held back until the next character, or
the end of a link, is known. No decision depends on where the text was cut: only on characters.

    add("Take **two")            "Take two"
    add("** eggs and [fl")       " eggs and"       a link is held until its end; so is a space
    add("our](https://x.y). ")   " flour. "
    add("It is *not*")           "It is not"       what does the last star belong to?
    finish()                     ""                to a word: it is a mark
"""

from __future__ import annotations

import re
import string
from typing import Callable, Optional

from .typography import EMOJI, EMOJI_IF_MARKED, MARKED_AS_EMOJI, SpokenText

__all__ = ["MarkdownReader"]

# limits of what is held back; beyond them marks are ordinary characters. In characters:
_LONGEST_INFO = 100  # behind the fence that opens code: the name of a language
_LONGEST_RULE = 120  # a line of dashes
_LONGEST_LABEL = 500  # text of a link
_LONGEST_TARGET = 2000  # its address and title
_LONGEST_TAG = 300  # with its brackets: an address in them, or HTML
# brackets in the text of a link: more are no link, and searching them all would take long
_MOST_BRACKETS = 3

_BLANKS = " \t"
_PLAIN = re.compile(rf"[^\\`*_~\[!<|\n\u200d{EMOJI}{EMOJI_IF_MARKED}]+")
_CODE = re.compile(r"[^`\n]+")
_EMOJI = re.compile(f"[{EMOJI}]+")
_FENCES = {mark: re.compile(rf"[ \t>]*({mark}*)[ \t]*") for mark in "`~"}
_RULES = {mark: re.compile(rf"[{mark}](?:[ \t]*[{mark}])*[ \t]*") for mark in "-*_="}
_TABLE_RULE = re.compile(r"[|:\- \t]*")
_BRACKETS = re.compile(r"[\[\]\n\\]")
_PARENTHESES = re.compile(r"[()\n\\]")
_TAG_END = re.compile(r"[<>\s]")
_ADDRESS = re.compile(r"https?://\S+|mailto:\S+|[^\s@]+@[^\s@]+")
_TAG = re.compile(r"/?[A-Za-z][A-Za-z0-9]{0,14}/?")
_BREAKS = frozenset({"br", "p", "div", "li", "tr"})

# Each step gets a position in the held text and returns where to go on; `None`: the text so far
# does not tell. A step may consume nothing if it changes the state.
_Step = Callable[[int], Optional[int]]


class MarkdownReader:
    """Reads Markdown in parts of any size; each call returns what can be spoken. Not thread-safe.

    `within`: the text is that of a link, so that it does not start a line.
    """

    def __init__(self, *, within: bool = False) -> None:
        self._out = SpokenText()
        self._held = ""
        self._final = False
        self._before = "\n"  # the last character that was read
        self._at_start = not within  # only blanks and block marks since the start of the line
        self._in_item = False  # a bullet was just read
        self._in_table = False
        self._code = 0  # backticks that end the code in this sentence
        self._fence = ""  # what ends this block of code
        self._in_fence_line = False  # not at the start of one of its lines
        self._block_steps: dict[str, _Step] = {
            **dict.fromkeys("`~", self._open_fence),
            **dict.fromkeys("-*_=", self._read_rule),
            **dict.fromkeys("+•", self._read_bullet),
            "#": self._read_heading,
            ">": self._read_quote,
            "|": self._open_row,
            "[": self._read_box,
        }
        self._inline_steps: dict[str, _Step] = {
            **dict.fromkeys("*_~", self._read_emphasis),
            **dict.fromkeys(EMOJI_IF_MARKED, self._read_sign),
            "\n": self._end_line,
            "\\": self._read_escape,
            "`": self._open_code,
            "!": self._read_exclamation,
            "[": self._read_link,
            "<": self._read_tag,
            "|": self._read_cell,
            "\u200d": self._read_joiner,
        }

    def add(self, text: str) -> str:
        """Add text; return what is to be spoken next."""
        self._held += text
        self._read()
        return self._out.take()

    def finish(self) -> str:
        """Return the rest: what is not complete now never will be."""
        # the end of a line settles everything; it is not part of the text
        self._held += "\n"
        self._final = True
        self._read()
        return self._out.take() + self._out.finish()

    def _read(self) -> None:
        at = 0
        while at < len(self._held):
            step = self._step(at)
            if step is None:
                break
            if step > at:
                self._before = self._held[step - 1]
            at = step
        self._held = self._held[at:]

    def _step(self, at: int) -> Optional[int]:
        if self._fence:
            return self._skip_code(at)
        if self._code:
            return self._read_code(at)
        if self._at_start:
            return self._start_line(at)
        step = self._inline_steps.get(self._held[at])
        if step is not None:
            return step(at)
        emoji = _EMOJI.match(self._held, at)
        if emoji is not None:
            self._out.drop_emoji()
            return emoji.end()
        return self._say_plain(at)

    def _say_plain(self, at: int) -> int:
        plain = _PLAIN.match(self._held, at)
        assert plain is not None  # what it does not match has a step of its own, or is an emoji
        self._out.say(plain[0])
        return plain.end()

    def _say_one(self, at: int) -> int:
        self._out.say(self._held[at])
        return at + 1

    def _run_end(self, at: int, limit: int) -> Optional[int]:
        """Return where a run of one character ends, `None` if it may go on, at most `limit`."""
        end = at
        while end < len(self._held) and self._held[end] == self._held[at] and end - at < limit:
            end += 1
        return end if end < len(self._held) or end - at == limit else None

    def _next(self, at: int) -> str:
        """Return the character at a position, `""` if it has not come yet."""
        return self._held[at : at + 1]

    # -- at the start of a line -------------------------------------------------------------------

    def _start_line(self, at: int) -> Optional[int]:
        char = self._held[at]
        if char in _BLANKS:
            return self._say_one(at)
        step = self._block_steps.get(char)
        if step is None:
            return self._begin_text(at)
        return step(at)

    def _begin_text(self, at: int) -> int:
        """Go on with this character as ordinary text."""
        self._at_start = self._in_item = False
        return at

    def _open_fence(self, at: int) -> Optional[int]:
        end = self._run_end(at, _LONGEST_RULE)
        if end is None:
            return None
        if end - at < 3:
            return self._begin_text(at)
        if self._held[at] == "`":
            # "```code```" within a line is no fence
            info = self._held[end : end + _LONGEST_INFO]
            line, newline, _ = info.partition("\n")
            if "`" in line:
                return self._begin_text(at)
            if not newline and len(info) < _LONGEST_INFO:
                return None
        self._fence = self._held[at:end]
        self._in_fence_line = True
        return end

    def _skip_code(self, at: int) -> Optional[int]:
        if self._in_fence_line:
            newline = self._held.find("\n", at)
            self._in_fence_line = newline < 0
            return len(self._held) if newline < 0 else newline + 1
        line = _FENCES[self._fence[0]].match(self._held, at, at + _LONGEST_RULE)
        assert line is not None  # it matches nothing at all as well
        if line.end() - at < _LONGEST_RULE:
            after = self._next(line.end())
            if not after:
                return None
            if after == "\n" and len(line[1]) >= len(self._fence):
                self._fence = ""
                return line.end() + 1
        self._in_fence_line = True
        return at

    def _read_rule(self, at: int) -> Optional[int]:
        mark = self._held[at]
        rule = _RULES[mark].match(self._held, at, at + _LONGEST_RULE)
        assert rule is not None  # it matches the mark itself
        end = rule.end()
        after = self._next(end)
        if end - at < _LONGEST_RULE:
            if not after:
                return None
            is_bullet = mark in "-*" and self._held[at + 1] in " \t\n"
            if after != "\n" or rule[0].count(mark) < 3:
                return self._take_bullet(at) if is_bullet else self._begin_text(at)
        return end

    def _read_bullet(self, at: int) -> Optional[int]:
        after = self._next(at + 1)
        if not after:
            return None
        return self._take_bullet(at) if after in _BLANKS else self._begin_text(at)

    def _take_bullet(self, at: int) -> int:
        self._in_item = True
        return at + 2 if self._held[at + 1] in _BLANKS else at + 1

    def _read_box(self, at: int) -> Optional[int]:
        """Read the box of a task: `- [x] done`."""
        box = self._held[at : at + 4]
        is_box = re.match(r"\[(?:[ xX](?:\](?:\s|$)|$)|$)", box) is not None
        if not self._in_item or not is_box:
            return self._begin_text(at)
        if len(box) < 4:
            return None
        return at + 3 if box[3] == "\n" else at + 4

    def _read_heading(self, at: int) -> Optional[int]:
        end = self._run_end(at, 7)
        if end is None:
            return None
        after = self._next(end)
        if end - at > 6 or after not in " \t\n":
            return self._begin_text(at)
        self._begin_text(at)
        return end if after == "\n" else end + 1

    def _read_quote(self, at: int) -> Optional[int]:
        after = self._next(at + 1)
        if not after:
            return None
        if after == "=":  # "at least"
            return self._begin_text(at)
        return at + 2 if after in _BLANKS else at + 1

    def _open_row(self, at: int) -> Optional[int]:
        rule = _TABLE_RULE.match(self._held, at, at + _LONGEST_TAG)
        assert rule is not None  # it matches the bar itself
        if rule.end() - at < _LONGEST_TAG:
            after = self._next(rule.end())
            if not after:
                return None
            if after == "\n":
                return rule.end()
        self._begin_text(at)
        self._in_table = True
        self._out.trim()
        return at + 1

    # -- within a line ----------------------------------------------------------------------------

    def _end_line(self, at: int) -> int:
        self._at_start = True
        self._in_item = self._in_table = False
        if self._final and at == len(self._held) - 1:
            return at + 1
        return self._say_one(at)

    def _read_escape(self, at: int) -> Optional[int]:
        after = self._next(at + 1)
        if not after:
            return None
        if after in string.punctuation:
            self._out.say(after)
            return at + 2
        return at + 1 if after == "\n" else self._say_one(at)

    def _open_code(self, at: int) -> Optional[int]:
        end = self._run_end(at, _LONGEST_RULE)
        if end is not None:
            self._code = end - at
        return end

    def _read_code(self, at: int) -> Optional[int]:
        if self._held[at] == "`":
            end = self._run_end(at, _LONGEST_RULE)
            if end is not None and end - at == self._code:
                self._code = 0
            return end
        if self._held[at] == "\n":
            self._code = 0  # a mark without its partner ends with the line
            return at
        code = _CODE.match(self._held, at)
        assert code is not None
        self._out.say(_EMOJI.sub("", code[0]))
        return code.end()

    def _read_emphasis(self, at: int) -> Optional[int]:
        end = self._run_end(at, _LONGEST_RULE)
        if end is None:
            return None
        before, after = self._before, self._next(end) or "\n"
        if self._is_mark(self._held[at], end - at, before, after):
            return end
        self._out.say(self._held[at:end])
        return end

    def _is_mark(self, mark: str, count: int, before: str, after: str) -> bool:
        """Return whether a run of `*`, `_` or `~` is a mark, and not a part of the text."""
        if before.isspace() and after.isspace():
            return False  # 5 * 3
        if mark == "~":
            return count == 2  # ~5 is about five
        if mark == "_":
            within = _is_word(before) and _is_word(after)
            return not within and not self._out.in_address
        digits = before.isdigit() + after.isdigit()
        if count > 1:
            return digits < 2  # 2**3
        return not (digits and _is_factor(before, ")") and _is_factor(after, "("))  # 5*x

    def _read_sign(self, at: int) -> Optional[int]:
        after = self._next(at + 1)
        if not after:
            return None
        if after != MARKED_AS_EMOJI:
            return self._say_one(at)
        self._out.drop_emoji()
        return at + 2

    def _read_joiner(self, at: int) -> int:
        """Read a joiner of emoji, which is a part of words in some scripts."""
        if self._out.after_emoji:
            return at + 1
        return self._say_one(at)

    def _read_exclamation(self, at: int) -> Optional[int]:
        # right behind a word it ends a sentence, which must not wait for what follows
        if self._before.isspace():
            after = self._next(at + 1)
            if not after:
                return None
            if after == "[":
                return at + 1
        return self._say_one(at)

    def _read_cell(self, at: int) -> Optional[int]:
        if not self._in_table:
            return self._say_one(at)
        end = at + 1
        while self._next(end) and self._held[end] in _BLANKS and end - at < _LONGEST_RULE:
            end += 1
        if not self._next(end):
            return None
        self._out.trim()
        if self._held[end] != "\n":
            self._out.say(", ")
            self._out.trim()
        return at + 1

    def _read_link(self, at: int) -> Optional[int]:
        close = self._find_end(at, _BRACKETS, "[]", _LONGEST_LABEL)
        if close is None:
            return None
        if close < 0:
            return self._say_one(at)
        label, after = self._held[at + 1 : close], self._next(close + 1)
        if not after:
            return None
        if label.startswith("^"):
            self._out.trim()
            return close + 1  # a footnote
        if after not in "([":
            return self._say_one(at)
        shape, brackets = (_BRACKETS, "[]") if after == "[" else (_PARENTHESES, "()")
        end = self._find_end(close + 1, shape, brackets, _LONGEST_TARGET)
        if end is None:
            return None
        if end < 0:
            return self._say_one(at)
        inner = MarkdownReader(within=True)
        self._out.say(inner.add(label) + inner.finish())
        return end + 1

    def _find_end(self, at: int, shape: re.Pattern[str], pair: str, limit: int) -> Optional[int]:
        """Return where a bracket is closed, -1 if it is not, `None` if the text does not tell."""
        depth, opened, place = 0, 0, at
        while True:
            found = shape.search(self._held, place, at + limit)
            if found is None or (found[0] == "\\" and not self._next(found.end())):
                return None if len(self._held) < at + limit else -1
            if found[0] == "\n":
                return -1
            if found[0] == "\\":
                place = found.end() + 1
                continue
            opened += found[0] == pair[0]
            depth += 1 if found[0] == pair[0] else -1
            if depth == 0:
                return found.start()
            if opened > _MOST_BRACKETS:
                return -1
            place = found.end()

    def _read_tag(self, at: int) -> Optional[int]:
        end = _TAG_END.search(self._held, at + 1, at + _LONGEST_TAG)
        if end is None:
            return None if len(self._held) < at + _LONGEST_TAG else self._say_one(at)
        inner = self._held[at + 1 : end.start()]
        if end[0] != ">":
            return self._say_one(at)
        if _ADDRESS.fullmatch(inner):
            self._out.say(inner)
        elif not _TAG.fullmatch(inner):
            return self._say_one(at)
        elif inner.strip("/").lower() in _BREAKS:
            self._out.say(" ")
        return end.end()


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _is_factor(char: str, bracket: str) -> bool:
    return char == bracket or (char.isascii() and char.isalnum())
