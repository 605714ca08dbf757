"""How a seed becomes a schedule: a random walk, priorities with change points, or a given list."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Optional


class Strategy:
    """Chooses who runs next."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed * 2)

    def admit(self, task: Any) -> None:
        """Take note of a new thread."""

    def demote(self, task: Any) -> None:
        """Put a thread behind the others: it has run for long enough."""

    def choose(self, ready: list[Any], me: Optional[Any], step: int) -> Any:
        """Return one of `ready`, which are at least two; `me` runs now, if it can go on."""
        raise NotImplementedError


class RandomWalk(Strategy):
    """Stays with one thread for a while, then takes any. Finds races that need many switches."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._stay = self.rng.choice((0.0, 0.3, 0.6, 0.85, 0.95))

    def choose(self, ready: list[Any], me: Optional[Any], step: int) -> Any:
        random_ = self.rng.random
        if me is not None and random_() < self._stay:
            return me
        return ready[int(random_() * len(ready))]


class Priorities(Strategy):
    """Probabilistic concurrency testing: the highest priority runs, and drops at a few points.

    A race that needs `d` switches at the right points is found with a probability that does not
    shrink with the number of threads (Burckhardt et al., 2010).
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        length = self.rng.choice((100, 300, 800, 2000))
        changes = self.rng.randint(1, 8)
        self._changes = {int(self.rng.random() * length) for _ in range(changes)}
        self._lowest = 0.0

    def admit(self, task: Any) -> None:
        task.priority = self.rng.random()

    def demote(self, task: Any) -> None:
        self._lowest -= 1.0
        task.priority = self._lowest

    def choose(self, ready: list[Any], me: Optional[Any], step: int) -> Any:
        if step in self._changes:
            self.demote(me if me is not None else max(ready, key=_priority))
        return max(ready, key=_priority)


def _priority(task: Any) -> float:
    return float(task.priority)


class Scripted(Strategy):
    """Follows recorded switches; otherwise goes on with who runs, or the one that waits longest."""

    def __init__(self, seed: int, switches: Iterable[tuple[int, int]]) -> None:
        super().__init__(seed)
        self._switches = dict(switches)
        self._demoted: set[int] = set()

    def choose(self, ready: list[Any], me: Optional[Any], step: int) -> Any:
        wanted = self._switches.get(step)
        for task in ready if wanted is not None else ():
            if task.index == wanted:
                return task
        return me if me is not None else ready[0]


def strategy_for(seed: int) -> Strategy:
    """Return the strategy of a seed: half of them walk, half have priorities."""
    return Priorities(seed) if seed % 2 else RandomWalk(seed)
