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


EQUIVALENTS: tuple[Equivalent, ...] = ()
