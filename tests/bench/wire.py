"""A minimal WebSocket for the benchmark: handshakes and frames, without any checks.

Shared by the fake server and the floor. Deliberately independent of soniox_sync's frame code, which
is measured against it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
import socket
import struct
import time
from typing import Any, Iterator, List, Optional, Tuple

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_BUFFER_BYTES = 262_144

Frame = Tuple[int, bytes]  # opcode, payload


def server_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return an unmasked, final frame."""
    return _head(opcode, len(payload), 0) + payload


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return a masked, final frame; the mask is applied as one big integer."""
    key = os.urandom(4)
    return _head(opcode, len(payload), 0x80) + key + masked(payload, key)


def new_key() -> bytes:
    """Return a random masking key."""
    return os.urandom(4)


def client_head(length: int, opcode: int) -> bytes:
    """Return the first bytes of a masked, final frame of ``length`` payload bytes."""
    return _head(opcode, length, 0x80)


def masked(payload: bytes, key: bytes) -> bytes:
    """Return ``payload`` XOR ``key``, repeated."""
    size = len(payload)
    pad = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")
    return mixed.to_bytes(size, "little")


def _head(opcode: int, size: int, mask_bit: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, mask_bit | size)
    if size < 65536:
        return struct.pack("!BBH", 0x80 | opcode, mask_bit | 126, size)
    return struct.pack("!BBQ", 0x80 | opcode, mask_bit | 127, size)


def json_frame(message: Any) -> bytes:
    """Return ``message`` as an unmasked text frame."""
    return server_frame(json.dumps(message, separators=(",", ":")).encode())


class Wire:
    """Frames over one blocking socket; used by one thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer_bytes = _BUFFER_BYTES
        # frames are only counted: their payloads are returned empty
        self.skim = False
        # the same for binary frames only
        self.skip_binary = False
        # sleep while there is nothing to read, so that the peer's send wakes no waiting reader
        self.nap_sec = 0.0
        self._view = memoryview(b"")  # allocated with the first read
        self._start = self._end = 0

    def send(self, data: bytes) -> None:
        """Send bytes that are complete frames."""
        self.sock.sendall(data)

    def frames(self) -> Iterator[Frame]:
        """Yield every frame until the peer disconnects."""
        while True:
            frame = self._parse()
            if frame is not None:
                yield frame
            elif not self._fill():
                return

    def arrived(self) -> List[Frame]:
        """Return the frames that one read completes; for a socket that has something to read.

        Raises
            ConnectionError: the peer disconnected.
        """
        if not self._fill():
            raise ConnectionError("the peer disconnected")
        frames = []
        while (frame := self._parse()) is not None:
            frames.append(frame)
        return frames

    def _fill(self) -> int:
        rest = self._end - self._start
        if self._start:
            self._view[:rest] = bytes(self._view[self._start : self._end])
        elif rest == len(self._view):
            self._view = memoryview(bytearray(self._view) + bytearray(rest or self.buffer_bytes))
        self._start, self._end = 0, rest
        if self.nap_sec and not select.select([self.sock], [], [], 0)[0]:
            time.sleep(self.nap_sec)
        count = self.sock.recv_into(self._view[rest:])
        self._end += count
        return count

    def _parse(self) -> Optional[Frame]:
        view, start, end = self._view, self._start, self._end
        if end - start < 2:
            return None
        size, at = view[start + 1] & 0x7F, start + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, at = int.from_bytes(view[at : at + wide], "big"), at + wide
        body = at + 4 if view[start + 1] & 0x80 else at
        # an incomplete head leads to a wrong size, but never to a complete frame
        if body > end or end < body + size:
            return None
        self._start = body + size
        if self.skim or (self.skip_binary and view[start] & 0x0F == BINARY):
            return view[start] & 0x0F, b""
        payload = bytes(view[body : body + size])
        if body != at:
            payload = masked(payload, bytes(view[at:body]))
        return view[start] & 0x0F, payload


def set_nodelay(sock: socket.socket) -> None:
    """Send small segments at once; without it the handshake takes 40 ms longer."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def accept(sock: socket.socket) -> str:
    """Answer an upgrade request and return its path."""
    path, response = answer(_read_head(sock))
    sock.sendall(response)
    return path


def answer(request: bytes) -> Tuple[str, bytes]:
    """Return the path of an upgrade request, and the response."""
    lines = request.split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines[1:] if b": " in line)
    key = {name.lower(): value for name, value in fields.items()}[b"sec-websocket-key"]
    digest = base64.b64encode(hashlib.sha1(key.strip() + _MAGIC).digest())
    response = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
    )
    return lines[0].split(b" ")[1].decode(), response


def upgrade(sock: socket.socket, path: str) -> None:
    """Request an upgrade and read the response without checking it."""
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    sock.sendall(request.encode())
    _read_head(sock)


def _read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # byte by byte: frames may follow, and must stay in the socket
        data = sock.recv(1)
        if not data:
            raise ConnectionError("the peer disconnected during the handshake")
        head += data
    return head
