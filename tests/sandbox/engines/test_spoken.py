"""Speech of the sandbox is recognised exactly: each word once, at its time."""

from __future__ import annotations

import random
import threading
from functools import lru_cache
from typing import Callable

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("numpy")

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soniox_sync.sandbox.audio import g711
from soniox_sync.sandbox.engines.base import HeardWord
from soniox_sync.sandbox.engines.speech_index import SpeechIndex
from tests.sandbox.engines.speech import SpeechLoop, SpokenAudio, results, silence, speak

NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty twenty-one twenty-two twenty-three"
)
TEXTS = (
    ("Hello, world.", "Adrian", "en"),
    ('Hello, world. It is a "fine" day, isn\'t it?', "Adrian", "en"),
    ("no no no no", "Adrian", "en"),
    ("No, no! No - no.", "Owen", "en"),
    (NUMBERS, "Nina", "en"),
    ("Bitte sprechen Sie langsam, Herr Müller.", "Grace", "de"),
    ("one two three four. one two three five.", "Nina", "en"),
    ("aaaa eeee aaaa eeee aaaa", "Kenji", "en"),
    ("The year 2024 cost $5.50 of the budget.", "Emma", "en"),
)
TOLERANCE_MS = 20


@lru_cache(maxsize=8)
def spoken_texts(rate: int) -> tuple[SpeechLoop, tuple[SpokenAudio, ...]]:
    """Speak all texts once."""
    loop = SpeechLoop()
    return loop, tuple(loop.speak(*text, rate=rate) for text in TEXTS)


