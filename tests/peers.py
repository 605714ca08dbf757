"""The far end of the wire, in the hands of a test: raw sockets, exact bytes, a clock to turn.

`RawPeer` is a WebSocket server that shares no code with the library: it upgrades by hand and gives
each connection to the test as a `RawLine`. `open_pair` puts a `Connection` on a socket pair,
`Listener` is what a `Connection` serves, `ManualClock` turns minutes into milliseconds.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import itertools
import json
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

# the longest any wait of a test may last; reached only by a test that fails
WAIT = 10.0

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
    """Is one frame as a client sent it."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes

    @property
    def text(self) -> str:
        """Give the payload as text."""
        return self.payload.decode("utf-8")

    @property
    def json(self) -> Any:
        """Give the payload as JSON."""
        return json.loads(self.payload)

    @property
    def close_code(self) -> int:
        """Give the code of a close frame."""
        return int.from_bytes(self.payload[:2], "big")


# -- lines ----------------------------------------------------------------------------------------


@dataclass
class Request:
    """Is the HTTP request of an upgrade."""

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
        """Build the answer that completes the upgrade; `extra` are whole header lines."""
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


class LineGone(Exception):
    """Reports that the client ended the line while the test waited for bytes."""


class RawLine:
    """Is one accepted connection: the test sends and receives exact bytes."""

    def __init__(self, sock: socket.socket, request: Optional[Request] = None) -> None:
        self.sock = sock
        self.request = request
        self._buffer = b""
        sock.settimeout(WAIT)

    def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(b"".join(pieces))

    def send_dripping(self, data: bytes) -> None:
        """Send byte by byte, each in a call of its own."""
        for index in range(len(data)):
            self.sock.sendall(data[index : index + 1])

    def recv_exactly(self, count: int) -> bytes:
        """Receive `count` bytes; `LineGone` if the line ends before."""
        while len(self._buffer) < count:
            self._fill()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def recv_until(self, mark: bytes) -> bytes:
        """Receive up to and with `mark`."""
        while mark not in self._buffer:
            self._fill()
        at = self._buffer.index(mark) + len(mark)
        taken, self._buffer = self._buffer[:at], self._buffer[at:]
        return taken

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise LineGone(f"the client ended the line; unread: {self._buffer!r}")
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
        """Receive the next text or binary frame, passing over pings, pongs."""
        while True:
            got = self.recv_frame()
            if got.opcode not in (PING, PONG):
                return got

    def recv_to_end(self) -> bytes:
        """Receive until the client ends the line, by goodbye or reset; gives what came."""
        try:
            while True:
                self._fill()
        except (LineGone, ConnectionError):
            taken, self._buffer = self._buffer, b""
            return taken

    def frames_to_end(self) -> list[Got]:
        """Receive whole frames until the line ends; half a frame fails the test."""
        found = []
        while True:
            try:
                if not self._buffer:
                    self._fill()
            except (LineGone, ConnectionError):
                return found
            found.append(self.recv_frame())

    def fin(self) -> None:
        """End our direction; the other stays open."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Tear the line down with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # a TLS object's close would say goodbye first
        socket.socket.close(self.sock)

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        self.sock.close()

    def __enter__(self) -> RawLine:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _xor(body: bytes, key: bytes) -> bytes:
    out = bytearray(body)
    for lane in range(4):
        table = bytes(value ^ key[lane] for value in range(256))
        out[lane::4] = out[lane::4].translate(table)
    return bytes(out)


Answer = Callable[[RawLine], Optional[bytes]]


def upgrade(line: RawLine) -> bytes:
    """Answer every upgrade with 101."""
    assert line.request is not None
    return line.request.accept()


class RawPeer:
    """Listens on loopback, upgrades what connects, hands each line to the test.

    `answer` gives the bytes that reply to the upgrade request, `None` to reply nothing (the line is
    handed over all the same). `raw=True` hands lines over without reading anything, TLS included.
    `receive_buffer` makes the peer's window small, so that a full uplink comes soon.
    """

    def __init__(
        self,
        *,
        tls: Optional[ssl.SSLContext] = None,
        answer: Answer = upgrade,
        raw: bool = False,
        host: str = "127.0.0.1",
        receive_buffer: Optional[int] = None,
    ) -> None:
        self._tls = tls
        self._answer = answer
        self._raw = raw
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind((host, 0))
        self._listener.listen(64)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Guards _all and _closed. Leaf.
        self._lock = threading.Lock()
        self._all: list[RawLine] = []
        self._closed = False
        self._thread = threading.Thread(target=self._accept, name="peer-accept", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Give the WebSocket URL; a certificate is for `localhost`."""
        if self._tls is not None:
            return f"wss://localhost:{self.port}/socket"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ws://{host}:{self.port}/socket"

    def line(self, timeout: float = WAIT) -> RawLine:
        """Give the next connection, upgraded; raises what went wrong with it."""
        got = self._lines.get(True, timeout)
        if isinstance(got, BaseException):
            raise got
        assert isinstance(got, RawLine)
        return got

    @property
    def idle(self) -> bool:
        """Tell whether nobody connected whom the test has not taken."""
        return self._lines.empty()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # close() shut the listener
            line = RawLine(sock)
            with self._lock:
                self._all.append(line)
                if self._closed:
                    line.close()
                    return
            try:
                self._greet(line)
            except Exception as error:  # noqa: BLE001 - told to the test
                self._lines.put(error)  # the test meets it in line()
            else:
                self._lines.put(line)

    def _greet(self, line: RawLine) -> None:
        if self._raw:
            return
        if self._tls is not None:
            line.sock = self._tls.wrap_socket(line.sock, server_side=True)
        line.request = Request.parse(line.recv_until(b"\r\n\r\n"))
        answer = self._answer(line)
        if answer is not None:
            line.send(answer)

    def close(self) -> None:
        """Close the listener and every line. Idempotent."""
        with self._lock:
            self._closed = True
            lines, self._all = self._all, []
        try:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass  # closed before
        for line in lines:
            # an upgrade in progress must not keep the thread
            try:
                socket.socket.shutdown(line.sock, socket.SHUT_RDWR)
            except OSError:
                pass  # the client was first
        self._thread.join(WAIT)
        self._listener.close()
        for line in lines:
            line.close()

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Authority:
    """Is a throw-away certificate authority; `server` and `client` are contexts that trust it."""

    def __init__(self) -> None:
        import trustme

        self.ca = trustme.CA()
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # tickets that arrive while a client connects hang some TLS stacks
        self.server.num_tickets = 0
        self.ca.issue_cert("localhost", "127.0.0.1").configure_cert(self.server)

    @property
    def client(self) -> ssl.SSLContext:
        """Give a new context that trusts this authority only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        return context


# -- our end --------------------------------------------------------------------------------------


class Listener:
    """Is a receiver for `Connection`: keeps what it is told, for the test to take in order."""

    def __init__(self) -> None:
        self.messages: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        self.batches: list[list[tuple[int, bytes]]] = []
        self.ends: list[Any] = []
        self.forks: list[BaseException] = []
        self._ended = threading.Event()

    def received(self, messages: list[tuple[int, bytes]]) -> None:
        self.batches.append(messages)
        for item in messages:
            self.messages.put(item)

    def ended(self, end: Any) -> None:
        self.ends.append(end)
        self._ended.set()

    def forked(self, error: BaseException) -> None:
        self.forks.append(error)

    def take(self) -> tuple[int, bytes]:
        """Give the next message, waiting for it."""
        return self.messages.get(True, WAIT)

    def end(self) -> Any:
        """Give the one end of the line, waiting for it."""
        assert self._ended.wait(WAIT), "the line did not end"
        assert len(self.ends) == 1, self.ends
        return self.ends[0]

    @property
    def payloads(self) -> list[bytes]:
        """Give the payloads received so far."""
        return [payload for batch in self.batches for _, payload in batch]


@contextmanager
def open_pair(listener: Any, **options: Any) -> Iterator[tuple[Any, RawLine]]:
    """Give a `Connection` that stands on one end of a socket pair, and the other end."""
    from soniox_sync.connection import Connection
    from soniox_sync.transport.connect import Target

    ours, theirs = socket.socketpair()
    connection = Connection(
        Target("ws://pair.invalid/"), listener, opener=lambda *_: ours, **options
    )
    line = RawLine(theirs)
    try:
        connection.open(WAIT)
        yield connection, line
    finally:
        line.close()
        connection.close(0.0)
        assert connection.done.wait(WAIT)


# -- time -----------------------------------------------------------------------------------------


class ManualTimer:
    """Is one appointment with a `ManualClock`."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Optional[Callable[[], None]] = callback

    def cancel(self) -> None:
        """Forget the callback."""
        self.callback = None


