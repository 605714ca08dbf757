"""Writing WAV files: no wrong length is left behind."""

from __future__ import annotations

import gzip
import io
import os
import struct
import wave

import pytest

from soniox_sync.audio import WavSaver, WavWriter, wav_header
from soniox_sync.errors import InputTypeError, StateError
from tests.audio.wav.helpers import SAMPLES, parse


def test_written_file_opens_in_the_standard_library(tmp_path):
    """A file written in uneven chunks has the correct length for `wave`."""
    path = tmp_path / "a.wav"
    with WavWriter(path, sample_rate=24000) as out:
        for start in range(0, 1000, 7):
            out.write(SAMPLES[start : start + 7])
    with wave.open(str(path)) as read:
        assert read.getparams()[:4] == (1, 2, 24000, (143 * 7) // 2)
    assert path.stat().st_size == 44 + 1001 + 1  # padded


def test_length_is_right_after_an_exception(tmp_path):
    """After an exception the file has the length of what was written."""
    path = tmp_path / "a.wav"
    with pytest.raises(RuntimeError, match="cut"):
        with WavWriter(str(path), sample_rate=8000, audio_format="pcm_mulaw") as out:
            out.write(SAMPLES[:100])
            raise RuntimeError("cut")
    header, rest = parse(path.read_bytes())
    assert (header.data_bytes, rest) == (100, SAMPLES[:100])
    assert struct.unpack("<I", path.read_bytes()[46:50]) == (100,)  # the fact chunk's count


def test_file_object_stays_open_and_keeps_its_position():
    """A WAV written after other bytes is corrected in its place, and the file left open."""
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


@pytest.mark.parametrize("samples", [b"", b"\1\0", SAMPLES], ids=len)
def test_a_length_of_nothing_is_corrected(tmp_path, samples):
    """Without a length, in a file said to be longer, the header gets that of what was written."""
    path = tmp_path / "a.wav"
    with WavSaver(path) as out:
        out.write(b"RIFF\xe8\3\0\0" + wav_header(sample_rate=8000, data_bytes=0)[8:])
        out.write(samples)
    assert path.read_bytes() == wav_header(sample_rate=8000, data_bytes=len(samples)) + samples


class Pipe(io.RawIOBase):
    """Pipe that accepts at most 10 bytes at a time and cannot seek."""

    def __init__(self):
        self.taken = bytearray()

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data)[:10]
        self.taken += part
        return len(part)


def test_pipe_gets_everything_and_keeps_the_streamed_header():
    """A pipe that accepts small parts gets all bytes, and the header stays as it was."""
    pipe = Pipe()
    with WavWriter(pipe, sample_rate=8000) as out:
        out.write(SAMPLES)
    header, rest = parse(bytes(pipe.taken))
    assert header.data_bytes is None
    assert rest == SAMPLES


def test_full_non_blocking_pipe_is_an_error():
    """A raw file that accepts nothing raises BlockingIOError instead of dropping bytes."""
    pipe = Pipe()
    pipe.write = lambda data: None
    with pytest.raises(BlockingIOError):
        WavWriter(pipe, sample_rate=8000)


def open_to_append(path):
    """Open in append mode."""
    return path.open("ab")


def open_with_flag(path):
    """Open like the `>>` of a shell: the mode does not show that writes go to the end."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "wb")


@pytest.mark.parametrize("opener", [open_to_append, open_with_flag])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no flag for the mode")
def test_append_mode_gets_no_length(tmp_path, opener):
    """In a file opened for appending no length is written, since it would be appended."""
    path = tmp_path / "a.wav"
    with opener(path) as file, WavWriter(file, sample_rate=8000) as out:
        out.write(SAMPLES)
    header, rest = parse(path.read_bytes())
    assert (header.data_bytes, rest) == (None, SAMPLES)


def test_compressed_file_that_cannot_seek_back_gets_no_length(tmp_path):
    """A gzip file that claims to be seekable, but is not, contains a complete streamed WAV."""
    path = tmp_path / "a.wav.gz"
    with gzip.open(path, "wb") as file, WavWriter(file, sample_rate=8000) as out:
        out.write(SAMPLES)
    header, rest = parse(gzip.decompress(path.read_bytes()))
    assert (header.data_bytes, rest) == (None, SAMPLES)


def test_writer_refuses_text_and_late_bytes(tmp_path):
    """Text is a type error, writing after close a state error; closing again is legal."""
    out = WavWriter(tmp_path / "a.wav", sample_rate=8000)
    with pytest.raises(InputTypeError, match="str"):
        out.write("text")
    out.close()
    out.close()
    with pytest.raises(StateError, match="closed"):
        out.write(b"late")


def test_bytes_that_are_not_a_wav_pass_unchanged(tmp_path):
    """A saver writes other data than WAV unchanged, and has no header."""
    with WavSaver(tmp_path / "a.bin") as saver:
        saver.write(b"ID3")
        saver.write(SAMPLES)
    assert saver.header is None
    assert saver.bytes_written == 3 + len(SAMPLES)
    assert (tmp_path / "a.bin").read_bytes() == b"ID3" + SAMPLES
