"""HTTP requests made by the sandbox: webhooks and audio URLs, on this machine only."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Optional
from urllib.parse import urlsplit

__all__ = ["LoopbackError", "fetch", "is_loopback", "post"]

# the other program runs on this machine, so it takes longer only if it hangs
_TIMEOUT_SEC = 5.0
_HOSTS = ("localhost", "127.0.0.1", "::1")


class LoopbackError(Exception):
    """A request failed, or was not made because it would leave this machine."""


def is_loopback(url: str) -> bool:
    """Return whether a URL is a plain HTTP URL of this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in _HOSTS and parts.port != 0
    except ValueError:
        return False


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """POST to a loopback URL and return the status.

    Raises
        LoopbackError: the request failed, or the URL is not a loopback URL.
    """
    return _request("POST", url, body, headers, None)[0]


def fetch(url: str, most: int) -> bytes:
    """GET at most `most` bytes from a loopback URL.

    Raises
        LoopbackError: the request failed, the file is larger, or it is not a loopback URL.
    """
    status, data = _request("GET", url, None, {}, most)
    if status != 200:
        raise LoopbackError(f"HTTP {status}")
    if len(data) > most:
        raise LoopbackError("the file is too large")
    return data


def _request(
    method: str, url: str, body: Optional[bytes], headers: Mapping[str, str], most: Optional[int]
) -> tuple[int, bytes]:
    if not is_loopback(url):
        raise LoopbackError("the sandbox calls only this machine: use an http://127.0.0.1 URL")
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_SEC
    )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.read(1024 if most is None else most + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise LoopbackError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
