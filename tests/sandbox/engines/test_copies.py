"""Copies of the sandbox's speech are recognised exactly: other rates, quieter, encoded, cut."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines.base import HeardWord
from soniox_sync.sandbox.engines.copies import original
from soniox_sync.sandbox.engines.copies.index import CopyIndex
from soniox_sync.sandbox.engines.espeak.engine import EspeakSynthesizer
from soniox_sync.sandbox.engines.listener import SpeechListener, SpeechRecognizer
from tests.sandbox.engines.damage import (
    MP3_DELAY_MS,
    Damage,
    encode,
    inverted,
    pack,
    quieter,
    resample_to,
    stereo,
    telephone,
)
from tests.sandbox.engines.speech import (
    NullTranscriber,
    SpeechLoop,
    SpokenAudio,
    results,
    silence,
    speak,
)

RATE = 24000
TEXTS = (
    ("The train to London leaves at noon, from platform nine.", "Adrian", "en"),
    ("Der Zug nach Berlin fährt um neun Uhr ab.", "Nina", "de"),
    ("¿Dónde está la estación? Gracias.", "Emma", "es"),
)
NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
# ms by which words of a copy may be early or late
TOLERANCE_MS = 3


def loop_without_words() -> SpeechLoop:
    """Return a loop whose recogniser gives no words for speech it does not know."""
    loop = SpeechLoop()
    loop.recognizer = SpeechRecognizer(loop.index, NullTranscriber)
    return loop


@lru_cache(maxsize=1)
def spoken_texts() -> tuple[SpeechLoop, tuple[SpokenAudio, ...]]:
    """Speak all texts once."""
    loop = loop_without_words()
    return loop, tuple(loop.speak(*text, rate=RATE) for text in (*TEXTS, (NUMBERS, "Nina", "en")))


def samples(pcm: bytes) -> Any:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def check(heard: list[HeardWord], clip: SpokenAudio, offset_ms: float = 0) -> None:
    """Compare the words with those that were spoken, and their times."""
    assert [word.text for word in heard] == [text for text, *_ in clip.words]
    for word, (_, start, end) in zip(heard, clip.words):
        assert abs(word.start_ms - offset_ms - start * 1000 / RATE) <= TOLERANCE_MS
        assert abs(word.end_ms - offset_ms - end * 1000 / RATE) <= TOLERANCE_MS


DAMAGES: dict[str, Damage] = {
    "8 kHz": resample_to(8000),
    "16 kHz": resample_to(16000),
    "44.1 kHz": resample_to(44100),
    "48 kHz": resample_to(48000),
    "8 dB quieter": quieter(8),
    "stereo": stereo,
    "inverted": inverted,
    "telephone": telephone,
    "flac": encode("flac"),
    "mp3": encode("mp3"),
    "opus": encode("opus"),
}


@pytest.mark.parametrize("number", range(len(TEXTS)))
@pytest.mark.parametrize("name", DAMAGES)
def test_a_copy_is_recognised_exactly(name: str, number: int) -> None:
    """Every word of a copy is recognised once, at its time, with its language."""
    if name in ("flac", "mp3", "opus"):
        pytest.importorskip("soundfile")
        if name != "opus":
            pytest.importorskip("miniaudio")
    loop, clips = spoken_texts()
    pcm, rate = DAMAGES[name](samples(clips[number].pcm), RATE)
    heard = loop.recognize(pcm, rate)
    check(heard, clips[number], MP3_DELAY_MS if name == "mp3" else 0)
    assert {word.language for word in heard} == {TEXTS[number][2]}


def test_an_inverted_copy_may_be_damaged_too() -> None:
    """The polarity does not count either where the rate and the volume are others."""
    loop, clips = spoken_texts()
    pcm, rate = resample_to(16000)(-0.4 * samples(clips[0].pcm), RATE)
    check(loop.recognize(pcm, rate), clips[0])


def test_a_second_of_silence_before_moves_the_times() -> None:
    """After silence the words have the times of the stream."""
    loop, clips = spoken_texts()
    pcm, rate = resample_to(16000)(samples(clips[0].pcm), RATE)
    check(loop.recognize(silence(1.0, rate) + pcm, rate), clips[0], 1000)


def test_a_stranger_index_does_not_know_the_copy() -> None:
    """Without the speech in its index a recogniser has no words for the copy."""
    _, clips = spoken_texts()
    pcm, rate = resample_to(16000)(samples(clips[0].pcm), RATE)
    other = loop_without_words()
    other.speak("Something else was said here.")
    assert other.recognize(pcm, rate) == []


@pytest.mark.parametrize("start_ms", range(130, 3000, 411))
def test_two_seconds_from_anywhere_are_enough(start_ms: int) -> None:
    """From the middle of a copy each word is recognised of which more than half is left."""
    loop, clips = spoken_texts()
    clip = clips[3]
    start, end = RATE * start_ms // 1000, RATE * (start_ms + 2000) // 1000
    pcm, rate = resample_to(16000)(0.7 * samples(clip.pcm)[start:end], RATE)
    heard = [word.text for word in loop.recognize(pcm, rate)]
    left = [
        (text, (min(behind, end) - max(first, start)) / (behind - first))
        for text, first, behind in clip.words
    ]
    assert [text for text in heard if text in [t for t, part in left if part > 0]] == heard
    # at a cut it is known to a block of 20 ms where a copy begins and ends
    for text, part in left:
        if part > 0.7 or part < 0.3:
            assert (text in heard) == (part > 0.7), (text, part)


def test_parts_in_any_order_are_recognised() -> None:
    """What follows a cut is recognised, even without a pause, and speakers keep their labels."""
    loop, clips = spoken_texts()
    parts = [clips[1].pcm, clips[0].pcm, silence(0.4, RATE), clips[1].pcm]
    pcm, rate = resample_to(44100)(samples(b"".join(parts)), RATE)
    heard = loop.recognize(pcm, rate)
    expected = TEXTS[1][0].split() + TEXTS[0][0].split() + TEXTS[1][0].split()
    assert [word.text for word in heard] == expected
    assert [word.speaker for word in heard] == ["1"] * 9 + ["2"] * 10 + ["1"] * 9


def test_sentences_with_the_same_beginning_are_distinguished() -> None:
    """The later words decide; the common ones are reported once."""
    loop = loop_without_words()
    endings = ("potatoes", "a potato", "potatoes and rice", "rice")
    clips = [loop.speak(f"I would like to have {end} tonight.", rate=RATE) for end in endings]
    for clip in clips:
        check(loop.recognize(*resample_to(16000)(samples(clip.pcm), RATE)), clip)


def test_the_same_audio_for_two_texts_counts_as_the_newest() -> None:
    """Of two texts that sound the same, the newest is recognised, also when spoken again."""
    loop = loop_without_words()
    texts = ("Read the book to me.", "read the book to me.", "Read the book to me.")
    for text in texts:
        pcm = loop.speak(text).pcm
        heard = loop.recognize(pack(0.5 * samples(pcm)))
        assert " ".join(word.text for word in heard) == text


def test_the_size_of_the_chunks_changes_nothing() -> None:
    """With any chunk sizes the words and their times are the same."""
    loop, clips = spoken_texts()
    pcm, rate = resample_to(8000)(samples(clips[0].pcm + clips[3].pcm), RATE)
    rng = random.Random(5)
    assert loop.recognize(pcm, rate, iter(lambda: rng.randint(1, 3000), 0)) == loop.recognize(
        pcm, rate
    )


def test_words_are_partial_first_and_final_700_ms_later() -> None:
    """Partials grow by words; each word becomes final once, in order, as for exact speech."""
    loop, clips = spoken_texts()
    pcm, _ = resample_to(16000)(samples(clips[3].pcm), RATE)
    final: list[str] = []
    delays: list[int] = []
    longest = 0
    for result in results(loop.listen(), pcm + silence(1.0)):
        final += [word.text for word in result.final]
        shown = final + [word.text for word in result.partial]
        assert shown == NUMBERS.split()[: len(shown)]
        longest = max(longest, len(result.partial))
        delays += [result.total_ms - word.end_ms for word in result.final]
        assert all(word.end_ms <= result.final_ms for word in result.final)
        assert all(word.start_ms >= result.final_ms for word in result.partial)
    assert final == NUMBERS.split()
    assert longest >= 2
    # chunks of 120 ms, of which the words become final in the first that is late enough
    assert all(700 <= delay <= 700 + 120 for delay in delays)


def test_final_ms_waits_for_sound_that_may_be_a_copy() -> None:
    """While it is open what a sound is, nothing of it is final."""
    loop, clips = spoken_texts()
    pcm, _ = resample_to(16000)(samples(clips[0].pcm), RATE)
    first = clips[0].words[0][1] / 24
    seen = 0
    for result in results(loop.listen(), silence(2.0) + pcm[: 2 * 16000]):
        if result.final:
            break
        assert result.final_ms <= 2000 + first + 1
        seen += 1
    assert seen > 2


def test_a_pause_ends_an_utterance_once() -> None:
    """One endpoint is reported the delay after the last word, with all words final."""
    loop, clips = spoken_texts()
    pcm, _ = resample_to(16000)(samples(clips[0].pcm), RATE)
    ends = [each for each in results(loop.listen(delay_ms=1000), pcm + silence(4)) if each.endpoint]
    assert len(ends) == 1
    assert ends[0].partial == ()
    assert 0 <= ends[0].total_ms - clips[0].words[-1][2] / 24 - 1000 <= 140


def test_finalize_makes_words_final_and_repeats_none() -> None:
    """Finalizing in the middle makes the words so far final; the rest follows later."""
    loop, clips = spoken_texts()
    pcm, _ = resample_to(16000)(samples(clips[3].pcm), RATE)
    for cut in range(2 * 24000, 2 * 60000, 12006):
        listener = loop.listen()
        final = _final(listener, pcm[:cut])
        settled = listener.finalize()
        assert settled.partial == ()
        final += [word.text for word in settled.final] + _final(listener, pcm[cut:])
        final += [word.text for word in listener.finalize().final]
        listener.close()
        assert final == NUMBERS.split()


def _final(listener: SpeechListener, pcm: bytes) -> list[str]:
    result = listener.feed(pcm)
    return [] if result is None else [word.text for word in result.final]


def test_nothing_is_final_while_a_sound_is_open() -> None:
    """For 0.9 s a sound may become a copy: nothing of it is final, and no utterance ends."""
    loop, clips = spoken_texts()
    known, _ = resample_to(16000)(samples(clips[0].pcm), RATE)
    noise = pack(np.random.default_rng(1).normal(0, 3000, 16000))
    begin = len(known) // 32 + 100
    quiet = clips[0].words[-1][2] / 24 + 1000  # when the utterance would be over
    found = results(loop.listen(delay_ms=1000), known + silence(0.1) + noise + silence(1.0))
    assert begin + 400 < quiet < begin + 800
    seen = [result for result in found if result.total_ms < begin + 900]
    assert max(result.final_ms for result in seen) <= begin + 20
    assert not any(result.endpoint for result in seen)
    assert sum(result.endpoint for result in found) == 1  # once it is known to be nothing


def test_final_ms_stops_at_a_sound_that_is_open() -> None:
    """`final_ms` follows silence, and waits where a sound begins that may become a copy."""
    loop, _ = spoken_texts()
    noise = pack(np.random.default_rng(1).normal(0, 3000, 20000))
    found = results(loop.listen(), silence(1.9) + noise)
    seen = [result.final_ms for result in found if result.total_ms < 1900 + 900 + 150]
    assert 1000 <= max(seen) <= 1900
    assert found[-1].final_ms == 1900 + 1250


def test_finalize_decides_at_once() -> None:
    """What is still open at a finalize goes to the other recogniser, to the last sample."""
    loop, _ = spoken_texts()
    fed: list[int] = []

    class Recording(NullTranscriber):
        def feed(self, start: int, samples: Any) -> list[Any]:
            fed.append(start + len(samples))
            return []

    listener = SpeechRecognizer(loop.index, Recording).listen(sample_rate=16000)
    noise = pack(np.random.default_rng(1).normal(0, 3000, 12345))
    listener.feed(noise)
    assert max(fed, default=0) < 3000
    settled = listener.finalize()
    assert max(fed) == 12345
    assert settled.final_ms == settled.total_ms == 12345 * 1000 // 16000
    listener.close()


def test_what_was_given_away_is_not_recognised_again() -> None:
    """Speech that becomes known in its middle is recognised from there on only."""
    loop = loop_without_words()
    clip = loop.speak("Another sentence is known from the start.", rate=RATE)
    late = SpeechLoop().speak(NUMBERS, "Nina", rate=RATE)
    given: list[int] = []

    class Recording(NullTranscriber):
        def feed(self, start: int, samples: Any) -> list[Any]:
            given.append(start + len(samples))
            return []

    pcm, rate = resample_to(16000)(samples(late.pcm), RATE)
    listener = SpeechRecognizer(loop.index, Recording).listen(sample_rate=rate)
    assert _final(listener, pcm[: 2 * 3 * rate]) == []
    before = max(given) * 1000 / rate
    for chunk in loop.synthesizer.speak(NUMBERS, voice="Nina", language="en", sample_rate=RATE):
        assert chunk.pcm
    result = listener.feed(pcm[2 * 3 * rate :])
    words = [*(result.final if result else ()), *listener.finalize().final]
    assert [word.text for word in words][-3:] == NUMBERS.split()[-3:]
    assert words[0].start_ms >= before - TOLERANCE_MS
    assert words[0].start_ms < before + 1000
    assert clip.words


def test_a_better_copy_that_is_found_late_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes of a copy may be missed at first: for 1.5 s a better one is searched."""
    loop = loop_without_words()
    for text in ("Read the book to me, please.", "read the book to me, please."):
        pcm = loop.speak(text).pcm
    search = loop.index.copies.search
    missed: list[object] = []

    def miss(rows: Any) -> list[Any]:
        hits = search(rows)
        if len(missed) < 3 and any(hit.original.words[0][0] == "read" for hit in hits):
            missed.append(None)
            return [hit for hit in hits if hit.original.words[0][0] != "read"]
        return hits

    monkeypatch.setattr(loop.index.copies, "search", miss)
    heard = [word.text for word in loop.recognize(pack(0.5 * samples(pcm)))]
    assert len(missed) == 3
    assert " ".join(heard) == "read the book to me, please."


