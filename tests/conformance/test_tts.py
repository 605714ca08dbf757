"""Real-time speech on its own connection: the official SDK and ours (PROTOCOL 3)."""

from __future__ import annotations

import importlib.util
from typing import Any, Callable

import pytest

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import VOICE, Kit, Spoken

MakeKit = Callable[..., Kit]
MakeSandbox = Callable[..., Sandbox]


def speak(kit: Kit, text: str, **config: Any) -> Spoken:
    """Speak one text to its normal end."""
    with kit.speak(**{**VOICE, **config}) as stream:
        stream.send(text, end=True)
        spoken = stream.receive()
    assert spoken.failure is None and spoken.terminated and spoken.ended == 1
    return spoken


def test_a_stream_ends_with_audio_end_then_terminated(kit: Kit) -> None:
    """A stream delivers audio, one audio_end and terminated; the audio is as long as the text."""
    spoken = speak(kit, "Hello world.")
    # twelve characters of 65 ms each, and the pause at the full stop
    assert len(spoken.audio) / 32000 == pytest.approx(12 * 0.065 + 0.25, abs=0.01)
    assert len(spoken.chunks) > 1


def test_text_in_chunks_has_the_same_audio(kit: Kit) -> None:
    """The size of the text chunks does not change the audio."""
    words = "One sentence. And a second one! The rest"
    with kit.speak(**VOICE) as stream:
        for at in range(0, len(words), 7):
            stream.send(words[at : at + 7])
        stream.finish()
        spoken = stream.receive()
    assert spoken.terminated and spoken.ended == 1
    assert spoken.audio == speak(kit, words).audio


def test_a_sentence_is_spoken_before_the_text_ends(kit: Kit) -> None:
    """Audio of a complete sentence arrives while the text is still open."""
    with kit.speak(**VOICE) as stream:
        stream.send("A first sentence. And")
        assert stream.receive(chunks=1).chunks
        stream.send(" more.", end=True)
        rest = stream.receive()
    assert rest.ended == 1 and rest.terminated


def test_timestamps_spell_the_text(kit: Kit) -> None:
    """Joined over all messages, timestamps spell the normalised text and rise with the audio."""
    spoken = speak(kit, "Hi there.  Naïve\ncafé time! ", return_timestamps=True)
    assert "".join(spoken.characters) == "Hi there. Naïve café time!"
    assert len(spoken.starts) == len(spoken.ends) == len(spoken.characters)
    assert spoken.starts == sorted(spoken.starts) and spoken.starts[0] == 0
    assert all(start <= end for start, end in zip(spoken.starts, spoken.ends))
    assert spoken.ends[-1] == pytest.approx(len(spoken.audio) / 32000, abs=0.01)


def test_no_timestamps_by_default(kit: Kit) -> None:
    """Messages have no timestamps by default."""
    assert speak(kit, "Hello.").characters == []


@pytest.mark.parametrize(
    ("audio_format", "rate", "width"),
    [
        ("pcm_s16le", 8000, 2),
        ("pcm_s16le", 24000, 2),
        ("pcm_s16le", 48000, 2),
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
    audio = speak(kit, "Hello you.", audio_format=audio_format, sample_rate=rate).audio
    if audio_format == "wav":
        assert audio[:4] == b"RIFF" and audio[8:12] == b"WAVE"
        audio = audio[44:]
    assert len(audio) / width / rate == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("audio_format", "encoder", "magic"),
    [("flac", "soundfile", b"fLaC"), ("mp3", "soundfile", b"\xff")],
)
def test_compressed_formats_if_an_encoder_is_installed(
    kit: Kit, audio_format: str, encoder: str, magic: bytes
) -> None:
    """Compressed audio starts with its format's signature; without an encoder it is refused."""
    with kit.speak(**{**VOICE, "audio_format": audio_format, "sample_rate": 24000}) as stream:
        stream.send("Hello you.", end=True)
        spoken = stream.receive()
    if spoken.failure is None:
        assert spoken.audio.startswith(magic)
    else:
        assert importlib.util.find_spec(encoder) is None
        assert spoken.failure.status == 400 and audio_format in spoken.failure.message


def test_speed_shortens_the_audio(kit: Kit) -> None:
    """A higher speed produces less audio."""
    sizes = [len(speak(kit, "How long is this?", speed=speed).audio) for speed in (0.7, 1.0, 1.3)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3


def test_cancel_ends_the_stream_early(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """After a cancel the stream terminates early, without audio_end and without an error."""
    kit = make_kit(make_sandbox({"tts_pace": 1}))
    with kit.speak(**VOICE) as stream:
        stream.send("A long story. " * 20, end=True)
        stream.receive(chunks=1)
        stream.cancel()
        rest = stream.receive()
    assert rest.failure is None
    assert rest.terminated and rest.ended == 0
    assert len(rest.audio) < 10 * 32000


def test_messages_are_as_documented(kit: Kit, sandbox: Sandbox) -> None:
    """Configuration and text are sent under their wire names, without the key."""
    speak(kit, "Hello.", speed=1.2, return_timestamps=True, stream_id="s 1")
    messages = [dict(message) for message in sandbox.log.messages(kind="tts")]
    expected = {**VOICE, "stream_id": "s 1", "speed": 1.2, "return_timestamps": True}
    assert messages[0] == expected
    assert messages[1] == {"stream_id": "s 1", "text": "Hello.", "text_end": True}


@pytest.mark.parametrize(
    ("field", "value"),
    [("speed", 2.0), ("stream_id", "x" * 257), ("voice", "v" * 51), ("sample_rate", 11025)],
)
def test_values_out_of_range_are_refused_before_sending(
    kit: Kit, sandbox: Sandbox, field: str, value: Any
) -> None:
    """Both clients name the field that the service would refuse."""
    with pytest.raises(kit.refusals, match=field):
        kit.speak(**{**VOICE, field: value})
    assert sandbox.log.messages(kind="tts") == []


def test_a_text_over_the_limit_is_refused_before_sending(kit: Kit, sandbox: Sandbox) -> None:
    """5001 bytes in one message are never sent."""
    with kit.speak(**VOICE) as stream:
        with pytest.raises(kit.refusals, match="5000"):
            stream.send("x" * 5001, end=True)
    assert not any("text" in message for message in sandbox.log.messages(kind="tts"))


def failed(kit: Kit, text: str = "Hello. ", **config: Any) -> tuple[Any, Any]:
    """Speak one text that must fail; return code and type of the failure."""
    with kit.speak(**{**VOICE, **config}) as stream:
        stream.send(text, end=True)
        spoken = stream.receive()
    assert spoken.failure is not None and spoken.ended == 0
    return spoken.failure.status, spoken.failure.error_type


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"voice": "Nobody"}, "invalid_request"),
        ({"voice": "Maya"}, "invalid_request"),
        ({"language": "xx"}, "invalid_request"),
        ({"model": "tts-rt-v9"}, "model_not_available"),
    ],
)
def test_a_config_the_service_refuses_fails_with_400(
    kit: Kit, change: dict[str, Any], kind: str
) -> None:
    """An unknown voice, language or model fails with 400 and its type."""
    assert failed(kit, **change) == (400, kind)


