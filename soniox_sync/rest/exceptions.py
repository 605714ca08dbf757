"""Mapping exceptions of `requests`, urllib3, `http.client` and sockets to this library's errors."""

from __future__ import annotations

import socket

import requests
import urllib3.exceptions as low

from ..errors import ConfigurationError, SonioxError, SonioxHttpError
from ..runtime.tls import certificate_error
from ..transport.proxies import missing_socks
from .errors import network_error, timed_out
from .request import RequestInfo


def map_exception(request: RequestInfo, error: BaseException, timeout_sec: float) -> SonioxError:
    """Return this library's error for `error`, or `error` itself if it is one."""
    if isinstance(error, SonioxError):
        return error
    reason = reason_of(error)
    if isinstance(error, requests.exceptions.InvalidURL) and "Proxy URL" in str(error):
        where = "" if request.proxy is None else f" from {request.proxy.source}"
        return ConfigurationError(f"proxy: the URL{where} cannot be used; use http://host:port")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return ConfigurationError(
            f"{request.name}: the URL cannot be used: {request.redactor.text(str(reason))}"
        )
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return missing_socks(request.proxy)
    mapped: SonioxHttpError
    if is_timeout(error, reason):
        mapped = timed_out(request, timeout_sec)
        mapped.__cause__ = request.redactor.cause(reason)
    else:
        mapped = network_error(request, reason, _advice(request, error, reason))
    mapped.nothing_sent = isinstance(reason, (low.NewConnectionError, low.ConnectTimeoutError))
    return mapped


def reason_of(error: BaseException) -> BaseException:
    """Return the underlying error: those of `requests` contain the request, and with it the key."""
    for _ in range(8):  # more layers than there are; bounded in case of a cycle
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        if not isinstance(inner, BaseException):
            inner = next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if inner is None or isinstance(error, low.NewConnectionError):
            break
        error = inner
    if isinstance(error, requests.RequestException):
        # without the request, but with what it says: a mock names the call that it did not expect
        return ConnectionError(": ".join(filter(None, (type(error).__name__, str(error)))))
    return error


def is_timeout(error: BaseException, reason: BaseException) -> bool:
    """Return whether a time limit passed; `reason` is what `reason_of(error)` returned."""
    kinds = (requests.Timeout, low.TimeoutError, socket.timeout, TimeoutError)
    refused = isinstance(reason, low.NewConnectionError)  # a timeout only for urllib3
    return not refused and (isinstance(error, kinds) or isinstance(reason, kinds))


def _advice(request: RequestInfo, error: BaseException, reason: BaseException) -> str:
    certificate = certificate_error(reason)
    if certificate is not None:
        return (
            f"the certificate was refused ({certificate.verify_message}): if a proxy of yours "
            "re-signs traffic, set verify= to its CA file"
        )
    cause = reason.__cause__
    unresolved = isinstance(cause, socket.gaierror) or isinstance(reason, socket.gaierror)
    unconnected = isinstance(reason, low.NewConnectionError) and cause is not None
    text = request.redactor.text(str(cause if unconnected else reason))
    if request.proxy is not None:
        # behind a proxy only the proxy is connected to, and it looks up the name of the service
        if unresolved:
            return request.proxy.unresolved()
        if isinstance(reason, low.NewConnectionError):
            # PySocks: without a cause, and its other errors are answers of the proxy
            socks = reason.__context__
            found = cause or getattr(socks, "socket_err", None)
            said = getattr(found, "strerror", None) or text.rpartition("connection: ")[2]
            if unconnected or type(socks).__name__ == "ProxyConnectionError":
                return request.proxy.unreachable(said)
            return request.proxy.refused(said)
        if isinstance(error, requests.exceptions.ProxyError):
            return request.proxy.refused(text)
    if unresolved:
        return "the host name could not be resolved: check region, base_domain and DNS"
    return f"could not connect: {text}" if unconnected else ""
