"""Finite sources are held back by the replay window; nothing in hand is lost."""

from __future__ import annotations

import pytest

from soniox_sync import SonioxClient
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import NumberedRecognizer, numbered_audio
from tests.realtime.servers import RAW

# numbered audio has five words a second
WORDS = 100


@pytest.mark.parametrize("lag_sec", [8, 15, 100])
def test_a_loss_while_finals_lag_costs_no_word(
    sandbox: Sandbox, client: SonioxClient, lag_sec: int
) -> None:
    """20 s of audio at once, finals that lag more than the window, a connection that drops."""
    sandbox.hear_with(NumberedRecognizer(final_lag_ms=lag_sec * 1000))
    sandbox.faults.drop(kind="stt", after_audio_ms=17_000)
    transcription = client.realtime.transcribe(
        # whole words: a service that is asked to finalize in the middle of one cuts it in two
        [numbered_audio(n, 1) for n in range(WORDS)],
        pace=False,
        catch_up_speed=None,
        reconnect_base_delay_sec=0.01,
        replay_window_sec=10.0,
        session_options={"finish_timeout_sec": 1.0},
        **RAW,
    )
    lost = []
    transcription.recording.on("reconnected", lambda event: lost.append(event.lost_ms))
    words = "".join(event.final_text for event in transcription).split()
    assert words == [f"w{n}" for n in range(WORDS)]
    assert lost == [0]
