"""Synthesis with espeak-ng: reproducible samples, with a time for each character."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("numpy")

from soniox_sync.sandbox.catalog import TTS_LANGUAGES, VOICES
from soniox_sync.sandbox.engines.base import EngineError
from soniox_sync.sandbox.engines.espeak.engine import SAMPLE_RATES, EspeakSynthesizer
from soniox_sync.sandbox.engines.espeak.library import VoiceSetting, synthesize
from soniox_sync.sandbox.engines.espeak.voices import find_voice
from tests.sandbox.engines.speech import speak

TEXT = 'Hello, world. It isn\'t the 3rd of "100" tests - is it? Yes!'


@pytest.mark.parametrize("rate", SAMPLE_RATES)
def test_every_code_point_gets_a_time_at_every_rate(rate: int) -> None:
    """The characters of all chunks are the text, their times monotone and within the audio."""
    chunks = list(EspeakSynthesizer().speak(TEXT, voice="Nina", language="en", sample_rate=rate))
    assert "".join("".join(chunk.characters) for chunk in chunks) == TEXT
    length = sum(len(chunk.pcm) for chunk in chunks) / 2 / rate
    assert 3 < length < 15
    starts = [start for chunk in chunks for start in chunk.starts]
    ends = [end for chunk in chunks for end in chunk.ends]
    assert len(starts) == len(ends) == len(TEXT)
    assert starts == sorted(starts) and ends == sorted(ends)
    assert all(0 <= start <= end <= length + 0.001 for start, end in zip(starts, ends))
    assert ends[TEXT.index("w") - 2] <= starts[TEXT.index("w")] < ends[TEXT.index("d.")]


def test_characters_are_in_the_chunk_they_start_in() -> None:
    """A character is in the chunk that contains its start, so that timestamps can be streamed."""
    sent = 0.0
    for chunk in EspeakSynthesizer().speak(
        "One two three four five six.", voice="Emma", language="en", sample_rate=16000
    ):
        end = sent + len(chunk.pcm) / 32000
        assert all(sent - 0.001 <= start <= end for start in chunk.starts)
        sent = end


def test_the_first_sentence_does_not_wait_for_the_last() -> None:
    """Speech is streamed by sentence: the first chunk does not wait for the whole text."""
    spoken: list[int] = []

    class Counter:
        def add(self, pcm: object, rate: int, words: object, **who: str) -> None:
            spoken.append(rate)

    speech = EspeakSynthesizer(Counter()).speak(
        "First sentence. Second sentence. Third sentence.",
        voice="Owen",
        language="en",
        sample_rate=8000,
    )
    next(speech)
    assert spoken == [8000]
    assert len(list(speech)) > 2 and len(spoken) == 3


def test_the_same_words_sound_the_same_in_every_process_and_thread() -> None:
    """Samples depend only on the arguments, not on earlier or concurrent speech."""
    first = speak(EspeakSynthesizer(), TEXT, "Kenji")
    speak(EspeakSynthesizer(), "Etwas ganz anderes.", "Grace", "de")
    assert speak(EspeakSynthesizer(), TEXT, "Kenji") == first
    with ThreadPoolExecutor(4) as pool:
        voices = ["Kenji", "Nina", "Kenji", "Owen"]
        spoken = list(pool.map(lambda voice: speak(EspeakSynthesizer(), TEXT, voice), voices))
    assert spoken[0] == spoken[2] == first
    assert len(set(spoken)) == 3


def test_every_voice_sounds_different() -> None:
    """No two voices produce the same samples for the same words."""
    synthesizer = EspeakSynthesizer()
    assert list(synthesizer.voices()) == list(VOICES)
    spoken = {speak(synthesizer, "Good morning.", voice, rate=8000) for voice in VOICES}
    assert len(spoken) == len(VOICES)


@pytest.mark.parametrize("language", TTS_LANGUAGES)
def test_every_language_of_the_service_is_spoken(language: str) -> None:
    """espeak-ng speaks each listed language, some of them by a related one."""
    text = {"zh": "你好", "ja": "こんにちは", "ru": "Привет", "th": "สวัสดี"}.get(language, "Alo")
    spoken = synthesize(text, find_voice("Daniel", language, 1.0))
    assert len(spoken.samples) > spoken.sample_rate // 10
    assert abs(spoken.samples.astype(int)).max() > 1000


def test_speed_changes_the_length() -> None:
    """Speech at speed 1.3 is clearly shorter than at 0.7."""
    lengths = [
        sum(
            len(chunk.pcm)
            for chunk in EspeakSynthesizer().speak(
                TEXT, voice="Emma", language="en", sample_rate=8000, speed=speed
            )
        )
        for speed in (0.7, 1.0, 1.3)
    ]
    assert lengths[0] > 1.2 * lengths[1] > 1.2 * 1.1 * lengths[2]


@pytest.mark.parametrize("wrong", [{"voice": "Nobody"}, {"language": "xx"}, {"sample_rate": 12345}])
def test_unknown_arguments_are_refused_in_the_call(wrong: dict[str, object]) -> None:
    """A wrong voice, language or rate raises ValueError before anything is spoken."""
    good: dict[str, object] = {"voice": "Nina", "language": "en", "sample_rate": 16000}
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        EspeakSynthesizer().speak("Hello.", **{**good, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "   ", "...", "\x01\x00\x1b", "😀", "\ud800", "<b>[[x]]"])
def test_text_without_words_is_accepted(text: str) -> None:
    """In text without a word each character still has a time."""
    chunks = list(EspeakSynthesizer().speak(text, voice="Nina", language="en", sample_rate=8000))
    assert "".join("".join(chunk.characters) for chunk in chunks) == text


def test_an_unknown_voice_of_the_library_is_an_engine_error() -> None:
    """A voice that the library refuses is an EngineError; the next call works."""
    with pytest.raises(EngineError, match="xx-none"):
        synthesize("Hello.", VoiceSetting("xx-none", 160, 50, 50))
    assert len(synthesize("Hello.", find_voice("Nina", "en", 1.0)).samples) > 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="without the GIL a child may inherit a lock of CPython's that another thread held",
)
def test_a_forked_child_speaks_while_the_parent_does() -> None:
    """Forking in the middle of other threads' speech leaves a library that works."""
    code = """
import os, threading, warnings
from soniox_sync.sandbox.engines import load
warnings.simplefilter("ignore", DeprecationWarning)
def speak():
    say = load().synthesizer.speak
    return b"".join(c.pcm for c in say("Hello.", voice="Nina", language="en", sample_rate=8000))
stop = threading.Event()
def chatter():
    number = 0
    while not stop.is_set():
        number += 1
        for _ in load().synthesizer.speak(
            f"Number {number}.", voice="Owen", language="en", sample_rate=8000):
            pass
threads = [threading.Thread(target=chatter) for _ in range(2)]
[thread.start() for thread in threads]
wanted = speak()
children = []
for _ in range(10):
    child = os.fork()
    if not child:
        os._exit(0 if speak() == wanted else 1)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
stop.set()
[thread.join() for thread in threads]
print(codes)
"""
    done = subprocess.run(  # bounded, as children that hang would hang the test
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=True
    )
    assert done.stdout.strip() == str([0] * 10)
