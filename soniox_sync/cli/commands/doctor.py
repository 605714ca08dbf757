"""Find out why it does not work: check key, network and service, and say what to do.

  soniox-sync doctor
  soniox-sync doctor --region eu --json
  soniox-sync --sandbox doctor

Checks the key, region, name look-up, proxy, TLS, clock, HTTP, WebSockets, one second of
transcription and one word of speech. Each check takes at most five seconds, and is skipped if it
depends on one that failed. The key is sent only to the configured service, and never shown. With a
key of the service a run is billed: a second of audio, and two words.

With --json: {"ok": ..., "checks": [...]}. Exit code 0 if all checks passed, otherwise 1.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...config import ConnectionConfig
from ...errors import SonioxError
from ...transcript.words import printable
from ..console import Console, UsageError, is_terminal
from ..doctor.doctor import Doctor
from ..doctor.plan import CHECKS, Result
from ..doctor.setup import Setup
from ..progress import Progress
from ..services import open_sandbox, trace_options

USAGE = ""
HELP = "check key, network and service, and say what to do"

_WIDTH = max(len(check.name) for check in CHECKS)
_INDENT = " " * 4


class ChecksFailed(SonioxError):
    """Failed checks; they have been written to stdout."""

    code = "checks_failed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command: none."""


def run(args: argparse.Namespace, console: Console) -> None:
    """Run the checks, and write each result as soon as it is known."""
    results: list[Result] = []
    with _setup(args) as found, Progress(console) as progress, _doctor(args, found) as doctor:
        if not args.json and is_terminal(console.stdout):
            console.write(_row("check", "result", "time", "detail"))
        for result in doctor.examine(lambda name: progress.set_text(f"checking {name}")):
            results.append(result)
            if not args.json:
                progress.set_text("")
                console.write(_shown(result))
    failed = [result.name for result in results if result.status == "failed"]
    if args.json:
        checks = [result.to_json() for result in results]
        console.write_json(json.dumps({"ok": not failed, "checks": checks}, ensure_ascii=False))
    if failed:
        raise ChecksFailed(f"failed: {', '.join(failed)}")


def _doctor(args: argparse.Namespace, setup: Setup) -> Doctor:
    return Doctor(replace(setup, trace=trace_options(args)))


@contextmanager
def _setup(args: argparse.Namespace) -> Iterator[Setup]:
    """Return what to check; with `--sandbox` start one."""
    if not args.sandbox:
        yield Setup.from_environment(args.region, args.api_key_env)
        return
    if args.region or args.api_key_env:
        raise UsageError("--sandbox needs no key and no region: leave out the other option")
    with open_sandbox(args) as sandbox:
        urls = sandbox.urls
        connection = ConnectionConfig(
            api_url=urls.api, stt_ws_url=urls.stt, tts_api_url=urls.tts_api, tts_ws_url=urls.tts
        )
        yield Setup(sandbox.api_key, "the sandbox", connection, {})


def _shown(result: Result) -> str:
    """Return the lines of one result: the second one, if any, says what to do."""
    is_skipped = result.status == "skipped"
    mark = {"passed": "ok", "failed": "FAILED", "skipped": "skipped"}[result.status]
    took = "-" if is_skipped else f"{result.sec:.2f} s"
    text = _row(result.name, mark, took, printable(result.detail))
    return text + (f"{_INDENT}-> {result.advice}\n" if result.advice else "")


def _row(name: str, mark: str, took: str, detail: str) -> str:
    return f"{name.ljust(_WIDTH)}  {mark.ljust(7)}  {took.rjust(7)}  {detail}".rstrip() + "\n"
