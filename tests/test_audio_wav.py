"""What `soniox_sync.audio.wav` promises: any header read, no wrong length left behind."""

from __future__ import annotations

import gzip
import io
import os
import struct
import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soniox_sync.audio import (
    WavParser,
    WavReader,
    WavSaver,
    WavWriter,
    save_audio,
    wav_header,
)
from soniox_sync.errors import ConfigurationError, InputTypeError, StateError

# no time limit for one example: the machine may be busy with other things
unhurried = settings(deadline=None)

SAMPLES = bytes(range(256)) * 4
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, size: int = -1) -> bytes:
    """Build a RIFF chunk, padded, with a false size if asked."""
    declared = len(body) if size < 0 else size
    return name + struct.pack("<I", declared) + body + b"\0" * (len(body) % 2)


def fmt(tag: int, channels: int, rate: int, sample_bytes: int, bits: int = 0) -> bytes:
    """Build the body of a plain format chunk."""
    align = channels * sample_bytes
    return struct.pack(
        "<HHIIHH", tag, channels, rate, rate * align, align, bits or sample_bytes * 8
    )


def riff(*chunks: bytes, magic: bytes = b"RIFF") -> bytes:
    """Put chunks together to a WAV."""
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body)) + body


PLAIN = riff(chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", SAMPLES))


def parse(data: bytes):
    """Feed a whole WAV at once."""
    parser = WavParser()
    return parser.feed(data), parser.rest


def test_plain_header_is_read():
    """A 44-byte PCM header gives format, rate, channels, offset, length and duration."""
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
def test_formats_are_named_as_transcription_wants(tag, size, name, extensible):
    """Every sample format, plain or extensible, has the name the service knows."""
    body = fmt(0xFFFE if extensible else tag, 2, 48000, size)
    if extensible:
        body += struct.pack("<HHIH", 22, size * 8, 3, tag) + GUID_TAIL
    header, _ = parse(riff(chunk(b"fmt ", body), chunk(b"data", SAMPLES)))
    assert (header.audio_format, header.num_channels) == (name, 2)


def test_samples_are_measured_by_their_container():
    """20-bit samples that lie in three bytes are 24-bit samples."""
    header, _ = parse(riff(chunk(b"fmt ", fmt(1, 2, 48000, 3, bits=20)), chunk(b"data", SAMPLES)))
    assert header.audio_format == "pcm_s24le"


def test_other_chunks_before_the_samples_are_skipped():
    """Chunks of odd and large sizes before `data` are skipped, padding included."""
    extra = chunk(b"JUNK", b"x" * 28) + chunk(b"LIST", b"y" * 70_001) + chunk(b"bext", b"z")
    wav = riff(extra, chunk(b"fmt ", fmt(7, 1, 8000, 1)), chunk(b"fact", b"1234"), PLAIN[36:])
    header, rest = parse(wav)
    assert header.data_offset == len(wav) - len(SAMPLES)
    assert rest == SAMPLES


@unhurried
@given(st.sets(st.integers(0, 70)))
def test_header_may_come_in_any_pieces(cuts):
    """A header split at random places is read like one in a single piece."""
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
    """Lengths that streams write for want of a true one are reported as None."""
    wav = riff(chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", b"", size))
    header, _ = parse(wav)
    assert header.data_bytes is None
    assert header.duration_ms is None


def test_a_whole_file_without_samples_is_empty():
    """A data chunk of no bytes with another chunk behind it is empty, not of unknown length."""
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
        (riff(chunk(b"fmt ", fmt(1, 0, 16000, 2))), "no channels"),
        (riff(chunk(b"fmt ", fmt(1, 1, 0, 2))), "no sample rate"),
        (riff(chunk(b"fmt ", fmt(0x55, 2, 44100, 1))), "0x0055"),
        (riff(chunk(b"junk", b"", 2**31)), "16 MiB"),
    ],
)
def test_what_is_no_usable_wav_is_refused(wav, words):
    """Foreign files, damaged headers and compressed WAVs are refused with the reason."""
    with pytest.raises(ConfigurationError, match=words):
        parse(wav + chunk(b"data", SAMPLES))


