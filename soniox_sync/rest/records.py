"""Converting responses to frozen objects, with a table of readers, one per field.

Every record keeps the JSON object it was read from in `.raw`, including unknown fields. A
documented field that is missing or of a wrong type is an error with its path; new fields and new
values of enumerations are not.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, Callable, Generic, Optional, TypeVar

from .._support.reprs import quoted, shortened
from ..config import safe_url
from ..errors import SonioxHttpError

R = TypeVar("R", bound="Record")
Item = TypeVar("Item")

# reads one JSON value; raises `Unreadable`
Reader = Callable[[Any], Any]

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|z|[+-]\d\d:?\d\d)?"
)
_MISSING: Any = object()
# for a record within a record, such as the total of a summary
_NESTED_CHARS = 200


class Unreadable(ValueError):
    """Part of a response that differs from the service's documentation, with its path."""


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
    """Read a number, one that a `float` can be."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
    raise Unreadable(f"expected a number, not {_kind(value)}")


def flag(value: Any) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise Unreadable(f"expected true or false, not {_kind(value)}")


class LongNumber(float):
    """JSON number with more digits than a `float` has: what was sent is in `digits`."""

    digits: str

    def __new__(cls, digits: str) -> LongNumber:
        made = super().__new__(cls, digits)
        made.digits = digits
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return LongNumber, (self.digits,)


def parse_float(digits: str) -> float:
    """Return a number of a response, for `json.loads`: with all its digits, if they are many."""
    # up to 15 digits survive in a float, and with them goes a point
    return float(digits) if len(digits) <= 16 else LongNumber(digits)


def money(value: Any) -> Decimal:
    """Read an amount of money: a string or a number, of which no digit is lost."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            amount = Decimal(value.digits if isinstance(value, LongNumber) else str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite():
            return amount
    raise Unreadable(f"expected an amount of money, not {_kind(value)}")


def moment(value: Any) -> datetime:
    """Read an ISO 8601 time with any number of decimals; without a zone it is UTC."""
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
    """Return a reader of lists."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unreadable(f"expected a list, not {_kind(value)}")
        return tuple(_at(f"[{i}]", reader, item) for i, item in enumerate(value))

    return read


def record(cls: type[Record]) -> Reader:
    """Return a reader of objects."""
    return lambda value: cls.from_raw(value)


class Word(str, Enum):
    """Base of the enumerations; a member prints as the service's word."""

    __str__ = str.__str__


def one_of(names: type[Word]) -> Reader:
    """Return a reader of an enumeration; an unknown value stays a plain string."""

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


def optional(reader: Reader, default: Any = None, *, shown: bool = True) -> Any:
    """Declare a field that may be missing or null, and is then `default`."""
    return field(default=default, metadata={"reader": reader, "needed": False}, repr=shown)


class Record:
    """Base of all responses; subclasses are frozen dataclasses without a repr of their own.

    `raw`: the JSON object as received.
    """

    raw: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def from_raw(cls: type[R], raw: Any) -> R:
        """Return the record for a JSON object. Raises `Unreadable` with the path."""
        if not isinstance(raw, Mapping):
            raise Unreadable(f"expected an object, not {_kind(raw)}")
        table: Mapping[str, tuple[Reader, bool]] = _readers(cls)  # type: ignore[arg-type]
        values = {name: _read(raw, name, *how) for name, how in table.items()}
        made = cls(**{name: value for name, value in values.items() if value is not _MISSING})
        object.__setattr__(made, "raw", raw)
        return made

    def __repr__(self) -> str:
        shown = [
            f"{each.name}={self._shown(each.name, value)}"
            for each in dataclasses.fields(self)  # type: ignore[arg-type]
            if each.repr and (value := getattr(self, each.name)) != each.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, value: Any) -> str:
        """Return one field's part of the repr."""
        return quoted(safe_url(value)) if name.endswith("url") else _described(value)


class Entity(Record):
    """Base of what the service stores under an id."""

    id: str


def _described(value: Any) -> str:
    """Return a value of a field for the repr: shortened, and only the length of a list."""
    if isinstance(value, str):
        return quoted(value)  # of an enumeration: the plain word
    if isinstance(value, date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple) and value:
        names = all(isinstance(each, str) for each in value)
        return shortened(repr(value)) if names else f"<{len(value)} {type(value[0]).__name__}>"
    return str(value) if isinstance(value, Decimal) else shortened(repr(value), _NESTED_CHARS)


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


def _at(where: str, reader: Reader, value: Any) -> Any:
    """Read a value; prepend `where` to the path of an error: `models` + `[0].id`."""
    try:
        return reader(value)
    except Unreadable as error:
        message = str(error)
        has_path = re.match(r"\w+(\[\d+\])?[.:\[]", message)
        joint = "" if message.startswith("[") else "." if has_path else ": "
        raise Unreadable(f"{where}{joint}{message}") from None


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


class Listing(Record, Generic[Item]):
    """List as the service sends it: a sequence of its items, which are in the first field."""

    @property
    def items(self) -> tuple[Item, ...]:
        """Items of this list."""
        found: tuple[Item, ...] = getattr(self, dataclasses.fields(self)[0].name)  # type: ignore[arg-type]
        return found

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:
        return self.items[index]


class Page(Listing[Item]):
    """One page of a longer list, and the cursor of the next page."""

    next_page_cursor: Optional[str]


@dataclass(frozen=True, repr=False)
class Count(Record):
    """Number of items, in total and by origin."""

    total: int = needed(integer)
    public_api: Optional[int] = optional(integer)
    playground: Optional[int] = optional(integer)


def all_items(get_page: Callable[[Optional[str]], Page[Item]]) -> Iterator[Item]:
    """Yield the items of all pages, with one request per page. `get_page(cursor)` returns one."""
    cursor: Optional[str] = None
    seen: set[str] = set()
    while True:
        page = get_page(cursor)
        yield from page.items
        cursor = page.next_page_cursor
        if not cursor:
            return
        if cursor in seen:
            raise SonioxHttpError("the service returned the same page twice", code="parse_error")
        seen.add(cursor)
