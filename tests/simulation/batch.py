"""Many seeds, and one to look at."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Optional

from . import loading, printing
from .runner import Result, prepare, run_one
from .scenarios import NAMES, scenario


def run_batch(names: Sequence[str], first: int, seeds: int, keep_going: bool = False) -> int:
    """Run seeds, in turn over the scenarios; print failures and the digest. Return 1 after one."""
    loading.load()
    prepare()
    chosen = list(names) or list(NAMES)
    digest = hashlib.sha256()
    failures: list[Result] = []
    steps: Counter[str] = Counter()
    for seed in range(first, first + seeds):
        name = chosen[seed % len(chosen)]
        result = run_one(name, scenario(name), seed)
        digest.update(f"{name} {seed} {result.digest} {result.steps}\n".encode())
        steps[name] += result.steps
        if result.failure is not None:
            failures.append(result)
            print(f"{name} seed {seed}: {result.failure.kind}: {result.failure}", flush=True)
            if not keep_going:
                break
    for name, count in steps.items():
        print(f"{name}: {count} points")
    if failures:
        one = failures[0]
        print(f"see: python -m tests.simulation --scenario {one.scenario} --seed {one.seed}")
    print(f"{len(failures)} failures; digest {digest.hexdigest()[:32]}")
    return 1 if failures else 0


def show(
    names: Sequence[str], seed: int, planted: Optional[str] = None, *, shrink: bool = False
) -> int:
    """Run one seed, recorded, and print its schedule and the stacks of a failure.

    `planted`: the name of a race to plant in the library first.
    """
    from .races import RACES

    loading.load(patch for race in RACES if race.name == planted for patch in race.patches)
    prepare()
    for name in list(names) or [NAMES[seed % len(NAMES)]]:
        result = run_one(name, scenario(name), seed, record=True)
        if shrink and result.failure is not None:
            from .shrinking import shrunk

            result = shrunk(result)
        print(printing.schedule(result.log))
        print(f"{name} seed {seed}: {result.steps} points, digest {result.digest:x}")
        if result.failure is not None:
            print(f"{result.failure.kind}: {result.failure}")
            print(printing.stacks(result.failure))
            return 1
    return 0
