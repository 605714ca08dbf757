"""Opening a line: addresses, proxy, TLS, WebSocket upgrade, one deadline for all of it.

websocket-client does what it does well (proxies, TLS through them, the upgrade). We open TCP
ourselves when there is no proxy, because it tries the next address only after a refusal, and one
that hangs would eat the whole deadline.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional
from urllib.parse import unquote, urlsplit

from ..errors import (
    AuthError,
    ConfigurationError,
    ConnectTimeoutError,
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    error_from_frame,
)
from .deadline import Deadline

if TYPE_CHECKING:
    import ssl

    import websocket

_log = logging.getLogger("soniox_sync")

# an address that does not answer may use this part of the time left, so that the next is reached
_SHARE_OF_DEADLINE = 0.5
_PROXY_SCHEMES = ("http", "socks4", "socks4a", "socks5", "socks5h")


@dataclass(frozen=True)
class Target:
    """Is where a line leads and how to get there. Its repr shows no header."""

    url: str
    headers: tuple[str, ...] = field(default=(), repr=False)
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    proxy: Optional[str] = field(default=None, repr=False)  # "" means: directly, whatever the env
    ssl_context: Optional[Callable[[], ssl.SSLContext]] = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)  # never shown, whoever says them back
    # what to do about an upgrade refused with this HTTP status, in place of the service's advice
    advice: Optional[Callable[[Optional[int]], str]] = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Give host and path for messages."""
        parts = urlsplit(self.url)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def open_socket(
    target: Target, deadline: Deadline, watch: Callable[[socket.socket], None]
) -> socket.socket:
    """Connect, upgrade to WebSocket, and give the socket, ready for frames.

    `watch` is told each raw socket as soon as it exists, so that the caller can cut it from
    another thread. Raises a `SonioxError`: `ConnectTimeoutError` when the deadline passed,
    `ConfigurationError` for a proxy that cannot be used, otherwise what `_translate` makes of it.
    """
    import websocket

    _check_url(target)
    line: Optional[websocket.WebSocket] = None
    options: dict[str, Any] = {}
    try:
        options = _options(target, deadline, watch)
        sslopt = options.pop("sslopt", None)  # connect() would pass over it in silence
        line = websocket.WebSocket(skip_utf8_validation=True, sslopt=sslopt)
        line.connect(target.url, **options)  # type: ignore[no-untyped-call]
        _check_answer(line, target)
        sock, line.sock = line.sock, None
        assert sock is not None
        return sock
    except Exception as error:
        cause = _explain(error, line, target, deadline)
        if line is not None:
            line.shutdown()  # type: ignore[no-untyped-call]
        if "socket" in options:  # also when websocket-client had not taken it over yet
            options["socket"].close()
        if cause is error:
            raise
        raise cause from error


def _check_url(target: Target) -> None:
    """Raise `ConfigurationError` for a URL that cannot be connected to, whoever answers."""
    try:
        parts = urlsplit(target.url)
        usable = parts.scheme in ("ws", "wss") and parts.hostname and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError as error:  # a port out of range, a name that is none
        raise ConfigurationError(f"the WebSocket URL cannot be used: {error}") from None
    if not usable:
        raise ConfigurationError(
            "the WebSocket URL cannot be used: expected ws://host or wss://host, "
            f"not {parts.scheme}:"
        )


def _check_answer(line: websocket.WebSocket, target: Target) -> None:
    """Raise for an answer that websocket-client lets pass and we do not."""
    redirect = _find_redirect(line, target)
    if redirect is not None:
        raise redirect
    chosen = (line.getheaders() or {}).get("sec-websocket-protocol")
    if target.subprotocols and chosen not in target.subprotocols:
        raise SonioxConnectionError(
            f"{target.place} did not agree to the subprotocol that carries the key: use another "
            "way of authentication (auth=)"
        )


def _find_redirect(line: websocket.WebSocket, target: Target) -> Optional[SonioxConnectionError]:
    """Give the error for a redirect: followed, it would carry the key to another place."""
    status = line.getstatus()
    if status is None or status == 101:
        return None
    return SonioxConnectionError(
        f"{target.place} redirected the connection (HTTP {status}): set the final URL",
        status_code=status,
    )


def _options(
    target: Target, deadline: Deadline, watch: Callable[[socket.socket], None]
) -> dict[str, Any]:
    headers = list(target.headers)
    if target.subprotocols:
        # a header of ours: websocket-client logs subprotocols it disagrees with, one is the key
        headers.append(f"Sec-WebSocket-Protocol: {', '.join(target.subprotocols)}")
    options: dict[str, Any] = {
        "header": headers,
        "suppress_origin": True,
        "redirect_limit": 0,  # websocket-client would send Authorization along, even to ws://
        "timeout": deadline.remaining(),
    }
    proxy = _proxy_for(target)
    if proxy:
        options.update(_proxy_options(proxy))
        options["http_proxy_timeout"] = deadline.remaining()
        if target.url.startswith("wss:"):
            context = _context(target)
            # websocket-client sets these on the context, which is shared: to what they are
            options["sslopt"] = {
                "context": context,
                "cert_reqs": context.verify_mode,
                "check_hostname": context.check_hostname,
            }
        return options
    options["socket"] = _open_direct(target, deadline, watch)
    return options


def _context(target: Target) -> ssl.SSLContext:
    if target.ssl_context is not None:
        return target.ssl_context()
    import ssl

    return ssl.create_default_context()


