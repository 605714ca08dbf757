"""A program that answers: a turn is a line of its input, the reply a line of its output."""

from __future__ import annotations

import codecs
import os
import shlex
import subprocess
from collections.abc import Iterator
from typing import IO, Optional

from ..errors import SonioxError
from .console import UsageError

__all__ = ["ReplyCommand"]

# a program that was asked to end cleans up within that, or is killed
_END_SEC = 1.0
_CHUNK = 4096


class ReplyCommand:
    """Program that answers a turn with a line. A context manager; used by one thread.

    Its line is passed on as it is written, so that it is spoken from its first sentence on. When it
    ends, `is_over` is set, and the turn is answered with what it has written.
    """

    def __init__(self, command: str) -> None:
        words = shlex.split(command, posix=os.name != "nt")
        if not words:
            raise UsageError("--reply-command needs a program")
        self._name = words[0]
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                # a Python program that only prints would keep its lines until it ends
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except OSError as error:
            raise UsageError(f"--reply-command {words[0]}: {error.strerror}") from error
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""  # text after the end of a line: the program is ahead
        self._is_in_line = False  # its end was not read yet
        self.is_over: bool = False

    def answer(self, text: str) -> Iterator[str]:
        """Yield the program's line for a turn, in pieces.

        The line is read to its end also when it is no longer wanted: the next one answers the next
        turn.

        Raises
            SonioxError: the program has ended with an error.
        """
        if not self._say(" ".join(text.split())):
            return
        line = self._line()
        try:
            yield from line
        except GeneratorExit:
            while self._is_in_line:
                for _ in self._line():
                    pass
            raise

    def _say(self, line: str) -> bool:
        try:
            _pipe(self._process.stdin).write(f"{line}\n".encode())
        except (BrokenPipeError, ValueError):
            self._ended()
            return False
        return True

    def _line(self) -> Iterator[str]:
        """Yield what comes of a line, to its end or that of the program."""
        self._is_in_line = True
        while True:
            piece, end, self._waiting = self._waiting.partition("\n")
            if end or self.is_over:
                self._is_in_line = False
            if piece.strip("\r"):
                yield piece.replace("\r", "")
            if not self._is_in_line:
                return
            data = self._read()
            self._waiting = self._decoder.decode(data, final=not data)
            if not data:
                self._ended()

    def _read(self) -> bytes:
        """Return what it writes next; nothing at its end, or once it was closed."""
        try:
            return _pipe(self._process.stdout).read(_CHUNK) or b""
        except ValueError:  # closed: the conversation is over, and this its last reply
            return b""

    def _ended(self) -> None:
        """Note that the program has ended, or raise if it has failed."""
        self.is_over = True
        self._is_in_line = False
        try:
            code: Optional[int] = self._process.wait(_END_SEC)
        except subprocess.TimeoutExpired:
            code = None  # it has only closed its output
        if code:
            raise SonioxError(f"the reply command {self._name} ended with code {code}")

    def __enter__(self) -> ReplyCommand:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End the program: close its input, then ask it, then kill it."""
        process = self._process
        try:
            _pipe(process.stdin).close()
        except OSError:
            pass  # it is gone, with what was not written
        for end in (process.terminate, process.kill):
            try:
                process.wait(_END_SEC)
                break
            except subprocess.TimeoutExpired:
                end()
        process.wait()
        _pipe(process.stdout).close()


def _pipe(pipe: Optional[IO[bytes]]) -> IO[bytes]:
    assert pipe is not None  # it was asked for
    return pipe
