"""Clients for the sandbox's tests that share no code with the library: `websockets` and sockets."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any, Optional

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from soniox_sync.sandbox import Sandbox

KEY = {"Authorization": "Bearer good-key"}
RAW_STT = {
    "model": "stt-rt-v6",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
    "num_channels": 1,
}
TTS = {
    "model": "tts-rt-v2",
    "language": "en",
    "voice": "Adrian",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
}
# long enough for a loaded machine; a longer wait fails the test
PATIENCE = 10.0


class Client:
    """One WebSocket to the sandbox."""

    def __init__(self, url: str, headers: Optional[dict[str, str]] = None, **options: Any) -> None:
        given = KEY if headers is None else headers
        # entered explicitly: newer releases return the connection only from `with`
        self._opening = connect(url, additional_headers=given, open_timeout=PATIENCE, **options)
        self.ws: ClientConnection = self._opening.__enter__()

    def send(self, *messages: Any) -> None:
        """Send mappings as JSON, text and bytes unchanged."""
        for message in messages:
            self.ws.send(json.dumps(message) if isinstance(message, dict) else message)

    def receive(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Receive one message."""
        return dict(json.loads(self.ws.recv(timeout=timeout)))

    def receive_all(self) -> list[dict[str, Any]]:
        """Receive until the server closes."""
        received = []
        try:
            while True:
                received.append(self.receive())
        except ConnectionClosed:
            return received

    def receive_until(self, name: str, stream_id: Optional[str] = None) -> list[dict[str, Any]]:
        """Receive up to the first message in which `name` is true."""
        received = []
        while True:
            received.append(self.receive())
            if received[-1].get(name) and stream_id in (None, received[-1].get("stream_id")):
                return received

    @property
    def close_code(self) -> Optional[int]:
        """Code of the server's close frame, once the server has closed."""
        return self.ws.protocol.close_code

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opening.__exit__(None, None, None)


def stt(sandbox: Sandbox, **config: Any) -> Client:
    """Open an STT session with raw audio."""
    client = Client(sandbox.urls.stt)
    client.send({**RAW_STT, **config})
    return client


def tts(sandbox: Sandbox) -> Client:
    """Open a TTS connection."""
    return Client(sandbox.urls.tts)


def start(stream_id: str, **config: Any) -> dict[str, Any]:
    """Return a TTS config; a value of `None` leaves the field out."""
    message = {"stream_id": stream_id, **TTS, **config}
    return {name: value for name, value in message.items() if value is not None}


def text(stream_id: str, words: str, end: bool = True) -> dict[str, Any]:
    """Return a text message."""
    return {"stream_id": stream_id, "text": words, "text_end": end}


def silence(ms: int, rate: int = 16000) -> bytes:
    """Return s16le silence."""
    return bytes(2 * (rate * ms // 1000))


def audio_of(messages: list[dict[str, Any]], stream_id: Optional[str] = None) -> bytes:
    """Return the audio of TTS messages, joined."""
    return b"".join(
        base64.b64decode(message.get("audio", ""))
        for message in messages
        if stream_id in (None, message.get("stream_id"))
    )


def final_text(messages: list[dict[str, Any]]) -> str:
    """Return the final tokens of STT responses, joined."""
    return "".join(
        token["text"] for message in messages for token in message["tokens"] if token["is_final"]
    )


def raw_socket(sandbox: Sandbox) -> socket.socket:
    """Open a plain TCP connection to the sandbox."""
    return socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE)


def upgrade_bytes(path: str, *headers: str) -> bytes:
    """Return the bytes of a WebSocket upgrade request."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Authorization: Bearer good-key",
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Read up to and including `end`."""
    data = b""
    while not data.endswith(end):
        piece = sock.recv(1)
        if not piece:
            raise EOFError(data)
        data += piece
    return data
