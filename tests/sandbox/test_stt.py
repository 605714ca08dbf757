"""The sandbox's STT WebSocket behaves as described in PROTOCOL 2."""

from __future__ import annotations

import base64
import json
import struct
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import HeardWord, Sandbox
from soniox_sync.sandbox.engines.numbered import NumberedRecognizer, numbered_audio
from tests.sandbox.client import PATIENCE, RAW_STT, Client, final_text, silence, stt

MakeSandbox = Callable[..., Sandbox]


def error_of(client: Client) -> dict[str, Any]:
    """Receive until the close; return the last message, which must be an error."""
    frame = client.receive_all()[-1]
    assert frame["tokens"] == []
    assert {"error_code", "error_type", "error_message", "more_info", "request_id"} <= set(frame)
    return frame


def test_session_sends_partials_then_finals_then_finished(sandbox: Sandbox) -> None:
    """A session replaces its partials each time, sends each final once, and ends with finished."""
    sandbox.script("one two three four five six", ms_per_word=200, final_lag_ms=300)
    with stt(sandbox) as client:
        for _ in range(15):
            client.send(silence(120))
        client.send("")
        received = client.receive_all()
        assert client.close_code == 1000
    assert final_text(received) == "one two three four five six"
    assert received[-1] == {
        "tokens": [],
        "final_audio_proc_ms": 1800,
        "total_audio_proc_ms": 1800,
        "finished": True,
    }
    assert any(not token["is_final"] for message in received for token in message["tokens"])


def test_finals_precede_partials_and_counters_never_fall(sandbox: Sandbox) -> None:
    """Within a response finals are first, and the counters only rise."""
    with stt(sandbox) as client:
        client.send(*[silence(120)] * 40, "")
        received = client.receive_all()
    for message in received:
        finality = [token["is_final"] for token in message["tokens"]]
        assert finality == sorted(finality, reverse=True)
        assert message["final_audio_proc_ms"] <= message["total_audio_proc_ms"]
    counters = [message["final_audio_proc_ms"] for message in received]
    assert counters == sorted(counters)


def test_tokens_contain_their_spaces_and_times(sandbox: Sandbox) -> None:
    """Subword tokens join to the text without a separator, and their times do not overlap."""
    sandbox.script("extraordinary news.", ms_per_word=500)
    with stt(sandbox) as client:
        client.send(silence(1000), "")
        tokens = [t for m in client.receive_all() for t in m["tokens"] if t["is_final"]]
    assert len(tokens) > 3
    assert "".join(token["text"] for token in tokens) == "extraordinary news."
    assert all(a["end_ms"] <= b["start_ms"] for a, b in zip(tokens, tokens[1:]))
    assert all(0 <= token["confidence"] <= 1 for token in tokens)
    assert "speaker" not in tokens[0] and "language" not in tokens[0]


def test_finalize_makes_all_final_and_is_answered_by_fin(sandbox: Sandbox) -> None:
    """A finalize makes everything so far final and is answered by one `<fin>`; more may follow."""
    with stt(sandbox) as client:
        client.send(silence(900), {"type": "finalize", "trailing_silence_ms": 200})
        first = []
        while not first or first[-1]["tokens"][-1]["text"] != "<fin>":
            first.append(client.receive())
        client.send(silence(900), "")
        rest = client.receive_all()
    assert final_text(first) == "The quick brown<fin>"
    assert first[-1]["final_audio_proc_ms"] == first[-1]["total_audio_proc_ms"] == 900
    assert final_text(rest) == " fox jumps over"


def test_endpoint_token_only_when_requested(sandbox: Sandbox) -> None:
    """`<end>` follows an utterance with endpoint detection, and is never sent without."""
    sandbox.script("good morning. how are you?", ms_per_word=200, final_lag_ms=200)
    texts = []
    for wanted in (True, False):
        with stt(sandbox, enable_endpoint_detection=wanted) as client:
            client.send(*[silence(120)] * 12, "")
            texts.append(final_text(client.receive_all()))
    assert texts == ["good morning.<end> how are you?<end>", "good morning. how are you?"]


def test_empty_binary_frame_is_not_the_end(sandbox: Sandbox) -> None:
    """An empty binary frame is ignored; an empty text frame ends the audio."""
    with stt(sandbox) as client:
        client.send(silence(300), b"", silence(300), "")
        assert client.receive_all()[-1]["total_audio_proc_ms"] == 600


