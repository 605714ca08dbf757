"""A raw client of the sandbox's bridge: `websockets`, with every byte written by the test."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any, Optional

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from soniox_sync.sandbox import Sandbox

BRIDGE = "/v1/bridges/unmute/tts/soniox/tts-rt:v1"
ROUTES = [BRIDGE, "/v1/bridges/unmute/tts/soniox/tts-rt:v2", "/v1/tts/soniox/tts-rt:v2"]
INIT = (
    '{"type":"init","model":"soniox/tts-rt:v1","voice":"Nina",'
    '"config":{"sample_rate":16000,"encoding":"linear16","language":"en","speed":1.0}}'
)
LONG = "One more sentence. " * 40
# nested deeper than any interpreter's recursion limit
DEEP = "[" * 100_000
# seconds; a test that waits this long has failed
PATIENCE = 20.0


class Talk:
    """Is one WebSocket to the gateway; `code` is known once the server closed."""

    def __init__(self, sandbox: Sandbox, path: str = BRIDGE, **headers: str) -> None:
        sent = {"Authorization": "Bearer good-key"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        url = f"{sandbox.urls.slng}{path}"
        # entered by hand: newer releases give the connection to a `with` only
        self._opening = connect(url, additional_headers=sent, open_timeout=PATIENCE)
        self.ws = self._opening.__enter__()

    def say(self, *messages: Any) -> None:
        """Send texts and bytes as they are, until the server closes."""
        with suppress(ConnectionClosed):
            for message in messages:
                self.ws.send(message)

    def hear(self) -> dict[str, Any]:
        """Receive one message."""
        return dict(json.loads(self.ws.recv(timeout=PATIENCE)))

    def hear_until(self, kind: str) -> list[dict[str, Any]]:
        """Receive up to and including the first message of a type."""
        heard = [self.hear()]
        while heard[-1]["type"] != kind:
            heard.append(self.hear())
        return heard

    def hear_all(self) -> list[dict[str, Any]]:
        """Receive until the server closes."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except ConnectionClosed:
            return heard

    @property
    def code(self) -> Optional[int]:
        """Tell the code of the server's close frame."""
        return self.ws.protocol.close_code

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *exc: object) -> None:
        self._opening.__exit__(None, None, None)


def kinds(heard: list[dict[str, Any]]) -> list[str]:
    """Give the types in their order, those of audio once each run."""
    found = [message["type"] for message in heard]
    return [
        kind
        for at, kind in enumerate(found)
        if kind != "audio_chunk" or found[at - 1 : at] != ["audio_chunk"]
    ]


def audio(heard: list[dict[str, Any]]) -> bytes:
    """Join the audio."""
    return b"".join(base64.b64decode(m["data"]) for m in heard if m["type"] == "audio_chunk")


def text(words: str, **more: Any) -> str:
    """Write a message with text."""
    return json.dumps({"type": "text", "text": words, **more})


def init(**changes: Any) -> str:
    """Write an init with other fields of its config, and a voice."""
    return json.dumps({"type": "init", "voice": changes.pop("voice", "Nina"), "config": changes})


def natively(sandbox: Sandbox, words: str, **config: Any) -> bytes:
    """Speak without the gateway."""
    voice = {"voice": "Nina", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 16000}
    with sandbox.client().realtime.tts(**{**voice, **config}) as stream:
        stream.send_text(words, end=True)
        return stream.read(PATIENCE)
