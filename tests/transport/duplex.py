"""Both directions of many connections at once: a server and clients that all send and receive.

The server runs on asyncio, one thread for all connections, so that its own TLS cannot be at fault.
Messages are numbered; each side checks that the other's arrive whole, in order and once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from typing import Optional

from soniox_sync.runtime.connection import Connection
from soniox_sync.runtime.receiver import CloseInfo
from soniox_sync.transport.connect import Target
from soniox_sync.transport.frames import encode_frame
from tests.peers import BINARY, CLOSE, PING, PONG, Request, _xor, close_frame, frame
from tests.waiting import WAIT, eventually

# what is on its way comes before the close frame, through a server of one thread: on a loaded
# machine that takes a while
CLOSE_SEC = 60.0


def numbered(number: int, size: int) -> bytes:
    """Build a message that reveals when it is torn or out of order."""
    mark = struct.pack("!I", number)
    return (mark * (size // 4 + 1))[:size]


def check(payload: bytes, expected: int, size: int) -> None:
    """Raise if a message is not the expected one."""
    if payload != numbered(expected, size):
        raise AssertionError(f"message {expected} came as {payload[:8]!r}, {len(payload)} bytes")


@dataclass
class Load:
    """Load of each connection: messages per second each way (`None`: as many as possible)."""

    rate: Optional[float]
    up_bytes: int = 3840
    down_bytes: int = 13_000


class DuplexServer:
    """Server of any number of connections; `faults` lists what went wrong."""

    def __init__(self, load: Load, tls: Optional[ssl.SSLContext]) -> None:
        self._load = load
        self._tls = tls
        self.faults: list[str] = []
        self.received = 0
        self.sent = 0
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="duplex-server", daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT)

    @property
    def url(self) -> str:
        """URL; a certificate is for `localhost`."""
        return f"{'wss' if self._tls else 'ws'}://localhost:{self.port}/"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._stop = asyncio.Event()
        try:
            self._loop.run_until_complete(self._serve())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._serve_one, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talker: Optional[asyncio.Task[None]] = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(Request.parse(head).accept())
            talker = asyncio.ensure_future(self._talk(writer))
            await self._listen(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self.faults.append(f"the connection was lost: {error!r}")
        except AssertionError as error:
            self.faults.append(str(error))
        finally:
            if talker is not None:
                talker.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await talker
            writer.close()

    async def _talk(self, writer: asyncio.StreamWriter) -> None:
        number, began = 0, time.monotonic()
        while True:
            writer.write(frame(BINARY, numbered(number, self._load.down_bytes)))
            if number % 50 == 25:
                writer.write(frame(PING, b"%d" % number))
            await writer.drain()
            number += 1
            self.sent += 1
            if self._load.rate is None:
                if number % 16 == 0:
                    await asyncio.sleep(0)  # lets the other connections run
            else:
                await asyncio.sleep(max(0.0, began + number / self._load.rate - time.monotonic()))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        expected = 0
        while True:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            key = await reader.readexactly(4)
            payload = _xor(await reader.readexactly(size), key)
            opcode = first & 0x0F
            if opcode == CLOSE:
                writer.write(close_frame(1000))  # close() flushes it; only the talker calls drain()
                return
            if opcode == PONG:
                continue
            check(payload, expected, self._load.up_bytes)
            expected += 1
            self.received += 1

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT)

    def __enter__(self) -> DuplexServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Talker:
    """Client of one connection: the reader thread checks, a sender thread sends."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.count = 0  # messages received
        self.sent = 0
        self.faults: list[str] = []
        self._end: Optional[CloseInfo] = None
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._talk, name="duplex-sender", daemon=True)

    def open(self, target: Target) -> None:
        """Connect, and start sending."""
        self._connection = Connection(target, self)
        self._connection.open(WAIT)
        self._sender.start()

    def _talk(self) -> None:
        began, rate = time.monotonic(), self._load.rate
        while not self._closing.is_set():
            message = numbered(self.sent, self._load.up_bytes)
            try:
                self._connection.send(lambda message=message: encode_frame(BINARY, message))
            except ConnectionError as error:
                self.faults.append(f"sending failed: {error!r}")
                return
            self.sent += 1
            if rate is not None:
                self._closing.wait(max(0.0, began + self.sent / rate - time.monotonic()))

    def close(self) -> None:
        """Stop sending, close the connection, wait for the end."""
        self._closing.set()
        self._sender.join(WAIT)
        self._connection.close(CLOSE_SEC)
        if self._end is None or self._end.cause is not None or self._end.code != 1000:
            self.faults.append(f"the connection ended by {self._end}")

    def messages_received(self, messages: list[tuple[int, bytes]]) -> None:
        for _, payload in messages:
            check(payload, self.count, self._load.down_bytes)
            self.count += 1

    def connection_ended(self, end: CloseInfo) -> None:
        self._end = end

    def connection_forked(self, error: BaseException) -> None:
        self.faults.append("no fork was expected")


def run(
    load: Load, connections: int, seconds: float, server_tls: object, client_tls: object
) -> str:
    """Run `connections` for `seconds`; raise on any fault, return a summary line."""
    assert server_tls is None or isinstance(server_tls, ssl.SSLContext)
    with DuplexServer(load, server_tls) as server:
        context = (lambda: client_tls) if client_tls is not None else None
        target = Target(server.url, ssl_context=context)  # type: ignore[arg-type]
        clients = [Talker(load) for _ in range(connections)]
        for client in clients:
            client.open(target)
        threading.Event().wait(seconds)  # the load itself, not a synchronisation
        eventually(lambda: all(c.sent and c.count for c in clients), "a message each way")
        for client in clients:
            client.close()
        faults = [fault for client in clients for fault in client.faults] + server.faults
    assert not faults, faults
    up, down = sum(c.sent for c in clients), sum(c.count for c in clients)
    assert server.received == up, f"{up} sent, {server.received} received"
    return f"{connections} connections, {seconds:g} s: {up} messages up, {down} down"
