"""Comparison of the names of the installed official SDK with those of this library."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

import soniox_sync
from soniox_sync.config import keywords as config_keywords
from soniox_sync.rest import keywords as rest_keywords
from tests.conformance.parity.names import FIELDS, HANDLES, LEFT_OUT, RENAMED

SAME = "the same"
NONE = "none"

_KEYWORDS = {**vars(config_keywords), **vars(rest_keywords)}
_CLIENT = soniox_sync.SonioxClient("a-key")  # opens nothing
_OURS = {
    "client": _CLIENT,
    "session": soniox_sync.SttSession,
    "stream": soniox_sync.TtsStream,
    "connection": soniox_sync.TtsConnection,
}


class Undecided(Exception):
    """Names that nobody has decided about; the message lists them."""


@dataclass(frozen=True)
class Row:
    """One name, or several with the same answer: official, here, and what differs."""

    official: str
    here: str
    note: str = ""


@dataclass
class Section:
    """Table with a title and an introduction."""

    title: str
    intro: str
    rows: list[Row] = field(default_factory=list)


# -- what there is --------------------------------------------------------------------------------


def ours(path: str) -> Any:
    """Return what a name such as `client.files.list`, `Token` or `rest.File` refers to here."""
    head, *names = path.split(".")
    if head in _OURS:
        found = _OURS[head]
    elif head == "rest":
        found = importlib.import_module(".".join(["soniox_sync", head, *names[:-1]]))
        names = names[-1:]
    else:
        found, names = soniox_sync, [head, *names]
    for name in names:
        found = getattr(found, name)
    return found


def parameters(call: Any) -> set[str]:
    """Return the parameters of a call of ours, those behind `Unpack[...]` too."""
    if not callable(call):
        return set()
    found = set()
    for name, parameter in inspect.signature(call).parameters.items():
        unpacked = re.fullmatch(r"Unpack\[(\w+)\]", str(parameter.annotation))
        found |= set(_KEYWORDS[unpacked[1]].__annotations__) if unpacked else {name}
    return found


def attributes(cls: Any) -> set[str]:
    """Return the public attributes of a class of ours: fields, slots, properties, annotations."""
    found = set(dir(cls))
    for each in cls.__mro__:
        found |= set(getattr(each, "__annotations__", {}))
    if issubclass(cls, soniox_sync.SonioxError):
        found |= set(vars(cls("message")))
    return found


def members(cls: type) -> Iterator[tuple[str, list[str]]]:
    """Yield the public members of an official class, with the parameters of the methods."""
    for name, member in inspect.getmembers(cls):
        if not name.startswith("_"):
            yield name, arguments(member) if callable(member) else []


def arguments(call: Any) -> list[str]:
    """Return the names of the parameters of an official call, in their order."""
    return [name for name in inspect.signature(call).parameters if name != "self"]


# -- the comparison -------------------------------------------------------------------------------


class Comparison:
    """Decides about each name, and keeps account of the tables' rows that were of use."""

    def __init__(self) -> None:
        self.undecided: list[str] = []
        self._used: set[str] = set()

    def row(self, key: str, shown: str, exists: bool) -> Row:
        """Return the row for one name; `exists`: it has the same name here."""
        if key in RENAMED:
            self._used.add(key)
            here, note = RENAMED[key]
            return Row(shown, _literals(here), note)
        if key in LEFT_OUT:
            self._used.add(key)
            return Row(shown, NONE, LEFT_OUT[key])
        if not exists:
            self.undecided.append(key)
        return Row(shown, SAME)

    def call(self, key: str, shown: str, names: list[str], here: Optional[Any]) -> list[Row]:
        """Return the rows for a call: itself, then each parameter that is not the same."""
        row = self.row(key, f"``{shown}({', '.join(names)})``", here is not None)
        if row.here == NONE:
            return [row]
        if row.here != SAME:
            here = ours(re.match(r"``([\w.]+)", row.here)[1])  # type: ignore[index]
        known = parameters(here)
        each = [(n, self.row(f"{key}({n})", f"its parameter ``{n}``", n in known)) for n in names]
        return [row, *(found for _, found in each if found.here != SAME)]

    def finish(self) -> None:
        """Raise unless every name was decided about, and every row of the tables was of use.

        Raises
            Undecided: names, or rows.
        """
        stale = sorted({*RENAMED, *LEFT_OUT} - self._used)
        if self.undecided or stale:
            raise Undecided(
                f"in neither library nor table: {self.undecided}; in a table, but not in the "
                f"official SDK: {stale}. Decide in parity/names.py"
            )


