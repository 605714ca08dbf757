"""How answers become frozen objects: a table of readers, one per field.

Every record keeps the JSON object it was read from in `.raw`, unknown fields included. A field
that is missing although documented, or of a wrong type, is an error with its path; new fields and
new values of enumerations are none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, Callable, Optional, TypeVar

from ..errors import ConfigurationError, InputTypeError, SonioxHttpError

R = TypeVar("R", bound="Record")

# reads one JSON value; raises `Unreadable`
Reader = Callable[[Any], Any]

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|z|[+-]\d\d:?\d\d)?"
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")
_MISSING: Any = object()


class Unreadable(ValueError):
    """Reports where an answer is not what the service documents."""


def text(value: Any) -> str:
    """Read a string."""
    if isinstance(value, str):
        return value
    raise Unreadable(f"expected a string, not {_kind(value)}")


def integer(value: Any) -> int:
    """Read a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Unreadable(f"expected a whole number, not {_kind(value)}")


def number(value: Any) -> float:
    """Read a number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise Unreadable(f"expected a number, not {_kind(value)}")


def flag(value: Any) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise Unreadable(f"expected true or false, not {_kind(value)}")


def money(value: Any) -> Decimal:
    """Read an amount, which the service sends as a string so that nothing is rounded."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite():
            return amount
    raise Unreadable(f"expected an amount of money, not {_kind(value)}")


def moment(value: Any) -> datetime:
    """Read a time of ISO 8601 with any number of decimals; without a zone it is UTC."""
    found = _TIME.fullmatch(text(value))
    if found is None:
        raise Unreadable("expected a time such as 2026-01-31T12:00:00Z")
    day, hour, minute, second, fraction, zone = found.groups()
    micro = int((fraction or "0").ljust(6, "0")[:6])
    try:
        at = datetime.combine(date.fromisoformat(day), datetime.min.time(), _zone(zone))
        return at + timedelta(
            hours=int(hour), minutes=int(minute), seconds=int(second), microseconds=micro
        )
    except (ValueError, OverflowError):
        raise Unreadable("there is no such time") from None


def _zone(name: Optional[str]) -> timezone:
    if name is None or name in "Zz":
        return timezone.utc
    minutes = int(name[1:3]) * 60 + int(name[-2:])
    return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes))


def day(value: Any) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(text(value)[:10])
    except ValueError:
        raise Unreadable("expected a date such as 2026-01-31") from None


def tuple_of(reader: Reader) -> Reader:
    """Make a reader of lists."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unreadable(f"expected a list, not {_kind(value)}")
        return tuple(_at(f"[{i}]", reader, item) for i, item in enumerate(value))

    return read


def record(cls: type[Record]) -> Reader:
    """Make a reader of objects."""
    return lambda value: cls.from_raw(value)


class Word(str, Enum):
    """Is the base of enumerations; a member prints as the word the service uses."""

    __str__ = str.__str__


def one_of(names: type[Word]) -> Reader:
    """Make a reader of an enumeration; a value from the future stays a plain string."""

    def read(value: Any) -> str:
        try:
            return names(text(value))
        except ValueError:
            if isinstance(value, str):
                return value
            raise

    return read


def needed(reader: Reader, *, shown: bool = True) -> Any:
    """Declare a field that the service always sends."""
    return field(metadata={"reader": reader, "needed": True}, repr=shown)


def optional(reader: Reader, default: Any = None) -> Any:
    """Declare a field that may be missing or null; then it is `default`."""
    return field(default=default, metadata={"reader": reader, "needed": False})


class Record:
    """Is the base of everything the service answers with; its subclasses are frozen dataclasses.

    `raw`: the JSON object as received.
    """

    raw: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def from_raw(cls: type[R], raw: Any) -> R:
        """Read a JSON object. Raises `Unreadable` naming the path."""
        if not isinstance(raw, Mapping):
            raise Unreadable(f"expected an object, not {_kind(raw)}")
        table: Mapping[str, tuple[Reader, bool]] = _readers(cls)  # type: ignore[arg-type]
        values = {name: _read(raw, name, *how) for name, how in table.items()}
        made = cls(**{name: value for name, value in values.items() if value is not _MISSING})
        object.__setattr__(made, "raw", raw)
        return made


@cache
def _readers(cls: type) -> Mapping[str, tuple[Reader, bool]]:
    return {
        each.name: (each.metadata["reader"], each.metadata["needed"])
        for each in dataclasses.fields(cls)
    }


def _read(raw: Mapping[str, Any], name: str, reader: Reader, is_needed: bool) -> Any:
    value = raw.get(name)
    if value is not None:
        return _at(name, reader, value)
    if is_needed:
        raise Unreadable(f"{name}: missing")
    return _MISSING


def _at(place: str, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except Unreadable as error:
        said = str(error)
        joint = "" if said.startswith("[") else "." if _is_path(said) else ": "
        raise Unreadable(f"{place}{joint}{said}") from None


def _is_path(said: str) -> bool:
    return re.match(r"\w+(\[\d+\])?[.:\[]", said) is not None


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


class Page(Record):
    """Is one page of a list: a sequence of its items, and how to ask for the next."""

    next_page_cursor: Optional[str]

    @property
    def items(self) -> tuple[Any, ...]:
        """Give the items of this page."""
        found: tuple[Any, ...] = getattr(self, dataclasses.fields(self)[0].name)  # type: ignore[arg-type]
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


@dataclass(frozen=True)
class Count(Record):
    """Says how many there are, in all and by where they were made."""

    total: int = needed(integer)
    public_api: Optional[int] = optional(integer)
    playground: Optional[int] = optional(integer)


def all_items(turn: Callable[[Optional[str]], Page]) -> Iterator[Any]:
    """Yield the items of all pages, one request a page. `turn(cursor)` gives a page."""
    cursor: Optional[str] = None
    seen: set[str] = set()
    while True:
        page = turn(cursor)
        yield from page.items
        cursor = page.next_page_cursor
        if not cursor:
            return
        if cursor in seen:
            raise SonioxHttpError(
                "the service gave the same page twice: the list has no end", code="parse_error"
            )
        seen.add(cursor)


def check_id(name: str, value: Any) -> str:
    """Give an id back that may stand in a path.

    Raises
        ConfigurationError: empty, or with characters that would lead elsewhere.
        InputTypeError: not a `str`.
    """
    if not isinstance(value, str):
        raise InputTypeError(f"{name} must be a str, not {type(value).__name__}")
    if not _ID.fullmatch(value):
        raise ConfigurationError(
            f"{name} must be an id as the service gives it: letters, digits, '-', '_'"
        )
    return value


def check_limit(value: Any, most: int) -> int:
    """Give a page size back. Raises `ConfigurationError` unless it is from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"limit must be an int, not {type(value).__name__}")
    if not 1 <= value <= most:
        raise ConfigurationError(f"limit must be from 1 to {most}, not {value}")
    return int(value)
