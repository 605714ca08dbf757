"""Command line and table of the conversation benchmark."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import threading
import time
from typing import Any, List

from soniox_sync.conversation.turns import quantile
from tests.bench.conversation.meter import Feeder, Meter, converse, summary
from tests.bench.conversation.server import SPACING_MS

_METHOD = """\
N conversations in this process, with a sandbox in a process of its own: in each a question every
2 s, not all at the same time, an instant reply, an answer that the next question interrupts.
Answer: from the endpoint's frame to the first audio at the sink, without what the voice's service
took from text to audio (the part next to it). Cut: from the frame with the interrupting word to
`clear()` of the sink. Milliseconds, p50 and p95 over all turns. Threads and CPU (cores) are those
of this process. On a machine with other work, both processes need priority: chrt -f 10."""
_GOAL_ANSWER_MS, _GOAL_CUT_MS = 30.0, 40.0  # one frame of 20 ms, and 20 ms
_WARM_SEC = 3.0


def main(arguments: List[str]) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench conversation")
    parser.add_argument("--sizes", default="1,10,50", help="conversations at a time, by commas")
    parser.add_argument("--sec", type=float, default=30.0, help="seconds for each size")
    options = parser.parse_args(arguments)
    print(f"{'N':>4} {'turns':>6} {'answer p50':>11} {'p95':>7} {'part p50':>9} {'p95':>7}", end="")
    print(f" {'cuts':>6} {'cut p50':>8} {'p95':>7} {'threads':>8} {'cores':>6}")
    for size in map(int, options.sizes.split(",")):
        print(_row(size, options.sec), flush=True)
    print(f"\ngoals: answer p95 <= {_GOAL_ANSWER_MS:g} ms, cut p95 <= {_GOAL_CUT_MS:g} ms")
    print(f"\n{_METHOD}")
    return 0


def _row(size: int, sec: float) -> str:
    command = [sys.executable, "-m", "tests.bench.conversation.server", str(sec + 60)]
    pipe: Any = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as server:
        assert server.stdout is not None and server.stdin is not None
        urls = json.loads(server.stdout.readline())
        meters = [Meter() for _ in range(size)]
        feeder = Feeder(size, SPACING_MS / 1000)
        talks = []
        for meter in meters:
            talks.append(converse(urls, feeder, meter))
        feeder.start()
        time.sleep(_WARM_SEC)
        used, began = _cpu_sec(), time.monotonic()
        time.sleep(sec)
        cores = (_cpu_sec() - used) / (time.monotonic() - began)
        threads = threading.active_count()
        feeder.stop()
        for talk in talks:
            talk.close()
        server.stdin.close()
    answers, parts, cuts = (summary(meters, name) for name in ("answers", "parts", "cuts"))
    return (
        f"{size:>4} {len(answers):>6} {_at(answers, 0.5):>11} {_at(answers, 0.95):>7}"
        f" {_at(parts, 0.5):>9} {_at(parts, 0.95):>7} {len(cuts):>6} {_at(cuts, 0.5):>8}"
        f" {_at(cuts, 0.95):>7} {threads:>8} {cores:>6.2f}"
    )


def _at(values: List[float], share: float) -> str:
    found = quantile(values, share)
    return "-" if found is None else f"{found:.1f}"


def _cpu_sec() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
