"""Tokens and results for the tests of the transcript tools."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from soniox_sync.protocol.tokens import Result, Token


def final(text: str, start: int | None = None, end: int | None = None, **fields: Any) -> Token:
    """Make a final token."""
    return Token(text=text, start_ms=start, end_ms=end, is_final=True, **fields)


def partial(text: str, start: int | None = None, end: int | None = None, **fields: Any) -> Token:
    """Make a partial token."""
    return Token(text=text, start_ms=start, end_ms=end, is_final=False, **fields)


def translated(text: str, language: str = "es", **fields: Any) -> Token:
    """Make a final token of a translation, which has no times."""
    return final(text, language=language, translation_status="translation", **fields)


def result(*tokens: Token, proc: int = 0, **fields: Any) -> Result:
    """Make a result that is final up to `proc` milliseconds."""
    return Result(tokens=list(tokens), final_audio_proc_ms=proc, total_audio_proc_ms=proc, **fields)


def speech(text: str, *, start: int = 0, per_word: int = 300, **fields: Any) -> list[Token]:
    """Make one final token for each word, one after the other without pause."""
    tokens = []
    for index, word in enumerate(text.split()):
        began = start + index * per_word
        lead = " " if index else ""
        tokens.append(final(lead + word, began, began + per_word, **fields))
    return tokens


def texts(items: Any) -> list[str]:
    """Return the texts of segments, tokens, words or cues."""
    return [item.text for item in items]


def shown(items: Any) -> list[str]:
    """Return what segments show: what was said, or its translation."""
    return [item.text or item.translated_text for item in items]


def steps_of(work: Callable[[], object]) -> int:
    """Count the lines of Python that `work` runs: a measure that other processes do not affect."""
    lines = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines
