"""Rounds: every client runs a row's workload once per round, in an order that rotates."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from tests.bench import imports
from tests.bench.fleet import ClientFailure, Fleet
from tests.bench.rows import FLOOR, OFFICIAL, Goal, Row

CLIENTS = ["floor", "official", "plain", "fast"]
_OURS = ("plain", "fast")

Round = Dict[str, Dict[str, float]]  # client -> metric -> value


@dataclass
class Measured:
    """Results of the rounds of one row."""

    row: Row
    rounds: List[Round] = field(default_factory=list)
    failures: Dict[str, str] = field(default_factory=dict)

    def value(self, client: str, metric: str) -> Optional[float]:
        """Return the median over the rounds, None if there is none."""
        return _median([r[client][metric] for r in self.rounds if client in r])

    def ratio(self, client: str, other: str, metric: str) -> Optional[float]:
        """Return the median of the ratios within each round."""
        pairs = self._pairs(client, other, metric)
        return _median([mine / theirs for mine, theirs in pairs if theirs > 0])

    def above(self, client: str, other: str, metric: str) -> Optional[float]:
        """Return the median of the differences within each round."""
        return _median([mine - theirs for mine, theirs in self._pairs(client, other, metric)])

    def met(self, client: str, metric: str, goal: Goal) -> Optional[bool]:
        """Return whether a goal is met, None if it was not measured."""
        if goal.against == OFFICIAL:
            got = self.ratio(client, "official", metric)
        elif goal.against == FLOOR:
            got = self.above(client, "floor", metric)
        else:
            got = self.value(client, metric)
        return None if got is None else got <= goal.limit

    def _pairs(self, client: str, other: str, metric: str) -> List[List[float]]:
        both = [r for r in self.rounds if client in r and other in r]
        return [[r[client][metric], r[other][metric]] for r in both]


def _median(values: List[float]) -> Optional[float]:
    return statistics.median(values) if values else None


def measure(fleet: Fleet, row: Row, rounds: int) -> Measured:
    """Run one row. A client that fails is left out of the remaining rounds."""
    measured = Measured(row)
    clients = [
        name
        for name in CLIENTS
        if name in fleet.workers
        and (row.work != "import" or imports.measurable(name))
        and (name in _OURS or not row.ours)
    ]
    for number in range(min(rounds, row.rounds)):
        turn = number % max(1, len(clients))
        measured.rounds.append({})
        for name in clients[turn:] + clients[:turn]:
            if name not in measured.failures:
                _one(fleet, measured, name)
    return measured


def _one(fleet: Fleet, measured: Measured, name: str) -> None:
    row = measured.row
    try:
        if row.work == "import":
            numbers = imports.measure(name)
        else:
            numbers = fleet.run(name, row.work, _options(fleet, row), row.fresh)
    except ClientFailure as exc:
        measured.failures[name] = str(exc)
    else:
        measured.rounds[-1][name] = numbers


def _options(fleet: Fleet, row: Row) -> Dict[str, Any]:
    options = row.keywords()
    options["url"] = fleet.server.url(row.scheme, row.path())
    if row.work == "close":
        options["polite_url"] = fleet.server.url(row.scheme, "/idle/0/0/0")
    return options
