"""What the decisions of a conversation ask for. Carried out in order, outside of all locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Union

from .agent import Passage
from .turns import Turn


class At(NamedTuple):
    """Moment of an input: seconds of the process, ms of the source's audio, ms that were played."""

    now: float
    source_ms: float
    played_ms: float


@dataclass(frozen=True)
class CallReply:
    """Call `reply` with a turn; the job before it has ended."""

    job: int
    text: str


@dataclass(frozen=True)
class CancelReply:
    """Cancel the token of a job: its text is no longer wanted."""

    job: int


@dataclass(frozen=True)
class HoldReply:
    """Draw no more text of a job until `on` is False."""

    job: int
    on: bool


@dataclass(frozen=True)
class AddText:
    """Give text to the voice, for a passage. `job`: whose text it is, to hold that back."""

    passage: Passage
    text: str
    job: Optional[int] = None


@dataclass(frozen=True)
class EndText:
    """No more text comes for a passage."""

    passage: Passage


@dataclass(frozen=True)
class Speak:
    """Begin to voice a passage, and write its audio to the sink."""

    passage: Passage


@dataclass(frozen=True)
class Clear:
    """Stop the voice and clear the sink now; then report what was heard with `cleared()`."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Finalize:
    """Have the recogniser make final what was said."""


@dataclass(frozen=True)
class StopListening:
    """End the recording; `at_once`: without the last words."""

    at_once: bool


@dataclass(frozen=True)
class Deliver:
    """Hand out a turn."""

    turn: Turn


@dataclass(frozen=True)
class Notify:
    """Call the handlers of an event."""

    event: str
    argument: Any


@dataclass(frozen=True)
class Quit:
    """Everything is over; `error` is to be raised after the turns."""

    error: Optional[BaseException]


Action = Union[
    CallReply,
    CancelReply,
    HoldReply,
    AddText,
    EndText,
    Speak,
    Clear,
    Finalize,
    StopListening,
    Deliver,
    Notify,
    Quit,
]
