"""The sandbox's STT WebSocket against PROTOCOL 2."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, Callable

import pytest
from sandbox_talk import PATIENCE, RAW_STT, Talk, final_text, silence, stt

from soniox_sync.sandbox import HeardWord, Sandbox

MakeSandbox = Callable[..., Sandbox]


def error_of(talk: Talk) -> dict[str, Any]:
    """Receive until the close and give the last message, which must be an error."""
    frame = talk.hear_all()[-1]
    assert frame["tokens"] == []
    assert {"error_code", "error_type", "error_message", "more_info", "request_id"} <= set(frame)
    return frame


def test_session_gives_partials_then_finals_then_finished(sandbox: Sandbox) -> None:
    """A session replaces its guess each time, sends each final once, and ends with finished."""
    sandbox.script("one two three four five six", ms_per_word=200, final_lag_ms=300)
    with stt(sandbox) as talk:
        for _ in range(15):
            talk.say(silence(120))
        talk.say("")
        heard = talk.hear_all()
        assert talk.close_code == 1000
    assert final_text(heard) == "one two three four five six"
    assert heard[-1] == {
        "tokens": [],
        "final_audio_proc_ms": 1800,
        "total_audio_proc_ms": 1800,
        "finished": True,
    }
    assert any(not token["is_final"] for message in heard for token in message["tokens"])


def test_finals_precede_partials_and_counters_never_fall(sandbox: Sandbox) -> None:
    """Within a response finals come first, and the counters only rise."""
    with stt(sandbox) as talk:
        talk.say(*[silence(120)] * 40, "")
        heard = talk.hear_all()
    for message in heard:
        finality = [token["is_final"] for token in message["tokens"]]
        assert finality == sorted(finality, reverse=True)
        assert message["final_audio_proc_ms"] <= message["total_audio_proc_ms"]
    counters = [message["final_audio_proc_ms"] for message in heard]
    assert counters == sorted(counters)


def test_tokens_carry_their_own_spaces_and_times(sandbox: Sandbox) -> None:
    """Subword tokens join to the text without a separator, and their times do not overlap."""
    sandbox.script("extraordinary news.", ms_per_word=500)
    with stt(sandbox) as talk:
        talk.say(silence(1000), "")
        tokens = [t for m in talk.hear_all() for t in m["tokens"] if t["is_final"]]
    assert len(tokens) > 3
    assert "".join(token["text"] for token in tokens) == "extraordinary news."
    assert all(a["end_ms"] <= b["start_ms"] for a, b in zip(tokens, tokens[1:]))
    assert all(0 <= token["confidence"] <= 1 for token in tokens)
    assert "speaker" not in tokens[0] and "language" not in tokens[0]


def test_finalize_makes_all_final_and_answers_fin(sandbox: Sandbox) -> None:
    """After finalize everything said so far is final, then comes one `<fin>`, and it goes on."""
    with stt(sandbox) as talk:
        talk.say(silence(900), {"type": "finalize", "trailing_silence_ms": 200})
        first = []
        while not first or first[-1]["tokens"][-1]["text"] != "<fin>":
            first.append(talk.hear())
        talk.say(silence(900), "")
        rest = talk.hear_all()
    assert final_text(first) == "The quick brown<fin>"
    assert first[-1]["final_audio_proc_ms"] == first[-1]["total_audio_proc_ms"] == 900
    assert final_text(rest) == " fox jumps over"


def test_endpoint_token_only_when_asked(sandbox: Sandbox) -> None:
    """`<end>` follows an utterance with endpoint detection, and never appears without."""
    sandbox.script("good morning. how are you?", ms_per_word=200, final_lag_ms=200)
    texts = []
    for wanted in (True, False):
        with stt(sandbox, enable_endpoint_detection=wanted) as talk:
            talk.say(*[silence(120)] * 12, "")
            texts.append(final_text(talk.hear_all()))
    assert texts == ["good morning.<end> how are you?<end>", "good morning. how are you?"]


def test_empty_binary_frame_is_no_end(sandbox: Sandbox) -> None:
    """An empty binary frame changes nothing; the empty text frame ends."""
    with stt(sandbox) as talk:
        talk.say(silence(300), b"", silence(300), "")
        assert talk.hear_all()[-1]["total_audio_proc_ms"] == 600


def test_end_without_audio_is_refused(sandbox: Sandbox) -> None:
    """A session that ends before any audio gets 400 No audio received."""
    with stt(sandbox) as talk:
        talk.say("")
        frame = error_of(talk)
        assert talk.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (400, "invalid_request")
    assert "No audio received" in frame["error_message"]
    assert frame["more_info"].endswith("#invalid-request")


def test_base64_text_frame_is_audio(sandbox: Sandbox) -> None:
    """A text frame of base64 is audio, one of anything else is refused."""
    with stt(sandbox) as talk:
        talk.say(base64.b64encode(silence(500)).decode("ascii"), "")
        assert talk.hear_all()[-1]["total_audio_proc_ms"] == 500
    with stt(sandbox) as talk:
        talk.say("no base64!")
        assert error_of(talk)["error_message"] == "Invalid base64."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": None}, "malformed"),
        ({"audio_format": None}, "Missing audio format"),
        ({"audio_format": "avi"}, "Invalid audio data format"),
        ({"sample_rate": None}, "requires sample_rate and num_channels"),
        ({"num_channels": None}, "requires sample_rate and num_channels"),
        ({"sample_rate": 100}, "sample_rate"),
        ({"language_hints": ["en-US"]}, "Invalid language hint"),
        ({"language_hints": ["nb"]}, "Invalid language hint"),
        ({"language_hints": ["nn"]}, "Invalid language hint"),
        ({"language_hints": ["fil"]}, "Invalid language hint"),
        ({"language_hints": ["en", "en"]}, "unique"),
        ({"client_reference_id": "x" * 257}, "Client reference ID is too long"),
        ({"context": "x" * 10_001}, "Context is too long"),
        ({"context": {"general": [{"key": "a"}]}}, "context.general"),
        ({"endpoint_sensitivity": 1.5}, "endpoint_sensitivity"),
        ({"max_endpoint_delay_ms": 100}, "max_endpoint_delay_ms"),
        ({"endpoint_latency_adjustment_level": 4}, "endpoint_latency_adjustment_level"),
        ({"enable_speaker_diarization": "yes"}, "enable_speaker_diarization"),
        ({"translation": {"type": "one_way", "target_language": "xx"}}, "Invalid translation"),
        ({"translation": {"type": "sideways"}}, "translation"),
        (
            {"translation": {"type": "two_way", "language_a": "en", "language_b": "en"}},
            "translation",
        ),
    ],
)
def test_bad_config_is_refused(sandbox: Sandbox, change: dict[str, Any], message: str) -> None:
    """Each documented fault of a start request is answered with 400 and close 1000."""
    config = {name: v for name, v in {**RAW_STT, **change}.items() if v is not None}
    with Talk(sandbox.urls.stt) as talk:
        talk.say(config)
        frame = error_of(talk)
        assert talk.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (400, "invalid_request")
    assert message in frame["error_message"]


def test_unknown_and_removed_models_are_not_available(sandbox: Sandbox) -> None:
    """A removed model is refused with its own type, an alias is served."""
    for model in ("stt-rt-v3", "stt-rt-preview", "stt-async-v5"):
        with stt(sandbox, model=model) as talk:
            assert error_of(talk)["error_type"] == "model_not_available"
    with stt(sandbox, model="stt-rt-v4") as talk:
        talk.say(silence(100), "")
        assert talk.hear_all()[-1]["finished"]


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b"\0\0", "must be a text message"),
        ("[1]", "malformed"),
        ("{not json", "malformed"),
    ],
)
def test_start_must_be_json_text(sandbox: Sandbox, first: Any, message: str) -> None:
    """A session that does not start with a JSON object is refused."""
    with Talk(sandbox.urls.stt) as talk:
        talk.say(first)
        assert message in error_of(talk)["error_message"]


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ({"type": "pause"}, "invalid type"),
        ({"keep_alive": True}, "invalid type"),
        ({"type": "finalize", "trailing_silence_ms": -1}, "trailing_silence_ms"),
        ("{broken", "malformed"),
        ("[]", "malformed"),
    ],
)
def test_bad_control_is_refused(sandbox: Sandbox, control: Any, message: str) -> None:
    """A control message of no known type ends the session with 400."""
    with stt(sandbox) as talk:
        talk.say(silence(100), control)
        assert message in error_of(talk)["error_message"]


def test_diarization_and_language_are_filled_when_asked(sandbox: Sandbox) -> None:
    """Tokens carry speaker and language only in the session that asked for them."""
    sandbox.script(
        [HeardWord("hi", 0, 100, 0.9, "1", "en"), HeardWord("hola", 100, 200, 0.9, "2", "es")]
    )
    with stt(sandbox, enable_speaker_diarization=True, enable_language_identification=True) as talk:
        talk.say(silence(300), "")
        tokens = [t for m in talk.hear_all() for t in m["tokens"] if t["is_final"]]
    assert [(t["text"], t["speaker"], t["language"]) for t in tokens] == [
        ("hi", "1", "en"),
        (" hola", "2", "es"),
    ]


def test_one_way_translation_follows_its_originals(sandbox: Sandbox) -> None:
    """Originals come first with times, then translation tokens without, marked as such."""
    sandbox.script("hello world.", ms_per_word=200)
    with stt(sandbox, translation={"type": "one_way", "target_language": "es"}) as talk:
        talk.say(silence(400), "")
        tokens = [t for m in talk.hear_all() for t in m["tokens"] if t["is_final"]]
    status = [token["translation_status"] for token in tokens]
    assert status == sorted(status)
    translated = [token for token in tokens if token["translation_status"] == "translation"]
    assert "".join(token["text"] for token in translated) == "hola mundo."
    assert all("start_ms" not in token for token in translated)
    assert {token["language"] for token in translated} == {"es"}
    assert {token["source_language"] for token in translated} == {"en"}


def test_two_way_translation_leaves_a_third_language_alone(sandbox: Sandbox) -> None:
    """Speech in either language goes to the other, a third has status none."""
    sandbox.script(
        [
            HeardWord("hello.", 0, 100, 0.9, "1", "en"),
            HeardWord("hola.", 100, 200, 0.9, "1", "es"),
            HeardWord("salut.", 200, 300, 0.9, "1", "fr"),
        ]
    )
    two_way = {"type": "two_way", "language_a": "en", "language_b": "es"}
    with stt(sandbox, translation=two_way) as talk:
        talk.say(silence(400), "")
        tokens = [t for m in talk.hear_all() for t in m["tokens"] if t["is_final"]]
    translated = [t["text"] for t in tokens if t["translation_status"] == "translation"]
    assert "".join(translated) == "hola. hello."
    untouched = [t["text"] for t in tokens if t["translation_status"] == "none"]
    assert "".join(untouched) == " salut."


def wav(pcm: bytes, rate: int, channels: int = 1, size: int = 0xFFFFFFFF) -> bytes:
    """Make a WAV whose header was written before its length was known."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", size, b"WAVE", b"fmt ", 16, 1, channels, rate,
        rate * 2 * channels, 2 * channels, 16,
    )  # fmt: skip
    junk = struct.pack("<4sI3sx", b"LIST", 3, b"abc")
    return head + junk + struct.pack("<4sI", b"data", size) + pcm


