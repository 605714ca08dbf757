"""Headers of many recorders: wrong fields that players ignore, lengths that are not true."""

from __future__ import annotations

import struct
from typing import Any, Optional

import pytest

from soniox_sync.audio import WavParser, WavReader
from soniox_sync.errors import ConfigurationError
from tests.audio.wav.helpers import SAMPLES, chunk, fmt, riff

GUID = bytes.fromhex("000000001000800000aa00389b71")
AMBISONICS = bytes.fromhex("00002107d3118644c8c1ca000000")
LIST = chunk(b"LIST", b"INFOISFT\5\0\0\0abcd\0\0")


def head(tag: int, channels: int, align: int, bits: int, byte_rate: Optional[int] = None) -> bytes:
    """Build the first 16 bytes of a format chunk; every field may be wrong."""
    rate = 16000 * align if byte_rate is None else byte_rate
    return struct.pack("<HHIIHH", tag, channels, 16000, rate, align, bits)


def extension(tag: int, valid_bits: int, tail: bytes = GUID) -> bytes:
    """Build the 24 bytes that make a format chunk extensible."""
    return struct.pack("<HHIH", 22, valid_bits, 3, tag) + tail


def read(wav: bytes) -> tuple[str, int, bytes]:
    """Return format, channels and samples of a WAV."""
    reader = WavReader(wav)
    return reader.audio_format, reader.num_channels, reader.read()


def wav_of(format_body: bytes, *after: bytes) -> bytes:
    return riff(chunk(b"fmt ", format_body), chunk(b"data", SAMPLES), *after)


@pytest.mark.parametrize("align", [0, 1, 2, 3, 4, 6, 8, 0xFFFF])
@pytest.mark.parametrize("byte_rate", [0, 16000, 0xFFFFFFFF, None])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(
    ("tag", "bits", "name"),
    [
        (1, 8, "pcm_u8"),
        (1, 16, "pcm_s16le"),
        (1, 24, "pcm_s24le"),
        (1, 32, "pcm_s32le"),
        (3, 32, "pcm_f32le"),
        (3, 64, "pcm_f64le"),
    ],
)
def test_the_bits_of_a_sample_decide(
    tag: int, bits: int, name: str, channels: int, byte_rate: Optional[int], align: int
) -> None:
    """With whole bytes in a sample, a wrong block alignment or byte rate changes nothing."""
    assert read(wav_of(head(tag, channels, align, bits, byte_rate))) == (name, channels, SAMPLES)


@pytest.mark.parametrize(
    ("bits", "align", "name"),
    [
        (12, 4, "pcm_s16le"),
        (20, 6, "pcm_s24le"),
        (20, 8, "pcm_s32le"),
        (12, 2, "pcm_s16le"),
        (20, 0, "pcm_s24le"),
        (20, 5, "pcm_s24le"),
        (0, 4, "pcm_s16le"),
    ],
)
def test_the_alignment_decides_where_bits_do_not(bits: int, align: int, name: str) -> None:
    """Stereo samples of 12 or 20 bits, or of none, have the size that the alignment gives them.

    If that is impossible, they have the fewest whole bytes.
    """
    assert read(wav_of(head(1, 2, align, bits))) == (name, 2, SAMPLES)


@pytest.mark.parametrize(("tag", "name"), [(6, "alaw"), (7, "mulaw")])
@pytest.mark.parametrize(("align", "bits"), [(1, 8), (1, 16), (2, 16), (0, 0), (4, 8)])
def test_companded_samples_have_one_byte(tag: int, name: str, align: int, bits: int) -> None:
    """A-law and mu-law have a byte for each sample, also if the header has 16 bits."""
    assert read(wav_of(head(tag, 1, align, bits))) == (name, 1, SAMPLES)


