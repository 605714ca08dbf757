"""A conversation played by hand: every moment, word and sound is in the test."""

from __future__ import annotations

from typing import Any, Optional

from soniox_sync.config import ConversationOptions
from soniox_sync.conversation import actions
from soniox_sync.conversation.actions import At
from soniox_sync.conversation.agent import Passage
from soniox_sync.conversation.turn_taking import TurnTaking
from soniox_sync.conversation.turns import Turn
from soniox_sync.protocol.tokens import Token

VOICE = {"voice": "Adrian", "language": "en"}
# what each character of a text takes in the sink, in ms
CHAR_MS = 50.0


def said(text: str, start_ms: float, final: bool = True, step_ms: float = 300) -> list[Token]:
    """Return a token for each word: 250 ms long, one each 300 ms."""
    tokens = []
    for number, word in enumerate(text.split()):
        begin = int(start_ms + number * step_ms)
        tokens.append(Token(f" {word}", begin, begin + 250, is_final=final))
    return tokens


class Play:
    """A conversation, its clock, and a sink that plays what it is told to.

    Time of the source is that of the process. `do`: the actions since it was last read.
    """

    def __init__(self, backchannels: tuple[str, ...] = ("mhm", "yeah"), **options: Any) -> None:
        self.now = 0.0
        self.played = 0.0
        self.turns = TurnTaking(
            ConversationOptions(**options), backchannels, VOICE, At(0.0, 0.0, 0.0)
        )
        self.all: list[actions.Action] = []
        self._read = 0
        self._end = 0.0  # of what was written to the sink

    @property
    def at(self) -> At:
        return At(self.now, self.now * 1000, self.played)

    @property
    def do(self) -> list[actions.Action]:
        """Actions since the last call."""
        fresh, self._read = self.all[self._read :], len(self.all)
        return fresh

    def of(self, kind: type) -> list[Any]:
        """Return all actions of a kind so far."""
        return [each for each in self.all if isinstance(each, kind)]

    @property
    def asked(self) -> list[str]:
        """Texts for which `reply` was called."""
        return [each.text for each in self.of(actions.CallReply)]

    @property
    def delivered(self) -> list[Turn]:
        return [each.turn for each in self.of(actions.Deliver)]

    @property
    def reasons(self) -> list[str]:
        changes = (
            each.argument for each in self.of(actions.Notify) if each.event == "state_change"
        )
        return [change.reason for change in changes]

    def notified(self, event: str) -> list[Any]:
        """Return the arguments of an event so far."""
        return [each.argument for each in self.of(actions.Notify) if each.event == event]

    @property
    def cancelled(self) -> list[int]:
        return [each.job for each in self.of(actions.CancelReply)]

    # -- time ------------------------------------------------------------------------------------

    def call(self, name: str, *args: Any, **keywords: Any) -> Play:
        """Pass an input on, and clear the sink if that is asked for."""
        getattr(self.turns, name)(self.at, *args, **keywords)
        self._carry_out()
        return self

    def _carry_out(self) -> None:
        for action in self.turns.take():
            self.all.append(action)
            if isinstance(action, actions.Clear):
                heard = {each: self.heard(each) for each in action.passages}
                self._end = self.played
                self.turns.cleared(self.at, heard)
                self._carry_out()

    def wait(self, seconds: float) -> Play:
        """Let time pass; nothing is played."""
        self.now = round(self.now + seconds, 6)
        return self.call("tick")

    def play(self, ms: float) -> Play:
        """Let the sink play for so long."""
        self.played = min(self._end, self.played + ms)
        return self.wait(ms / 1000)

    # -- the user --------------------------------------------------------------------------------

    def words(self, text: str = "", *, partial: str = "", start_ms: Optional[float] = None) -> Play:
        """The recogniser sends final words, then partial ones; they begin 0.3 s before now."""
        start = self.now * 1000 - 300 if start_ms is None else start_ms
        final = said(text, start)
        end = start + 300 * len(final)
        return self.call("words", final + said(partial, end, final=False))

    def endpoint(self) -> Play:
        return self.call("endpoint")

    def ask(self, text: str = "Time?") -> Play:
        """Say a turn, whole."""
        return self.words(text).endpoint()

    # -- the agent -------------------------------------------------------------------------------

    @property
    def job(self) -> int:
        """Number of the last call of `reply`."""
        return int(self.of(actions.CallReply)[-1].job)

    def reply(self, *texts: str, done: bool = True) -> Play:
        """`reply` yields texts, and returns."""
        for text in texts:
            self.call("reply_text", self.job, text)
        return self.call("reply_done", self.job) if done else self

    @property
    def passage(self) -> Passage:
        """Passage that the voice was asked for last."""
        found: Passage = self.of(actions.Speak)[-1].passage
        return found

    def write(self, ms: Optional[float] = None, *, whole: bool = True) -> Play:
        """The voice writes audio of the passage: 50 ms a character."""
        passage = self.passage
        ms = len(passage.text) * CHAR_MS if ms is None else ms
        start, self._end = self._end, self._end + ms
        self.call("written", passage, start, self._end)
        return self.call("voiced", passage) if whole else self

    def heard(self, passage: Passage) -> int:
        """Return how many characters were heard, up to a whole word."""
        if passage.start_ms is None:
            return 0
        count = int(max(0.0, self.played - passage.start_ms) / CHAR_MS)
        if count >= len(passage.text):
            return len(passage.text)
        return passage.text.rfind(" ", 0, count + 1) if " " in passage.text[: count + 1] else 0

    def answer(self, text: str = "It is noon now.") -> Play:
        """`reply` answers, and the first 100 ms of it are heard."""
        return self.reply(text).write().play(100)

    def hear_all(self) -> Play:
        """The sink plays all it has."""
        return self.play(self._end - self.played)
