"""`client.request()`: any call of the service, also one that is newer than this library."""

from __future__ import annotations

import json as _json
import re
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, Optional, Union
from urllib.parse import unquote

from .._support.checks import (
    encoded,
    json_values,
    mapping,
    number,
    one_of,
    positive_seconds,
    refused,
    text,
    wrong_type,
    wrong_value,
)
from .._support.types import Buffer, ReadableFile
from ..cancel import CancelToken
from ..config import safe_url
from .http import Call, Http
from .multipart import FilePart, WholeFile

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
ServiceName = Literal["api", "tts"]
Scalar = Union[str, int, float, bool, None]
Params = Mapping[str, Union[Scalar, list[Scalar], tuple[Scalar, ...]]]
Data = Union[str, Buffer, ReadableFile]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# set by the client itself: another value could send its key elsewhere, or a body without its length
_OWN_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "host", "connection", "upgrade", "cookie"),
        *("content-length", "transfer-encoding", "accept-encoding", "expect", "te", "trailer"),
    }
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_check_text = text(empty=True)


def request(
    http: Http,
    method: str,
    path: str,
    *,
    json: Any,
    params: Optional[Params],
    data: Optional[Data],
    headers: Optional[Mapping[str, str]],
    service: str,
    timeout_sec: Optional[float],
    cancel: Optional[CancelToken],
) -> Any:
    """Make a call and return what it answers; see `SonioxClient.request`."""
    if not isinstance(method, str) or method.upper() not in _METHODS:
        one_of(_METHODS)("method", method)  # as it was given: it may be the path
    _check_path(path)
    _check_service(service)
    if timeout_sec is not None:
        positive_seconds("timeout_sec", timeout_sec)
    query = {} if params is None else _query(params)
    fields = {"Accept": "*/*"}
    if json is not None:
        if data is not None:
            raise refused("data", "None, as json is given", "both", "a request has one body")
        json_values("json", json)
        fields["Content-Type"] = "application/json"
        data = _json.dumps(dict(json) if isinstance(json, Mapping) else json, ensure_ascii=False)
    if headers is not None:
        _check_headers(headers)
        fields.update(headers)  # in any case: `requests` takes the last of equal names
    with _opened(data, cancel) as file:
        body = _content(data) if file is None else WholeFile(file)
        # speech is sent about as fast as it is spoken, and a large file takes its time: unless told
        # otherwise, such a call may last as long as something moves
        timed = timeout_sec is not None or (file is None and service == "api")
        call = Call(
            method.upper(), path, service, query, body, fields, timed, timeout_sec=timeout_sec
        )
        return http.content(call, cancel)


def _check_service(service: Any) -> None:
    if service not in ("api", "tts"):
        advice = "'tts' is the host of speech, 'api' of everything else: files, jobs, models"
        if not isinstance(service, str):
            raise wrong_type("service", "'api' or 'tts'", service, advice)
        raise wrong_value("service", "'api' or 'tts'", service, advice)


def _check_headers(headers: Any) -> None:
    """Refuse headers that are the client's own, and what could smuggle in another one."""
    mapping("headers", headers)
    for name, value in headers.items():
        if not isinstance(name, str):
            raise wrong_type("headers", "names that are str", name)
        if not _HEADER_NAME.fullmatch(name):
            raise wrong_value("headers", "names of headers", name)
        if name.lower() in _OWN_HEADERS:
            raise refused("headers", "headers that the client does not set", repr(name))
        shown = f"headers[{name!r}]"  # without the value, which may be a secret
        if not isinstance(value, str):
            raise wrong_type(shown, "a str", value)
        if value != value.strip() or not all(" " <= ch <= "~" or ch == "\t" for ch in value):
            raise refused(shown, "printable ASCII without blanks round it", "something else")


def _check_path(path: Any) -> None:
    """Refuse a path that would leave the service's base URL, or is not a path at all."""
    text()("path", path)
    if not path.startswith("/") or path.startswith("//"):
        shown = repr(safe_url(path)[:60])
        raise refused("path", "a path that starts with one '/'", shown, "the host is the client's")
    for mark, part in (("?", "query"), ("#", "fragment")):
        if mark in path:
            advice = "pass the query as params={...}" if mark == "?" else ""
            raise refused("path", f"a path without a {part}", f"one with {mark!r}", advice)
    if any(ch <= " " or ch in "\x7f\\" for ch in path):
        raise refused(
            "path", "a path", "one with blanks, control characters or '\\'", "quote its parts"
        )
    # urllib3 resolves them, percent-encoded ones included
    if not {".", ".."}.isdisjoint(unquote(path).replace("\\", "/").split("/")):
        raise wrong_value("path", "a path without '.' and '..'", path)


def _query(params: Any) -> dict[str, Any]:
    """Return a query for `requests`: `None`s left out, `True` as `true`."""
    mapping("params", params)
    query = {}
    for name, value in params.items():
        if not isinstance(name, str):
            raise wrong_type("params", "names that are str", name)
        encoded("params", name)
        shown = f"params[{name!r}]"
        if isinstance(value, (list, tuple)):
            query[name] = [_value(shown, item) for item in value if item is not None]
        elif value is not None:
            query[name] = _value(shown, value)
    return query


def _value(name: str, value: Any) -> Any:
    if isinstance(value, str):
        _check_text(name, value)
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (int, float)):
        raise wrong_type(name, "a str, a number, a bool, None or a list of these", value)
    number()(name, value)
    return value


def _opened(data: Any, cancel: Optional[CancelToken]) -> AbstractContextManager[Optional[FilePart]]:
    """Return a file object as a file to send, `None` for everything else."""
    if callable(getattr(data, "read", None)):
        return FilePart(data, argument="data", cancel=cancel)
    return nullcontext()


def _content(data: Any) -> Optional[bytes]:
    """Return a body that is no file."""
    if data is None:
        return None
    if isinstance(data, str):
        return encoded("data", data)
    try:
        return memoryview(data).tobytes()
    except TypeError:
        advice = "send an object with json=" if isinstance(data, (Mapping, list)) else ""
        raise wrong_type("data", "bytes, a str or a binary file object", data, advice) from None
