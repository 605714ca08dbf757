"""Audio saved to files: correct lengths, and complete files where promised."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import stat
import struct
import threading
import wave

import pytest

from soniox_sync.audio import save_audio, wav_header
from soniox_sync.audio.saving import save_whole
from soniox_sync.errors import StateError
from tests.audio.wav.helpers import SAMPLES, chunk, fmt, parse, riff


@pytest.mark.parametrize("unknown", [0, 0xFFFFFFFF, 36, 10**6])
@pytest.mark.parametrize("cut", [1, 43, 44, 500])
def test_streamed_wav_gets_its_true_length(tmp_path, unknown, cut):
    """A saved stream with a false length in its header is corrected, wherever it is split."""
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


def test_stream_that_fails_leaves_a_valid_file(tmp_path):
    """A stream that raises leaves a WAV with the length of the audio received."""

    def broken():
        yield wav_header(sample_rate=24000) + SAMPLES[:10]
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        save_audio(broken(), tmp_path / "a.wav", "wav")
    header, _ = parse((tmp_path / "a.wav").read_bytes())
    assert header.data_bytes == 10


@pytest.mark.parametrize("audio_format", ["mp3", "pcm_s16le"])
def test_other_formats_are_written_unchanged(tmp_path, audio_format):
    """Formats other than WAV are saved byte for byte, to a path or an open file."""
    assert save_audio(iter([b"ab", b"cd"]), tmp_path / "a", audio_format) == 4
    assert (tmp_path / "a").read_bytes() == b"abcd"
    file = io.BytesIO()
    save_audio([b"ab"], file, audio_format)
    assert file.getvalue() == b"ab"


def broken():
    """Yield a chunk, then fail as a lost connection does."""
    yield b"ab"
    raise ConnectionError("gone")


def test_a_path_is_replaced_only_by_complete_audio(tmp_path):
    """After a failure the old file is unchanged and nothing else is left; then it is replaced."""
    path = tmp_path / "a.mp3"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(ConnectionError):
        save_whole(broken(), path, "mp3")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp3"]
    assert save_whole([b"ab", b"cd"], path, "mp3") == 4
    assert path.read_bytes() == b"abcd"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a.mp3"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_keeps_pointing_to_the_file(tmp_path):
    """Saving under a symbolic link replaces the file it points to."""
    (tmp_path / "real.mp3").write_bytes(b"old")
    (tmp_path / "link.mp3").symlink_to(tmp_path / "real.mp3")
    save_whole([b"new"], tmp_path / "link.mp3", "mp3")
    assert (tmp_path / "link.mp3").is_symlink()
    assert (tmp_path / "real.mp3").read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_written_directly(tmp_path):
    """A file that is not regular is not replaced: its reader gets the audio."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    assert save_whole([b"ab", b"cd"], path, "mp3") == 4
    reader.join(10)
    assert got == [b"abcd"]


def test_a_file_object_gets_the_audio_before_a_failure():
    """A file object is written as the audio arrives."""
    file = io.BytesIO()
    with pytest.raises(ConnectionError):
        save_whole(broken(), file, "mp3")
    assert file.getvalue() == b"ab"


def test_a_file_object_needs_only_write():
    """A file object that only has `write()` gets a WAV as it arrives."""

    class Sink:
        def __init__(self):
            self.data = b""

        def write(self, data):
            self.data += data

    sink = Sink()
    wav = wav_header(sample_rate=8000) + bytes(100)
    assert save_audio([wav[:50], wav[50:]], sink, "wav") == len(wav)
    assert sink.data == wav


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EXDEV, errno.EACCES])
def test_a_file_that_cannot_be_replaced_is_written_in_place(tmp_path, monkeypatch, error):
    """Where a rename fails, as onto a mounted file, the finished audio is copied."""

    def replace(source, target):
        raise OSError(error, "cannot rename", target)

    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "a.mp3"
    path.write_bytes(b"a longer old file")
    inode = path.stat().st_ino
    with pytest.raises(ConnectionError):
        save_whole(broken(), path, "mp3")
    assert path.read_bytes() == b"a longer old file"
    assert save_whole([b"ab", b"cd"], path, "mp3") == 4
    assert (path.read_bytes(), path.stat().st_ino) == (b"abcd", inode)
    assert os.listdir(tmp_path) == ["a.mp3"]


def test_audio_that_cannot_be_put_in_its_place_is_kept(tmp_path, monkeypatch):
    """If copying fails, too, the error names the user's file and says where the audio is."""

    def fail(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", target)

    monkeypatch.setattr(os, "replace", fail)
    monkeypatch.setattr(shutil, "copyfile", fail)
    path = tmp_path / "a.mp3"
    with pytest.raises(OSError, match="No space left on device; what was to be written is in") as e:
        save_whole([b"abcd"], path, "mp3")
    assert e.value.filename == str(path)
    (kept,) = tmp_path.iterdir()
    assert kept.name in str(e.value) and kept.read_bytes() == b"abcd"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser writes everywhere"
)
def test_a_file_in_a_folder_without_permission_is_written_in_place(tmp_path):
    """A writable file in a folder that takes no other file is replaced by its contents."""
    path = tmp_path / "a.mp3"
    path.write_bytes(b"old")
    tmp_path.chmod(0o500)
    try:
        save_whole([b"new"], path, "mp3")
        assert path.read_bytes() == b"new"
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_takes_no_other_file_needs_none(tmp_path, monkeypatch):
    """The part that is being written is elsewhere if the folder refuses it."""
    path = tmp_path / "a.mp3"
    path.write_bytes(b"old")
    real = open

    def refuse(name, mode="r"):
        if mode == "xb" and os.path.dirname(name) == str(tmp_path):
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return real(name, mode)

    monkeypatch.setattr(builtins, "open", refuse)
    save_whole([b"new"], path, "mp3")
    monkeypatch.undo()
    assert path.read_bytes() == b"new"


def test_the_longest_name_can_be_saved(tmp_path):
    """The temporary file has a short name."""
    path = tmp_path / ("a" * 251 + ".mp3")
    assert save_whole([b"abcd"], path, "mp3") == 4
    assert path.read_bytes() == b"abcd"


@pytest.mark.parametrize("name", ["a" * 300, "none/a.mp3", "file/a.mp3", "folder"])
def test_a_path_that_cannot_be_written_is_refused_before_any_audio(tmp_path, name):
    """The error names the user's path, and no audio is drawn."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    drawn = []

    def audio():
        drawn.append(1)
        yield b"ab"

    with pytest.raises(OSError) as caught:
        save_whole(audio(), tmp_path / name, "mp3")
    assert caught.value.filename == str(tmp_path / name)
    assert drawn == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("chunks", [[], [b""]])
def test_nothing_spoken_is_a_wav_without_samples(tmp_path, chunks):
    """A text without words gives a WAV that every reader opens, at the rate that was asked for."""
    path = tmp_path / "a.wav"
    assert save_whole(chunks, path, "wav", 16000) == 44
    with wave.open(str(path)) as reader:
        assert (reader.getnframes(), reader.getframerate()) == (0, 16000)
    assert save_whole(chunks, path, "pcm_s16le") == 0
    with pytest.raises(StateError, match="cannot save mp3: nothing was spoken"):
        save_whole(chunks, path, "mp3")
    assert path.read_bytes() == b""