@pytest.mark.parametrize("audio_format", ["auto", "wav"])
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_wav_is_read_as_it_streams(sandbox: Sandbox, audio_format: str, step: int) -> None:
    """A streamed WAV is heard at its own rate, however it is cut."""
    data = wav(silence(100, 8000) * 2, 8000, channels=2)
    with Talk(sandbox.urls.stt) as talk:
        talk.say({"model": "stt-rt-v5", "audio_format": audio_format})
        for at in range(0, len(data), step):
            talk.say(data[at : at + step])
        talk.say("")
        assert talk.hear_all()[-1]["total_audio_proc_ms"] == 100


def test_wrong_container_cannot_be_decoded(sandbox: Sandbox) -> None:
    """Audio that is not what its config says ends with a decode error."""
    with Talk(sandbox.urls.stt) as talk:
        talk.say({"model": "stt-rt-v5", "audio_format": "flac"}, wav(silence(100), 16000))
        assert "decode error" in error_of(talk)["error_message"]


def test_headerless_audio_with_auto_times_out(make_sandbox: MakeSandbox) -> None:
    """Raw PCM sent as auto is never recognised and ends in 408."""
    sandbox = make_sandbox(limits={"stt_decode_timeout_sec": 0.05})
    with Talk(sandbox.urls.stt) as talk:
        talk.say({"model": "stt-rt-v5", "audio_format": "auto"}, b"\1\2" * 1000)
        frame = error_of(talk)
    assert (frame["error_code"], frame["error_type"]) == (408, "request_timeout")
    assert "decode timeout" in frame["error_message"]


