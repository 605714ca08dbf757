"""Which names and which web pages may use a sandbox.

A sandbox accepts almost every key, so a page of some website could use one that runs on the machine
of its visitor: in a request of its own (its `Origin` is foreign), or after pointing its own name at
127.0.0.1 ("DNS rebinding": its `Host` is foreign). Programs that are not browsers send no `Origin`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.message import Message
from typing import Any, Optional
from urllib.parse import SplitResult, urlsplit

from .._support import checks as _checks
from ..config._urls import is_loopback, safe_url

__all__ = ["Access", "is_preflight"]

_ANY = "*"
_PAGE_WITHOUT_ORIGIN = "null"  # a local file, or a sandboxed frame of any page
_ADVICE = "pass allow_origins=[...] to Sandbox, or --allow-origin to `soniox-sync sandbox`"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_ORIGIN = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://"
    r"(?P<host>\[(?P<address>[0-9a-f:.]+)\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII | re.IGNORECASE,
)
# a preflight's answer may be kept this long; browsers limit it to two hours at most
_PREFLIGHT_SEC = "600"


class Access:
    """Rule for `Host` and `Origin`: loopback names, and what `allow_origins` adds.

    Of an allowed origin the page may send requests, and its host may be the sandbox's name. `"*"`
    allows everything. Immutable.

    Raises
        ConfigurationError: not an origin.
        InputTypeError: not a list of str.
    """

    def __init__(self, allow_origins: Sequence[str]) -> None:
        given = _checks.string_list("allow_origins", allow_origins, what="origins")
        self._origins = {_origin(f"allow_origins[{i}]", each) for i, each in enumerate(given)}
        self._names = {urlsplit(each).hostname for each in self._origins}

    def refusal(self, headers: Message, target: SplitResult) -> Optional[str]:
        """Return why a request is refused, `None` if it is not. `target`: of its first line."""
        if _ANY in self._origins:
            return None
        hosts = [str(host) for host in headers.get_all("Host") or ()]
        for host in [*hosts, target.netloc] if target.netloc else hosts:
            if not self._is_ours(_name(f"//{host}")):
                return f"Host {host[:100]} is not a name of this machine: {_ADVICE}.\n"
        for origin in headers.get_all("Origin") or ():
            if not self._is_allowed(str(origin)):
                return f"Origin {str(origin)[:100]} is not allowed: {_ADVICE}.\n"
        return None

    def headers(self, request: Message) -> dict[str, str]:
        """Return the headers that let an allowed page read the response."""
        origin = request.get("Origin")
        if origin is None or not self._is_allowed(origin):
            return {}
        found = {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": "*",
            "Vary": "Origin",
        }
        if request.get("Access-Control-Request-Method") is not None:
            found["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
            found["Access-Control-Max-Age"] = _PREFLIGHT_SEC
            if wanted := request.get("Access-Control-Request-Headers"):
                found["Access-Control-Allow-Headers"] = wanted
            if request.get("Access-Control-Request-Private-Network") == "true":
                found["Access-Control-Allow-Private-Network"] = "true"
        return found

    def _is_ours(self, name: Optional[str]) -> bool:
        return name is not None and (is_loopback(name) or name in self._names)

    def _is_allowed(self, origin: str) -> bool:
        if _ANY in self._origins or origin.lower() in self._origins:
            return True
        name = _name(origin)
        return name is not None and is_loopback(name)


def is_preflight(method: Any, headers: Message) -> bool:
    """Return whether a request asks if a page may send another one."""
    return method == "OPTIONS" and headers.get("Access-Control-Request-Method") is not None


def _origin(name: str, value: str) -> str:
    """Return an origin as browsers write it: in lower case, and without the port of its scheme.

    Raises
        ConfigurationError: no browser would ever send this.
    """
    if value in (_ANY, _PAGE_WITHOUT_ORIGIN):
        return value
    expected = "an origin such as 'https://app.example.org', 'null' or '*'"
    # of the value itself: what splits URLs ignores blanks and control characters in places
    found = _ORIGIN.fullmatch(value)
    if found is None:
        shown = safe_url(value) if "@" in value else value
        raise _checks.wrong_value(name, expected, shown, _fix_of(value))
    scheme, host, port = found["scheme"].lower(), found["host"].lower(), found["port"]
    if found["address"]:
        host = _written(found["address"])
    if not host:
        raise _checks.wrong_value(name, expected, value, "its IPv6 address is not valid")
    if port is None or _DEFAULT_PORTS.get(scheme) == int(port):
        return f"{scheme}://{host}"
    if not 0 < int(port) <= 65_535:
        raise _checks.wrong_value(name, expected, value, "ports are from 1 to 65535")
    return f"{scheme}://{host}:{int(port)}"


def _fix_of(value: str) -> str:
    """Return what to do about a text that is no origin."""
    authority = value.partition("://")[2]
    if not value.isascii():
        return "write the host in its ASCII form, which begins with 'xn--'"
    if _ANY in value:
        return "list each origin, or pass '*' alone, which allows all"
    if "@" in authority:
        return "leave out user and password: browsers do not send them"
    if any(mark in authority for mark in "/?#"):
        return "leave out what follows the host and port"
    return ""


def _written(address: str) -> str:
    """Return an IPv6 address as browsers write it; empty if it is none."""
    import ipaddress

    try:
        return f"[{ipaddress.IPv6Address(address).compressed}]"
    except ValueError:
        return ""


def _name(url: str) -> Optional[str]:
    """Return the host name in a URL, `None` if there is none or it is malformed."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
