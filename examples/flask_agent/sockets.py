"""The end of the page's WebSocket under Flask's development server."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from socket import SHUT_WR
from typing import Any

from simple_websocket import ConnectionClosed


@contextmanager
def closing(socket: Any) -> Generator[None, None, None]:
    """Finish the closing handshake at the end of the block, and send nothing after it.

    The page may disconnect at any time. Flask's development server would then send an HTTP response
    on the same connection, which browsers report as an "Invalid frame header".
    """
    try:
        yield
    finally:
        with suppress(ConnectionClosed):
            socket.close()
        socket.thread.join(10)  # it answers the page's close frame
        with suppress(OSError):
            socket.sock.shutdown(SHUT_WR)
