"""Children of which each tries one mutant, several at once, and how each ended."""

from __future__ import annotations

import os
import select
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Optional

# address space of one child: a mutant that never stops appending must not take the machine along
_MEMORY = 8 << 30


class Verdict(NamedTuple):
    """How a mutant ended: `killed`, `timeout`, `survived`, or `load`: another way is needed."""

    kind: str
    test: str  # that killed it, or hung


@dataclass
class _Child:
    task: Any
    pid: int
    pipe: int
    deadline: float
    text: str = ""
    test: str = ""
    verdict: Optional[Verdict] = field(default=None)


def run_forked(
    tasks: list[Any],
    start: Callable[[Any, int], None],
    limit: Callable[[str], float],
    jobs: int,
    loading_sec: float,
) -> Iterator[tuple[Any, Verdict]]:
    """Run `start(task, pipe)` in a child for each task, at most `jobs` at once; yield the verdicts.

    A child writes lines: `begin TEST`, and at last one whose first word is the kind of its verdict.
    `limit(test)`: how many seconds a test may take; `loading_sec`: what comes before the first one.
    """
    waiting = list(reversed(tasks))
    running: list[_Child] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(_fork(waiting.pop(), start, loading_sec))
        ready, _, _ = select.select([child.pipe for child in running], [], [], 0.2)
        for child in list(running):
            if child.pipe in ready:
                _read(child, limit)
            if child.verdict is None and time.monotonic() > child.deadline:
                child.verdict = Verdict("timeout", child.test)
            if child.verdict is not None:
                running.remove(child)
                _end(child)
                yield child.task, child.verdict


def _fork(task: Any, start: Callable[[Any, int], None], loading_sec: float) -> _Child:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            _settle()
            start(task, writer)
        except BaseException:  # noqa: BLE001 - whatever the mutant raises is its end
            last = traceback.format_exc().strip().splitlines()[-1]
            os.write(writer, f"killed {last}\n".encode())
        finally:
            os._exit(0)
    os.close(writer)
    return _Child(task, pid, reader, time.monotonic() + loading_sec)


def _settle() -> None:
    """In the child: a process group of its own, no output, limited memory."""
    import resource

    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or hard > _MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, hard))


def _read(child: _Child, limit: Callable[[str], float]) -> None:
    data = os.read(child.pipe, 65536)
    if not data:
        child.verdict = Verdict("killed", f"{child.test} (the process died)")
        return
    *lines, child.text = (child.text + data.decode(errors="replace")).split("\n")
    for line in lines:
        kind, _, name = line.partition(" ")
        if kind == "begin":
            child.test = name
            child.deadline = time.monotonic() + limit(name)
        elif child.verdict is None:
            child.verdict = Verdict(kind, name)


def _end(child: _Child) -> None:
    """End the child and whatever it has started."""
    os.close(child.pipe)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # not yet, or no longer, a group
        try:
            os.kill(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os.waitpid(child.pid, 0)
