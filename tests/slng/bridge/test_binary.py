"""The bridge's audio in binary messages, for clients that read nothing else. PROTOCOL 8.3."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
from websockets.exceptions import ConnectionClosed

from soniox_sync.sandbox import Sandbox
from tests.slng.bridge.client import BRIDGE, INIT, ROUTES, BridgeClient, spoken_natively, text

# as the gateway's client for pipecat sends it: a config, and no model
NAMELESS = (
    '{"type":"init","config":{"encoding":"linear16","sample_rate":16000,"language":"en"},'
    '"voice":"Nina"}'
)
CLOSE = '{"type":"close"}'


def heard(sandbox: Sandbox, init: str, path: str = BRIDGE) -> tuple[bytes, list[Any]]:
    """Speak one sentence; return the audio of binary messages, and the other messages."""
    audio, messages = b"", []
    with BridgeClient(sandbox, path) as client:
        client.send(init, text("Hello there.", flush=True), CLOSE)
        try:
            while True:
                got = client.ws.recv(timeout=20)
                if isinstance(got, bytes):
                    audio += got
                else:
                    messages.append(json.loads(got))
        except ConnectionClosed:
            return audio, messages


def test_a_client_that_reads_binary_messages_hears_everything(sandbox: Sandbox) -> None:
    """After an init without a model the audio is binary, whole, and between the usual marks."""
    audio, messages = heard(sandbox, NAMELESS)
    assert audio == spoken_natively(sandbox, "Hello there.")
    assert [m["type"] for m in messages] == [
        "ready",
        "segment_start",
        "segment_end",
        "flushed",
        "audio_end",
    ]
    assert messages[-1]["duration"] == round(len(audio) / 32000, 3)


@pytest.mark.parametrize(
    ("init", "path", "limit", "binary"),
    [
        (INIT, BRIDGE, None, False),
        (NAMELESS, BRIDGE, None, True),
        (NAMELESS, ROUTES[2], None, False),  # not the bridge's own path
        ('{"type":"init"}', BRIDGE, None, False),
        (INIT, BRIDGE, True, True),
        (NAMELESS, BRIDGE, False, False),
    ],
)
def test_each_client_gets_one_shape(
    init: str, path: str, limit: Optional[bool], binary: bool
) -> None:
    """Audio comes as base64 or in binary messages, never both; a limit decides for all clients."""
    limits = {"tts_pace": None, "bridge_binary_audio": limit}
    with Sandbox(engines="tones", limits=limits) as box:
        audio, messages = heard(box, init, path)
    chunks = [m for m in messages if m["type"] == "audio_chunk"]
    assert (bool(audio), bool(chunks)) == (binary, not binary)


def test_binary_audio_is_in_the_log_by_its_size(sandbox: Sandbox) -> None:
    """An entry of binary audio has no message; its size is that of the audio."""
    audio, _ = heard(sandbox, NAMELESS)
    entries = [e for e in sandbox.log.entries(direction="out") if e.message is None]
    assert sum(entry.size for entry in entries) == len(audio)


def test_a_fault_in_the_middle_of_binary_audio(paced: Sandbox) -> None:
    """Faults count binary audio like any other: the segment that fails is not flushed."""
    fault = paced.faults.error_frame(kind="tts", path=BRIDGE, after_audio_ms=300)
    audio, messages = heard(paced, NAMELESS)
    assert fault.fired.is_set() and audio
    assert not {"flushed", "audio_end"} & {m["type"] for m in messages}
