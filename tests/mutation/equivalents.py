"""Mutants that no test can kill, each with its reason.

They are no wrong programs: they do the same, or differ only in speed. `python -m tests.mutation`
counts them apart, and a test fails when one no longer exists.
"""

from __future__ import annotations

from typing import NamedTuple


class Equivalent(NamedTuple):
    """One of them, as it is printed: its module and scope, the line before and after."""

    module: str
    scope: str
    before: str
    after: str
    reason: str

    @property
    def identity(self) -> str:
        """The same as of `Mutant`."""
        return f"{self.module}:{self.scope}: {self.before} -> {self.after}"


_RECORDER = "soniox_sync/recorder/"
_BEGUN = "declares the field: begin() sets it before anything reads it"

EQUIVALENTS: tuple[Equivalent, ...] = (
    Equivalent(
        _RECORDER + "container_replay.py",
        "ContainerReplay.__init__",
        "self._leads = [0.0]",
        "self._leads = [1.0]",
        "the lead of the first mark is never read: there is nothing before it to start at",
    ),
    Equivalent(
        _RECORDER + "container_replay.py",
        "ContainerReplay._entry",
        "while mark > 0 and self._headers[mark] is None:",
        "while mark >= 0 and self._headers[mark] is None:",
        "the first mark is an entry and has a header: the loop ends there anyway",
    ),
    Equivalent(
        _RECORDER + "merging.py",
        "Merger.__init__",
        "self._offset_ms = 0",
        "pass",
        _BEGUN,
    ),
    Equivalent(
        _RECORDER + "merging.py",
        "Merger.__init__",
        "self._floor_ms = -1  # originals up to here were delivered by earlier sessions",
        "pass  # originals up to here were delivered by earlier sessions",
        _BEGUN,
    ),
)
