"""Records as tables: with headers and aligned on a terminal, with tabs in a pipe, or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..transcript.text import chop, text_width
from .console import Console, columns, is_terminal, wants_colour

__all__ = ["Column", "TableWriter", "write_record", "write_records", "write_table"]

_GAP = "  "
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
# The last column may be cut to this, before spare columns are left out; with still less room, each
# record gets a block of its own.
_MIN_LAST = 10


@dataclass(frozen=True)
class Column:
    """Column of a table.

    `field`: of the records. `title`: its header on a terminal, by default the field. `right`: for
    numbers. `spare`: left out where a terminal has no room for it.
    """

    field: str
    title: str = ""
    right: bool = False
    spare: bool = False

    @property
    def header(self) -> str:
        """Header on a terminal."""
        return self.title or self.field

    def aligned(self, cell: str, width: int) -> str:
        """Return a cell that fills the column."""
        blank = " " * (width - text_width(cell))
        return blank + cell if self.right else cell + blank


def write_records(
    args: argparse.Namespace,
    console: Console,
    records: Iterable[Any],
    table: Sequence[Column],
) -> None:
    """Write each record as a line: of JSON, or of the columns of a table."""
    if args.json:
        for record in records:
            console.write_json(_as_json(record.raw))
        return
    precise = not is_terminal(console.stdout)
    rows = [
        [_display(getattr(record, column.field), precise=precise) for column in table]
        for record in records
    ]
    write_table(console, table, rows)


def write_table(console: Console, table: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Write rows: on a terminal below headers, each column as wide as its widest cell."""
    if not rows:
        console.note("none found")
    elif is_terminal(console.stdout):
        _write_aligned(console, table, rows)
    else:
        for row in rows:
            console.write("\t".join(row) + "\n")


def _write_aligned(
    console: Console, table: Sequence[Column], rows: Sequence[Sequence[str]]
) -> None:
    room = columns(console.stdout)
    widths = [
        max(map(text_width, [column.header, *cells])) for column, cells in zip(table, zip(*rows))
    ]
    shown = _fitting(table, widths, room)
    if shown is None:
        _write_blocks(console, table, rows)
        return
    last = shown[-1]
    widths[last] = min(widths[last], room - sum(widths[at] + len(_GAP) for at in shown[:-1]))

    def line(cells: Sequence[str]) -> str:
        fitted = [_cut(cells[at], widths[at]) for at in shown]
        aligned = [table[at].aligned(cell, widths[at]) for at, cell in zip(shown, fitted)]
        return _GAP.join(aligned).rstrip()

    header = line([column.header for column in table])
    console.write(f"{_emphasized(console, header)}\n")
    for row in rows:
        console.write(line(row) + "\n")


def _fitting(table: Sequence[Column], widths: Sequence[int], room: int) -> Optional[list[int]]:
    """Return the columns that fit into a row; `None` if not even the needed ones do."""
    shown = list(range(len(table)))
    spare = [at for at in shown if table[at].spare]

    def needed() -> int:
        before = sum(widths[at] + len(_GAP) for at in shown[:-1])
        return before + min(widths[shown[-1]], _MIN_LAST)

    while spare and needed() > room:
        shown.remove(spare.pop())
    return shown if needed() <= room else None


def _cut(cell: str, width: int) -> str:
    if text_width(cell) <= width:
        return cell
    return chop(cell, width - 1)[0] + "…"


def _write_blocks(console: Console, table: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows):
        if number:
            console.write("\n")
        # the first cell, an id, may just fit into a line
        console.write(f"{row[0]}\n")
        rest = list(zip(table, row))[1:]
        _write_fields(console, {f"  {column.header}": cell for column, cell in rest})


def _emphasized(console: Console, text: str) -> str:
    return f"{_BOLD}{text}{_PLAIN}" if wants_colour(console.stdout) else text


class TableWriter:
    """Table whose rows are written one by one, in a pipe at once, on a terminal at the end."""

    def __init__(self, args: argparse.Namespace, console: Console, table: Sequence[Column]) -> None:
        self._args = args
        self._console = console
        self._table = table
        self._records: list[Any] = []

    def add(self, record: Any) -> None:
        """Add one record."""
        if self._args.json or not is_terminal(self._console.stdout):
            write_records(self._args, self._console, [record], self._table)
        else:
            self._records.append(record)

    def close(self) -> None:
        """Write the rows of a terminal."""
        records, self._records = self._records, []
        if records:
            write_records(self._args, self._console, records, self._table)


def write_record(args: argparse.Namespace, console: Console, record: Any) -> None:
    """Write one record: as a line of JSON, or one line for each field that has a value."""
    if args.json:
        console.write_json(_as_json(record.raw))
        return
    _write_fields(
        console, {name: value for name, value in record.raw.items() if value not in (None, [])}
    )


def _write_fields(console: Console, fields: Mapping[str, Any]) -> None:
    if not is_terminal(console.stdout):
        for name, value in fields.items():
            for cells in _rows_of(value):
                console.write("\t".join([name, *cells]) + "\n")
        return
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        rows = _rows_of(value)
        widths = [max(map(text_width, column)) for column in zip(*rows)]
        for number, row in enumerate(rows):
            label = "" if number else name
            cells = [cell.ljust(size) for cell, size in zip(row, widths)]
            console.write(_GAP.join([label.ljust(width), *cells]).rstrip() + "\n")


def _rows_of(value: Any) -> list[list[str]]:
    """Return the cells of a value: a row for each item of a list of records, otherwise one cell."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Mapping) for v in value):
        names = [name for name in value[0] if any(item.get(name) is not None for item in value)]
        return [[_display(item.get(name)) for name in names] for item in value]
    return [[_display(value)]]


def _as_json(raw: Mapping[str, Any]) -> str:
    return json.dumps(raw, ensure_ascii=False)


def _display(value: Any, *, precise: bool = True) -> str:
    if value is None:
        return "-"
    if hasattr(value, "isoformat"):
        unit = "seconds" if precise else "minutes"
        return str(value.isoformat(" ", unit)).replace("+00:00", "Z")
    if isinstance(value, (list, tuple)):
        return ", ".join(_display(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_display(item)}" for name, item in value.items())
    # a file name from elsewhere must not send escape codes to the terminal
    return "".join(ch if ch.isprintable() else "?" for ch in str(value))
