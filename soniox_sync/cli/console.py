"""The three standard streams, and what may be written to which."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
import threading
from typing import IO, Any, BinaryIO, Optional, Protocol

from .interrupt import Interrupts

__all__ = ["Console", "Drawing", "OutputClosed", "OutputFailed", "UsageError"]

# two columns hold any character
_NARROWEST = 2


class UsageError(Exception):
    """Reports a command line that cannot be carried out; exit code 2."""


class OutputClosed(Exception):
    """Reports that whoever read our standard output has gone: nothing is left to do."""


class OutputFailed(Exception):
    """Reports a standard output that takes nothing, such as a full disk; exit code 1."""


class Drawing(Protocol):
    """Is what stands on the terminal and will be drawn again in place."""

    def hide(self) -> None:
        """Erase it, so that a line can be written there."""

    def show(self) -> None:
        """Draw it again, below that line."""


class Console:
    """Writes results to stdout, and what concerns only a person watching to stderr.

    `write` and `draw` are for the main thread, `say` and `note` for any.

    Args:
        stdin, stdout, stderr: text streams, by default those of the process now; a process that
            was started without one has `None` there.
    """

    def __init__(
        self,
        stdin: Optional[IO[str]] = None,
        stdout: Optional[IO[str]] = None,
        stderr: Optional[IO[str]] = None,
    ) -> None:
        self.stdin: Optional[IO[str]] = stdin or sys.stdin
        self.stdout: Optional[IO[str]] = stdout or sys.stdout
        self.stderr: Optional[IO[str]] = stderr or sys.stderr
        self.interrupts = Interrupts()
        # Guards _drawing and what it has on the terminal. Leaf; held across writes to a terminal.
        self.terminal = threading.RLock()
        self._drawing: Optional[Drawing] = None
        self._replaced = False

    # -- stdout ----------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Write a result to stdout, at once.

        Raises:
            OutputClosed: its reader has gone. OutputFailed: it cannot be written.
        """
        if write_text(self.stdout, text):
            self._warn_replaced()

    def write_json(self, document: str) -> None:
        """Write a JSON document and a line end; escapes what the stream's encoding lacks.

        Raises as `write`.
        """
        try:
            document.encode(getattr(self.stdout, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            # outside of ASCII there is nothing but text in JSON, where escapes are allowed
            document = "".join(ch if ch.isascii() else json.dumps(ch)[1:-1] for ch in document)
        self.write(document + "\n")

    def flush(self) -> None:
        """Write out what is buffered. Raises as `write`."""
        if self.stdout is not None:
            write_text(self.stdout, "")

    def binary_stdout(self) -> BinaryIO:
        """Give stdout for bytes.

        Raises:
            UsageError: there is none, or a terminal, which bytes of audio would garble.
        """
        if self.stdout is None:
            raise UsageError("there is no standard output to write to")
        if self.stdout.isatty():
            raise UsageError(
                "audio would garble this terminal: write it to a file with -o FILE, play it with "
                "--play, or pipe it into another program"
            )
        self.flush()
        buffer: Any = getattr(self.stdout, "buffer", self.stdout)
        return PipedOutput(buffer)  # type: ignore[return-value]

    def _warn_replaced(self) -> None:
        if not self._replaced:
            self._replaced = True
            name = getattr(self.stdout, "encoding", "ascii")
            self.say(
                f"soniox-sync: stdout takes {name}, which lacks some of the characters: they are "
                "written as ?. PYTHONIOENCODING=utf-8 keeps them"
            )

    # -- stderr ----------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Write a line to stderr, whoever reads it, above what is drawn there."""
        with self.terminal:
            try:
                if self._drawing is not None:
                    self._drawing.hide()
                write_text(self.stderr, text.rstrip("\n") + "\n")
                if self._drawing is not None:
                    self._drawing.show()
            except (OutputClosed, OutputFailed):
                return  # there is nobody left to tell

    def note(self, text: str) -> None:
        """Write a line of progress to stderr if a person watches there."""
        if is_terminal(self.stderr):
            self.say(text)

    # -- what is drawn in place ------------------------------------------------------------------

    def attach(self, drawing: Optional[Drawing]) -> None:
        """Have lines of `say` written above a drawing; `None` for none."""
        with self.terminal:
            self._drawing = drawing

    # -- stdin -----------------------------------------------------------------------------------

    def binary_stdin(self) -> BinaryIO:
        """Give stdin as bytes.

        Raises:
            UsageError: the process has no stdin.
        """
        if self.stdin is None:
            raise UsageError("there is no standard input to read")
        buffer: Any = getattr(self.stdin, "buffer", self.stdin)
        return buffer  # type: ignore[no-any-return]


class PipedOutput:
    """Writes bytes at once, and reports failures as `Console.write` does."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        try:
            count = self._file.write(data)
            self._file.flush()
        except (OSError, ValueError) as error:
            raise _output_error(error) from error
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def write_text(stream: Optional[IO[str]], text: str) -> bool:
    """Write text at once; tell whether characters had to be replaced. Raises as `Console`."""
    if stream is None:
        raise OutputFailed("cannot write the output: there is no stream to write to")
    replaced = False
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            # a terminal in an old code page: a question mark is better than nothing
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
            replaced = True
        stream.flush()
    except (OSError, ValueError) as error:
        raise _output_error(error) from error
    return replaced


def _output_error(error: Exception) -> Exception:
    # EIO: the terminal was closed
    if isinstance(error, BrokenPipeError) or getattr(error, "errno", None) == errno.EIO:
        return OutputClosed()
    return OutputFailed(f"cannot write the output: {getattr(error, 'strerror', None) or error}")


def is_terminal(stream: Optional[IO[str]]) -> bool:
    """Tell whether a person watches a stream on a terminal that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def is_pipe(stream: Optional[IO[str]]) -> bool:
    """Tell whether a stream goes to another program, which may write to the same terminal."""
    try:
        mode = os.fstat(stream.fileno()).st_mode  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return False  # no stream of the system
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def wants_colour(stream: Optional[IO[str]]) -> bool:
    """Tell whether to dim and colour: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def columns(stream: Optional[IO[str]]) -> int:
    """Give the width of a terminal, less the last column, where terminals wrap by themselves."""
    return max(_size(stream).columns - 1, _NARROWEST)


def lines(stream: Optional[IO[str]]) -> int:
    """Give the height of a terminal."""
    return _size(stream).lines


def _size(stream: Optional[IO[str]]) -> os.terminal_size:
    try:
        size = os.get_terminal_size(stream.fileno())  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        size = os.terminal_size((0, 0))
    # a serial line tells no size: what the environment says, else 80 by 24
    return size if size.columns and size.lines else shutil.get_terminal_size()
