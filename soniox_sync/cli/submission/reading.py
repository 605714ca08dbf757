"""Reading the file of `--state`: damage is refused, for what it hides might be submitted twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple, Optional

from ..._support.reprs import shortened
from ..console import UsageError
from ..inputs import is_url
from .items import NEW, SENDING, STATUSES, Item

__all__ = ["VERSION", "Stored", "read_state"]

VERSION = 1
# a longer value would bury the rest of the message
_SHOWN_CHARS = 60
# seconds since 1970, of the year 30,000
_LATEST = 1e12
_WAY_OUT = (
    "nothing was submitted; correct the file, or name another one, with which all files are "
    "submitted anew"
)


class Stored(NamedTuple):
    """Content of a state file. `service`: URL of the service that has the jobs, if it is known."""

    options: dict[str, Any]
    service: Optional[str]
    items: dict[str, Item]


def read_state(path: str) -> Optional[Stored]:
    """Return the content of a state file, `None` if it does not exist.

    Raises
        UsageError: it cannot be read, is of another kind or version, or damaged.
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _not_a_state(path) from error
    if not isinstance(found, dict) or not {"version", "options", "items"} <= set(found):
        raise _not_a_state(path)
    if found["version"] != VERSION:
        raise UsageError(f"--state: {path} is of another version of soniox-sync")
    options, service, items = found["options"], found.get("service"), found["items"]
    if not isinstance(options, dict) or not isinstance(items, list) or not _is_text(service):
        raise _not_a_state(path)
    return Stored(options, service, _items(path, items))


def _not_a_state(path: str) -> UsageError:
    return UsageError(f"--state: {path} is not the state of a run of jobs: {_WAY_OUT}")


def _items(path: str, entries: list[Any]) -> dict[str, Item]:
    items: dict[str, Item] = {}
    for number, entry in enumerate(entries, 1):
        fault = _fault_of(entry)
        if fault:
            raise _damaged(path, f"item {number} {fault}")
        item = Item(**entry)
        if item.key in items:
            raise _damaged(path, f"item {number} is a second one for {_short(item.name)}")
        items[item.key] = item
    for field in ("reference", "job_id"):
        values = (getattr(each, field) for each in items.values() if each.is_named)
        for value, count in Counter(values).items():
            if value is not None and count > 1:
                raise _damaged(path, f"{count} items have the same {field}, {_short(repr(value))}")
    return items


def _damaged(path: str, fault: str) -> UsageError:
    return UsageError(f"--state: {path} is damaged: {fault}; {_WAY_OUT}")


def _fault_of(entry: Any) -> str:
    """Return what is wrong with an item; empty if nothing is."""
    if not isinstance(entry, Mapping):
        return "is no object"
    if "key" not in entry:
        return "has no 'key'"
    for name, value in entry.items():
        if name not in _FIELDS:
            return f"has the unknown field {_short(repr(name))}"
        expected, is_good = _FIELDS[name]
        if not is_good(value):
            return f"has a wrong '{name}': expected {expected}"
    return _contradiction_of(Item(**entry))


def _contradiction_of(item: Item) -> str:
    """Return which field is missing, or should be, for the status; empty if none.

    Without its reference or id, a job that exists could not be found, and would be made again.
    """
    if item.status == NEW:
        return "is 'new' and has a 'job_id'" if item.job_id else ""
    if not (item.reference and item.is_named):
        return f"is '{item.status}' and has no 'reference' of its own"
    if item.status == SENDING:
        return "is 'sending' and has no 'since'" if item.since is None else ""
    return "" if item.job_id else f"is '{item.status}' and has no 'job_id'"


def _short(text: str) -> str:
    return shortened(text, _SHOWN_CHARS)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (is_one and abs(value) < _LATEST)


def _is_size(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _is_key(value: Any) -> bool:
    return isinstance(value, str) and (
        is_url(value) or os.path.isabs(value) or (value.startswith("id:") and len(value) > 3)
    )


_TEXT = ("a text", _is_text)
_SWITCH = ("true or false", lambda value: isinstance(value, bool))
# field of an item -> what is expected, and whether a value is that
_FIELDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "key": ("a path from the root, a URL, or 'id:' and the id of a file", _is_key),
    "reference": _TEXT,
    "is_named": _SWITCH,
    "status": (f"one of {', '.join(STATUSES)}", lambda value: value in STATUSES),
    "size": ("a number of bytes", _is_size),
    "file_id": _TEXT,
    "job_id": _TEXT,
    "since": ("a number of seconds", _is_number),
    "folder": _TEXT,
    "output": _TEXT,
    "format": _TEXT,
    "is_deleted": _SWITCH,
    "error": _TEXT,
}
