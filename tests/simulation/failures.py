"""What a simulated run may fail with."""

from __future__ import annotations

from typing import Any, Optional


class Failure(Exception):
    """A promise that a run broke; `stacks` are those of all threads at that moment."""

    def __init__(self, text: str, cause: Optional[BaseException] = None) -> None:
        super().__init__(text)
        self.cause = cause
        self.stacks: list[tuple[Any, Any]] = []

    @property
    def kind(self) -> str:
        """Name of the class: what a shrunk schedule must still fail with."""
        return type(self).__name__


class Deadlock(Failure):
    """Nobody can run, and no timer is due."""


class Livelock(Failure):
    """The run does not end."""


class LockOrder(Failure):
    """A lock was taken that stands to the left of one that is held."""


class HeldWhileWaiting(Failure):
    """A thread waits, for something other than a lock, and holds one that forbids it."""


class UncaughtError(Failure):
    """An exception left a thread."""


class LeftBehind(Failure):
    """A thread, a socket, a timer or a job outlives what made it."""


class Untrue(Failure):
    """The scenario's own truth does not hold."""


class TooLong(Failure):
    """A bounded call took longer, in simulated time."""


def check(condition: object, text: str) -> None:
    """Fail the run with `text` unless `condition` holds."""
    if not condition:
        raise Untrue(text)
