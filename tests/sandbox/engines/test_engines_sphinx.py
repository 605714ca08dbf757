"""Foreign speech goes to pocketsphinx, and shares one clock with what is known exactly."""

from __future__ import annotations

import random
import re
from functools import lru_cache

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("pocketsphinx")
pytest.importorskip("numpy")

import numpy as np
from engine_talk import Booth, hearings, silence, speak

from soniox_sync.sandbox.engines import sphinx
from soniox_sync.sandbox.engines.base import HeardWord
from soniox_sync.sandbox.engines.espeak import EspeakSynthesizer

SENTENCE = "Good morning. What is your name? My mother has seven children."


@lru_cache(maxsize=4)
def foreign(rate: int = 16000, text: str = SENTENCE) -> bytes:
    """Speak without telling the index, with the faint hiss of a microphone."""
    pcm = np.frombuffer(speak(EspeakSynthesizer(), text, "Adrian", "en", rate), "<i2")
    hiss = np.random.default_rng(1).normal(0, 12, len(pcm))
    return np.clip(pcm * 0.6 + hiss, -32768, 32767).astype("<i2").tobytes()


def words_of(heard: list[HeardWord]) -> list[str]:
    return [word.text for word in heard]


def test_unknown_speech_gives_growing_guesses_and_finals() -> None:
    """Captions grow while somebody speaks; the finals are plain English words with times."""
    guesses: list[int] = []
    final: list[HeardWord] = []
    pcm = foreign() + silence(1.5)
    for hearing in hearings(Booth().listen(), pcm):
        final += hearing.final
        guesses.append(len(final) + len(hearing.partial))
        assert hearing.final_ms <= hearing.total_ms
    assert len(final) >= 6
    assert max(guesses) >= len(final) - 1 and len(set(guesses)) >= 4
    assert all(re.fullmatch(r"[A-Za-z'.]+", word.text) for word in final)
    assert {"is", "name"} & {word.text for word in final}
    starts = [word.start_ms for word in final]
    assert starts == sorted(starts)
    assert all(0 <= word.start_ms < word.end_ms <= len(pcm) // 32 for word in final)
    assert all(0 < word.confidence <= 1 for word in final)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_other_rates_are_heard_too(rate: int) -> None:
    """At 8 and 48 kHz words are recognised, on the clock of the stream."""
    heard = Booth().hear(silence(2.0, rate) + foreign(rate), rate)
    assert len(heard) >= 5
    assert 1800 <= heard[0].start_ms <= 2600
    assert heard[-1].end_ms <= 2000 + len(foreign(rate)) // 2 * 1000 // rate


def test_the_cut_of_the_stream_changes_no_word() -> None:
    """Any sizes of pieces give the same words, times and confidences."""
    chance = random.Random(3)
    sizes = iter(lambda: chance.randint(1, 9000), 0)
    assert Booth().hear(foreign(), sizes=sizes) == Booth().hear(foreign())


def test_what_one_stream_heard_leaves_no_trace_in_the_next() -> None:
    """A decoder used before gives the same words as a fresh one."""
    first = Booth().hear(foreign())
    Booth().hear(foreign(8000), 8000)
    assert Booth().hear(foreign()) == first


def test_known_and_foreign_speech_keep_their_order() -> None:
    """Exact words stay exact between foreign ones, in the order of the clock, and own a label."""
    booth = Booth()
    known = booth.say("Exact words, they are!", "Nina").pcm
    pcm = known + silence(0.5) + foreign() + silence(0.5) + known + silence(0.2) + foreign()
    heard = booth.hear(pcm)
    exact = [word for word in heard if word.speaker == "1"]
    assert words_of(exact) == ["Exact", "words,", "they", "are!"] * 2
    assert len([word for word in heard if word.speaker == "2"]) >= 10
    starts = [word.start_ms for word in heard]
    assert starts == sorted(starts)
    second = (len(known) + len(foreign())) / 32 + 1000
    assert abs(exact[4].start_ms - second) <= 20


def test_known_speech_right_behind_foreign_speech_is_exact() -> None:
    """Without any pause between them, the foreign words are ended and the known ones exact."""
    booth = Booth()
    known = booth.say("Then I began to speak.", "Nina").pcm
    heard = booth.hear(foreign()[: 2 * 40000] + known)
    assert words_of([word for word in heard if word.confidence == 0.98])[-5:] == [
        "Then", "I", "began", "to", "speak.",
    ]  # fmt: skip
    assert len(heard) > 8


def test_foreign_speech_ends_with_one_endpoint() -> None:
    """A pause after foreign speech is an endpoint, told once, with nothing left open."""
    ends = [
        h for h in hearings(Booth().listen(delay_ms=1000), foreign() + silence(4)) if h.endpoint
    ]
    assert len(ends) == 1
    assert ends[0].partial == ()


def test_finalize_in_the_middle_of_foreign_speech_settles_all() -> None:
    """Finalizing while somebody speaks makes the words so far final and hearing goes on."""
    listener = Booth().listen()
    half = 2 * 36000
    first = [word for h in (listener.feed(foreign()[:half]),) if h for word in h.final]
    settled = listener.finalize()
    assert settled.partial == ()
    assert settled.final_ms == settled.total_ms == half // 32
    rest = [word for h in (listener.feed(foreign()[half:]),) if h for word in h.final]
    rest += listener.finalize().final
    listener.close()
    assert len(first) + len(settled.final) >= 3 and len(rest) >= 3
    assert all(word.end_ms <= half // 32 for word in settled.final)
    assert all(word.start_ms >= half // 32 - 300 for word in rest)


def test_silence_and_hum_say_nothing_and_need_no_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Digital silence and faint hiss give no words, and no decoder is loaded for them."""

    def refuse(pool: object) -> None:
        raise AssertionError("a decoder was asked for")

    monkeypatch.setattr(sphinx._Pool, "take", refuse)
    hiss = np.random.default_rng(2).normal(0, 6, 32000).astype("<i2").tobytes()
    assert Booth().hear(silence(2) + hiss + silence(1)) == []


def test_progress_is_told_during_silence() -> None:
    """In a long silence the settled part moves on about once a second."""
    found = hearings(Booth().listen(), silence(6))
    assert 4 <= len(found) <= 8
    assert found[-1].final_ms == 6000


def test_decoders_are_returned_and_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after another, many streams share one decoder; closing in mid-word gives it back."""
    loaded: list[object] = []
    real = sphinx._sphinx()

    class Counting:
        Endpointer = real.Endpointer

        @staticmethod
        def Decoder(**options: object) -> object:
            loaded.append(options)
            return real.Decoder(**options)

    pool = sphinx._Pool()
    monkeypatch.setattr(sphinx, "_sphinx", lambda: Counting)
    monkeypatch.setattr(sphinx, "_pool_of", lambda process: pool)
    for _ in range(3):
        listener = Booth().listen()
        listener.feed(foreign()[: 2 * 16000])
        listener.close()
        listener.close()
    assert len(loaded) == 1
