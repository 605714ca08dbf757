"""Hosts and URLs: how they are derived from a region, and which are refused.

Source: PROTOCOL 1.1 (the region's infix stands after the service label: `api.eu.`, not `eu.api.`).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional
from urllib.parse import SplitResult, urlsplit, urlunsplit

from ..errors import ConfigurationError, InputTypeError
from .constants import (
    API_PATH,
    DEFAULT_REGION,
    ROOT_DOMAIN,
    STT_WS_PATH,
    TTS_API_PATH,
    TTS_WS_PATH,
)

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)

# The key travels in a header, so an unencrypted line may only lead to this machine.
_SECURE = {"https": True, "wss": True, "http": False, "ws": False}


class UrlKind(NamedTuple):
    """Describes one of the four URLs: schemes it may have, label of its host, path to add."""

    schemes: tuple[str, str]
    service: str
    path: str


# Field -> kind. The official SDKs disagree whether a REST base ends in `/v1`; both are taken.
URL_KINDS: dict[str, UrlKind] = {
    "api_url": UrlKind(("https", "http"), "api", API_PATH),
    "stt_ws_url": UrlKind(("wss", "ws"), "stt-rt", STT_WS_PATH),
    "tts_api_url": UrlKind(("https", "http"), "tts-rt", ""),
    "tts_ws_url": UrlKind(("wss", "ws"), "tts-rt", TTS_WS_PATH),
}


def derived_url(field: str, base_domain: str) -> str:
    """Give the service's own URL below a base domain such as `eu.soniox.com`."""
    kind = URL_KINDS[field]
    return f"{kind.schemes[0]}://{kind.service}.{base_domain}{kind.path}"


def domain_of_region(region: str, name: str = "region") -> str:
    """Give the base domain of a region; `us` has no infix, any other name is one.

    Raises
        ConfigurationError: `region` cannot be part of a host name.
    """
    label = _stripped(name, region).lower()
    if label == DEFAULT_REGION:
        return ROOT_DOMAIN
    if not _LABEL.fullmatch(label):
        raise ConfigurationError(f"{name} must be a name such as 'us', 'eu', 'jp' or 'in'")
    return f"{label}.{ROOT_DOMAIN}"


def check_base_domain(value: str, name: str = "base_domain") -> str:
    """Check a base domain, with or without a port, and give it in lower case.

    Raises
        ConfigurationError: a URL, a path, credentials, or no host name.
    """
    domain = _stripped(name, value).lower()
    host, colon, port = domain.partition(":")
    labels_fit = all(_LABEL.fullmatch(label) for label in host.split("."))
    if not labels_fit or (colon and not _is_port(port)):
        raise ConfigurationError(
            f"{name} must be a bare domain such as 'eu.soniox.com', without scheme and path"
        )
    return domain


def check_url(field: str, value: str, name: Optional[str] = None) -> str:
    """Check the URL of one service and complete its path.

    An empty path becomes the service's own; a trailing slash, and the `/tts` of the speech REST
    host, are dropped. `name` is what an error calls it, for instance an environment variable.

    Raises
        ConfigurationError: wrong scheme, no host, credentials, fragment, or an unencrypted URL
            that leads off this machine. The message never repeats the URL's credentials or query.
    """
    name = name or field
    parts = _split(name, _stripped(name, value))
    _check_scheme(name, parts, URL_KINDS[field].schemes)
    _check_parts(name, parts, allow_query=field.endswith("ws_url"))
    _check_plaintext(name, parts)
    return urlunsplit(parts._replace(path=_full_path(field, parts.path)))


def check_gateway_url(name: str, value: str) -> str:
    """Check a WebSocket URL of a gateway and give it without trailing slash.

    Raises
        ConfigurationError: as `check_url`.
    """
    parts = _split(name, _stripped(name, value))
    _check_scheme(name, parts, ("wss", "ws"))
    _check_parts(name, parts, allow_query=False)
    _check_plaintext(name, parts)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/")))


def safe_url(value: object) -> str:
    """Show a URL without what may be secret in it: user info, query, fragment. Never raises."""
    try:
        parts = urlsplit(str(value))
        shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    except ValueError:
        return "<malformed URL>"
    return f"{shown.partition('?')[0]}?..." if parts.query else shown


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress  # an address is rare here, the module is large

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _stripped(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputTypeError(f"{name} must be a str, not {type(value).__name__}")
    text = value.strip()
    if not text:
        raise ConfigurationError(f"{name} must not be empty; leave it out for the default")
    return text


def _split(name: str, text: str) -> SplitResult:
    # urlsplit drops tabs and newlines, and http clients disagree on the rest: refuse them here
    if any(ch <= " " or ch in '\x7f\\<>"' for ch in text):
        raise ConfigurationError(f"{name} must not hold blanks or control characters")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is not a number in range
    except ValueError:
        raise ConfigurationError(f"{name} is not a URL: its host or port is malformed") from None
    return parts


def _check_scheme(name: str, parts: SplitResult, schemes: tuple[str, str]) -> None:
    if parts.scheme not in schemes or not parts.netloc:
        raise ConfigurationError(
            f"{name} must start with {schemes[0]}:// ({schemes[1]}:// locally)"
        )
    if not parts.hostname:
        raise ConfigurationError(f"{name} has no host")


def _check_parts(name: str, parts: SplitResult, *, allow_query: bool) -> None:
    if "@" in parts.netloc:
        raise ConfigurationError(f"{name} must not hold credentials: pass the key as api_key")
    if parts.fragment:
        raise ConfigurationError(f"{name} must not hold a fragment (#...)")
    if parts.query and not allow_query:
        raise ConfigurationError(f"{name} must not hold a query (?...): paths are added to it")


def _check_plaintext(name: str, parts: SplitResult) -> None:
    if not _SECURE[parts.scheme] and not is_loopback(parts.hostname or ""):
        raise ConfigurationError(
            f"{name} would send the key unencrypted to {parts.hostname}: "
            f"use {parts.scheme}s://, plain {parts.scheme}:// is only for this machine (localhost)"
        )


def _full_path(field: str, path: str) -> str:
    path = path.rstrip("/")
    if field == "tts_api_url" and path.endswith(TTS_API_PATH):
        path = path[: -len(TTS_API_PATH)]
    return path or URL_KINDS[field].path


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
