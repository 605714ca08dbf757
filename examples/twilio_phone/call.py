"""One phone call as Twilio's media streams carry it: JSON over a WebSocket, audio in base64."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

from simple_websocket import ConnectionClosed

from soniox_sync import SonioxError, Speech


class Call:
    """Hears and speaks 8 kHz mulaw."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._stream_id = ""
        # guards sending, and what is being said: nothing of it follows the "clear" that ends it
        self._lock = threading.Lock()
        self._speech: Speech | None = None

    def heard(self) -> Iterator[bytes]:
        """Give the caller's audio until the call ends; a line that is lost ends it as well."""
        while (message := json.loads(self._socket.receive()))["event"] != "stop":
            if message["event"] == "start":
                self._stream_id = message["start"]["streamSid"]
            elif message["event"] == "media":
                yield base64.b64decode(message["media"]["payload"])

    def say(self, speech: Speech) -> None:
        """Send speech as it is made, on a thread of its own; Twilio keeps what is not yet heard."""
        self._speech = speech
        threading.Thread(target=self._send_all, args=(speech,)).start()

    def hush(self) -> None:
        """Be quiet at once: make no more speech, and let Twilio drop what it has."""
        with self._lock:
            speech, self._speech = self._speech, None
            if speech is not None:
                speech.cancel()
                self._send("clear")

    def _send_all(self, speech: Speech) -> None:
        try:
            for chunk in speech:
                with self._lock:
                    if self._speech is speech:
                        self._send("media", media={"payload": base64.b64encode(chunk).decode()})
        except (ConnectionClosed, OSError, SonioxError) as error:
            speech.cancel()  # the caller hung up, or there is no more speech
            logging.getLogger(__name__).warning("the answer ends early: %s", error)

    def _send(self, event: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"event": event, "streamSid": self._stream_id, **fields}))
