"""Real synthesis and recognition, if the extra `sandbox` is installed."""

from __future__ import annotations

import importlib.util
from typing import Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import RAW, VOICE, Kit

_ENGINES = ("espeakng_loader", "pocketsphinx", "numpy")
_MISSING = [name for name in _ENGINES if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(_MISSING), reason=f"no speech engines: {', '.join(_MISSING)} not installed"
)

SENTENCE = "Please call Anna at noon. She has the keys."


@pytest.fixture
def speaking(make_kit: Callable[..., Kit], make_sandbox: Callable[..., Sandbox]) -> Kit:
    """Provide a client of a sandbox with speech engines."""
    return make_kit(make_sandbox(engines="speech"))


def spoken(kit: Kit, **config: object) -> bytes:
    """Speak the sentence."""
    with kit.speak(**{**VOICE, **config}) as stream:
        stream.send(SENTENCE, end=True)
        received = stream.receive()
    assert received.failure is None and received.ended == 1
    return received.audio


@pytest.mark.parametrize("size", [640, 3840, 100_000])
def test_speech_is_recognised_word_for_word(speaking: Kit, size: int) -> None:
    """Speech of the sandbox is transcribed as its text, whatever the size of the chunks."""
    audio = spoken(speaking)
    with speaking.listen(**RAW, enable_endpoint_detection=True) as session:
        for at in range(0, len(audio), size):
            session.send(audio[at : at + size])
        session.finish()
        received = session.receive()
    assert received.text.strip() == SENTENCE
    assert received.marks[-1] == "finished"
    assert received.total_ms[-1] == len(audio) // 32


def test_a_wav_is_recognised(speaking: Kit) -> None:
    """A streamed WAV at another rate can be transcribed unchanged."""
    audio = spoken(speaking, audio_format="wav", sample_rate=24000)
    with speaking.listen(audio_format="auto", language_hints=["en"]) as session:
        for at in range(0, len(audio), 5000):
            session.send(audio[at : at + 5000])
        session.finish()
        received = session.receive()
    assert received.text.strip() == SENTENCE


def test_character_times_follow_the_speech(speaking: Kit) -> None:
    """Timestamps of a real voice spell the text within the length of the audio."""
    with speaking.speak(**VOICE, return_timestamps=True) as stream:
        stream.send(SENTENCE, end=True)
        received = stream.receive()
    assert "".join(received.characters) == SENTENCE
    assert received.starts == sorted(received.starts)
    assert received.ends[-1] <= len(received.audio) / 32000 + 0.01
