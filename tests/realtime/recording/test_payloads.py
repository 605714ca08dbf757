"""Arguments of handlers: frozen objects whose repr shows what happened."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from soniox_sync import (
    Reconnected,
    Reconnecting,
    RecordingState,
    SessionRestart,
    StateChange,
    SttSessionState,
)
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import NumberedRecognizer, numbered_audio

CASES = [
    (
        StateChange(RecordingState.CONNECTING, RecordingState.RECORDING, "connected"),
        "<StateChange connecting -> recording: connected>",
    ),
    (
        StateChange(SttSessionState.FINISHING, SttSessionState.FINISHED),
        "<StateChange finishing -> finished>",
    ),
    (Reconnecting(1, 3, 0.25), "<Reconnecting 1/3 in 0.25 s>"),
    (Reconnecting(7, None, 30.0), "<Reconnecting 7 in 30 s>"),
    (Reconnected(2, 1480, 0), "<Reconnected attempt 2, 1480 ms replayed, 0 ms lost>"),
    (SessionRestart(False, 1), "<SessionRestart session 1>"),
    (SessionRestart(True, 2), "<SessionRestart session 2, transcript reset>"),
]


@pytest.mark.parametrize(("payload", "shown"), CASES)
def test_a_payload_is_frozen_and_shows_its_fields(payload: Any, shown: str) -> None:
    """No handler can change what the next one gets."""
    assert repr(payload) == shown
    for name in vars(payload):
        with pytest.raises(FrozenInstanceError):
            setattr(payload, name, None)


def test_only_prevent_default_changes_a_payload() -> None:
    """A handler's answer is stored in the otherwise frozen object."""
    event = Reconnecting(1, 3, 0.0)
    event.prevent_default()
    assert event.default_prevented
    assert event == Reconnecting(1, 3, 0.0)


def test_a_loss_is_reported_by_objects() -> None:
    """Handlers of each event with details get one object of its class."""
    seen: list[Any] = []
    with Sandbox(engines="tones") as sandbox:
        sandbox.hear_with(NumberedRecognizer())
        sandbox.faults.drop(kind="stt", after_audio_ms=1000)
        transcription = sandbox.client().realtime.transcribe(
            numbered_audio(0, 30),
            pace=False,
            audio_format="pcm_s16le",
            sample_rate=16000,
            num_channels=1,
            catch_up_speed=None,
            reconnect_base_delay_sec=0.05,
        )
        recording = transcription.recording
        recording.on("state_change", seen.append)
        recording.on("reconnecting", seen.append)
        recording.on("reconnected", seen.append)
        recording.on("session_restart", seen.append)
        for _ in transcription:
            pass
        transcription.close()
    assert {type(each) for each in seen} == {StateChange, Reconnecting, Reconnected, SessionRestart}
    restarts = [each for each in seen if isinstance(each, SessionRestart)]
    assert restarts[-1] == SessionRestart(reset_transcript=False, session=1)
    sessions = {token.session for token in transcription.transcript.tokens}
    assert max(sessions) == restarts[-1].session
