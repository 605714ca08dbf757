"""Opening a WebSocket: addresses, proxy, TLS and upgrade, within one deadline.

websocket-client does proxies, TLS through them, and the upgrade. Without a proxy we open TCP
ourselves: websocket-client tries the next address only after a refusal, and one that hangs would
use up the whole deadline.
"""

from __future__ import annotations

import errno
import json
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, Union
from urllib.parse import unquote, urlsplit

from ..errors import (
    ConfigurationError,
    ConnectTimeoutError,
    RateLimitError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    error_from_frame,
    retry_after,
)
from .deadline import Deadline
from .proxies import SOCKS_PORT, Proxy, environment_proxy, found

if TYPE_CHECKING:
    import ssl

    import websocket

    from .upgrade import MaskedHeaders

_log = logging.getLogger("soniox_sync")

# an address that does not answer may use this share of the time left, so that the next gets a try
_SHARE_OF_DEADLINE = 0.5
# of connect(), and so of the proxy: behind a proxy the service is never connected to directly
_NOT_REACHED = frozenset(
    {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL}
)


@dataclass(frozen=True)
class Target:
    """Where to connect to, and how. The repr shows no header, proxy or secret."""

    url: str
    headers: tuple[str, ...] = field(default=(), repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    # None: from the environment, "": none
    proxy: Optional[str] = field(default=None, repr=False)
    ssl_context: Optional[Callable[[], ssl.SSLContext]] = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)  # redacted wherever they appear
    # returns what to do about an upgrade refused with an HTTP status, instead of the usual advice
    advice: Optional[Callable[[Optional[int]], str]] = field(default=None, repr=False)
    # what to do about a host name that has no address
    name_advice: str = "check region, base_domain and DNS"
    # called with status, headers and body of the response to the upgrade, whatever it is
    on_response: Optional[Callable[[int, Mapping[str, str], bytes], object]] = field(
        default=None, repr=False
    )

    @property
    def address(self) -> str:
        """Host, port and path, for messages."""
        parts = urlsplit(self.url)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_socket(
    target: Target, deadline: Deadline, on_socket: Callable[[socket.socket], None]
) -> socket.socket:
    """Connect, upgrade to WebSocket, and return the socket, ready for frames.

    `on_socket` gets each socket as soon as it exists, so that another thread can shut it down.

    Raises
        ConnectTimeoutError: `deadline` passed.
        ConfigurationError: the URL or the proxy cannot be used.
        AuthError, RealtimeError: the upgrade was refused with an HTTP status below 500.
        SonioxConnectionError: anything else.
    """
    import websocket

    from .upgrade import WebSocket

    _check_url(target)
    ws: Optional[WebSocket] = None
    options: dict[str, Any] = {}
    proxy = proxy_for(target)
    try:
        headers = _headers(target)
        options = _options(target, proxy, deadline, on_socket)
        options["header"] = headers.shown
        sslopt = options.pop("sslopt", None)  # connect() silently ignores it
        ws = WebSocket(headers, skip_utf8_validation=True, sslopt=sslopt)
        ws.connect(target.url, **options)  # type: ignore[no-untyped-call]
        if ws.getstatus() == 101:
            _report_response(target, 101, ws.getheaders(), b"")
        _check_response(ws, target)
        return ws.detach()
    except Exception as error:
        if isinstance(error, websocket.WebSocketBadStatusException):
            _report_response(target, error.status_code, error.resp_headers, error.resp_body)
        elif ws is not None and ws.getstatus() not in (None, 101):  # a redirect
            _report_response(target, ws.getstatus(), ws.getheaders(), b"")
        cause = _explain(error, ws, target, proxy, deadline)
        if ws is not None:
            ws.shutdown()  # type: ignore[no-untyped-call]
        if "socket" in options:  # websocket-client may not have taken it over yet
            options["socket"].close()
        if cause is error:
            raise
        raise cause from error


def _check_url(target: Target) -> None:
    """Raise `ConfigurationError` for a URL that cannot be connected to."""
    try:
        parts = urlsplit(target.url)
        usable = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError as error:  # a port out of range, an illegal host name
        raise ConfigurationError(f"the WebSocket URL cannot be used: {error}") from None
    if not usable:
        raise ConfigurationError(
            "the WebSocket URL cannot be used: expected ws://host or wss://host, "
            f"not {parts.scheme}:"
        )


def _report_response(target: Target, status: Any, headers: Any, body: Any) -> None:
    if target.on_response is not None and status is not None:
        target.on_response(status, headers or {}, body if isinstance(body, bytes) else b"")


