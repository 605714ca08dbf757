"""Calls that may hang, such as looking up a name, on threads that are left behind when they do."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Callable, Generic, Optional, TypeVar

from ...transport.deadline import Deadline, wait_for
from ...transport.latch import Latch

__all__ = ["run_all"]

T = TypeVar("T")


class _Running(Generic[T]):
    """Call on a daemon thread: one that hangs does not keep the process alive."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.over = Latch()
        self.result: Optional[T] = None
        self.error: Optional[BaseException] = None
        self._call = call
        threading.Thread(target=self._run, name="soniox-doctor", daemon=True).start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:  # noqa: BLE001 - top of the thread: raised by `run_all`
            self.error = error
        finally:
            self.over.set()


def run_all(calls: Sequence[Callable[[], T]], deadline: Deadline) -> list[Optional[T]]:
    """Run all calls at once, and return their results when `deadline` passes or all are done.

    `None` for a call that is not done; what it returns later is dropped. An exception of a call is
    raised here. Ctrl-C ends the wait.
    """
    running = [_Running(call) for call in calls]
    results: list[Optional[T]] = []
    for each in running:
        is_done = wait_for(each.over, deadline)
        if is_done and each.error is not None:
            raise each.error
        results.append(each.result if is_done else None)
    return results
