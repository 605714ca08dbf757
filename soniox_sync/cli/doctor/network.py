"""The checks of the network: names, proxy, TLS, clock. None of them sends the key."""

from __future__ import annotations

import functools
import math
import socket
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Optional
from urllib.parse import urlsplit

from ...config import SttSessionOptions
from ...rest.http import Http
from ...rest.probe import Probe, probe
from ...runtime.tls import TlsSettings
from ...service import NativeService, Settings
from ...transport.connect import Target, proxy_for
from ...transport.deadline import Deadline
from ...transport.proxies import Proxy, unused_variable
from .advice import kind_of_certificate
from .bounded import run_all
from .plan import Limits, Outcome
from .setup import URLS, Setup

if TYPE_CHECKING:
    from ...config import ResolvedConnectionConfig

__all__ = ["Network", "Origin"]

# a certificate or a temporary key may be refused by a clock that is off by more than this
_MAX_CLOCK_ERROR_SEC = 300.0
# the kinds of `Probe.failure` that end a TLS check, where the kind of advice has another name
_KINDS = {"tls": "no_tls", "timeout": "unreachable"}


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of one or more of the four URLs, and the proxy on the way there."""

    url: str
    proxy: Optional[Proxy] = None

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL of either kind."""
        parts = urlsplit(url)
        secure = parts.scheme in ("https", "wss")
        # a WebSocket and an HTTP request to one host go through the same proxy
        proxy = proxy_for(Target(f"{'wss' if secure else 'ws'}://{parts.netloc}/"))
        return cls(f"{'https' if secure else 'http'}://{parts.netloc}/", proxy)

    @property
    def name(self) -> str:
        """Host, and port if it is not the usual one."""
        return urlsplit(self.url).netloc

    @property
    def is_secure(self) -> bool:
        """Whether it is reached over TLS."""
        return self.url.startswith("https")

    @property
    def first_host(self) -> tuple[str, int]:
        """Host and port that this machine connects to: the proxy's, if there is one."""
        parts = urlsplit(self.url) if self.proxy is None else self.proxy.parts
        usual = 443 if parts.scheme == "https" else 80
        return parts.hostname or "", parts.port or usual


