"""WebSockets to an example site, as its page opens them."""

from __future__ import annotations

import io
import json
import socket as socket_module
import wave
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import websocket

from tests.peers import Remote, frame
from tests.serving import ServerProcess

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 60.0

MASKED_STOP = frame(1, b"stop", mask=b"\0\0\0\0")
MASKED_CLOSE = frame(8, b"\x03\xe8", mask=b"\0\0\0\0")
# when a page may close its connection
MOMENTS = ("at the end", "in the middle", "before any sound")


def socket_to(server: ServerProcess, path: str) -> websocket.WebSocket:
    """Open a WebSocket to the site."""
    url = server.url.replace("http", "ws") + path
    return websocket.create_connection(url, timeout=TIMEOUT_SEC)


def received(socket: websocket.WebSocket) -> Iterator[dict[str, Any]]:
    """Yield the server's messages until it closes the connection."""
    while (data := socket.recv()) != "":
        yield json.loads(data)


def raw_socket(server: ServerProcess, path: str) -> Remote:
    """Open a WebSocket to the site of which every byte can be seen."""
    where = urlsplit(server.url)
    assert where.hostname and where.port
    remote = Remote(socket_module.create_connection((where.hostname, where.port), TIMEOUT_SEC))
    remote.send(
        f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert remote.recv_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    return remote


def captions_of(server: ServerProcess, path: str, recording: bytes) -> list[dict[str, Any]]:
    """Send the samples of a WAV and "stop"; return the messages up to "finished"."""
    with wave.open(io.BytesIO(recording)) as file:
        rate, samples = file.getframerate(), file.readframes(file.getnframes())
    socket = socket_to(server, f"{path}?rate={rate}&language=en")
    for at in range(0, len(samples), 4800):
        socket.send_binary(samples[at : at + 4800])
    socket.send("stop")
    messages: list[dict[str, Any]] = []
    for message in received(socket):
        messages.append(message)
        if message.get("kind") == "finished":
            break
    socket.close()
    return messages


def assert_close_frame_is_last(
    server: ServerProcess, path: str, recording: bytes, moment: str
) -> None:
    """Close as the page does at `moment`: it gets one close frame, and no byte follows."""
    with raw_socket(server, f"{path}?rate=24000") as remote:
        if moment != "before any sound":
            for at in range(44, 48044, 4800):
                remote.send(frame(2, recording[at : at + 4800], mask=b"\0\0\0\0"))
        if moment == "at the end":
            remote.send(MASKED_STOP)
            while b"finished" not in remote.recv_message().payload:
                continue
        remote.send(MASKED_CLOSE)
        rest = remote.recv_to_end()
    messages, close, after = rest.rpartition(b"\x88\x02\x03\xe8")
    assert close, rest
    assert after == b""
    assert b"HTTP/1.1 200" not in messages
