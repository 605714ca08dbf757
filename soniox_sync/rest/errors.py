"""Errors of HTTP calls: refused, malformed, lost, timed out, cancelled.

There are two formats of error bodies (of the api host and of the tts host, PROTOCOL 10, trap 16),
and proxies have their own. Whatever a server sends becomes an error of the right class, without the
key: some servers and proxies repeat what was sent to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ..errors import (
    AbortError,
    AuthenticationError,
    ConflictError,
    HttpRateLimitError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    SonioxHttpError,
    SonioxTimeoutError,
    error_from_frame,
    retry_after,
)
from ..transport.connect import error_fields, error_text
from .request import RequestInfo

if TYPE_CHECKING:
    import requests

BODY_TEXT_BYTES = 4096
# JSON longer than this is not parsed for the fields of an error, but quoted as text
_ERROR_BYTES = 64 * 1024
# 300 only names a choice, and 304 answers a condition that no request has
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpAbortError(AbortError, SonioxHttpError):
    """HTTP call that was cancelled, or ended by `client.close()`."""

    code = "aborted"


class HttpTimeoutError(SonioxHttpError, SonioxTimeoutError):
    """HTTP call that exceeded its time limit; the server may still carry it out."""

    code = "timeout"


_BY_STATUS: dict[int, type[SonioxHttpError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: HttpRateLimitError,
}


def from_status(request: RequestInfo, response: requests.Response, body: bytes) -> SonioxHttpError:
    """Return the error for a response without a success status. Never raises."""
    status = response.status_code
    redact = request.redactor
    headers = redact.value(dict(response.headers))
    if status in _REDIRECTS or (status == 300 and _header(headers, "location")):
        return _redirect(request, status, headers)
    text = redact.text(body.decode("utf-8", "replace"))
    fallback = _summary(text, redact.text(response.reason or ""))
    fields = error_fields(body) if len(body) <= _ERROR_BYTES else {}
    error = from_fields(request, status, redact.value(fields), fallback, headers)
    error.body_text = _cut(text)
    if isinstance(error, RateLimitError):
        error.retry_after_sec = retry_after(headers)
    return error


def from_fields(
    request: RequestInfo,
    status: int,
    fields: Mapping[str, Any],
    fallback: str,
    headers: Optional[Mapping[str, str]] = None,
) -> SonioxHttpError:
    """Return an error from fields of either format; missing and mistyped ones are left out.

    `fallback` is the message if the fields have none.
    """
    headers = headers or {}
    message = error_text(fields) or fallback
    found = fields.get("validation_errors")
    problems: list[Mapping[str, Any]] = [
        item for item in (found if isinstance(found, list) else ()) if isinstance(item, dict)
    ]
    advice = ""
    if status == 404 and request.hint:
        advice = f"; {request.hint}"
    elif status == 404 and not _text(fields.get("error_type")):
        advice = "; check the URL of the service (one that ends in '/.' is used without '/v1')"
    described = error_from_frame(
        {
            "error_code": status,
            "error_type": fields.get("error_type"),
            "error_message": f"{request.name}: {message}{_details(problems)}{advice}",
            "request_id": _text(fields.get("request_id")) or _header(headers, "x-request-id"),
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
        **request.facts(),
    )


def malformed(
    request: RequestInfo,
    response: Optional[requests.Response],
    body: bytes,
    why: str,
    url_option: str = "api_url",
) -> SonioxHttpError:
    """Return the error for a response with a success status that cannot be parsed."""
    redact = request.redactor
    headers = {} if response is None else redact.value(dict(response.headers))
    return SonioxHttpError(
        f"{request.name}: the response is not what the service documents ({redact.text(why)}): "
        f"check {url_option}, and whether a proxy or the login page of a network answered",
        code="parse_error",
        status_code=None if response is None else response.status_code,
        headers=headers,
        body_text=_cut(redact.text(body.decode("utf-8", "replace"))),
        request_id=_header(headers, "x-request-id"),
        **request.facts(),
    )


def timed_out(request: RequestInfo, seconds: float) -> HttpTimeoutError:
    """Return the error for a call that exceeded its time limit."""
    proxy = request.proxy
    through, also = (f" through {proxy}", "proxy, the ") if proxy is not None else ("", "")
    return HttpTimeoutError(
        f"{request.name}: no response within {seconds:g} s{through}: check the {also}network and "
        "the region, or raise timeout_sec",
        **request.facts(),
    )


def aborted(request: RequestInfo, why: str) -> HttpAbortError:
    """Return the error for a call that was aborted."""
    return HttpAbortError(f"{request.name}: {why}", **request.facts())


def network_error(request: RequestInfo, cause: BaseException, advice: str = "") -> SonioxHttpError:
    """Return the error for a connection that could not be opened, or was lost."""
    message = advice or request.redactor.text(str(cause)) or type(cause).__name__
    error = SonioxHttpError(f"{request.name}: {message}", code="network_error", **request.facts())
    error.__cause__ = request.redactor.cause(cause)
    return error


def _redirect(request: RequestInfo, status: int, headers: Mapping[str, str]) -> SonioxHttpError:
    try:
        host = urlsplit(_header(headers, "location") or "").hostname
    except ValueError:
        host = None
    return SonioxHttpError(
        f"{request.name}: redirected to {host or 'another URL'} (HTTP {status}); redirects are not "
        "followed, because the key would be sent there: configure the final URL",
        status_code=status,
        headers=headers,
        **request.facts(),
    )


def _summary(text: str, reason: str) -> str:
    """Return one line for a body that is not JSON."""
    text = " ".join(text.split())
    if not text or text[:1] in "<{[":  # a page, or part of an object, does not help a reader
        text = reason or "no explanation"
    return text[:200]


def _cut(text: str) -> str:
    return text.encode("utf-8", "replace")[:BODY_TEXT_BYTES].decode("utf-8", "ignore")


def _text(value: object) -> Optional[str]:
    return value if isinstance(value, str) and value else None


def _details(problems: list[Mapping[str, Any]]) -> str:
    parts = [": ".join(_words(item)) for item in problems[:5]]
    return f" [{'; '.join(part for part in parts if part)}]" if any(parts) else ""


def _words(problem: Mapping[str, Any]) -> Iterator[str]:
    for name in ("location", "message"):
        value = problem.get(name)
        if isinstance(value, str) and value:
            yield value


def _header(headers: Mapping[str, str], name: str) -> Optional[str]:
    return next((value for each, value in headers.items() if each.lower() == name), None)
