"""Reading WAV files: only the samples, to their actual end."""

from __future__ import annotations

import os

import pytest

from soniox_sync.audio import WavReader, wav_header
from soniox_sync.errors import ConfigurationError
from tests.audio.wav.helpers import PLAIN, SAMPLES, chunk, fmt, riff


def test_reader_returns_samples_and_stops_at_their_length(tmp_path):
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
    """A pipe is read without seeking, and left open."""
    source, sink = os.pipe()
    with os.fdopen(source, "rb", buffering=0) as pipe:
        os.write(sink, PLAIN[:30])
        os.write(sink, PLAIN[30:])
        os.close(sink)
        with WavReader(pipe) as wav:
            got = b"".join(iter(lambda: wav.read(300), b""))
        assert got == SAMPLES
        assert not pipe.closed


def test_reader_returns_chunks_of_whole_frames():
    """Chunks have the requested length, the last one the rest, without a partial frame."""
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
