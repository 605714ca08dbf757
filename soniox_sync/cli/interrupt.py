"""Signals: the first Ctrl-C stops gracefully where a command can, the second cancels.

SIGTERM and SIGHUP end the command at once, but it still removes its temporary files.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Optional

from ..errors import SonioxError

__all__ = ["Interrupts", "Terminated"]

log: logging.Logger = logging.getLogger("soniox_sync.cli")

Step = Callable[[], object]
# Clean-up takes a few hundredths of a second; a signal after more than a second is a new one.
_GRACE_SEC = 1.0
# Sent by service managers and by a closed terminal. Windows has only SIGTERM.
_TERMINATING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Terminated(BaseException):
    """Raised in the main thread by SIGTERM and SIGHUP, so that clean-up code runs."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.signum = signum


class Interrupts:
    """Signal handlers of one command, as a context manager.

    SIGINT takes the next step of `graceful`; without one it raises KeyboardInterrupt. SIGTERM and
    SIGHUP raise `Terminated`. A signal within a second after that counts as the same one, so that
    clean-up is not interrupted; a later one interrupts it. The previous handlers are restored at
    the end, with one exception: after a Ctrl-C, the default action for SIGINT, to kill the process,
    is replaced by ignoring it.

    Does nothing outside of the main thread. Signals that are ignored (as under `nohup`) stay
    ignored, and a handler for SIGTERM or SIGHUP stays in place.
    """

    def __init__(self) -> None:
        self.interrupted: bool = False
        # Main thread only, where signal handlers run too
        self._steps: list[Step] = []
        self._due: queue.SimpleQueue[Optional[Step]] = queue.SimpleQueue()
        self._before: dict[int, Any] = {}
        self._raised_at: Optional[float] = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
                self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._handle)
            for number in _TERMINATING:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._before[number] = signal.signal(number, self._terminate)
        return self

    def __exit__(self, *exc_info: object) -> None:
        while self._before:
            number, before = self._before.popitem()
            if number == signal.SIGINT and self.interrupted and before is signal.SIG_DFL:
                # the process is about to exit with 130: another Ctrl-C must not kill it first
                before = signal.SIG_IGN
            signal.signal(number, before)

    @contextmanager
    def graceful(self, *steps: Step) -> Iterator[None]:
        """Take the first step at the first Ctrl-C inside the block, the next step at the next one.

        When no step is left, Ctrl-C raises KeyboardInterrupt. Each step runs on a thread of its
        own and may block. An exception of a step is only logged: the block is expected to raise it
        too.
        """
        due: queue.SimpleQueue[Optional[Step]] = queue.SimpleQueue()

        def run_steps() -> None:
            while (step := due.get()) is not None:
                name = "soniox-step"
                threading.Thread(target=_take, args=(step,), name=name, daemon=True).start()

        runner = threading.Thread(target=run_steps, name="soniox-interrupt", daemon=True)
        runner.start()
        self._due, self._steps = due, list(steps)
        try:
            yield
        finally:
            self._steps = []
            due.put(None)
            runner.join()

    def _handle(self, signum: int, frame: Optional[FrameType]) -> None:
        # May interrupt the main thread anywhere, even inside a lock, so it takes no lock and starts
        # no thread. SimpleQueue.put is documented as reentrant.
        self.interrupted = True
        if self._steps:
            self._due.put(self._steps.pop(0))
        elif not self._is_repeated():
            raise KeyboardInterrupt

    def _terminate(self, signum: int, frame: Optional[FrameType]) -> None:
        if self._raised_at is None:
            self._is_repeated()
            raise Terminated(signum)
        if not self._is_repeated():
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    def _is_repeated(self) -> bool:
        """Return whether a signal raised within the grace period; if not, start a new period."""
        now, before = time.monotonic(), self._raised_at
        if before is not None and now - before < _GRACE_SEC:
            return True
        self._raised_at = now
        return False


def _take(step: Step) -> None:
    try:
        step()
    except SonioxError as error:
        log.debug("! after Ctrl-C: %s", error)  # the main thread raises it too
    except Exception:
        log.exception("! stopping after Ctrl-C failed")
