"""WAV headers: all kinds are read, and those written here are correct."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soniox_sync.audio import WavParser, WavReader, wav_header
from soniox_sync.errors import ConfigurationError, StateError
from tests.audio.wav.helpers import PLAIN, SAMPLES, chunk, fmt, parse, riff

# no time limit for an example: the machine may be busy
unhurried = settings(deadline=None)

GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def test_plain_header_is_read():
    """A 44-byte PCM header has format, rate, channels, offset, length and duration."""
    header, rest = parse(PLAIN)
    assert (header.audio_format, header.sample_rate, header.num_channels) == ("pcm_s16le", 16000, 1)
    assert (header.data_offset, header.data_bytes) == (44, len(SAMPLES))
    assert header.duration_ms == 32
    assert rest == SAMPLES


@pytest.mark.parametrize(
    ("tag", "size", "name"),
    [
        (1, 1, "pcm_u8"),
        (1, 2, "pcm_s16le"),
        (1, 3, "pcm_s24le"),
        (1, 4, "pcm_s32le"),
        (3, 4, "pcm_f32le"),
        (3, 8, "pcm_f64le"),
        (6, 1, "alaw"),
        (7, 1, "mulaw"),
    ],
)
@pytest.mark.parametrize("extensible", [False, True])
def test_formats_have_the_names_of_transcription(tag, size, name, extensible):
    """Every sample format, plain or extensible, has the service's name."""
    body = fmt(0xFFFE if extensible else tag, 2, 48000, size)
    if extensible:
        body += struct.pack("<HHIH", 22, size * 8, 3, tag) + GUID_TAIL
    header, _ = parse(riff(chunk(b"fmt ", body), chunk(b"data", SAMPLES)))
    assert (header.audio_format, header.num_channels) == (name, 2)


def test_samples_are_measured_by_their_container():
    """20-bit samples stored in three bytes are 24-bit samples."""
    header, _ = parse(riff(chunk(b"fmt ", fmt(1, 2, 48000, 3, bits=20)), chunk(b"data", SAMPLES)))
    assert header.audio_format == "pcm_s24le"


@pytest.mark.parametrize(("channels", "is_read"), [(262, True), (263, False)])
def test_a_second_has_no_more_bytes_than_its_field_holds(channels: int, is_read: bool) -> None:
    """4,096,000 samples of 4 bytes, 262 times, fit into 32 bits; what does not is malformed."""
    body = struct.pack("<HHIIHH", 3, channels, 4_096_000, 0, 0, 32)
    wav = riff(chunk(b"fmt ", body), chunk(b"data", SAMPLES))
    if is_read:
        header, _ = parse(wav)
        assert header is not None
        again = wav_header("pcm_f32le", sample_rate=4_096_000, num_channels=channels)
        assert parse(again)[0].num_channels == channels
    else:
        with pytest.raises(ConfigurationError, match="263 channels and a sample rate of 4096000"):
            parse(wav)


def test_other_chunks_before_the_samples_are_skipped():
    """Chunks of odd and large sizes before `data` are skipped, padding included."""
    extra = chunk(b"JUNK", b"x" * 28) + chunk(b"LIST", b"y" * 70_001) + chunk(b"bext", b"z")
    wav = riff(extra, chunk(b"fmt ", fmt(7, 1, 8000, 1)), chunk(b"fact", b"1234"), PLAIN[36:])
    header, rest = parse(wav)
    assert header.data_offset == len(wav) - len(SAMPLES)
    assert rest == SAMPLES


@unhurried
@given(st.sets(st.integers(0, 70)))
def test_header_may_be_split_anywhere(cuts):
    """A header split at random positions is read like an unsplit one."""
    wav = riff(
        chunk(b"LIST", b"odd"), chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", SAMPLES[:50])
    )
    parser, header, late = WavParser(), None, b""
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(wav)]):
        if header is None:
            header = parser.feed(wav[start:end])
        else:
            late += wav[start:end]
    assert header.data_offset == len(wav) - 50
    assert parser.rest + late == SAMPLES[:50]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000])
def test_placeholder_lengths_mean_unknown(size):
    """The placeholder lengths that streams write are reported as None."""
    wav = riff(chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", b"", size))
    header, _ = parse(wav)
    assert header.data_bytes is None
    assert header.duration_ms is None


def test_a_whole_file_without_samples_is_empty():
    """An empty data chunk with another chunk after it is empty, not of unknown length."""
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    body += b"data" + bytes(4) + b"LIST" + struct.pack("<I", 4) + b"abcd"
    reader = WavReader(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert (reader.header.data_bytes, reader.read()) == (0, b"")


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_64_bit_lengths_are_read(magic):
    """RF64 and BW64 take the length from their ds64 chunk."""
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 6 * 2**30, 5 * 2**30, 0, 0))
    wav = riff(
        ds64, chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", b"", 0xFFFFFFFF), magic=magic
    )
    header, _ = parse(wav)
    assert header.data_bytes == 5 * 2**30


