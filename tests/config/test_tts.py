"""Speech configs: merging, completing, refusing, and the text limit."""

from __future__ import annotations

import copy
import json
import pickle
import uuid

import pytest

from soniox_sync.config import (
    TtsStreamConfig,
    TtsStreamInput,
    check_tts_text,
    merge_tts_input,
    resolve_tts_config,
)
from soniox_sync.errors import ConfigurationError, InputTypeError

BASE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le"}


def resolve(**fields):
    """Resolve the usual input with some fields changed."""
    return resolve_tts_config(None, BASE, **fields)


def test_resolved_config_on_the_wire():
    """The usual input is sent with model, stream id and the rate of raw audio, nothing else."""
    assert resolve(stream_id="s1").to_wire() == {
        "stream_id": "s1",
        "model": "tts-rt-v2",
        "language": "en",
        "voice": "Adrian",
        "audio_format": "pcm_s16le",
        "sample_rate": 24000,
    }


def test_every_field_is_sent_under_its_name():
    """Each documented field is sent under its own name with its own value."""
    fields = {
        "stream_id": "s" * 256,
        "model": "tts-rt-v3",
        "language": "de",
        "voice": "Nina",
        "audio_format": "mp3",
        "sample_rate": 32000,
        "bitrate": 128000,
        "speed": 1.3,
        "reduce_silence": True,
        "return_timestamps": True,
        "client_reference_id": "call-1",
    }
    wire = resolve_tts_config(None, fields, extra={"mood": "calm"}).to_wire()
    assert wire == {**fields, "mood": "calm"}
    assert json.loads(json.dumps(wire)) == wire


def test_service_defaults_are_not_sent():
    """Values equal to the service's defaults are not sent, as older models refuse them."""
    wire = resolve(speed=1.0, reduce_silence=False, return_timestamps=False).to_wire()
    assert not {"speed", "reduce_silence", "return_timestamps"} & set(wire)


def test_all_missing_fields_are_named_at_once():
    """An empty input is refused once, naming all the fields that are missing."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_tts_config()
    assert str(caught.value) == (
        "speech needs language, voice, audio_format: pass language=..., voice=... and "
        "audio_format=... here or in tts_defaults"
    )
    with pytest.raises(ConfigurationError, match=r"speech needs voice: pass voice=\.\.\. here"):
        resolve(voice=None)


def test_stream_ids_are_generated():
    """Each config without a stream id gets a new UUID."""
    first, second = resolve(), resolve()
    assert first.stream_id != second.stream_id
    assert str(uuid.UUID(first.stream_id)) == first.stream_id


@pytest.mark.parametrize(
    ("name", "rate", "spelled"),
    [
        ("pcm_s16le", 24000, "pcm_s16le"),
        ("pcm_f32le", 24000, "pcm_f32le"),
        ("pcm_mulaw", 8000, "pcm_mulaw"),
        ("alaw", 8000, "pcm_alaw"),
        ("pcm_s16be", 24000, "pcm_s16be"),
        ("wav", None, "wav"),
        ("mp3", None, "mp3"),
        ("some_future_format", None, "some_future_format"),
    ],
)
def test_raw_audio_always_has_a_rate(name, rate, spelled):
    """Headerless formats always get a rate; names of transcription are translated."""
    wire = resolve(audio_format=name).to_wire()
    assert (wire["audio_format"], wire.get("sample_rate")) == (spelled, rate)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stream_id": ""}, "stream_id: expected a str that is not empty"),
        ({"stream_id": "x" * 257}, "stream_id: expected at most 256 characters, got 257"),
        ({"voice": "x" * 51}, "voice: expected at most 50 characters, got 51"),
        ({"model": "x" * 51}, "model: .* 50"),
        ({"language": "x" * 51}, "language: .* 50"),
        ({"audio_format": "x" * 51}, "audio_format: .* 50"),
        ({"client_reference_id": "x" * 257}, "client_reference_id: .* 256"),
        ({"speed": 2.0}, "speed: expected a number from 0.7 to 1.3, got 2.0"),
        ({"speed": 0.69}, "speed: expected a number from 0.7 to 1.3"),
        ({"speed": float("nan")}, "speed: expected a finite number, got nan"),
        (
            {"sample_rate": 22050},
            "sample_rate: expected one of 8000, 16000, .* for pcm_s16le, got 22050",
        ),
        (
            {"audio_format": "mulaw", "sample_rate": 16000},
            "sample_rate: expected one of 8000 for pcm_mulaw",
        ),
        ({"audio_format": "flac", "sample_rate": 8000}, "sample_rate: .* for flac"),
        ({"bitrate": 64000}, "bitrate: expected None, as pcm_s16le has no bitrate, got 64000"),
        (
            {"audio_format": "opus", "bitrate": 192000},
            "bitrate: expected one of 16000, .* for opus",
        ),
        ({"sample_rate": 0}, "sample_rate: expected an int of at least 1 Hz"),
        ({"extra": {"voice": "x"}}, "extra: expected names that are not fields, got 'voice'"),
        ({"extra": {"api_key": "s3cr3t"}}, "extra: .* got 'api_key'; pass the key to the client"),
    ],
)
def test_values_out_of_limits_are_refused(fields, words):
    """A value the service would refuse is refused before sending, naming field and limit."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        resolve(**fields)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("voice", 5),
        ("audio_format", b"wav"),
        ("stream_id", uuid.uuid4()),
        ("sample_rate", "24000"),
        ("bitrate", 64000.0),
        ("speed", "fast"),
        ("speed", True),
        ("reduce_silence", 1),
        ("return_timestamps", "yes"),
        ("extra", "x"),
    ],
)
def test_values_of_the_wrong_type_are_refused(field, value):
    """A value of the wrong type is a type error naming the field."""
    with pytest.raises(InputTypeError, match=field):
        resolve(**{field: value})


