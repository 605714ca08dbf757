"""The same samples as other readers find: `wave` of the standard library, and libsndfile."""

from __future__ import annotations

import io
import struct
import wave
from typing import Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soniox_sync.audio import WavReader
from soniox_sync.errors import ConfigurationError
from soniox_sync.sandbox.audio.pcm import RawDecoder
from tests.audio.wav.helpers import chunk, riff

# no time limit for an example: the machine may be busy
unhurried = settings(deadline=None, max_examples=300)

GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")

formats = st.sampled_from(
    [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8), (0x11, 4), (0x55, 0)]
)
names = st.sampled_from([b"LIST", b"bext", b"JUNK", b"fact", b"cue ", b"iXML", b"odd "])
other_chunks = st.lists(st.tuples(names, st.binary(max_size=40)), max_size=3)


@st.composite
def wavs(draw: st.DrawFn) -> bytes:
    """Build a WAV whose derived fields, lengths and other chunks may be anything."""
    tag, bits = draw(formats)
    channels = draw(st.integers(1, 3))
    rate = draw(st.sampled_from([8000, 16000, 44100, 192000]))
    align = draw(st.sampled_from([bits // 8 * channels, 1, 2, 4, 0]))
    byte_rate = draw(st.sampled_from([rate * align, 0, rate]))
    body = struct.pack("<HHIIHH", tag, channels, rate, byte_rate, align, bits)
    if draw(st.booleans()):
        body = b"\xfe\xff" + body[2:] + struct.pack("<HHIH", 22, bits, 0, tag) + GUID_TAIL
    elif draw(st.booleans()):
        body += b"\0\0"
    samples = draw(st.binary(min_size=48, max_size=200))
    size = draw(st.sampled_from([len(samples), len(samples) - 1, len(samples) + 50]))
    before = [chunk(name, data) for name, data in draw(other_chunks)]
    after = [chunk(name, data) for name, data in draw(other_chunks)]
    data = chunk(b"data", samples, size)
    if size < len(samples):
        data = chunk(b"data", samples[:size])
    return riff(*before, chunk(b"fmt ", body), *before, data, *(after if size < 200 else []))


def read_here(wav: bytes) -> Optional[tuple[int, int, bytes]]:
    """Return rate, channels and samples as they are read here, `None` if they are refused."""
    try:
        with WavReader(wav) as reader:
            frame = reader.header.raw_audio.bytes_per_frame
            data = reader.read()
            return reader.sample_rate, reader.num_channels, data[: len(data) // frame * frame]
    except ConfigurationError:
        return None


@unhurried
@given(wavs())
def test_like_the_standard_library(wav: bytes) -> None:
    """What `wave` can read is read here, as the same samples."""
    try:
        with wave.open(io.BytesIO(wav)) as reader:
            params, data = reader.getparams(), reader.readframes(1000)
    except (wave.Error, EOFError):
        return
    frame = params.nchannels * params.sampwidth
    whole = data[: len(data) // frame * frame]
    assert read_here(wav) == (params.framerate, params.nchannels, whole)


@unhurried
@given(wavs())
def test_like_libsndfile(wav: bytes) -> None:
    """What libsndfile reads as plain samples is read here, with the same values."""
    soundfile = pytest.importorskip("soundfile", reason="needs the extra sandbox: no soundfile")
    try:
        with soundfile.SoundFile(io.BytesIO(wav)) as reader:
            shape = reader.samplerate, reader.channels
            is_plain = "ADPCM" not in reader.subtype and reader.subtype != "MPEG_LAYER_III"
            values = reader.read(dtype="float64", always_2d=True) if is_plain else None
    except soundfile.LibsndfileError:
        return
    here = read_here(wav)
    if values is None:
        assert here is None
        return
    assert here is not None
    assert here[:2] == shape
    with WavReader(wav) as header:
        decoder = RawDecoder(header.audio_format, header.sample_rate, 1)
    ours = decoder.feed(here[2]) + decoder.finish()
    assert len(ours) // 2 == values.size
    if header.audio_format.startswith("pcm_s"):
        expected = [int(value * 32768 // 1) for value in values.ravel()]
        assert list(struct.unpack(f"<{len(ours) // 2}h", ours)) == expected
