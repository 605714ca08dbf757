"""Hosts and URLs: how they are derived from a region, and which are refused.

No message here contains a URL's credentials or query. Source: PROTOCOL 1.1 (the region comes after
the service label: `api.eu.`, not `eu.api.`).
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional
from urllib.parse import SplitResult, urlsplit, urlunsplit

from .._support.checks import encoded, refused, wrong_type, wrong_value
from .constants import DEFAULT_REGION, TTS_API_PATH

_ROOT_DOMAIN = "soniox.com"
_REGIONS = (DEFAULT_REGION, "eu", "jp", "in")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.ASCII)


class UrlKind(NamedTuple):
    """Rules for one of the four URLs: allowed schemes, label of the host, path to add."""

    schemes: tuple[str, str]
    service: str
    path: str


# Field -> kind. The official SDKs differ in whether a REST base ends in `/v1`; both are accepted.
URL_KINDS: dict[str, UrlKind] = {
    "api_url": UrlKind(("https", "http"), "api", "/v1"),
    "stt_ws_url": UrlKind(("wss", "ws"), "stt-rt", "/transcribe-websocket"),
    "tts_api_url": UrlKind(("https", "http"), "tts-rt", ""),
    "tts_ws_url": UrlKind(("wss", "ws"), "tts-rt", "/tts-websocket"),
}


def derived_url(field: str, base_domain: str) -> str:
    """Return the URL of a service in a base domain such as `eu.soniox.com`."""
    kind = URL_KINDS[field]
    return f"{kind.schemes[0]}://{kind.service}.{base_domain}{kind.path}"


def domain_of_region(region: str, name: str = "region", *, any_name: bool = False) -> str:
    """Return the base domain of a region: `soniox.com` for `us`, else with the region before it.

    `any_name`: accept a region that this library does not know.

    Raises
        ConfigurationError: `region` is unknown, or cannot be part of a host name.
    """
    label = _stripped(name, region).lower()
    if label == DEFAULT_REGION:
        return _ROOT_DOMAIN
    if not _LABEL.fullmatch(label) or not (any_name or label in _REGIONS):
        raise wrong_value(
            name,
            f"one of {', '.join(map(repr, _REGIONS))}",
            region,
            "for a region that this library does not know yet use "
            f"base_domain='<region>.{_ROOT_DOMAIN}'",
        )
    return f"{label}.{_ROOT_DOMAIN}"


def check_base_domain(value: str, name: str = "base_domain") -> str:
    """Return a base domain, with or without a port, in lower case.

    Raises
        ConfigurationError: a URL, a path, credentials, or not a host name.
    """
    domain = _stripped(name, value).lower()
    host, colon, port = domain.partition(":")
    labels_fit = all(_LABEL.fullmatch(label) for label in host.split("."))
    if not labels_fit or (colon and not _is_port(port)):
        shown = safe_url(domain.rpartition("@")[2])
        raise wrong_value(name, "a domain such as 'eu.soniox.com', without scheme and path", shown)
    return domain


def check_url(field: str, value: str, name: Optional[str] = None) -> str:
    """Check the URL of one service and complete its path.

    An empty path becomes the service's own; a trailing slash, and `/tts` in the URL of speech over
    HTTP, are removed. A path that ends in `/.` is used as it is, which is how to say "no path":
    `http://localhost:8000/.` is the root of that server. `name` is used in errors, for instance an
    environment variable.

    Raises
        ConfigurationError: wrong scheme, no host, credentials, fragment, or an unencrypted URL
            of another machine.
    """
    name = name or field
    kind = URL_KINDS[field]
    parts = _checked(name, value, kind.schemes, allow_query=field.endswith("ws_url"))
    path = parts.path.rstrip("/")
    if path.endswith("/."):  # the root, by the rules of URLs (RFC 3986, 5.2.4)
        # HTTP paths are added to it, a WebSocket's is complete
        path = path[:-2].rstrip("/") or ("/" if field.endswith("ws_url") else "")
        return urlunsplit(parts._replace(path=path))
    if field == "tts_api_url" and path.endswith(TTS_API_PATH):
        path = path[: -len(TTS_API_PATH)]
    return urlunsplit(parts._replace(path=path or kind.path))


def check_gateway_url(name: str, value: str) -> str:
    """Return the WebSocket URL of a gateway without a trailing slash.

    Raises
        ConfigurationError: as `check_url`.
    """
    parts = _checked(name, value, ("wss", "ws"), allow_query=False)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/")))


def safe_url(value: object) -> str:
    """Return a URL without parts that may be secret: user info, query, fragment. Never raises."""
    try:
        parts = urlsplit(str(value))
        shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    except ValueError:
        return "<malformed URL>"
    return f"{shown.partition('?')[0]}?..." if parts.query else shown


def is_loopback(host: str) -> bool:
    """Return whether a host name or address always refers to this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress  # an address is rare here, the module is large

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _stripped(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise wrong_type(name, "a str", value)
    text = value.strip()
    encoded(name, text)
    if not text:
        raise wrong_value(name, "a str that is not empty", text, "leave it out for the default")
    return text


def _checked(
    name: str, value: object, schemes: tuple[str, str], *, allow_query: bool
) -> SplitResult:
    """Split a URL, or raise an error that does not contain it."""
    parts = _split(name, _stripped(name, value))
    _check_scheme(name, parts, schemes)
    if not parts.hostname:
        raise refused(name, "a URL with a host", "one that has no host")
    if "@" in parts.netloc:
        raise refused(name, "a URL without credentials", "one with some", "pass the key as api_key")
    if parts.fragment:
        raise refused(name, "a URL without a fragment", "one with '#...'")
    if parts.query and not allow_query:
        raise refused(name, "a URL without a query", "one with '?...'", "paths are added to it")
    return parts


def _split(name: str, text: str) -> SplitResult:
    # urlsplit drops tabs and newlines, and http clients disagree on the rest: refuse them here
    if any(ch <= " " or ch in '\x7f\\<>"' for ch in text):
        raise refused(name, "a URL", "one with blanks or control characters")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is not a number in range
    except ValueError:
        raise refused(name, "a URL", "one whose host or port is malformed") from None
    return parts


def _check_scheme(name: str, parts: SplitResult, schemes: tuple[str, str]) -> None:
    secure, plain = schemes
    if parts.scheme not in schemes or not parts.netloc:
        got = f"{parts.scheme}://..." if parts.netloc and parts.scheme else "one without"
        raise refused(name, f"a URL with {secure}:// ({plain}:// on this machine)", got)
    # the key is sent in a header: an unencrypted connection must not leave this machine
    if parts.scheme == plain and parts.hostname and not is_loopback(parts.hostname):
        raise refused(
            name,
            f"a URL with {secure}://",
            f"{plain}:// to {parts.hostname}, which would send the key unencrypted",
            f"{plain}:// is only for this machine (localhost)",
        )


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
