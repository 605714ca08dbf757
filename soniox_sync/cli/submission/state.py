"""The file of `--state`: what has been submitted, so that a run that was cut can go on.

Before anything of an item is sent, the file says so, with the reference that the service will store
with it (`sending`). After a kill between sending and answer, the job can be looked up by that.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, Optional

from ..console import OutputFailed, UsageError
from ..inputs import is_url

__all__ = [
    "COMPLETED",
    "FAILED",
    "NEW",
    "SENDING",
    "SUBMITTED",
    "Item",
    "State",
    "StateFile",
    "key_of",
    "now",
]

_VERSION = 1
# Status of an item, in the order of its life: `failed` is the service's own and final answer. An
# item whose upload or request failed is `new` or `sending` again, with its `error`.
NEW, SENDING, SUBMITTED, COMPLETED, FAILED = "new", "sending", "submitted", "completed", "failed"


@dataclass
class Item:
    """One input and how far it has come.

    `key`: what it is known by, an absolute path, a URL, or `id:` and the id of an uploaded file.
    `reference`: sent as `client_reference_id`; `is_named`: it is this item's alone. `since`: when
    it was sent, in seconds since 1970. `output`: where its transcript is written.
    """

    key: str
    reference: Optional[str] = None
    is_named: bool = False
    status: str = NEW
    size: Optional[int] = None
    file_id: Optional[str] = None
    job_id: Optional[str] = None
    since: Optional[float] = None
    output: Optional[str] = None
    error: Optional[str] = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in (COMPLETED, FAILED)

    @property
    def name(self) -> str:
        """Name for messages: a URL, an id, or a path, relative to this folder if it is in there."""
        if self.key.startswith("id:") or is_url(self.key):
            return self.key[len("id:") :] if self.key.startswith("id:") else self.key
        try:
            relative = os.path.relpath(self.key)
        except ValueError:  # another drive on Windows
            return self.key
        return self.key if relative.startswith(os.pardir) else relative


def key_of(source: str) -> str:
    """Return what an input is known by."""
    return source if is_url(source) or source.startswith("id:") else os.path.realpath(source)


class State:
    """Items of a run, in memory. For the main thread."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options: dict[str, Any] = dict(options)
        self.items: dict[str, Item] = {}

    def add(self, source: str, reference: Optional[str]) -> Item:
        """Return the item of an input; a new one, or one whose file has changed, is to be sent."""
        key = key_of(source)
        size = os.path.getsize(source) if os.path.isfile(source) else None
        item = self.items.get(key)
        if item is None or item.size != size:
            item = self.items[key] = Item(key, reference, size=size)
        return item

    def save(self) -> None:
        """Do nothing: without `--state` nothing is kept."""

    def close(self) -> None:
        """Do nothing."""


class StateFile(State):
    """Items of a run, kept in a file that is replaced as a whole, and locked meanwhile.

    Raises
        UsageError: the file is in use, of another kind, or of a run with other options.
    """

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        if not path or os.path.isdir(path):
            raise UsageError("--state needs the name of a file")
        if os.path.islink(path):  # two names of one file are one run
            path = os.path.realpath(path)
        self._path = path
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
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.load(file)
            version, options = found["version"], dict(found["options"])
            items = [_item(each) for each in found["items"]]
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"cannot read {self._path}: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UsageError(f"--state: {self._path} is not the state of a run of jobs") from error
        if version != _VERSION:
            raise UsageError(f"--state: {self._path} is of another version of soniox-sync")
        if options != json.loads(json.dumps(self.options)):
            raise UsageError(
                f"--state: the run of {self._path} has other options ({_shown(options)}): repeat "
                "those, or name another file"
            )
        self.items: dict[str, Item] = {item.key: item for item in items}

    def save(self) -> None:
        """Replace the file; it is whole at every moment, and on the disk when this returns.

        Raises
            OutputFailed: it cannot be written.
        """
        head = {"version": _VERSION, "options": self.options}
        lines = ",\n".join(self._line(item) for item in self.items.values())
        text = f'{json.dumps(head)[:-1]}, "items": [\n{lines}\n]}}\n'
        if text == self._text:
            return
        part = f"{self._path}.part"
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._path)
            self._text = text
        except OSError as error:
            raise OutputFailed(f"cannot write {self._path}: {error.strerror}") from error

    def _line(self, item: Item) -> str:
        values = asdict(item)
        known = self._written.get(item.key)
        if known is None or known[0] != values:
            given = {name: value for name, value in values.items() if value is not None}
            known = self._written[item.key] = (values, json.dumps(given))
        return known[1]

    def close(self) -> None:
        """Let others use the file."""
        self._lock.close()


# what the fields of an item may be, besides absent; a bool is no number here
_TEXTS = ("key", "reference", "status", "file_id", "job_id", "output", "error")
# seconds since 1970: later than this nothing was sent
_LATEST = 1e11


def _item(given: Mapping[str, Any]) -> Item:
    """Return an item of the file. Raises `TypeError` or `ValueError` if it is none."""
    item = Item(**given)
    for name in _TEXTS:
        value = getattr(item, name)
        if not (isinstance(value, str) or (value is None and name not in ("key", "status"))):
            raise TypeError(name)
    if type(item.is_named) is not bool or type(item.size) not in (int, type(None)):
        raise TypeError("is_named, size")
    if item.status not in (NEW, SENDING, SUBMITTED, COMPLETED, FAILED):
        raise ValueError("status")
    if item.since is not None:
        if type(item.since) not in (int, float):
            raise TypeError("since")
        if not 0 <= item.since <= _LATEST:  # nor is NaN
            raise ValueError("since")
    return item


class _Lock:
    """Lock on a state file, which ends with the process: two runs would submit twice."""

    def __init__(self, path: str) -> None:
        self._name = f"{path}.lock"
        try:
            self._file: IO[bytes] = open(self._name, "ab")  # noqa: SIM115 - held until `close`
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error
        try:
            _lock(self._file)
            # whoever held it may have removed the file that was just opened
            is_same = os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._name))
        except OSError:
            is_same = False
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
