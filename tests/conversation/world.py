"""Random conversations in virtual time: caller, recogniser, reply, voice and sink, by seed.

The decisions, the playout and what was heard are the library's own; everything round them is
simulated here, one event after another. `Story.check()` asserts what must hold in every one.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from soniox_sync.config import ConversationOptions
from soniox_sync.conversation import actions
from soniox_sync.conversation.actions import At
from soniox_sync.conversation.agent import Passage
from soniox_sync.conversation.turn_taking import TurnTaking
from soniox_sync.conversation.turns import Turn, messages_of
from soniox_sync.protocol.tokens import Token
from soniox_sync.realtime.conversation.sinks import Playout, Sink
from soniox_sync.realtime.conversation.voice import Recital

CHAR_SEC = 0.04  # of the agent's voice
PIECE_SEC = 0.1
AHEAD_SEC = 0.2  # of a sink that cannot be cleared
VOICE = {"voice": "Adrian"}
BACKCHANNEL = "mhm"


class VirtualClock:
    """Clock that the story moves."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


class Speaker:
    """Sink that plays in real time, and knows of which passage each millisecond is."""

    def __init__(self, clock: VirtualClock, can_clear: bool, reports: bool) -> None:
        self._clock = clock
        self._since = clock.now()
        self._waiting: deque[tuple[Passage, float]] = deque()
        self._played = 0.0
        self.heard: dict[Passage, float] = {}  # seconds
        if can_clear:
            self.clear = self._clear
        self.reports = reports
        self.passage: Optional[Passage] = None  # of the next write

    def write(self, data: bytes) -> None:
        self.advance()
        assert self.passage is not None
        self._waiting.append((self.passage, len(data) / 1000))

    def advance(self) -> None:
        """Play up to now."""
        left = self._clock.now() - self._since
        self._since = self._clock.now()
        while left > 1e-12 and self._waiting:
            passage, sec = self._waiting[0]
            part = min(left, sec)
            left -= part
            self._played += part
            self.heard[passage] = self.heard.get(passage, 0.0) + part
            if part >= sec - 1e-12:
                self._waiting.popleft()
            else:
                self._waiting[0] = (passage, sec - part)

    def _clear(self) -> None:
        self.advance()
        self._waiting.clear()

    def __getattr__(self, name: str) -> float:
        if name == "played_ms" and self.reports:
            self.advance()
            return self._played * 1000
        raise AttributeError(name)


@dataclass
class Reply:
    """One call of `reply`: what it gives, and after how long."""

    job: int
    items: deque[tuple[float, str]]
    error: Optional[Exception] = None
    is_cancelled: bool = False
    is_held: bool = False
    is_waiting: bool = False  # for the hold to end
    given: list[str] = field(default_factory=list)


