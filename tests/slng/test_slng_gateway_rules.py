"""The sandbox's gateway is strict: what PROTOCOL 8 does not name is refused. Plain WebSockets."""

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
    """Serve all tests here with one sandbox."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as box:
        yield box


@contextmanager
def line(sandbox: Sandbox, path: str, key: str = "some-key", **headers: str) -> Iterator[Any]:
    """Open a plain WebSocket."""
    sent = {"Authorization": f"Bearer {key}", **headers}
    with connect(sandbox.urls.slng + path, additional_headers=sent, compression=None) as ws:
        yield ws


def ask(ws: ClientConnection, *messages: Any) -> None:
    """Send JSON, texts and bytes."""
    for message in messages:
        ws.send(json.dumps(message) if isinstance(message, dict) else message)


def answers(ws: ClientConnection) -> tuple[list[Any], int]:
    """Receive until the gateway closes; give messages and close code."""
    found = []
    try:
        while True:
            found.append(json.loads(ws.recv(10)))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return found, closed.rcvd.code


@pytest.mark.parametrize("path", [SPEECH, V3, V4, V5, BRIDGE])
def test_a_bad_key_is_refused_at_the_upgrade(sandbox: Sandbox, path: str) -> None:
    """A key that is not good gets HTTP 401 and a text, on every route."""
    with pytest.raises(InvalidStatus) as caught:
        with line(sandbox, path, "invalid-key"):
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
def test_the_key_travels_as_a_bearer_only(
    sandbox: Sandbox, path: str, headers: dict[str, str]
) -> None:
    """No key, and a key anywhere else than in `Authorization: Bearer`, gets HTTP 401."""
    with pytest.raises(InvalidStatus) as caught:
        connect(sandbox.urls.slng + path, additional_headers=headers, compression=None)
    assert caught.value.response.status_code == 401
    assert b"some-key" not in (caught.value.response.body or b"")


def test_speech_speaks_the_documented_messages(sandbox: Sandbox) -> None:
    """Audio chunks, the end of audio, `terminated`: all typed, the id may be used again."""
    with line(sandbox, SPEECH) as ws:
        for _ in range(2):
            ask(ws, INIT, {"type": "text", "stream_id": "s1", "text": "Hi.", "text_end": True})
            got = []
            while not got or got[-1]["type"] != "terminated":
                got.append(json.loads(ws.recv(10)))
            assert got[-1] == {"type": "terminated", "terminated": True, "stream_id": "s1"}
            chunks = [m for m in got if m["type"] == "audio_chunk"]
            assert [m["audio_end"] for m in chunks] == [False] * (len(chunks) - 1) + [True]


def test_speech_ends_the_stream_with_its_utterance(sandbox: Sandbox) -> None:
    """Text for a stream that has ended is answered by an error in the documented shape."""
    with line(sandbox, SPEECH) as ws:
        ask(ws, {"type": "text", "stream_id": "s1", "text": "Hi.", "text_end": False})
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
    """Keepalives, untyped messages, a key in a message: an error, and the line ends."""
    with line(sandbox, SPEECH) as ws:
        ask(ws, message)
        got, code = answers(ws)
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
def test_transcription_refuses_the_other_routes_messages(
    sandbox: Sandbox, path: str, messages: list[Any]
) -> None:
    """A start, audio or end as another route has it is a 400 here."""
    with line(sandbox, path) as ws:
        ask(ws, *messages)
        got, code = answers(ws)
    assert got[-1].get("error_code") == 400 or got[-1]["code"] == "invalid_request"
    assert code == 1000


@pytest.mark.parametrize(
    ("path", "audio"), [(V3, {"type": "audio", "data": "AAAA"}), (BRIDGE, b"\0")]
)
def test_audio_before_ready_breaks_the_policy(sandbox: Sandbox, path: str, audio: Any) -> None:
    """Audio before the init is closed with 1008."""
    with line(sandbox, path) as ws:
        ask(ws, audio)
        assert answers(ws) == ([], 1008)


def test_a_typed_session_ends_with_its_last_piece(sandbox: Sandbox) -> None:
    """After `close` comes what was left as a final transcript, then close code 1000."""
    with line(sandbox, BRIDGE) as ws:
        config = {"sample_rate": 16000, "encoding": "linear16", "language": "en"}
        ask(ws, {"type": "init", "config": config})
        assert json.loads(ws.recv(10))["type"] == "ready"
        ask(ws, bytes(32000), {"type": "keepalive"}, {"type": "close"})
        got, code = answers(ws)
    assert code == 1000
    assert got[-1]["type"] == "final_transcript"
    assert set(got[-1]) == {"type", "transcript", "confidence", "language", "duration"}
    partial = next(m for m in got if m["type"] == "partial_transcript")
    assert set(partial) == {"type", "transcript", "confidence", "tokens"}
