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

from tests.bench import report, rows
from tests.bench.fleet import Fleet
from tests.bench.measure import CLIENTS, Measured, measure

_ROUNDS, _QUICK_ROUNDS = 15, 3


def main(arguments: Optional[List[str]] = None) -> int:
    """Measure what the command line asks for and print it."""
    options = _options(arguments)
    if not sys.platform.startswith("linux"):
        print("the benchmark reads /proc and needs a clock shared by processes: Linux only")
        return 2
    chosen = rows.choose(options.rows.split(",") if options.rows else [], options.tls)
    if options.quick:
        chosen = [rows.quick(row) for row in chosen]
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    machine = report.machine(rounds)
    measured, missing = _measure(chosen, rounds)
    _print(measured, missing, machine, options)
    return 0


def _options(arguments: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rounds", type=int, help=f"at most; default {_ROUNDS}")
    parser.add_argument("--rows", help="keys or their first words, by commas: tts-ws, tts, idle")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer frames")
    parser.add_argument("--tls", action="store_true", help="plain-socket rows over wss as well")
    parser.add_argument("--rst", action="store_true", help="print an RST table")
    parser.add_argument(
        "--clock",
        choices=["wall", "CPU"],
        default="wall",
        help="CPU: time frames by the process's CPU seconds; kinder on a busy machine",
    )
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
    """Make a server certificate, and the bundle of authorities every client is given.

    The bundle is the public one with ours added, so that loading it costs what it costs a user.
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
