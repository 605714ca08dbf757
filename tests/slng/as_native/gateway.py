"""Translator of messages that lets native tests run, unchanged, on the gateway's routes.

The library uses the gateway's messages, the tests of `tests/realtime` the service's. Each message
is translated between the two, in the helpers that those tests use:

    the library sends     {"type":"text","stream_id":"s","text":"Hi.","text_end":false}
    the test receives     {"stream_id":"s","text":"Hi.","text_end":false}
    the test sends        {"stream_id":"s","terminated":true}
    the library receives  {"type":"terminated","stream_id":"s","terminated":true}

Written from the gateway's documents (PROTOCOL 8.2, 8.4): a message that the route does not have
fails the test. The transcription route is rt-v4, which passes the service's responses through.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import SlngClient
from tests import peers
from tests.realtime import servers

# types of the messages that a client may send
SPEECH = {"init", "text", "clear"}
TRANSCRIPTION = {"config", "finalize", "keepalive", ""}
# reasons to leave a test out
KEY_IN_HEADER = "the gateway takes keys in a header only (PROTOCOL 8.1)"
NO_KEEPALIVES = "the speech route has no keepalives"
SENDS_KEEPALIVE = "it sends a keepalive to see that nothing came before, and the route has none"
OTHER_CLIENT = "it is about settings of the other client; see tests/slng/test_client.py"


def from_client(message: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Translate a client's message to the native one; `{}` is the end of the audio."""
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
        fields["model"] = "stt-rt-v6"  # what the native tests expect
    elif kind == "":
        assert not fields
    else:
        return message  # `finalize` and `keepalive` are those of the service
    return fields


def to_client(fields: dict[str, Any]) -> dict[str, Any]:
    """Translate a native message to the one a client of the gateway receives."""
    if "tokens" in fields:
        return fields
    for name, kind in (
        ("error_code", "error"),
        ("audio", "audio_chunk"),
        ("terminated", "terminated"),
    ):
        if name in fields:
            return {"type": kind, **fields}
    return fields


def native_text(payload: bytes, known: set[str]) -> bytes:
    """Translate a client's text message; the end of the audio becomes the empty message."""
    fields = from_client(json.loads(payload), known)
    return json.dumps(fields, ensure_ascii=False).encode() if fields else b""


class NativeConnection:
    """Server's connection to a client of the gateway that receives and sends native messages."""

    def __init__(self, connection: Any, known: set[str]) -> None:
        self._connection = connection
        self._known = known

    def _translate(self, received: Any) -> Any:
        if isinstance(received, bytes):  # audio
            return received
        return native_text(received.encode(), self._known).decode()

    def recv(self) -> Any:
        """Receive the next message."""
        return self._translate(self._connection.recv())

    def __iter__(self) -> Iterator[Any]:
        return map(self._translate, self._connection)

    def send(self, text: str) -> None:
        """Send a message."""
        self._connection.send(json.dumps(to_client(json.loads(text))))


def message(**fields: Any) -> bytes:
    """Build a text message as `peers.message` does, translated."""
    return peers.text(json.dumps(to_client(fields)))


def client_for(url: str, **options: Any) -> SlngClient:
    """Return a client as `servers.client_for` does, of the gateway's routes."""
    # the model of the native tests
    options["tts_defaults"] = {"model": "tts-rt-v2", **options.get("tts_defaults", {})}
    assert options.pop("auth", "header") == "header"
    urls = {"tts_ws_url": url, "stt_ws_url": url}
    return SlngClient(**{"api_key": servers.KEY, **urls, **options})


def run_on_gateway(known: set[str]) -> Any:
    """Return a fixture that translates messages in all tests of a module.

    `known`: types of the messages that a client may send on the routes they use.
    """

    @pytest.fixture(autouse=True)
    def gateway(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        native = sys.modules[request.function.__module__]
        for module in (servers, native):
            for replacement in (message, client_for):
                if hasattr(module, replacement.__name__):
                    monkeypatch.setattr(module, replacement.__name__, replacement)

        recv_frame = peers.Remote.recv_frame

        def translated_frame(remote: peers.Remote) -> peers.Got:
            got = recv_frame(remote)
            if got.opcode == peers.TEXT:
                got.payload = native_text(got.payload, known)
            return got

        monkeypatch.setattr(peers.Remote, "recv_frame", translated_frame)
        for service in (servers.TtsService, servers.SttService):
            monkeypatch.setattr(service, "talk", _translated_talk(service.talk, known))

    return gateway


def _translated_talk(talk: Any, known: set[str]) -> Any:
    def translated(service: servers.Service, connection: Any) -> None:
        talk(service, NativeConnection(connection, known))

    return translated
