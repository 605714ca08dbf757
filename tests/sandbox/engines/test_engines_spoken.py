"""What was spoken here is recognised exactly: each word once, at its time."""

from __future__ import annotations

import random
import threading
from functools import lru_cache
from typing import Callable

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("numpy")

import numpy as np
from engine_talk import Booth, Said, hearings, silence, speak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soniox_sync.sandbox import g711
from soniox_sync.sandbox.engines.base import HeardWord
from soniox_sync.sandbox.engines.spoken_index import SpokenIndex

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
def stage(rate: int) -> tuple[Booth, tuple[Said, ...]]:
    """Speak all texts once."""
    booth = Booth()
    return booth, tuple(booth.say(*text, rate=rate) for text in TEXTS)


class Script:
    """Puts a stream together and knows what must be heard in it."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.pcm = b""
        self.expected: list[tuple[str, float, float, str]] = []
        self.tolerance_ms: list[float] = []

    def play(self, said: Said, start: int, end: int) -> None:
        """Append samples `start` to `end`; words of which at least half remains are expected."""
        offset = len(self.pcm) // 2 - start
        for text, first, behind in said.words:
            a, b = max(first, start), min(behind, end)
            if b - a > 0 and 2 * (b - a) >= behind - first:
                times = [(sample + offset) * 1000 / self.rate for sample in (a, b)]
                self.expected.append((text, times[0], times[1], said.voice))
                # a cut in the silence inside a word, before a `d`, cannot be told from a pause
                hidden = _zeros(said.pcm, start, -1) + _zeros(said.pcm, end, 1)
                cut = first < start or end < behind
                self.tolerance_ms.append(TOLERANCE_MS + cut * hidden * 1000 / self.rate)
        self.pcm += said.pcm[2 * start : 2 * end]

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
    """Utterances, cuts of them and silences, fed in any sizes, give each word once in time."""
    booth, said = stage(rate)
    script = Script(rate)
    for number in range(data.draw(st.integers(1, 5), label="parts")):
        one = said[data.draw(st.integers(0, len(said) - 1), label=f"utterance {number}")]
        length = len(one.pcm) // 2
        start, end = 0, length
        if data.draw(st.booleans(), label="cut"):
            start = data.draw(st.integers(0, length - rate // 2), label="from")
            end = data.draw(st.integers(start + rate // 2, length), label="to")
        script.play(one, start, end)
        script.pcm += silence(data.draw(st.sampled_from([0, 0, 0.01, 0.3, 1.1])), rate)
    chance = random.Random(data.draw(st.integers(0, 1 << 30), label="sizes"))
    largest = data.draw(st.sampled_from([700, 3840, 2 * rate]), label="largest")
    sizes = iter(lambda: chance.randint(1, largest), 0)
    script.check(booth.hear(script.pcm, rate, sizes))


@pytest.mark.parametrize("size", [1, 2, 3, 641])
def test_the_size_of_the_pieces_changes_nothing(size: int) -> None:
    """Fed byte by byte, or in odd sizes, the words and their times are the same."""
    booth, said = stage(8000)
    pcm = said[0].pcm + said[1].pcm
    assert booth.hear(pcm, 8000, iter(lambda: size, 0)) == booth.hear(pcm, 8000)


@pytest.mark.parametrize("start", range(0, 24000, 1777))
def test_a_stream_may_begin_anywhere(start: int) -> None:
    """Words behind any start are recognised; one cut by it only when half of it is left."""
    booth, said = stage(16000)
    script = Script(16000)
    script.play(said[4], start, len(said[4].pcm) // 2)
    script.check(booth.hear(script.pcm))


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 48000])
def test_speech_is_known_at_every_rate_of_the_service(rate: int) -> None:
    """At the other rates an utterance, whole and from its middle, is recognised too."""
    booth, said = stage(rate)
    script = Script(rate)
    script.play(said[1], 0, len(said[1].pcm) // 2)
    script.play(said[1], len(said[1].pcm) // 4, len(said[1].pcm) // 2)
    script.check(booth.hear(script.pcm, rate))


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
    booth, said = stage(8000)
    script = Script(8000)
    script.play(said[1], 3000, len(said[1].pcm) // 2)
    script.play(said[5], 0, len(said[5].pcm) // 2)
    script.check(booth.hear(convert(script.pcm), 8000))


def test_a_hundred_numbers_come_out_in_order() -> None:
    """Speech full of repeated words is followed without a slip."""
    booth = Booth()
    said = booth.say(" ".join(str(number) for number in range(1, 101)), "Mateo", rate=8000)
    heard = booth.hear(said.pcm, 8000)
    assert [word.text for word in heard] == [str(number) for number in range(1, 101)]


def test_sentences_with_the_same_beginning_are_told_apart() -> None:
    """What follows decides; the words both share are not said twice."""
    booth = Booth()
    said = [
        booth.say(f"I would like to have {thing} with my dinner tonight.")
        for thing in ("potatoes", "a potato", "potatoes and rice", "rice")
    ]
    for one in said:
        script = Script(16000)
        script.play(one, 0, len(one.pcm) // 2)
        script.check(booth.hear(one.pcm))


def test_same_audio_for_other_text_counts_as_the_text_spoken_last() -> None:
    """Where two texts sound the same nobody can tell: the newest wins."""
    booth = Booth()
    booth.say("Read the book.")
    booth.say("read the book.")
    pcm = booth.say("Read the book.").pcm
    assert [word.text for word in booth.hear(pcm)] == ["Read", "the", "book."]
    assert booth.say("read the book.").pcm == pcm
    assert [word.text for word in booth.hear(pcm)] == ["read", "the", "book."]


def test_speech_is_heard_while_it_is_still_being_spoken() -> None:
    """Each chunk is known as soon as it is handed out."""
    booth = Booth()
    listener = booth.listen()
    shown: list[str] = []
    text = "This is the first sentence. Here comes the second sentence."
    for chunk in booth.synthesizer.speak(text, voice="Nina", language="en", sample_rate=16000):
        hearing = listener.feed(chunk.pcm)
        if hearing is not None:
            shown = [word.text for word in (*hearing.final, *hearing.partial)] or shown
    assert shown[-1] == "sentence."
    listener.close()


def test_words_are_partial_first_and_final_once() -> None:
    """Captions grow by words; each word turns final once, in order, some 700 ms later."""
    booth, said = stage(16000)
    final: list[str] = []
    longest = 0
    for hearing in hearings(booth.listen(), said[4].pcm + silence(1.0)):
        final += [word.text for word in hearing.final]
        shown = final + [word.text for word in hearing.partial]
        assert shown == NUMBERS.split()[: len(shown)]
        longest = max(longest, len(hearing.partial))
        for word in hearing.final:
            assert word.end_ms + 700 <= hearing.total_ms
    assert final == NUMBERS.split()
    assert 2 <= longest <= 6


def test_the_settled_part_never_splits_a_word_that_is_not_final() -> None:
    """`final_ms` grows, covers all final words, and stops before every word still open."""
    booth, said = stage(16000)
    pcm = said[1].pcm + silence(1.0) + said[4].pcm + silence(3.0)
    words = [(a / 16, b / 16) for _, a, b in said[1].words]
    offset = len(said[1].pcm) / 32 + 1000
    words += [(a / 16 + offset, b / 16 + offset) for _, a, b in said[4].words]
    done, before = 0, 0
    for hearing in hearings(booth.listen(), pcm):
        done += len(hearing.final)
        assert before <= hearing.final_ms <= hearing.total_ms
        before = hearing.final_ms
        assert all(end <= hearing.final_ms + 1 for _, end in words[:done])
        assert all(start >= hearing.final_ms - 1 for start, _ in words[done:])
    assert done == len(words)
    assert before == len(pcm) // 32


@pytest.mark.parametrize("delay_ms", [500, 2000])
def test_a_pause_ends_an_utterance_once(delay_ms: int) -> None:
    """The endpoint comes the delay after the last word, with all words final, and once."""
    booth, said = stage(16000)
    pcm = said[0].pcm + silence(2.6) + said[5].pcm + silence(4.0)
    ends = [hearing for hearing in hearings(booth.listen(delay_ms=delay_ms), pcm)
            if hearing.endpoint]  # fmt: skip
    assert len(ends) == 2
    second = len(said[0].pcm) / 32 + 2600
    for hearing, last in zip(ends, (said[0].words[-1][2] / 16, second + said[5].words[-1][2] / 16)):
        assert 0 <= hearing.total_ms - last - delay_ms <= 140
        assert hearing.partial == ()


def test_finalize_makes_words_final_and_says_none_twice() -> None:
    """Finalizing at any moment yields the words half heard, and the rest follows later."""
    booth, said = stage(16000)
    for cut in range(4000, 2 * 30000, 7003):
        listener = booth.listen()
        final = [word for h in (listener.feed(said[4].pcm[:cut]),) if h for word in h.final]
        hearing = listener.finalize()
        assert hearing.partial == ()
        final += hearing.final
        final += [word for h in (listener.feed(said[4].pcm[cut:]),) if h for word in h.final]
        final += listener.finalize().final
        listener.close()
        assert [word.text for word in final] == NUMBERS.split()


def test_speakers_are_numbered_as_they_appear_and_languages_kept() -> None:
    """Voices become 1, 2, ... within a stream; a word has the language it was spoken in."""
    booth, said = stage(16000)
    heard = booth.hear(said[5].pcm + said[0].pcm + said[5].pcm)
    labels = [(word.speaker, word.language) for word in heard]
    assert labels == [("1", "de")] * 6 + [("2", "en")] * 2 + [("1", "de")] * 6


def test_known_speech_is_never_given_to_the_ear(monkeypatch: pytest.MonkeyPatch) -> None:
    """No foreign recogniser runs over speech that was recognised exactly."""
    from soniox_sync.sandbox.engines import sphinx

    def refuse() -> None:
        raise AssertionError("a decoder was asked for")

    monkeypatch.setattr(sphinx._Pool, "take", lambda self: refuse())
    booth, said = stage(16000)
    assert len(booth.hear(said[4].pcm + silence(1) + said[1].pcm[8001 * 2 :])) > 25


def test_the_index_forgets_the_speech_longest_unspoken() -> None:
    """Beyond its bound the index drops old speech and keeps what was spoken again."""
    booth = Booth(max_bytes=400_000)
    first, second = (booth.say(f"Sentence {name} comes now.") for name in ("alpha", "beta"))
    for number in range(12):
        booth.say(f"This is sentence number {number}.")
        booth.say("Sentence alpha comes now.")
    assert [word.text for word in booth.hear(first.pcm)] == ["Sentence", "alpha", "comes", "now."]
    assert "beta" not in " ".join(word.text for word in booth.hear(second.pcm))


def test_an_index_is_filled_and_read_by_many_threads() -> None:
    """Threads that speak and listen at once each recognise their own words."""
    booth = Booth(max_bytes=2_000_000)
    wrong: list[object] = []

    def work(number: int) -> None:
        for lap in range(4):
            text = f"Thread {number} says {lap} to all the others."
            pcm = speak(booth.synthesizer, text, "Nina", "en", 8000)
            heard = " ".join(word.text for word in booth.hear(pcm, 8000))
            if heard != text:
                wrong.append((text, heard))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_index_shows_its_size() -> None:
    """The representation counts clips and bytes."""
    index = SpokenIndex()
    assert repr(index) == "<SpokenIndex 0 clips 0 KiB>"
