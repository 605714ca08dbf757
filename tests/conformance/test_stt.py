"""Real-time transcription: the official SDK and ours get the same results (PROTOCOL 2)."""

from __future__ import annotations

import struct
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import HeardWord, NumberedRecognizer, Sandbox, numbered_audio
from tests.conformance.kit import RAW, TIMEOUT_SEC, Kit, silence

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def test_a_session_delivers_every_final_once_and_finishes(kit: Kit, sandbox: Sandbox) -> None:
    """A session delivers growing partial text, each final word once, in order, then `finished`."""
    words = "one two three four five six"
    sandbox.script(words, ms_per_word=200, final_lag_ms=300)
    with kit.listen(**RAW) as session:
        for _ in range(15):
            session.send(silence(120))
        session.finish()
        received = session.receive()
    assert received.text == words
    assert received.marks == ["finished"]
    assert any(partial and not words.startswith(partial) for partial in received.partials)
    assert received.final_ms == sorted(received.final_ms) and received.total_ms == sorted(
        received.total_ms
    )
    assert received.final_ms[-1] == received.total_ms[-1] == 1800


def test_tokens_have_times_and_confidence(kit: Kit, sandbox: Sandbox) -> None:
    """Final tokens are parts of words with rising times and a confidence between 0 and 1."""
    sandbox.script("extraordinary news.", ms_per_word=400)
    with kit.listen(**RAW) as session:
        session.send(silence(900))
        session.finish()
        tokens = session.receive().finals
    assert "".join(token.text for token in tokens) == "extraordinary news."
    assert len(tokens) > 3
    assert all(token.start_ms <= token.end_ms for token in tokens)
    assert all(a.end_ms <= b.start_ms for a, b in zip(tokens, tokens[1:]))
    assert all(0 <= token.confidence <= 1 for token in tokens)
    assert {(t.speaker, t.language, t.translation_status) for t in tokens} == {(None, None, None)}


def test_endpoints_separate_utterances(kit: Kit, sandbox: Sandbox) -> None:
    """With endpoint detection one endpoint follows each utterance; the text contains no marker."""
    sandbox.script("good morning. how are you?", ms_per_word=200, final_lag_ms=200)
    with kit.listen(**RAW, enable_endpoint_detection=True, max_endpoint_delay_ms=500) as session:
        for _ in range(12):
            session.send(silence(120))
        session.finish()
        received = session.receive()
    assert received.text == "good morning. how are you?"
    assert received.marks == ["endpoint", "endpoint", "finished"]


def test_no_endpoints_by_default(kit: Kit, sandbox: Sandbox) -> None:
    """Without endpoint detection there is no endpoint event."""
    sandbox.script("good morning. how are you?", ms_per_word=200, final_lag_ms=200)
    with kit.listen(**RAW) as session:
        session.send(silence(1440))
        session.finish()
        assert session.receive().marks == ["finished"]


def test_finalize_makes_the_words_so_far_final(kit: Kit) -> None:
    """After a finalize all words so far are final and one `finalized` event follows."""
    with kit.listen(**RAW) as session:
        session.send(silence(900))
        session.finalize()
        first = session.receive(until="finalized")
        session.send(silence(900))
        session.finish()
        rest = session.receive()
    assert first.text == "The quick brown"
    assert first.final_ms[-1] == first.total_ms[-1] == 900
    assert rest.text == " fox jumps over"
    assert rest.marks == ["finished"]


def test_manual_keepalives_are_accepted(kit: Kit, sandbox: Sandbox) -> None:
    """A keepalive between audio changes nothing, and has its documented form."""
    with kit.listen(**RAW) as session:
        session.send(silence(300))
        session.keep_alive()
        session.send(silence(300))
        session.finish()
        received = session.receive()
    assert received.total_ms[-1] == 600
    assert {"type": "keepalive"} in sandbox.log.messages(kind="stt")


