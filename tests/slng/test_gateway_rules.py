"""The sandbox's gateway refuses what PROTOCOL 8 does not document, over plain WebSockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from soniox_sync.sandbox import Sandbox

SPEECH = "/v1/tts/soniox/tts-rt:v1"
V3, V4, V5 = (f"/v1/stt/soniox/speech-ai:rt-v{n}" for n in (3, 4, 5))
BRIDGE = "/v1/bridges/unmute/stt/soniox/speech-ai:rt-v4"
INIT = {
    "type": "init",
    "stream_id": "s1",
    "model": "tts-rt-v1",
    "language": "en",
    "voice": "Adrian",
    "audio_format": "pcm_s16le",
    "sample_rate": 24000,
}
CONFIG = {
    "model": "stt-rt-v4",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
    "num_channels": 1,
}
V3_INIT = {"type": "init", "config": {"sample_rate": 16000, "audio_format": "pcm_s16le"}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Provide one sandbox for all tests of this module."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        yield box


@contextmanager
def connected(sandbox: Sandbox, path: str, key: str = "some-key", **headers: str) -> Iterator[Any]:
    """Provide a plain WebSocket."""
    sent = {"Authorization": f"Bearer {key}", **headers}
    with connect(sandbox.urls.slng + path, additional_headers=sent, compression=None) as ws:
        yield ws


def send(ws: ClientConnection, *messages: Any) -> None:
    """Send JSON, texts and bytes."""
    for message in messages:
        ws.send(json.dumps(message) if isinstance(message, dict) else message)


def receive_all(ws: ClientConnection) -> tuple[list[Any], int]:
    """Receive until the gateway closes; return the messages and the close code."""
    found = []
    try:
        while True:
            found.append(json.loads(ws.recv(10)))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return found, closed.rcvd.code


@pytest.mark.parametrize("path", [SPEECH, V3, V4, V5, BRIDGE])
def test_a_bad_key_is_refused_at_the_upgrade(sandbox: Sandbox, path: str) -> None:
    """A wrong key gets HTTP 401 and a text, on every route."""
    with pytest.raises(InvalidStatus) as caught:
        with connected(sandbox, path, "invalid-key"):
            pass
    assert caught.value.response.status_code == 401
    assert b"Incorrect API key" in (caught.value.response.body or b"")


@pytest.mark.parametrize("path", [SPEECH, V3, V4, V5, BRIDGE])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "some-key"},
        {"Authorization": "Basic some-key"},
        {"Sec-WebSocket-Protocol": "soniox-api-key, some-key"},
        {"X-Slng-Provider-Key": "some-key"},
    ],
    ids=["none", "bare", "basic", "subprotocol", "provider"],
)
def test_the_key_is_accepted_as_a_bearer_only(
    sandbox: Sandbox, path: str, headers: dict[str, str]
) -> None:
    """Without a key, or with one anywhere but in `Authorization: Bearer`, the status is 401."""
    with pytest.raises(InvalidStatus) as caught:
        connect(sandbox.urls.slng + path, additional_headers=headers, compression=None)
    assert caught.value.response.status_code == 401
    assert b"some-key" not in (caught.value.response.body or b"")


def test_speech_uses_the_documented_messages(sandbox: Sandbox) -> None:
    """Audio chunks, the last one and `terminated` have types; the id may be used again."""
    with connected(sandbox, SPEECH) as ws:
        for _ in range(2):
            send(ws, INIT, {"type": "text", "stream_id": "s1", "text": "Hi.", "text_end": True})
            got = []
            while not got or got[-1]["type"] != "terminated":
                got.append(json.loads(ws.recv(10)))
            assert got[-1] == {"type": "terminated", "terminated": True, "stream_id": "s1"}
            chunks = [m for m in got if m["type"] == "audio_chunk"]
            assert [m["audio_end"] for m in chunks] == [False] * (len(chunks) - 1) + [True]


def test_speech_ends_the_stream_with_its_utterance(sandbox: Sandbox) -> None:
    """Text for a stream that has ended is answered by an error in the documented shape."""
    with connected(sandbox, SPEECH) as ws:
        send(ws, {"type": "text", "stream_id": "s1", "text": "Hi.", "text_end": False})
        assert json.loads(ws.recv(10))["type"] == "ready"
        assert json.loads(ws.recv(10)) == {
            "type": "error",
            "error_code": 400,
            "error_message": "Stream s1 not found. Send a start message first.",
            "stream_id": "s1",
        }


@pytest.mark.parametrize(
    "message",
    [
        {"keep_alive": True},
        {"type": "keepalive"},
        {name: INIT[name] for name in INIT if name != "type"},
        {"type": "clear", "stream_id": "s1"},
        {"type": "text", "stream_id": "s1", "text": "x"},
        {**INIT, "api_key": "some-key"},
    ],
)
def test_speech_refuses_what_is_not_documented(sandbox: Sandbox, message: dict[str, Any]) -> None:
    """Keepalives, untyped messages and keys in messages get an error and a close."""
    with connected(sandbox, SPEECH) as ws:
        send(ws, message)
        got, code = receive_all(ws)
    assert got[-1]["type"] == "error"
    assert code == 1000


@pytest.mark.parametrize(
    ("path", "messages"),
    [
        (V4, [CONFIG]),
        (V4, [{"type": "config", **CONFIG}, b"\0\0" * 1600, ""]),
        (V4, [{"type": "config", **CONFIG}, {"type": "close"}]),
        (V5, [{"type": "config", **CONFIG}]),
        (V3, [V3_INIT, b"\0\0" * 1600]),
        (V3, [V3_INIT, {"type": "audio", "data": "*"}]),
        (V3, [CONFIG]),
    ],
)
def test_transcription_refuses_messages_of_other_routes(
    sandbox: Sandbox, path: str, messages: list[Any]
) -> None:
    """A start, audio or end in the form of another route is a 400."""
    with connected(sandbox, path) as ws:
        send(ws, *messages)
        got, code = receive_all(ws)
    assert got[-1].get("error_code") == 400 or got[-1]["code"] == "invalid_request"
    assert code == 1000


@pytest.mark.parametrize(
    ("path", "audio"), [(V3, {"type": "audio", "data": "AAAA"}), (BRIDGE, b"\0")]
)
def test_audio_before_the_init_violates_the_policy(sandbox: Sandbox, path: str, audio: Any) -> None:
    """Audio before the init closes the connection with 1008."""
    with connected(sandbox, path) as ws:
        send(ws, audio)
        assert receive_all(ws) == ([], 1008)


def test_a_typed_session_ends_with_its_last_transcript(sandbox: Sandbox) -> None:
    """`close` is answered with the rest as a final transcript, then close code 1000."""
    with connected(sandbox, BRIDGE) as ws:
        config = {"sample_rate": 16000, "encoding": "linear16", "language": "en"}
        send(ws, {"type": "init", "config": config})
        assert json.loads(ws.recv(10))["type"] == "ready"
        send(ws, bytes(32000), {"type": "keepalive"}, {"type": "close"})
        got, code = receive_all(ws)
    assert code == 1000
    assert got[-1]["type"] == "final_transcript"
    assert set(got[-1]) == {"type", "transcript", "confidence", "language", "duration"}
    partial = next(m for m in got if m["type"] == "partial_transcript")
    assert set(partial) == {"type", "transcript", "confidence", "tokens"}
