"""Without pocketsphinx speech that nobody knows is a word that says how long it was."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines.base import HeardWord
from soniox_sync.sandbox.engines.espeak.engine import EspeakSynthesizer
from soniox_sync.sandbox.engines.listener import SpeechRecognizer
from soniox_sync.sandbox.engines.unknown import SpeechMeter
from tests.sandbox.engines.speech import SpeechLoop, results, silence, speak


def stranger(rate: int = 16000, text: str = "Good morning. Come in, please.") -> bytes:
    """Return speech that is in no index."""
    return speak(EspeakSynthesizer(), text, "Emma", "en", rate)


def loop_with_meter() -> SpeechLoop:
    """Return a loop that measures what it does not know."""
    loop = SpeechLoop()
    loop.recognizer = SpeechRecognizer(loop.index, SpeechMeter)
    loop.speak("This is known, but not what is said.", "Nina")
    return loop


def recognize(pcm: bytes, rate: int = 16000, **options: Any) -> list[HeardWord]:
    return loop_with_meter().recognize(pcm, rate, **options)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_speech_is_a_word_with_its_length(rate: int) -> None:
    """Each stretch of speech gives one word, from its first sound to its last."""
    samples = np.frombuffer(stranger(rate), "<i2").astype(int)
    sounds = np.flatnonzero(np.abs(samples) > 300)
    first, last = sounds[0] * 1000 / rate, sounds[-1] * 1000 / rate
    pcm = silence(1.0, rate) + stranger(rate) + silence(1.0, rate) + stranger(rate)
    heard = recognize(pcm, rate)
    assert len(heard) == 2
    second = 2000 + len(samples) * 1000 / rate
    for word, offset in zip(heard, (1000, second)):
        assert word.text == f"[speech {(word.end_ms - word.start_ms) / 1000:.1f} s]"
        assert abs(word.start_ms - offset - first) <= 60
        assert abs(word.end_ms - offset - last) <= 60


def test_the_word_grows_and_is_final_after_a_pause() -> None:
    """While somebody speaks, the word is partial and says how long it was so far."""
    shown: list[str] = []
    final: list[str] = []
    for result in results(loop_with_meter().listen(delay_ms=1000), stranger() + silence(2.0)):
        final += [word.text for word in result.final]
        shown += [word.text for word in result.partial]
        assert len(result.partial) <= 1
        if result.endpoint:
            assert len(final) == 1
    lengths = [float(text.split()[1]) for text in shown]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 5
    assert len(final) == 1


def test_a_pause_ends_the_utterance() -> None:
    """One endpoint is reported after the speech."""
    found = results(loop_with_meter().listen(delay_ms=1000), stranger() + silence(4.0))
    assert len([result for result in found if result.endpoint]) == 1


def test_long_speech_is_cut() -> None:
    """Without a pause a word becomes final every 20 s."""
    voice = 6000 * (np.arange(45 * 16000) * 130 / 16000 % 1 - 0.5)
    heard = recognize(voice.astype("<i2").tobytes())
    assert [word.text for word in heard] == ["[speech 20.0 s]", "[speech 20.0 s]", "[speech 5.0 s]"]
    assert [word.start_ms for word in heard[1:]] == [word.end_ms for word in heard[:-1]]


def test_the_size_of_the_chunks_changes_nothing() -> None:
    """Fed in odd sizes, the words are the same."""
    assert recognize(stranger(), sizes=iter(lambda: 77, 0)) == recognize(stranger())


@pytest.mark.parametrize("kind", ["silence", "hiss", "noise", "rumble", "click"])
def test_what_is_no_speech_has_no_word(kind: str) -> None:
    """Noises give nothing."""
    random = np.random.default_rng(3)
    click = np.zeros(32000)
    click[16000:16800] = 8000 * np.sin(np.arange(800) * 0.08)
    sounds = {
        "silence": np.zeros(32000),
        "hiss": random.normal(0, 40, 32000),
        "noise": random.normal(0, 4000, 32000),
        "rumble": np.cumsum(random.normal(0, 100, 32000)),
        "click": click,
    }
    assert recognize(np.clip(sounds[kind], -32768, 32767).astype("<i2").tobytes()) == []


def test_known_speech_keeps_its_words() -> None:
    """Between speech of the sandbox the stranger is a word of another speaker."""
    loop = loop_with_meter()
    known = loop.speak("Exact words, they are!", "Nina").pcm
    heard = loop.recognize(known + silence(0.6) + stranger() + silence(0.6) + known)
    words = [word.text for word in heard]
    assert words[:4] == words[-4:] == ["Exact", "words,", "they", "are!"]
    assert len(words) == 9 and words[4].startswith("[speech 2.")
    assert [word.speaker for word in heard] == ["1"] * 4 + ["2"] + ["1"] * 4
