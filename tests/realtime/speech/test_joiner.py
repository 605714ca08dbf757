"""The audio of several streams becomes one, in each format, with hand-made bytes."""

from __future__ import annotations

import io
import math
import struct
import wave
from typing import Any

import pytest

from soniox_sync import SonioxConnectionError
from soniox_sync.audio import wav_header
from soniox_sync.realtime.speech.joiner import is_joinable, open_joiner
from soniox_sync.realtime.speech.ogg import ogg_page, packet_samples


def join(joiner: Any, streams: list[bytes], step: int) -> bytes:
    """Feed streams in steps; return the joined audio."""
    out = b""
    for stream in streams:
        joiner.begin()
        for at in range(0, len(stream), step):
            out += joiner.feed(stream[at : at + step])
    return out + bytes(joiner.finish())


STEPS = pytest.mark.parametrize("step", [1, 3, 7, 1000])


@STEPS
def test_half_samples_never_shift_the_next_stream(step: int) -> None:
    """A stream that ends inside a sample does not turn the next stream into noise."""
    joiner = open_joiner("pcm_s16le", 8000)
    assert join(joiner, [b"abcde", b"xyz"], step) == b"abcdxy"
    assert joiner.seconds == 3 / 8000
    joiner = open_joiner("pcm_f32le", 8000)
    assert join(joiner, [b"12345678", b"abcdef"], step) == b"12345678abcd"


@STEPS
def test_wav_headers_become_one(step: int) -> None:
    """The first header is kept without lengths; later ones and chunks after samples are dropped."""
    one = wav_header(sample_rate=8000) + b"aabbc"
    two = wav_header(sample_rate=8000, data_bytes=4) + b"ddee" + b"LIST\4\0\0\0abcd"
    joiner = open_joiner("wav", 8000)
    assert join(joiner, [one, two], step) == wav_header(sample_rate=8000) + b"aabbddee"
    assert joiner.seconds == 4 / 8000


def test_a_wav_that_changes_its_rate_is_an_error() -> None:
    """Samples of another rate cannot follow, and are not delivered."""
    joiner = open_joiner("wav", None)
    joiner.begin()
    joiner.feed(wav_header(sample_rate=8000) + b"aabb")
    joiner.begin()
    with pytest.raises(SonioxConnectionError, match="changed the audio"):
        joiner.feed(wav_header(sample_rate=16000) + b"aabb")


def mp3_frame(fill: bytes, tag: bytes = b"") -> bytes:
    """Make a frame of MPEG-2 layer III, 24 kHz, 64 kbit/s, mono: 192 bytes, 24 ms."""
    head = bytes((0xFF, 0xF3, 0x84, 0xC0))
    body = (bytes(9) + tag).ljust(188, fill)
    return head + body


@STEPS
def test_mp3_tags_and_partial_frames_are_dropped(step: int) -> None:
    """Only whole frames of audio are delivered: no ID3, no frame count, no partial frame."""
    id3 = b"ID3\4\0\0" + bytes((0, 0, 0, 20)) + bytes(20)
    frames = [mp3_frame(bytes((number,))) for number in range(1, 7)]
    first = id3 + mp3_frame(b"\0", b"Info") + b"".join(frames[:3]) + frames[3][:100]
    second = id3 + mp3_frame(b"\0", b"Xing") + b"".join(frames[4:])
    joiner = open_joiner("mp3", 24000)
    assert join(joiner, [first, second], step) == b"".join(frames[:3] + frames[4:])
    assert joiner.seconds == pytest.approx(5 * 0.024)


def adts_frame(fill: int, size: int = 50) -> bytes:
    """Make an ADTS frame at 24 kHz."""
    head = bytes((0xFF, 0xF1, 6 << 2, size >> 11 & 3, size >> 3 & 0xFF, (size & 7) << 5, 0))
    return head.ljust(size, bytes((fill,)))


@STEPS
def test_aac_frames_follow_each_other(step: int) -> None:
    """AAC frames of two streams become one sequence; a partial frame is dropped."""
    frames = [adts_frame(number, 20 + number) for number in range(1, 6)]
    joiner = open_joiner("aac", 24000)
    streams = [b"".join(frames[:3]) + frames[3][:12], frames[4]]
    assert join(joiner, streams, step) == b"".join(frames[:3]) + frames[4]
    assert joiner.seconds == pytest.approx(4 * 1024 / 24000)


@STEPS
@pytest.mark.parametrize("audio_format", ["mp3", "aac", "opus", "flac", "something-new"])
def test_bytes_of_another_format_are_passed_on(audio_format: str, step: int) -> None:
    """Bytes that do not have the declared format are all passed on unchanged."""
    joiner = open_joiner(audio_format, 24000)
    assert join(joiner, [b"no frame at all", b"nor this"], step) == b"no frame at allnor this"
    assert joiner.seconds is None


def opus_stream(serial: int, packets: list[bytes]) -> bytes:
    """Make an Ogg Opus stream, one packet of 20 ms on each page."""
    head = b"OpusHead\1\1" + struct.pack("<HIhB", 312, 24000, 0, 0)
    pages = [
        ogg_page(2, 0, serial, 0, bytes((len(head),)), head),
        ogg_page(0, 0, serial, 1, b"\x0c", b"OpusTags\0\0\0\0"),
    ]
    for number, packet in enumerate(packets, 1):
        flags = 4 if number == len(packets) else 0
        table = bytes((len(packet),))
        pages.append(ogg_page(flags, 960 * number, serial, number + 1, table, packet))
    return b"".join(pages)