def test_a_refused_key_fails_with_401(make_kit: MakeKit, sandbox: Sandbox) -> None:
    """A bad key opens the socket and then fails with 401 `unauthenticated`."""
    assert failed(make_kit(sandbox, api_key="invalid-key")) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("rule", "status", "kind"),
    [
        ({"usage_type": "transcribe_websocket"}, 401, "unauthenticated"),
        ({"permissions": ["stt"]}, 403, "permission_denied"),
        ({"error_type": "project_monthly_budget_exhausted"}, 402, None),
    ],
)
def test_a_key_without_permission_is_refused(
    make_kit: MakeKit, make_sandbox: MakeSandbox, rule: dict[str, Any], status: int, kind: Any
) -> None:
    """A key of another service, or without permission or budget, fails with its documented type."""
    kit = make_kit(make_sandbox(api_keys={"limited": rule}), api_key="limited")
    assert failed(kit) == (status, kind or rule["error_type"])


def test_text_without_an_end_times_out_with_408(
    make_kit: MakeKit, make_sandbox: MakeSandbox
) -> None:
    """If the text neither continues nor ends, the stream delivers its audio, then a 408."""
    kit = make_kit(make_sandbox({"tts_writer_quiet_sec": 0.5}))
    with kit.speak(**VOICE) as stream:
        stream.send("A sentence. An unfinished")
        spoken = stream.receive()
    assert spoken.failure is not None and spoken.ended == 0
    assert (spoken.failure.status, spoken.failure.error_type) == (408, "request_timeout")
    assert spoken.audio


def test_two_minutes_are_the_limit_with_413(make_kit: MakeKit, make_sandbox: MakeSandbox) -> None:
    """Audio is truncated at the limit, and the stream then fails with 413."""
    kit = make_kit(make_sandbox({"tts_max_audio_sec": 1.0}))
    with kit.speak(**VOICE) as stream:
        stream.send("This takes much longer than one second to say.", end=True)
        spoken = stream.receive()
    assert spoken.failure is not None
    assert (spoken.failure.status, spoken.failure.error_type) == (
        413,
        "max_audio_duration_reached",
    )
    assert len(spoken.audio) == 32000


@pytest.mark.parametrize("fault", ["drop", "fin", "close"])
def test_a_lost_connection_is_a_failure(
    make_kit: MakeKit, make_sandbox: MakeSandbox, fault: str
) -> None:
    """However a connection is lost, the stream does not look complete."""
    sandbox = make_sandbox({"tts_pace": 4})
    getattr(sandbox.faults, fault)(kind="tts", after_audio_ms=500)
    with make_kit(sandbox).speak(**VOICE) as stream:
        stream.send("A story that goes on for quite a while. " * 5, end=True)
        spoken = stream.receive()
    assert spoken.failure is not None and spoken.failure.status is None
    assert spoken.ended == 0 and spoken.chunks
