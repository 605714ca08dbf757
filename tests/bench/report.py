"""The table, as text or as reStructuredText, and the description of the measurement."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from importlib import metadata
from typing import List, Optional, Sequence

from tests.bench.measure import Measured
from tests.bench.rows import FLOOR, OFFICIAL, Goal, Metric

_HEAD = ["work", "ours", "measured", "official", "floor", OFFICIAL, "/ floor", "goal", "met"]
_PACKAGES = ["soniox", "websocket-client", "requests", "pybase64", "orjson", "wsaccel"]
_METHOD = """\
A fake server in its own process on the loopback interface sends frames serialised beforehand;
each client runs in its own process. In every round each client does the same work once, one
client at a time, in an order that rotates. Values are medians over the rounds; ratios are medians
of the ratios of each round. official: the synchronous classes of the soniox package. floor: a
blocking socket, a minimal frame parser, json.loads and binascii in one thread. plain: soniox_sync
without its extras. fast: with the extra "fast". Times per frame are {clock} time, from sending the
text or the first audio to the end of the user's loop. Latency is the monotonic clock in the
loop's body minus the stamp that the server wrote into the frame. An idle connection is the
difference that 50 more of them make, divided by 50. Import is CPU time in a new interpreter
with cached bytecode; the standard library's part is that of importing the same modules alone."""


def lines(measured: Sequence[Measured], clock: str) -> List[List[str]]:
    """Return the rows of the table."""
    table: List[List[str]] = []
    for one in measured:
        for metric in one.row.metrics:
            table += _metric_lines(one, metric, clock)
    return table


def _metric_lines(one: Measured, metric: Metric, clock: str) -> List[List[str]]:
    key = "cpu_us" if metric.key == "us" and clock == "CPU" else metric.key
    label = f"{one.row.label}: {metric.label}" if metric.label else one.row.label
    shared = [_number(one.value(name, key), metric.unit) for name in ("official", "floor")]
    table = []
    for client, goal in (("plain", metric.plain), ("fast", metric.fast)):
        mine = _number(one.value(client, key), metric.unit)
        against = ["", ""]
        if metric.comparable:
            against = [_fraction(one.ratio(client, other, key)) for other in ("official", "floor")]
        if goal is not None and goal.against == FLOOR:
            against[1] = _signed(one.above(client, "floor", key), metric.unit)
        table.append(
            [label, client, mine, *shared, *against, *_goal(one, client, key, goal, metric)]
        )
        label, shared = "", ["", ""]
    return table


def _goal(one: Measured, client: str, key: str, goal: Optional[Goal], metric: Metric) -> List[str]:
    if client in one.failures:
        return [goal.text(metric.unit) if goal else "", "failed"]
    if goal is None:
        return ["", ""]
    met = one.met(client, key, goal)
    return [goal.text(metric.unit), "-" if met is None else "yes" if met else "NO"]


def _number(value: Optional[float], unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if abs(value) >= 1_000 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()


def _fraction(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:.2f}"


def _signed(value: Optional[float], unit: str) -> str:
    return "-" if value is None else f"{value:+.0f} {unit}"


def as_text(table: Sequence[Sequence[str]]) -> str:
    """Return the table with a rule below its header."""
    return grid(_HEAD, table, rule="-", framed=False)


def as_rst(table: Sequence[Sequence[str]]) -> str:
    """Return the table as an RST simple table."""
    # an empty first cell would continue the row above it, and "-" would begin a list
    safe = [[cell or "\\" for cell in line] for line in table]
    return grid(
        _HEAD, [[r"\-" if c == "-" else c for c in line] for line in safe], "=", framed=True
    )


def grid(head: Sequence[str], table: Sequence[Sequence[str]], rule: str, framed: bool) -> str:
    """Return a table in columns, with a rule below its header, or around all of it."""
    widths = [max(len(line[i]) for line in [head, *table]) for i in range(len(head))]
    bar = "  ".join(rule * width for width in widths)
    body = [_padded(line, widths) for line in table]
    top = _padded(head, widths)
    return "\n".join([bar, top, bar, *body, bar] if framed else [top, bar, *body])


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()


def method(clock: str) -> str:
    """Return the description of the measurement."""
    return _METHOD.format(clock=clock)


def machine(rounds: int) -> str:
    """Return the machine, the interpreter and the packages."""
    found = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{python}, {os.cpu_count()} cores ({platform.machine()}), {platform.system()}, "
        f"{ssl.OPENSSL_VERSION}; load before the run {load}; {rounds} rounds.\n{', '.join(found)}."
    )


def _version(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def notes(measured: Sequence[Measured], missing: Sequence[str]) -> List[str]:
    """Return notes on missing clients and failed rows."""
    failed = [f"{m.row.key}: {name}: {why}" for m in measured for name, why in m.failures.items()]
    return [*missing, *failed]


def progress(text: str) -> None:
    """Show the current row on stderr, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
