"""What a process uses, read from Linux's ``/proc``."""

from __future__ import annotations

import gc
import os
import time
from typing import NamedTuple

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
# a stalled server sends nothing more; this long without growth means it is stalled or done
_QUIET_SEC = 1.5
_PATIENCE_SEC = 30.0


class Usage(NamedTuple):
    """Threads, open descriptors and resident memory of this process."""

    threads: int
    descriptors: int
    rss_kb: int


def snapshot() -> Usage:
    """Return the present usage, garbage collected first."""
    gc.collect()
    threads = len(os.listdir("/proc/self/task"))
    # listing the folder opens one itself
    return Usage(threads, len(os.listdir("/proc/self/fd")) - 1, _rss_kb())


def settled(before: Usage) -> Usage:
    """Return the usage once it is back at ``before``, or a second later if it does not come."""
    deadline = time.monotonic() + 1.0
    while True:
        now = snapshot()
        back = now.threads <= before.threads and now.descriptors <= before.descriptors
        if back or time.monotonic() > deadline:
            return now
        time.sleep(0.02)


def peak_rss_kb() -> int:
    """Watch resident memory until it has stopped growing; return its maximum."""
    peak, grew = 0, time.monotonic()
    deadline = grew + _PATIENCE_SEC
    while time.monotonic() < min(grew + _QUIET_SEC, deadline):
        now = _rss_kb()
        if now > peak:
            peak, grew = now, time.monotonic()
        time.sleep(0.01)
    return peak


def _rss_kb() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_KB
