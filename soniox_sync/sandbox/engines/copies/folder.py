"""Folder in which processes of one user share the speech that they have synthesised.

A file is written under a temporary name and then renamed, and carries a digest of its content: a
reader never sees half of one, and skips what it cannot read. Nothing in this module needs numpy.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional, Union

from ...._support.locks import new_lock

__all__ = ["ENV_CACHE", "SpeechFolder", "StoredSpeech", "default_folder"]

ENV_CACHE = "SONIOX_SYNC_CACHE"
"""Variable with the folder of the command line; empty: none."""

log: logging.Logger = logging.getLogger("soniox_sync.sandbox")

# changes with the content of the files: other versions skip what they do not know
_MAGIC = b"soniox-sync speech 1\n"
_DIGEST_BYTES = 16
_SUFFIX = ".speech"
_TEMPORARY = ".speech-"
# A temporary file this old is that of a process that was killed.
_ABANDONED_SEC = 3600.0
# the folder's size is checked with the first file, and then after this many
_FILES_PER_CHECK = 32
# Two changes within the resolution of the folder's time look like one: FAT has 2 s.
_TIME_RESOLUTION_NS = 3_000_000_000


def default_folder() -> Optional[Path]:
    """Return the folder of the command line: in the user's cache folder, or where a variable says.

    `None` if the variable SONIOX_SYNC_CACHE is empty, or there is no home folder.
    """
    told = os.environ.get(ENV_CACHE)
    if told is not None:
        return Path(told, "speech") if told else None
    base = _user_cache()
    return None if base is None else base / "soniox-sync" / "speech"


def _user_cache() -> Optional[Path]:
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(xdg):  # the specification: a relative path is to be ignored
        return Path(xdg)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else None
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        return None
    return Path(home, "Library", "Caches") if sys.platform == "darwin" else Path(home, ".cache")


class StoredSpeech(NamedTuple):
    """Content of one file."""

    name: str
    written_ns: int
    """When it was written, in nanoseconds since the epoch."""
    data: bytes


class _File(NamedTuple):
    path: str
    written_ns: int
    size: int


class SpeechFolder:
    """Bounded folder of speech. Thread-safe; any number of processes may use it at once.

    `max_bytes` and `max_age_sec` limit what it keeps: the oldest is dropped, and what was spoken
    again counts as new. 64 MiB are about an hour of speech. A folder that cannot be used is one
    warning in the log, and from then on a folder without files.
    """

    def __init__(
        self,
        path: Union[str, os.PathLike[str]],
        *,
        max_bytes: int = 64 << 20,
        max_age_sec: float = 30 * 86_400,
    ) -> None:
        self._path = Path(path)
        self._max_bytes = max_bytes
        self._max_age_sec = max_age_sec
        # Guards the fields below, and serialises the use of the folder. Leaf.
        self._lock = new_lock()
        self._usable: Optional[bool] = None  # not tried yet
        self._written = 0
        # what was read or written, by name
        self._known: dict[str, int] = {}
        # the folder's time when it was last read, and when that was
        self._stamp, self._read_ns = 0, 0

    def write(self, name: str, data: bytes) -> None:
        """Store speech under a name of its own; another file of that name is replaced."""
        with self._lock:
            if not self._is_usable():
                return
            try:
                self._write(name, data)
                if self._written % _FILES_PER_CHECK == 0:
                    self._prune()
            except OSError as error:
                self._give_up(error)
            self._written += 1

    def read_new(self) -> list[StoredSpeech]:
        """Return what others have written since the last call, the oldest first."""
        with self._lock:
            if not self._is_usable():
                return []
            try:
                return list(self._read_new())
            except OSError as error:
                self._give_up(error)
                return []

    def clear(self) -> int:
        """Remove all speech; return the number of files.

        Raises
            OSError: one cannot be removed.
        """
        with self._lock:
            if not self._path.is_dir():
                return 0
            found = [*self._files(_SUFFIX), *self._files("", _TEMPORARY)]
            for file in found:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file.path)
            self._known.clear()
            return sum(file.path.endswith(_SUFFIX) for file in found)

    def __repr__(self) -> str:
        return f"<SpeechFolder {self._path}>"

    # --- under _lock

    def _is_usable(self) -> bool:
        if self._usable is None:
            self._usable = True
            try:
                _make_private(self._path)
            except OSError as error:
                self._give_up(error)
        return self._usable

    def _give_up(self, error: OSError) -> None:
        self._usable = False
        log.warning(
            "the folder %s cannot be used (%s): this process remembers what it speaks, but "
            "neither hears what others spoke nor tells them",
            self._path,
            error.strerror or error,
        )

    def _write(self, name: str, data: bytes) -> None:
        target = self._path / (name + _SUFFIX)
        descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._path)
        try:
            with open(descriptor, "wb") as file:
                file.write(_MAGIC + _digest(data) + data)
            os.replace(temporary, target)
            self._known[target.name] = target.stat().st_mtime_ns
        except FileNotFoundError:
            return  # another process has just cleared the folder
        except PermissionError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            # Windows: a reader has it open, and so it is there already
            if not target.exists():
                raise
        except BaseException:  # also Ctrl-C: nothing half written stays
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _read_new(self) -> Iterator[StoredSpeech]:
        stamp = os.stat(self._path).st_mtime_ns
        if stamp == self._stamp and self._read_ns > stamp + _TIME_RESOLUTION_NS:
            return
        self._stamp, self._read_ns = stamp, time.time_ns()
        oldest = self._read_ns - int(self._max_age_sec * 1e9)
        for file in self._files(_SUFFIX):
            name = os.path.basename(file.path)
            if file.written_ns < oldest or self._known.get(name) == file.written_ns:
                continue
            self._known[name] = file.written_ns
            data = _content(file.path)
            if data is not None:
                yield StoredSpeech(name[: -len(_SUFFIX)], file.written_ns, data)

    def _files(self, suffix: str, prefix: str = "") -> list[_File]:
        """Return the files of the folder, the oldest first."""
        found = []
        with os.scandir(self._path) as entries:
            for entry in entries:
                if entry.name.endswith(suffix) and entry.name.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):  # another process has dropped it
                        info = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(info.st_mode):
                            found.append(_File(entry.path, info.st_mtime_ns, info.st_size))
        return sorted(found, key=lambda file: file.written_ns)

    def _prune(self) -> None:
        now = time.time_ns()
        files = self._files(_SUFFIX)
        left = sum(file.size for file in files)
        for file in files:
            old = now - file.written_ns > self._max_age_sec * 1e9
            if not old and left <= self._max_bytes:
                break
            left -= file.size
            _remove(file.path)
        for file in self._files("", _TEMPORARY):
            if now - file.written_ns > _ABANDONED_SEC * 1e9:
                _remove(file.path)


def _make_private(path: Path) -> None:
    """Make the folder, for this user alone.

    Raises
        OSError: that is not possible, or it is somebody else's.
    """
    os.makedirs(path, mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        info = os.stat(path)
        if info.st_uid != os.getuid():
            raise PermissionError(0, "it belongs to another user")
        if stat.S_IMODE(info.st_mode) & 0o077:
            os.chmod(path, 0o700)


def _content(path: str) -> Optional[bytes]:
    """Return the content of a file, `None` if it is gone, incomplete, or of another version."""
    try:
        with open(path, "rb") as file:
            whole = file.read()
    except (FileNotFoundError, PermissionError):
        return None  # dropped meanwhile; on Windows also while it is being dropped
    start = len(_MAGIC) + _DIGEST_BYTES
    data = whole[start:]
    return data if whole[:start] == _MAGIC + _digest(data) else None


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _remove(path: str) -> None:
    # gone already, or on Windows still open in another process: the next check sees it again
    with contextlib.suppress(FileNotFoundError, PermissionError):
        os.unlink(path)
