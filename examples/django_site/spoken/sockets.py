"""WebSockets of synchronous views: with `manage.py runserver`, and gunicorn's threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from errno import EPIPE
from functools import wraps
from socket import SHUT_RDWR
from typing import Any, Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from simple_websocket import ConnectionClosed, Server


def websocket(talk: Callable[[HttpRequest, Any], None]) -> Callable[[HttpRequest], Any]:
    """Return the view of a function that talks to a page: `talk(request, socket)`."""

    @wraps(talk)
    def view(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return HttpResponse("Expects a WebSocket.", status=426)
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.get_host():
            return HttpResponse("The page is not ours.", status=403)  # as with Django's CSRF tokens
        # a phone that loses its network sends no close frame: an unanswered ping ends its session
        socket = Server.accept(request.META, ping_interval=25)
        try:
            with suppress(ConnectionClosed):
                talk(request, socket)
        finally:
            close(socket)
        return StreamingHttpResponse(map(hang_up, [socket]))

    return view


def close(socket: Any) -> None:
    """Finish the closing handshake, and let nothing be sent or read after it."""
    with suppress(ConnectionClosed):
        socket.close()
    socket.thread.join(10)  # it answers the page's close frame
    with suppress(OSError):
        socket.sock.shutdown(SHUT_RDWR)


def hang_up(socket: Any) -> bytes:
    """Have the server send no response: a browser reports one as an "Invalid frame header"."""
    raise BrokenPipeError(EPIPE, "the connection has been closed as a WebSocket")


def received_audio(socket: Any) -> Iterator[bytes]:
    """Yield audio as it arrives; raises `ConnectionClosed` if the page disconnects."""
    while isinstance(data := socket.receive(), bytes):
        yield data
