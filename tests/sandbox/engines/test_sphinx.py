"""pocketsphinx recognises unindexed speech, on one clock with exactly recognised speech."""

from __future__ import annotations

import random
import re
from functools import lru_cache

import pytest

pytest.importorskip("espeakng_loader")
pytest.importorskip("pocketsphinx")
pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines import sphinx
from soniox_sync.sandbox.engines.base import HeardWord
from soniox_sync.sandbox.engines.espeak.engine import EspeakSynthesizer
from tests.sandbox.engines.speech import SpeechLoop, results, silence, speak

SENTENCE = "Good morning. What is your name? My mother has seven children."


@lru_cache(maxsize=4)
def unindexed(rate: int = 16000, text: str = SENTENCE) -> bytes:
    """Return speech that is in no index, with the faint hiss of a microphone."""
    pcm = np.frombuffer(speak(EspeakSynthesizer(), text, "Adrian", "en", rate), "<i2")
    hiss = np.random.default_rng(1).normal(0, 12, len(pcm))
    return np.clip(pcm * 0.6 + hiss, -32768, 32767).astype("<i2").tobytes()


@lru_cache(maxsize=1)
def recognized() -> list[HeardWord]:
    """Return what is recognised in `unindexed()`, fed in chunks of the usual size."""
    return SpeechLoop().recognize(unindexed())


def words_of(heard: list[HeardWord]) -> list[str]:
    return [word.text for word in heard]


def test_unindexed_speech_has_growing_partials_and_finals() -> None:
    """Partials grow during speech; finals are plain English words with times."""
    shown: list[int] = []
    final: list[HeardWord] = []
    pcm = unindexed() + silence(1.5)
    for result in results(SpeechLoop().listen(), pcm):
        final += result.final
        shown.append(len(final) + len(result.partial))
        assert result.final_ms <= result.total_ms
    assert len(final) >= 6
    assert max(shown) >= len(final) - 1 and len(set(shown)) >= 4
    assert all(re.fullmatch(r"[A-Za-z'.]+", word.text) for word in final)
    assert {"is", "name"} & {word.text for word in final}
    starts = [word.start_ms for word in final]
    assert starts == sorted(starts)
    assert all(0 <= word.start_ms < word.end_ms <= len(pcm) // 32 for word in final)
    assert all(0 < word.confidence <= 1 for word in final)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_other_rates_are_recognised_too(rate: int) -> None:
    """At 8 and 48 kHz words are recognised, on the clock of the stream."""
    heard = SpeechLoop().recognize(silence(2.0, rate) + unindexed(rate), rate)
    assert len(heard) >= 5
    assert 1800 <= heard[0].start_ms <= 2600
    assert heard[-1].end_ms <= 2000 + len(unindexed(rate)) // 2 * 1000 // rate


def test_chunk_sizes_change_no_word() -> None:
    """With any chunk sizes words, times and confidences are the same."""
    rng = random.Random(3)
    sizes = iter(lambda: rng.randint(1, 9000), 0)
    assert SpeechLoop().recognize(unindexed(), sizes=sizes) == recognized()


def test_a_used_decoder_recognises_the_same_words() -> None:
    """A decoder's earlier work does not affect the next stream."""
    first = recognized()
    SpeechLoop().recognize(unindexed(8000), 8000)
    assert SpeechLoop().recognize(unindexed()) == first


def test_indexed_and_unindexed_speech_keep_their_order() -> None:
    """Exact words stay exact among others, in order of time, with their own label."""
    loop = SpeechLoop()
    known = loop.speak("Exact words, they are!", "Nina").pcm
    pcm = known + silence(0.5) + unindexed() + silence(0.5) + known + silence(0.2) + unindexed()
    heard = loop.recognize(pcm)
    exact = [word for word in heard if word.speaker == "1"]
    assert words_of(exact) == ["Exact", "words,", "they", "are!"] * 2
    assert len([word for word in heard if word.speaker == "2"]) >= 10
    starts = [word.start_ms for word in heard]
    assert starts == sorted(starts)
    second = (len(known) + len(unindexed())) / 32 + 1000
    assert abs(exact[4].start_ms - second) <= 20


def test_indexed_speech_right_after_unindexed_speech_is_exact() -> None:
    """Even without a pause between them the indexed words are exact."""
    loop = SpeechLoop()
    known = loop.speak("Then I began to speak.", "Nina").pcm
    heard = loop.recognize(unindexed()[: 2 * 40000] + known)
    assert words_of([word for word in heard if word.confidence == 0.98])[-5:] == [
        "Then", "I", "began", "to", "speak.",
    ]  # fmt: skip
    assert len(heard) > 8


def test_unindexed_speech_ends_with_one_endpoint() -> None:
    """A pause after unindexed speech is one endpoint, without remaining partials."""
    ends = [
        h
        for h in results(SpeechLoop().listen(delay_ms=1000), unindexed() + silence(4))
        if h.endpoint
    ]
    assert len(ends) == 1
    assert ends[0].partial == ()


def test_finalize_in_unindexed_speech_makes_all_final() -> None:
    """Finalizing during speech makes the words so far final; more follow."""
    listener = SpeechLoop().listen()
    half = 2 * 36000
    first = [word for h in (listener.feed(unindexed()[:half]),) if h for word in h.final]
    settled = listener.finalize()
    assert settled.partial == ()
    assert settled.final_ms == settled.total_ms == half // 32
    rest = [word for h in (listener.feed(unindexed()[half:]),) if h for word in h.final]
    rest += listener.finalize().final
    listener.close()
    assert len(first) + len(settled.final) >= 3 and len(rest) >= 3
    assert all(word.end_ms <= half // 32 for word in settled.final)
    assert all(word.start_ms >= half // 32 - 300 for word in rest)


def test_silence_and_hiss_have_no_words_and_need_no_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In digital silence and faint hiss no word is recognised, and no decoder is loaded."""

    def refuse(pool: object) -> None:
        raise AssertionError("a decoder was taken")

    monkeypatch.setattr(sphinx.DecoderPool, "take", refuse)
    hiss = np.random.default_rng(2).normal(0, 6, 32000).astype("<i2").tobytes()
    assert SpeechLoop().recognize(silence(2) + hiss + silence(1)) == []


def test_progress_is_reported_during_silence() -> None:
    """During a long silence `final_ms` advances about once per second."""
    found = results(SpeechLoop().listen(), silence(6))
    assert 4 <= len(found) <= 8
    assert found[-1].final_ms == 6000


def test_decoders_are_returned_and_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consecutive streams share one decoder; closing in the middle of a word returns it."""
    loaded: list[object] = []
    real = sphinx.load_pocketsphinx()

    class Counting:
        Endpointer = real.Endpointer

        @staticmethod
        def Decoder(**options: object) -> object:
            loaded.append(options)
            return real.Decoder(**options)

    pool = sphinx.DecoderPool()
    monkeypatch.setattr(sphinx, "load_pocketsphinx", lambda: Counting)
    monkeypatch.setattr(sphinx, "pool_of", lambda process: pool)
    for _ in range(3):
        listener = SpeechLoop().listen()
        listener.feed(unindexed()[: 2 * 16000])
        listener.close()
        listener.close()
    assert len(loaded) == 1
