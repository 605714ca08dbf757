"""Listening socket, and one thread per connection."""

from __future__ import annotations

import itertools
import logging
import selectors
import socket
import threading
from typing import Any, Optional

from ..._support import checks as _checks
from ..._support.locks import new_lock
from ..world import World
from .link import Link, LinkDown
from .routes import Routes
from .web import Exchange

__all__ = ["Server"]

log: logging.Logger = logging.getLogger(__name__)

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Server:
    """Accepts connections on a loopback address until closed.

    Raises
        ConfigurationError: a host that is not loopback.
    """

    def __init__(self, world: World, routes: Routes, host: str, port: int) -> None:
        if host not in _LOOPBACK:
            raise _checks.wrong_value("host", f"a loopback address ({', '.join(_LOOPBACK)})", host)
        self._world = world
        self._routes = routes
        self._host = host
        self._port = port
        self._numbers = itertools.count(1)
        # Guards _live and _closed. Leaf.
        self._lock = new_lock()
        self._live: dict[int, tuple[Link, threading.Thread]] = {}
        self._closed = False
        self._listener: Optional[socket.socket] = None
        self._wake: Optional[socket.socket] = None
        self._thread: Optional[threading.Thread] = None

    def start(self) -> int:
        """Listen, and return the port.

        Raises
            OSError: the port is taken.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(256)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._wake, waker = socket.socketpair()
        # opened here, not by the thread: every descriptor exists when start() returns
        selector = selectors.DefaultSelector()
        self._thread = threading.Thread(
            target=self._accept_all,
            args=(listener, waker, selector),
            name="soniox-sandbox-accept",
            daemon=True,
        )
        self._thread.start()
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """End every connection and join every thread. Idempotent, bounded, thread-safe."""
        with self._lock:
            self._closed = True
            wake, self._wake = self._wake, None
            live = list(self._live.values())
        if wake is not None:
            wake.close()
        if self._thread is not None:
            self._thread.join()
        for link, _ in live:
            link.abort()
        for _, thread in live:
            if thread is not threading.current_thread():
                thread.join()

    # --- the accepting thread

    def _accept_all(
        self, listener: socket.socket, waker: socket.socket, selector: selectors.BaseSelector
    ) -> None:
        with listener, waker, selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(waker, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if waker in ready:
                    return
                self._accept_one(listener)

    def _accept_one(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            # the client gave up between select and accept, or there are no descriptors left
            log.debug("! accept failed: %s", error)
            return
        try:
            link = Link(sock)
        except OSError as error:
            log.debug("! connection lost before it was served: %s", error)
            sock.close()
            return
        number = next(self._numbers)
        thread = threading.Thread(
            target=self._serve,
            args=(link, address, number),
            name=f"soniox-sandbox-conn-{number}",
            daemon=True,
        )
        with self._lock:
            refused = self._closed
            if not refused:
                self._live[number] = (link, thread)
        if refused:
            link.close()
        else:
            thread.start()

    # --- a connection's thread

    def _serve(self, link: Link, address: Any, number: int) -> None:
        self._world.traffic.count("connections", 1)
        try:
            Exchange(link, address, self._world, self._routes, number)
        except LinkDown as down:
            log.debug("= connection %d down: %s", number, down)
        except Exception:
            log.exception("sandbox connection %d failed", number)
        finally:
            link.close()
            with self._lock:
                self._live.pop(number, None)
            self._world.traffic.count("connections", -1)
