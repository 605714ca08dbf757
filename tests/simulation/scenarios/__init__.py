"""Scenarios of the simulation: each module has one, `run(simulation)`."""

from __future__ import annotations

import importlib
from typing import Callable

NAMES = (
    *("session", "recording", "connection", "pool", "speech", "conversation"),
    *("callbacks", "clock", "ends", "leaving", "forking", "sources"),
)


def scenario(name: str) -> Callable[..., None]:
    """Return a scenario by name."""
    found: Callable[..., None] = importlib.import_module(f"{__name__}.{name}").run
    return found
