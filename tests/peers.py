"""Building blocks for tests of the wire: a server with raw sockets, frames of exact bytes.

`RawPeer` is a WebSocket server that shares no code with the library: it does the upgrade itself
and passes each connection to the test as a `Remote`, the server's end. `open_pair` puts a
`Connection` on a socket pair, `Listener` is a receiver for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from tests.waiting import WAIT

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


# -- frames, written from RFC 6455 5.2 and nothing else -------------------------------------------


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: Optional[bytes] = None,
    length_bytes: Optional[int] = None,
) -> bytes:
    """Build one frame. `length_bytes` (0, 2, 8) forces an encoding of the length."""
    size = len(payload)
    masked = 0x80 if mask is not None else 0
    head = bytes(((0x80 if fin else 0) | rsv << 4 | opcode,))
    wanted = length_bytes
    if wanted is None:
        wanted = 0 if size < 126 else 2 if size < 65536 else 8
    if wanted == 0:
        head += bytes((masked | size,))
    elif wanted == 2:
        head += bytes((masked | 126,)) + struct.pack("!H", size)
    else:
        head += bytes((masked | 127,)) + struct.pack("!Q", size)
    if mask is None:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def text(content: str) -> bytes:
    """Build a whole text message."""
    return frame(TEXT, content.encode("utf-8"))


def message(**fields: Any) -> bytes:
    """Build a text message that holds a JSON object."""
    return text(json.dumps(fields))


def close_frame(code: Optional[int] = 1000, reason: str = "") -> bytes:
    """Build a close frame; without a code if it is `None`."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode("utf-8"))


def fragments(opcode: int, *parts: bytes) -> bytes:
    """Build one message of several frames."""
    last = len(parts) - 1
    return b"".join(
        frame(opcode if index == 0 else CONTINUATION, part, fin=index == last)
        for index, part in enumerate(parts)
    )


