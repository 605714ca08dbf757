"""Where lines of a trace go: a file at a path, a file object, or a callable."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import time
import weakref
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple, Optional, Protocol, Union

from ..._support.checks import function, path, wrong_type
from ..._support.locks import new_lock, new_rlock
from ...errors import ConfigurationError
from .. import forks

Fields = dict[str, Any]


class Copies(NamedTuple):
    """Lines with JSON that exists already, such as that of messages as they were received.

    Each line is `head`, without the opening brace, then a payload, then a closing brace.
    """

    head: bytes
    payloads: Sequence[bytes]


Line = Union[Fields, Copies]

# only the owner may read what was said
_MODE = 0o600
_NO_FILE = "it is a pipe or a socket, not a file"
# the wall clock may be set; lines of one process must not go back in time
_EPOCH = time.time() - time.monotonic()


def now() -> float:
    """Return seconds since 1970 that never run backwards in this process."""
    return _EPOCH + time.monotonic()


class Output(Protocol):
    """Where lines go. Thread-safe."""

    takes_copies: bool  # whether it accepts `Copies`
    remedy: str  # what to do after a failure

    def open(self, header: Fields) -> None:
        """Write the header unless this process has written one like it.

        Raises
            ConfigurationError: the file cannot be opened.
        """

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines, each with the clock and the process id. Raises anything."""

    def close(self) -> None:
        """Close what was opened here. Lines that come later are written all the same."""


class FileOutput:
    """File at a path, appended to; created with mode 0600. Shared by the clients of a process."""

    takes_copies = True
    remedy = "free some disk space, or choose another file"

    def __init__(self, path: str) -> None:
        self._path = path
        # Guards the fields below but `_stays_open`, and keeps the lines of a process in the order
        # of their clocks. Held while a file is opened or written to, so `close()` does not wait for
        # it. Leaf. Reentrant, because the garbage collector may close a response, and so write a
        # line, in any thread.
        self._lock = new_rlock()
        self._fd: Optional[int] = None
        self._stays_open = False
        self._close: Optional[weakref.finalize[..., FileOutput]] = None
        self._pid = os.getpid()
        forks.register(self._invalidate)

    @classmethod
    def at(cls, path: str) -> FileOutput:
        """Return the output for a path, the same for all clients."""
        return _files.at(os.path.abspath(path))

    def open(self, header: Fields) -> None:
        """Open the file, and write the header unless this process has written one like it.

        Raises
            ConfigurationError: it cannot be opened.
        """
        with self._lock:
            self._stays_open = True
            try:
                if self._was_moved():
                    self._close_now()
                descriptor = self._open()
            except OSError as error:
                raise ConfigurationError(
                    f"trace: {self._path} cannot be opened ({error.strerror or error}): choose a "
                    "file in a folder that exists and that you may write to"
                ) from error
            # a file that was moved away or emptied, by hand or by logrotate, begins anew
            kind = os.fstat(descriptor)
            emptied = stat.S_ISREG(kind.st_mode) and kind.st_size == 0
            if _files.is_new(self._path, header) or emptied:
                self.write([header])
        self._close_unless_open()

    def _was_moved(self) -> bool:
        if self._fd is None:
            return False
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except OSError:
            return True  # no file is there now

    def _open(self) -> int:
        with self._lock:
            if self._fd is None:
                self._fd = _open_file(self._path)
                self._close = weakref.finalize(self, os.close, self._fd)
            return self._fd

    def write(self, lines: Sequence[Line]) -> None:
        """Append lines in one write, so that those of other processes come before or after."""
        encoded = [_encoded(line) for line in lines]
        with self._lock:
            descriptor = self._open() if self._fd is None else self._fd
            stamp = _stamp(self._pid)
            data = b"".join([_stamped(line, stamp) for line in encoded])
            while data:
                data = data[os.write(descriptor, data) :]
        self._close_unless_open()

    def close(self) -> None:
        """Close the file. Until the next `open()` it is open for single lines only.

        Does not wait for a write that blocks: the thread that writes closes the file then.
        """
        self._stays_open = False
        self._close_unless_open()

    def _close_unless_open(self) -> None:
        # Whoever has the lock calls this after releasing it: one of the two sees the other's
        # change. Without the lock it is not free, so somebody else has it.
        if not self._stays_open and self._lock.acquire(blocking=False):
            try:
                if not self._stays_open:
                    self._close_now()
            finally:
                self._lock.release()

    def _close_now(self) -> None:
        with self._lock:
            close, self._close, self._fd = self._close, None, None
        if close is not None:
            close()

    def _invalidate(self) -> None:
        """Open the file anew in a forked child, which writes a header of its own."""
        self._pid = os.getpid()
        self.close()

    def __repr__(self) -> str:
        return self._path