@pytest.mark.parametrize(
    ("name", "rate", "bitrate"), [("mp3", 32000, 32000), ("opus", 48000, 16000), ("new", 1, 1)]
)
def test_documented_and_unknown_combinations_are_accepted(name, rate, bitrate):
    """Rarely listed rates and bitrates are accepted, and any of an unknown format."""
    wire = resolve(audio_format=name, sample_rate=rate, bitrate=bitrate).to_wire()
    assert (wire["sample_rate"], wire["bitrate"]) == (rate, bitrate)


def test_config_made_directly_is_checked_too():
    """A TtsStreamConfig built without resolving is checked when it is made."""
    with pytest.raises(ConfigurationError, match="speed"):
        TtsStreamConfig(**BASE, model="m", stream_id="s", speed=3).to_wire()
    with pytest.raises(InputTypeError, match="voice: expected a str, got None"):
        TtsStreamConfig("m", "en", None, "wav", "s").to_wire()


# --- merging ---------------------------------------------------------------------------------


def test_later_layers_override_earlier_ones():
    """Keywords override the input, the input overrides the defaults."""
    config = resolve_tts_config(
        TtsStreamInput(voice="A", language="en", audio_format="wav"),
        TtsStreamInput(voice="B", language="de"),
        voice="C",
    )
    assert (config.voice, config.language, config.audio_format) == ("C", "de", "wav")


def test_input_without_a_model_keeps_the_default():
    """An input without a model has the model of the defaults."""
    config = resolve_tts_config({"model": "special", **BASE}, TtsStreamInput(voice="B"))
    assert config.model == "special"
    assert type(resolve().model) is str


def test_none_switches_a_default_off():
    """A keyword of None switches a default off; the model falls back to the built-in one."""
    config = resolve_tts_config({**BASE, "speed": 1.2, "model": "x"}, speed=None, model=None)
    assert (config.speed, config.model) == (None, "tts-rt-v2")


def test_extra_is_merged():
    """The extra fields of all layers are sent; later layers override earlier ones."""
    config = resolve_tts_config({**BASE, "extra": {"a": 1, "b": 1}}, {"extra": {"b": 2}})
    assert config.extra == {"a": 1, "b": 2}


def test_misspelt_keyword_gets_a_suggestion():
    """A keyword that is not a field is refused with the nearest field and the hint at extra."""
    with pytest.raises(ConfigurationError, match=r"'sample_rate'.*extra=\{\.\.\.\}"):
        resolve(samplerate=8000)


def test_input_defaults():
    """A bare input has the default model and nothing else."""
    bare = TtsStreamInput()
    assert bare == TtsStreamInput(model="tts-rt-v2")
    assert repr(bare) == "TtsStreamInput(model='tts-rt-v2')"
    assert merge_tts_input() == bare


def test_configs_are_values():
    """Inputs and configs compare by content, cannot be changed, and copy and pickle."""
    for value in (TtsStreamInput(voice="A"), resolve(stream_id="s")):
        assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
        assert value.replace(voice="B").voice == "B"
        with pytest.raises(AttributeError):
            value.voice = "C"
    assert resolve(stream_id="s") == resolve(stream_id="s")


# --- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("a" * 5000, 5000), ("я" * 2500, 5000), ("😀", 4), ("日本", 6)]
)
def test_text_is_counted_in_utf8_bytes(text, size):
    """Text of up to 5000 UTF-8 bytes is accepted and counted."""
    assert check_tts_text(text) == size


@pytest.mark.parametrize(
    ("text", "before"), [("a" * 5001, 0), ("я" * 2501, 0), ("ab", 4999), ("a", 5000)]
)
def test_text_over_the_stream_limit_is_refused(text, before):
    """More than 5000 bytes in a stream, however chunked, are refused naming the limit."""
    with pytest.raises(ConfigurationError, match="5000 UTF-8 bytes"):
        check_tts_text(text, before)


def test_text_that_fills_the_stream_is_accepted():
    """The last byte of a stream's limit is not refused."""
    assert check_tts_text("a", 4999) == 1


@pytest.mark.parametrize("text", [b"bytes", None, 5, ["a"]])
def test_text_must_be_a_str(text):
    """Anything but a str is refused as text."""
    with pytest.raises(InputTypeError, match="text: expected a str"):
        check_tts_text(text)


@pytest.mark.parametrize("text", ["ok \ud83d", "\udc80x"])
def test_half_of_a_surrogate_pair_is_refused(text):
    """Text with a lone surrogate, which cannot be encoded, is refused with its position."""
    with pytest.raises(ConfigurationError, match="surrogate"):
        check_tts_text(text)
