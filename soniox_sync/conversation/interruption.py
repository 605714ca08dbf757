"""Which words of the user stop the agent, and for how long."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from .agent import Passage, Utterance
from .words import Backchannels, Word

# how many stretches of the agent's speech are remembered, for words that become final late
_REMEMBERED = 20


class Kind(enum.Enum):
    """What words mean for what the agent says."""

    CUT = "cut"  # begun while it was heard
    WITHDRAWN = "withdrawn"  # begun before anything of the answer was heard
    DEFERRED = "deferred"  # begun before a `say()` was heard: it is said later


@dataclass
class Hold:
    """Stop that may be taken back. `is_final`: it may not. `is_clearing`: the sink still plays."""

    kind: Kind
    is_final: bool
    is_clearing: bool
    was_speaking: bool
    cuts_all: bool = False  # also what words do not interrupt
    resumes_at: Optional[float] = None  # no word is left standing since `false_interruption_sec`


class Interruptions:
    """Rules of interruption; remembers when the agent was heard. Times in ms of the source."""

    def __init__(self, backchannels: Backchannels, min_words: int) -> None:
        self._backchannels = backchannels
        self._min_words = min_words
        self._heard: list[tuple[float, Optional[float]]] = []
        # what words do not interrupt: they are the next turn
        self._notices: list[tuple[float, Optional[float]]] = []

    def notice_began(self, at_ms: float) -> None:
        """Something that is not to be cut began to be heard."""
        self.notice_ended(at_ms)
        self._notices = [*self._notices[-_REMEMBERED:], (at_ms, None)]

    def notice_ended(self, at_ms: float) -> None:
        """It was heard."""
        if self._notices and self._notices[-1][1] is None:
            self._notices[-1] = (self._notices[-1][0], at_ms)

    def _apart_from_notices(self, words: Sequence[Word], now_ms: float) -> list[Word]:
        """Return the words that were not begun over something that is not to be cut."""
        return [
            word
            for word in words
            if not any(
                begun <= _start(word, now_ms) and (ended is None or _start(word, now_ms) < ended)
                for begun, ended in self._notices
            )
        ]

    def agent_began(self, at_ms: float) -> None:
        """The agent began to be heard."""
        self.agent_ended(at_ms)
        self._heard = [*self._heard[-_REMEMBERED:], (at_ms, None)]

    def agent_ended(self, at_ms: float) -> None:
        """Nothing more of it is heard."""
        if self._heard and self._heard[-1][1] is None:
            self._heard[-1] = (self._heard[-1][0], at_ms)

    def only_listened(self, words: Sequence[Word], is_held: bool) -> bool:
        """Return whether the user only showed that the agent is listened to.

        The words began while it was heard, and ended before it did; `is_held`: it may go on.
        """
        if not self._backchannels.are_all(words):
            return False
        start, end = words[0].start_ms, words[-1].end_ms
        for begun, ended in self._heard:
            if ended is None or is_held:
                if start is None or start >= begun:
                    return True
            elif start is not None and end is not None and begun <= start and end <= ended:
                return True
        return False

    def why(
        self, speech: Utterance, words: Sequence[Word], now_ms: float, barge_in: bool
    ) -> Optional[Kind]:
        """Return what the user's words mean for what is being said; `None`: it goes on."""
        is_notice = bool(self._notices) and self._notices[-1][1] is None
        words = [] if is_notice else self._apart_from_notices(words, now_ms)
        if not words:
            return None
        if speech.is_answer:
            if self._continues(speech, words, now_ms):
                return Kind.WITHDRAWN
        elif speech.begun_ms is None:
            return None if any(each.is_farewell for each in speech.passages) else Kind.DEFERRED
        if speech.sounded_ms is None or not _may_be_cut(speech, barge_in):
            return None
        since = speech.sounded_ms if speech.is_answer else float("-inf")
        over = [word for word in words if _start(word, now_ms) >= since]
        if len(over) < self._min_words or self._backchannels.are_all(words):
            return None
        return Kind.CUT

    def why_typed(self, speech: Utterance, barge_in: bool) -> Optional[Kind]:
        """Return the same for a turn that was typed."""
        if speech.is_answer and speech.turn is not None and speech.sounded_ms is None:
            return Kind.WITHDRAWN if speech.turn.may_continue else None
        if not speech.is_answer and speech.begun_ms is None:
            return None
        return Kind.CUT if _may_be_cut(speech, barge_in) else None

    def _continues(self, speech: Utterance, words: Sequence[Word], now_ms: float) -> bool:
        """Return whether words were begun before the answer was heard."""
        turn, until = speech.turn, speech.sounded_ms
        if turn is None or not turn.may_continue:
            return False
        if until is not None:
            return any(_start(word, now_ms) < until for word in words)
        return True

    def stands(self, hold: Hold, words: Sequence[Word]) -> bool:
        """Return whether a word stands for which the agent stopped."""
        words = self._apart_from_notices(words, 0.0)
        if hold.kind is Kind.CUT and self._backchannels.are_all(words):
            return False
        return bool(words)

    def is_final(self, hold: Hold, final_words: Sequence[Word]) -> bool:
        """Return whether such a word is final."""
        return self.stands(hold, final_words)


def _start(word: Word, now_ms: float) -> float:
    return now_ms if word.start_ms is None else word.start_ms


def _may_be_cut(speech: Utterance, barge_in: bool) -> bool:
    """Return whether what sounds, or what sounded last, may be interrupted."""
    begun: list[Passage] = [each for each in speech.passages if each.has_begun]
    current = next((each for each in begun if not each.is_over), begun[-1] if begun else None)
    if current is None or current.barge_in is None:
        return barge_in
    return current.barge_in
