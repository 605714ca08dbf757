"""The command line `soniox-sync`; see `app` for how it is put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

__all__ = ["main"]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and give its exit code; `argv` without the program's name.

    0 is success, 1 an error of the service or the network, 2 wrong usage, 130 interrupted.
    """
    from .app import run

    return run(argv)
