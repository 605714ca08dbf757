"""Ctrl-C: once stops gracefully where a command can, twice cancels."""

from __future__ import annotations

import logging
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Optional

from ..errors import SonioxError

__all__ = ["Interrupts"]

log = logging.getLogger("soniox_sync.cli")

Step = Callable[[], object]


class Interrupts:
    """Turns SIGINT into the steps of `graceful`, else into KeyboardInterrupt.

    As a context manager it takes the signal over, and gives it back at the end. Does nothing
    outside of the main thread, and where the signal is ignored (as under `nohup`).
    """

    def __init__(self) -> None:
        self.interrupted = False
        # Main thread only, where signal handlers run as well
        self._steps: list[Step] = []
        self._due: queue.SimpleQueue[Optional[Step]] = queue.SimpleQueue()
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
        if not self._steps:
            raise KeyboardInterrupt
        self._due.put(self._steps.pop(0))


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
