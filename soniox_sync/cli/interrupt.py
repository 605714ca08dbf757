"""Signals: Ctrl-C once stops gracefully where a command can, twice cancels; others end at once."""

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

log = logging.getLogger("soniox_sync.cli")

Step = Callable[[], object]
# ending takes a few hundredths of a second; whoever sends a signal again after a second means it
_GRACE_SEC = 1.0
# what a service manager and a closed terminal send; Windows has only the first
_ENDINGS = [
    number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
]


class Terminated(BaseException):
    """Ends the main thread's work because a signal asked for it, so that nothing is left behind."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"ended by {signal.Signals(signum).name}")
        self.signum = signum


class Interrupts:
    """Turns SIGINT into the steps of `graceful`, else into KeyboardInterrupt.

    SIGTERM and SIGHUP raise `Terminated`. Signals that follow within a second of a raise are
    taken for the same one, so that what it interrupted can be cleared away; later ones end it.
    As a context manager it takes the signals over, and gives them back at the end. Does nothing
    outside of the main thread, and leaves alone what is ignored (as under `nohup`) or, of the
    latter two, handled already.
    """

    def __init__(self) -> None:
        self.interrupted = False
        # Main thread only, where signal handlers run as well
        self._steps: list[Step] = []
        self._due: queue.SimpleQueue[Optional[Step]] = queue.SimpleQueue()
        self._before: dict[int, Any] = {}
        self._raised_at: Optional[float] = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
                self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._handle)
            for number in _ENDINGS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._before[number] = signal.signal(number, self._terminate)
        return self

    def __exit__(self, *exc_info: object) -> None:
        while self._before:
            signal.signal(*self._before.popitem())

    @contextmanager
    def graceful(self, *steps: Step) -> Iterator[None]:
        """Let the first Ctrl-C inside take the first step, the second the next, and go on.

        When no step is left, Ctrl-C raises KeyboardInterrupt. Each step runs on a thread of its
        own and may block; what it raises is logged, so it should surface elsewhere.
        """
        due: queue.SimpleQueue[Optional[Step]] = queue.SimpleQueue()
        runner = threading.Thread(
            target=_take_steps, args=(due,), name="soniox-interrupt", daemon=True
        )
        runner.start()
        self._due, self._steps = due, list(steps)
        try:
            yield
        finally:
            self._steps = []
            due.put(None)
            runner.join()

    def _handle(self, signum: int, frame: Optional[FrameType]) -> None:
        # It may have interrupted the main thread anywhere, so it takes no lock and starts no
        # thread: SimpleQueue.put alone is made for that.
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
        """Tell whether something was raised a moment ago; else it will be now."""
        now, before = time.monotonic(), self._raised_at
        if before is not None and now - before < _GRACE_SEC:
            return True
        self._raised_at = now
        return False


def _take_steps(due: queue.SimpleQueue[Optional[Step]]) -> None:
    while (step := due.get()) is not None:
        threading.Thread(target=_take, args=(step,), name="soniox-step", daemon=True).start()


def _take(step: Step) -> None:
    try:
        step()
    except SonioxError as error:
        log.debug("! after Ctrl-C: %s", error)  # the main thread meets it, too
    except Exception:
        log.exception("! stopping after Ctrl-C failed")
