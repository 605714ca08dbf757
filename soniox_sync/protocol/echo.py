"""Translations that a new session says again: told once, however often they are heard.

Translations carry no times and belong to no word (PROTOCOL 2.5), so a session that hears audio
again cannot be asked for the rest only. What it repeats is known by its letters: they are those
that were told since the audio it hears again, up to the last one. Pure.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable

from .tokens import Token

# so many letters in a row that are the same as before are no accident: where a session begins,
# and later on, when a repetition is less likely
_AT_BEGINNING = 6
_LATER = 12


class Echo:
    """Holds back final translations while they repeat what was told, and gives the new ones.

    What merely looks like a repetition and then goes on differently is given late, but given. How
    a session cuts its text into tokens, and its spaces, do not matter.
    """

    def __init__(self) -> None:
        # (how far the originals had come, letters) of each translation told, oldest first
        self._told: deque[tuple[int, str]] = deque()
        # what may be said again, empty when nothing may, and where its tokens begin
        self._old = ""
        self._starts: list[int] = []
        self._left = 0  # so many more letters may still be some of them
        self._begins = False  # this session has said nothing but repetitions
        self.repeated = False  # this session has said a repetition
        # the run being heard: its tokens, their letters, where in `_old` it may go on, where it
        # surely was, and how many of its letters reached the end of `_old`
        self._held: list[Token] = []
        self._letters = 0
        self._places: list[int] = []
        self._passed = 0
        self._covered = 0

    def told(self, token: Token, heard_ms: int) -> None:
        """Note a translation that is given to the user, when originals up to `heard_ms` were."""
        self._told.append((heard_ms, _letters(token.text)))

    def forget(self, before_ms: int) -> None:
        """Forget what was told when no original after `before_ms` was known."""
        while self._told and self._told[0][0] <= before_ms:
            self._told.popleft()

    def begin(self, from_ms: int) -> None:
        """Listen for repetitions in a session that hears the audio from `from_ms` on.

        A translation follows its original: what was told before any original after `from_ms`
        cannot be among them.
        """
        self._old, self._starts = "", []
        for heard_ms, letters in self._told:
            if heard_ms > from_ms:
                self._starts.append(len(self._old))
                self._old += letters
        self._left = 2 * len(self._old)  # another session may take more words for the same
        self._begins, self.repeated = True, False
        self._held, self._letters, self._places, self._covered = [], 0, [], 0

    @property
    def listens(self) -> bool:
        """Tell whether the next translation may be a repetition."""
        return bool(self._old)

    def sift(self, token: Token) -> list[Token]:
        """Take one final translation; give those that are new, earlier ones among them."""
        letters = _letters(token.text)
        if not letters and (self._held or self._begins):
            if self._held:
                self._held.append(token)
            return []  # a space at the beginning is put back where words need one
        self._left -= len(letters)
        if self._held and self._goes_on(token, letters, self._places):
            return self._sure()
        new = self._break_off()
        if self._goes_on(token, letters, self._starts):
            return new + self._sure()
        self._begins = False
        if self._left <= 0:
            self._old = ""
        return [*new, token]

    def rest(self) -> list[Token]:
        """Give what is new of what is held back, when the session says no more."""
        return self._break_off()

    def _goes_on(self, token: Token, letters: str, places: Iterable[int]) -> bool:
        """Hear `token` as what stands at one of `places`; tell whether it does."""
        old, reached, ends = self._old, [], 0
        for at in places:
            known = old[at : at + len(letters)]
            if not (known and letters.startswith(known)):
                continue
            if at + len(known) < len(old):
                reached.append(at + len(known))
            else:  # all that was told is said again, perhaps by a part of the token
                ends = max(ends, len(known))
        if not (reached or ends):
            return False
        if ends:
            self._covered = self._letters + ends
        self._held.append(token)
        self._letters += len(letters)
        self._places = reached
        self._passed = reached[0] if reached else len(old)
        return True

    def _sure(self) -> list[Token]:
        """Give what is new once no longer repetition is possible, nothing before."""
        return [] if self._places else self._break_off()

    def _break_off(self) -> list[Token]:
        """End the run; give what of it was not told before."""
        held, letters, covered, begins = self._held, self._letters, self._covered, self._begins
        self._held, self._letters, self._places, self._covered = [], 0, [], 0
        if not held:
            return []
        self._begins = False
        if letters - covered >= (_AT_BEGINNING if begins else _LATER):
            self.repeated = True  # up to here; then it was put otherwise
            self._starts = [at for at in self._starts if at >= self._passed]
            return []
        if covered and (begins or covered >= _LATER):
            self._old, self.repeated = "", True  # all that was told has been said again
            return _without(held, covered)
        return held


def _letters(text: str) -> str:
    return "".join(text.split())


def _without(tokens: list[Token], letters: int) -> list[Token]:
    """Give the tokens that follow the first `letters`, one of them perhaps in part."""
    for index, token in enumerate(tokens):
        own = len(_letters(token.text))
        if own > letters:
            return [_cut(token, letters), *tokens[index + 1 :]] if letters else tokens[index:]
        letters -= own
    return []


def _cut(token: Token, letters: int) -> Token:
    rest = token.text.lstrip()
    while letters:
        letters -= not rest[0].isspace()
        rest = rest[1:]
    part = copy.copy(token)
    part.text = rest
    return part
