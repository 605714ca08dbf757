"""Our settings under `requests`: the client's TLS context, and connections that can be woken.

Works with urllib3 1.26 and 2. Imported with the first HTTP call only.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from typing import Any, Callable, Optional

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ..transport.connect import open_tcp
from ..transport.deadline import Deadline
from .exchange import Line, current

_log = logging.getLogger("soniox_sync")

# threads that share a client: more connections than this are opened, but not kept
_KEPT_CONNECTIONS = 32


class Adapter(HTTPAdapter):
    """Sends requests over connections of ours.

    `context`: the TLS context to trust, instead of the CA files `requests` would load into it
    at every connect; `None` where no TLS is spoken.
    """

    def __init__(self, context: Optional[Callable[[], ssl.SSLContext]] = None) -> None:
        self._tls = {} if context is None else {"ssl_context": context()}
        super().__init__(pool_connections=8, pool_maxsize=_KEPT_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pool of direct connections."""
        parent: Any = super()  # typed in newer versions of requests only
        parent.init_poolmanager(*args, **{**options, **self._tls})
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        parent: Any = super()
        manager = parent.proxy_manager_for(proxy, **{**options, **self._tls})
        if not proxy.lower().startswith("socks"):  # those have connections of their own kind
            manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """Close every connection that is kept, now; urllib3 2 leaves it to the collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for pool in [manager.pools.get(key) for key in manager.pools.keys()]:  # noqa: SIM118
                if pool is not None:
                    pool.close()
        parent: Any = super()
        parent.close()

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: the context says whom to trust."""

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Leave TLS to the context (newer versions of `requests` set it here)."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}


class Session(requests.Session):
    """Sees no redirects: one that is not followed would be read whole to look at the next."""

    def get_redirect_target(self, resp: Any) -> None:
        """Give none."""


class _Response(http.client.HTTPResponse):
    """Forgets headers that are none: urllib3 would log them, whatever a server wrote there."""

    def begin(self) -> None:
        """Read status and headers."""
        super().begin()
        if self.msg.defects:
            _log.debug("! malformed headers")
            self.msg.defects.clear()
            self.msg.set_payload("")


class _Connection(HTTPConnection):
    """Is a connection that says whom it works for, so that it can be cut from elsewhere."""

    response_class = _Response

    def __init__(self, *args: Any, **options: Any) -> None:
        self.line = Line()
        super().__init__(*args, **options)

    def _new_conn(self) -> socket.socket:
        # all addresses within the one time limit; urllib3 gives it to each of them in turn
        _claim(self.line)
        limit = self.timeout if isinstance(self.timeout, (int, float)) else None
        try:
            sock = open_tcp(self._dns_host, self.port, Deadline(limit), self.line.hold)
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
        self.line.hold(self.sock)

    def putrequest(self, *args: Any, **options: Any) -> None:
        """Begin a request, over a new connection or one that was kept."""
        _claim(self.line)
        super().putrequest(*args, **options)


class _SecureConnection(_Connection, HTTPSConnection):
    """Adds TLS, whose handshake can be cut, too."""

    _spare: Optional[socket.socket] = None

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # TLS takes the descriptor away from this object; a copy of it stays good for a shutdown
        self._spare = sock.dup()
        self.line.hold(self._spare)
        return sock

    def connect(self) -> None:
        """Connect and shake hands."""
        try:
            super().connect()
        finally:
            self.line.hold(self.sock)
            spare, self._spare = self._spare, None
            if spare is not None:
                spare.close()


def _claim(line: Line) -> None:
    exchange = current()
    if exchange is not None:
        exchange.take(line)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}
