"""The native dialect encodes every message as the service documents it."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest

from soniox_sync.protocol.dialects import NATIVE_STT, NATIVE_TTS, SttDialect
from soniox_sync.protocol.stt import SttReceiver
from soniox_sync.protocol.tts import read_frame


def test_stt_control_messages() -> None:
    """Transcription has typed control messages, and ends with an empty text frame."""
    assert NATIVE_STT.keep_alive == '{"type":"keepalive"}'
    assert NATIVE_STT.finalize(None) == '{"type":"finalize"}'
    assert json.loads(NATIVE_STT.finalize(300)) == {"type": "finalize", "trailing_silence_ms": 300}
    assert json.loads(NATIVE_STT.finalize(0)) == {"type": "finalize", "trailing_silence_ms": 0}
    assert NATIVE_STT.end == ""
    assert NATIVE_STT.audio is None
    assert NATIVE_STT.waits_for_ready is False


def test_tts_messages() -> None:
    """Speech messages contain the stream id; a cancel contains nothing else."""
    assert NATIVE_TTS.keep_alive is not None
    assert json.loads(NATIVE_TTS.keep_alive) == {"keep_alive": True}
    assert json.loads(NATIVE_TTS.text("s1", "hé", False)) == {
        "text": "hé",
        "text_end": False,
        "stream_id": "s1",
    }
    assert json.loads(NATIVE_TTS.text("s1", "", True)) == {
        "text": "",
        "text_end": True,
        "stream_id": "s1",
    }
    assert json.loads(NATIVE_TTS.cancel("s1")) == {"stream_id": "s1", "cancel": True}


@pytest.mark.parametrize("spell", [NATIVE_STT.start, NATIVE_TTS.config])
def test_configs_are_sent_unchanged(spell: Any) -> None:
    """A configuration is compact JSON, its text not escaped."""
    config = {"model": "m", "context": {"terms": ["Žižek", "東京"]}, "n": 1, "f": 0.5, "b": False}
    spelled = spell(config)
    assert json.loads(spelled) == config
    assert "東京" in spelled
    assert ": " not in spelled


def test_stt_dialect_may_translate_and_ignore_frames() -> None:
    """A gateway's dialect returns native frames, ignores others, and reports when it is ready."""

    def read(frame: dict[str, Any]) -> Optional[dict[str, Any]]:
        kind = frame.get("type")
        if kind == "ready":
            return {"ready": True}
        if kind == "partial":
            return {"tokens": [{"text": frame["transcript"], "is_final": False}]}
        return None

    dialect = SttDialect(
        name="test",
        start=NATIVE_STT.start,
        finalize=NATIVE_STT.finalize,
        keep_alive="k",
        end="e",
        read=read,
        waits_for_ready=True,
    )
    receiver = SttReceiver(dialect)
    assert receiver.ready is False
    assert receiver.receive(b'{"type":"metadata"}') == []
    assert receiver.receive(b'{"type":"ready"}') == []
    assert receiver.ready is True
    (event,) = receiver.receive(b'{"type":"partial","transcript":"hi"}')
    assert event.text == "hi"


def test_native_frames_pass_unchanged() -> None:
    """The native dialect ignores nothing and renames nothing."""
    frame = {"a": 1}
    assert NATIVE_STT.read(frame) is frame
    assert NATIVE_TTS.read(frame) is frame
    assert read_frame(b'{"terminated":true,"stream_id":"s"}') is not None
