"""`python -m tests.autobahn`: run the Autobahn test suite, and compare with the kept results.

It needs CPython 2.7 with pip, because the suite runs on nothing newer, and an index to install it
from; both are used in a folder of their own. `--update` writes the results anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.autobahn.results import GOLDEN, differences, kept, unexplained, write

_SUITE = "autobahntestsuite==25.10.1"
# the last that make environments for 2.7
_VIRTUALENV = "virtualenv<20.22"
_START_SEC = 60


def _prepare(python: str, folder: Path) -> Path:
    """Install the suite into a folder, once; return its program."""
    program = folder / "venv" / "bin" / "wstest"
    if not program.exists():
        tools = folder / "tools"
        run = {"check": True, "env": {**os.environ, "PYTHONPATH": str(tools)}}
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--target", tools, _VIRTUALENV], **run
        )  # type: ignore[call-overload]
        subprocess.run([python, "-m", "virtualenv", "-q", folder / "venv"], **run)  # type: ignore[call-overload]
        environment = {**os.environ, "PYTHONPATH": ""}
        command = [folder / "venv" / "bin" / "pip", "install", "-q", _SUITE]
        subprocess.run(command, check=True, env=environment)
    return program


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SEC
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the fuzzing server did not start")


def _run(program: Path, folder: Path, cases: list[str]) -> dict[str, Any]:
    """Run the cases twice, plain and with the extra `fast`; return what the suite says."""
    reports, port = folder / "reports", _free_port()
    shutil.rmtree(reports, ignore_errors=True)
    url = f"ws://127.0.0.1:{port}"
    spec = {"url": url, "outdir": str(reports), "cases": cases, "exclude-cases": []}
    path = folder / "spec.json"
    path.write_text(json.dumps({**spec, "exclude-agent-cases": {}}), encoding="utf-8")
    command = [program, "--mode", "fuzzingserver", "--spec", path, "--webport", "0"]
    with open(folder / "server.log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, server)
        client = [sys.executable, "-m", "tests.autobahn.client", url]
        subprocess.run([*client, "plain", "--plain"], check=True)
        subprocess.run([*client, "fast"], check=True)
    finally:
        server.terminate()
        server.wait()
    found: dict[str, Any] = json.loads((reports / "index.json").read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Run, compare or write; return 1 for results that are not the kept ones, or not explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.autobahn", description=__doc__)
    parser.add_argument("--python2", default="python2.7", help="CPython 2.7 with pip")
    parser.add_argument("--folder", type=Path, default=Path("build/autobahn"))
    parser.add_argument("--case", action="append", help="as 6.* (default: all, and compare)")
    parser.add_argument("--update", action="store_true", help=f"write {GOLDEN.name}")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    index = _run(_prepare(given.python2, folder), folder, given.case or ["*"])
    if given.update:
        write(index)
    wrong = unexplained(index) if given.case else [*unexplained(index), *differences(index, kept())]
    count = len(next(iter(index.values())))
    print("\n".join(wrong) or f"{count} cases twice: {'explained' if given.case else 'as kept'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
