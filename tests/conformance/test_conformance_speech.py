"""Real voices and real ears, where the extra `sandbox` is installed."""

from __future__ import annotations

import importlib.util
from typing import Callable

import pytest
from conformance_kit import RAW, VOICE, Kit

from soniox_sync.sandbox import Sandbox

_ENGINES = ("espeakng_loader", "pocketsphinx", "numpy")
_MISSING = [name for name in _ENGINES if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(_MISSING), reason=f"no speech engines: {', '.join(_MISSING)} not installed"
)

SENTENCE = "Please call Anna at noon. She has the keys."


@pytest.fixture
def speaking(make_kit: Callable[..., Kit], make_sandbox: Callable[..., Sandbox]) -> Kit:
    """Give a client of a sandbox that really speaks and hears."""
    return make_kit(make_sandbox(engines="speech"))


def spoken(kit: Kit, **config: object) -> bytes:
    """Speak the sentence."""
    with kit.speak(**{**VOICE, **config}) as stream:
        stream.send(SENTENCE, end=True)
        heard = stream.hear()
    assert heard.failure is None and heard.ended == 1
    return heard.audio


@pytest.mark.parametrize("piece", [640, 3840, 100_000])
def test_what_was_spoken_is_heard_word_for_word(speaking: Kit, piece: int) -> None:
    """Speech of the sandbox comes back as its text, however the audio is cut."""
    audio = spoken(speaking)
    with speaking.listen(**RAW, enable_endpoint_detection=True) as session:
        for at in range(0, len(audio), piece):
            session.send(audio[at : at + piece])
        session.finish()
        heard = session.hear()
    assert heard.text.strip() == SENTENCE
    assert heard.marks[-1] == "finished"
    assert heard.total_ms[-1] == len(audio) // 32


def test_a_wav_is_heard_as_well(speaking: Kit) -> None:
    """A streamed WAV at another rate goes back in as it came out."""
    audio = spoken(speaking, audio_format="wav", sample_rate=24000)
    with speaking.listen(audio_format="auto", language_hints=["en"]) as session:
        for at in range(0, len(audio), 5000):
            session.send(audio[at : at + 5000])
        session.finish()
        heard = session.hear()
    assert heard.text.strip() == SENTENCE


def test_character_times_follow_the_speech(speaking: Kit) -> None:
    """Timestamps of a real voice spell the text within the length of the audio."""
    with speaking.speak(**VOICE, return_timestamps=True) as stream:
        stream.send(SENTENCE, end=True)
        heard = stream.hear()
    assert "".join(heard.characters) == SENTENCE
    assert heard.starts == sorted(heard.starts)
    assert heard.ends[-1] <= len(heard.audio) / 32000 + 0.01
