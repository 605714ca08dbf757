"""Tests of writing to standard streams that are full, closed, missing or terminals."""

from __future__ import annotations

import errno
import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest

from soniox_sync.cli import main
from soniox_sync.cli.console import Console, OutputClosed, OutputFailed, UsageError
from soniox_sync.cli.progress import Progress
from tests.cli.helpers import Screen


class Failing(io.StringIO):
    """Stream whose writes fail."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        """Fail."""
        raise self._error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (BrokenPipeError(32, "Broken pipe"), OutputClosed),
        (OSError(5, "Input/output error"), OutputClosed),
        (OSError(28, "No space left on device"), OutputFailed),
        (ValueError("I/O operation on closed file"), OutputFailed),
    ],
)
def test_console_reports_a_stdout_that_cannot_be_written(
    error: Exception, raised: type[Exception]
) -> None:
    """A closed pipe and a full disk raise different errors; a broken stderr is ignored."""
    console = Console(stdout=Failing(error), stderr=Failing(error))
    with pytest.raises(raised):
        console.write("x")
    console.write_error("x")


@pytest.mark.parametrize(
    "args", [["--help"], ["--version"], ["jobs", "submit", "--help"], ["speak", "-h", "--json"]]
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE])
def test_help_that_cannot_be_written(args: list[str], number: int) -> None:
    """A full disk is an error, though `argparse` would hide it; a closed pipe ends quietly."""
    err = io.StringIO()
    with redirect_stdout(Failing(OSError(number, "reason"))), redirect_stderr(err):
        code = main(args)
    if number == errno.EPIPE:
        assert (code, err.getvalue()) == (0, "")
    else:
        assert code == 1 and "cannot write the output: reason" in err.getvalue()
        assert err.getvalue().startswith('{"error"' if "--json" in args else "soniox-sync: ")


def test_console_without_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without standard streams gets an error only when it needs one."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr("sys." + name, None)
    console = Console()
    console.write_error("x")
    console.note("x")
    with pytest.raises(OutputFailed):
        console.write("x")
    for use in (console.binary_stdin, console.binary_stdout):
        with pytest.raises(UsageError):
            use()


def test_console_replaces_characters_that_the_encoding_lacks() -> None:
    """Characters that stdout's encoding lacks become question marks, with one warning."""
    raw, err = io.BytesIO(), io.StringIO()
    console = Console(stdout=io.TextIOWrapper(raw, encoding="ascii"), stderr=err)
    console.write("né\n")
    console.write("né\n")
    assert raw.getvalue() == b"n?\nn?\n"
    assert err.getvalue().count("\n") == 1 and "PYTHONIOENCODING" in err.getvalue()


def test_console_escapes_json() -> None:
    """Characters of a JSON document that stdout's encoding lacks are escaped."""
    raw, err = io.BytesIO(), io.StringIO()
    console = Console(stdout=io.TextIOWrapper(raw, encoding="latin-1"), stderr=err)
    document = {"é": "日本 \U0001f600 \n"}
    console.write_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(raw.getvalue()) == document
    assert err.getvalue() == ""


class Terminal(io.StringIO):
    """Stream that is a terminal."""

    def isatty(self) -> bool:
        """Return `True`."""
        return True


def test_console_writes_above_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line written while progress is drawn is above it; at the end only the line remains."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "9")
    screen, err = Screen(30), Terminal()
    console = Console(stderr=err)
    with Progress(console) as progress:
        progress.set_bar("up\x07loading", 1, 2)
        console.write_error("a line")
        screen.write(err.getvalue())
        assert screen.text[0].rstrip() == "a line"
        assert screen.text[1].startswith("up\ufffdloading [####")
    after = Screen(30)
    after.write(err.getvalue())
    assert [row.rstrip() for row in after.text if row.strip()] == ["a line"]


def test_progress_needs_a_terminal() -> None:
    """Nothing is drawn if stderr is not a terminal."""
    err = io.StringIO()
    with Progress(Console(stderr=err)) as progress:
        progress.set_text("half")
    assert err.getvalue() == ""
