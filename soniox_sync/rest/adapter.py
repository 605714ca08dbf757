"""Transport adapter for `requests`: the client's TLS context, and connections that can be aborted.

Works with urllib3 1.26 and 2. Imported only with the first HTTP call.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from queue import Full, LifoQueue
from typing import TYPE_CHECKING, Any, Callable, Optional

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ..transport.connect import open_tcp
from ..transport.deadline import Deadline
from .exchange import TrackedSocket, current

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection, HTTPSConnection
else:

    def _own_class(connection_class):
        """Return urllib3's class, of which that of a mock (vcrpy) in its place is a subclass.

        This module may be imported while a cassette is in use, and is there after its end.
        """
        bases = connection_class.__mro__
        return next((cls for cls in bases if cls.__module__ == "urllib3.connection"), bases[0])

    HTTPConnection = _own_class(HTTPConnectionPool.ConnectionCls)
    HTTPSConnection = _own_class(HTTPSConnectionPool.ConnectionCls)

_log = logging.getLogger("soniox_sync")

# connections kept for threads that share a client; further ones are opened, but not kept
_KEPT_CONNECTIONS = 32


class Adapter(HTTPAdapter):
    """Transport adapter whose connections are tracked by the exchange that uses them.

    `context`: returns the TLS context, used instead of the CA files that `requests` would load for
    every connection; called with the first request. `None` for plain HTTP.
    """

    def __init__(self, context: Optional[Callable[[], ssl.SSLContext]] = None) -> None:
        self._context = context
        self._tls: dict[str, Any] = {}
        super().__init__(pool_connections=8, pool_maxsize=_KEPT_CONNECTIONS)

    def send(self, *args: Any, **options: Any) -> requests.Response:
        """Send a request.

        Raises
            ConfigurationError: the CA file of the TLS context is not usable.
        """
        if self._context is not None and not self._tls:
            tls = {"ssl_context": self._context()}  # several threads get the same one
            self.poolmanager.connection_pool_kw.update(tls)
            self._tls = tls  # last: who finds it relies on the pool manager's
        return super().send(*args, **options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Create the pool of direct connections."""
        parent: Any = super()  # typed in newer versions of requests only
        parent.init_poolmanager(*args, **{**options, **self._tls})
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Create the pool of connections through a proxy."""
        parent: Any = super()
        manager = parent.proxy_manager_for(proxy, **{**options, **self._tls})
        if not proxy.lower().startswith("socks"):  # those use their own connection classes
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """Close every kept connection now; urllib3 2 leaves that to the garbage collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for pool in [manager.pools.get(key) for key in manager.pools.keys()]:  # noqa: SIM118
                if pool is not None:
                    pool.close()
        parent: Any = super()
        parent.close()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: the context decides which certificates are trusted."""

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Leave TLS to the context (newer versions of `requests` set it here)."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}


class Session(requests.Session):
    """Session that ignores redirects: it would otherwise read a whole response to find the next."""

    def get_redirect_target(self, resp: Any) -> None:
        """Return `None`."""


class _Response(http.client.HTTPResponse):
    """Response that skips all interim ones, as 103 (Early Hints); `http.client` only does 100.

    It drops malformed header lines: urllib3 would log them, with any key in them.
    """

    def begin(self) -> None:
        """Read status and headers."""
        super().begin()
        while 100 <= self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            unread: Any = None  # otherwise begin() returns at once
            self.headers = self.msg = unread
            super().begin()
        if self.msg.defects:
            _log.debug("! malformed headers")
            self.msg.defects.clear()
            self.msg.set_payload("")


class _Connection(HTTPConnection):
    """Connection whose socket is tracked, so that another thread can shut it down."""

    response_class = _Response

    def __init__(self, *args: Any, **options: Any) -> None:
        self.tracked = TrackedSocket()
        super().__init__(*args, **options)

    def _new_conn(self) -> socket.socket:
        # all addresses within one time limit; urllib3 would apply it to each of them
        _claim(self.tracked)
        limit = self.timeout if isinstance(self.timeout, (int, float)) else None
        try:
            sock = open_tcp(self._dns_host, self.port, Deadline(limit), self.tracked.set)
        except socket.timeout as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection to {self.host}: {error}") from error
        for option in self.socket_options or ():
            sock.setsockopt(*option)
        sock.settimeout(limit)
        return sock

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self.tracked.set(self.sock)
        self.tracked.connected = True

    def putrequest(self, *args: Any, **options: Any) -> None:
        """Start a request, on a new connection or a kept one."""
        _claim(self.tracked)
        super().putrequest(*args, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    """Tracked connection with TLS, whose handshake can also be aborted."""

    _spare: Optional[socket.socket] = None

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # TLS takes the descriptor from this socket; a duplicate can still be shut down
        self._spare = sock.dup()
        self.tracked.set(self._spare)
        return sock

    def connect(self) -> None:
        """Connect and perform the TLS handshake."""
        try:
            super().connect()
        finally:
            self.tracked.set(self.sock)
            spare, self._spare = self._spare, None
            if spare is not None:
                spare.close()


def _claim(tracked: TrackedSocket) -> None:
    exchange = current()
    if exchange is not None:
        exchange.use(tracked)


class _Kept(LifoQueue[Any]):
    """Queue of kept connections; one too many is closed, where urllib3 would log a warning."""

    def put(self, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Keep a connection, `None` for one to be opened, or close it."""
        try:
            super().put(item, block=block, timeout=timeout)
        except Full:
            if item is not None:
                item.close()


class _Pool(HTTPConnectionPool):
    QueueCls = _Kept

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]
        """Class of new connections: that of a mock while there is one, so that it sees them."""
        return _Connection if _is_real(HTTPConnectionPool) else HTTPConnectionPool.ConnectionCls


class _SecurePool(HTTPSConnectionPool):
    QueueCls = _Kept

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]
        """As in `_Pool`."""
        real = _is_real(HTTPSConnectionPool)
        return _SecureConnection if real else HTTPSConnectionPool.ConnectionCls


def _is_real(pool_class: type[HTTPConnectionPool]) -> bool:
    """Return whether the class of connections is urllib3's, and not one put there by a mock."""
    return pool_class.ConnectionCls in (HTTPConnection, HTTPSConnection)


_POOLS = {"http": _Pool, "https": _SecurePool}
