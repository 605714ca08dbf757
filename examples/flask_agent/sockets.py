"""The page's WebSocket: whose page it is, and its end under Flask's development server."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from socket import SHUT_WR
from typing import Any
from urllib.parse import urlsplit

from flask import abort, request
from simple_websocket import ConnectionClosed


def refuse_other_sites() -> None:
    """Refuse requests of pages that are not ours; for `app.before_request()`.

    A browser lets any page in the world open a WebSocket to this site, and use its key.
    """
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(403, "The page is not ours.")


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
