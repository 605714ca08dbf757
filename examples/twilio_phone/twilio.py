"""Twilio's side of a media stream: a scripted caller instead of a telephone."""

from __future__ import annotations

import base64
import json
from collections import deque
from typing import Any

import websocket

from soniox_sync import AudioSourceHandlers
from soniox_sync.sandbox import Caller


class MediaStream:
    """Connects a caller, who speaks 8 kHz mulaw, with an app until one of them hangs up."""

    def __init__(self, url: str, caller: Caller) -> None:
        self._caller = caller
        self._socket = websocket.create_connection(url, timeout=60)
        self._marks: deque[tuple[float, str]] = deque()  # where in the audio, and the name
        self._sent_ms = 0.0

    def run(self) -> None:
        """Pass on what each of them says."""
        self._send("connected", protocol="Call", version="1.0.0")
        self._send("start", start={"streamSid": "MZ1", "callSid": "CA1", "customParameters": {}})
        self._caller.start(
            AudioSourceHandlers(self._on_audio, print, on_end=lambda: self._send("stop"))
        )
        while data := self._socket.recv():
            self._receive(json.loads(data))
        self._caller.stop()
        if self._socket.sock:
            self._socket.sock.close()  # the app has closed the WebSocket

    def _send(self, event: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"event": event, "streamSid": "MZ1", **fields}))

    def _on_audio(self, data: bytes) -> None:
        payload = base64.b64encode(data).decode()
        self._send("media", media={"track": "inbound", "payload": payload})
        while self._marks and self._marks[0][0] <= self._caller.played_ms:
            self._send("mark", mark={"name": self._marks.popleft()[1]})

    def _receive(self, message: dict[str, Any]) -> None:
        if message["event"] == "media":
            audio = base64.b64decode(message["media"]["payload"])
            self._sent_ms += len(audio) / 8
            self._caller.write(audio)
        elif message["event"] == "mark":
            self._marks.append((self._sent_ms, message["mark"]["name"]))
        elif message["event"] == "clear":
            self._caller.clear()
            self._sent_ms = self._caller.played_ms  # so that all marks are due
            self._marks = deque((self._sent_ms, name) for _, name in self._marks)