def test_end_without_audio_is_refused(sandbox: Sandbox) -> None:
    """A session that ends before any audio gets 400 No audio received."""
    with stt(sandbox) as client:
        client.send("")
        frame = error_of(client)
        assert client.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (400, "invalid_request")
    assert "No audio received" in frame["error_message"]
    assert frame["more_info"].endswith("#invalid-request")


def test_base64_text_frame_is_audio(sandbox: Sandbox) -> None:
    """A text frame with base64 is audio, with anything else it is refused."""
    with stt(sandbox) as client:
        client.send(base64.b64encode(silence(500)).decode("ascii"), "")
        assert client.receive_all()[-1]["total_audio_proc_ms"] == 500
    with stt(sandbox) as client:
        client.send("no base64!")
        assert error_of(client)["error_message"] == "Invalid base64."


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
    """Each documented error in a start request is answered with 400 and close 1000."""
    config = {name: v for name, v in {**RAW_STT, **change}.items() if v is not None}
    with Client(sandbox.urls.stt) as client:
        client.send(config)
        frame = error_of(client)
        assert client.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (400, "invalid_request")
    assert message in frame["error_message"]


@pytest.mark.parametrize("model", ["stt-rt-v7", "stt-rt-v2", "stt-rt", "stt-async-v6", "tts-rt-v2"])
def test_unknown_models_are_not_available(sandbox: Sandbox, model: str) -> None:
    """A name that never was a real-time model is refused with its own error type."""
    with stt(sandbox, model=model) as client:
        frame = error_of(client)
    assert (frame["error_code"], frame["error_type"]) == (400, "model_not_available")


def test_an_alias_is_answered_with_the_model_that_runs(sandbox: Sandbox) -> None:
    """Every response to an alias has the real `model`, usage logs too; the documented fields stay.

    A model asked for by its own name is not named in the responses.
    """
    named = {}
    for model in ("stt-rt-v4", "stt-rt-v6"):
        with stt(sandbox, model=model) as client:
            client.send(silence(500), {"type": "finalize"}, "")
            named[model] = {response.get("model") for response in client.receive_all()}
    assert named == {"stt-rt-v4": {"stt-rt-v6"}, "stt-rt-v6": {None}}
    with sandbox.client() as user:
        assert {log.model for log in user.usage_logs.list_all(*last_hour())} == {"stt-rt-v6"}


def last_hour() -> tuple[datetime, datetime]:
    """Return the period from an hour ago to an hour from now."""
    now = datetime.now(timezone.utc)
    return now - timedelta(hours=1), now + timedelta(hours=1)


def test_only_models_with_agent_text_take_its_field(sandbox: Sandbox) -> None:
    """The current model accepts `enable_agent_text_input`; an older one refuses any value of it."""
    for value in (True, False):
        with stt(sandbox, enable_agent_text_input=value) as client:
            client.send(silence(100), "")
            assert client.receive_all()[-1]["finished"]
        for model in ("stt-rt-v5", "stt-rt-v4"):
            with stt(sandbox, model=model, enable_agent_text_input=value) as client:
                frame = error_of(client)
                assert (frame["error_code"], frame["error_type"]) == (400, "invalid_request")
                assert "enable_agent_text_input is not supported" in frame["error_message"]
    with stt(sandbox, model="stt-rt-v5", enable_agent_text_input=None) as client:
        client.send(silence(100), "")
        assert client.receive_all()[-1]["finished"]


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
    with Client(sandbox.urls.stt) as client:
        client.send(first)
        assert message in error_of(client)["error_message"]


def test_unknown_messages_are_taken_where_agent_text_is_enabled(sandbox: Sandbox) -> None:
    """The JSON of an agent's text is unknown: such a session logs any message and goes on.

    What is known is still checked, and without the field an unknown message is a 400.
    """
    message = {"type": "what_the_docs_will_say", "text": "Good morning."}
    with stt(sandbox, enable_agent_text_input=True) as client:
        client.send(silence(100), message, {"text": "no type"}, silence(100), "")
        assert client.receive_all()[-1]["finished"]
    assert message in sandbox.log.messages(kind="stt", direction="in")
    for field in ({}, {"enable_agent_text_input": False}):
        with stt(sandbox, **field) as client:
            client.send(silence(100), message)
            assert "invalid type" in error_of(client)["error_message"]
    with stt(sandbox, enable_agent_text_input=True) as client:
        client.send(silence(100), {"type": "finalize", "trailing_silence_ms": -1})
        assert "trailing_silence_ms" in error_of(client)["error_message"]


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
    """A malformed control message, or one of unknown type, ends the session with 400."""
    with stt(sandbox) as client:
        client.send(silence(100), control)
        assert message in error_of(client)["error_message"]


