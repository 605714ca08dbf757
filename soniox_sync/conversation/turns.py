"""What a conversation consists of: turns, how long they took, and what else happened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Optional

from .._support.reprs import quoted, summary


@dataclass(frozen=True, repr=False)
class Latency:
    """Seconds from the end of the user's last word to the first audio of the answer.

    `total_sec`: all of it, on the source's clock; of it `endpoint_sec` until `reply` was called,
    `reply_sec` until its first text, `voice_sec` until that was played. `None`: there was no
    such time, as in silent turns and those of `say()` and `user_said()`.
    """

    total_sec: Optional[float] = None
    endpoint_sec: Optional[float] = None
    reply_sec: Optional[float] = None
    voice_sec: Optional[float] = None

    def __repr__(self) -> str:
        if self.total_sec is None:
            return summary(self, "none")
        shown = [f"{each.name[:-4]} {getattr(self, each.name):.3f} s" for each in fields(self)]
        return summary(self, ", ".join(shown))


@dataclass(frozen=True, repr=False)
class Turn:
    """What the user said, and what the agent said to it. `str` and `bool` are never `None`.

    `user_text`: whole, empty if the agent spoke by itself (`say()`). `agent_text`: what the voice
    was given; `agent_text_heard`: the part of it that was played, a prefix that ends with a whole
    word; all of it unless it was `interrupted`: cut, or left unfinished by a `reply` that raised.
    `language`: of the user's words, if the recogniser was asked for it, else `None`. `started_ms`,
    `ended_ms`: from the first word to the last word or sound, in milliseconds of the source.
    """

    user_text: str
    agent_text: str = ""
    agent_text_heard: str = ""
    interrupted: bool = False
    language: Optional[str] = None
    latency: Latency = Latency()
    started_ms: int = 0
    ended_ms: int = 0

    def __repr__(self) -> str:
        said = f"{quoted(self.user_text)} -> {quoted(self.agent_text_heard)}"
        return summary(self, said, "interrupted" if self.interrupted else "")


@dataclass(frozen=True, repr=False)
class Dtmf:
    """Argument of `"dtmf"` handlers: a key of the telephone."""

    digit: str

    def __repr__(self) -> str:
        return summary(self, self.digit)


@dataclass(frozen=True, repr=False)
class Silence:
    """Argument of `"silence"` handlers: who is waited for, and for how long.

    `waiting_for`: `"user"` or `"agent"`. `quiet_sec`: seconds since somebody was heard, or since
    `reply` gave something. `count`: from 1, one more after each further interval; from 1 again
    after words of the user, or after the agent spoke.
    """

    waiting_for: str
    quiet_sec: float
    count: int

    def __repr__(self) -> str:
        return summary(self, f"of the {self.waiting_for} for {self.quiet_sec:.1f} s, {self.count}")


@dataclass(frozen=True, repr=False)
class ConversationMetrics:
    """How many turns there were, and how long answers took.

    `count`: all turns. `interrupted`: those of them that are, as in `Turn`. `median` and `p95`: of
    each time in `Latency`, over the turns that have it.
    """

    count: int
    interrupted: int
    median: Latency
    p95: Latency

    def __repr__(self) -> str:
        return summary(
            self, f"{self.count} turns, {self.interrupted} interrupted, median {self.median!r}"
        )


def measure(turns: Sequence[Turn]) -> ConversationMetrics:
    """Return the metrics of some turns."""
    return ConversationMetrics(
        len(turns),
        sum(turn.interrupted for turn in turns),
        _at(turns, 0.5),
        _at(turns, 0.95),
    )


def _at(turns: Sequence[Turn], share: float) -> Latency:
    """Return the values below which this share of the turns is."""
    found = {}
    for each in fields(Latency):
        known = (getattr(turn.latency, each.name) for turn in turns)
        values = sorted(value for value in known if value is not None)
        found[each.name] = quantile(values, share)
    return Latency(**found)


def quantile(values: Sequence[float], share: float) -> Optional[float]:
    """Return the value at a share of sorted values, between two of them if need be."""
    if not values:
        return None
    at = share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def messages_of(turns: Iterable[Turn], asked: str = "") -> list[dict[str, str]]:
    """Return turns as messages for a language model; `asked`: what is being answered, last."""
    found: list[dict[str, str]] = []
    for turn in turns:
        if turn.user_text:
            found.append({"role": "user", "content": turn.user_text})
        if turn.agent_text_heard:
            found.append({"role": "assistant", "content": turn.agent_text_heard})
    if asked:
        found.append({"role": "user", "content": asked})
    return found
