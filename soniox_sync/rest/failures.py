"""What goes wrong over HTTP, as exceptions: refused, malformed, lost, late, cancelled.

Two shapes of error bodies exist (the api host's and the tts host's, PROTOCOL 10, trap 16), and
proxies add their own. Whatever a server sends, an error of the right class comes out, without the
key: servers and proxies have been seen to echo what they were sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ..errors import (
    AbortError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SonioxHttpError,
    SonioxTimeoutError,
    error_from_frame,
)
from .place import Place

if TYPE_CHECKING:
    import requests

BODY_TEXT_BYTES = 4096
# what an error's body may say before it is cut; JSON that is longer is told as text
_ERROR_BYTES = 64 * 1024


class HttpAbortError(AbortError, SonioxHttpError):
    """Reports an HTTP call that was cancelled, or ended by `client.close()`."""

    code = "aborted"


class HttpTimeoutError(SonioxHttpError, SonioxTimeoutError):
    """Reports an HTTP call that took longer than it may; the server may still carry it out."""

    code = "timeout"


_BY_STATUS: dict[int, type[SonioxHttpError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}


def from_status(place: Place, response: requests.Response, body: bytes) -> SonioxHttpError:
    """Make the error for an answer that is no success. Never raises."""
    status = response.status_code
    headers = place.hide_in(response.headers)
    if 300 <= status < 400:
        return _redirect(place, status, headers)
    text = place.hide(body.decode("utf-8", "replace"))
    fields = place.hide_in(_fields(body))
    fallback = _gist(text, place.hide(response.reason or ""))
    error = from_fields(place, status, fields, fallback, headers)
    error.body_text = _cut(text)
    if isinstance(error, RateLimitError):
        error.retry_after_sec = retry_after(headers)
    return error


def from_fields(
    place: Place,
    status: int,
    fields: Mapping[str, Any],
    fallback: str,
    headers: Optional[Mapping[str, str]] = None,
) -> SonioxHttpError:
    """Make an error of the fields of either shape; what is missing or of a wrong type is left out.

    `fallback` is the message when the fields have none.
    """
    headers = headers or {}
    said = _text(fields.get("message")) or _text(fields.get("error_message")) or fallback
    problems: list[Mapping[str, Any]] = [
        item for item in _list(fields.get("validation_errors")) if isinstance(item, dict)
    ]
    described = error_from_frame(
        {
            "error_code": status,
            "error_type": fields.get("error_type"),
            "error_message": f"{place.name}: {said}{_details(problems)}",
            "request_id": _text(fields.get("request_id")) or _request_id(headers),
        }
    )
    cls = _BY_STATUS.get(status, ServerError if status >= 500 else SonioxHttpError)
    return cls(
        str(described),
        status_code=status,
        headers=headers,
        error_type=_text(fields.get("error_type")),
        request_id=described.request_id,
        more_info=_text(fields.get("more_info")),
        validation_errors=problems,
        **place.facts(),
    )


def malformed(
    place: Place, response: Optional[requests.Response], body: bytes, why: str
) -> SonioxHttpError:
    """Make the error for an answer that says success but cannot be understood."""
    headers = {} if response is None else place.hide_in(response.headers)
    return SonioxHttpError(
        f"{place.name}: the answer is not what the service documents ({place.hide(why)}): a proxy, "
        "or a wrong api_url, may have answered",
        code="parse_error",
        status_code=None if response is None else response.status_code,
        headers=headers,
        body_text=_cut(place.hide(body.decode("utf-8", "replace"))),
        request_id=_request_id(headers),
        **place.facts(),
    )


def late(place: Place, seconds: float) -> HttpTimeoutError:
    """Make the error for a call that took too long."""
    return HttpTimeoutError(
        f"{place.name}: no answer within {seconds:g} s: check the network and the region, or raise "
        "timeout_sec",
        **place.facts(),
    )


def aborted(place: Place, why: str) -> HttpAbortError:
    """Make the error for a call that was ended from outside."""
    return HttpAbortError(f"{place.name}: {why}", **place.facts())


def lost(place: Place, cause: BaseException, advice: str = "") -> SonioxHttpError:
    """Make the error for a line that could not be made or broke."""
    said = place.hide(str(cause)) or type(cause).__name__
    error = SonioxHttpError(
        f"{place.name}: {advice or said}", code="network_error", **place.facts()
    )
    error.__cause__ = place.hide_in_chain(cause)
    return error


def retry_after(headers: Mapping[str, str]) -> Optional[float]:
    """Read the server's wish for a pause, in seconds; `None` when there is none to be read."""
    wish = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
    wish = wish.strip()
    if wish.isascii() and wish.isdecimal() and len(wish) < 12:
        return float(wish)
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    try:
        at = parsedate_to_datetime(wish)
        at = at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError, IndexError):  # what it raises for nonsense varies by version
        return None
    return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())


def _redirect(place: Place, status: int, headers: Mapping[str, str]) -> SonioxHttpError:
    there = next((text for name, text in headers.items() if name.lower() == "location"), "")
    try:
        host = urlsplit(there).hostname
    except ValueError:
        host = None
    return SonioxHttpError(
        f"{place.name}: redirected to {host or 'another place'} (HTTP {status}); the key is not "
        "sent there: set the final URL",
        status_code=status,
        headers=headers,
        **place.facts(),
    )


def _fields(body: bytes) -> Mapping[str, Any]:
    if len(body) > _ERROR_BYTES:
        return {}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _gist(text: str, reason: str) -> str:
    """Say in one line what a body that is not JSON says."""
    text = " ".join(text.split())
    if not text or text[:1] in "<{[":  # a page or half of an object tells a reader nothing
        text = reason or "no explanation"
    return text[:200]


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:BODY_TEXT_BYTES].decode("utf-8", "ignore")


def _text(value: object) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _details(problems: list[Mapping[str, Any]]) -> str:
    parts = [": ".join(_words(item)) for item in problems[:5]]
    return f" [{'; '.join(part for part in parts if part)}]" if any(parts) else ""


def _words(problem: Mapping[str, Any]) -> Iterator[str]:
    for name in ("location", "message"):
        value = problem.get(name)
        if isinstance(value, str) and value:
            yield value


def _request_id(headers: Mapping[str, str]) -> Optional[str]:
    return next((text for name, text in headers.items() if name.lower() == "x-request-id"), None)