class Story:
    """One random conversation; `run()` it, then `check()`."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.clock = VirtualClock()
        self.start = self.clock.now()
        self.options = ConversationOptions(
            barge_in=rng.random() < 0.85,
            min_barge_in_words=rng.choice([1, 1, 1, 2]),
            false_interruption_sec=rng.choice([2.0, 0.5, None]),
            patience_sec=rng.choice([0.0, 0.0, 0.7]),
            max_turn_sec=rng.choice([60.0, 4.0]),
            turn_end=rng.choice(["endpoint"] * 5 + ["manual"]),
            user_silence_sec=5.0,
            agent_silence_sec=2.0,
        )
        self.speaker = Speaker(self.clock, rng.random() < 0.7, rng.random() < 0.6)
        self.sink = Sink(self.speaker)
        self.playout = Playout(self.sink, self.clock)  # type: ignore[arg-type]
        self.turns = TurnTaking(self.options, (BACKCHANNEL,), VOICE, self.at)
        self.log: list[tuple[float, actions.Action]] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        # -- the caller
        self.words = itertools.count(1)
        self.final: list[str] = []  # in the order in which they became final
        self.speaks_until = 0.0
        self.is_gone = False
        # -- the agent
        self.replies: dict[int, Reply] = {}
        self.running: Optional[int] = None
        self.recitals: dict[Passage, Recital] = {}
        self.texts: dict[Passage, deque[str]] = {}
        self.ended: set[Passage] = set()
        self.spoken: deque[Passage] = deque()  # for the voice
        self.cut_at: dict[Passage, float] = {}  # seconds that were heard when it was cut
        self.messages: list[tuple[list[dict[str, str]], list[dict[str, str]]]] = []
        self.says = itertools.count(1)

    # -- time ------------------------------------------------------------------------------------

    @property
    def at(self) -> At:
        now = self.clock.now()
        return At(now, (now - self.start) * 1000, self.playout.played_ms)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.time + seconds, next(self._order), what))

    def run(self, most_sec: float = 400.0) -> Story:
        self._plan_caller()
        end = self.clock.time + most_sec
        while not self.turns.is_over and self.clock.time < end:
            wake, poll = self.turns.wake_at, self.turns.poll_sec(self.playout.played_ms)
            times = [self._events[0][0]] if self._events else []
            times += [wake] if wake is not None else []
            times += [self.clock.time + poll] if poll is not None else []
            if not times:
                break
            self.clock.time = max(self.clock.time, min(times))
            if self._events and self._events[0][0] <= self.clock.time:
                heapq.heappop(self._events)[2]()
            else:
                self.call("tick")
        self.clock.time += 1.0  # what cannot be cleared is played to its end
        self.speaker.advance()
        return self

    def call(self, name: str, *args: Any, **keywords: Any) -> None:
        getattr(self.turns, name)(self.at, *args, **keywords)
        todo = deque(self.turns.take())
        while todo:
            action = todo.popleft()
            self.log.append((self.clock.time, action))
            if isinstance(action, actions.Clear):
                self.turns.cleared(self.at, self._clear(action))
                todo.extend(self.turns.take())
            else:
                self._perform(action)

    def _perform(self, action: actions.Action) -> None:
        if isinstance(action, actions.CallReply):
            self._call_reply(action)
        elif isinstance(action, actions.CancelReply):
            self.replies[action.job].is_cancelled = True
            self._go_on(action.job)
        elif isinstance(action, actions.HoldReply):
            self.replies[action.job].is_held = action.on
            self._go_on(action.job)
        elif isinstance(action, actions.AddText):
            self.texts.setdefault(action.passage, deque()).append(action.text)
        elif isinstance(action, actions.EndText):
            self.ended.add(action.passage)
        elif isinstance(action, actions.Speak):
            self.recitals[action.passage] = Recital(action.passage)
            self.spoken.append(action.passage)
            if len(self.spoken) == 1:
                self.later(self.rng.uniform(0.01, 0.4), self._voice)
        elif isinstance(action, actions.Finalize):
            self.later(self.rng.uniform(0.05, 0.5), self._finalize)
        elif isinstance(action, actions.StopListening) and not action.at_once:
            self.later(self.rng.uniform(0.1, 1.0), self._finish)
        elif isinstance(action, actions.Notify) and action.event == "state_change":
            is_heard = action.argument.new_state == "speaking"
            if is_heard and self.rng.random() < 0.6:
                self._talk_over()

    # -- the caller ------------------------------------------------------------------------------

    def _plan_caller(self) -> None:
        rng, at = self.rng, 0.0
        if rng.random() < 0.5:
            self._say()
        for _ in range(rng.randint(1, 7)):
            at += rng.choice([rng.uniform(0.0, 1.0), rng.uniform(1.0, 8.0)])
            kind = rng.random()
            if kind < 0.55:
                at = self._plan_speech(at, rng.randint(1, 6))
            elif kind < 0.7:
                self.later(at, self._ghost)
            elif kind < 0.8:
                at = self._plan_speech(at, 1, word=BACKCHANNEL)
            elif kind < 0.86:
                self.later(at, self._type)
            elif kind < 0.9:
                self.later(at, lambda: self.call("interrupt"))
            elif kind < 0.95:
                self.later(at, self._say)
            else:
                self.later(at, lambda: self.call("dtmf", "5"))
            if self.options.turn_end == "manual":
                self.later(at + 0.3, lambda: self.call("end_turn"))
        at += rng.choice([0.2, 15.0])
        ending = rng.random()
        if ending < 0.6:
            self.later(at, self._hang_up)
        elif ending < 0.8:
            self.later(at, lambda: self.call("stop", "Good bye now."))
        else:
            self.later(at, lambda: self.call("cancel"))

    def _plan_speech(self, at: float, count: int, word: str = "", now: float = 0.0) -> float:
        """Plan words, what the recogniser makes of them, and the endpoint; return their end.

        All times are seconds of the story, of which `now` have passed.
        """
        rng = self.rng
        at = max(at, self.speaks_until)
        lag = rng.uniform(0.05, 0.5)
        planned: list[tuple[float, str]] = []
        for _ in range(count):
            planned.append((at, word or f"w{next(self.words)}"))
            at += rng.uniform(0.2, 0.5)
        pending: list[Token] = []
        for begin, text in planned:
            start = int(begin * 1000)

            def hear(text: str = text, start: int = start) -> None:
                pending.append(Token(f" {text}", start, start + 200))
                is_final = rng.random() < 0.3
                self._hear(pending if is_final else [], [] if is_final else pending)
                if is_final:
                    pending.clear()

            self.later(begin - now + 0.2 + lag, hear)

        def end() -> None:
            self._hear(pending, [])
            pending.clear()
            if rng.random() < 0.95:  # an endpoint may fail to come
                self.call("endpoint")

        self.later(at - now + lag + rng.uniform(0.4, 1.2), end)
        self._pending = pending
        self.speaks_until = at + lag + 1.3
        return at

    _pending: list[Token] = []

    def _talk_over(self) -> None:
        """React to the agent while it is heard."""
        rng, now = self.rng, self.clock.time - self.start
        after = rng.uniform(0.0, 2.0)
        kind = rng.random()
        if kind < 0.4:
            self.later(after + 0.3, self._ghost)
        elif now + after >= self.speaks_until:
            word = BACKCHANNEL if kind < 0.6 else ""
            self._plan_speech(now + after, rng.randint(1, 3), word, now)

    def _hear(self, final: list[Token], partial: list[Token]) -> None:
        if self.is_gone:
            return
        found = [Token(t.text, t.start_ms, t.end_ms, is_final=True) for t in final]
        self.final += [t.text.strip() for t in final]
        self.call("words", [*found, *partial])

    def _finalize(self) -> None:
        self._hear(self._pending, [])
        self._pending.clear()
        self.call("finalized")

    def _ghost(self) -> None:
        """Hear a word that is taken back."""
        if self._pending:
            return
        at = int((self.clock.time - self.start) * 1000) - 150
        self._hear([], [Token(" ghost", max(0, at), at + 150)])
        self.later(self.rng.uniform(0.1, 1.5), lambda: self._hear([], list(self._pending)))

    def _type(self) -> None:
        word = f"w{next(self.words)}"
        if not self.is_gone and not self.turns.is_over:
            self.final.append(word)
            self.call("user_said", word)

    def _say(self) -> None:
        text = " ".join(f"s{next(self.says)}" for _ in range(self.rng.randint(1, 5))) + "."
        self.call(
            "say",
            text,
            barge_in=self.rng.choice([None, None, False]),
            remember=self.rng.random() < 0.8,
        )

    def _hang_up(self) -> None:
        self.call("hang_up")

    def _finish(self) -> None:
        self._hear(self._pending, [])
        self._pending.clear()
        self.is_gone = True
        self.call("listened")

    # -- reply -----------------------------------------------------------------------------------

    def _call_reply(self, action: actions.CallReply) -> None:
        assert self.running is None, "two calls of reply at a time"
        self.running = action.job
        expected = messages_of(self.turns.turns, action.text)
        self.messages.append((self.turns.messages(), expected))
        rng, items = self.rng, deque[tuple[float, str]]()
        for number in range(rng.choice([0, 1, 2, 5, 12, 20])):
            text = f"r{action.job}x{number}" + rng.choice([" ", ". ", " and ", ""])
            items.append((rng.choice([0.0, 0.01, rng.uniform(0.0, 3.0)]), text))
        reply = Reply(action.job, items)
        if rng.random() < 0.03:
            reply.error = ValueError("no model")
        self.replies[action.job] = reply
        self._draw(reply)

    def _draw(self, reply: Reply) -> None:
        if reply.is_cancelled or not reply.items:
            self.later(0.0 if reply.items else 0.001, lambda: self._return(reply))
        elif reply.is_held:
            reply.is_waiting = True
        else:
            delay, text = reply.items.popleft()
            self.later(delay, lambda: self._give(reply, text))

    def _give(self, reply: Reply, text: str) -> None:
        if not reply.is_cancelled:
            reply.given.append(text)
            self.call("reply_text", reply.job, text)
        self._draw(reply)

    def _go_on(self, job: int) -> None:
        reply = self.replies[job]
        if reply.is_waiting and (reply.is_cancelled or not reply.is_held):
            reply.is_waiting = False
            self._draw(reply)

    def _return(self, reply: Reply) -> None:
        assert self.running == reply.job
        self.running = None
        self.call("reply_done", reply.job, None if reply.is_cancelled else reply.error)

    # -- the voice -------------------------------------------------------------------------------

    def _voice(self) -> None:
        """Write a piece of the first passage, faster than it plays."""
        while self.spoken and self.spoken[0] in self.cut_at:
            self.spoken.popleft()
        if not self.spoken:
            return
        passage = self.spoken[0]
        recital = self.recitals[passage]
        done = round(recital.received_sec / CHAR_SEC)
        known = "".join(self.texts.get(passage, ()))
        part = known[done : done + round(PIECE_SEC / CHAR_SEC)]
        if not part:
            if passage not in self.ended:
                self.later(0.02, self._voice)
                return
            recital.is_complete = True
            self.spoken.popleft()
            self.call("voiced", passage)
            self.later(self.rng.uniform(0.0, 0.3), self._voice)
            return
        if not self.sink.can_clear and self.playout.ahead_ms > (AHEAD_SEC - PIECE_SEC) * 1000:
            self.later(0.02, self._voice)
            return
        sec = len(part) * CHAR_SEC
        for char in part:
            done += 1
            recital.times.append((char, done * CHAR_SEC))
        recital.received_sec += sec
        start, end = self.playout.wrote(sec * 1000)
        if recital.start_ms is None:
            recital.start_ms = start
        self.speaker.passage = passage
        self.sink.write(bytes(round(sec * 1000)))
        self.call("written", passage, start, end)
        self.later(sec * self.rng.uniform(0.1, 0.6), self._voice)

    def _clear(self, action: actions.Clear) -> dict[Passage, int]:
        self.sink.clear()
        played = self.playout.cleared()
        self.speaker.advance()
        heard = {each: self.recitals[each].heard(played) for each in action.passages}
        for each in action.passages:
            self.cut_at[each] = self.speaker.heard.get(each, 0.0)
        return heard

    # -- what must hold --------------------------------------------------------------------------

    def of(self, kind: type) -> Iterator[Any]:
        return (action for _, action in self.log if isinstance(action, kind))

    def check(self) -> None:
        """Assert what holds in every conversation."""
        assert self.turns.is_over, "it did not end"
        turns: list[Turn] = [each.turn for each in self.of(actions.Deliver)]
        assert turns == self.turns.turns
        self._check_user(turns)
        self._check_answers(turns)
        self._check_sound(turns)
        for got, expected in self.messages:
            assert got == expected

    def _check_user(self, turns: list[Turn]) -> None:
        """Every word is in exactly one turn, in order; only backchannels may be in none."""
        found = " ".join(turn.user_text for turn in turns).split()
        words = [word for word in found if word != BACKCHANNEL]
        assert sorted(words) == sorted(word for word in self.final if word != BACKCHANNEL)
        assert found.count(BACKCHANNEL) <= self.final.count(BACKCHANNEL)
        assert "ghost" not in found

    def _check_answers(self, turns: list[Turn]) -> None:
        """No turn is answered twice, and what is not answered shows it."""
        jobs = [each.job for each in self.of(actions.CallReply)]
        assert jobs == list(range(1, len(jobs) + 1))
        seen: set[str] = set()
        for turn in turns:
            mine = {word.split("x")[0] for word in turn.agent_text.split() if word[0] == "r"}
            assert len(mine) <= 1 and not mine & seen
            seen |= mine
            assert turn.agent_text.startswith(turn.agent_text_heard)
            if not turn.interrupted and turn.agent_text_heard != turn.agent_text:
                assert turn.agent_text_heard == ""

    def _check_sound(self, turns: list[Turn]) -> None:
        """What is said to be heard was played, no more and no less, and nothing after a cut."""
        if self.sink.can_clear:
            for passage, sec in self.cut_at.items():
                assert self.speaker.heard.get(passage, 0.0) == sec, "it sounds after the cut"
        played: set[str] = set()  # as far as times are rounded
        surely: set[str] = set()
        for passage, sec in self.speaker.heard.items():
            text = "".join(self.texts.get(passage, ()))
            played |= _whole_words(text, sec + 0.003)
            surely |= _whole_words(text, sec)
        for turn in turns:
            heard = [w for w in turn.agent_text_heard.split() if w != "and"]
            for word in heard:
                assert word.strip(".") in played, (word, turn)
            if turn.interrupted:
                for word in (w.strip(".") for w in turn.agent_text.split() if w != "and"):
                    if word in surely and word not in {w.strip(".") for w in heard}:
                        raise AssertionError(f"{word} was played, and is not in {turn}")


def _whole_words(text: str, sec: float) -> set[str]:
    """Return the words of a text that end within its first seconds."""
    found, at = set(), 0
    for piece in text.split(" "):
        at += len(piece)
        bare = piece.rstrip(".")
        if bare and (at - (len(piece) - len(bare))) * CHAR_SEC <= sec:
            found.add(bare)
        at += 1
    return found