def test_diarization_and_language_when_requested(sandbox: Sandbox) -> None:
    """Tokens have speaker and language only in a session that requests them."""
    sandbox.script(
        [HeardWord("hi", 0, 100, 0.9, "1", "en"), HeardWord("hola", 100, 200, 0.9, "2", "es")]
    )
    with stt(
        sandbox, enable_speaker_diarization=True, enable_language_identification=True
    ) as client:
        client.send(silence(300), "")
        tokens = [t for m in client.receive_all() for t in m["tokens"] if t["is_final"]]
    assert [(t["text"], t["speaker"], t["language"]) for t in tokens] == [
        ("hi", "1", "en"),
        (" hola", "2", "es"),
    ]


def test_one_way_translation_follows_its_originals(sandbox: Sandbox) -> None:
    """Originals with times come first, then translation tokens without, marked as such."""
    sandbox.script("hello world.", ms_per_word=200)
    with stt(sandbox, translation={"type": "one_way", "target_language": "es"}) as client:
        client.send(silence(400), "")
        tokens = [t for m in client.receive_all() for t in m["tokens"] if t["is_final"]]
    status = [token["translation_status"] for token in tokens]
    assert status == sorted(status)
    translated = [token for token in tokens if token["translation_status"] == "translation"]
    assert "".join(token["text"] for token in translated) == "hola mundo."
    assert all("start_ms" not in token for token in translated)
    assert {token["language"] for token in translated} == {"es"}
    assert {token["source_language"] for token in translated} == {"en"}


def test_words_that_are_final_before_the_end_are_translated_at_the_end(sandbox: Sandbox) -> None:
    """Words without the end of a clause are translated even if none becomes final at the end."""
    sandbox.hear_with(NumberedRecognizer(final_lag_ms=0))
    with stt(sandbox, translation={"type": "one_way", "target_language": "es"}) as client:
        client.send(numbered_audio(0, 3), "")
        tokens = [t for m in client.receive_all() for t in m["tokens"] if t["is_final"]]
    translated = [t["text"] for t in tokens if t["translation_status"] == "translation"]
    assert "".join(translated) == "w0(es) w1(es) w2(es)"


def test_two_way_translation_ignores_a_third_language(sandbox: Sandbox) -> None:
    """Speech in either language is translated into the other; a third has status `none`."""
    sandbox.script(
        [
            HeardWord("hello.", 0, 100, 0.9, "1", "en"),
            HeardWord("hola.", 100, 200, 0.9, "1", "es"),
            HeardWord("salut.", 200, 300, 0.9, "1", "fr"),
        ]
    )
    two_way = {"type": "two_way", "language_a": "en", "language_b": "es"}
    with stt(sandbox, translation=two_way) as client:
        client.send(silence(400), "")
        tokens = [t for m in client.receive_all() for t in m["tokens"] if t["is_final"]]
    translated = [t["text"] for t in tokens if t["translation_status"] == "translation"]
    assert "".join(translated) == "hola. hello."
    untouched = [t["text"] for t in tokens if t["translation_status"] == "none"]
    assert "".join(untouched) == " salut."