def _open_direct(
    target: Target, deadline: Deadline, watch: Callable[[socket.socket], None]
) -> socket.socket:
    parts = urlsplit(target.url)
    host = parts.hostname or ""
    secure = parts.scheme == "wss"
    sock = open_tcp(host, parts.port or (443 if secure else 80), deadline, watch)
    try:
        watch(sock)
        sock.settimeout(deadline.remaining())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if secure:
            # first make it known, then shake hands: a peer that drips its side could not be cut
            sock = _context(target).wrap_socket(
                sock, server_hostname=host, do_handshake_on_connect=False
            )
            watch(sock)
            sock.do_handshake()
    except BaseException:
        sock.close()
        raise
    return sock


def open_tcp(
    host: str, port: int, deadline: Deadline, watch: Callable[[socket.socket], None]
) -> socket.socket:
    """Connect to the first address of `host` that answers, all of them within `deadline`."""
    addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    failure: Optional[OSError] = None
    for index, (family, kind, proto, _, address) in enumerate(addresses):
        left = deadline.remaining()
        is_last = index == len(addresses) - 1
        try:
            sock = socket.socket(family, kind, proto)
        except OSError as error:  # this machine has no such network: try the next address
            failure = error
            continue
        try:
            watch(sock)
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


def _proxy_for(target: Target) -> Optional[str]:
    if target.proxy is not None:
        return target.proxy or None
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(target.url)
    host = parts.hostname or ""
    if proxy_bypass(host) or _is_loopback(host):
        return None
    proxies = getproxies()
    return proxies.get("https" if parts.scheme == "wss" else "http") or proxies.get("all")


def _is_loopback(host: str) -> bool:
    # a proxy cannot reach this machine's own loopback; the sandbox lives there
    return host in ("localhost", "::1") or host.startswith("127.")


def _proxy_options(proxy: str) -> dict[str, Any]:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in _PROXY_SCHEMES:
        raise ConfigurationError(
            f"proxy: the scheme {parts.scheme!r} is not supported for WebSockets; use one of "
            f"{', '.join(_PROXY_SCHEMES)}"
        )
    if not parts.hostname:
        raise ConfigurationError("proxy: no host in the proxy URL; use http://host:port")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or (80 if parts.scheme == "http" else 1080),
        "http_proxy_auth": auth,
        "proxy_type": parts.scheme,
        # a list of our own keeps websocket-client from reading NO_PROXY a second time
        "http_no_proxy": ["proxy-chosen-already.invalid"],
    }


def _explain(
    error: Exception, line: Optional[websocket.WebSocket], target: Target, deadline: Deadline
) -> Exception:
    """Give one of our errors for `error`, the same if it is one."""
    if isinstance(error, SonioxError):
        return error
    # newer versions of websocket-client raise for a redirect, older ones let it pass
    redirect = _find_redirect(line, target) if line is not None else None
    return redirect or _translate(error, target, deadline)


def _translate(error: Exception, target: Target, deadline: Deadline) -> Exception:
    """Turn what websocket-client, ssl or the socket raised into one of our errors."""
    import ssl

    import websocket

    if isinstance(error, websocket.WebSocketBadStatusException):
        return _refused(error, target)
    if deadline.passed or isinstance(error, (TimeoutError, websocket.WebSocketTimeoutException)):
        return ConnectTimeoutError(
            f"no connection to {target.place} within the deadline: check the network and the "
            "region, or raise connect_timeout_sec"
        )
    if isinstance(error, (socket.gaierror, websocket.WebSocketAddressException)):
        advice = "the host name could not be resolved: check region, base_domain and DNS"
    elif isinstance(error, ssl.SSLCertVerificationError):
        advice = (
            f"the certificate was refused ({error.verify_message}): set verify= to your CA file "
            "if a proxy of yours re-signs traffic"
        )
    elif isinstance(error, websocket.WebSocketProxyException):
        advice = f"the proxy refused ({error}): check the proxy URL and its user and password"
    elif isinstance(error, ImportError):
        return ConfigurationError(f"proxy: SOCKS needs one more package: {error}")
    else:
        advice = str(error) or type(error).__name__
    return SonioxConnectionError(f"could not connect to {target.place}: {advice}")


def _refused(error: websocket.WebSocketBadStatusException, target: Target) -> RealtimeError:
    """Give the error for an upgrade answered with an HTTP status, with the server's own words."""
    status = error.status_code
    body = error.resp_body or b""
    text = body[:4096].decode("utf-8", "replace").strip() if isinstance(body, bytes) else str(body)
    frame = _error_fields(text)
    said = frame.get("error_message") or frame.get("message") or text or "no explanation"
    described = error_from_frame(
        {
            "error_code": status,
            "error_type": frame.get("error_type"),
            "error_message": f"{target.place} refused the connection with HTTP "
            f"{'without a status' if status is None else status}: {said}",
            "more_info": frame.get("more_info"),
            "request_id": frame.get("request_id"),
        }
    )
    if target.advice is not None:
        number = "" if status is None else f" {status}"
        refused = f"{target.place} refused the connection with HTTP{number}: {said.rstrip('. ')}"
        described.args = (f"{refused}: {target.advice(status)}",)
    if status is not None and (isinstance(described, AuthError) or status < 500):
        return described
    return SonioxConnectionError(
        str(described), status_code=status, error_type=described.error_type, raw=described.raw
    )


def _error_fields(text: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