@pytest.mark.parametrize(
    ("limit", "audio", "message"),
    [
        ("stt_first_audio_timeout_sec", False, "first audio chunk"),
        ("stt_gap_timeout_sec", True, "Request timeout"),
    ],
)
def test_silent_client_times_out(
    make_sandbox: MakeSandbox, limit: str, audio: bool, message: str
) -> None:
    """A session without audio and without keepalives ends in 408 and close 1000."""
    sandbox = make_sandbox(limits={limit: 5.0, "time_scale": 0.01})
    with stt(sandbox) as talk:
        if audio:
            talk.say(silence(120))
        frame = error_of(talk)
        assert talk.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (408, "request_timeout")
    assert message in frame["error_message"]


def test_start_request_may_not_be_late(make_sandbox: MakeSandbox) -> None:
    """A connection that never starts a session ends in 408."""
    sandbox = make_sandbox(limits={"stt_start_timeout_sec": 0.05})
    with Talk(sandbox.urls.stt) as talk:
        assert "Start request timeout" in error_of(talk)["error_message"]


def test_keepalives_hold_a_session_without_audio(make_sandbox: MakeSandbox) -> None:
    """Keepalives at less than the gap keep a silent session alive well beyond it."""
    sandbox = make_sandbox(limits={"stt_gap_timeout_sec": 0.6})
    with stt(sandbox) as talk:
        talk.say(silence(120))
        assert talk.hear()["tokens"]
        for _ in range(8):
            talk.say({"type": "keepalive"})
            with pytest.raises(TimeoutError):
                talk.hear(timeout=0.15)
        talk.say("")
        assert talk.hear_all()[-1]["finished"]


