"""`as_source`: which source is chosen for which input."""

from __future__ import annotations

import array
import io
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sources import (
    AudioSourceHandlers,
    FileSource,
    IterableSource,
    MicrophoneSource,
    PipeSource,
    SourceAudio,
    as_source,
)
from tests.sources.helpers import Collector

PCM = bytes(range(256)) * 10
WAV = wav_header(sample_rate=8000, num_channels=1, data_bytes=len(PCM)) + PCM


def deliver(source: Any) -> bytes:
    collector = Collector()
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    return collector.data


class Own:
    """Source of the user."""

    def start(self, handlers: AudioSourceHandlers) -> None:
        handlers.on_data(b"x")

    def stop(self) -> None: ...


def test_a_source_is_returned() -> None:
    """An object with `start` and `stop` is returned unchanged."""
    own = Own()
    assert as_source(own) is own


def test_the_class_of_a_source_is_none() -> None:
    """Its methods are there, but the parentheses were forgotten."""
    with pytest.raises(InputTypeError, match=r"got its class; write MicrophoneSource\(\)"):
        as_source(MicrophoneSource)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", [str, Path])
def test_paths(tmp_path: Path, form: Any) -> None:
    """A path becomes a file source with the options given."""
    (tmp_path / "a.wav").write_bytes(WAV)
    source = as_source(form(tmp_path / "a.wav"), pace=False)
    assert isinstance(source, FileSource)
    assert deliver(source) == PCM


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, lambda b: array.array("b", b)])
def test_whole_audio_in_memory(form: Any) -> None:
    """Audio in memory is read as a file: a WAV's format is known."""
    source = as_source(form(WAV), pace=0)
    assert isinstance(source, FileSource)
    assert deliver(source) == PCM
    assert source.audio == SourceAudio("pcm_s16le", 8000, 1)


def test_raw_bytes() -> None:
    """Headerless audio in memory is delivered in its declared format."""
    source = as_source(PCM, pace=0, audio_format="mulaw", sample_rate=8000, num_channels=1)
    assert deliver(source) == PCM


def test_file_objects(tmp_path: Path) -> None:
    """A file that can seek becomes a file source, another a pipe source."""
    (tmp_path / "a.wav").write_bytes(WAV)
    with open(tmp_path / "a.wav", "rb") as file:
        assert isinstance(as_source(file), FileSource)
        assert deliver(as_source(file, pace=0)) == PCM
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert deliver(as_source(mapped, pace=0)) == PCM
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        assert isinstance(as_source(pipe), PipeSource)


def test_iterables() -> None:
    """Lists and generators of bytes become iterable sources."""
    assert isinstance(as_source([PCM]), IterableSource)
    assert deliver(as_source(chunk for chunk in (b"ab", b"cd"))) == b"abcd"


@pytest.mark.parametrize("obj", [5, None, object(), 1.5])
def test_refusals(obj: Any) -> None:
    """What is not audio is refused with a list of what is accepted."""
    with pytest.raises(InputTypeError, match="a path, bytes, a binary file object") as caught:
        as_source(obj)
    assert str(caught.value).endswith("None" if obj is None else type(obj).__name__)


def test_text_files_are_refused() -> None:
    """A file opened as text is refused with the mode to open it in."""
    with pytest.raises(InputTypeError, match='"rb"'):
        as_source(io.StringIO("a"))


def test_options_are_checked_at_once() -> None:
    """A headerless format without its rate is refused before anything is opened."""
    with pytest.raises(ConfigurationError, match="sample_rate"):
        as_source("nowhere.pcm", audio_format="pcm_s16le")


def test_nothing_is_imported_for_devices() -> None:
    """Loading every source imports no audio library, no decoder and no thread."""
    code = (
        "import sys, threading; from soniox_sync.sources import *; MicrophoneSource();"
        "assert not {'sounddevice', 'miniaudio', 'numpy', 'cffi'} & set(sys.modules);"
        "assert threading.active_count() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
