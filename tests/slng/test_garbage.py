"""Any frame of a gateway leads to a result, an error of ours, or nothing else."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.dialects import SttDialect
from soniox_sync.protocol.slng.dialects import (
    SLNG_STT_BRIDGE,
    SLNG_STT_PASSED,
    SLNG_STT_RT_V3,
    SLNG_STT_RT_V4,
    SLNG_TTS,
)
from soniox_sync.protocol.stt import SttReceiver
from soniox_sync.protocol.tts import read_frame

TYPES = [
    *("error", "ready", "partial_transcript", "FINAL_transcript", "utterance_end", "audio_chunk"),
    *("audio_end", "terminated", "unknown", "", None, 7, [], {}),
]
NAMES = [
    *("type", "data", "error", "code", "message", "error_code", "error_message", "error_type"),
    *("tokens", "transcript", "confidence", "language", "speaker", "text", "is_final", "start_ms"),
    *("end_ms", "finished", "ready", "final_audio_proc_ms", "stream_id", "audio", "audio_end"),
    *("terminated", "timestamps"),
]
VALUES = [
    *(None, True, False, 0, -5, 401, 0.5, 1e308, 2**70, "", " ", "word", "401", "auth_error"),
    *("\ud800", "<end>", "AAAA", "²"),
]
FRAMES = 3000


def value(rng: random.Random, depth: int) -> Any:
    """Return any value."""
    kind = rng.randrange(3) if depth < 3 else 0
    if kind == 1:
        return frame(rng, depth + 1)
    if kind == 2:
        return [value(rng, depth + 1) for _ in range(rng.randrange(3))]
    return rng.choice(VALUES + TYPES)


def frame(rng: random.Random, depth: int = 0) -> dict[str, Any]:
    """Return a frame with known names and any values."""
    fields = {name: value(rng, depth) for name in rng.sample(NAMES, rng.randrange(1, 8))}
    return {**fields, "type": rng.choice(TYPES)} if rng.random() < 0.7 else fields


def frames() -> list[bytes]:
    """Return the same frames in every run."""
    rng = random.Random(17)
    return [json.dumps(frame(rng)).encode() for _ in range(FRAMES)]


@pytest.mark.parametrize(
    "dialect",
    [SLNG_STT_RT_V3, SLNG_STT_RT_V4, SLNG_STT_BRIDGE, SLNG_STT_PASSED],
    ids=lambda dialect: str(dialect.name),
)
def test_a_transcription_accepts_any_frame(dialect: SttDialect) -> None:
    """Each frame becomes events, an error, or SonioxConnectionError with code protocol_error."""
    outcomes = {"events": 0, "error": 0, "malformed": 0, "nothing": 0}
    for payload in frames():
        receiver = SttReceiver(dialect)
        try:
            events = receiver.receive(payload)
        except SonioxConnectionError as error:
            assert error.code == "protocol_error"
            outcomes["malformed"] += 1
            continue
        assert all(isinstance(token.text, str) for e in events for token in e.result.tokens)
        assert receiver.error is None or str(receiver.error)
        outcomes["error" if receiver.error else "events" if events else "nothing"] += 1
    assert all(outcomes.values()), outcomes


def test_speech_accepts_any_frame() -> None:
    """Each frame is read, ignored, or a SonioxConnectionError with code protocol_error."""
    malformed = 0
    for payload in frames():
        try:
            got = read_frame(payload, SLNG_TTS)
            if got is not None and got.chunk is not None:
                assert isinstance(got.chunk.audio, bytes)
        except SonioxConnectionError as error:
            assert error.code == "protocol_error"
            malformed += 1
    assert 0 < malformed < FRAMES
