"""One client in its own process: reads jobs as JSON lines and answers each with its numbers."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from typing import Any, Callable, Dict, Mapping, TextIO

from tests.bench.clients.base import Client
from tests.bench.work import WORK

Work = Mapping[str, Callable[..., Dict[str, float]]]

ACCELERATORS = ("pybase64", "orjson", "wsaccel", "websockets.speedups")


def hide(*names: str) -> None:
    """Make imports of these modules fail in this process, as if they were not installed."""
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]


def build(name: str, cafile: str) -> Client:
    """Return the client of this name.

    Raises
        ImportError: its package is not installed.
    """
    if name == "floor":
        from tests.bench.clients.floor import FloorClient

        return FloorClient(cafile)
    if name == "official":
        from tests.bench.clients.official import OfficialClient

        return OfficialClient(cafile)
    if name == "plain":
        hide(*ACCELERATORS)
    from tests.bench.clients.ours import OurClient

    return OurClient(cafile)


def _serve(client: Any, work: Work, jobs: TextIO, answers: TextIO) -> None:
    for line in jobs:
        job: Dict[str, Any] = json.loads(line)
        _answer(answers, _attempt(client, work, job))


def _attempt(client: Any, work: Work, job: Dict[str, Any]) -> Dict[str, Any]:
    try:
        return {"numbers": work[job["work"]](client, **job["options"])}
    except Exception as exc:  # noqa: BLE001 - one failed row must not cost the others
        traceback.print_exc()
        return {"error": f"{type(exc).__name__}: {exc}"}


def _answer(answers: TextIO, answer: Dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main(build: Callable[[str, str], Any] = build, work: Work = WORK) -> None:
    """Run jobs until stdin closes; ``build`` makes the client of a name, ``work`` are the jobs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--client", required=True)
    parser.add_argument("--cafile", required=True)
    options = parser.parse_args()
    # output printed by a client must not be mistaken for an answer
    answers, sys.stdout = sys.stdout, sys.stderr
    try:
        client = build(options.client, options.cafile)
    except ImportError as exc:
        _answer(answers, {"error": f"cannot import {options.client}: {exc}"})
        return
    _answer(answers, {"ready": True})
    _serve(client, work, sys.stdin, answers)


if __name__ == "__main__":
    main()