def _literals(text: str) -> str:
    return ", ".join(f"``{each}``" for each in re.split(r", (?![^(]*\))", text))


def compare() -> list[Section]:
    """Return the tables of the page.

    Raises
        Undecided: a name of the installed SDK is in no table, or a row of a table is out of date.
    """
    comparison = Comparison()
    sections = [
        _client(comparison),
        *_handles(comparison),
        _fields(comparison),
        _errors(comparison),
        _helpers(comparison),
    ]
    comparison.finish()
    return sections


def _client(comparison: Comparison) -> Section:
    from soniox.client import AsyncSonioxClient, SonioxClient

    section = Section("Client", "``client`` is a ``SonioxClient`` of either library.")
    known = parameters(soniox_sync.SonioxClient)
    for name in arguments(SonioxClient):
        row = comparison.row(f"SonioxClient({name})", f"``SonioxClient({name}=)``", name in known)
        section.rows.append(row)
    official = SonioxClient(api_key="a-key")
    for name, names in members(SonioxClient):
        here = getattr(_CLIENT, name, None)
        key, shown = f"SonioxClient.{name}", f"client.{name}"
        if callable(getattr(official, name)):
            section.rows += comparison.call(key, shown, names, here)
        else:
            section.rows.append(comparison.row(key, f"``{shown}``", here is not None))
    official.close()
    name = AsyncSonioxClient.__name__
    section.rows.append(comparison.row(name, f"``{name}``", False))
    return section


def _handles(comparison: Comparison) -> Iterator[Section]:
    for path, here in HANDLES.items():
        module, _, name = path.rpartition(".")
        cls = getattr(importlib.import_module(f"soniox.{module}"), name)
        section = Section(name, f"Here: ``{here}``.")
        for member, names in members(cls):
            mine = getattr(ours(here), member, None)
            key = f"{name}.{member}"
            if callable(getattr(cls, member)):
                section.rows += comparison.call(key, member, names, mine)
            else:
                section.rows.append(comparison.row(key, f"``{member}``", mine is not None))
        yield section


def _fields(comparison: Comparison) -> Section:
    import pydantic
    import soniox.types

    section = Section(
        "Fields",
        "Of events, responses, configurations and requests. Fields of one model that have the same "
        "name share a row. Two names of one model of the official SDK are listed once.",
    )
    seen = {getattr(soniox.types, name) for name in FIELDS}
    for name in soniox.types.__all__:
        cls = getattr(soniox.types, name)
        is_model = isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)
        if is_model and cls not in seen:
            comparison.undecided.append(name)
    for name, here in FIELDS.items():
        cls = getattr(soniox.types, name)
        call = here.endswith("()")
        known = parameters(ours(here[:-2])) if call else attributes(ours(here))
        methods = [each for each in ("audio_bytes",) if hasattr(cls, each)]
        rows = [
            comparison.row(f"{name}.{each}", f"``{name}.{each}``", each in known)
            for each in (*cls.model_fields, *methods)
        ]
        same = [row.official.rpartition(".")[2].rstrip("`") for row in rows if row.here == SAME]
        if same:
            listed = ", ".join(f"``{each}``" for each in same)
            kind = "keywords of " if call else "fields of "
            section.rows.append(Row(f"``{name}``: {listed}", SAME, f"{kind}``{here}``"))
        section.rows += [row for row in rows if row.here != SAME]
    return section


def _errors(comparison: Comparison) -> Section:
    import soniox.errors

    section = Section("Errors", "Attributes of errors are those of ``ApiError`` above.")
    for name, cls in inspect.getmembers(soniox.errors, inspect.isclass):
        if cls.__module__ == soniox.errors.__name__:
            same = hasattr(soniox_sync, name)
            section.rows.append(comparison.row(name, f"``{name}``", same))
    return section


def _helpers(comparison: Comparison) -> Section:
    import soniox.utils

    import soniox_sync.transcript

    section = Section("Helpers", "Of ``soniox.utils``; here, of ``soniox_sync.transcript``.")
    for name, function in inspect.getmembers(soniox.utils, inspect.isfunction):
        if function.__module__ == soniox.utils.__name__ and not name.startswith("_"):
            same = hasattr(soniox_sync.transcript, name)
            section.rows.append(comparison.row(name, f"``{name}()``", same))
    return section
