"""`soniox_sync.audio.formats`: sizes, names and exact conversions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import soniox_sync.audio as audio
from soniox_sync.audio import (
    RAW_FORMATS,
    STT_CONTAINERS,
    TTS_FORMATS,
    RawAudio,
    default_tts_sample_rate,
    is_raw,
    raw_format,
    stt_format_name,
    tts_format_name,
)
from soniox_sync.errors import ConfigurationError, InputTypeError

# copied from PROTOCOL 6.1
SAMPLE_BYTES = {
    "pcm_s8": 1,
    "pcm_u8": 1,
    "pcm_s16le": 2,
    "pcm_s16be": 2,
    "pcm_u16le": 2,
    "pcm_u16be": 2,
    "pcm_s24le": 3,
    "pcm_s24be": 3,
    "pcm_u24le": 3,
    "pcm_u24be": 3,
    "pcm_s32le": 4,
    "pcm_s32be": 4,
    "pcm_u32le": 4,
    "pcm_u32be": 4,
    "pcm_f32le": 4,
    "pcm_f32be": 4,
    "pcm_f64le": 8,
    "pcm_f64be": 8,
    "mulaw": 1,
    "alaw": 1,
}


def test_raw_table_is_the_documented_one():
    """The raw table contains the twenty documented formats with their sample sizes."""
    assert {name: f.sample_bytes for name, f in RAW_FORMATS.items()} == SAMPLE_BYTES


def test_encoding_and_byte_order_are_described():
    """A raw format has encoding, byte order and bits."""
    big = raw_format("pcm_f32be")
    assert (big.encoding, big.little_endian, big.bits) == ("float", False, 32)
    assert raw_format("pcm_u24le").encoding == "uint"
    assert raw_format("mulaw").encoding == "mulaw"


@pytest.mark.parametrize("name", sorted(STT_CONTAINERS | {"auto", "m4a", "pcm_s17le", ""}))
def test_containers_and_unknown_names_are_not_raw(name):
    """Containers, auto and unknown names are not raw and have no sample size."""
    assert not is_raw(name)
    assert raw_format(name) is None


@pytest.mark.parametrize(("stt", "tts"), [("mulaw", "pcm_mulaw"), ("alaw", "pcm_alaw")])
def test_companded_names_translate_both_ways(stt, tts):
    """The companded formats have one name per direction; both are accepted everywhere."""
    assert stt_format_name(tts) == stt_format_name(stt) == stt
    assert tts_format_name(stt) == tts_format_name(tts) == tts
    assert is_raw(stt)
    assert is_raw(tts)
    assert RawAudio(tts, 8000).bytes_per_second == 8000


def test_other_names_do_not_change():
    """Names without a second spelling pass through the translation unchanged."""
    assert stt_format_name("pcm_s16le") == tts_format_name("pcm_s16le") == "pcm_s16le"
    assert stt_format_name("something_new") == "something_new"


@pytest.mark.parametrize(
    ("name", "rate", "channels", "frame", "second"),
    [
        ("pcm_s16le", 16000, 1, 2, 32000),
        ("pcm_s16le", 44100, 2, 4, 176400),
        ("pcm_s24be", 48000, 2, 6, 288000),
        ("pcm_f64le", 8000, 1, 8, 64000),
        ("alaw", 8000, 1, 1, 8000),
    ],
)
def test_sizes_of_frames_and_seconds(name, rate, channels, frame, second):
    """Bytes per frame and second follow from sample size, channels and rate."""
    shape = RawAudio(name, rate, channels)
    assert (shape.bytes_per_frame, shape.bytes_per_second) == (frame, second)


def test_documented_pacing_example():
    """3840 bytes of 16 kHz 16-bit mono are the 120 ms of the documentation's example."""
    shape = RawAudio("pcm_s16le", 16000)
    assert shape.bytes_to_ms(3840) == 120
    assert shape.ms_to_bytes(120) == 3840
    assert shape.bytes_to_sec(3840) == pytest.approx(0.12)


def test_conversions_round_to_whole_frames():
    """At 44.1 kHz stereo one millisecond is 44.1 frames: 44 down, 45 up."""
    shape = RawAudio("pcm_s16le", 44100, 2)
    assert shape.ms_to_bytes(1) == 44 * 4
    assert shape.ms_to_bytes(1, up=True) == 45 * 4
    assert shape.align_down(44 * 4 + 3) == 44 * 4
    assert shape.bytes_to_ms(44 * 4) == 0
    assert shape.bytes_to_ms(45 * 4 + 3) == 1


# no time limit for an example: the machine may be busy
unhurried = settings(deadline=None)

shapes = st.builds(
    RawAudio,
    st.sampled_from(sorted(RAW_FORMATS)),
    st.integers(1000, 192_000),
    st.integers(1, 8),
)


@unhurried
@given(shapes, st.integers(0, 10**9))
def test_conversion_there_and_back_is_exact(shape, ms):
    """Milliseconds converted to bytes, rounded up, and back are the same, even after days."""
    size = shape.ms_to_bytes(ms, up=True)
    assert shape.bytes_to_ms(size) == ms
    assert size % shape.bytes_per_frame == 0
    assert 0 <= size - shape.ms_to_bytes(ms) <= shape.bytes_per_frame


@unhurried
@given(shapes, st.integers(0, 10**12))
def test_bytes_to_ms_never_exceeds_the_audio(shape, size):
    """The bytes of the counted milliseconds never exceed the given bytes."""
    assert shape.ms_to_bytes(shape.bytes_to_ms(size)) <= size


@pytest.mark.parametrize(
    ("name", "rate", "channels", "error", "words"),
    [
        ("mp3", 16000, 1, ConfigurationError, "'mp3'"),
        ("pcm_s16le", 0, 1, ConfigurationError, "sample_rate"),
        ("pcm_s16le", 16000, -1, ConfigurationError, "num_channels"),
        ("pcm_s16le", 16000.0, 1, InputTypeError, "sample_rate"),
        ("pcm_s16le", 16000, True, InputTypeError, "num_channels"),
    ],
)
def test_impossible_shapes_are_refused(name, rate, channels, error, words):
    """A shape of a container, or without rate or channels, is refused by name."""
    with pytest.raises(error, match=words):
        RawAudio(name, rate, channels)


def test_tts_table_is_the_documented_one():
    """The speech table contains nine formats, with the rates and bitrates often left out."""
    assert set(TTS_FORMATS) == {
        "pcm_s16le", "pcm_f32le", "wav", "pcm_mulaw", "pcm_alaw", "flac", "mp3", "opus", "aac",
    }  # fmt: skip
    assert 32000 in TTS_FORMATS["mp3"].sample_rates
    assert 16000 in TTS_FORMATS["opus"].bitrates
    assert 8000 not in TTS_FORMATS["flac"].sample_rates
    assert TTS_FORMATS["wav"].bitrates == ()
    assert TTS_FORMATS["pcm_alaw"].sample_rates == (8000,)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("pcm_s16le", 24000), ("wav", 24000), ("pcm_mulaw", 8000), ("alaw", 8000), ("new", 24000)],
)
def test_default_rate_of_speech(name, rate):
    """Speech defaults to 24 kHz, the companded formats to 8 kHz."""
    assert default_tts_sample_rate(name) == rate


def test_every_default_rate_is_allowed():
    """Each format's default rate is among its own rates."""
    assert all(f.default_sample_rate in f.sample_rates for f in TTS_FORMATS.values())


def test_package_exports_exist():
    """Every name listed by the audio package can be loaded, others cannot."""
    for name in audio.__all__:
        assert getattr(audio, name) is not None
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = audio.nothing_here