def test_longest_duration_ends_with_413(make_sandbox: MakeSandbox) -> None:
    """Audio beyond the longest duration ends the session with 413."""
    sandbox = make_sandbox(limits={"stt_max_duration_sec": 1.0})
    with stt(sandbox) as talk:
        talk.say(silence(900), silence(200))
        frame = error_of(talk)
    assert (frame["error_code"], frame["error_type"]) == (413, "max_duration_reached")


def test_concurrency_and_rate_limits_answer_429(make_sandbox: MakeSandbox) -> None:
    """A stream above the account's limit gets 429, and a freed slot is free again."""
    sandbox = make_sandbox(limits={"stt_max_streams": 1})
    with stt(sandbox) as first:
        first.say(silence(120))
        first.hear()
        with stt(sandbox) as second:
            assert error_of(second)["error_type"] == "limit_exceeded"
        first.say("")
        first.hear_all()
    sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    with stt(sandbox) as third:
        third.say(silence(120), "")
        assert third.hear_all()[-1]["finished"]
    limited = make_sandbox(limits={"stt_requests_per_minute": 1})
    with stt(limited) as first:
        first.say(silence(120), "")
        assert first.hear_all()[-1]["finished"]
    with stt(limited) as second:
        assert "Requests per minute" in error_of(second)["error_message"]


def test_too_many_connections_are_told_by_frame(make_sandbox: MakeSandbox) -> None:
    """A socket above the connection limit opens and then gets its error."""
    sandbox = make_sandbox(limits={"stt_max_connections": 1})
    with stt(sandbox), stt(sandbox) as second:
        assert error_of(second)["error_type"] == "max_concurrent_connections_reached"


def test_unknown_config_fields_are_tolerated(sandbox: Sandbox) -> None:
    """A field from the future does not end the session."""
    with stt(sandbox, from_the_future={"a": 1}) as talk:
        talk.say(silence(100), "")
        assert talk.hear_all()[-1]["finished"]


def test_lag_delays_responses(make_sandbox: MakeSandbox) -> None:
    """Responses leave later by the lag, none is lost."""
    sandbox = make_sandbox(limits={"stt_lag_sec": 0.3})
    with stt(sandbox) as talk:
        talk.say(silence(600))
        with pytest.raises(TimeoutError):
            talk.hear(timeout=0.05)
        talk.say("")
        assert final_text(talk.hear_all()) == "The quick"


def test_messages_are_json_text(sandbox: Sandbox) -> None:
    """Every response is a text frame of JSON."""
    with stt(sandbox) as talk:
        talk.say(silence(120), "")
        raw = talk.ws.recv(timeout=PATIENCE)
    assert isinstance(raw, str)
    assert "tokens" in json.loads(raw)
