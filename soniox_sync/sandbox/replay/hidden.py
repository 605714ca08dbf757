"""Strings with `***` where a secret was, as a trace has them, compared with whole ones.

in the trace    "https://me.example/h?token=***&lang=en"
from a client   "https://me.example/h?token=s3cr3t&lang=en"     the same
from a client   "https://me.example/h?token=s3cr3t&lang=de"     another one
"""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["Place", "RedactedText", "covered", "fits", "masked"]

# a secret of any length, at least one character; a "*" beside it may be one of the text
_HIDDEN = re.compile(r"\*{3,}")

# what a trace would redact by its form: credentials and secret values in URLs, and fields of keys
_USER_INFO = re.compile(r"(://)[^/\s?#\"'<>]*@")
_NAMED = re.compile(
    r"([?&;][\w.\-%]*(?:key|token|secret|passw|sig|auth|credential)[\w.\-%]*=)[^&;\s#\"'<>\\]+"
    r"|((?:api|provider)[_-]?key\W{1,8}|authorization\W{1,8}(?:(?:bearer|basic)\s+)?)[\w.~+/=-]+",
    re.IGNORECASE,
)

# characters of the trace that have come, and whether more of a secret may follow
Place = tuple[int, bool]


def fits(expected: str, got: str) -> bool:
    """Return whether `got` is what `expected` was before its secrets were replaced.

    No pattern of `re`: with several secrets, its time could grow beyond all bounds.
    """
    first, *others = _HIDDEN.split(expected)
    if not others:
        return expected == got
    *inner, last = others
    if not got.startswith(first):
        return False
    at = len(first)
    # the leftmost place of each part leaves the most for the parts that follow
    for part in inner:
        found = got.find(part, at + 1)
        if found < 0:
            return False
        at = found + len(part)
    return got.endswith(last) and len(got) - len(last) > at


def covered(expected: str, got: str) -> str:
    """Return `got` for a message about a difference: without what `expected` hides.

    Where a secret begins in a text that differs is not known, so the beginning and the end that
    both have are kept, and `***` is what is between.
    """
    parts = _HIDDEN.split(expected)
    if len(parts) == 1:
        return got
    head = _common(parts[0], got)
    rest = got[len(head) :]
    tail = _common(parts[-1][::-1], rest[::-1])[::-1]
    return head + ("***" if len(rest) > len(tail) else "") + tail


def masked(text: str) -> str:
    """Return a text for a message about a difference, without what has the form of a secret."""
    text = _USER_INFO.sub(r"\1***@", text)
    return _NAMED.sub(lambda found: f"{found[1] or found[2]}***", text)


def _common(one: str, other: str) -> str:
    """Return what both begin with."""
    pairs = enumerate(zip(one, other))
    size = next((at for at, (mine, its) in pairs if mine != its), min(len(one), len(other)))
    return one[:size]


class RedactedText:
    """Text of a trace that comes again in pieces. Immutable.

    After "a s3" of "a s3cr3t, b", which the trace has as "a ***, b", 5 characters of the trace have
    come. A secret may contain what follows it, so several places are possible until it is over:
    after "a s3," either 5, in the secret, or 6, behind it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._hidden = {found.start(): found.end() for found in _HIDDEN.finditer(text)}

    def advance(self, places: Collection[Place], piece: str, *, is_open: bool) -> Collection[Place]:
        """Return where the text may be after one more piece; empty if it is another text.

        `is_open`: whether anything may follow the end of the text.
        """
        if not self._hidden:
            ((at, _),) = places
            expected = self._text[at : at + len(piece)]
            same = piece.startswith(expected) if is_open else piece == expected
            return {(at + len(expected), False)} if same else ()
        for char in piece:
            places = self._step(places, char, is_open)
        return places

    def _step(self, places: Collection[Place], char: str, is_open: bool) -> Collection[Place]:
        found: set[Place] = set()
        for at, inside in places:
            if inside:
                found.add((at, True))
            if at in self._hidden:
                found.add((self._hidden[at], True))
            elif self._text[at : at + 1] == char:
                found.add((at + 1, False))
            elif is_open and at == len(self._text):
                found.add((at, inside))
        # whoever is in a later secret can do all that those before it can
        latest = max((at for at, inside in found if inside), default=0)
        return {place for place in found if place[0] >= latest}

    def is_whole(self, places: Collection[Place]) -> bool:
        """Return whether all of the text has come."""
        return any(at == len(self._text) for at, _ in places)
