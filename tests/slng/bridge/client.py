"""Client of the sandbox's bridge with `websockets`: the test writes every byte."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any, Optional

from websockets.exceptions import ConnectionClosed

from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import Client

BRIDGE = "/v1/bridges/unmute/tts/soniox/tts-rt:v1"
ROUTES = [BRIDGE, "/v1/bridges/unmute/tts/soniox/tts-rt:v2", "/v1/tts/soniox/tts-rt:v2"]
INIT = (
    '{"type":"init","model":"soniox/tts-rt:v1","voice":"Nina",'
    '"config":{"sample_rate":16000,"encoding":"linear16","language":"en","speed":1.0}}'
)
LONG = "One more sentence. " * 40
# nested deeper than any interpreter's recursion limit
DEEP = "[" * 100_000
# seconds; a longer wait fails the test
PATIENCE = 20.0


class BridgeClient(Client):
    """One WebSocket to the gateway; `X_Name="value"` is the header `X-Name`."""

    def __init__(self, sandbox: Sandbox, path: str = BRIDGE, **headers: str) -> None:
        sent = {"Authorization": "Bearer good-key"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        super().__init__(f"{sandbox.urls.slng}{path}", sent)

    def send(self, *messages: Any) -> None:
        """Send texts and bytes unchanged, until the server closes."""
        with suppress(ConnectionClosed):
            super().send(*messages)

    def receive_until(self, name: str, stream_id: Optional[str] = None) -> list[dict[str, Any]]:
        """Receive up to the first message of type `name`."""
        received = [self.receive()]
        while received[-1]["type"] != name:
            received.append(self.receive())
        return received


def kinds(received: list[dict[str, Any]]) -> list[str]:
    """Return the message types in order; consecutive audio chunks count once."""
    found = [message["type"] for message in received]
    return [
        kind
        for at, kind in enumerate(found)
        if kind != "audio_chunk" or found[at - 1 : at] != ["audio_chunk"]
    ]


def audio(received: list[dict[str, Any]]) -> bytes:
    """Join the audio."""
    return b"".join(base64.b64decode(m["data"]) for m in received if m["type"] == "audio_chunk")


def text(words: str, **more: Any) -> str:
    """Return a message with text."""
    return json.dumps({"type": "text", "text": words, **more})


def init(**changes: Any) -> str:
    """Return an init with a voice and the given fields of its config, for the route's model."""
    voice = changes.pop("voice", "Nina")
    return json.dumps({"type": "init", "model": "", "voice": voice, "config": changes})


def spoken_natively(sandbox: Sandbox, words: str, **config: Any) -> bytes:
    """Return what the service speaks without the gateway."""
    voice = {"voice": "Nina", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 16000}
    with sandbox.client().realtime.tts(**{**voice, **config}) as stream:
        stream.send_text(words, end=True)
        return stream.read(PATIENCE)
