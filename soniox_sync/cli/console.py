"""The three standard streams, and what may be written to which."""

from __future__ import annotations

import os
import shutil
import sys
from typing import IO, Any, BinaryIO, Optional

from .interrupt import Interrupts

__all__ = ["Console", "OutputClosed", "UsageError"]

_NARROWEST = 10


class UsageError(Exception):
    """Reports a command line that cannot be carried out; exit code 2."""


class OutputClosed(Exception):
    """Reports that whoever read our standard output has gone: nothing is left to do."""


class Console:
    """Writes results to stdout, and what concerns only a person watching to stderr.

    Args:
        stdin, stdout, stderr: text streams, by default those of the process now.
    """

    def __init__(
        self,
        stdin: Optional[IO[str]] = None,
        stdout: Optional[IO[str]] = None,
        stderr: Optional[IO[str]] = None,
    ) -> None:
        self.stdin = stdin or sys.stdin
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.interrupts = Interrupts()

    def write(self, text: str) -> None:
        """Write a result to stdout, at once.

        Raises:
            OutputClosed: its reader has gone.
        """
        _write(self.stdout, text)

    def flush(self) -> None:
        """Write out what is buffered. Raises as `write`."""
        try:
            self.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error

    def say(self, text: str) -> None:
        """Write a line to stderr, whoever reads it."""
        try:
            _write(self.stderr, text.rstrip("\n") + "\n")
        except OutputClosed:
            return  # there is nobody left to tell

    def say_part(self, text: str) -> None:
        """Write text to stderr as it is."""
        try:
            _write(self.stderr, text)
        except OutputClosed:
            return

    def note(self, text: str) -> None:
        """Write a line of progress to stderr if a person watches there."""
        if is_terminal(self.stderr):
            self.say(text)

    def binary_stdin(self) -> BinaryIO:
        """Give stdin as bytes.

        Raises:
            UsageError: the process has no stdin.
        """
        if self.stdin is None:
            raise UsageError("there is no standard input to read")
        buffer: Any = getattr(self.stdin, "buffer", self.stdin)
        return buffer  # type: ignore[no-any-return]

    def binary_stdout(self) -> BinaryIO:
        """Give stdout for bytes.

        Raises:
            UsageError: it is a terminal, which bytes of audio would garble.
        """
        if self.stdout.isatty():
            raise UsageError(
                "audio would garble this terminal: write it to a file with -o FILE, play it with "
                "--play, or pipe it into another program"
            )
        self.stdout.flush()
        buffer: Any = getattr(self.stdout, "buffer", self.stdout)
        return PipedOutput(buffer)  # type: ignore[return-value]


class PipedOutput:
    """Writes bytes at once, and reports a reader that has gone as `OutputClosed`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        try:
            count = self._file.write(data)
            self._file.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _write(stream: IO[str], text: str) -> None:
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            # a terminal in an old code page: a question mark is better than nothing
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError as error:
        raise OutputClosed from error


def is_terminal(stream: Optional[IO[str]]) -> bool:
    """Tell whether a person watches a stream on a terminal that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def wants_colour(stream: IO[str]) -> bool:
    """Tell whether to dim and colour: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def columns(stream: IO[str]) -> int:
    """Give the width of a terminal, less the last column, where terminals wrap by themselves."""
    try:
        width = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        width = 0
    width = width or shutil.get_terminal_size().columns
    return max(width - 1, _NARROWEST)