def _check_response(ws: websocket.WebSocket, target: Target) -> None:
    """Raise for a response that websocket-client accepts and we do not."""
    redirect = _find_redirect(ws.getstatus(), target)
    if redirect is not None:
        raise redirect
    chosen = (ws.getheaders() or {}).get("sec-websocket-protocol")
    if target.subprotocols and chosen not in target.subprotocols:
        raise SonioxConnectionError(
            f"{target.address} did not accept the subprotocol that carries the key: use another "
            "way to authenticate (auth=)"
        )


def _find_redirect(status: Optional[int], target: Target) -> Optional[SonioxConnectionError]:
    """Return the error for a redirect: following it would send the key to another host."""
    if status is None or not 300 <= status < 400:
        return None
    return SonioxConnectionError(
        f"{target.address} redirected the connection (HTTP {status}): configure the final URL",
        status_code=status,
    )


def _headers(target: Target) -> MaskedHeaders:
    from .upgrade import MaskedHeaders

    subprotocols: tuple[str, ...] = ()
    if target.subprotocols:
        # as a header: websocket-client logs subprotocols it did not agree on, and one is the key
        subprotocols = (f"Sec-WebSocket-Protocol: {', '.join(target.subprotocols)}",)
    return MaskedHeaders((*target.headers, *subprotocols), target.secrets)


def _options(
    target: Target,
    proxy: Optional[Proxy],
    deadline: Deadline,
    on_socket: Callable[[socket.socket], None],
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "suppress_origin": True,
        "redirect_limit": 0,  # websocket-client would forward Authorization, even to ws://
        "timeout": deadline.remaining(),
    }
    if proxy is not None:
        options.update(_proxy_options(proxy))
        options["http_proxy_timeout"] = deadline.remaining()
        if target.url.startswith("wss:"):
            context = _context(target)
            # websocket-client sets these on the context, which is shared: keep their values
            options["sslopt"] = {
                "context": context,
                "cert_reqs": context.verify_mode,
                "check_hostname": context.check_hostname,
            }
        return options
    options["socket"] = _open_direct(target, deadline, on_socket)
    return options


def _context(target: Target) -> ssl.SSLContext:
    if target.ssl_context is not None:
        return target.ssl_context()
    import ssl

    return ssl.create_default_context()


def _open_direct(
    target: Target, deadline: Deadline, on_socket: Callable[[socket.socket], None]
) -> socket.socket:
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    secure = parts.scheme == "wss"
    sock = open_tcp(host, parts.port or (443 if secure else 80), deadline, on_socket)
    try:
        on_socket(sock)
        sock.settimeout(deadline.remaining())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if secure:
            # passed on before the handshake, which a peer could drag out byte by byte
            sock = _context(target).wrap_socket(
                sock, server_hostname=host, do_handshake_on_connect=False
            )
            on_socket(sock)
            sock.do_handshake()
    except BaseException:
        sock.close()
        raise
    return sock


def open_tcp(
    host: str, port: int, deadline: Deadline, on_socket: Callable[[socket.socket], None]
) -> socket.socket:
    """Connect to the first address of `host` that answers, within `deadline` for all of them."""
    addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    failure: Optional[OSError] = None
    for index, (family, kind, proto, _, address) in enumerate(addresses):
        left = deadline.remaining()
        is_last = index == len(addresses) - 1
        try:
            sock = socket.socket(family, kind, proto)
        except OSError as error:  # this machine has no such network (IPv6): try the next address
            failure = error
            continue
        try:
            on_socket(sock)
            sock.settimeout(left if left is None or is_last else left * _SHARE_OF_DEADLINE)
            sock.connect(address)
            return sock
        except SonioxError:
            sock.close()
            raise
        except OSError as error:
            sock.close()
            failure = error
            if deadline.passed:
                break
    raise failure or OSError(f"no address found for {host}")


def proxy_for(target: Target) -> Optional[Proxy]:
    """Return the proxy that a connection goes through, `None` for a direct one."""
    parts = urlsplit(target.url)
    secure = parts.scheme == "wss"
    if target.proxy is not None:
        return found(target.proxy, secure, target.proxy) if target.proxy else None
    return environment_proxy(secure, parts.hostname or "")


def _proxy_options(proxy: Proxy) -> dict[str, Any]:
    parts = proxy.check_usable()
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or (80 if parts.scheme == "http" else SOCKS_PORT),
        "http_proxy_auth": auth,
        "proxy_type": parts.scheme,
        # without a list websocket-client would apply NO_PROXY, which has been applied already
        "http_no_proxy": ["proxy-already-chosen.invalid"],
    }


