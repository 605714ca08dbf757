"""The user's side: words that were said and not answered yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ..protocol.tokens import Token, join_said
from .words import Word, words_of


@dataclass
class UserTurn:
    """Words of one turn of the user, whole.

    `may_continue`: whether words that follow belong to it until its answer is heard. `is_typed`:
    its end was typed, so that there is no time from the last word.
    """

    tokens: list[Token] = field(default_factory=list)
    may_continue: bool = True
    is_typed: bool = False

    @property
    def text(self) -> str:
        """What was said."""
        return join_said(self.tokens).strip()

    @property
    def started_ms(self) -> Optional[int]:
        """Where the first word begins."""
        return next((t.start_ms for t in self.tokens if t.start_ms is not None), None)

    @property
    def ended_ms(self) -> Optional[int]:
        """Where the last word ends."""
        return next((t.end_ms for t in reversed(self.tokens) if t.end_ms is not None), None)

    @property
    def language(self) -> Optional[str]:
        """Language of most of it, if the recogniser said so."""
        known = [token.language for token in self.tokens if token.language is not None]
        return max(known, key=known.count) if known else None


class UserSide:
    """Words that are in no turn yet. Not thread-safe.

    The open turn grows by final tokens; its last *segment* is what was said since the last
    endpoint. Partials replace each other and belong to the segment (`|` ends a segment)::

        words " One" final, " moo" partial     turn " One"            segment: One moo
        words " moment." final                 turn " One moment."    segment: One moment.
        endpoint                               turn " One moment.|"   segment: nothing
        take() -> "One moment."                turn ""
        put_back(), words " please"            turn " One moment.| please"
    """

    def __init__(self) -> None:
        self._turn = UserTurn()
        self._segment = 0  # index of its first token
        self._partial: list[Token] = []
        self.began_at: Optional[float] = None  # when the first word of the open turn came
        self.closed_at: Optional[float] = None  # when the open turn ended
        self.is_urgent: bool = False  # it was ended on request: no patience

    @property
    def words(self) -> list[Word]:
        """Words of the segment, final and not."""
        return words_of([*self._turn.tokens[self._segment :], *self._partial])

    @property
    def final_words(self) -> list[Word]:
        """Words of the segment that are final."""
        return words_of(self._turn.tokens[self._segment :])

    @property
    def is_speaking(self) -> bool:
        """Whether something was said that has not come to an end."""
        return bool(self.words)

    @property
    def has_partial(self) -> bool:
        """Whether there are words that may still change."""
        return bool(words_of(self._partial))

    @property
    def has_words(self) -> bool:
        """Whether there are final words in no turn."""
        return bool(words_of(self._turn.tokens))

    @property
    def text(self) -> str:
        """What was said in the open turn, final and not."""
        return join_said([*self._turn.tokens, *self._partial]).strip()

    def hear(self, tokens: Sequence[Token], now: float) -> bool:
        """Take the tokens of a result; return whether words came, changed or went."""
        spoken = [token for token in tokens if not token.is_translation]
        final = [token for token in spoken if token.is_final]
        partial = [token for token in spoken if not token.is_final]
        changed = bool(final) or _text(partial) != _text(self._partial)
        self._turn.tokens += final
        self._partial = partial
        if words_of(final):
            self._turn.is_typed = False
            self.closed_at = None  # it goes on
        if self.began_at is None and self.text:
            self.began_at = now
        elif not self.text:
            self.began_at = None
        return changed

    def type(self, text: str, at_ms: int) -> None:
        """Add words that were typed."""
        at = max(at_ms, self._turn.ended_ms or 0)
        self._turn.tokens.append(Token(f" {text.strip()}", at, at, is_final=True))
        self._turn.is_typed = True

    def end_segment(self) -> None:
        """Count what follows as another segment."""
        self._segment = len(self._turn.tokens)

    def drop_segment(self) -> None:
        """Forget the final words of the segment."""
        del self._turn.tokens[self._segment :]
        if not self.text:
            self.began_at = None

    def close(self, now: float, *, urgent: bool = False, may_continue: bool = True) -> None:
        """End the open turn, if it has any words."""
        self.end_segment()
        if not self.has_words:
            return
        self._turn.may_continue = may_continue
        self.is_urgent = urgent
        self.closed_at = now

    def take(self) -> UserTurn:
        """Return the open turn and begin another."""
        taken, self._turn = self._turn, UserTurn()
        self._segment = 0
        self.closed_at, self.is_urgent = None, False
        self.began_at = None  # until words of the next one come
        return taken

    def put_back(self, turn: UserTurn, now: float) -> None:
        """Go on with a turn that was taken: what came since then belongs to it."""
        count = len(turn.tokens)
        self._turn.tokens[:0] = turn.tokens
        self._segment += count
        self._turn.is_typed = self._turn.is_typed or (turn.is_typed and not self.words)
        self.began_at = now


def _text(tokens: Iterable[Token]) -> str:
    return join_said(tokens)
