"""What is fuzzed. A target is a module with a function `check` that gets the bytes.

`check(data)` returns when the library did what it documents: returned a result, or raised an
exception that it documents, after everything that came before the fault. It lets any other
exception pass, and fails an assertion where a result is wrong.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

NAMES = (
    *("frames", "wav", "containers", "flac", "captions", "stt", "tts", "rest", "traces", "replay"),
    "state",
)


@dataclass(frozen=True)
class Target:
    """One target; `tokens`: what its format consists of, `is_text`: of words, mostly JSON."""

    name: str
    check: Callable[[bytes], object]
    tokens: Sequence[bytes]
    is_text: bool


def load(name: str) -> Target:
    """Import a target by its name."""
    module = importlib.import_module(f"tests.fuzz.targets.{name}")
    return Target(name, module.check, module.TOKENS, getattr(module, "IS_TEXT", False))
