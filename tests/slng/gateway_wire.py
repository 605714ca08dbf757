"""The gateway's side of the wire, written from its documents (PROTOCOL 8.2, 8.4), for tests of the
native dialect: put between a test and the wire, it lets their bodies run on the gateway's messages.

What a client says is undressed, and what the gateway does not know fails the test; what the service
says is dressed. The transcription route is rt-v4, which passes the service's answers through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import peers
import pytest
import servers

from soniox_sync import SlngClient

KEY = servers.KEY
SPEECH = {"init", "text", "clear"}
TRANSCRIPTION = {"config", "finalize", "keepalive", ""}
BOTH = SPEECH | TRANSCRIPTION


def to_gateway(fields: dict[str, Any]) -> dict[str, Any]:
    """Dress what the service says as the gateway does."""
    if "tokens" in fields:
        return fields
    if "error_code" in fields:
        return {"type": "error", **fields}
    if "audio" in fields:
        return {"type": "audio_chunk", **fields}
    if "terminated" in fields:
        return {"type": "terminated", **fields}
    return fields


def from_gateway(message: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Undress what the client said; anything that the route does not know fails the test."""
    fields = dict(message)
    kind = fields.pop("type")
    assert kind in known, message
    assert "api_key" not in fields
    if kind == "init":
        assert {"stream_id", "model", "language", "voice", "audio_format"} <= set(fields)
    elif kind == "text":
        assert set(fields) == {"stream_id", "text", "text_end"}
    elif kind == "clear":
        assert set(fields) == {"stream_id", "cancel"}
    elif kind == "config":
        assert fields["model"] == "stt-rt-v4"
        fields["model"] = "stt-rt-v5"  # what the native tests expect
    elif kind == "":
        assert not fields
    else:
        return message  # as the service has it
    return fields


def undress(payload: bytes, known: set[str]) -> bytes:
    """Undress a text message; the gateway's end becomes the service's, which is empty."""
    fields = from_gateway(json.loads(payload), known)
    return json.dumps(fields, ensure_ascii=False).encode() if fields else b""


def message(**fields: Any) -> bytes:
    """Build a text message as `peers.message` does, in the gateway's dialect."""
    return peers.text(json.dumps(to_gateway(fields)))


def client_for(url: str, **options: Any) -> SlngClient:
    """Make a client whose routes are at `url`; the speech model is that of the native tests."""
    options["tts_defaults"] = {"model": "tts-rt-v2", **options.get("tts_defaults", {})}
    assert options.pop("auth", "header") == "header"
    urls = {"tts_ws_url": url, "stt_ws_url": url}
    return SlngClient(**{"api_key": KEY, **urls, **options})


class Undressed:
    """Is a server's connection whose messages come and go in the native dialect."""

    def __init__(self, connection: Any, known: set[str]) -> None:
        self._connection = connection
        self._known = known

    def _native(self, received: Any) -> Any:
        if isinstance(received, bytes):
            return received
        return undress(received.encode(), self._known).decode()

    def recv(self) -> Any:
        """Receive the next message."""
        return self._native(self._connection.recv())

    def __iter__(self) -> Iterator[Any]:
        return map(self._native, self._connection)

    def send(self, text: str) -> None:
        """Send a message of the service's."""
        self._connection.send(json.dumps(to_gateway(json.loads(text))))


def speak_gateway(patch: pytest.MonkeyPatch, *modules: ModuleType, known: set[str] = BOTH) -> None:
    """Make test helpers, and the tests in `modules`, speak the gateway's dialect.

    `known`: the types of message that may come.
    """
    receive = peers.RawLine.recv_frame

    def recv_frame(line: peers.RawLine) -> peers.Got:
        got = receive(line)
        if got.opcode == peers.TEXT:
            got.payload = undress(got.payload, known)
        return got

    patch.setattr(peers.RawLine, "recv_frame", recv_frame)
    for service in (servers.TtsService, servers.SttService):
        talk = service.talk
        patch.setattr(
            service, "talk", lambda self, line, talk=talk: talk(self, Undressed(line, known))
        )
    for module in (servers, *modules):
        for name, replacement in (("message", message), ("client_for", client_for)):
            if hasattr(module, name):
                patch.setattr(module, name, replacement)


def run_on_gateway(module: ModuleType, known: set[str] = BOTH) -> Any:
    """Make the fixture that puts the gateway between the tests of `module` and the wire."""

    @pytest.fixture(autouse=True)
    def gateway(monkeypatch: pytest.MonkeyPatch) -> None:
        speak_gateway(monkeypatch, module, known=known)

    return gateway
