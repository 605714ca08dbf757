"""Ctrl-C: once stops gracefully where a command can, twice cancels."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Optional

__all__ = ["Interrupts"]


class Interrupts:
    """Turns SIGINT into a call of `graceful`'s function, else into KeyboardInterrupt.

    As a context manager it takes the signal over, and gives it back at the end. Does nothing
    outside of the main thread, and where the signal is ignored (as under `nohup`).
    """

    def __init__(self) -> None:
        self.interrupted = False
        self._stop: Optional[Callable[[], object]] = None
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if before is not signal.SIG_IGN and before is not None:
                self._before = before
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    @contextmanager
    def graceful(self, stop: Callable[[], object]) -> Iterator[None]:
        """Let the first Ctrl-C inside call `stop`, which must not block, and go on.

        It runs between two steps of the main thread, so it may take only locks that the main
        thread never holds. A second Ctrl-C raises KeyboardInterrupt.
        """
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _handle(self, signum: int, frame: Optional[FrameType]) -> None:
        self.interrupted = True
        stop, self._stop = self._stop, None
        if stop is None:
            raise KeyboardInterrupt
        stop()
