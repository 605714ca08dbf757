"""Copying what cannot seek, such as a pipe, to a temporary file: its length must be known."""

from __future__ import annotations

import tempfile
import threading
from typing import Any, BinaryIO, Optional

from .._support.checks import refused, wrong_type
from .._support.locks import new_lock
from ..cancel import CancelToken
from ..errors import ConfigurationError
from ..transport.deadline import Deadline, wait_for
from ..transport.latch import Latch

# large enough for few calls, small enough to notice a cancel soon
BLOCK_BYTES = 256 * 1024
MAX_BYTES = 1024**3  # PROTOCOL 5.2


def copied(
    file: Any, argument: str, cancel: Optional[CancelToken], *, close: bool = False
) -> BinaryIO:
    """Return a temporary file with the rest of `file`, at its start; `close` closes `file`.

    With `cancel` a thread reads, because a read of a pipe cannot be interrupted: after a cancel it
    is left to end with its read.

    Raises
        ConfigurationError: it has more than the service takes; at most that much is read.
        InputTypeError: it is not binary.
        AbortError: after a cancel.
    """
    copy = _Copy(file, argument, close)
    if cancel is None:
        copy.run()
    else:
        copy.run_until(cancel)
    return copy.result()


def too_large(argument: str, size: str) -> ConfigurationError:
    """Return the error for a file of more bytes than the service takes."""
    advice = "it is too large for the service"
    return refused(argument, f"at most {MAX_BYTES} bytes", size, advice)


class _Copy:
    """Copy being made."""

    def __init__(self, file: Any, argument: str, close: bool) -> None:
        self._file = file
        self._close = close
        self._argument = argument
        self._copy: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - returned
        self._error: Optional[BaseException] = None
        # Guards _over and _abandoned: whoever comes second closes the copy. Leaf.
        self._lock = new_lock()
        self._over = False
        self._abandoned = False

    def run(self) -> None:
        """Copy, in the thread that calls this; an exception is kept for `result()`."""
        try:
            self._read_all()
            self._copy.seek(0)
        except BaseException as error:  # noqa: BLE001 - raised by result()
            self._error = error
        if self._close:  # here, because closing waits for a read in another thread
            self._file.close()
        with self._lock:
            self._over = True
            if self._error is not None or self._abandoned:
                self._copy.close()

    def run_until(self, cancel: CancelToken) -> None:
        """Copy in a thread, until it is done or a token is cancelled."""
        woken = Latch()

        def run() -> None:
            self.run()
            woken.set()

        undo = cancel.on_cancel(woken.set)
        threading.Thread(target=run, name="soniox-upload", daemon=True).start()
        try:
            wait_for(woken, Deadline(None))
            cancel.raise_if_cancelled()
        except BaseException:  # Ctrl-C, too
            self._abandon()
            raise
        finally:
            undo()

    def _abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            if self._over:
                self._copy.close()

    def result(self) -> BinaryIO:
        """Return the copy, or raise what ended it."""
        if self._error is not None:
            raise self._error
        return self._copy

    def _read_all(self) -> None:
        size = 0
        while not self._abandoned:
            block = self._file.read(BLOCK_BYTES)
            if not isinstance(block, (bytes, bytearray, memoryview)):
                # `None`: it does not wait for data, and so its end cannot be told from a pause
                expected = "a binary file object whose read() waits for bytes and returns them"
                raise wrong_type(self._argument, expected, block)
            if not block:
                return
            size += len(block)
            if size > MAX_BYTES:
                raise too_large(self._argument, f"more than {MAX_BYTES}")
            self._copy.write(block)