def wav(pcm: bytes, rate: int, channels: int = 1, size: int = 0xFFFFFFFF) -> bytes:
    """Return a WAV as streamed, with an unknown length in its header."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", size, b"WAVE", b"fmt ", 16, 1, channels, rate,
        rate * 2 * channels, 2 * channels, 16,
    )  # fmt: skip
    junk = struct.pack("<4sI3sx", b"LIST", 3, b"abc")
    return head + junk + struct.pack("<4sI", b"data", size) + pcm


@pytest.mark.parametrize("audio_format", ["auto", "wav"])
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_wav_is_read_as_it_streams(sandbox: Sandbox, audio_format: str, step: int) -> None:
    """A streamed WAV is decoded at its own rate, however it is split."""
    data = wav(silence(100, 8000) * 2, 8000, channels=2)
    with Client(sandbox.urls.stt) as client:
        client.send({"model": "stt-rt-v6", "audio_format": audio_format})
        for at in range(0, len(data), step):
            client.send(data[at : at + step])
        client.send("")
        assert client.receive_all()[-1]["total_audio_proc_ms"] == 100


def test_wrong_container_cannot_be_decoded(sandbox: Sandbox) -> None:
    """Audio that contradicts its config ends with a decode error."""
    with Client(sandbox.urls.stt) as client:
        client.send({"model": "stt-rt-v6", "audio_format": "flac"}, wav(silence(100), 16000))
        assert "decode error" in error_of(client)["error_message"]


def test_headerless_audio_with_auto_times_out(make_sandbox: MakeSandbox) -> None:
    """Raw PCM sent as auto is never recognised and ends in 408."""
    sandbox = make_sandbox(limits={"stt_decode_timeout_sec": 0.05})
    with Client(sandbox.urls.stt) as client:
        client.send({"model": "stt-rt-v6", "audio_format": "auto"}, b"\1\2" * 1000)
        frame = error_of(client)
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
    with stt(sandbox) as client:
        if audio:
            client.send(silence(120))
        frame = error_of(client)
        assert client.close_code == 1000
    assert (frame["error_code"], frame["error_type"]) == (408, "request_timeout")
    assert message in frame["error_message"]


def test_a_late_start_request_times_out(make_sandbox: MakeSandbox) -> None:
    """A connection that never starts a session ends in 408."""
    sandbox = make_sandbox(limits={"stt_start_timeout_sec": 0.05})
    with Client(sandbox.urls.stt) as client:
        assert "Start request timeout" in error_of(client)["error_message"]


def test_keepalives_keep_a_session_without_audio_open(make_sandbox: MakeSandbox) -> None:
    """Keepalives in time keep a session without audio open."""
    sandbox = make_sandbox(limits={"stt_gap_timeout_sec": 0.6})
    with stt(sandbox) as client:
        client.send(silence(120))
        assert client.receive()["tokens"]
        for _ in range(8):
            client.send({"type": "keepalive"})
            with pytest.raises(TimeoutError):
                client.receive(timeout=0.15)
        client.send("")
        assert client.receive_all()[-1]["finished"]


def test_longest_duration_ends_with_413(make_sandbox: MakeSandbox) -> None:
    """Audio beyond the longest duration ends the session with 413."""
    sandbox = make_sandbox(limits={"stt_max_duration_sec": 1.0})
    with stt(sandbox) as client:
        client.send(silence(900), silence(200))
        frame = error_of(client)
    assert (frame["error_code"], frame["error_type"]) == (413, "max_duration_reached")


def test_concurrency_and_rate_limits_are_429(make_sandbox: MakeSandbox) -> None:
    """A stream above the account's limit gets 429; after another one ended it is accepted."""
    sandbox = make_sandbox(limits={"stt_max_streams": 1})
    with stt(sandbox) as first:
        first.send(silence(120))
        first.receive()
        with stt(sandbox) as second:
            assert error_of(second)["error_type"] == "limit_exceeded"
        first.send("")
        first.receive_all()
    sandbox.log.wait_until_idle(timeout_sec=PATIENCE)
    with stt(sandbox) as third:
        third.send(silence(120), "")
        assert third.receive_all()[-1]["finished"]
    limited = make_sandbox(limits={"stt_requests_per_minute": 1})
    with stt(limited) as first:
        first.send(silence(120), "")
        assert first.receive_all()[-1]["finished"]
    with stt(limited) as second:
        assert "Requests per minute" in error_of(second)["error_message"]


def test_too_many_connections_get_an_error_frame(make_sandbox: MakeSandbox) -> None:
    """A connection above the limit opens and then gets its error."""
    sandbox = make_sandbox(limits={"stt_max_connections": 1})
    with stt(sandbox), stt(sandbox) as second:
        assert error_of(second)["error_type"] == "max_concurrent_connections_reached"


def test_unknown_config_fields_are_tolerated(sandbox: Sandbox) -> None:
    """An unknown field does not end the session."""
    with stt(sandbox, from_the_future={"a": 1}) as client:
        client.send(silence(100), "")
        assert client.receive_all()[-1]["finished"]


def test_lag_delays_responses(make_sandbox: MakeSandbox) -> None:
    """Responses are sent later by the lag; none is lost."""
    sandbox = make_sandbox(limits={"stt_lag_sec": 0.3})
    with stt(sandbox) as client:
        client.send(silence(600))
        with pytest.raises(TimeoutError):
            client.receive(timeout=0.05)
        client.send("")
        assert final_text(client.receive_all()) == "The quick"


def test_messages_are_json_text(sandbox: Sandbox) -> None:
    """Every response is a text frame of JSON."""
    with stt(sandbox) as client:
        client.send(silence(120), "")
        raw = client.ws.recv(timeout=PATIENCE)
    assert isinstance(raw, str)
    assert "tokens" in json.loads(raw)
