"""Probe: one HTTP request without a key, and how far it got. For diagnosis.

It takes the way of every other call (the same session, proxy, TLS context and addresses), but its
errors stay facts, and any status is a success.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Optional

import requests
from requests.utils import select_proxy

from ..errors import ConfigurationError, SonioxError
from ..runtime.tls import certificate_error
from ..service import USER_AGENT
from .exceptions import is_timeout, reason_of
from .exchange import TIMED_OUT, Exchange
from .http import Http

# Where a request failed. "ca_file": the CA file cannot be used; "certificate" and "tls": in the TLS
# handshake; "silent": connected, but without a response.
Failure = Literal[
    "ca_file", "dns", "unreachable", "timeout", "proxy", "certificate", "tls", "silent"
]


@dataclass(frozen=True)
class Probe:
    """What one request met.

    `failure`: where it failed, `None` after a response of any status. `certificate`: the error of
    OpenSSL if the certificate was refused. `text` describes the failure; it may contain what a
    proxy said.
    """

    failure: Optional[Failure] = None
    text: str = ""
    status: Optional[int] = None
    headers: Mapping[str, str] = field(default_factory=dict)
    certificate: Optional[ssl.SSLCertVerificationError] = None


def probe(http: Http, url: str, limit_sec: float) -> Probe:
    """Request `url` without a key, within `limit_sec`; return what happened. Never retries.

    Raises
        StateError: `http` is closed.
    """
    session = http.open_session()
    exchange = Exchange(None, limit_sec)
    http.register(exchange)
    settings = http.send_settings(session, url)
    try:
        # `auth`: or `requests` would send what a netrc file has for this host
        request = requests.Request("GET", url, headers={"User-Agent": USER_AGENT}, auth=_no_key)
        with exchange.running():
            response = session.send(
                session.prepare_request(request),
                timeout=limit_sec,
                allow_redirects=False,
                **settings,
            )
        with response:
            return Probe(status=response.status_code, headers=response.headers)
    except ConfigurationError as error:  # of the TLS context, before anything was connected
        return Probe("ca_file", str(error))
    except (requests.RequestException, OSError, SonioxError) as error:
        proxied = select_proxy(url, settings.get("proxies")) is not None
        return _failed(error, exchange, proxied)
    finally:
        exchange.release()


def _no_key(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _failed(error: Exception, exchange: Exchange, proxied: bool) -> Probe:
    reason = reason_of(error)
    cause = reason.__cause__ or reason
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    certificate = certificate_error(reason)
    if certificate is not None:
        return Probe("certificate", certificate.verify_message, certificate=certificate)
    if exchange.connected:
        return Probe("silent", text)
    timed_out = exchange.cause == TIMED_OUT or is_timeout(error, reason)
    if isinstance(reason, ssl.SSLError) and not timed_out:
        return Probe("tls", reason.reason or text)
    if proxied:  # it looks up the address and opens the connection
        return Probe("proxy", text)
    if isinstance(cause, socket.gaierror):
        return Probe("dns", text)
    return Probe("timeout" if timed_out else "unreachable", text)
