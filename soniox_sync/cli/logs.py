"""Records of the library's log that a command shows as messages of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Callable

from .console import Console, is_terminal

__all__ = ["differences_shown", "outages_shown"]


def differences_shown(console: Console) -> AbstractContextManager[None]:
    """Write each difference of a replay to stderr; with -v instead of the log's own line."""
    return _shown(
        "soniox_sync.sandbox.replay",
        logging.WARNING,
        lambda line: console.write_error(f"soniox-sync: {line}"),
    )


def outages_shown(console: Console) -> AbstractContextManager[None]:
    """Note on a terminal that a speech waits for the service; with -v instead of the log's line."""
    if not is_terminal(console.stderr):
        return nullcontext()
    return _shown("soniox_sync.speech", logging.INFO, console.note)


@contextmanager
def _shown(name: str, level: int, write: Callable[[str], object]) -> Iterator[None]:
    logger, handler = logging.getLogger(name), _Lines(write)
    before = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before[0]
        logger.setLevel(before[1])


class _Lines(logging.Handler):
    """Handler that passes on the message of each record."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one message."""
        self._write(record.getMessage())