@pytest.mark.parametrize("number", range(3))
def test_a_copy_right_after_another_begins_on_time(number: int) -> None:
    """Where one was cut in its last pause, the next has its times: the pause belongs to either."""
    loop, clips = spoken_texts()
    clip = clips[number]
    for other in clips[:3]:
        end = other.words[-1][2] + RATE // 20
        pcm, rate = resample_to(16000)(samples(other.pcm[: 2 * end] + clip.pcm), RATE)
        heard = loop.recognize(pcm, rate)[len(other.words) :]
        check(heard, clip, end * 1000 / RATE)


@pytest.mark.parametrize("kind", ["noise", "tone", "saw", "speech", "voice"])
def test_other_sounds_are_not_recognised(kind: str) -> None:
    """Noise, tones, other sentences, and the same ones by other voices have no words."""
    loop, _ = spoken_texts()
    time = np.arange(3 * 16000) / 16000
    sounds = {
        "noise": lambda: np.random.default_rng(1).normal(0, 3000, len(time)),
        "tone": lambda: 8000 * np.sin(2 * np.pi * 120 * time),
        "saw": lambda: 9000 * (time * 110 % 1 - 0.5),
        "speech": lambda: samples(
            speak(EspeakSynthesizer(), "My mother has seven children.", "Adrian")
        ),
        "voice": lambda: samples(speak(EspeakSynthesizer(), TEXTS[0][0], "Owen")),
    }
    assert loop.recognize(pack(sounds[kind]())) == []


