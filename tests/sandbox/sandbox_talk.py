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
    "model": "stt-rt-v5",
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
# long enough for a loaded machine; a test that waits this long has failed
PATIENCE = 10.0


class Talk:
    """Is one WebSocket to the sandbox; `close_code` is known once the server closed."""

    def __init__(self, url: str, headers: Optional[dict[str, str]] = None, **options: Any) -> None:
        given = KEY if headers is None else headers
        # entered by hand: newer releases give the connection to a `with` only
        self._opening = connect(url, additional_headers=given, open_timeout=PATIENCE, **options)
        self.ws: ClientConnection = self._opening.__enter__()

    def say(self, *messages: Any) -> None:
        """Send JSON for mappings, frames as they are for text and bytes."""
        for message in messages:
            self.ws.send(json.dumps(message) if isinstance(message, dict) else message)

    def hear(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """Receive one message."""
        return dict(json.loads(self.ws.recv(timeout=timeout)))

    def hear_all(self) -> list[dict[str, Any]]:
        """Receive until the server closes."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except ConnectionClosed:
            return heard

    def hear_until(self, name: str, stream_id: Optional[str] = None) -> list[dict[str, Any]]:
        """Receive up to the first message in which `name` is true."""
        heard = []
        while True:
            heard.append(self.hear())
            if heard[-1].get(name) and stream_id in (None, heard[-1].get("stream_id")):
                return heard

    @property
    def close_code(self) -> Optional[int]:
        """Tell the code of the server's close frame."""
        return self.ws.protocol.close_code

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opening.__exit__(None, None, None)


def stt(sandbox: Sandbox, **config: Any) -> Talk:
    """Open an STT session with raw audio."""
    talk = Talk(sandbox.urls.stt)
    talk.say({**RAW_STT, **config})
    return talk


def tts(sandbox: Sandbox) -> Talk:
    """Open a TTS connection."""
    return Talk(sandbox.urls.tts)


def start(stream_id: str, **config: Any) -> dict[str, Any]:
    """Make a TTS config; a value of `None` leaves the field out."""
    message = {"stream_id": stream_id, **TTS, **config}
    return {name: value for name, value in message.items() if value is not None}


def text(stream_id: str, words: str, end: bool = True) -> dict[str, Any]:
    """Make a text message."""
    return {"stream_id": stream_id, "text": words, "text_end": end}


def silence(ms: int, rate: int = 16000) -> bytes:
    """Make s16le silence."""
    return bytes(2 * (rate * ms // 1000))


def audio_of(messages: list[dict[str, Any]], stream_id: Optional[str] = None) -> bytes:
    """Join the audio of TTS messages."""
    return b"".join(
        base64.b64decode(message.get("audio", ""))
        for message in messages
        if stream_id in (None, message.get("stream_id"))
    )


def final_text(messages: list[dict[str, Any]]) -> str:
    """Join the final tokens of STT responses."""
    return "".join(
        token["text"] for message in messages for token in message["tokens"] if token["is_final"]
    )


def raw_socket(sandbox: Sandbox) -> socket.socket:
    """Open a plain TCP connection to the sandbox."""
    return socket.create_connection(("127.0.0.1", sandbox.port), timeout=PATIENCE)


def upgrade_bytes(path: str, *headers: str) -> bytes:
    """Make the bytes of a WebSocket upgrade request."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: sandbox",
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
