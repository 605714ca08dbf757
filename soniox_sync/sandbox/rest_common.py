"""What the `/v1` endpoints share: who may call, pages with cursors, complaints about a field."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional, Protocol, TypeVar

from .keys import KeyRule
from .problems import Problem
from .routes import Request

if TYPE_CHECKING:
    from .world import World

__all__ = ["Numbered", "admit", "check_text", "invalid", "iso", "one", "page", "whole_number"]


class Numbered(Protocol):
    """Is anything that is listed, in the order of its `number`."""

    @property
    def number(self) -> int:
        """Give its place."""


N = TypeVar("N", bound=Numbered)


def admit(world: World, request: Request) -> KeyRule:
    """Check the key of a request and count it. Raises `Problem` 401, 402, 403 or 429."""
    rule = world.keys.check(request.key, "rest")
    world.keys.use(rule)
    world.accounts.count_request("rest")
    return rule


def invalid(location: str, message: str) -> Problem:
    """Make the refusal of one field, with its path as the api host words it."""
    details = {"error_type": "invalid_value", "location": location, "message": message}
    return Problem("invalid_request", message, validation_errors=[details])


def check_text(
    value: Any, location: str, longest: int, *, shortest: int = 0, needed: bool = False
) -> Optional[str]:
    """Check an optional string. Raises `Problem` 400."""
    if value is None and not needed:
        return None
    if not isinstance(value, str):
        raise invalid(location, "Input should be a valid string.")
    if not shortest <= len(value) <= longest:
        raise invalid(location, f"String should have {shortest} to {longest} characters.")
    return value


def whole_number(
    value: Any, location: str, lowest: int, highest: int, *, needed: bool = False
) -> Optional[int]:
    """Check an optional whole number; one in a query is its digits. Raises `Problem` 400."""
    if value is None and not needed:
        return None
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(location, "Input should be a valid integer.")
    if not lowest <= value <= highest:
        raise invalid(location, f"Input should be from {lowest} to {highest}.")
    return value


def one(request: Request, name: str) -> Optional[str]:
    """Give a query parameter, the last one if it came several times."""
    values = request.query.get(name)
    return values[-1] if values else None


def page(
    request: Request, items: Sequence[N], *, most: int = 1000, usual: int = 1000
) -> tuple[list[N], Optional[str]]:
    """Give the items of the page asked for, and the cursor of the next.

    A cursor names the last item's number, so that deletions in between skip nothing.
    """
    limit = whole_number(one(request, "limit"), "query.limit", 1, most) or usual
    cursor = one(request, "cursor")
    after = _decoded(cursor) if cursor is not None else 0
    rest = [item for item in items if item.number > after]
    chosen = rest[:limit]
    return chosen, _encoded(chosen[-1].number) if len(rest) > limit else None


def _encoded(number: int) -> str:
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode()


def _decoded(cursor: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
        if word == "after" and number.isdecimal():
            return int(number)
    except (binascii.Error, UnicodeError):
        pass  # told below, like any other cursor that is not ours
    raise Problem("invalid_cursor", "The cursor is invalid.")


def iso(at: datetime) -> str:
    """Write a time as the service does."""
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not there."""
    return {name: value for name, value in fields.items() if value is not None}