def test_what_was_said_by_others_between_copies_is_kept_apart() -> None:
    """Other speech between two copies goes to the other recogniser, and no copy is lost."""
    loop, clips = spoken_texts()
    fed: list[tuple[int, int]] = []

    class Recording(NullTranscriber):
        def feed(self, start: int, samples: Any) -> list[Any]:
            fed.append((start, start + len(samples)))
            return []

    other = speak(EspeakSynthesizer(), "My mother has seven children.", "Owen", rate=RATE)
    parts = clips[0].pcm + other + clips[1].pcm
    pcm, rate = resample_to(16000)(samples(parts), RATE)
    listener = SpeechRecognizer(loop.index, Recording).listen(sample_rate=rate)
    heard = [word.text for result in results(listener, pcm) for word in result.final]
    assert heard == TEXTS[0][0].split() + TEXTS[1][0].split()
    between = [len(part) // 3 for part in (clips[0].pcm, clips[0].pcm + other)]
    covered = sum(max(0, min(end, between[1]) - max(start, between[0])) for start, end in fed)
    assert covered > 0.8 * (between[1] - between[0])
    outside = sum(end - start for start, end in fed) - covered
    assert outside < 0.1 * len(pcm) // 2


def test_speech_that_is_recognised_by_its_samples_is_never_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Programs that hear exactly what was spoken pay nothing for the recognition of copies."""

    def refuse(*args: object) -> None:
        raise AssertionError("a spectrum was computed")

    monkeypatch.setattr(original, "fingerprint", refuse)
    loop = SpeechLoop()
    clip = loop.speak("Nothing but the very same samples.")
    check_texts = [word.text for word in loop.recognize(silence(0.5) + clip.pcm + silence(0.5))]
    assert check_texts == [text for text, *_ in clip.words]
    with pytest.raises(AssertionError, match="spectrum"):
        loop.recognize(pack(0.5 * samples(clip.pcm)))


def test_the_index_is_limited() -> None:
    """Beyond its limit the index drops the oldest speech, except what was spoken again."""
    index = CopyIndex(max_bytes=100_000)  # five seconds
    second = np.zeros(8000, np.int16)

    def add(number: int) -> None:
        index.add(second, 8000, [(str(number), 0, 8000)], voice="Adrian", language="en")

    for number in range(8):
        add(number)
        add(0)
    rows = np.zeros((1, 16), np.uint32)
    index.search(rows)  # prepares what was added
    for number in range(8, 10):
        add(number)
        add(0)
    assert repr(index) == "<CopyIndex 5 clips 95.0 KB>"
    index.search(rows)
    kept = [each.words[0][0] for each in index._table.originals]
    assert sorted(kept) == ["0", "6", "7", "8", "9"]
