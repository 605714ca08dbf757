"""Files named on the command line: patterns and folders expanded, each file once."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..audio.formats import ASYNC_CONTAINERS
from .console import InputError

__all__ = ["Input", "Inputs", "Unusable", "expanded", "is_url"]

# Endings of the files that are taken from a folder, with other names of the same containers.
_SUFFIXES = {f".{name}" for name in ASYNC_CONTAINERS} | {".aif", ".oga", ".opus"}


@dataclass(frozen=True)
class Input:
    """One input. `source`: path, URL, or `-` for stdin. `folder`: its folder below a given one."""

    source: str
    folder: str = ""

    @property
    def stem(self) -> str:
        """Name for what is made of it: without folders, and without the suffix."""
        return os.path.splitext(self.name)[0] or self.name

    @property
    def name(self) -> str:
        """Last part of the path or URL."""
        if self.source == "-":
            return "stdin"
        path = self.source.partition("?")[0] if is_url(self.source) else self.source
        return os.path.basename(path.rstrip("/")) or "audio"


@dataclass(frozen=True)
class Unusable:
    """Argument that stands for no input, and why: a file that is not there, for example."""

    source: str
    error: InputError


@dataclass(frozen=True)
class Inputs:
    """Inputs that the arguments stand for, and the arguments that stand for none."""

    usable: list[Input]
    unusable: list[Unusable]

    @property
    def total(self) -> int:
        """Number of both: what the command line is about."""
        return len(self.usable) + len(self.unusable)


def is_url(source: str) -> bool:
    """Return whether a source is a URL."""
    return source.lower().startswith(("http://", "https://"))


def expanded(sources: Sequence[str], *, folders: bool, urls: bool) -> Inputs:
    """Return the inputs that the arguments stand for, in their order, each file once.

    A pattern such as `*.wav`, which a shell has left to us, stands for the files it matches. With
    `folders` a folder stands for the audio files in it, at any depth. One that is missing does not
    keep the others from being done.

    Raises
        InputError: there are only arguments that stand for no input: a file that cannot be read, a
            pattern that matches nothing, a folder without audio.
    """
    found = Inputs([], [])
    seen: set[str] = set()
    for source in dict.fromkeys(sources):
        try:
            each_of = list(_inputs(source, folders=folders, urls=urls))
        except InputError as error:
            found.unusable.append(Unusable(source, error))
            continue
        for each in each_of:
            known = _identity(each.source)
            if known in seen:
                continue
            seen.add(known)
            try:
                _check_usable(each.source, regular=folders)
                found.usable.append(each)
            except InputError as error:
                found.unusable.append(Unusable(each.source, error))
    if found.unusable and not found.usable:
        raise InputError("; ".join(str(each.error) for each in found.unusable))
    return found


def _identity(source: str) -> str:
    try:
        return source if is_url(source) else os.path.realpath(source)
    except ValueError:  # a null character
        return source


def _inputs(source: str, *, folders: bool, urls: bool) -> Iterator[Input]:
    if source == "-" or (is_url(source) and urls):
        yield Input(source)
    elif not source:
        raise InputError("the name of a file is empty")
    elif os.path.isdir(source):
        yield from _folder(source, folders=folders)
    elif os.path.lexists(source) or not glob.has_magic(source) or is_url(source):
        yield Input(source)
    else:
        matches = [path for path in sorted(glob.glob(source, recursive=True)) if _is_file(path)]
        if not matches:
            raise InputError(f"no file matches {source}")
        yield from map(Input, matches)


def _folder(top: str, *, folders: bool) -> Iterator[Input]:
    if not folders:
        raise InputError(
            f"cannot read {top}: it is a folder; name its files ({os.path.join(top, '*.wav')}), "
            f"or let the service read them: soniox-sync jobs submit {top}"
        )
    found = False
    for path, names, files in os.walk(top):
        names[:] = sorted(name for name in names if not name.startswith("."))
        inside = os.path.relpath(path, top)
        for name in sorted(files):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in _SUFFIXES and not name.startswith("."):
                found = True
                yield Input(os.path.join(path, name), "" if inside == os.curdir else inside)
    if not found:
        known = " ".join(sorted(_SUFFIXES))
        raise InputError(f"no audio files in {top}: none ends with {known}")


def _is_file(path: str) -> bool:
    return not os.path.isdir(path)


def _check_usable(path: str, *, regular: bool) -> None:
    """Refuse a file that is not there, such as a link to nothing in a folder.

    `regular`: also one that cannot be read twice, a pipe for example.
    """
    if is_url(path) or path == "-":
        return  # refused where it is opened, with the way out
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}") from error
    if regular and not stat.S_ISREG(mode):
        raise InputError(f"cannot submit {path}: it is a pipe or a device; save it in a file first")
