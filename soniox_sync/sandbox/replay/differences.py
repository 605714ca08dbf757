"""`Replay` and `Difference`: what a replay reports to the user."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Callable, Literal, Optional

from ..._support.locks import new_lock
from ..._support.reprs import counted, summary
from ..problems import Problem

__all__ = ["Difference", "Differs", "Findings", "Kind", "Replay"]

log: logging.Logger = logging.getLogger("soniox_sync.sandbox.replay")

Kind = Literal["connection", "message", "text", "audio", "request", "silence"]

# the client did something else than in the trace: trying it again would not help
_CODE = 400


@dataclass(frozen=True, repr=False)
class Difference:
    """One thing that a client did, or did not do, unlike in the trace. `str()` is one line."""

    kind: Kind
    """What differs.

    `"connection"`: one too many, or one that ended early. `"message"`: a config, a field, a
    control message. `"text"`: text to speak. `"audio"`: more or fewer bytes of it. `"request"`: an
    HTTP request. `"silence"`: the client did not go on.
    """
    where: str
    """The connection or request, as in `"connection 2, /tts-websocket"`."""
    line: Optional[int]
    """Line of the trace with what was expected; `None` if the trace has nothing more to expect."""
    field: Optional[str]
    """Path of the field that differs, as in `"context.terms[0]"`; `None` if it is no field."""
    expected: Optional[str]
    """What the trace contains, shortened; `None` if nothing."""
    got: Optional[str]
    """What the client did, shortened; `None` if nothing."""
    hint: Optional[str] = None
    """What to do, where that is known; `None` otherwise."""

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line} of the trace"
        field = f" {self.field}:" if self.field else ""
        expected, got = self.expected or "nothing", self.got or "nothing"
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.where}{line}:{field} expected {expected}, got {got}{hint}"

    def __repr__(self) -> str:
        return summary(self, f"{self.kind}:", str(self))


class Differs(Exception):
    """Ends the replay of a connection or request that differs."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference

    @property
    def problem(self) -> Problem:
        """Error for the client."""
        said = f"The replay of the trace stops here: {self.difference}"
        return Problem("replay_difference", said, code=_CODE)


class Findings:
    """Differences found by the connections of one replay. Thread-safe."""

    def __init__(self, name: str) -> None:
        self.name = name
        # Guards _found and _untold. Leaf.
        self._lock = new_lock()
        self._found: list[Difference] = []
        self._untold: list[Difference] = []

    def add(self, difference: Difference) -> None:
        """Record a difference; `tell()` follows, when no lock is held."""
        with self._lock:
            self._found.append(difference)
            self._untold.append(difference)

    def tell(self) -> None:
        """Log what was recorded since the last call."""
        with self._lock:
            untold, self._untold = self._untold, []
        for difference in untold:
            log.warning("%s: %s", self.name, difference)

    def all(self) -> tuple[Difference, ...]:
        """Return what was recorded, oldest first."""
        with self._lock:
            return tuple(self._found)


class Replay:
    """What the replay of a trace has found: `Sandbox.replay`. Thread-safe.

    Each difference is also logged as a warning, by the logger `soniox_sync.sandbox.replay`.
    """

    def __init__(
        self, findings: Findings, notes: tuple[str, ...], remaining: Callable[[], tuple[str, ...]]
    ) -> None:
        self._findings = findings
        self._notes = notes
        self._remaining = remaining

    @property
    def name(self) -> str:
        """Name of the trace: its path, or `"replay"`."""
        return self._findings.name

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What the client did unlike in the trace, oldest first."""
        return self._findings.all()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the trace lacks, and what is played in its place, a line each."""
        return self._notes

    @property
    def remaining(self) -> tuple[str, ...]:
        """Connections and requests of the trace that were not played to their end, a line each."""
        return self._remaining()

    def __repr__(self) -> str:
        return summary(self, self.name, counted(len(self.differences), "difference"))