class _Files:
    """Files of this process by path: their clients share descriptor, lock and header."""

    def __init__(self) -> None:
        self._outputs: weakref.WeakValueDictionary[str, FileOutput] = weakref.WeakValueDictionary()
        # Guards the fields of this object. Leaf.
        self._lock = new_lock()
        self._invalidate()
        forks.register(self._invalidate)

    def _invalidate(self) -> None:
        """Begin without headers: at first, and in a forked child."""
        self._headers: list[tuple[str, Fields]] = []

    def at(self, path: str) -> FileOutput:
        """Return the output for a path."""
        with self._lock:
            found = self._outputs.get(path)
            if found is None:
                found = self._outputs[path] = FileOutput(path)
            return found

    def is_new(self, path: str, header: Fields) -> bool:
        """Return whether this header is to be written to a file, once."""
        with self._lock:
            if (path, header) in self._headers:
                return False
            self._headers.append((path, header))
            return True


_files = _Files()


class _GivenOutput:
    """Object of the user, which is open already and stays open."""

    def __init__(self) -> None:
        # Guards _headers, and keeps the lines of a file object in the order of their clocks. Held
        # while the header is written and while a file object is written to, which may block as long
        # as the user's object does. Leaf. Reentrant as in `FileOutput`.
        self._lock = new_rlock()
        self._invalidate()
        forks.register(self._invalidate)

    def _invalidate(self) -> None:
        """Begin without a header: at first, and in a forked child."""
        self._headers: list[Fields] = []
        self._pid = os.getpid()

    def open(self, header: Fields) -> None:
        """Write the header unless this process has written one like it."""
        with self._lock:
            if header not in self._headers:
                self._headers.append(header)
                self.write([header])

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines."""
        raise NotImplementedError

    def close(self) -> None:
        """Do nothing: the object belongs to the user."""


class ObjectOutput(_GivenOutput):
    """File object, text or binary."""

    takes_copies = True
    remedy = "pass a file object that stays open and can be written to"

    def __init__(self, file: Any) -> None:
        self._file = file
        self._is_text = isinstance(file, io.TextIOBase) or hasattr(file, "encoding")
        encoding = getattr(file, "encoding", None) or "utf-8"
        self._is_unicode = not self._is_text or str(encoding).lower().startswith("utf")
        super().__init__()

    def write(self, lines: Sequence[Line]) -> None:
        """Write each line in a call of its own, then flush."""
        encoded = [_encoded(line) for line in lines]
        with self._lock:
            stamp = _stamp(self._pid)
            for line in b"".join([_stamped(line, stamp) for line in encoded]).splitlines(True):
                self._write(line)
            flush = getattr(self._file, "flush", None)
            if callable(flush):
                flush()

    def _write(self, line: bytes) -> None:
        if self._is_text:
            text = line.decode("utf-8")
            if not self._is_unicode and not text.isascii():
                text = json.dumps(json.loads(text)) + "\n"
            self._file.write(text)
            return
        while line:
            count = self._file.write(line)
            if not isinstance(count, int):
                return  # an object that does not say took all of it
            line = line[count:]

    def __repr__(self) -> str:
        return "file object"


class CallableOutput(_GivenOutput):
    """Callable, which gets each line as a dict, from several threads at once."""

    takes_copies = False
    remedy = "pass a callable that does not raise"

    def __init__(self, call: Callable[[Fields], object]) -> None:
        self._call = call
        super().__init__()

    def write(self, lines: Sequence[Line]) -> None:
        """Call the callable once for each line."""
        for line in lines:
            assert isinstance(line, dict)
            self._call({"kind": line["kind"], "clock": now(), "pid": self._pid, **line})

    def __repr__(self) -> str:
        return "callable"


def output_for(destination: Any) -> Output:
    """Return where the lines of `trace=` go; opens nothing.

    Raises
        InputTypeError: neither a path, a file object nor a callable.
        ConfigurationError: a path that cannot be one.
    """
    if isinstance(destination, (str, os.PathLike)):
        path("trace", destination)
        return FileOutput.at(os.fsdecode(destination))
    if callable(getattr(destination, "write", None)):
        return ObjectOutput(destination)
    if not callable(destination):
        raise wrong_type("trace", "a path, a file object or a callable", destination)
    function("trace", destination)
    return CallableOutput(destination)


def _open_file(path: str) -> int:
    """Return a descriptor to append to a file, or to a device such as `/dev/null`.

    A pipe or a socket would block whoever connects, sends or receives as long as its reader likes.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    nonblocking = getattr(os, "O_NONBLOCK", 0)  # or opening a FIFO waits for its reader
    try:
        descriptor = os.open(path, flags | nonblocking, _MODE)  # not inherited by other programs
    except OSError as error:
        if error.errno == errno.ENXIO:  # a FIFO without a reader, or a socket
            raise OSError(errno.ENXIO, _NO_FILE) from error
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISCHR(mode):
            raise OSError(errno.EINVAL, _NO_FILE)
        if nonblocking:
            os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _stamp(pid: int) -> bytes:
    return b'{"clock":%.6f,"pid":%d,' % (now(), pid)


def _encoded(line: Line) -> Union[bytes, Copies]:
    if isinstance(line, Copies):
        return line
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)
    # half of a surrogate pair becomes \ud800, which is how JSON spells it
    return text[1:].encode("utf-8", "backslashreplace") + b"\n"


def _stamped(line: Union[bytes, Copies], stamp: bytes) -> bytes:
    if isinstance(line, bytes):
        return stamp + line
    start, end = stamp + line.head, b"}\n"
    return b"".join((start, (end + start).join(line.payloads), end))
