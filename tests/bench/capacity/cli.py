"""Command line and table of the capacity benchmark."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Dict, List, Optional, Sequence, Tuple

from tests.bench import ratios, report
from tests.bench.capacity.cases import (
    CASES,
    CLIENTS,
    GOALS,
    OURS,
    SIZES,
    Case,
    Goal,
    Key,
    Numbers,
    Round,
    case,
    keys,
)
from tests.bench.fleet import Child, ClientFailure, Worker
from tests.bench.usage import cpu_sec

_MODULE = "tests.bench.capacity.worker"
_HEAD = (
    *("work", "N", "client", "CPU/event", "spread", "/ official", "/ asyncio", "/ bare"),
    *("p50", "p99", "first p50", "first p99", "threads", "RSS", "cores"),
)
_METHOD = """\
N consumers in one process, each client in a process of its own, one after another in an order
that rotates from round to round; a fake server with one thread in another process sends prepared
frames. A session or recording sends 3,840 B every 120 ms and gets a result of 20 tokens for each;
a speech is 2 s of audio in frames of 9,600 B, one every 200 ms, again and again, with connecting
where it has a connection of its own. CPU/event: user and system time of the process for one
result or frame, of which a second of speech has five ({seconds:g} s, after {warm:g} s); spread:
the lowest and the highest round. A difference within the spread is none. Ratios are medians of
the rounds' ratios: to the official SDK's synchronous and asynchronous classes with the same N,
and to the bare call (stt() for transcribe() and a trace, tts() for speak() and a pool). p50, p99:
from the server's send to the user's loop; first: from the call to the first audio. A CPU-bound
neighbour's own time is not counted. floor: blocking sockets without any checks, orjson if
installed, a thread that sends and one that reads and consumes for each session; hand-off: a third
one that reads; objects: the same with an object for each token. A floor keeps no transcript, no
timers and no state."""


def main(arguments: List[str]) -> int:
    """Measure, and print the table and the goals."""
    options = _options(arguments)
    if not sys.platform.startswith("linux"):
        print("the benchmark runs on Linux only: it needs /proc and a clock shared by processes")
        return 2
    machine = report.machine(options.rounds)
    before = ratios.load(ratios.path_of(options.compare)) if options.compare else None
    bench = Bench(options.warm, options.seconds, options.repetitions)
    rounds = bench.run(options.cases, options.clients, options.sizes, options.rounds)
    print(report.grid(_HEAD, _lines(rounds, options), rule="-", framed=False))
    print(f"\n{machine}\n\n{_METHOD.format(seconds=options.seconds, warm=options.warm)}\n")
    print(f"The server took at most {bench.server_cores:.2f} of a core.")
    for line in (*_goals(rounds), *bench.notes()):
        print(line)
    ratios.finish(options, before, _spreads(rounds), machine)
    return 0


def _options(arguments: List[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench capacity",
        description="Measure what N live sessions, recordings, speeches and streams cost.",
    )
    names = ",".join(each.name for each in CASES)
    parser.add_argument("--cases", default=names, help="default: %(default)s")
    parser.add_argument("--clients", default=",".join(CLIENTS), help="default: %(default)s")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument("--warm", type=float, default=3.0, help="seconds before; %(default)s")
    parser.add_argument(
        "--repetitions",
        type=int,
        default=1,
        help="of each load in one process, to print how much its memory grows; %(default)s",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round of 2 s after 1 s, with 1 and 20"
    )
    ratios.add_options(parser)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds, options.warm, options.sizes = 1, 2.0, 1.0, "1,20"
    options.sizes = [int(size) for size in options.sizes.split(",")]
    options.clients = options.clients.split(",")
    wanted = options.cases.split(",")
    unknown = {*wanted} - {each.name for each in CASES} | {*options.clients} - {*CLIENTS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    options.cases = [each for each in CASES if each.name in wanted]
    return options


class Bench:
    """The server, and a new process for each measurement."""

    def __init__(self, warm_sec: float, seconds: float, repetitions: int) -> None:
        self._timing = {"warm_sec": warm_sec, "seconds": seconds, "repetitions": repetitions}
        self.server_cores = 0.0  # the most that a measurement took
        self._missing: Dict[str, str] = {}
        self._failures: Dict[Key, str] = {}
        self._left: Dict[Key, str] = {}

    def run(
        self, cases: Sequence[Case], clients: Sequence[str], sizes: Sequence[int], rounds: int
    ) -> List[Round]:
        """Measure everything once in each round."""
        measured: List[Round] = [{} for _ in range(rounds)]
        server = Child("tests.bench.capacity.server")
        try:
            port = int(server.read()["port"])
            for size in sizes:
                wanted = keys(cases, clients, size)
                for number, found in enumerate(measured):
                    turn = number % max(1, len(wanted))
                    for key in wanted[turn:] + wanted[:turn]:
                        report.progress(f"round {number + 1}: {key[1]} {key[0]}, N={size}")
                        self._one(server.pid, port, key, found)
        finally:
            report.progress("")
            server.close()
        return measured

    def _one(self, server: int, port: int, key: Key, found: Round) -> None:
        name, client, size = key
        if client in self._missing or key in self._failures:
            return
        load = case(name)
        path = (
            "/live/0/0/120000" if load.load in ("stt", "transcribe") else "/speech/10/9600/200000"
        )
        options = {
            "load": load.load,
            "url": f"ws://127.0.0.1:{port}{path}",
            "count": size,
            "busy": load.busy,
            "traced": load.traced,
            **self._timing,
        }
        try:
            worker = Worker(client, "", _MODULE)
        except ClientFailure as exc:
            self._missing[client] = str(exc)
            return
        cpu, wall = cpu_sec(server), time.monotonic()
        try:
            numbers = found[key] = worker.run("capacity", options)
        except ClientFailure as exc:
            self._failures[key] = str(exc)
            return
        finally:
            worker.close()
        took = time.monotonic() - wall
        self.server_cores = max(self.server_cores, (cpu_sec(server) - cpu) / took)
        said = []
        if self._timing["repetitions"] > 1:
            said.append(f"memory grew by {numbers['grown_mb']:.1f} MB")
        for what in ("threads", "descriptors"):
            if numbers[f"{what}_left"] > 0:
                said.append(f"left {numbers[f'{what}_left']:g} {what}")
        if said:
            self._left[key] = ", ".join(said)

    def notes(self) -> List[str]:
        """Return what was not measured, and what was left behind."""
        notes = [f"! skipped: {why}" for why in self._missing.values()]
        for key, text in (*self._failures.items(), *self._left.items()):
            notes.append(f"! {key[1]} {key[0]}, N={key[2]}: {text}")
        return notes


def _lines(rounds: Sequence[Round], options: argparse.Namespace) -> List[List[str]]:
    table = []
    for load in options.cases:
        for client in options.clients:
            for size in options.sizes:
                values = _values(rounds, (load.name, client, size))
                if values:
                    table.append(_line(rounds, load, client, size, values))
    return table


def _line(
    rounds: Sequence[Round], load: Case, client: str, size: int, values: Sequence[Numbers]
) -> List[str]:
    def median(metric: str, form: str) -> str:
        found = [each[metric] for each in values if metric in each]
        return form % statistics.median(found) if found else ""

    def ratio(against: str) -> str:
        found = compared(rounds, (load.name, client, size), against)
        return "" if found is None else f"{found:.2f}"

    costs = [each["cpu_us"] for each in values]
    return [
        *(load.label, str(size), client, median("cpu_us", "%.0f us")),
        f"{min(costs):.0f}..{max(costs):.0f}" if len(costs) > 1 else "",
        *(ratio("official"), ratio("asyncio"), ratio("bare")),
        *(median("p50_ms", "%.2f ms"), median("p99_ms", "%.1f ms")),
        *(median("first_p50_ms", "%.1f ms"), median("first_p99_ms", "%.1f ms")),
        *(median("threads", "%d"), median("rss_mb", "%.0f MB"), median("cores", "%.2f")),
    ]


def _values(rounds: Sequence[Round], key: Key) -> List[Numbers]:
    return [found[key] for found in rounds if key in found]


def compared(rounds: Sequence[Round], key: Key, against: str) -> Optional[float]:
    """Return the median of the rounds' ratios of CPU time, `None` if there is nothing to compare.

    ``against``: ``official``, ``asyncio``, or ``bare`` for the bare call of the same client.
    """
    found = _ratios(rounds, key, against)
    return statistics.median(found) if found else None


def _ratios(rounds: Sequence[Round], key: Key, against: str) -> List[float]:
    other = _other(key, against)
    if other is None:
        return []
    pairs = [(found[key], found[other]) for found in rounds if key in found and other in found]
    return [mine["cpu_us"] / theirs["cpu_us"] for mine, theirs in pairs]


def _other(key: Key, against: str) -> Optional[Key]:
    load, client, size = case(key[0]), key[1], key[2]
    if against == "bare":
        return None if load.bare is None else (load.bare, client, size)
    if load.theirs is None or client == against:
        return None
    return load.theirs, against, size


def _spreads(rounds: Sequence[Round]) -> Dict[str, ratios.Spread]:
    """Return the spread of each ratio of this library, and of what has none, by its name."""
    found = {}
    for key in sorted({key for each in rounds for key in each if key[1] in OURS}):
        name = f"capacity {key[0]} N={key[2]} {key[1]}"
        for against in ("official", "asyncio", "bare"):
            values = _ratios(rounds, key, against)
            if values:
                found[f"{name} cpu_us / {against}"] = ratios.spread(values)
        for metric in ("threads", "rss_mb"):
            found[f"{name} {metric}"] = ratios.spread(
                [each[metric] for each in _values(rounds, key)]
            )
    return found


def _goals(rounds: Sequence[Round]) -> List[str]:
    found: List[Tuple[Goal, float]] = []
    for goal in GOALS:
        key = goal.case, goal.client, goal.size
        if goal.against:
            value = compared(rounds, key, goal.against)
        else:
            values = [each[goal.metric] for each in _values(rounds, key)]
            value = statistics.median(values) if values else None
        if value is not None:
            found.append((goal, value))
    return [
        f"goal: {goal.client} {goal.case}, N={goal.size}, "
        f"{'CPU / ' + goal.against if goal.against else goal.metric} <= {goal.limit:g}: "
        f"{value:.2f}, {'met' if value <= goal.limit else 'MISSED'}"
        for goal, value in found
    ]
