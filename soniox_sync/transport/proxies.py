"""Proxies: which one a connection goes through, where it is configured, and what to say of it.

No message shows the credentials in a proxy's URL.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Optional
from urllib.parse import SplitResult, urlsplit

from ..errors import ConfigurationError

ARGUMENT = "proxy="
_SYSTEM = "the system's settings"
_SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")
SOCKS_PORT = 1080
# WebSockets use the first, HTTP calls the second: a client needs both
SOCKS_COMMAND = "python -m pip install python-socks 'requests[socks]'"


@dataclass(frozen=True)
class Proxy:
    """Proxy, with where it is configured: a variable, `proxy=`, or another place in words."""

    url: str = field(repr=False)
    source: str

    @property
    def parts(self) -> SplitResult:
        """Parts of the URL; raises `ValueError` for a malformed one."""
        return urlsplit(self.url if "://" in self.url else f"http://{self.url}")

    @property
    def name(self) -> str:
        """Host and port, as far as they can be read."""
        try:
            parts = self.parts
            host = parts.hostname or ""
            port = parts.port or (SOCKS_PORT if is_socks(parts.scheme) else None)
        except ValueError:
            return "with a malformed URL"
        if not host:
            return "without a host"
        host = f"[{host}]" if ":" in host else host
        return host if port is None else f"{host}:{port}"

    @property
    def remedy(self) -> str:
        """What to do about a proxy that is not where its URL says."""
        if self.source == ARGUMENT:
            return "correct or leave out proxy="
        if self.source == _SYSTEM:
            return "correct the proxy in the system's settings"
        return f"correct or unset {self.source}, or start the proxy"

    def __str__(self) -> str:
        return f"the proxy {self.name} (from {self.source})"

    def unreachable(self, reason: str) -> str:
        """Return the message for a proxy that cannot be connected to."""
        return f"{self} cannot be reached: {reason}: {self.remedy}"

    def unresolved(self) -> str:
        """Return the message for a proxy whose host name has no address."""
        return f"the host name of {self} could not be resolved: {self.remedy}"

    def refused(self, reason: str) -> str:
        """Return the message for a proxy that answers, but opens no connection."""
        return f"{self} refused the connection ({reason}): check its URL, user and password"

    def check_url(self) -> SplitResult:
        """Return the parts of the URL; raise `ConfigurationError` for a malformed one."""
        try:
            parts = self.parts
            parts.port  # noqa: B018 - raises for a port out of range
        except ValueError:  # its message may quote the credentials
            raise ConfigurationError(
                f"proxy: the URL from {self.source} is malformed; use http://host:port"
            ) from None
        if not parts.hostname:
            raise ConfigurationError(
                f"proxy: no host in the proxy URL from {self.source}; use http://host:port"
            )
        return parts

    def check_usable(self) -> SplitResult:
        """Return the parts of the URL.

        Raises
            ConfigurationError: the URL cannot be used for WebSockets, or its scheme needs a package
                that is not installed.
        """
        parts = self.check_url()
        if parts.scheme not in _SCHEMES:
            raise ConfigurationError(
                f"proxy: the scheme {parts.scheme!r} (from {self.source}) is not supported for "
                f"WebSockets; use one of {', '.join(_SCHEMES)}"
            )
        if is_socks(parts.scheme) and find_spec("python_socks") is None:
            raise missing_socks(self)
        return parts


def is_socks(scheme: str) -> bool:
    """Return whether a URL's scheme is one of SOCKS."""
    return scheme.lower().startswith("socks")


def missing_socks(proxy: Optional[Proxy]) -> ConfigurationError:
    """Return the error for a SOCKS proxy without the packages that it needs."""
    subject = "a SOCKS proxy" if proxy is None else str(proxy)
    return ConfigurationError(f"proxy: {subject} needs packages for SOCKS: {SOCKS_COMMAND}")


def environment_proxy(secure: bool, host: str) -> Optional[Proxy]:
    """Return the proxy of the environment for a host, `None` if it is reached directly."""
    from urllib.request import getproxies, proxy_bypass

    # a proxy cannot reach this machine's loopback, where the sandbox listens
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    if loopback or proxy_bypass(host):
        return None
    proxies = getproxies()
    url = proxies.get("https" if secure else "http") or proxies.get("all")
    return found(url, secure) if url else None


def found(url: str, secure: bool, given: Optional[str] = None) -> Proxy:
    """Return the proxy with this URL, with where it comes from; `given` is that of `proxy=`."""
    return Proxy(url, ARGUMENT if given else _variable(secure, url) or _SYSTEM)


def unused_variable(secure: bool) -> Optional[str]:
    """Return the variable that would name a proxy for other hosts, `None` if none is set."""
    return _variable(secure)


def _variable(secure: bool, url: Optional[str] = None) -> Optional[str]:
    """Return the variable that sets a proxy, or the one that sets `url`."""
    for kind in ("https" if secure else "http", "all"):
        # as urllib: lower case comes first
        for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
            value = os.environ.get(name)
            if value and (url is None or value == url):
                return name
    return None
