"""`POST /tts` and the model listings: the official SDK and ours (PROTOCOL 4, 5.4, 5.5)."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import VOICE, Kit

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def generated(kit: Kit, text: str, **config: Any) -> bytes:
    """Speak one text without a failure."""
    audio, failure = kit.generate(text, **{**VOICE, **config})
    assert failure is None
    return audio


def refused(kit: Kit, text: str = "Hello.", **config: Any) -> tuple[Any, Any]:
    """Make a request that must fail; return its status and error type."""
    audio, failure = kit.generate(text, **{**VOICE, **config})
    assert failure is not None and audio == b""
    return failure.status, failure.error_type


@pytest.mark.parametrize(
    ("audio_format", "rate", "width"),
    [
        ("pcm_s16le", 8000, 2),
        ("pcm_s16le", 24000, 2),
        ("pcm_f32le", 16000, 4),
        ("pcm_mulaw", 8000, 1),
        ("pcm_alaw", 8000, 1),
        ("wav", 44100, 2),
    ],
)
def test_formats_have_their_width_and_rate(
    kit: Kit, audio_format: str, rate: int, width: int
) -> None:
    """The same text has the same duration in every format and rate."""
    audio = generated(kit, "Hello you.", audio_format=audio_format, sample_rate=rate)
    if audio_format == "wav":
        assert audio[:4] == b"RIFF" and audio[8:12] == b"WAVE"
        audio = audio[44:]
    assert len(audio) / width / rate == pytest.approx(0.9, abs=0.01)


def test_the_audio_is_the_same_as_over_the_websocket(kit: Kit) -> None:
    """Both transports return the same audio for a sentence."""
    text = "The same words, said twice."
    with kit.speak(**VOICE) as stream:
        stream.send(text, end=True)
        spoken = stream.receive()
    assert generated(kit, text) == spoken.audio


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"voice": "Nobody"}, "invalid_request"),
        ({"language": "xx"}, "invalid_request"),
        ({"model": "tts-rt-v9"}, "model_not_available"),
    ],
)
def test_a_request_the_service_refuses_fails_with_400(
    kit: Kit, change: dict[str, Any], kind: str
) -> None:
    """An unknown voice, language or model fails with 400 and its type."""
    assert refused(kit, **change) == (400, kind)


def test_text_is_counted_in_utf8_bytes(kit: Kit) -> None:
    """More than 5000 bytes are refused, by client or service, even if they are 2501 letters."""
    assert generated(kit, "x" * 5000)
    for text in ("x" * 5001, "я" * 2501):
        try:
            assert refused(kit, text) == (400, "invalid_request")
        except kit.refusals as error:  # counted before it was sent
            assert "5000" in str(error)


def test_a_refused_key_fails_with_401(make_kit: MakeKit, sandbox: Sandbox) -> None:
    """A bad key is an HTTP 401."""
    assert refused(make_kit(sandbox, api_key="invalid-key")) == (401, "unauthenticated")


def test_a_key_of_another_service_fails(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """A temporary key for transcription is refused for speech."""
    keys = {"limited": {"usage_type": "transcribe_websocket"}}
    kit = make_kit(make_sandbox(api_keys=keys), api_key="limited")
    assert refused(kit) == (401, "unauthenticated")


def test_concurrency_is_shared_with_streams(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """A running stream counts towards the account's limit for HTTP speech: 429."""
    kit = make_kit(make_sandbox({"tts_max_streams": 1, "tts_pace": 4}))
    with kit.speak(**VOICE) as stream:
        stream.send("A long story that takes a while. " * 5, end=True)
        stream.receive(chunks=1)
        assert refused(kit) == (429, "limit_exceeded")
        stream.cancel()
        stream.receive()


def test_the_stt_models_are_listed(kit: Kit) -> None:
    """The list has the current real-time model, its languages and its features."""
    models = {model.id: model for model in kit.models()}
    current = models["stt-rt-v6"]
    assert current.aliased_model_id is None and current.transcription_mode == "real_time"
    assert {"en", "de"} <= {language.code for language in current.languages}
    assert current.supports_endpoint_sensitivity
    assert models["stt-rt-v4"].aliased_model_id == "stt-rt-v6"


def test_the_tts_models_are_listed(kit: Kit) -> None:
    """The list has the current model with its voices and its range of speed."""
    models = {model.id: model for model in kit.tts_models()}
    current = models["tts-rt-v2"]
    assert {"Adrian", "Nina"} <= {voice.id for voice in current.voices}
    assert (current.speed_min, current.speed_max) == (0.7, 1.3)
    assert current.supports_timestamps and current.supports_silence_reduction


def test_lists_need_a_key(make_kit: MakeKit, sandbox: Sandbox) -> None:
    """With a bad key there is no list of models."""
    kit = make_kit(sandbox, api_key="invalid-key")
    for list_models in (kit.models, kit.tts_models):
        with pytest.raises(Exception, match="401"):
            list_models()
