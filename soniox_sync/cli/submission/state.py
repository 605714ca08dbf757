"""The file of `--state`: what has been submitted, so that a run that was cut can go on.

Before anything of an item is sent, the file says so, with the reference that the service will store
with it (`sending`). After a kill between sending and answer, the job can be looked up by that.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import IO, Any, Optional

from ..console import OutputFailed, UsageError
from ..inputs import Input
from .items import Item, key_of
from .reading import VERSION, read_state

__all__ = ["State", "StateFile", "now"]


class State:
    """Items of a run, in memory. For the main thread."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options: dict[str, Any] = dict(options)
        self.items: dict[str, Item] = {}

    def add(self, each: Input, reference: Optional[str]) -> Item:
        """Return the item of an input; a new one, or one whose file has changed, is to be sent."""
        key = key_of(each.source)
        size = os.path.getsize(each.source) if os.path.isfile(each.source) else None
        item = self.items.get(key)
        if item is None or item.size != size:
            item = self.items[key] = Item(key, reference, size=size)
        item.folder = each.folder or None
        return item

    def save(self) -> None:
        """Do nothing: without `--state` nothing is kept."""

    def close(self) -> None:
        """Do nothing."""


class StateFile(State):
    """Items of a run, kept in a file that is replaced as a whole, and locked meanwhile.

    `service`: URL of the service that the jobs are sent to.

    Raises
        UsageError: the file is in use, of another kind, damaged, or of a run with other options or
            another service.
    """

    def __init__(self, path: str, options: Mapping[str, Any], service: str) -> None:
        super().__init__(options)
        if not path or os.path.isdir(path):
            raise UsageError("--state needs the name of a file")
        if os.path.exists(path) and not os.path.isfile(path):
            raise UsageError(f"--state: {path} is a device or a pipe, which cannot keep a state")
        if os.path.islink(path):  # two names of one file are one run
            path = os.path.realpath(path)
        self._path = path
        self._service = service
        self._lock = _Lock(path)
        try:
            self._load()
        except BaseException:
            self._lock.close()
            raise
        # of each item what was written last, so that a long list need not be written anew
        self._written: dict[str, tuple[dict[str, Any], str]] = {}
        self._text = ""

    def _load(self) -> None:
        stored = read_state(self._path)
        if stored is None:
            return
        if stored.options != json.loads(json.dumps(self.options)):
            raise UsageError(
                f"--state: the run of {self._path} has other options ({_shown(stored.options)}): "
                "repeat those, or name another file"
            )
        if stored.service not in (None, self._service):
            raise UsageError(
                f"--state: the jobs of {self._path} are at {stored.service}, not at "
                f"{self._service}: use the same --region and variables, or name another file"
            )
        self.items: dict[str, Item] = stored.items

    def save(self) -> None:
        """Replace the file; it is whole at every moment, and on the disk when this returns.

        Raises
            OutputFailed: it cannot be written.
        """
        head = {"version": VERSION, "options": self.options, "service": self._service}
        lines = ",\n".join(self._line(item) for item in self.items.values())
        text = f'{json.dumps(head)[:-1]}, "items": [\n{lines}\n]}}\n'
        if text == self._text:
            return
        try:
            self._replace(text)
            self._text = text
        except OSError as error:
            raise OutputFailed(f"cannot write {self._path}: {error.strerror}") from error

    def _replace(self, text: str) -> None:
        part = f"{self._path}.part"
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileNotFoundError):  # the first time
                shutil.copymode(self._path, part)
            os.replace(part, self._path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise

    def _line(self, item: Item) -> str:
        values = asdict(item)
        known = self._written.get(item.key)
        if known is None or known[0] != values:
            given = {
                name: value
                for name, value in values.items()
                if value is not None and value is not False
            }
            known = self._written[item.key] = (values, json.dumps(given))
        return known[1]

    def close(self) -> None:
        """Let others use the file."""
        self._lock.close()


# another process holds a lock; EDEADLOCK is that of Windows
_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, getattr(errno, "EDEADLOCK", errno.EAGAIN)}


class _Lock:
    """Lock on a state file, which ends with the process: two runs would submit twice."""

    def __init__(self, path: str) -> None:
        self._name = f"{path}.lock"
        try:
            self._file: IO[bytes] = open(self._name, "ab")  # noqa: SIM115 - held until `close`
        except (OSError, ValueError) as error:  # ValueError: a null character in the name
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"cannot write {path}: {reason}") from error
        try:
            _lock(self._file)
            # whoever held it may have removed the file that was just opened
            is_same = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._name))
        except FileNotFoundError:
            is_same = False
        except OSError as error:
            is_same = False
            if error.errno not in _HELD:
                self._file.close()
                raise UsageError(f"--state: {path} cannot be locked: {error.strerror}") from error
        if not is_same:
            self._file.close()
            raise UsageError(f"--state: {path} is in use by another run")

    def close(self) -> None:
        """Release the lock and remove its file."""
        with suppress(OSError):  # on Windows an open file stays
            os.unlink(self._name)
        self._file.close()


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _shown(options: Mapping[str, Any]) -> str:
    """Return the options of a run as they were given."""
    parts = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            option += f" {value}"
        elif isinstance(value, list):
            option = " ".join(f"{option} {each}" for each in value)
        parts.append(option)
    return " ".join(parts) or "none"


def now() -> float:
    """Return the time that a later run can compare with."""
    return time.time()
