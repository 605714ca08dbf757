"""Measures the cost of a token for a `Transcript`, at the start and after 100,000 tokens.

Run as ``python -m tests.bench.transcript [--tokens N] [--rounds N]``. Each round creates a new
transcript, adds ``--tokens`` results of one final and two partial tokens, as in a live session, and
times the first 2000 and the last 2000 of them, so that both sides of a ratio are measured within a
second or two by the same process. A value is the median over the rounds, a ratio the median of the
rounds' ratios. The same is done for segments and for live captions. The garbage collector is off
during the measurement: its cost depends on the rest of the program.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from soniox_sync.protocol.tokens import Result, Token
from soniox_sync.transcript import CaptionBuffer, SegmentBuffer, Transcript

# results timed at either end: many sentences, so that both ends are the same work
SAMPLE = 2000
_SENTENCE = (" The", " fer", "ry", " leaves", " at", " nine", ",", " please", " be", " there", ".")


class Row(NamedTuple):
    """Cost of one kind of `add`, in microseconds, and the ratio of last to first."""

    name: str
    first_us: float
    last_us: float
    ratio: float


def results(count: int) -> list[Result]:
    """Return results as in a session: one final token and two partial ones."""
    made = []
    for number in range(count):
        sentence, at = divmod(number, len(_SENTENCE))
        start = number * 200
        speaker = str(1 + sentence % 2)
        final = Token(_SENTENCE[at], start, start + 200, 0.9, True, speaker, "en")
        partial = [Token(" and", start + 200, start + 400), Token(" so", start + 400, start + 600)]
        made.append(Result([final, *partial], final_audio_proc_ms=start + 200))
    return made


def timed(add: Callable[[Result], Any], given: list[Result]) -> tuple[float, float]:
    """Add all results; return the seconds that the first and the last `SAMPLE` of them took."""
    gc.collect()
    gc.disable()
    try:
        first = _seconds(add, given[:SAMPLE])
        _seconds(add, given[SAMPLE:-SAMPLE])
        return first, _seconds(add, given[-SAMPLE:])
    finally:
        gc.enable()


def _seconds(add: Callable[[Result], Any], given: list[Result]) -> float:
    began = time.perf_counter()
    for each in given:
        add(each)
    return time.perf_counter() - began


def measure(name: str, make: Callable[[], Any], given: list[Result], rounds: int) -> Row:
    """Measure one kind of `add` in this many rounds, after one that is not counted."""
    timed(make().add, given[: 3 * SAMPLE])
    pairs = [timed(make().add, given) for _ in range(rounds)]
    first, last = (statistics.median(times) / SAMPLE * 1e6 for times in zip(*pairs))
    ratio = statistics.median([end / beginning for beginning, end in pairs])
    return Row(name, first, last, ratio)


def main() -> int:
    """Measure and print one row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tokens", type=int, default=100_000, help="final tokens (default: 100000)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds (default: 7)")
    options = parser.parse_args()
    if options.tokens < 4 * SAMPLE or options.rounds < 1:
        parser.error(f"needs at least {4 * SAMPLE} tokens and 1 round")
    given = results(options.tokens)
    print(
        f"{'add() of one result':24}{'at the first':>14}{f'at {options.tokens:,}':>14}{'ratio':>8}"
    )
    kinds = {"Transcript": Transcript, "SegmentBuffer": SegmentBuffer, "captions": CaptionBuffer}
    for name, make in kinds.items():
        row = measure(name, make, given, options.rounds)
        print(f"{row.name:24}{row.first_us:>11.2f} us{row.last_us:>11.2f} us{row.ratio:>8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
