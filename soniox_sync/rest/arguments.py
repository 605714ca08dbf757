"""Checks of the arguments that several namespaces share."""

from __future__ import annotations

import re
from typing import Any

from .._support.checks import integer, refused, text, wrong_type, wrong_value
from ..config.constants import MAX_CLIENT_REFERENCE_ID_CHARS

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_HEADER_VALUE = re.compile(r"[\t -~]*")
_MAX_HEADER_CHARS = 256

_check_header_text = text(_MAX_HEADER_CHARS)
_check_reference = text(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True)
_check_cursor = text(empty=True)


def check_id(name: str, value: Any) -> str:
    """Return an id that can be used in a path.

    Raises
        ConfigurationError: empty, or with characters that would change the path.
        InputTypeError: not a `str`.
    """
    if not isinstance(value, str):
        raise wrong_type(name, "a str", value)
    if not _ID.fullmatch(value):
        raise wrong_value(name, "an id from the service: letters, digits, '-', '_'", value)
    return value


def page_params(limit: Any, cursor: Any = None, most: int = 1000) -> dict[str, Any]:
    """Return the query of one page of a list.

    Raises
        ConfigurationError: `limit` is not from 1 to `most`.
        InputTypeError: `limit` is not an `int`, or `cursor` not a `str`.
    """
    integer(1, most)("limit", limit)
    if cursor is not None:
        _check_cursor("cursor", cursor)
    return {"limit": int(limit), "cursor": cursor}


def reference_field(client_reference_id: Any) -> dict[str, str]:
    """Return the field of a reference; no field for `None`.

    Raises
        ConfigurationError: longer than 256 characters.
        InputTypeError: not a `str`.
    """
    if client_reference_id is None:
        return {}
    _check_reference("client_reference_id", client_reference_id)
    return {"client_reference_id": client_reference_id}


def check_header_name(name: str, value: Any) -> None:
    """Check the name of a header that the service is to send.

    Raises
        ConfigurationError: empty, too long, or with characters that such a name cannot have.
        InputTypeError: not a `str`.
    """
    _check_header_text(name, value)
    if not _HEADER_NAME.fullmatch(value):
        advice = "use letters, digits and '-'"
        raise wrong_value(name, "the name of a header", value, advice)


def check_header_secret(name: str, value: Any) -> None:
    """Check the secret value of a header; errors do not show it.

    Raises
        ConfigurationError: empty, too long, or not printable ASCII.
        InputTypeError: not a `str`.
    """
    _check_header_text(name, value)
    printable = _HEADER_VALUE.match(value)
    at = printable.end() if printable else 0
    if at < len(value):
        # servers and frameworks decode others in ways of their own: it would never match
        raise refused(
            name,
            "printable ASCII, as a header has",
            f"another character at {at}",
            "make a secret with secrets.token_urlsafe()",
        )
