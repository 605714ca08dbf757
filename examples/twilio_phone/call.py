"""One phone call as Twilio's media streams carry it: JSON over a WebSocket, audio in base64."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any, Optional

from simple_websocket import ConnectionClosed

from soniox_sync import Speech


class Call:
    """Hears and speaks 8 kHz mulaw."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._lock = threading.Lock()  # guards sending: two threads do
        self._stream_id = ""
        self._speech: Optional[Speech] = None

    def heard(self) -> Iterator[bytes]:
        """Give the caller's audio until the call ends."""
        while (message := json.loads(self._socket.receive()))["event"] != "stop":
            if message["event"] == "start":
                self._stream_id = message["start"]["streamSid"]
            elif message["event"] == "media":
                yield base64.b64decode(message["media"]["payload"])

    def say(self, speech: Speech) -> None:
        """Send speech as it is made, on a thread of its own; Twilio keeps what is not yet heard."""
        self._speech = speech
        threading.Thread(target=self._send_speech, args=(speech,)).start()

    def hush(self) -> None:
        """Be quiet at once: make no more speech, and let Twilio drop what it has."""
        speech, self._speech = self._speech, None
        if speech is not None:
            speech.cancel()
            self._send("clear")

    def _send_speech(self, speech: Speech) -> None:
        try:
            for chunk in speech:
                self._send("media", media={"payload": base64.b64encode(chunk).decode()})
        except ConnectionClosed:
            speech.cancel()  # the caller hung up

    def _send(self, event: str, **fields: Any) -> None:
        with self._lock:
            self._socket.send(json.dumps({"event": event, "streamSid": self._stream_id, **fields}))