def _explain(
    error: Exception,
    ws: Optional[websocket.WebSocket],
    target: Target,
    proxy: Optional[Proxy],
    deadline: Deadline,
) -> Exception:
    """Return `error` as one of our errors."""
    if isinstance(error, SonioxError):
        return error
    # newer versions of websocket-client raise for a redirect, older ones accept it
    redirect = _find_redirect(ws.getstatus() if ws is not None else None, target)
    return redirect or _translate(error, target, proxy, deadline)


def _translate(
    error: Exception, target: Target, proxy: Optional[Proxy], deadline: Deadline
) -> Exception:
    """Return one of our errors for what websocket-client, ssl or the socket raised."""
    import ssl

    import websocket

    if isinstance(error, websocket.WebSocketBadStatusException):
        return _refused(error, target)
    through = f" through {proxy}" if proxy is not None else ""
    if deadline.passed or isinstance(error, (TimeoutError, websocket.WebSocketTimeoutException)):
        # the system has a limit of its own, which may be the shorter one
        within = deadline.within if deadline.passed else "before the system gave up"
        return ConnectTimeoutError(
            f"no connection to {target.address}{through} {within}: check the "
            f"{'proxy, the ' if through else ''}network and the region, or raise "
            "connect_timeout_sec"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = (
            f"the certificate was refused ({error.verify_message}): set verify= to your CA "
            "file if your proxy re-signs traffic"
        )
    elif proxy is not None:
        advice = _proxy_failure(error, proxy)
    elif isinstance(error, (socket.gaierror, websocket.WebSocketAddressException)):
        advice = f"the host name could not be resolved: {target.name_advice}"
    else:
        advice = str(error) or type(error).__name__
    return SonioxConnectionError(f"could not connect to {target.address}: {advice}")


def _proxy_failure(error: Exception, proxy: Proxy) -> str:
    """Return what happened on the way through a proxy, and what to do."""
    import websocket

    if isinstance(error.__cause__, socket.gaierror) or isinstance(
        error, (socket.gaierror, websocket.WebSocketAddressException)
    ):
        return proxy.unresolved()
    # python-socks, which is optional, has classes of its own
    name = type(error).__name__
    said = getattr(error, "strerror", None) or str(error) or name
    if name == "ProxyConnectionError" or getattr(error, "errno", None) in _NOT_REACHED:
        return proxy.unreachable(said)
    if name == "ProxyError" or isinstance(error, websocket.WebSocketProxyException):
        return proxy.refused(said)
    return f"{said}, through {proxy}"


def _refused(error: websocket.WebSocketBadStatusException, target: Target) -> RealtimeError:
    """Return the error for an upgrade refused with an HTTP status, with the server's words."""
    status = error.status_code
    redirect = _find_redirect(status, target)  # websocket-client 1.6 treats 307, 308 as failures
    if redirect is not None:
        return redirect
    body = error.resp_body or b""
    text = body[:4096].decode("utf-8", "replace").strip() if isinstance(body, bytes) else str(body)
    frame = error_fields(text)
    message = error_text(frame) or text or "no explanation"
    refused = f"{target.address} refused the connection"
    if status is not None:
        refused += f" with HTTP {status}"
    described = error_from_frame(
        {
            "error_code": status,
            "error_type": frame.get("error_type"),
            "error_message": f"{refused}: {message}",
            "more_info": frame.get("more_info"),
            "request_id": frame.get("request_id"),
        }
    )
    if target.advice is not None:
        described.args = (f"{refused}: {message.rstrip('. ')}: {target.advice(status)}",)
    if isinstance(described, RateLimitError):
        described.retry_after_sec = retry_after(error.resp_headers or {})
    if status is not None and status < 500:
        return described
    return SonioxConnectionError(
        str(described),
        status_code=status,
        error_type=described.error_type,
        request_id=described.request_id,
        more_info=described.more_info,
        raw=described.raw,
    )


def error_fields(body: Union[str, bytes]) -> Mapping[str, Any]:
    """Return the JSON object in the body of an error response, empty if there is none."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def error_text(fields: Mapping[str, Any]) -> str:
    """Return what the fields of an error response say, "" if nothing; frameworks have their own.

    `{"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}` -> "body.model: Field
    required".
    """
    for name in ("error_message", "message", "detail", "error_description", "error", "title"):
        found = _said(fields.get(name))
        if found:
            return found
    return ""


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_said, value[:5])))
    if not isinstance(value, dict):
        return ""
    message = next((v for v in map(value.get, ("message", "msg")) if isinstance(v, str)), "")
    where = value.get("loc")
    place = ".".join(map(str, where)) if isinstance(where, list) else ""
    return f"{place}: {message}" if message and place else message
