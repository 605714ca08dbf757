"""Tables have headers and fit on a terminal; a pipe gets rows alone, separated by tabs."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from soniox_sync.cli.console import Console
from soniox_sync.cli.tables import Column, write_table
from soniox_sync.sandbox import Sandbox
from soniox_sync.transcript.text import text_width
from tests.cli.helpers import Terminal, run_cli

TABLE = (
    Column("id"),
    Column("size", right=True),
    Column("created", spare=True),
    Column("model", spare=True),
    Column("name", "file"),
)
ROWS = [
    ["a" * 36, "5", "2026-11-29 10:00:00Z", "stt-async-v6", "meeting.mp3"],
    ["b" * 36, "12345", "2026-11-29 10:00:00Z", "stt-async-v6", "日本語の会議.mp3"],
]


def shown(columns: int, monkeypatch: pytest.MonkeyPatch, rows: Any = ROWS) -> list[str]:
    """Write the table on a terminal and return its lines."""
    for name, value in {"COLUMNS": str(columns), "LINES": "24", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    write_table(Console(stdout=out), TABLE, rows)
    return out.text.splitlines()


def test_columns_are_aligned_below_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each column begins below its header, wide characters counted as two; numbers at the right."""
    header, first, second = shown(120, monkeypatch)
    assert header.split() == ["id", "size", "created", "model", "file"]
    assert first.index("meeting") == header.index("file")
    assert text_width(second.partition("日")[0]) == header.index("file")
    assert first[: header.index("size") + 4].endswith("    5")
    assert second[: header.index("size") + 4].endswith(" 12345"[-5:])


def test_a_narrow_terminal_leaves_out_what_can_be_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns the spare ones go, from the right; no row is wider, no id is cut."""
    lines = shown(80, monkeypatch)
    assert lines[0].split() == ["id", "size", "created", "file"]
    assert all(text_width(line) < 80 for line in lines)
    assert lines[1].startswith("a" * 36) and "meeting" in lines[1]
    assert lines[2].endswith("…")  # the last column is cut to what is left
    assert shown(60, monkeypatch)[0].split() == ["id", "size", "file"]


def test_a_terminal_too_narrow_for_rows_gets_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 40 columns each record is a block of lines, with everything in it."""
    lines = shown(40, monkeypatch)
    assert lines[0] == "a" * 36 and lines[1] == "  size     5"
    assert lines[4] == "  file     meeting.mp3" and lines[5] == ""
    assert len(lines) == 11


def test_a_pipe_gets_rows_with_tabs() -> None:
    """In a pipe there is no header and no blank to align: `cut -f` works."""
    out = io.StringIO()
    write_table(Console(stdout=out), TABLE, ROWS)
    assert out.getvalue().splitlines() == ["\t".join(row) for row in ROWS]


def test_headers_are_bold_where_colours_are_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """The header is emphasised, unless NO_COLOR is set."""
    assert "\x1b" not in "".join(shown(80, monkeypatch))
    monkeypatch.delenv("NO_COLOR")
    out = Terminal()
    write_table(Console(stdout=out), TABLE, ROWS)
    assert out.text.startswith("\x1b[1mid")


@pytest.mark.parametrize(
    ("args", "header"),
    [
        (["jobs", "list"], ["id", "status", "created", "file"]),
        (["files", "list"], ["id", "size", "created", "file"]),
        (["voices", "list"], ["id", "created", "name"]),
        (["voices", "shared"], ["id", "gender", "age", "accent", "description"]),
        (["models"], ["id", "name", "alias", "of"]),
        (["usage"], ["model", "requests", "in", "(ms)", "out", "(ms)", "cost", "($)"]),
        (["usage", "--limits"], ["of", "streams", "current", "limit"]),
    ],
    ids=lambda value: "-".join(value),
)
def test_every_listing_has_headers_on_a_terminal(
    service: Sandbox, recording: str, args: list[str], header: list[str]
) -> None:
    """Each list begins with its header on a terminal of 80 columns, and fits; none in a pipe."""
    assert run_cli("jobs", "submit", recording, "--wait").code == 0
    assert run_cli("voices", "create", "Grandma", recording).code == 0
    done = run_cli(*args, terminal=80)
    assert done.code == 0
    first, *rows = done.out.splitlines()
    assert first.split() == header and rows
    assert all(text_width(row) < 80 for row in rows)
    piped = run_cli(*args).out.splitlines()
    assert len(piped) == len(rows) and piped[0].split("\t")[0] == rows[0].split()[0]


def test_a_record_shows_its_lists_as_rows(service: Sandbox, recording: str) -> None:
    """What a voice is ready for is a row for each model, never raw names and values."""
    assert run_cli("voices", "create", "Grandma", recording).code == 0
    voice_id = run_cli("voices", "list").out.split("\t")[0]
    lines = run_cli("voices", "get", voice_id, terminal=80).out.splitlines()
    [models] = [line for line in lines if line.startswith("models")]
    assert re.fullmatch(r"models +tts-rt-v2  (processing|ready)", models)
    assert "\nmodels\ttts-rt-v2\t" in run_cli("voices", "get", voice_id).out