def pages_of(data: bytes) -> list[tuple[int, int, int, int, bytes]]:
    """Read pages: flags, granule, serial, number, data. Checks their checksums."""
    found = []
    while data:
        assert data[:4] == b"OggS"
        flags, granule, serial, number, crc, count = struct.unpack_from("<BqIIIB", data, 5)
        table = data[27 : 27 + count]
        size = 27 + count + sum(table)
        bare = data[:22] + bytes(4) + data[26:size]
        assert crc == slow_crc(bare)
        found.append((flags, granule, serial, number, data[27 + count : size]))
        data = data[size:]
    return found


def slow_crc(data: bytes) -> int:
    """Compute the checksum bit by bit, as RFC 3533 describes it."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)
    return crc & 0xFFFFFFFF


@STEPS
def test_opus_pages_become_one_stream(step: int) -> None:
    """Pages of two streams become one stream: one header, one numbering, one end."""
    joiner = open_joiner("opus", 24000)
    a, b, c, d = (b"\x08" + letter for letter in (b"a", b"b", b"c", b"d"))  # 20 ms each
    joined = join(joiner, [opus_stream(7, [a, b]), opus_stream(9, [c, d])], step)
    pages = pages_of(joined)
    assert [page[4] for page in pages[2:]] == [a, b, c, d, b""]
    assert [page[3] for page in pages] == list(range(7))
    assert {page[2] for page in pages} == {7}
    assert [page[1] for page in pages[2:]] == [960, 1920, 2880, 3840, 3840]
    assert [page[0] for page in pages] == [2, 0, 0, 0, 0, 0, 4]
    assert joiner.seconds == pytest.approx((3840 - 312) / 48000)


@pytest.mark.parametrize(
    ("start", "ms"),
    [
        (b"\x00", 10),  # SILK, one frame
        (b"\x18", 60),
        (b"\x61", 20),  # hybrid, two frames of 10 ms
        (b"\x6a", 40),
        (b"\x80", 2.5),  # CELT
        (b"\xf8", 20),
        (b"\xfb\x06", 120),  # six frames, according to the second byte
        (b"\xfb\xc3", 60),  # its upper bits have another meaning
        (b"", 0),
        (b"\xfb", 0),
    ],
)
def test_opus_packets_contain_their_duration(start: bytes, ms: float) -> None:
    """The first bytes of a packet contain its number of samples (RFC 6716, 3.1)."""
    assert packet_samples(start) == ms * 48


def test_opus_packets_over_several_pages_are_counted_once() -> None:
    """A packet over two pages counts on the page where it ends."""
    head = opus_stream(7, [])
    long = b"\x08" + bytes(299)
    parts = [
        ogg_page(0, -1, 7, 2, b"\xff", long[:255]),
        ogg_page(1, 960, 7, 3, b"\x2d", long[255:]),
    ]
    pages = pages_of(join(open_joiner("opus", 24000), [head + b"".join(parts)], 1000))
    assert [page[1] for page in pages[2:]] == [-1, 960, 960]


def encoded(audio_format: str, seconds: float, rate: int = 24000) -> bytes:
    """Encode a hum with a real encoder."""
    pytest.importorskip("soundfile")
    from soniox_sync.sandbox.audio.encoders import open_encoder

    count = int(seconds * rate)
    wave_ = struct.pack(f"<{count}h", *(int(8000 * math.sin(at / 9)) for at in range(count)))
    encoder = open_encoder(audio_format, rate, None)
    return encoder.feed(wave_) + encoder.finish()


def test_real_mp3_streams_join() -> None:
    """Streams of a real encoder are decoded as one, with their total duration."""
    miniaudio = pytest.importorskip("miniaudio")
    joiner = open_joiner("mp3", 24000)
    joined = join(joiner, [encoded("mp3", 1.0), encoded("mp3", 0.5)], 500)
    decoded = miniaudio.decode(joined, nchannels=1, sample_rate=24000)
    assert decoded.num_frames / 24000 == pytest.approx(1.5, abs=0.2)
    assert joiner.seconds == pytest.approx(decoded.num_frames / 24000, abs=0.1)


@pytest.mark.parametrize("rate", [8000, 24000, 48000])
def test_real_opus_streams_join(rate: int) -> None:
    """Three Ogg Opus streams of a real encoder are read by another library as one."""
    soundfile = pytest.importorskip("soundfile")
    joiner = open_joiner("opus", rate)
    parts = [encoded("opus", seconds, rate) for seconds in (1.0, 0.5, 2.0)]
    joined = join(joiner, parts, 700)
    assert joined.count(b"OpusHead") == 1
    with soundfile.SoundFile(io.BytesIO(joined)) as file:
        samples = file.buffer_read(dtype="int16")
        assert len(samples) / 2 / file.samplerate == pytest.approx(3.5, abs=0.1)
    assert joiner.seconds == pytest.approx(3.5, abs=0.1)


def test_only_known_formats_are_joined() -> None:
    """Only FLAC and unknown formats need a single stream."""
    for name in ("wav", "pcm_s16le", "pcm_mulaw", "mulaw", "mp3", "aac", "opus"):
        assert is_joinable(name)
    for name in ("flac", "something-new"):
        assert not is_joinable(name)


def test_a_joined_wav_is_read_by_others() -> None:
    """The standard library reads the joined WAV of two streams."""
    joiner = open_joiner("wav", 8000)
    stream = wav_header(sample_rate=8000) + bytes(100)
    data = bytearray(join(joiner, [stream, stream], 9))
    data[4:8] = struct.pack("<I", len(data) - 8)
    data[40:44] = struct.pack("<I", len(data) - 44)
    with wave.open(io.BytesIO(bytes(data))) as reader:
        assert reader.getnframes() == 100
