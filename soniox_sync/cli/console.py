"""The standard streams: results on stdout, messages and progress on stderr."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, Optional, Protocol

from .._support.locks import new_rlock
from .interrupt import Interrupts

__all__ = ["Console", "Drawing", "InputError", "OutputClosed", "OutputFailed", "UsageError"]

# The widest characters take two columns.
_MIN_COLUMNS = 2


class UsageError(Exception):
    """Command line that cannot be carried out; exit code 2."""


class InputError(UsageError):
    """Input that cannot be used, such as a file that is not there; the message names it."""


class OutputClosed(Exception):
    """The reader of standard output has closed it, so nothing is left to do; exit code 0."""


class OutputFailed(Exception):
    """Standard output cannot be written, for example because the disk is full; exit code 1."""


class Drawing(Protocol):
    """Lines on the terminal that are redrawn in place, such as progress or live captions.

    `is_beside_results`: results are written to the same terminal, and not by the drawing itself.
    """

    @property
    def is_beside_results(self) -> bool: ...

    def hide(self) -> None:
        """Erase them, so that another line can be written in their place."""

    def show(self) -> None:
        """Draw them again, below that line."""


class Console:
    """Standard streams of one command.

    Methods that write to stdout are for the main thread; `write_error` and `note` are for any.

    Args:
        stdin, stdout, stderr: text streams, by default the current ones of the process. A process
            that was started without one of them has `None` there.
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
        self.interrupts: Interrupts = Interrupts()
        # Guards _drawing and its lines on the terminal. Leaf; held during writes to the terminal.
        self.terminal: threading.RLock = new_rlock()
        self._drawing: Optional[Drawing] = None
        self._replaced = False

    # -- stdout ----------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Write a result to stdout and flush it.

        Raises
            OutputClosed: the reader has closed stdout.
            OutputFailed: stdout cannot be written.
        """
        with self._result_place():
            replaced = write_text(self.stdout, text)
        if replaced:
            self._warn_replaced()

    @contextmanager
    def _result_place(self) -> Iterator[None]:
        """Take away what is drawn where a result is to be written."""
        drawing = self._drawing
        if drawing is None or not drawing.is_beside_results or not is_terminal(self.stdout):
            yield
            return
        with self.terminal:
            drawing.hide()
            yield
            drawing.show()

    def write_heading(self, name: str, *, first: bool) -> None:
        """Write the heading of one of several results, with no control characters of a file name.

        Raises
            OutputClosed, OutputFailed: as `write`.
        """
        from ..transcript.words import printable

        self.write(f"{'' if first else chr(10)}==> {' '.join(printable(name).split())} <==\n")

    def write_json(self, document: str) -> None:
        """Write a JSON document as a line, with escapes for what stdout's encoding lacks.

        Raises
            OutputClosed, OutputFailed: as `write`.
        """
        try:
            document.encode(getattr(self.stdout, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            # JSON has characters outside of ASCII only in strings, where escapes are legal
            document = "".join(ch if ch.isascii() else json.dumps(ch)[1:-1] for ch in document)
        self.write(document + "\n")

    def flush(self) -> None:
        """Flush stdout; raises as `write`."""
        if self.stdout is not None:
            write_text(self.stdout, "")

    def binary_stdout(self) -> BinaryIO:
        """Return stdout as a binary file.

        Raises
            UsageError: the process has no stdout, or stdout is a terminal.
        """
        if self.stdout is None:
            raise UsageError("this process has no standard output: write to a file with -o FILE")
        if self.stdout.isatty():
            raise UsageError(
                "refusing to write audio to a terminal: write it to a file with -o FILE, play it "
                "with --play, or pipe it into another program"
            )
        self.flush()
        buffer: Any = getattr(self.stdout, "buffer", self.stdout)
        return PipedOutput(buffer)  # type: ignore[return-value]

    def _warn_replaced(self) -> None:
        if not self._replaced:
            self._replaced = True
            name = getattr(self.stdout, "encoding", "ascii")
            self.write_error(
                f"soniox-sync: stdout is encoded as {name}, so some characters are written as ?; "
                "set PYTHONIOENCODING=utf-8 to keep them"
            )

    # -- stderr ----------------------------------------------------------------------------------

    def write_error(self, text: str) -> None:
        """Write a line to stderr, above what is drawn there.

        Of an error of the service, no control character reaches the terminal.
        """
        from ..transcript.words import printable  # slow to load, and most commands write no error

        text = printable(text.replace("\r", " "))
        with self.terminal:
            try:
                if self._drawing is not None:
                    self._drawing.hide()
                write_text(self.stderr, text.rstrip("\n") + "\n")
                if self._drawing is not None:
                    self._drawing.show()
            except (OutputClosed, OutputFailed):
                return  # stderr itself is gone: there is nowhere to report it

    def note(self, text: str) -> None:
        """Write a line to stderr if it is a terminal."""
        if is_terminal(self.stderr):
            self.write_error(text)

    def attach(self, drawing: Optional[Drawing]) -> None:
        """Keep a drawing below the lines of `write_error`; `None` removes it."""
        with self.terminal:
            self._drawing = drawing

    # -- stdin -----------------------------------------------------------------------------------

    def binary_stdin(self) -> BinaryIO:
        """Return stdin as a binary file.

        Raises
            UsageError: the process has no stdin.
        """
        if self.stdin is None:
            raise UsageError("this process has no standard input to read")
        buffer: Any = getattr(self.stdin, "buffer", self.stdin)
        return buffer  # type: ignore[no-any-return]


class PipedOutput:
    """Binary stdout that flushes each write and raises what `Console.write` raises."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write `data` and flush it."""
        try:
            count = self._file.write(data)
        except (OSError, ValueError) as error:
            raise _output_error(error) from error
        self.flush()
        return count

    def flush(self) -> None:
        """Write what a failed `write` left in the buffer."""
        try:
            self._file.flush()
        except (OSError, ValueError) as error:
            raise _output_error(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def write_text(stream: Optional[IO[str]], text: str) -> bool:
    """Write text and flush it; return whether characters had to be replaced by question marks.

    Raises
        OutputClosed: the reader has closed the stream.
        OutputFailed: the stream cannot be written.
    """
    if stream is None:
        raise OutputFailed("cannot write the output: this process has no such stream")
    replaced = False
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            # a terminal in an old code page: question marks, rather than no output at all
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
    """Return whether a stream is a terminal that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def is_pipe(stream: Optional[IO[str]]) -> bool:
    """Return whether a stream is a pipe: its reader may write to the same terminal."""
    try:
        mode = os.fstat(stream.fileno()).st_mode  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return False  # no descriptor
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def wants_colour(stream: Optional[IO[str]]) -> bool:
    """Return whether to dim text: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def columns(stream: Optional[IO[str]]) -> int:
    """Return the width of a terminal without its last column, where some terminals wrap early."""
    return max(_size(stream).columns - 1, _MIN_COLUMNS)


def lines(stream: Optional[IO[str]]) -> int:
    """Return the height of a terminal."""
    return _size(stream).lines


def _size(stream: Optional[IO[str]]) -> os.terminal_size:
    try:
        size = os.get_terminal_size(stream.fileno())  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        size = os.terminal_size((0, 0))
    # a serial console reports no size: take COLUMNS and LINES, else 80 by 24
    return size if size.columns and size.lines else shutil.get_terminal_size()
