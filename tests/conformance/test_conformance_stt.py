"""Real-time transcription: the official SDK and ours hear the same (PROTOCOL 2)."""

from __future__ import annotations

import struct
from typing import Any, Callable

import pytest
from conformance_kit import PATIENCE, RAW, Kit, silence

from soniox_sync.sandbox import HeardWord, NumberedRecognizer, Sandbox, numbered_audio

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def test_a_session_delivers_every_final_once_and_finishes(kit: Kit, sandbox: Sandbox) -> None:
    """A session gives growing guesses, each final word once and in order, then finished."""
    words = "one two three four five six"
    sandbox.script(words, ms_per_word=200, final_lag_ms=300)
    with kit.listen(**RAW) as session:
        for _ in range(15):
            session.send(silence(120))
        session.finish()
        heard = session.hear()
    assert heard.text == words
    assert heard.marks == ["finished"]
    assert any(guess and not words.startswith(guess) for guess in heard.guesses)
    assert heard.final_ms == sorted(heard.final_ms) and heard.total_ms == sorted(heard.total_ms)
    assert heard.final_ms[-1] == heard.total_ms[-1] == 1800


def test_tokens_carry_times_and_confidence(kit: Kit, sandbox: Sandbox) -> None:
    """Final tokens are subwords with rising times and a confidence between 0 and 1."""
    sandbox.script("extraordinary news.", ms_per_word=400)
    with kit.listen(**RAW) as session:
        session.send(silence(900))
        session.finish()
        tokens = session.hear().finals
    assert "".join(token.text for token in tokens) == "extraordinary news."
    assert len(tokens) > 3
    assert all(token.start_ms <= token.end_ms for token in tokens)
    assert all(a.end_ms <= b.start_ms for a, b in zip(tokens, tokens[1:]))
    assert all(0 <= token.confidence <= 1 for token in tokens)
    assert {(t.speaker, t.language, t.translation_status) for t in tokens} == {(None, None, None)}


def test_endpoints_come_between_utterances(kit: Kit, sandbox: Sandbox) -> None:
    """With endpoint detection each utterance is followed by one endpoint, and text has no mark."""
    sandbox.script("good morning. how are you?", ms_per_word=200, final_lag_ms=200)
    with kit.listen(**RAW, enable_endpoint_detection=True, max_endpoint_delay_ms=500) as session:
        for _ in range(12):
            session.send(silence(120))
        session.finish()
        heard = session.hear()
    assert heard.text == "good morning. how are you?"
    assert heard.marks == ["endpoint", "endpoint", "finished"]


def test_no_endpoints_unless_asked(kit: Kit, sandbox: Sandbox) -> None:
    """Without endpoint detection no endpoint is told."""
    sandbox.script("good morning. how are you?", ms_per_word=200, final_lag_ms=200)
    with kit.listen(**RAW) as session:
        session.send(silence(1440))
        session.finish()
        assert session.hear().marks == ["finished"]


def test_finalize_settles_the_words_so_far_and_goes_on(kit: Kit) -> None:
    """After finalize all words so far are final, one finalized event follows, and more can come."""
    with kit.listen(**RAW) as session:
        session.send(silence(900))
        session.finalize()
        first = session.hear(until="finalized")
        session.send(silence(900))
        session.finish()
        rest = session.hear()
    assert first.text == "The quick brown"
    assert first.final_ms[-1] == first.total_ms[-1] == 900
    assert rest.text == " fox jumps over"
    assert rest.marks == ["finished"]


def test_keepalives_by_hand_are_accepted(kit: Kit, sandbox: Sandbox) -> None:
    """A keepalive between audio changes nothing, and reaches the server in its documented shape."""
    with kit.listen(**RAW) as session:
        session.send(silence(300))
        session.keep_alive()
        session.send(silence(300))
        session.finish()
        heard = session.hear()
    assert heard.total_ms[-1] == 600
    assert {"type": "keepalive"} in sandbox.log.messages(kind="stt")


