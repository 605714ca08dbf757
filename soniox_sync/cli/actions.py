"""Commands that hold several actions, such as `files list`, and how they write what they found."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from .console import Console, columns, is_terminal

__all__ = ["Actions", "Progress", "run_action", "write_record", "write_records"]

Run = Callable[[argparse.Namespace, Console], None]
_BAR = 24


class Actions:
    """Adds actions to a command's parser; the common options may follow them, too."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(self, name: str, help: str, run: Run) -> argparse.ArgumentParser:
        """Add an action and give its parser."""
        parser = self._actions.add_parser(
            name, help=help, description=help, parents=[_common_options()], allow_abbrev=False
        )
        parser.set_defaults(run_action=run)
        return parser


def _common_options() -> argparse.ArgumentParser:
    # without defaults: they would override what was said before the action
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--sandbox", action="store_true", help=argparse.SUPPRESS)
    common.add_argument("--region", help=argparse.SUPPRESS)
    common.add_argument("--api-key-env", help=argparse.SUPPRESS)
    common.add_argument("--json", action="store_true", help="write results as lines of JSON")
    return common


def run_action(args: argparse.Namespace, console: Console) -> None:
    """Run the action that was asked for."""
    args.run_action(args, console)


def write_records(
    args: argparse.Namespace,
    console: Console,
    records: Iterable[Any],
    fields: Sequence[str],
) -> None:
    """Write records: as lines of JSON, or their `fields` in columns, as many as there are."""
    if args.json:
        for record in records:
            console.write(_as_json(record.raw))
        return
    rows = [[_shown(getattr(record, name)) for name in fields] for record in records]
    for line in _aligned(rows):
        console.write(line + "\n")
    if not rows:
        console.note("there are none")


def write_record(args: argparse.Namespace, console: Console, record: Any) -> None:
    """Write one record: as a line of JSON, or a line for each field that says something."""
    if args.json:
        console.write(_as_json(record.raw))
        return
    facts = {name: _shown(value) for name, value in record.raw.items() if value not in (None, [])}
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        console.write(f"{name.ljust(width)}  {value}\n")


def _as_json(raw: Mapping[str, Any]) -> str:
    return json.dumps(raw, ensure_ascii=False) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(" ", "seconds")).replace("+00:00", "Z")
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_shown(item)}" for name, item in value.items())
    # a name from elsewhere must not write to the terminal what is no text
    return "".join(ch if ch.isprintable() else "?" for ch in str(value))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


class Progress:
    """Draws one line of progress on stderr, where a person watches; elsewhere nothing.

    A context manager; the line is gone afterwards.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._watched = is_terminal(console.stderr)
        self._shown = ""

    def share(self, what: str, done: int, total: int) -> None:
        """Show how much is done."""
        part = done / total if total else 1.0
        full = int(part * _BAR)
        self.say(f"{what} [{'#' * full}{'.' * (_BAR - full)}] {part:4.0%}")

    def say(self, line: str) -> None:
        """Show a line in place of the one before."""
        if not self._watched:
            return
        line = line[: columns(self._console.stderr)]
        if line != self._shown:
            self._console.say_part("\r" + line.ljust(len(self._shown)))
            self._shown = line

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._console.say_part("\r" + " " * len(self._shown) + "\r")
            self._shown = ""