class Script:
    """Builds a stream and the list of words that must be recognised in it."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.pcm = b""
        self.expected: list[tuple[str, float, float, str]] = []
        self.tolerance_ms: list[float] = []

    def append(self, clip: SpokenAudio, start: int, end: int) -> None:
        """Append samples `start` to `end`; words of which at least half remains are expected."""
        offset = len(self.pcm) // 2 - start
        for text, first, behind in clip.words:
            a, b = max(first, start), min(behind, end)
            if b - a > 0 and 2 * (b - a) >= behind - first:
                times = [(sample + offset) * 1000 / self.rate for sample in (a, b)]
                self.expected.append((text, times[0], times[1], clip.voice))
                # a cut in the silence inside a word, before a `d`, looks like a pause
                hidden = _zeros(clip.pcm, start, -1) + _zeros(clip.pcm, end, 1)
                cut = first < start or end < behind
                self.tolerance_ms.append(TOLERANCE_MS + cut * hidden * 1000 / self.rate)
        self.pcm += clip.pcm[2 * start : 2 * end]

    def check(self, heard: list[HeardWord]) -> None:
        """Compare text, order, times and speakers."""
        assert [word.text for word in heard] == [text for text, *_ in self.expected]
        speakers: dict[str, str] = {}
        for word, (_, start, end, voice), tolerance in zip(heard, self.expected, self.tolerance_ms):
            assert abs(word.start_ms - start) <= tolerance
            assert abs(word.end_ms - end) <= tolerance
            assert word.speaker == speakers.setdefault(voice, str(len(speakers) + 1))


def _zeros(pcm: bytes, at: int, step: int) -> int:
    samples = np.frombuffer(pcm, "<i2")
    sounds = np.flatnonzero(samples[at:] if step > 0 else samples[:at][::-1])
    return int(sounds[0]) if len(sounds) else 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), rate=st.sampled_from([8000, 16000, 24000]))
def test_any_montage_is_recognised_exactly(data: st.DataObject, rate: int) -> None:
    """In utterances, parts of them and silences each word is recognised once, at its time."""
    loop, clips = spoken_texts(rate)
    script = Script(rate)
    for number in range(data.draw(st.integers(1, 5), label="parts")):
        one = clips[data.draw(st.integers(0, len(clips) - 1), label=f"utterance {number}")]
        length = len(one.pcm) // 2
        start, end = 0, length
        if data.draw(st.booleans(), label="cut"):
            start = data.draw(st.integers(0, length - rate // 2), label="from")
            end = data.draw(st.integers(start + rate // 2, length), label="to")
        script.append(one, start, end)
        script.pcm += silence(data.draw(st.sampled_from([0, 0, 0.01, 0.3, 1.1])), rate)
    rng = random.Random(data.draw(st.integers(0, 1 << 30), label="sizes"))
    largest = data.draw(st.sampled_from([700, 3840, 2 * rate]), label="largest")
    sizes = iter(lambda: rng.randint(1, largest), 0)
    script.check(loop.recognize(script.pcm, rate, sizes))


@pytest.mark.parametrize("size", [1, 2, 3, 641])
def test_the_size_of_the_chunks_changes_nothing(size: int) -> None:
    """Fed byte by byte, or in odd sizes, the words and their times are the same."""
    loop, clips = spoken_texts(8000)
    pcm = clips[0].pcm + clips[1].pcm
    assert loop.recognize(pcm, 8000, iter(lambda: size, 0)) == loop.recognize(pcm, 8000)


@pytest.mark.parametrize("start", range(0, 24000, 1777))
def test_a_stream_may_start_inside_speech(start: int) -> None:
    """Words after any start are recognised; a partial word only if half of it is left."""
    loop, clips = spoken_texts(16000)
    script = Script(16000)
    script.append(clips[4], start, len(clips[4].pcm) // 2)
    script.check(loop.recognize(script.pcm))


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 48000])
def test_speech_is_recognised_at_every_rate_of_the_service(rate: int) -> None:
    """At other rates an utterance is recognised, as a whole and from its middle."""
    loop, clips = spoken_texts(rate)
    script = Script(rate)
    script.append(clips[1], 0, len(clips[1].pcm) // 2)
    script.append(clips[1], len(clips[1].pcm) // 4, len(clips[1].pcm) // 2)
    script.check(loop.recognize(script.pcm, rate))


def _through_mulaw(pcm: bytes) -> bytes:
    return g711.decode_mulaw(g711.encode_mulaw(pcm))


def _through_alaw(pcm: bytes) -> bytes:
    return g711.decode_alaw(g711.encode_alaw(pcm))


def _through_float(pcm: bytes) -> bytes:
    floats = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    return (floats * 32768).astype("<i2").tobytes()


def _through_32_bits(pcm: bytes) -> bytes:
    return (np.frombuffer(pcm, "<i2").astype(np.int32) << 16 >> 16).astype("<i2").tobytes()


@pytest.mark.parametrize(
    "convert", [_through_mulaw, _through_alaw, _through_float, _through_32_bits]
)
def test_speech_survives_other_formats(convert: Callable[[bytes], bytes]) -> None:
    """Companded to mu-law or A-law at 8 kHz, or widened and back, speech is still exact."""
    loop, clips = spoken_texts(8000)
    script = Script(8000)
    script.append(clips[1], 3000, len(clips[1].pcm) // 2)
    script.append(clips[5], 0, len(clips[5].pcm) // 2)
    script.check(loop.recognize(convert(script.pcm), 8000))


def test_a_hundred_numbers_are_recognised_in_order() -> None:
    """Speech with many repeated words is recognised without a mistake."""
    loop = SpeechLoop()
    clip = loop.speak(" ".join(str(number) for number in range(1, 101)), "Mateo", rate=8000)
    heard = loop.recognize(clip.pcm, 8000)
    assert [word.text for word in heard] == [str(number) for number in range(1, 101)]


def test_sentences_with_the_same_beginning_are_distinguished() -> None:
    """The later words decide; the common ones are reported once."""
    loop = SpeechLoop()
    clips = [
        loop.speak(f"I would like to have {thing} with my dinner tonight.")
        for thing in ("potatoes", "a potato", "potatoes and rice", "rice")
    ]
    for one in clips:
        script = Script(16000)
        script.append(one, 0, len(one.pcm) // 2)
        script.check(loop.recognize(one.pcm))


def test_same_audio_for_two_texts_counts_as_the_newest() -> None:
    """Of two texts that sound the same, the newest is recognised."""
    loop = SpeechLoop()
    loop.speak("Read the book.")
    loop.speak("read the book.")
    pcm = loop.speak("Read the book.").pcm
    assert [word.text for word in loop.recognize(pcm)] == ["Read", "the", "book."]
    assert loop.speak("read the book.").pcm == pcm
    assert [word.text for word in loop.recognize(pcm)] == ["read", "the", "book."]


def test_speech_is_recognised_during_synthesis() -> None:
    """Each chunk can be recognised as soon as it is yielded."""
    loop = SpeechLoop()
    listener = loop.listen()
    shown: list[str] = []
    text = "This is the first sentence. Here comes the second sentence."
    for chunk in loop.synthesizer.speak(text, voice="Nina", language="en", sample_rate=16000):
        result = listener.feed(chunk.pcm)
        if result is not None:
            shown = [word.text for word in (*result.final, *result.partial)] or shown
    assert shown[-1] == "sentence."
    listener.close()


def test_words_are_partial_first_and_final_once() -> None:
    """Partials grow by words; each word becomes final once, in order, about 700 ms later."""
    loop, clips = spoken_texts(16000)
    final: list[str] = []
    longest = 0
    for result in results(loop.listen(), clips[4].pcm + silence(1.0)):
        final += [word.text for word in result.final]
        shown = final + [word.text for word in result.partial]
        assert shown == NUMBERS.split()[: len(shown)]
        longest = max(longest, len(result.partial))
        for word in result.final:
            assert word.end_ms + 700 <= result.total_ms
    assert final == NUMBERS.split()
    assert 2 <= longest <= 6


def test_final_ms_never_splits_a_word_that_is_not_final() -> None:
    """`final_ms` grows, covers all final words, and stops before words that are not final."""
    loop, clips = spoken_texts(16000)
    pcm = clips[1].pcm + silence(1.0) + clips[4].pcm + silence(3.0)
    words = [(a / 16, b / 16) for _, a, b in clips[1].words]
    offset = len(clips[1].pcm) / 32 + 1000
    words += [(a / 16 + offset, b / 16 + offset) for _, a, b in clips[4].words]
    done, before = 0, 0
    for result in results(loop.listen(), pcm):
        done += len(result.final)
        assert before <= result.final_ms <= result.total_ms
        before = result.final_ms
        assert all(end <= result.final_ms + 1 for _, end in words[:done])
        assert all(start >= result.final_ms - 1 for start, _ in words[done:])
    assert done == len(words)
    assert before == len(pcm) // 32


@pytest.mark.parametrize("delay_ms", [500, 2000])
def test_a_pause_ends_an_utterance_once(delay_ms: int) -> None:
    """One endpoint is reported the delay after the last word, with all words final."""
    loop, clips = spoken_texts(16000)
    pcm = clips[0].pcm + silence(2.6) + clips[5].pcm + silence(4.0)
    ends = [result for result in results(loop.listen(delay_ms=delay_ms), pcm)
            if result.endpoint]  # fmt: skip
    assert len(ends) == 2
    second = len(clips[0].pcm) / 32 + 2600
    for result, last in zip(
        ends, (clips[0].words[-1][2] / 16, second + clips[5].words[-1][2] / 16)
    ):
        assert 0 <= result.total_ms - last - delay_ms <= 140
        assert result.partial == ()


def test_finalize_makes_words_final_and_repeats_none() -> None:
    """Finalizing at any time makes the words so far final; the rest follows later."""
    loop, clips = spoken_texts(16000)
    for cut in range(4000, 2 * 30000, 7003):
        listener = loop.listen()
        final = [word for h in (listener.feed(clips[4].pcm[:cut]),) if h for word in h.final]
        result = listener.finalize()
        assert result.partial == ()
        final += result.final
        final += [word for h in (listener.feed(clips[4].pcm[cut:]),) if h for word in h.final]
        final += listener.finalize().final
        listener.close()
        assert [word.text for word in final] == NUMBERS.split()


def test_speakers_are_numbered_as_they_appear_and_languages_kept() -> None:
    """Voices become 1, 2, ... within a stream; a word has the language it was spoken in."""
    loop, clips = spoken_texts(16000)
    heard = loop.recognize(clips[5].pcm + clips[0].pcm + clips[5].pcm)
    labels = [(word.speaker, word.language) for word in heard]
    assert labels == [("1", "de")] * 6 + [("2", "en")] * 2 + [("1", "de")] * 6


def test_indexed_speech_never_reaches_pocketsphinx(monkeypatch: pytest.MonkeyPatch) -> None:
    """No decoder runs over speech that was recognised exactly."""
    from soniox_sync.sandbox.engines import sphinx

    def refuse() -> None:
        raise AssertionError("a decoder was taken")

    monkeypatch.setattr(sphinx.DecoderPool, "take", lambda self: refuse())
    loop, clips = spoken_texts(16000)
    assert len(loop.recognize(clips[4].pcm + silence(1) + clips[1].pcm[8001 * 2 :])) > 25


def test_the_index_drops_the_oldest_speech() -> None:
    """Beyond its bound the index drops old speech, except what was spoken again."""
    loop = SpeechLoop(max_bytes=400_000)
    first, second = (loop.speak(f"Sentence {name} comes now.") for name in ("alpha", "beta"))
    for number in range(12):
        loop.speak(f"This is sentence number {number}.")
        loop.speak("Sentence alpha comes now.")
    alpha, beta = ([word.text for word in loop.recognize(one.pcm)] for one in (first, second))
    assert alpha == ["Sentence", "alpha", "comes", "now."]
    assert "beta" not in " ".join(beta)


def test_an_index_is_used_by_many_threads() -> None:
    """Threads that speak and recognise concurrently each get their own words."""
    loop = SpeechLoop(max_bytes=2_000_000)
    wrong: list[object] = []

    def work(number: int) -> None:
        for lap in range(4):
            text = f"Thread {number} says {lap} to all the others."
            pcm = speak(loop.synthesizer, text, "Nina", "en", 8000)
            heard = " ".join(word.text for word in loop.recognize(pcm, 8000))
            if heard != text:
                wrong.append((text, heard))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_repr_of_an_index_shows_its_size() -> None:
    """The repr contains the numbers of clips and bytes."""
    index = SpeechIndex()
    assert repr(index) == "<SpeechIndex 0 clips 0 bytes>"