def test_a_paused_session_is_kept_alive(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """A pause finalizes, outlives the server's gap limit by keepalives, and goes on after it."""
    # 3 s between messages end the session; keepalives come every second, so four span more
    sandbox = make_sandbox({"stt_gap_timeout_sec": 3.0})
    kit = make_kit(sandbox)
    kit.pause_beats_every(1.0)
    with kit.listen(**RAW) as session:
        session.send(silence(600))
        session.pause()
        assert session.hear(until="finalized").text == "The quick"
        beats: list[Any] = []

        def fourth(entry: Any) -> bool:
            if entry.message == {"type": "keepalive"} and entry not in beats:
                beats.append(entry)
            return len(beats) >= 4

        assert sandbox.log.wait_for(fourth, timeout_sec=PATIENCE) is not None
        session.resume()
        session.send(silence(600))
        session.finish()
        heard = session.hear()
    assert heard.text == " brown fox"
    assert heard.marks == ["finished"]
    assert heard.total_ms[-1] == 1200


def test_speakers_and_languages_are_told_when_asked(kit: Kit, sandbox: Sandbox) -> None:
    """Tokens carry speaker and language labels in a session that asked for them."""
    sandbox.script(
        [HeardWord("hi", 0, 100, 0.9, "1", "en"), HeardWord("hola", 100, 200, 0.9, "2", "es")]
    )
    config = {"enable_speaker_diarization": True, "enable_language_identification": True}
    with kit.listen(**RAW, **config, language_hints=["en", "es"]) as session:
        session.send(silence(300))
        session.finish()
        tokens = session.hear().finals
    assert [(t.text, t.speaker, t.language) for t in tokens] == [
        ("hi", "1", "en"),
        (" hola", "2", "es"),
    ]


def test_translations_follow_their_originals(kit: Kit, sandbox: Sandbox) -> None:
    """Originals come with times, then translation tokens without, marked as such."""
    sandbox.script("hello world.", ms_per_word=200)
    one_way = {"type": "one_way", "target_language": "es"}
    with kit.listen(**RAW, translation=one_way) as session:
        session.send(silence(400))
        session.finish()
        tokens = session.hear().finals
    status = [token.translation_status for token in tokens]
    assert status == sorted(status) and set(status) == {"original", "translation"}
    translated = [token for token in tokens if token.translation_status == "translation"]
    assert "".join(token.text for token in translated) == "hola mundo."
    assert {(t.start_ms, t.language, t.source_language) for t in translated} == {(None, "es", "en")}


def test_a_full_configuration_reaches_the_server(kit: Kit, sandbox: Sandbox) -> None:
    """Every field of a rich configuration arrives under its wire name, without the key."""
    config = {
        "language_hints": ["en", "de"],
        "language_hints_strict": True,
        "context": {
            "general": [{"key": "domain", "value": "tests"}],
            "text": "A short story.",
            "terms": ["Soniox"],
            "translation_terms": [{"source": "one", "target": "eins"}],
        },
        "enable_endpoint_detection": True,
        "max_endpoint_delay_ms": 800,
        "endpoint_sensitivity": 0.5,
        "endpoint_latency_adjustment_level": 1,
        "client_reference_id": "call 7",
    }
    with kit.listen(**RAW, **config) as session:
        session.send(silence(120))
        session.finish()
        assert session.hear().marks[-1] == "finished"
    start = dict(sandbox.log.messages(kind="stt")[0])
    assert {name: start[name] for name in config} == config
    assert "api_key" not in start


def wav(pcm: bytes, rate: int) -> bytes:
    """Make a WAV whose header was written before its length was known."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16
    )
    return head + struct.pack("<4sI", b"data", 0xFFFFFFFF) + pcm


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("audio_format", ["pcm_s16le", "wav", "auto"])
def test_formats_are_heard_sample_by_sample(
    kit: Kit, sandbox: Sandbox, audio_format: str, rate: int
) -> None:
    """Raw audio and WAV, announced or detected, arrive whole and in order in odd-sized pieces."""
    sandbox.hear_with(NumberedRecognizer())
    pcm = numbered_audio(0, 12, sample_rate=rate)
    raw = audio_format == "pcm_s16le"
    data = pcm if raw else wav(pcm, rate)
    config = {"sample_rate": rate, "num_channels": 1} if raw else {}
    with kit.listen(audio_format=audio_format, **config) as session:
        for at in range(0, len(data), 3333):
            session.send(data[at : at + 3333])
        session.finish()
        heard = session.hear()
    assert heard.text == " ".join(f"w{number}" for number in range(12))
    assert heard.total_ms[-1] == 2400


@pytest.mark.parametrize(
    ("audio_format", "width"), [("pcm_s24be", 3), ("pcm_f32le", 4), ("mulaw", 1), ("alaw", 1)]
)
def test_other_raw_formats_have_their_width(kit: Kit, audio_format: str, width: int) -> None:
    """Each raw format is measured with its own bytes per sample."""
    with kit.listen(audio_format=audio_format, sample_rate=8000, num_channels=2) as session:
        session.send(bytes(8000 * width))
        session.finish()
        assert session.hear().total_ms[-1] == 500
