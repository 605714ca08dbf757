"""One load of one client in its own process, which answers with its numbers."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Dict

from tests.bench import usage, worker
from tests.bench.capacity import aio, meter
from tests.bench.capacity.loads import FLOORS, Caller, Floor, Official, Ours
from tests.bench.work import spinning


def build(name: str, cafile: str) -> Any:
    """Return the caller of this name; the asynchronous one is its name.

    Raises
        ImportError: its package is not installed.
    """
    if name in FLOORS:
        return Floor(**FLOORS[name])
    if name in ("official", "asyncio"):
        import soniox  # noqa: F401 - what is not there is reported before anything is measured

        return Official() if name == "official" else name
    if name == "plain":
        worker.hide(*worker.ACCELERATORS)
    import soniox_sync  # noqa: F401

    return Ours()


def run(
    caller: Any,
    load: str,
    url: str,
    count: int,
    busy: bool,
    traced: bool,
    warm_sec: float,
    seconds: float,
    repetitions: int = 1,
) -> Dict[str, float]:
    """Measure one load; after several repetitions, also what is left of the memory of the others.

    The first repetition loads modules and fills caches.
    """
    timing = warm_sec, seconds
    numbers = _once(caller, load, url, count, busy, traced, *timing)
    first_kb = usage.snapshot().rss_kb
    for _ in range(repetitions - 1):
        numbers = _once(caller, load, url, count, busy, traced, *timing)
    numbers["grown_mb"] = (usage.snapshot().rss_kb - first_kb) / 1024
    return numbers


def _once(
    caller: Any, load: str, url: str, count: int, busy: bool, traced: bool, *seconds: float
) -> Dict[str, float]:
    before = usage.snapshot()
    with tempfile.TemporaryDirectory() as folder:
        if traced:
            caller = Ours(os.path.join(folder, "trace.jsonl"))
        with spinning(busy) as others_cpu:
            timing = (*seconds, others_cpu)
            if caller == "asyncio":
                numbers = aio.measure(load, url, count, *timing)
            else:
                numbers = _threaded(caller, load, url, count, *timing)
    after = usage.settled(before)
    numbers["threads_left"] = after.threads - before.threads
    numbers["descriptors_left"] = after.descriptors - before.descriptors
    return numbers


def _threaded(caller: Caller, load: str, url: str, count: int, *timing: Any) -> Dict[str, float]:
    with caller.loads(url, count)[load]() as work:
        return meter.threaded(work, count, *timing)


if __name__ == "__main__":
    worker.main(build, {"capacity": run})
