"""`ConversationOptions`: when a conversation's turns begin and end. Not sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .._support.checks import (
    Check,
    boolean,
    integer,
    one_of,
    positive_seconds,
    run_checks,
    seconds,
    string_list,
)
from ._values import Value


@dataclass(frozen=True, eq=False, repr=False)
class ConversationOptions(Value):
    """Options of `converse()`: when turns begin and end. All times are in seconds. Immutable.

    See `client.realtime.converse()` for each.

    Raises
        ConfigurationError: a value out of range or not finite.
        InputTypeError: a value of the wrong type; `None` only where it has a meaning.
    """

    # people interrupt, and an agent that goes on talking is what they complain about most
    barge_in: bool = True
    # a partial word is the earliest sign that somebody speaks, and a wrong one is put right
    min_barge_in_words: int = 1
    backchannels: Optional[Sequence[str]] = None
    # the recogniser corrects a partial within a second; twice that, and the pause is not yet odd
    false_interruption_sec: Optional[float] = 2.0
    duplex: Optional[str] = None
    turn_end: str = "endpoint"
    # the service's endpoint has waited already: more would only delay every answer
    patience_sec: float = 0.0
    # nobody speaks for a minute without a pause: it is a television, or hold music with a singer
    max_turn_sec: float = 60.0
    # as long as people take to look something up before they wonder whether the line is dead
    user_silence_sec: float = 15.0
    # longer than a slow language model takes, and the silence in which callers say "hello?"
    agent_silence_sec: float = 5.0

    def __post_init__(self) -> None:
        optional = {"backchannels", "false_interruption_sec", "duplex"}
        run_checks(vars(self), CHECKS, required=set(CHECKS) - optional)
        if self.backchannels is not None:
            object.__setattr__(self, "backchannels", tuple(self.backchannels))


def _words(name: str, value: Any) -> None:
    string_list(name, value)


CHECKS: Mapping[str, Check] = {
    "barge_in": boolean,
    "min_barge_in_words": integer(1),
    "backchannels": _words,
    "false_interruption_sec": seconds,
    "duplex": one_of(("full", "half")),
    "turn_end": one_of(("endpoint", "manual")),
    "patience_sec": seconds,
    "max_turn_sec": positive_seconds,
    "user_silence_sec": positive_seconds,
    "agent_silence_sec": positive_seconds,
}
