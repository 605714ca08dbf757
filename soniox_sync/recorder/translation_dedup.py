"""Translations that a new session repeats: delivered once, however often they are received.

Translations have no times and no link to a word (PROTOCOL 2.5), so when audio is replayed, what the
new session repeats must be recognised by its letters: a repetition matches the letters delivered
for the replayed audio, up to the last one. No I/O, no clock.

"The black cat" was delivered; the audio from the word "black" on is replayed::

    begin()             repeatable "Theblackcat", a run may start at The, black, cat
    accept(" black")    -> []            held back: matches at 3, must continue at 8
    accept(" cat")      -> []            the run has reached the end: all of it was a repetition
    accept(" sleeps")                    no longer called: is_active is False

The same, but the new session translates differently::

    accept(" black")    -> []            held back
    accept(" dog")      -> [" black", " dog"]   5 letters were a coincidence: delivered late

And if only the end differs ("The black cat sleeps" was delivered)::

    accept(" black")    -> []            held back
    accept(" cat")      -> []            held back
    accept(" dreams")   -> [" dreams"]   the 8 letters before it were no coincidence: dropped
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable

from ..protocol.tokens import Token

# This many consecutive letters that were delivered before are no coincidence: fewer at the start of
# a session, where a repetition is likely, more later on.
_MIN_LETTERS_AT_BEGINNING = 6
_MIN_LETTERS_LATER = 12


class TranslationDedup:
    """Holds back final translations while they repeat what was delivered, and returns new ones.

    What at first looks like a repetition and then differs is delivered, only later. Neither spaces
    nor how a session splits its text into tokens matter.
    """

    def __init__(self) -> None:
        # (up to where originals were final, letters) of each translation delivered, oldest first
        self._delivered: deque[tuple[int, str]] = deque()
        # -- of the current session
        # the letters that may be repeated, empty if there are none, and where their tokens start
        self._repeatable = ""
        self._starts: list[int] = []
        self._letters_left = 0  # how many more letters may belong to a repetition
        self._at_beginning = True  # nothing but repetitions so far
        self.has_repeated: bool = False
        # -- the run: consecutive tokens that may be one repetition
        self._run: list[Token] = []
        self._run_letters = 0
        self._positions: list[int] = []  # where in `_repeatable` it may continue
        self._reached = 0  # up to where in `_repeatable` it certainly matches
        self._run_covered = 0  # how many of its letters reached the end of `_repeatable`

    def delivered(self, token: Token, originals_ms: int) -> None:
        """Record a delivered translation, and that originals up to `originals_ms` were final."""
        self._delivered.append((originals_ms, _letters(token.text)))

    def forget(self, before_ms: int) -> None:
        """Forget what was delivered while no original after `before_ms` was final."""
        while self._delivered and self._delivered[0][0] <= before_ms:
            self._delivered.popleft()

    def begin(self, from_ms: int) -> None:
        """Look for repetitions in a session that receives the audio from `from_ms` on.

        A translation follows its original: what was delivered before any original after `from_ms`
        was final cannot be repeated.
        """
        self._repeatable, self._starts = "", []
        for originals_ms, letters in self._delivered:
            if originals_ms > from_ms:
                self._starts.append(len(self._repeatable))
                self._repeatable += letters
        # another session may use up to twice as many letters for the same audio
        self._letters_left = 2 * len(self._repeatable)
        self._at_beginning, self.has_repeated = True, False
        self._drop_run()

    @property
    def is_active(self) -> bool:
        """Whether the next translation may be a repetition."""
        return bool(self._repeatable)

    def accept(self, token: Token) -> list[Token]:
        """Add one final translation; return the new ones, including those held back before."""
        letters = _letters(token.text)
        if not letters and (self._run or self._at_beginning):
            if self._run:
                self._run.append(token)
            return []  # a space at the start is restored by `Seam` if one is needed
        self._letters_left -= len(letters)
        if self._run and self._extend_run(token, letters, self._positions):
            return self._end_run_if_complete()
        new = self._end_run()
        if self._extend_run(token, letters, self._starts):
            return new + self._end_run_if_complete()
        self._at_beginning = False
        if self._letters_left <= 0:
            self._repeatable = ""
        return [*new, token]

    def flush(self) -> list[Token]:
        """Return what is new in what is held back, when the session sends nothing more."""
        return self._end_run()

    def _extend_run(self, token: Token, letters: str, positions: Iterable[int]) -> bool:
        """Add `token` to the run if its letters match at one of `positions`; return whether so."""
        repeatable, next_positions, covered = self._repeatable, [], 0
        for at in positions:
            known = repeatable[at : at + len(letters)]
            if not (known and letters.startswith(known)):
                continue
            if at + len(known) < len(repeatable):
                next_positions.append(at + len(known))
            else:  # everything delivered is repeated, perhaps by a part of the token
                covered = max(covered, len(known))
        if not (next_positions or covered):
            return False
        if covered:
            self._run_covered = self._run_letters + covered
        self._run.append(token)
        self._run_letters += len(letters)
        self._positions = next_positions
        self._reached = next_positions[0] if next_positions else len(repeatable)
        return True

    def _end_run_if_complete(self) -> list[Token]:
        """End the run if it cannot grow further; until then nothing is new."""
        return [] if self._positions else self._end_run()

    def _end_run(self) -> list[Token]:
        """End the run; return the part of it that was not delivered before."""
        run, letters, covered = self._run, self._run_letters, self._run_covered
        at_beginning = self._at_beginning
        self._drop_run()
        if not run:
            return []
        self._at_beginning = False
        enough = _MIN_LETTERS_AT_BEGINNING if at_beginning else _MIN_LETTERS_LATER
        if letters - covered >= enough:
            # a repetition up to here; what follows differs
            self.has_repeated = True
            self._starts = [at for at in self._starts if at >= self._reached]
            return []
        if covered and (at_beginning or covered >= _MIN_LETTERS_LATER):
            # everything delivered has been repeated: all that follows is new
            self._repeatable, self.has_repeated = "", True
            return _without(run, covered)
        return run

    def _drop_run(self) -> None:
        self._run, self._run_letters, self._positions, self._run_covered = [], 0, [], 0


def _letters(text: str) -> str:
    return "".join(text.split())


def _without(tokens: list[Token], letters: int) -> list[Token]:
    """Return what follows the first `letters` of `tokens`; the first token may be cut."""
    for index, token in enumerate(tokens):
        own = len(_letters(token.text))
        if own > letters:
            return [_cut(token, letters), *tokens[index + 1 :]] if letters else tokens[index:]
        letters -= own
    return []


def _cut(token: Token, letters: int) -> Token:
    """Return a copy of a token without its first `letters`."""
    rest = token.text.lstrip()
    while letters:
        letters -= not rest[0].isspace()
        rest = rest[1:]
    part = copy.copy(token)
    part.text = rest
    return part