@unhurried
@given(st.binary(max_size=200))
def test_damaged_headers_never_crash(noise):
    """Arbitrary bytes after the magic give a header, a wait or a ConfigurationError."""
    parser = WavParser()
    try:
        header = parser.feed(b"RIFF\0\0\0\0WAVE" + noise)
    except ConfigurationError:
        return
    assert header is None or header.sample_rate > 0


def test_parser_refuses_bytes_after_the_header():
    """Feeding a parser again after its header was given is a StateError."""
    parser = WavParser()
    parser.feed(PLAIN)
    with pytest.raises(StateError, match="rest"):
        parser.feed(b"more")


# --- headers made here -----------------------------------------------------------------------


def test_pcm_header_is_the_classical_one():
    """The PCM header has 44 bytes, each where the format's definition puts it."""
    assert wav_header(sample_rate=24000, data_bytes=1000) == (
        b"RIFF\x0c\x04\x00\x00WAVEfmt \x10\x00\x00\x00"
        b"\x01\x00\x01\x00\xc0\x5d\x00\x00\x80\xbb\x00\x00\x02\x00\x10\x00"
        b"data\xe8\x03\x00\x00"
    )


def test_streamed_header_says_unknown():
    """A header without a length holds 0xFFFFFFFF in both places."""
    header = wav_header(sample_rate=24000)
    assert header[4:8] == header[40:44] == b"\xff\xff\xff\xff"


def test_header_of_more_than_4_gib_says_unknown():
    """A length that does not fit into 32 bits is written as unknown, never cut."""
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
    """Every header made here is read back with the same meaning."""
    made = wav_header(given_name, sample_rate=8000, num_channels=2, data_bytes=64)
    header, rest = parse(made + SAMPLES[:64])
    assert (header.audio_format, header.sample_rate, header.num_channels) == (name, 8000, 2)
    assert (header.data_offset, header.data_bytes) == (len(made), 64)
    assert rest == SAMPLES[:64]


@pytest.mark.parametrize("name", ["pcm_s16be", "pcm_s8", "pcm_u16le", "mp3", "auto"])
def test_wav_cannot_hold_every_format(name):
    """A header for a format WAV has no tag for is refused by name."""
    with pytest.raises(ConfigurationError, match=name):
        wav_header(name, sample_rate=8000)


# --- writing ---------------------------------------------------------------------------------


def test_written_file_opens_in_the_standard_library(tmp_path):
    """A file written in uneven pieces has the right length for `wave`."""
    path = tmp_path / "a.wav"
    with WavWriter(path, sample_rate=24000) as out:
        for start in range(0, 1000, 7):
            out.write(SAMPLES[start : start + 7])
    with wave.open(str(path)) as read:
        assert read.getparams()[:4] == (1, 2, 24000, (143 * 7) // 2)
    assert path.stat().st_size == 44 + 1001 + 1  # padded


def test_a_file_object_with_nothing_but_write_is_enough():
    """What has `write()` and no more takes a WAV as it comes."""

    class Sink:
        def __init__(self):
            self.data = b""

        def write(self, data):
            self.data += data

    sink = Sink()
    wav = wav_header(sample_rate=8000) + bytes(100)
    assert save_audio([wav[:50], wav[50:]], sink, "wav") == len(wav)
    assert sink.data == wav


def test_length_is_right_after_an_exception(tmp_path):
    """A writer left by an exception leaves a file whose length is what was written."""
    path = tmp_path / "a.wav"
    with pytest.raises(RuntimeError, match="cut"):
        with WavWriter(str(path), sample_rate=8000, audio_format="pcm_mulaw") as out:
            out.write(SAMPLES[:100])
            raise RuntimeError("cut")
    header, rest = parse(path.read_bytes())
    assert (header.data_bytes, rest) == (100, SAMPLES[:100])
    assert struct.unpack("<I", path.read_bytes()[46:50]) == (100,)  # the fact chunk's count


def test_file_object_stays_open_and_keeps_its_position():
    """A WAV written behind other bytes corrects itself there and leaves the file open."""
    file = io.BytesIO()
    file.write(b"before")
    with WavWriter(file, sample_rate=8000, num_channels=2) as out:
        out.write(memoryview(SAMPLES))
    file.write(b"after")
    data = file.getvalue()
    assert data.startswith(b"before")
    assert data.endswith(b"after")
    header, _ = parse(data[6:])
    assert header.data_bytes == len(SAMPLES)


class Pipe(io.RawIOBase):
    """Takes at most 10 bytes at a time and cannot seek."""

    def __init__(self):
        self.taken = bytearray()

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data)[:10]
        self.taken += part
        return len(part)


