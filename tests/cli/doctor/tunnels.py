"""A proxy for any number of connections, which all lead to one port on loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from tests.peers import Request

CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Tunnels:
    """HTTP proxy that connects every CONNECT to `port`, whatever host it names."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        # Guards the three lists. Leaf.
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # close() shut the listener
            self._start(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += near.recv(4096)
        far = socket.create_connection(("127.0.0.1", self._to))
        with self._lock:
            self.requests.append(Request.parse(head))
            self._sockets += [near, far]
        near.sendall(CONNECTED)
        self._start(self._pipe, far, near)
        self._pipe(near, far)

    @staticmethod
    def _pipe(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # the other direction ended the connection
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Tunnels:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()