class ManualClock:
    """Has the interface of `soniox_sync.clock.Clock`; time passes in `advance()` only.

    Safe from any thread; callbacks run in the thread that advances.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._lock = threading.Lock()
        self._now = start
        self._order = itertools.count()
        self._heap: list[tuple[float, int, ManualTimer]] = []

    def now(self) -> float:
        """Give the present time."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> ManualTimer:
        """Call `callback` when the clock is advanced to `when`."""
        timer = ManualTimer(when, callback)
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._order), timer))
        return timer

    def call_later(self, seconds: float, callback: Callable[[], None]) -> ManualTimer:
        """Call `callback` after `seconds`."""
        return self.call_at(self._now + seconds, callback)

    @property
    def pending(self) -> int:
        """Count the timers that were not cancelled."""
        with self._lock:
            return sum(timer.callback is not None for _, _, timer in self._heap)

    def advance(self, seconds: float) -> None:
        """Let time pass; due timers run in order, each at its own moment."""
        end = self._now + seconds
        while True:
            with self._lock:
                if not self._heap or self._heap[0][0] > end:
                    self._now = end
                    return
                when, _, timer = heapq.heappop(self._heap)
                self._now = max(self._now, when)
                callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()


class Task:
    """Runs a function on a thread; `result()` gives its value or raises its exception."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._value: Any = None
        self._error: Optional[BaseException] = None
        self._thread = threading.Thread(target=self._run, name="test-task", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001 - raised by result()
            self._error = error

    @property
    def done(self) -> bool:
        """Tell whether the function has returned or raised."""
        return not self._thread.is_alive()

    def result(self, timeout: float = WAIT) -> Any:
        """Wait for the end of the function."""
        self._thread.join(timeout)
        assert self.done, "the call did not come back"
        if self._error is not None:
            raise self._error
        return self._value


def eventually(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Wait until `condition()` is true, for effects that announce themselves by no event."""
    pause = threading.Event()
    for _ in range(int(WAIT / 0.005)):
        value = condition()
        if value:
            return value
        pause.wait(0.005)
    raise AssertionError(f"{what} did not come true")


def drain(items: Iterable[Any]) -> list[Any]:
    """Take what an iterator gives until it ends or raises; the exception comes last."""
    taken: list[Any] = []
    try:
        for item in items:
            taken.append(item)
    except Exception as error:  # noqa: BLE001 - it is what the test asks for
        taken.append(error)
    return taken
