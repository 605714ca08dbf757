"""Helpers that run the command line, in this process or in its own, and emulate a terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from soniox_sync.cli import main
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.sandbox import Sandbox

# Generous for slow machines: a child that takes longer hangs.
TIMEOUT_SEC = 60


class Output(io.TextIOWrapper):
    """Captured standard stream, as text and as bytes."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        """Text written so far."""
        return self.bytes.getvalue().decode()


class Run:
    """Exit code and output of a command."""

    def __init__(self, code: int, out: Output, err: Output) -> None:
        self.code = code
        self.out = out.text if _is_text(out) else ""
        self.out_bytes = out.bytes.getvalue()
        self.err = err.text


def _is_text(out: Output) -> bool:
    try:
        out.bytes.getvalue().decode()
    except UnicodeDecodeError:
        return False
    return True


class Terminal(Output):
    """Captured stream that says it is a terminal; its size is in the environment."""

    def isatty(self) -> bool:
        """Return `True`."""
        return True


def run_cli(*args: str, stdin: bytes = b"", terminal: int = 0) -> Run:
    """Run a command in this process.

    `terminal`: both outputs are terminals of this many columns, without colours.
    """
    if terminal:
        size = {"COLUMNS": str(terminal), "LINES": "24", "TERM": "xterm", "NO_COLOR": "1"}
        with mock.patch.dict(os.environ, size):
            return _run(args, stdin, Terminal(), Terminal())
    return _run(args, stdin, Output(), Output())


def _run(args: Sequence[str], stdin: bytes, out: Output, err: Output) -> Run:
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(list(args))
    finally:
        sys.stdin = before
    return Run(code, out, err)


def start_cli(*args: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in its own process; all streams are pipes unless `options` override them."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environ = {**os.environ, "PYTHONIOENCODING": "utf-8", **options.pop("env", {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "soniox_sync", *args],
        env=environ,
        cwd=options.pop("cwd", Path(__file__).parents[2]),
        **{**pipes, **options},
    )
    _started.append(process)
    return process


_started: list[subprocess.Popen[bytes]] = []


def end_processes() -> None:
    """Kill the processes still running and close their pipes."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait(TIMEOUT_SEC)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def environment(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment variables that make a process use a sandbox."""
    return {
        "SONIOX_API_KEY": sandbox.api_key,
        "SONIOX_API_BASE_URL": sandbox.urls.api,
        "SONIOX_WS_URL": sandbox.urls.stt,
        "SONIOX_TTS_API_URL": sandbox.urls.tts_api,
        "SONIOX_TTS_WS_URL": sandbox.urls.tts,
    }


class Screen:
    """Terminal emulator that knows the escape codes the live view writes."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows: list[str] = [""]
        self._row = 0
        self._column = 0

    def write(self, text: str) -> None:
        """Interpret text and escape codes; an unknown code fails the test."""
        for code, param, char in re.findall(r"(\x1b\[(\d*)[A-Za-z])|([\s\S])", text):
            if char:
                self._put(char)
            elif code.endswith("A"):
                self._row -= int(param or "1")
                assert self._row >= 0, "moved above the first row"
            elif code.endswith("J"):
                self.rows[self._row] = self.rows[self._row][: self._column]
                del self.rows[self._row + 1 :]
            else:
                assert code.endswith("m"), f"unknown code {code!r}"

    def _put(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._row += 1
            self._column = 0
            if self._row == len(self.rows):
                self.rows.append("")
        else:
            assert unicodedata.category(char) != "Cc", f"{char!r} reached the terminal"
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
            self._column += 1

    @property
    def text(self) -> list[str]:
        """Rows that are not empty."""
        return [row for row in self.rows if row]


def token(text: str, *, final: bool = True, **fields: Any) -> Token:
    """Make a token."""
    return Token(text=text, is_final=final, **fields)


def event(*tokens: Token, kind: str = "result") -> SttEvent:
    """Make an event."""
    return SttEvent(kind, Result(tokens=list(tokens)))
