"""Helpers of the `/v1` endpoints: pages with cursors, errors about a field."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Optional, Protocol, TypeVar

from ..problems import Problem
from ..server.routes import Request

__all__ = ["Numbered", "check_text", "invalid", "iso", "one", "page", "whole_number"]


class Numbered(Protocol):
    """Item that is listed in pages, in the order of its `number`."""

    @property
    def number(self) -> int:
        """Position in the whole list, from 1."""


N = TypeVar("N", bound=Numbered)


def invalid(location: str, message: str) -> Problem:
    """Return a 400 for one field; `location` is its path, such as `body.payload.model`."""
    details = {"error_type": "invalid_value", "location": location, "message": message}
    return Problem("invalid_request", message, validation_errors=[details])


def check_text(
    value: Any, location: str, longest: int, *, shortest: int = 0, needed: bool = False
) -> Optional[str]:
    """Return an optional string of `shortest` to `longest` characters.

    Raises
        Problem: 400.
    """
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
    """Return an optional whole number; in a query it is a string of digits.

    Raises
        Problem: 400.
    """
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
    """Return a query parameter, the last one if it is repeated."""
    values = request.query.get(name)
    return values[-1] if values else None


def page(
    request: Request, items: Sequence[N], *, most: int = 1000, usual: int = 1000
) -> tuple[list[N], Optional[str]]:
    """Return the items of the requested page, and the cursor of the next one.

    A cursor contains the number of the last item, so that nothing is skipped after a deletion. An
    empty cursor is no cursor: programs start their loop over pages with `cursor=`. A page has
    `usual` items unless the request sets another limit, at most `most`.

    Raises
        Problem: 400 for a bad limit or cursor.
    """
    limit = whole_number(one(request, "limit"), "query.limit", 1, most) or usual
    cursor = one(request, "cursor")
    after = _decoded(cursor) if cursor else 0
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
        pass  # refused below, like any other cursor that is not ours
    raise Problem("invalid_cursor", "The cursor is invalid.")


def iso(at: datetime) -> str:
    """Return a time in the service's notation, such as `2026-01-31T12:00:00Z`."""
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
