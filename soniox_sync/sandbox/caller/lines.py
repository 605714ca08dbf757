"""What a scripted caller does: lines that it says, keys, pauses, the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional, Union

from ..._support import checks as _checks

__all__ = ["HangUp", "Key", "Line", "Quiet", "Step", "StepInput", "read_steps"]

_KEYS = tuple("0123456789*#ABCD")


@dataclass(frozen=True)
class Line:
    """Something that a scripted caller says.

    Without further conditions it begins when the agent has answered the line before and is quiet
    again. `at_sec`: it begins at this second of the call, whether the agent speaks or not.
    `after`: not before the caller has heard these words since its line before (case and
    punctuation aside). `over`: it begins while the agent speaks; with `after`, at the end of these
    words, whether more follows or not.

    Raises
        ConfigurationError: `text` is empty, `after` has no words, or `at_sec` is below 0.
        InputTypeError: a value of the wrong type.
    """

    text: str
    at_sec: Optional[float] = None
    after: Optional[str] = None
    over: bool = False

    def __post_init__(self) -> None:
        _checks.text()("text", self.text)
        if self.at_sec is not None:
            _checks.seconds("at_sec", self.at_sec)
        if self.after is not None:
            _checks.text()("after", self.after)
            if not words_of(self.after):
                raise _checks.wrong_value("after", "at least one word", self.after)
        _checks.boolean("over", self.over)


@dataclass(frozen=True)
class Key:
    """A key that a scripted caller presses when it would say a line.

    Raises
        ConfigurationError: no key of a telephone.
        InputTypeError: not a `str`.
    """

    digit: str

    def __post_init__(self) -> None:
        _checks.one_of(_KEYS)("digit", self.digit)


@dataclass(frozen=True)
class Quiet:
    """A pause of `sec` seconds, counted from the end of the line before.

    What follows begins right after it, whatever the agent does: so a caller hesitates, interrupts,
    or says nothing for long.

    Raises
        ConfigurationError: `sec` is below 0.
        InputTypeError: not a number.
    """

    sec: float

    def __post_init__(self) -> None:
        _checks.seconds("sec", self.sec)


@dataclass(frozen=True)
class HangUp:
    """The end of the call, when the caller would say a line. It is also behind the last line."""


Step = Union[Line, Key, Quiet, HangUp]
StepInput = Union[str, Step]


def read_steps(lines: Iterable[StepInput]) -> tuple[Step, ...]:
    """Return the steps of a script; a text is a `Line`, and the last one is a `HangUp`.

    Raises
        ConfigurationError: something follows a `HangUp`.
        InputTypeError: not an iterable, or an item of another type.
    """
    given: object = lines
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise _checks.wrong_type("lines", "a list of lines", lines)
    steps: list[Step] = []
    for number, item in enumerate(lines):
        step: object = Line(item) if isinstance(item, str) else item
        if not isinstance(step, (Line, Key, Quiet, HangUp)):
            expected = "a str, Line, Key, Quiet or HangUp"
            raise _checks.wrong_type(f"lines[{number}]", expected, step)
        if steps and isinstance(steps[-1], HangUp):
            raise _checks.refused(f"lines[{number}]", "nothing after HangUp()", repr(step))
        steps.append(step)
    if not steps or not isinstance(steps[-1], HangUp):
        steps.append(HangUp())
    return tuple(steps)


def words_of(text: str) -> list[str]:
    """Return the words of a text, without case and punctuation."""
    kept = "".join(char if char.isalnum() or char in "'’" else " " for char in text.casefold())
    return kept.split()
