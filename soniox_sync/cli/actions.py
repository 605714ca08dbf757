"""Commands that hold several actions, such as `files list`, and how they write what they found."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from ..transcript.text import text_width, wrap
from ..transcript.words import printable
from .console import Console, OutputClosed, OutputFailed, columns, is_terminal, write_text
from .options import common_options

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
            name, help=help, description=help, parents=[common_options(2)], allow_abbrev=False
        )
        parser.set_defaults(run_action=run)
        return parser


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
            console.write_json(_as_json(record.raw))
        return
    rows = [[_shown(getattr(record, name)) for name in fields] for record in records]
    for line in _aligned(rows):
        console.write(line + "\n")
    if not rows:
        console.note("there are none")


def write_record(args: argparse.Namespace, console: Console, record: Any) -> None:
    """Write one record: as a line of JSON, or a line for each field that says something."""
    if args.json:
        console.write_json(_as_json(record.raw))
        return
    facts = {name: _shown(value) for name, value in record.raw.items() if value not in (None, [])}
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        console.write(f"{name.ljust(width)}  {value}\n")


def _as_json(raw: Mapping[str, Any]) -> str:
    return json.dumps(raw, ensure_ascii=False)


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
    widths = [max(map(text_width, column)) for column in zip(*rows)]
    for row in rows:
        cells = [cell + " " * (width - text_width(cell)) for cell, width in zip(row, widths)]
        yield "  ".join(cells).rstrip()


class Progress:
    """Draws one line of progress on stderr, where a person watches; elsewhere nothing.

    A context manager; the line is gone afterwards. What is said meanwhile stands above it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._watched = is_terminal(console.stderr)
        # Under the console's terminal lock
        self._line = ""
        self._drawn = ""

    def share(self, what: str, done: int, total: int) -> None:
        """Show how much is done."""
        part = done / total if total else 1.0
        full = int(part * _BAR)
        self.say(f"{what} [{'#' * full}{'.' * (_BAR - full)}] {part:4.0%}")

    def say(self, line: str) -> None:
        """Show a line in place of the one before."""
        with self._console.terminal:
            self._line = " ".join(printable(line).split())
            self.show()

    def show(self) -> None:
        """Draw the line, as much of it as fits."""
        line = wrap([self._line], columns(self._console.stderr))[:1] if self._watched else []
        self._draw("".join(line))

    def hide(self) -> None:
        """Erase the line until `show`."""
        self._draw("")

    def _draw(self, line: str) -> None:
        if line == self._drawn:
            return
        blank = "\r" + " " * text_width(self._drawn) + "\r" if self._drawn else ""
        self._drawn = line
        try:
            write_text(self._console.stderr, blank + line)
        except (OutputClosed, OutputFailed):
            self._watched = False

    def __enter__(self) -> Progress:
        self._console.attach(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._console.terminal:
            self._console.attach(None)
            self.hide()