def test_pipe_gets_everything_and_keeps_the_streamed_header():
    """A pipe that takes small parts gets all bytes, and its header stays as it was."""
    pipe = Pipe()
    with WavWriter(pipe, sample_rate=8000) as out:
        out.write(SAMPLES)
    header, rest = parse(bytes(pipe.taken))
    assert header.data_bytes is None
    assert rest == SAMPLES


def test_full_non_blocking_pipe_is_an_error_not_a_loss():
    """A raw file that takes nothing raises BlockingIOError instead of dropping bytes."""
    pipe = Pipe()
    pipe.write = lambda data: None
    with pytest.raises(BlockingIOError):
        WavWriter(pipe, sample_rate=8000)


def open_to_append(path):
    """Open with a mode that says so."""
    return path.open("ab")


def open_with_flag(path):
    """Open like a shell's `>>` does: the mode does not show that writes go to the end."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "wb")


@pytest.mark.parametrize("opener", [open_to_append, open_with_flag])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no flag for the mode")
def test_append_mode_is_left_alone(tmp_path, opener):
    """A file opened for appending gets no length written to its end by mistake."""
    path = tmp_path / "a.wav"
    with opener(path) as file, WavWriter(file, sample_rate=8000) as out:
        out.write(SAMPLES)
    header, rest = parse(path.read_bytes())
    assert (header.data_bytes, rest) == (None, SAMPLES)


def test_compressed_file_that_cannot_go_back_is_left_alone(tmp_path):
    """A gzip file says it can seek, refuses, and ends with a whole streamed WAV."""
    path = tmp_path / "a.wav.gz"
    with gzip.open(path, "wb") as file, WavWriter(file, sample_rate=8000) as out:
        out.write(SAMPLES)
    header, rest = parse(gzip.decompress(path.read_bytes()))
    assert (header.data_bytes, rest) == (None, SAMPLES)


def test_writer_refuses_text_and_late_bytes(tmp_path):
    """Text is refused by type, and bytes after close by state; closing again is legal."""
    out = WavWriter(tmp_path / "a.wav", sample_rate=8000)
    with pytest.raises(InputTypeError, match="str"):
        out.write("text")
    out.close()
    out.close()
    with pytest.raises(StateError, match="closed"):
        out.write(b"late")


# --- streams from the service saved ----------------------------------------------------------


@pytest.mark.parametrize("unknown", [0, 0xFFFFFFFF, 36, 10**6])
@pytest.mark.parametrize("cut", [1, 43, 44, 500])
def test_streamed_wav_gets_its_true_length(tmp_path, unknown, cut):
    """A saved stream whose header lies about its length is corrected, wherever its chunks split."""
    head = bytearray(wav_header(sample_rate=24000))
    head[4:8] = head[40:44] = struct.pack("<I", unknown)
    wav = bytes(head) + SAMPLES
    path = tmp_path / "a.wav"
    assert save_audio([wav[:cut], b"", wav[cut:]], path, "wav") == len(wav)
    header, rest = parse(path.read_bytes())
    assert (header.data_bytes, rest) == (len(SAMPLES), SAMPLES)
    assert struct.unpack("<I", path.read_bytes()[4:8])[0] == len(wav) - 8


def test_true_header_with_chunks_after_the_samples_is_kept(tmp_path):
    """A complete WAV with a trailing chunk is written byte for byte."""
    wav = riff(
        chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", SAMPLES), chunk(b"LIST", b"tail")
    )
    save_audio([wav], tmp_path / "a.wav", "wav")
    assert (tmp_path / "a.wav").read_bytes() == wav


def test_stream_that_breaks_leaves_a_valid_file(tmp_path):
    """A stream that raises leaves a WAV with the length of what came before."""

    def broken():
        yield wav_header(sample_rate=24000) + SAMPLES[:10]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        save_audio(broken(), tmp_path / "a.wav", "wav")
    header, _ = parse((tmp_path / "a.wav").read_bytes())
    assert header.data_bytes == 10


def test_bytes_that_are_no_wav_pass_unchanged(tmp_path):
    """A saver given something else writes it as it is and knows no header."""
    with WavSaver(tmp_path / "a.bin") as saver:
        saver.write(b"ID3")
        saver.write(SAMPLES)
    assert saver.header is None
    assert saver.bytes_written == 3 + len(SAMPLES)
    assert (tmp_path / "a.bin").read_bytes() == b"ID3" + SAMPLES


@pytest.mark.parametrize("audio_format", ["mp3", "pcm_s16le"])
def test_other_formats_are_written_as_they_come(tmp_path, audio_format):
    """Formats other than WAV are saved byte for byte, to a path or an open file."""
    assert save_audio(iter([b"ab", b"cd"]), tmp_path / "a", audio_format) == 4
    assert (tmp_path / "a").read_bytes() == b"abcd"
    file = io.BytesIO()
    save_audio([b"ab"], file, audio_format)
    assert file.getvalue() == b"ab"


# --- reading ---------------------------------------------------------------------------------


def test_reader_gives_samples_and_stops_at_their_length(tmp_path):
    """A reader stops at the declared length, before the chunks that follow."""
    path = tmp_path / "a.wav"
    path.write_bytes(
        riff(chunk(b"fmt ", fmt(1, 2, 16000, 2)), chunk(b"data", SAMPLES), chunk(b"LIST", b"tail"))
    )
    with WavReader(path) as wav:
        assert (wav.audio_format, wav.sample_rate, wav.num_channels) == ("pcm_s16le", 16000, 2)
        assert wav.read(100) == SAMPLES[:100]
        assert wav.read() == SAMPLES[100:]
        assert wav.read() == wav.read(5) == b""


def test_reader_of_unknown_length_reads_to_the_end():
    """A streamed WAV is read until its bytes end."""
    data = SAMPLES * 40
    wav = WavReader(wav_header(sample_rate=8000) + data)
    assert wav.read(5000) == data[:5000]
    assert wav.read(5000) == data[5000:10000]
    assert wav.read() == data[10000:]


def test_reader_reads_from_a_pipe():
    """A pipe's samples come through without seeking, and the pipe is left open."""
    source, sink = os.pipe()
    with os.fdopen(source, "rb", buffering=0) as pipe:
        os.write(sink, PLAIN[:30])
        os.write(sink, PLAIN[30:])
        os.close(sink)
        with WavReader(pipe) as wav:
            got = b"".join(iter(lambda: wav.read(300), b""))
        assert got == SAMPLES
        assert not pipe.closed


def test_reader_cuts_chunks_of_whole_frames():
    """Chunks have the time asked for, the last what is left, and half a frame is not given."""
    data = SAMPLES[:1000] + b"\1"
    wav = WavReader(wav_header(sample_rate=1000, num_channels=2) + data)
    chunks = list(wav.chunks(120))
    assert [len(c) for c in chunks] == [480, 480, 40]
    assert b"".join(chunks) == SAMPLES[:1000]


def test_reader_refuses_a_file_without_header(tmp_path):
    """A file that ends inside its header is refused, and closed."""
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN[:40])
    with pytest.raises(ConfigurationError, match="ends inside"):
        WavReader(path)
