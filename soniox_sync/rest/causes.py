"""What `requests`, urllib3, `http.client` and sockets raise, told as errors of ours."""

from __future__ import annotations

import socket
import ssl
from typing import Optional

import requests
import urllib3.exceptions as low

from ..errors import ConfigurationError, SonioxError
from .failures import late, lost
from .place import Place


def explain(place: Place, error: BaseException, timeout_sec: float) -> SonioxError:
    """Give our error for `error`, the same if it is one.

    Its attribute `nothing_sent` is true when the connection could not be made, `is_final` when
    another attempt would fail as well.
    """
    if isinstance(error, SonioxError):
        return error
    reason = _reason(error)
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return ConfigurationError(
            f"{place.name}: the URL cannot be used: {place.hide(str(reason))}"
        )
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return ConfigurationError(
            "proxy: SOCKS needs one more package: python -m pip install 'requests[socks]'"
        )
    if _is_timeout(error, reason):
        ours: SonioxError = late(place, timeout_sec)
        ours.__cause__ = place.hide_in_chain(reason)
    else:
        ours = lost(place, reason, _advice(place, reason))
    ours.nothing_sent = _nothing_sent(reason)  # type: ignore[attr-defined]
    ours.is_final = isinstance(_certificate(reason), ssl.SSLCertVerificationError)  # type: ignore[attr-defined]
    return ours


def _reason(error: BaseException) -> BaseException:
    """Dig for what lies below: the errors of `requests` hold the request, and with it the key."""
    for _ in range(8):  # more layers than there are; a loop cannot be endless
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None or isinstance(error, low.NewConnectionError):
            break
        error = inner
    if isinstance(error, requests.RequestException):
        return ConnectionError(type(error).__name__)
    return error


def _is_timeout(error: BaseException, reason: BaseException) -> bool:
    kinds = (requests.Timeout, low.TimeoutError, socket.timeout, TimeoutError)
    refused = isinstance(reason, low.NewConnectionError)  # a timeout to urllib3, but not to us
    return not refused and (isinstance(error, kinds) or isinstance(reason, kinds))


def _nothing_sent(reason: BaseException) -> bool:
    return isinstance(reason, (low.NewConnectionError, low.ConnectTimeoutError))


def _certificate(reason: BaseException) -> Optional[BaseException]:
    seen: Optional[BaseException] = reason
    while seen is not None and not isinstance(seen, ssl.SSLCertVerificationError):
        seen = seen.__cause__ or seen.__context__
    return seen


def _advice(place: Place, reason: BaseException) -> str:
    certificate = _certificate(reason)
    if isinstance(certificate, ssl.SSLCertVerificationError):
        return (
            f"the certificate was refused ({certificate.verify_message}): set verify= to your CA "
            "file if a proxy of yours re-signs traffic"
        )
    if isinstance(reason.__cause__, socket.gaierror) or isinstance(reason, socket.gaierror):
        return "the host name could not be resolved: check region, base_domain and DNS"
    if isinstance(reason, low.NewConnectionError) and reason.__cause__ is not None:
        return f"could not connect: {place.hide(str(reason.__cause__))}"
    return ""
