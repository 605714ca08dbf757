"""The gateway's side of speech, written from its documents (PROTOCOL 8.2), for tests of the native
dialect: put between a test and the wire, it lets their bodies run on the gateway's messages.
"""

from __future__ import annotations

import json
from types import ModuleType, SimpleNamespace
from typing import Any

import peers
import pytest
import servers

from soniox_sync import SlngClient

KEY = servers.KEY


def to_gateway(fields: dict[str, Any]) -> dict[str, Any]:
    """Dress what the service says as the gateway does."""
    if "error_code" in fields:
        return {"type": "error", **fields}
    if "audio" in fields:
        return {"type": "audio_chunk", **fields}
    if "terminated" in fields:
        return {"type": "terminated", **fields}
    return fields


def from_gateway(message: dict[str, Any]) -> dict[str, Any]:
    """Undress what the client said; anything that the gateway does not know fails the test."""
    fields = dict(message)
    kind = fields.pop("type")
    if kind == "init":
        assert {"stream_id", "model", "language", "voice", "audio_format"} <= set(fields)
    elif kind == "text":
        assert set(fields) == {"stream_id", "text", "text_end"}
    else:
        assert kind == "clear", message
        assert set(fields) == {"stream_id", "cancel"}
    return fields


def message(**fields: Any) -> bytes:
    """Build a text message as `peers.message` does, in the gateway's dialect."""
    return peers.text(json.dumps(to_gateway(fields)))


def client_for(url: str, **options: Any) -> SlngClient:
    """Make a client whose speech route is at `url`; the model is that of the native tests."""
    options["tts_defaults"] = {"model": "tts-rt-v2", **options.get("tts_defaults", {})}
    return SlngClient(**{"api_key": KEY, "tts_ws_url": url, **options})


def speak_gateway(patch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Make test helpers, and the tests in `modules`, speak the gateway's dialect."""
    codec = SimpleNamespace(
        loads=lambda text: from_gateway(json.loads(text)),
        dumps=lambda fields: json.dumps(to_gateway(fields)),
    )
    patch.setattr(servers, "json", codec)
    patch.setattr(peers.Got, "json", property(lambda got: from_gateway(json.loads(got.payload))))
    for module in (servers, *modules):
        for name, replacement in (("message", message), ("client_for", client_for)):
            if hasattr(module, name):
                patch.setattr(module, name, replacement)
