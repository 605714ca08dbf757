"""Waiting for the next item of a `SimpleQueue`, for a time that is over when it is over."""

from __future__ import annotations

import queue
from typing import Any, Optional


def get_within(items: queue.SimpleQueue[Any], seconds: Optional[float]) -> Any:
    """Return the next item; raise `queue.Empty` after `seconds`, if limited.

    `SimpleQueue.get()` of CPython (seen in 3.9 to 3.13) may wait for ever when its time is over
    before it has begun to wait: with a millionth of a second once in a thousand times, on a machine
    under load with more. It takes the lock of the empty queue first, and what is then left of the
    time is negative, which means for ever. After `get_nowait()` has found the queue empty, that
    lock is taken.
    """
    if seconds is None:
        return items.get()
    try:
        return items.get_nowait()
    except queue.Empty:
        if seconds <= 0.0:
            raise
    return items.get(True, seconds)