@dataclass
class Got:
    """One frame as a client sent it."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes

    @property
    def text(self) -> str:
        """Payload as text."""
        return self.payload.decode("utf-8")

    @property
    def json(self) -> Any:
        """Payload as JSON."""
        return json.loads(self.payload)

    @property
    def close_code(self) -> int:
        """Code of a close frame."""
        return int.from_bytes(self.payload[:2], "big")


# -- connections ----------------------------------------------------------------------------------


@dataclass
class Request:
    """HTTP request of an upgrade."""

    raw: bytes
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes) -> Request:
        """Read the head of a request; header names come out in lower case."""
        lines = raw.decode("latin-1").split("\r\n")
        parts = lines[0].split(" ")
        headers = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        return cls(raw, parts[1] if len(parts) > 1 else "", headers)

    def accept(self, *extra: str) -> bytes:
        """Build the reply that completes the upgrade; `extra` are whole header lines."""
        key = self.headers["sec-websocket-key"].encode("ascii")
        token = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode("ascii")
        lines = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {token}",
            *extra,
        )
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


class Disconnected(Exception):
    """The client ended the connection while the test waited for bytes."""


class Remote:
    """Server's end of one connection: the test sends and receives exact bytes."""

    def __init__(self, sock: socket.socket, request: Optional[Request] = None) -> None:
        self.sock = sock
        self.request = request
        self._buffer = b""
        self._answering: Optional[threading.Thread] = None
        sock.settimeout(WAIT)

    def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(b"".join(pieces))

    def send_dripping(self, data: bytes) -> None:
        """Send byte by byte, each in a call of its own."""
        for index in range(len(data)):
            self.sock.sendall(data[index : index + 1])

    def recv_exactly(self, count: int) -> bytes:
        """Receive `count` bytes; raise `Disconnected` if the connection ends first."""
        while len(self._buffer) < count:
            self._fill()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def recv_until(self, mark: bytes) -> bytes:
        """Receive up to and including `mark`."""
        while mark not in self._buffer:
            self._fill()
        at = self._buffer.index(mark) + len(mark)
        taken, self._buffer = self._buffer[:at], self._buffer[at:]
        return taken

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Disconnected(f"the client ended the connection; unread: {self._buffer!r}")
        self._buffer += data

    def recv_frame(self) -> Got:
        """Receive one frame of the client and unmask it."""
        first, second = self.recv_exactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(self.recv_exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self.recv_exactly(8), "big")
        masked = bool(second & 0x80)
        key = self.recv_exactly(4) if masked else b"\0\0\0\0"
        body = self.recv_exactly(size)
        plain = _xor(body, key) if masked else body
        return Got(bool(first & 0x80), first >> 4 & 7, first & 0x0F, masked, plain)

    def recv_message(self) -> Got:
        """Receive the next text, binary or close frame, skipping pings and pongs."""
        while True:
            got = self.recv_frame()
            if got.opcode not in (PING, PONG):
                return got

    def await_handled(self) -> None:
        """Wait until the client has handled everything that was sent so far.

        Sends two pings: the first may be answered before the messages read together with it are
        handled, the second is answered after.
        """
        for _ in range(2):
            self.send(frame(PING, b"?"))
            assert self.recv_frame().opcode == PONG

    def recv_to_end(self) -> bytes:
        """Return what is received until the client closes or resets the connection."""
        try:
            while True:
                self._fill()
        except (Disconnected, ConnectionError):
            taken, self._buffer = self._buffer, b""
            return taken

    def frames_to_end(self) -> list[Got]:
        """Receive whole frames until the connection ends; a partial frame fails the test."""
        found = []
        while True:
            try:
                if not self._buffer:
                    self._fill()
            except (Disconnected, ConnectionError):
                return found
            found.append(self.recv_frame())

    def answer_close(self) -> None:
        """Read on a thread until the client's close frame and echo it; nothing else may read.

        For tests that are not about a silent peer, which a client would wait for.
        """
        thread = threading.Thread(target=self._answer_close, name="peer-close", daemon=True)
        self._answering = thread
        thread.start()

    def _answer_close(self) -> None:
        try:
            while self.recv_frame().opcode != CLOSE:
                pass
            self.send(close_frame())
        except (Disconnected, OSError):
            pass  # the client did not say that it closes

    def fin(self) -> None:
        """Shut down the sending direction; the other stays open."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Reset the TCP connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # the close() of a TLS socket would send close_notify first
        socket.socket.close(self.sock)

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        if self._answering is not None:
            with suppress(OSError):  # the client closed first
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # close() would not wake it
            self._answering.join(WAIT)
        self.sock.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _xor(body: bytes, key: bytes) -> bytes:
    out = bytearray(body)
    for lane in range(4):
        table = bytes(value ^ key[lane] for value in range(256))
        out[lane::4] = out[lane::4].translate(table)
    return bytes(out)


Answer = Callable[[Remote], Optional[bytes]]


def upgrade(remote: Remote) -> bytes:
    """Return the 101 reply that accepts the upgrade."""
    assert remote.request is not None
    return remote.request.accept()


class RawPeer:
    """Server on loopback that upgrades clients and passes each connection to the test.

    `answer` returns the reply to the upgrade request, or `None` for no reply (the connection is
    passed on all the same). `raw=True` passes connections on before anything is read, even the TLS
    handshake. `answers_close=True` reads connections to their close frame and echoes that.
    `receive_buffer` makes the receive window small, so that the client's uplink fills up soon.
    """

    def __init__(
        self,
        *,
        tls: Optional[ssl.SSLContext] = None,
        answer: Answer = upgrade,
        raw: bool = False,
        answers_close: bool = False,
        host: str = "127.0.0.1",
        receive_buffer: Optional[int] = None,
    ) -> None:
        self._tls = tls
        self._answer = answer
        self._raw = raw
        self._answers_close = answers_close
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, 0))
        self._listener.listen(64)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._accepted: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Guards _all and _closed. Leaf.
        self._lock = threading.Lock()
        self._all: list[Remote] = []
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="peer-accept", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """WebSocket URL; a certificate is for `localhost`."""
        if self._tls is not None:
            return f"wss://localhost:{self.port}/socket"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}/socket"

    def accept(self, timeout: float = WAIT) -> Remote:
        """Return the server's end of the next connection; raise the error of a failed upgrade."""
        got = self._accepted.get(True, timeout)
        if isinstance(got, BaseException):
            raise got
        assert isinstance(got, Remote)
        return got

    @property
    def idle(self) -> bool:
        """Whether no accepted connection waits for `accept()`."""
        return self._accepted.empty()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # close() shut the listener
            remote = Remote(sock)
            with self._lock:
                self._all.append(remote)
                if self._closed:
                    remote.close()
                    return
            try:
                self._greet(remote)
            except Exception as error:  # noqa: BLE001 - raised in the test
                self._accepted.put(error)  # raised by accept()
            else:
                self._accepted.put(remote)

    def _greet(self, remote: Remote) -> None:
        if self._raw:
            return
        if self._tls is not None:
            remote.sock = self._tls.wrap_socket(remote.sock, server_side=True)
        remote.request = Request.parse(remote.recv_until(b"\r\n\r\n"))
        answer = self._answer(remote)
        if answer is not None:
            remote.send(answer)
        if self._answers_close:
            remote.answer_close()

    def close(self) -> None:
        """Close the listening socket and every connection. Idempotent."""
        with self._lock:
            self._closed = True
            remotes, self._all = self._all, []
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass  # closed before
        for remote in remotes:
            # an upgrade in progress must not keep the thread alive
            try:
                socket.socket.shutdown(remote.sock, socket.SHUT_RDWR)
            except OSError:
                pass  # the client closed first
        self._thread.join(WAIT)
        self._listener.close()
        for remote in remotes:
            remote.close()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Authority:
    """Throw-away certificate authority; `server` and `client` are contexts that trust it."""

    def __init__(self) -> None:
        import trustme

        self.ca = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # tickets that arrive while a client connects hang some TLS stacks
        self.server.num_tickets = 0
        self.ca.issue_cert("localhost", "127.0.0.1").configure_cert(self.server)

    @property
    def client(self) -> ssl.SSLContext:
        """New context that trusts this authority only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        return context


# -- our end --------------------------------------------------------------------------------------


class Listener:
    """Receiver of a `Connection` that records messages, ends and forks."""

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self.batches: list[list[tuple[int, bytes]]] = []
        self.ends: list[Any] = []
        self.forks: list[BaseException] = []
        self._ended = threading.Event()

    def messages_received(self, messages: list[tuple[int, bytes]]) -> None:
        self.batches.append(messages)
        for item in messages:
            self.messages.put(item)

    def connection_ended(self, end: Any) -> None:
        self.ends.append(end)
        self._ended.set()

    def connection_forked(self, error: BaseException) -> None:
        self.forks.append(error)

    def take(self) -> tuple[int, bytes]:
        """Wait for the next message and return it."""
        return self.messages.get(True, WAIT)

    def end(self) -> Any:
        """Wait for the end of the connection and return it; only one may be reported."""
        assert self._ended.wait(WAIT), "the connection did not end"
        assert len(self.ends) == 1, self.ends
        return self.ends[0]

    @property
    def payloads(self) -> list[bytes]:
        """Payloads received so far."""
        return [payload for batch in self.batches for _, payload in batch]


@contextmanager
def open_pair(listener: Any, **options: Any) -> Iterator[tuple[Any, Remote]]:
    """Provide a `Connection` on one end of a socket pair, and the other end."""
    from soniox_sync.runtime.connection import Connection
    from soniox_sync.transport.connect import Target

    ours, theirs = socket.socketpair()
    connection = Connection(
        Target("ws://pair.invalid/"), listener, opener=lambda *_: ours, **options
    )
    remote = Remote(theirs)
    try:
        connection.open(WAIT)
        yield connection, remote
    finally:
        remote.close()
        connection.close(0.0)
        assert connection.closed.wait(WAIT)
