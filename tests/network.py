"""A way to the service that fails as a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from typing import Any

import pytest

from soniox_sync.transport import connect
from tests.peers import RawPeer
from tests.waiting import WAIT


class Network:
    """Replaces the opening of TCP connections; the next ones meet what was scheduled, in order.

    "dns": the name has no address. "refused": nobody listens. "cut": the connection is reset after
    its first bytes, in the TLS handshake or in the upgrade. "hang": it is never answered. "ok".
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.attempts = 0
        self._real = connect.open_tcp
        # Guards the fields below. Leaf.
        self._lock = threading.Lock()
        self._scheduled: deque[str] = deque()
        self._rest = "ok"
        self._bound = socket.socket()  # not listening
        self._bound.bind(("127.0.0.1", 0))
        self._cutter = socket.create_server(("127.0.0.1", 0))
        self._cutting = threading.Thread(target=self._cut, name="network-cut", daemon=True)
        self._cutting.start()
        self._silent = RawPeer(answer=lambda remote: None)
        monkeypatch.setattr(connect, "open_tcp", self._open_tcp)

    def schedule(self, *outcomes: str, rest: str = "ok") -> None:
        """Let the next connections meet `outcomes`, then all further ones `rest`."""
        with self._lock:
            self._scheduled.extend(outcomes)
            self._rest = rest

    def _open_tcp(self, host: str, port: int, deadline: Any, on_socket: Any) -> socket.socket:
        with self._lock:
            self.attempts += 1
            outcome = self._outcome(port)
        if outcome == "dns":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if outcome != "ok":
            host, port = {
                "refused": self._bound.getsockname(),
                "cut": self._cutter.getsockname(),
                "hang": ("127.0.0.1", self._silent.port),
            }[outcome]
        return self._real(host, port, deadline, on_socket)

    def _outcome(self, port: int) -> str:
        """Return what a connection to a port meets. Under the lock."""
        return self._scheduled.popleft() if self._scheduled else self._rest

    def _cut(self) -> None:
        while True:
            try:
                sock, _ = self._cutter.accept()
            except OSError:
                return  # close() shut the listener
            sock.settimeout(WAIT)
            with contextlib.suppress(OSError):  # the client gave up first
                sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    def close(self) -> None:
        """Close the servers that failures lead to."""
        self._cutter.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._cutting.join(WAIT)
        self._cutter.close()
        self._silent.close()
        self._bound.close()