@pytest.mark.parametrize(
    ("tag", "align", "bits", "valid", "name"),
    [
        (1, 2, 16, 16, "pcm_s16le"),
        (1, 4, 32, 24, "pcm_s32le"),
        (1, 4, 32, 20, "pcm_s32le"),
        (1, 3, 24, 20, "pcm_s24le"),
        (1, 3, 24, 0, "pcm_s24le"),
        (1, 1, 16, 16, "pcm_s16le"),
        (1, 1, 8, 8, "pcm_u8"),
        (3, 4, 32, 32, "pcm_f32le"),
        (3, 8, 64, 64, "pcm_f64le"),
        (6, 1, 8, 8, "alaw"),
        (7, 1, 8, 8, "mulaw"),
    ],
)
@pytest.mark.parametrize("tail", [GUID, AMBISONICS], ids=["plain", "ambisonics"])
def test_extensible_formats(
    tag: int, align: int, bits: int, valid: int, name: str, tail: bytes
) -> None:
    """An extensible format has its bits per container: 24 valid ones in 32 are 32."""
    body = head(0xFFFE, 1, align, bits) + extension(tag, valid, tail)
    assert read(wav_of(body)) == (name, 1, SAMPLES)


@pytest.mark.parametrize(
    "body",
    [
        head(0xFFFE, 1, 2, 16),
        head(0xFFFE, 1, 2, 16) + b"\0\0",
        head(0xFFFE, 1, 2, 16) + extension(1, 16, bytes(14)),
        head(0xFFFE, 1, 2, 16) + extension(0x55, 16),
        head(3, 1, 2, 16),
        head(3, 1, 3, 24),
        head(1, 1, 8, 64),
        head(0, 1, 2, 16),
    ],
)
def test_formats_without_a_name_in_transcription_are_refused(body: bytes) -> None:
    """Unknown subformats and samples of unusual sizes are refused with a conversion."""
    with pytest.raises(ConfigurationError, match=r"^WAV format 0x.*convert it to 16-bit PCM"):
        WavReader(wav_of(body))


@pytest.mark.parametrize(
    ("tag", "name"),
    [(0x02, "Microsoft ADPCM"), (0x11, "IMA ADPCM"), (0x31, "GSM 6.10"), (0x55, "mp3")],
)
def test_compressed_samples_are_named(tag: int, name: str) -> None:
    """The message for compressed samples contains the name of their encoding."""
    with pytest.raises(ConfigurationError) as caught:
        WavReader(wav_of(head(tag, 1, 256, 4) + b"\2\0\xf9\1"))
    assert f"WAV format {tag:#06x} ({name}) cannot be streamed" in str(caught.value)


@pytest.mark.parametrize("extra", [b"", b"\0", b"\0\0", b"\0" * 3, bytes(24)])
def test_format_chunks_of_every_length(extra: bytes) -> None:
    """A format chunk may be longer than 16 bytes, even odd."""
    assert read(wav_of(head(1, 2, 4, 16) + extra)) == ("pcm_s16le", 2, SAMPLES)


# -- padding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [b"\0", b"", b"x", b"\xff", b" "])
@pytest.mark.parametrize("name", [b"LIST", b"bext", b"odd1", b"fmt "])
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_an_odd_chunk_may_lack_its_padding(padding: bytes, name: bytes, step: int) -> None:
    """The byte after an odd chunk is skipped unless a chunk's name begins with it."""
    format_body = head(1, 1, 2, 16)
    odd = name + struct.pack("<I", 17) + format_body + b"\1" + padding
    before = b"" if name == b"fmt " else chunk(b"fmt ", format_body)
    wav = riff(before, odd, chunk(b"data", SAMPLES))
    parser = WavParser()
    header, at = None, 0
    while header is None:
        header = parser.feed(wav[at : at + step])
        at += step
    assert (header.audio_format, header.data_bytes) == ("pcm_s16le", len(SAMPLES))
    assert parser.rest + wav[at:] == SAMPLES


# -- lengths ---------------------------------------------------------------------------------------


def sized(data_size: int, riff_size: Optional[int], data: bytes, magic: bytes = b"RIFF") -> bytes:
    """Build a WAV with any lengths in its header."""
    body = b"WAVE" + chunk(b"fmt ", fmt(1, 1, 16000, 2)) + b"data"
    body += struct.pack("<I", data_size) + data
    return magic + struct.pack("<I", len(body) if riff_size is None else riff_size) + body


