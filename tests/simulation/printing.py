"""Schedules and stacks for people to read."""

from __future__ import annotations

import linecache
import sys
import traceback
from typing import Any

from . import order
from .locks import Condition, Event, Lock

# the note that a scenario has ended: what follows are its remains
ENDED = "the scenario has ended"
_OWN = ("kernel.py", "locks.py", "threads.py", "network.py", "order.py", "printing.py", "runner.py")


def stack_of(task: Any, is_current: bool) -> list[str]:
    """Return where a thread stands, without the simulator's own frames."""
    frame = sys._getframe() if is_current else task.greenlet.gr_frame
    if frame is None:
        return ["has not begun"]
    lines = []
    for entry in traceback.extract_stack(frame):
        name = entry.filename
        if "tests/simulation" in name and name.rpartition("/")[2] in _OWN:
            continue
        lines.append(f"{_short(name)}:{entry.lineno} in {entry.name}: {entry.line}")
    return lines


def stacks(failure: Any) -> str:
    """Return the stacks of all threads at the moment of a failure."""
    out = []
    for task, lines in failure.stacks:
        doing = ""
        if task.blocked_on is not None:
            kind, what = task.blocked_on
            doing = f", in {kind} of {name_of(what)}"
        held = ", ".join(order.describe(lock) for lock in task.held if not order.is_gate(lock))
        out.append(f"{task}{doing}{', holding ' + held if held else ''}")
        out += [f"    {line}" for line in lines]
    return "\n".join(out)


def schedule(log: list[Any], before: int = 1000, after: int = 100) -> str:
    """Return a recorded schedule: time, thread, point, object.

    Of a long one, the last points of the scenario and the first that follow its end.
    """
    ends = [n for n, entry in enumerate(log) if entry[4] == ENDED] or [len(log)]
    begin, end = max(0, ends[0] - before), min(len(log), ends[0] + after)
    out = [f"... {begin} points before"] if begin else []
    last = None
    for at, task, kind, what, text in log[begin:end]:
        mark = ">" if task is not last else " "
        last = task
        out.append(f"{at - 1000:12.6f} {mark} {task!r:28} {kind:9} {text or name_of(what)}")
    if end < len(log):
        out.append(f"... {len(log) - end} points after")
    return "\n".join(out)


def name_of(what: Any) -> str:
    """Name an object of a schedule."""
    if isinstance(what, (Lock, Condition)):
        name, line = what.site
        attribute = linecache.getline(name, line).strip().partition("=")[0].partition(":")[0]
        return f"{attribute.strip()} ({_short(name)}:{line}) {what.number}"
    if isinstance(what, Event):
        return name_of(what._changed)
    if type(what).__name__ == "SimpleQueue":
        return f"queue {what.number}"
    return str(what)


def _short(name: str) -> str:
    for part in ("soniox_sync/", "tests/simulation/", "site-packages/"):
        if part in name:
            return name.rpartition(part)[2]
    return name.rpartition("/")[2]
