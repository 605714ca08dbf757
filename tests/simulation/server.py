"""The other end of a simulated socket: the upgrade and frames, and services that answer.

Written for the simulation alone; it shares no code with the library, nor with its sandbox. Nothing
here blocks: bytes arrive, timers come due.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any, Callable, Optional

from .kernel import Kernel
from .network import Socket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Peer:
    """One connection, as a server sees it."""

    def __init__(self, kernel: Kernel, sock: Socket, service: Any) -> None:
        self.kernel = kernel
        self.sock = sock
        self.service = service
        self.log: list[str] = []
        self.is_gone = False  # the client has closed its end
        self.is_silent = False  # half open: takes everything, says and does nothing
        self.is_reading = True
        self.has_closed = False  # sent a close frame
        self._unread = 0
        self._buffer = b""
        self._upgraded = False

    # -- what arrives ------------------------------------------------------------------------------

    def arrived(self, data: bytes) -> None:
        """Handle bytes of the client."""
        if self.is_silent:
            return
        if not self.is_reading:
            self._unread += len(data)
            self._buffer += data
            return
        self.sock.was_read(len(data))
        self._buffer += data
        self._parse()

    def read_again(self) -> None:
        """Go on reading after `is_reading` was false."""
        self.is_reading = True
        self.sock.was_read(self._unread)
        self._unread = 0
        self._parse()

    def client_gone(self) -> None:
        """Handle the end of the client's bytes."""
        if not self.is_gone:
            self.is_gone = True
            if not self.is_silent:
                self.service.gone(self)
                self.sock.finish()

    def _parse(self) -> None:
        if not self._upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer = rest
            self._upgraded = True
            self._upgrade(head)
        while not self.is_silent and self.is_reading:
            frame = self._next_frame()
            if frame is None:
                return
            self._handle(*frame)

    def _upgrade(self, head: bytes) -> None:
        refusal = self.service.refusal(self)
        if refusal:
            body = b"{}"
            self.write(
                f"HTTP/1.1 {refusal} no\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            self.sock.finish()
            return
        key = next(
            line.partition(b":")[2].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.service.opened(self)

    def _next_frame(self) -> Optional[tuple[int, bytes]]:
        data = self._buffer
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + 4 + size:
            return None
        mask = int.from_bytes(data[at : at + 4] * (size // 4 + 1), "big")
        payload = data[at + 4 : at + 4 + size]
        length = (size // 4 + 1) * 4
        plain = int.from_bytes(payload.ljust(length, b"\0"), "big") ^ mask
        self._buffer = data[at + 4 + size :]
        return data[0] & 0x0F, plain.to_bytes(length, "big")[:size]

    def _handle(self, opcode: int, payload: bytes) -> None:
        if self.has_closed and opcode != CLOSE:
            return
        if opcode == CLOSE:
            if not self.has_closed:
                self.close(int.from_bytes(payload[:2], "big") or 1000)
            self.sock.finish()
        elif opcode == PING:
            self._frame(PONG, payload)
        elif opcode != PONG:
            self.service.message(self, opcode, payload)

    # -- what is sent ------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not (self.is_gone or self.is_silent):
            self.sock.deliver(data)

    def send(self, message: Any) -> None:
        """Send an object as a text message."""
        if not self.has_closed:
            self._frame(TEXT, json.dumps(message).encode())

    def _frame(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = bytes((0x80 | opcode, size))
        elif size < 65536:
            head = bytes((0x80 | opcode, 126)) + struct.pack(">H", size)
        else:
            head = bytes((0x80 | opcode, 127)) + struct.pack(">Q", size)
        self.write(head + payload)

    def close(self, code: int = 1000) -> None:
        """Send a close frame, once."""
        if not self.has_closed:
            self._frame(CLOSE, struct.pack(">H", code))
            self.has_closed = True

    def reset(self) -> None:
        """Cut the connection."""
        if not self.is_gone:
            self.is_gone = True
            self.sock.reset()
            self.service.gone(self)

    def vanish(self) -> None:
        """Become half open."""
        if not self.is_silent:
            self.is_silent = True
            self.service.gone(self)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Call `act()` after a while, unless the connection is gone by then."""

        def run() -> None:
            if not (self.is_gone or self.is_silent):
                act()

        self.kernel.call_at(self.kernel.now + seconds, run)


class Service:
    """What answers on every connection of a run. Override what a scenario needs."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.rng = kernel.rng
        self.peers: list[Peer] = []
        kernel.net.accept = self.accept

    def accept(self, sock: Socket) -> Any:
        """Answer a connection attempt: a `Peer`, None for a refusal, or "hang"."""
        peer = Peer(self.kernel, sock, self)
        self.peers.append(peer)
        return peer

    def refusal(self, peer: Peer) -> int:
        """Return the HTTP status to refuse an upgrade with, 0 to accept it."""
        return 0

    def opened(self, peer: Peer) -> None:
        """Handle a new connection."""

    def message(self, peer: Peer, opcode: int, payload: bytes) -> None:
        """Handle a message."""

    def gone(self, peer: Peer) -> None:
        """Handle the end of a connection."""
