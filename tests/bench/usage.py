"""Resources of a process, read from Linux's ``/proc``."""

from __future__ import annotations

import gc
import os
import time
from typing import NamedTuple

_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
# after this long without growth the server is stalled or has finished
_QUIET_SEC = 1.5
_TIMEOUT_SEC = 30.0


class Usage(NamedTuple):
    """Threads, open descriptors and resident memory of this process."""

    threads: int
    descriptors: int
    rss_kb: int


def snapshot() -> Usage:
    """Return the current usage, after a garbage collection."""
    gc.collect()
    threads = len(os.listdir("/proc/self/task"))
    # listing the folder itself opens one
    return Usage(threads, len(os.listdir("/proc/self/fd")) - 1, _rss_kb())


def settled(before: Usage) -> Usage:
    """Return the usage once it is back at ``before``, or after a second."""
    deadline = time.monotonic() + 1.0
    while True:
        now = snapshot()
        is_back = now.threads <= before.threads and now.descriptors <= before.descriptors
        if is_back or time.monotonic() > deadline:
            return now
        time.sleep(0.02)


def peak_rss_kb() -> int:
    """Return the maximum of resident memory, once it has stopped growing."""
    peak, grew = 0, time.monotonic()
    deadline = grew + _TIMEOUT_SEC
    while time.monotonic() < min(grew + _QUIET_SEC, deadline):
        now = _rss_kb()
        if now > peak:
            peak, grew = now, time.monotonic()
        time.sleep(0.01)
    return peak


def _rss_kb() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_KB


def cpu_sec(pid: int) -> float:
    """Return the CPU time, user and system, that a process has taken."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        # behind the name, which may have spaces and brackets
        fields = file.read().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