def test_a_paused_session_is_kept_alive(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """A pause finalizes; keepalives keep the session open beyond the server's gap limit."""
    # 3 s between messages end the session; keepalives are sent every second: four span more
    sandbox = make_sandbox({"stt_gap_timeout_sec": 3.0})
    kit = make_kit(sandbox)
    kit.set_keepalive_interval(1.0)
    with kit.listen(**RAW) as session:
        session.send(silence(600))
        session.pause()
        assert session.receive(until="finalized").text == "The quick"
        keepalives: list[Any] = []

        def fourth(entry: Any) -> bool:
            if entry.message == {"type": "keepalive"} and entry not in keepalives:
                keepalives.append(entry)
            return len(keepalives) >= 4

        assert sandbox.log.wait_for(fourth, timeout_sec=TIMEOUT_SEC) is not None
        session.resume()
        session.send(silence(600))
        session.finish()
        received = session.receive()
    assert received.text == " brown fox"
    assert received.marks == ["finished"]
    assert received.total_ms[-1] == 1200


def test_speaker_and_language_labels_on_request(kit: Kit, sandbox: Sandbox) -> None:
    """Tokens have speaker and language labels in a session that requests them."""
    sandbox.script(
        [HeardWord("hi", 0, 100, 0.9, "1", "en"), HeardWord("hola", 100, 200, 0.9, "2", "es")]
    )
    config = {"enable_speaker_diarization": True, "enable_language_identification": True}
    with kit.listen(**RAW, **config, language_hints=["en", "es"]) as session:
        session.send(silence(300))
        session.finish()
        tokens = session.receive().finals
    assert [(t.text, t.speaker, t.language) for t in tokens] == [
        ("hi", "1", "en"),
        (" hola", "2", "es"),
    ]


def test_translations_follow_their_originals(kit: Kit, sandbox: Sandbox) -> None:
    """Originals with times come first, then translation tokens without times, marked as such."""
    sandbox.script("hello world.", ms_per_word=200)
    one_way = {"type": "one_way", "target_language": "es"}
    with kit.listen(**RAW, translation=one_way) as session:
        session.send(silence(400))
        session.finish()
        tokens = session.receive().finals
    status = [token.translation_status for token in tokens]
    assert status == sorted(status) and set(status) == {"original", "translation"}
    translated = [token for token in tokens if token.translation_status == "translation"]
    assert "".join(token.text for token in translated) == "hola mundo."
    assert {(t.start_ms, t.language, t.source_language) for t in translated} == {(None, "es", "en")}


def test_a_full_configuration_reaches_the_server(kit: Kit, sandbox: Sandbox) -> None:
    """Every field of a configuration is sent under its wire name, without the key."""
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
        assert session.receive().marks[-1] == "finished"
    start = dict(sandbox.log.messages(kind="stt")[0])
    assert {name: start[name] for name in config} == config
    assert "api_key" not in start


def wav(pcm: bytes, rate: int) -> bytes:
    """Return a WAV with an unknown length in its header, as when streamed."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16
    )
    return head + struct.pack("<4sI", b"data", 0xFFFFFFFF) + pcm


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("audio_format", ["pcm_s16le", "wav", "auto"])
def test_formats_arrive_sample_by_sample(
    kit: Kit, sandbox: Sandbox, audio_format: str, rate: int
) -> None:
    """Raw audio and WAV, declared or detected, arrive complete and in order in odd-sized chunks."""
    sandbox.hear_with(NumberedRecognizer())
    pcm = numbered_audio(0, 12, sample_rate=rate)
    raw = audio_format == "pcm_s16le"
    data = pcm if raw else wav(pcm, rate)
    config = {"sample_rate": rate, "num_channels": 1} if raw else {}
    with kit.listen(audio_format=audio_format, **config) as session:
        for at in range(0, len(data), 3333):
            session.send(data[at : at + 3333])
        session.finish()
        received = session.receive()
    assert received.text == " ".join(f"w{number}" for number in range(12))
    assert received.total_ms[-1] == 2400


@pytest.mark.parametrize(
    ("audio_format", "width"), [("pcm_s24be", 3), ("pcm_f32le", 4), ("mulaw", 1), ("alaw", 1)]
)
def test_other_raw_formats_have_their_width(kit: Kit, audio_format: str, width: int) -> None:
    """The duration of raw audio is computed with its format's bytes per sample."""
    with kit.listen(audio_format=audio_format, sample_rate=8000, num_channels=2) as session:
        session.send(bytes(8000 * width))
        session.finish()
        assert session.receive().total_ms[-1] == 500
