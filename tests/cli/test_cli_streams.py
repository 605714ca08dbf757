"""Tests of what the command line writes to streams: full, closed, narrow or watched by a person."""

from __future__ import annotations

import io
import json

import pytest
from cli_helpers import Screen

from soniox_sync.cli.actions import Progress
from soniox_sync.cli.console import Console, OutputClosed, OutputFailed, UsageError


class Failing(io.StringIO):
    """Is a stream that takes nothing."""

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
def test_console_reports_a_stdout_that_takes_nothing(
    error: Exception, raised: type[Exception]
) -> None:
    """A reader that has gone is told from a disk that is full; a broken stderr is not worth it."""
    console = Console(stdout=Failing(error), stderr=Failing(error))
    with pytest.raises(raised):
        console.write("x")
    console.say("x")


def test_console_without_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started without streams is told so when it needs one."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr("sys." + name, None)
    console = Console()
    console.say("x")
    console.note("x")
    with pytest.raises(OutputFailed):
        console.write("x")
    for use in (console.binary_stdin, console.binary_stdout):
        with pytest.raises(UsageError):
            use()


def test_console_replaces_what_a_code_page_lacks() -> None:
    """A stream that cannot take a character gets a question mark; it is said, once."""
    raw, err = io.BytesIO(), io.StringIO()
    console = Console(stdout=io.TextIOWrapper(raw, encoding="ascii"), stderr=err)
    console.write("né\n")
    console.write("né\n")
    assert raw.getvalue() == b"n?\nn?\n"
    assert err.getvalue().count("\n") == 1 and "PYTHONIOENCODING" in err.getvalue()


def test_console_loses_nothing_of_json() -> None:
    """JSON for a stream that cannot take a character has it escaped."""
    raw, err = io.BytesIO(), io.StringIO()
    console = Console(stdout=io.TextIOWrapper(raw, encoding="latin-1"), stderr=err)
    document = {"é": "日本 \U0001f600 \n"}
    console.write_json(json.dumps(document, ensure_ascii=False))
    assert json.loads(raw.getvalue()) == document
    assert err.getvalue() == ""


class Terminal(io.StringIO):
    """Is a stream to a person."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_console_writes_above_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is said while progress is drawn stands above it; in the end it is alone."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "9")
    screen, err = Screen(30), Terminal()
    console = Console(stderr=err)
    with Progress(console) as progress:
        progress.share("up\x07loading", 1, 2)
        console.say("a line")
        screen.write(err.getvalue())
        assert screen.text[0].rstrip() == "a line"
        assert screen.text[1].startswith("up\ufffdloading [####")
    after = Screen(30)
    after.write(err.getvalue())
    assert [row.rstrip() for row in after.text if row.strip()] == ["a line"]


def test_progress_is_for_who_watches() -> None:
    """Nothing is drawn where stderr is no terminal."""
    err = io.StringIO()
    with Progress(Console(stderr=err)) as progress:
        progress.say("half")
    assert err.getvalue() == ""