@pytest.mark.parametrize(
    ("wav", "words"),
    [
        (b"ID3\x04", "not a WAV"),
        (b"OggS", "not a WAV"),
        (b"RIFF\0\0\0\0AVI LIST", "not a WAV"),
        (riff(chunk(b"data", SAMPLES)), "before their format"),
        (riff(chunk(b"fmt ", b"short")), "too short"),
        (riff(chunk(b"fmt ", b"\1", 100_000)), "100000 bytes"),
        (riff(chunk(b"fmt ", fmt(1, 0, 16000, 2))), "0 channels"),
        (riff(chunk(b"fmt ", fmt(1, 1, 0, 2))), "rate of 0 Hz"),
        (riff(chunk(b"fmt ", fmt(1, 2000, 16000, 2))), "2000 channels"),
        (riff(chunk(b"fmt ", fmt(1, 1, 2**29, 2))), "rate of 536870912 Hz"),
        (riff(PLAIN[12:], magic=b"RIFX"), "big-endian"),
        (b"\0\0\0\x20ftypM4A ", "but like m4a"),
        (b"OggS", "but like ogg"),
        (riff(chunk(b"fmt ", fmt(0x55, 2, 44100, 1))), "0x0055"),
        (riff(chunk(b"junk", b"", 2**31)), "'junk' chunk has 2147483648 bytes.*16 MiB"),
        (riff(PLAIN[12:36], b"\0" * 40), "no chunk starts at byte 36"),
    ],
)
def test_what_is_not_a_usable_wav_is_refused(wav, words):
    """Foreign files, damaged headers and compressed WAVs are refused with the reason."""
    with pytest.raises(ConfigurationError, match=words):
        parse(wav + chunk(b"data", SAMPLES))


@unhurried
@given(st.binary(max_size=200))
def test_damaged_headers_never_crash(noise):
    """Arbitrary bytes after the magic lead to a header, a wait or a ConfigurationError."""
    parser = WavParser()
    try:
        header = parser.feed(b"RIFF\0\0\0\0WAVE" + noise)
    except ConfigurationError:
        return
    assert header is None or header.sample_rate > 0


def test_parser_refuses_bytes_after_the_header():
    """Feeding a parser after its header is complete is a StateError."""
    parser = WavParser()
    parser.feed(PLAIN)
    with pytest.raises(StateError, match="rest"):
        parser.feed(b"more")


# --- headers made here -----------------------------------------------------------------------


def test_pcm_header_has_the_classic_layout():
    """The PCM header has 44 bytes, each where the format's definition puts it."""
    assert wav_header(sample_rate=24000, data_bytes=1000) == (
        b"RIFF\x0c\x04\x00\x00WAVEfmt \x10\x00\x00\x00"
        b"\x01\x00\x01\x00\xc0\x5d\x00\x00\x80\xbb\x00\x00\x02\x00\x10\x00"
        b"data\xe8\x03\x00\x00"
    )


def test_streamed_header_has_unknown_lengths():
    """A header without a length has 0xFFFFFFFF in both fields."""
    header = wav_header(sample_rate=24000)
    assert header[4:8] == header[40:44] == b"\xff\xff\xff\xff"


def test_header_of_more_than_4_gib_has_unknown_lengths():
    """A length that does not fit into 32 bits is written as unknown, never truncated."""
    header = wav_header(sample_rate=24000, data_bytes=2**32 + 5)
    assert header[40:44] == b"\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("pcm_u8", "pcm_u8"),
        ("pcm_s16le", "pcm_s16le"),
        ("pcm_s24le", "pcm_s24le"),
        ("pcm_s32le", "pcm_s32le"),
        ("pcm_f32le", "pcm_f32le"),
        ("pcm_f64le", "pcm_f64le"),
        ("pcm_mulaw", "mulaw"),
        ("alaw", "alaw"),
    ],
)
def test_headers_written_are_read_back(given_name, name):
    """Every header written here is read back with the same meaning."""
    made = wav_header(given_name, sample_rate=8000, num_channels=2, data_bytes=64)
    header, rest = parse(made + SAMPLES[:64])
    assert (header.audio_format, header.sample_rate, header.num_channels) == (name, 8000, 2)
    assert (header.data_offset, header.data_bytes) == (len(made), 64)
    assert rest == SAMPLES[:64]


@pytest.mark.parametrize("name", ["pcm_s16be", "pcm_s8", "pcm_u16le", "mp3", "auto"])
def test_wav_does_not_support_every_format(name):
    """A format that WAV has no tag for is refused by name."""
    with pytest.raises(ConfigurationError, match=name):
        wav_header(name, sample_rate=8000)
