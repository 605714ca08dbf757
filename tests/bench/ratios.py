"""What a release measured, kept in a file, and what has become slower since.

A file holds, for each measured number, the quartiles of its rounds: of the ratio to the official
SDK in the same round where there is one, else to the floor, else of the number itself (threads,
bytes). A number has become slower if its lower quartile is above the upper quartile of the file,
and its median by at least 5 % above the file's. Ratios hold on another machine, within limits;
compare runs of one machine where you can.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from soniox_sync import __version__
from tests.bench.measure import Measured
from tests.bench.rows import Metric

FOLDER = Path(__file__).parent / "ratios"
_OURS = ("plain", "fast")
# rows of one round have no spread, and nothing is so exact
_LEAST = 1.05


class Spread(NamedTuple):
    """Lower quartile, median and upper quartile of the rounds."""

    low: float
    median: float
    high: float


class Change(NamedTuple):
    """One number that has become slower."""

    name: str
    before: Spread
    after: Spread

    def __str__(self) -> str:
        return (
            f"{self.name}: {_number(self.after.median)} ({_number(self.after.low)} to "
            f"{_number(self.after.high)}), was {_number(self.before.median)} "
            f"({_number(self.before.low)} to {_number(self.before.high)})"
        )


def spread(values: Sequence[float]) -> Spread:
    """Return the quartiles of at least one value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high)


def of_rows(measured: Sequence[Measured], clock: str) -> Dict[str, Spread]:
    """Return the spread of each number of this library, by its name."""
    found = {}
    for one in measured:
        for metric in one.row.metrics:
            for client in _OURS:
                key = "cpu_us" if metric.key == "us" and clock == "CPU" else metric.key
                against, values = _against(one, metric, client, key)
                if values:
                    name = f"{one.row.key} {key} {client}{against}"
                    found[name] = spread(values)
    return found


def _against(one: Measured, metric: Metric, client: str, key: str) -> tuple[str, List[float]]:
    for other in ("official", "floor") if metric.comparable else ():
        pairs = [
            (each[client][key], each[other][key])
            for each in one.rounds
            if {client, other} <= each.keys()
        ]
        ratios = [mine / theirs for mine, theirs in pairs if theirs > 0]
        if ratios:
            return f" / {other}", ratios
    return "", [each[client][key] for each in one.rounds if client in each]


def slower(before: Mapping[str, Spread], after: Mapping[str, Spread]) -> List[Change]:
    """Return what became slower by more than the noise of both runs, the worst first."""
    changes = [
        Change(name, before[name], now)
        for name, now in after.items()
        if name in before
        and now.low > before[name].high
        and now.median >= before[name].median * _LEAST
    ]
    return sorted(changes, key=_factor, reverse=True)


def _factor(change: Change) -> float:
    was = change.before.median
    return change.after.median / was if was > 0 else float("inf")


def save(path: Path, found: Mapping[str, Spread], about: str) -> None:
    """Write the numbers; those of the file that were not measured now stay in it."""
    numbers = {**(load(path) if path.exists() else {}), **found}
    content = {
        "version": __version__,
        "about": about.splitlines(),
        "numbers": {name: [round(each, 4) for each in numbers[name]] for name in sorted(numbers)},
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(_text(content), encoding="utf-8")


def _text(content: Dict[str, Any]) -> str:
    """Return JSON with one number a line, so that a change shows as one line."""
    numbers = content.pop("numbers")
    lines = [f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in numbers.items()]
    head = json.dumps(content, indent=1)[:-2]
    return f'{head},\n "numbers": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def load(path: Path) -> Dict[str, Spread]:
    """Return the numbers of a file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return {name: Spread(*values) for name, values in content["numbers"].items()}


def path_of(given: str) -> Path:
    """Return the file of a release by its version, or the file at a path."""
    if given.endswith(".json") or "/" in given:
        return Path(given)
    return FOLDER / f"{given}.json"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to save and to compare."""
    parser.add_argument(
        "--save",
        nargs="?",
        const=__version__,
        metavar="FILE",
        help="keep the numbers in a file, by default that of this version",
    )
    parser.add_argument(
        "--compare",
        metavar="FILE",
        help="print what became slower than in this file, or in that of this version",
    )


def finish(
    options: argparse.Namespace,
    before: Optional[Mapping[str, Spread]],
    found: Mapping[str, Spread],
    about: str,
) -> None:
    """Compare with what was loaded before the run, and save, as the options say."""
    if before is not None:
        print("\n" + "\n".join(compared(options.compare, before, found)))
    if options.save is not None:
        save(path_of(options.save), found, about)


def compared(name: str, before: Mapping[str, Spread], after: Mapping[str, Spread]) -> List[str]:
    """Return the lines that say what became slower than ``name``."""
    common = before.keys() & after.keys()
    changes = slower(before, after)
    lines = [f"{len(common)} numbers compared with {name}, {len(changes)} slower beyond the noise"]
    lines += [f"slower: {change}" for change in changes]
    if len(common) < len(after):
        lines.append(f"{len(after) - len(common)} numbers are not in {name}")
    return lines


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