class Network:
    """Checks of the way to the service."""

    def __init__(self, setup: Setup, addresses: ResolvedConnectionConfig, limits: Limits) -> None:
        self._setup = setup
        self._check_sec = limits.check_sec
        self._call_sec = limits.call_sec
        settings = Settings(SttSessionOptions(), 1, limits.call_sec, None, None, TlsSettings())
        self._http = self._make_http(settings)
        # for the date of a server whose certificate is refused: it gets no key
        self._unverified = self._make_http(replace(settings, tls=TlsSettings(False)))
        urls = dict.fromkeys(getattr(addresses, name) for name in URLS)
        self.origins: tuple[Origin, ...] = tuple(dict.fromkeys(map(Origin.of, urls)))
        # One for each origin, from the latest check; `None`: not done in time
        self._probes: list[Optional[Probe]] = []

    def _make_http(self, settings: Settings) -> Http:
        setup = self._setup
        service = NativeService(setup.connection, None, setup.environ, "header", settings)
        return Http(service, 0, None)

    @property
    def hosts(self) -> str:
        """Names of all hosts, for messages."""
        return ", ".join(dict.fromkeys(origin.name for origin in self.origins))

    def close(self) -> None:
        """Close the connections; probes that still run end soon."""
        self._http.close()
        self._unverified.close()

    # -- the checks ------------------------------------------------------------------------------

    def check_dns(self) -> Outcome:
        """Look up every host that this machine connects to; raises for an unusable proxy."""
        hosts: dict[tuple[str, int], Optional[Proxy]] = {}
        for origin in self.origins:
            if origin.proxy is not None:
                origin.proxy.check_usable()  # URLs of the service have been checked before
            hosts.setdefault(origin.first_host, origin.proxy)
        calls = [functools.partial(_look_up, host, port) for host, port in hosts]
        answers = run_all(calls, Deadline(self._check_sec))
        for (host, proxy), result in zip(((h, p) for (h, _), p in hosts.items()), answers):
            name = host if proxy is None else str(proxy)
            if result is None:
                kind = "dns_silent" if proxy is None else "proxy"
                return Outcome(kind, f"no answer for {name} in {self._check_sec:g} s")
            if isinstance(result, OSError):
                kind = "dns" if proxy is None else "proxy"
                return Outcome(kind, f"{name}: {result.strerror or result}")
        found = {host: str(result) for (host, _), result in zip(hosts, answers)}
        return Outcome(detail=", ".join(_name_and_address(*each) for each in found.items()))

    def check_proxy(self) -> Outcome:
        """Have the proxy, if there is one, open a connection to every host."""
        proxied = [origin for origin in self.origins if origin.proxy is not None]
        if not proxied:
            return Outcome(detail=self._without_proxy())
        shown = ", ".join(dict.fromkeys(_shown(origin.proxy) for origin in proxied))
        for origin, result in zip(proxied, self._probe_all(proxied)):
            if result is None:
                text = f"no connection to {origin.name} in {self._check_sec:g} s"
            elif result.failure == "ca_file":  # nothing was tried
                return _bad_ca_file(result)
            elif result.failure == "proxy":
                text = f"{origin.name}: {result.text}"
            else:
                continue
            return Outcome("proxy", f"{_shown(origin.proxy)}: {text}")
        return Outcome(detail=shown)

    def check_tls(self) -> Outcome:
        """Connect to every host, and verify its certificate if it is reached over TLS."""
        self._probes = self._probe_all(self.origins)
        for origin, result in zip(self.origins, self._probes):
            if result is None:
                return Outcome("unreachable", f"{origin.name}: {self._silence}")
            if result.certificate is not None:
                kind = kind_of_certificate(result.certificate)
                return Outcome(kind, f"{origin.name}: certificate refused ({result.text})")
            if result.failure == "ca_file":
                return _bad_ca_file(result)
            if result.failure not in (None, "silent"):
                kind = _KINDS.get(result.failure, result.failure)
                text = self._silence if result.failure == "timeout" else result.text
                return Outcome(kind, f"{origin.name}: {text}")
        plain = [origin.name for origin in self.origins if not origin.is_secure]
        return Outcome(detail=f"not encrypted: {', '.join(plain)}" if plain else "verified")

    def check_clock(self) -> Outcome:
        """Compare the clock with the date of a response, also one from behind a bad certificate."""
        dates = [_clock_error(result) for result in self._probes if result is not None]
        refused = [
            origin
            for origin, result in zip(self.origins, self._probes)
            if result is not None and result.failure == "certificate"
        ]
        if refused:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Unverified HTTPS request")
                answers = self._probe_all(refused, self._unverified)
            dates += [_clock_error(result) for result in answers if result is not None]
        known = [error for error in dates if error is not None]
        if not known:
            return Outcome(detail="not compared: no response had a date")
        error = min(known, key=abs)
        if abs(error) <= _MAX_CLOCK_ERROR_SEC:
            # the date of a response has no fractions of a second
            return Outcome(detail=f"right within {max(1, math.ceil(abs(error)))} s")
        direction = "ahead of" if error > 0 else "behind"
        return Outcome("clock", f"{_duration(abs(error))} {direction} the service's")

    # -- behind them -----------------------------------------------------------------------------

    def _without_proxy(self) -> str:
        """Return that no proxy is used, and which variable sets one for other hosts."""
        unused = (unused_variable(origin.is_secure) for origin in self.origins)
        variable = next(filter(None, unused), None)
        if variable is None:
            return "none"
        return f"none: {variable} is set, but not used for {self.hosts} (loopback or NO_PROXY)"

    @property
    def _silence(self) -> str:
        return f"no connection in {self._call_sec:g} s"

    def _probe_all(
        self, origins: Sequence[Origin], http: Optional[Http] = None
    ) -> list[Optional[Probe]]:
        limit = self._call_sec
        calls = [
            functools.partial(probe, http or self._http, origin.url, limit) for origin in origins
        ]
        return run_all(calls, Deadline(self._check_sec))


def _bad_ca_file(result: Probe) -> Outcome:
    # the message names the keyword; here the file comes from a variable
    return Outcome("ca_file", f"the CA file cannot be used: {result.text.partition(': ')[2]}")


def _name_and_address(host: str, address: str) -> str:
    return host if host == address else f"{host} is {address}"


def _shown(proxy: Optional[Proxy]) -> str:
    return "" if proxy is None else f"{proxy.name} (from {proxy.source})"


def _look_up(host: str, port: int) -> object:
    """Return the first address of a host, or the `OSError`."""
    try:
        addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        return addresses[0][4][0] if addresses else OSError("no address")
    except UnicodeError:  # a label that is empty or too long
        return OSError("not a host name")
    except OSError as error:
        return error


def _clock_error(response: Probe) -> Optional[float]:
    """Return by how many seconds this machine's clock is ahead of a response just received."""
    try:
        date = parsedate_to_datetime(response.headers.get("Date") or "")
    # what it raises for nonsense varies by version
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    date = date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)
    return time.time() - (date - datetime.fromtimestamp(0, timezone.utc)).total_seconds()


def _duration(sec: float) -> str:
    for name, size in (("days", 86_400), ("hours", 3600)):
        if sec >= 2 * size:
            return f"{sec / size:.0f} {name}"
    return f"{sec / 60:.0f} minutes"