@pytest.mark.parametrize("riff_size", [None, 36, 0, 0xFFFFFFFF, 0x7FFFF024, 0x80000024])
@pytest.mark.parametrize("data_size", [0, 0xFFFFFFFF, 0xFFFFFFDB, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("samples", [SAMPLES, bytes(2000), b"\1\0", b"RIFFRIFF" * 9], ids=len)
def test_samples_behind_a_length_of_nothing_are_read(
    samples: bytes, data_size: int, riff_size: Optional[int]
) -> None:
    """Samples are read to the end if their length is 0 or stands for unknown."""
    reader = WavReader(sized(data_size, riff_size, samples))
    assert (reader.header.data_bytes, reader.read()) == (None, samples)


@pytest.mark.parametrize("after", [LIST, chunk(b"id3 ", b"ID3\4"), chunk(b"odd ", b"x")])
def test_a_chunk_behind_no_samples_is_not_read_as_samples(after: bytes) -> None:
    """If a chunk that fits into the file follows, a length of 0 is true."""
    reader = WavReader(sized(0, None, after))
    assert (reader.header.data_bytes, reader.read()) == (0, b"")


@pytest.mark.parametrize("size", [4, 12, 0x10000, 0xFFFFFFFF])
def test_a_chunk_that_does_not_fit_is_samples(size: int) -> None:
    """Printable bytes are samples if the length after them leads beyond the file."""
    samples = b"LIST" + struct.pack("<I", size)
    assert WavReader(sized(0, None, samples)).read() == samples


@pytest.mark.parametrize(
    ("size", "data", "samples"),
    [
        (5000, SAMPLES, SAMPLES),
        (len(SAMPLES) + 1, SAMPLES, SAMPLES),
        (7, SAMPLES, SAMPLES[:7]),
        (8, SAMPLES[:8] + LIST, SAMPLES[:8]),
        (0, b"", b""),
        (5000, b"", b""),
    ],
)
def test_the_file_ends_where_its_samples_do(size: int, data: bytes, samples: bytes) -> None:
    """A length beyond the file is cut at its end, a shorter one at the chunks that follow."""
    assert WavReader(sized(size, None, data)).read() == samples


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
@pytest.mark.parametrize("has_table", [False, True])
@pytest.mark.parametrize(
    ("size_64", "size", "expected"),
    [
        (len(SAMPLES), 0xFFFFFFFF, len(SAMPLES)),
        (0, 0xFFFFFFFF, None),
        (2**64 - 1, 0xFFFFFFFF, None),
        (7 * 2**32, len(SAMPLES), len(SAMPLES)),
        (7 * 2**32, 0xFFFFFFFF, 7 * 2**32),
    ],
)
def test_files_of_64_bits(
    magic: bytes, has_table: bool, size_64: int, size: int, expected: Optional[int]
) -> None:
    """The long length counts where the short one says so; both may be unknown."""
    ds64 = struct.pack("<QQQI", 2**40, size_64, 0, int(has_table))
    ds64 += b"big1" + bytes(8) if has_table else b""
    wav = riff(
        chunk(b"ds64", ds64),
        LIST,
        chunk(b"fmt ", fmt(1, 1, 16000, 2)),
        chunk(b"data", SAMPLES, size),
        magic=magic,
    )
    wav = wav[:4] + b"\xff" * 4 + wav[8:]
    reader = WavReader(wav)
    assert (reader.header.data_bytes, reader.read()) == (expected, SAMPLES)


@pytest.mark.parametrize("count", range(16))
def test_a_header_is_complete_at_the_end(count: int) -> None:
    """What follows a length of 0 decides; a stream that ends before it has these few samples."""
    parser = WavParser()
    assert (parser.feed(sized(0, 1000, SAMPLES[:count])) is None) is (count < 8)
    if count < 8:
        header = parser.finish()
        assert header is not None
        assert header.data_bytes is None
    assert parser.rest == SAMPLES[:count]


@pytest.mark.parametrize("size", range(0, 44, 3))
def test_a_header_that_ends_early_is_incomplete(size: int) -> None:
    """`finish()` returns no header for a stream that ended inside it."""
    parser: Any = WavParser()
    assert parser.feed(sized(2, None, b"")[:size]) is None
    assert parser.finish() is None
