"""The upgrade to WebSocket, by websocket-client, which never sees the key.

It holds the request in local variables, which crash reporters record with every traceback, and
prints it after `websocket.enableTrace(True)`. So it is given headers whose secrets are masked, and
the socket puts in the real ones while the request is written:

    headers of the target   Authorization: Bearer s3cret
    websocket-client sends  GET / HTTP/1.1 ... Authorization: Bearer ***
    the server receives     GET / HTTP/1.1 ... Authorization: Bearer s3cret
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import websocket

_MASK = "***"


class MaskedHeaders:
    """Headers of one request, with and without their secrets. The repr shows none."""

    def __init__(self, headers: Iterable[str], secrets: Iterable[str]) -> None:
        self._headers = tuple(headers)
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)

    def __repr__(self) -> str:
        return f"<MaskedHeaders {self.shown}>"

    @property
    def shown(self) -> list[str]:
        """Headers with `***` in place of the secrets."""
        shown = list(self._headers)
        for secret in self._secrets:
            shown = [line.replace(secret, _MASK) for line in shown]
        return shown

    def send(self, sock: socket.socket, request: bytes) -> None:
        """Write `request`, which contains the `shown` headers, with the real ones.

        No local variable holds them, and a failure has no frames of the TLS socket, which do.
        """
        try:
            sock.sendall(request.replace(_block(self.shown), _block(self._headers), 1))
        except OSError as error:
            raise error.with_traceback(None) from None


def _block(headers: Sequence[str]) -> bytes:
    return "\r\n".join(headers).encode("utf-8")


class WebSocket(websocket.WebSocket):
    """WebSocket whose request goes out with the headers of a `MaskedHeaders`."""

    def __init__(self, headers: MaskedHeaders, **options: Any) -> None:
        self._headers = headers
        self._masking: Optional[_MaskingSocket] = None
        super().__init__(**options)

    @property
    def sock(self) -> Any:
        """Socket, as websocket-client sees it."""
        return self._masking

    @sock.setter
    def sock(self, sock: Optional[socket.socket]) -> None:
        self._masking = None if sock is None else _MaskingSocket(sock, self._headers)

    def detach(self) -> socket.socket:
        """Return the connected socket; this object no longer owns it."""
        masking, self._masking = self._masking, None
        assert masking is not None
        return masking.socket


class _MaskingSocket:
    """Socket that websocket-client performs the upgrade on."""

    def __init__(self, sock: socket.socket, headers: MaskedHeaders) -> None:
        self.socket: socket.socket = sock
        self._headers = headers

    def send(self, data: bytes) -> int:
        """Write all of the request."""
        self._headers.send(self.socket, data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)
