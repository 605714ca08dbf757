"""Command line of the benchmark."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import List, Optional, Tuple

import certifi
import trustme

from tests.bench import charts, memory, ratios, report, rows
from tests.bench.capacity import cli as capacity
from tests.bench.conversation import cli as conversation
from tests.bench.fleet import Fleet
from tests.bench.measure import CLIENTS, Measured, measure

_OTHERS = {
    "capacity": capacity.main,
    "conversation": conversation.main,
    "memory": memory.main,
}
_ROUNDS, _QUICK_ROUNDS = 15, 3


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure the selected rows and print the table; or do what the first word names."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in _OTHERS:
        return _OTHERS[words[0]](words[1:])
    options = _options(arguments)
    if options.charts:
        charts.write()
        return 0
    if not sys.platform.startswith("linux"):
        print("the benchmark runs on Linux only: it needs /proc and a clock shared by processes")
        return 2
    chosen = rows.choose(options.rows.split(",") if options.rows else [], options.tls)
    if options.quick:
        chosen = [rows.quick(row) for row in chosen]
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    machine = report.machine(rounds)
    before = ratios.load(ratios.path_of(options.compare)) if options.compare else None
    measured, missing = _measure(chosen, rounds)
    _print(measured, missing, machine, options)
    found = ratios.of_rows(measured, options.clock)
    ratios.finish(options, before, found, machine)
    if options.save is not None and ratios.path_of(options.save) == charts.newest():
        charts.write()
    return 0


def _options(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure soniox_sync against the official SDK and a raw-socket floor.",
    )
    parser.add_argument("--rounds", type=int, help=f"rounds at most (default: {_ROUNDS})")
    parser.add_argument(
        "--rows", help="keys of rows, or their first words, by commas: tts-ws,tts,idle"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and frames")
    parser.add_argument("--tls", action="store_true", help="plain-socket rows over wss as well")
    parser.add_argument("--rst", action="store_true", help="print the table as reStructuredText")
    parser.add_argument(
        "--clock",
        choices=["wall", "CPU"],
        default="wall",
        help="CPU: measure frames in CPU time, for a busy machine (default: %(default)s)",
    )
    parser.add_argument(
        "--charts",
        action="store_true",
        help="measure nothing; draw the charts of docs/performance.rst from the newest file",
    )
    ratios.add_options(parser)
    return parser.parse_args(arguments)


def _measure(chosen: List[rows.Row], rounds: int) -> Tuple[List[Measured], List[str]]:
    with tempfile.TemporaryDirectory() as folder:
        certificate, cafile = _certificate(Path(folder))
        with Fleet(CLIENTS, certificate, cafile) as fleet:
            measured = []
            for row in chosen:
                report.progress(row.label)
                measured.append(measure(fleet, row, rounds))
            report.progress("")
            return measured, list(fleet.missing.values())


def _certificate(folder: Path) -> Tuple[str, str]:
    """Create a server certificate, and the bundle of authorities that every client gets.

    The bundle is the public one with ours added, so that loading it takes as long as for a user.
    """
    authority = trustme.CA()
    certificate, bundle = folder / "server.pem", folder / "authorities.pem"
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
        os.fspath(certificate)
    )
    public = Path(certifi.where()).read_bytes()
    bundle.write_bytes(public + b"\n" + authority.cert_pem.bytes())
    return os.fspath(certificate), os.fspath(bundle)


def _print(
    measured: List[Measured], missing: List[str], machine: str, options: argparse.Namespace
) -> None:
    table = report.lines(measured, options.clock)
    print(report.as_rst(table) if options.rst else report.as_text(table))
    print(f"\n{machine}\n\n{report.method(options.clock)}")
    for note in report.notes(measured, missing):
        print(f"\n! {note}")
