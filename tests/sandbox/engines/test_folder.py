"""The folder in which processes share speech: bounded, private, never half a file."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines.copies.folder import SpeechFolder, default_folder
from soniox_sync.sandbox.engines.copies.index import CopyIndex
from soniox_sync.sandbox.engines.copies.original import Original

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and owners are those of POSIX")


def contents(folder: SpeechFolder) -> dict[str, bytes]:
    """Return what is new in a folder."""
    return {each.name: each.data for each in folder.read_new()}


def age(path: Path, seconds: float) -> None:
    """Make every file of the folder older."""
    for file in path.iterdir():
        before = file.stat().st_mtime_ns - int(seconds * 1e9)
        os.utime(file, ns=(before, before))


def test_others_read_what_is_written(tmp_path: Path) -> None:
    """Each reader gets what was written once, and again when it is written again."""
    writer, reader = SpeechFolder(tmp_path), SpeechFolder(tmp_path)
    writer.write("a", b"one")
    writer.write("b", b"two")
    assert contents(reader) == {"a": b"one", "b": b"two"}
    assert contents(reader) == contents(writer) == {}
    age(tmp_path, 60)
    writer.write("a", b"one")
    assert contents(reader) == {"a": b"one", "b": b"two"}
    assert contents(SpeechFolder(tmp_path)) == {"a": b"one", "b": b"two"}


def test_the_oldest_is_read_first(tmp_path: Path) -> None:
    """What was written last counts as the latest, whatever its name."""
    writer = SpeechFolder(tmp_path)
    for name in ("b", "a", "c"):
        writer.write(name, b"")
        age(tmp_path, 1)
    assert [each.name for each in SpeechFolder(tmp_path).read_new()] == ["b", "a", "c"]


@pytest.mark.parametrize("size", [0, 1, 30, 40, -1])
def test_half_a_file_is_not_read(tmp_path: Path, size: int) -> None:
    """A file that is cut, or was damaged, is skipped; the others are read."""
    writer = SpeechFolder(tmp_path)
    writer.write("broken", b"x" * 1000)
    writer.write("whole", b"y" * 1000)
    (file,) = tmp_path.glob("broken*")
    file.write_bytes(file.read_bytes()[:size])
    assert list(contents(SpeechFolder(tmp_path))) == ["whole"]


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """A file whose content is not that of its digest is skipped."""
    SpeechFolder(tmp_path).write("one", b"x" * 1000)
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    data[500] ^= 1
    file.write_bytes(data)
    assert contents(SpeechFolder(tmp_path)) == {}


def test_the_size_is_limited(tmp_path: Path) -> None:
    """Beyond the limit the oldest is dropped, except what was written again."""
    for number in range(8):
        # each is a process of its own: the first thing it writes makes it look at the size
        SpeechFolder(tmp_path, max_bytes=3300).write(f"n{number}", bytes(1000))
        age(tmp_path, 1)
        SpeechFolder(tmp_path, max_bytes=3300).write("kept", bytes(1000))
        age(tmp_path, 1)
    assert sorted(contents(SpeechFolder(tmp_path))) == ["kept", "n6", "n7"]


def test_one_process_keeps_the_limit(tmp_path: Path) -> None:
    """A process that writes much drops the oldest from time to time."""
    folder = SpeechFolder(tmp_path, max_bytes=10_000)
    for number in range(200):
        folder.write(f"{number}", bytes(1000))
    left = len(list(tmp_path.iterdir()))
    assert 9 <= left <= 9 + 32
    assert "199" in contents(SpeechFolder(tmp_path))


def test_old_speech_is_forgotten(tmp_path: Path) -> None:
    """What is too old is neither read nor kept."""
    SpeechFolder(tmp_path).write("old", b"x")
    age(tmp_path, 100)
    folder = SpeechFolder(tmp_path, max_age_sec=90)
    assert contents(folder) == {}
    folder.write("new", b"x")
    assert [file.stem for file in tmp_path.iterdir()] == ["new"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """A temporary file of long ago is dropped, that of a process that is writing stays."""
    for name, seconds in ((".speech-gone", 4000), (".speech-busy", 10)):
        (tmp_path / name).write_bytes(b"x")
        before = (tmp_path / name).stat().st_mtime_ns - int(seconds * 1e9)
        os.utime(tmp_path / name, ns=(before, before))
    SpeechFolder(tmp_path).write("new", b"x")
    assert sorted(file.name for file in tmp_path.iterdir()) == [".speech-busy", "new.speech"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Neither a full disk nor Ctrl-C leaves half a file behind."""

    def failing(source: str, target: str) -> None:
        raise error

    monkeypatch.setattr("soniox_sync.sandbox.engines.copies.folder.os.replace", failing)
    with contextlib.suppress(KeyboardInterrupt):
        SpeechFolder(tmp_path).write("a", b"one")
    assert os.listdir(tmp_path) == []


@POSIX
def test_the_folder_is_private(tmp_path: Path) -> None:
    """Folder and files are for this user alone, also where the folder was there before."""
    made, found = tmp_path / "deep" / "made", tmp_path / "found"
    found.mkdir(mode=0o755)
    for path in (made, found):
        SpeechFolder(path).write("one", b"x")
        assert path.stat().st_mode & 0o777 == 0o700
        assert (path / "one.speech").stat().st_mode & 0o777 == 0o600


def test_an_unusable_folder_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no folder can be made, that is said once, and nothing is shared."""
    (tmp_path / "file").write_bytes(b"")
    folder = SpeechFolder(tmp_path / "file" / "below")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            folder.write("one", b"x")
            assert folder.read_new() == []
    assert len(caplog.records) == 1
    assert str(tmp_path / "file" / "below") in caplog.text
    assert "neither hears what others spoke" in caplog.text


@POSIX
def test_the_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that somebody else made is not used."""
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    SpeechFolder(tmp_path).write("one", b"x")
    assert list(tmp_path.iterdir()) == []
    assert "belongs to another user" in caplog.text


def test_a_folder_is_cleared(tmp_path: Path) -> None:
    """Clearing removes all speech and nothing else; a folder that is not there is empty."""
    folder = SpeechFolder(tmp_path)
    folder.write("one", b"x")
    (tmp_path / "notes.txt").write_text("mine")
    assert (folder.clear(), folder.clear()) == (1, 0)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
    assert SpeechFolder(tmp_path / "nowhere").clear() == 0
    folder.write("one", b"y")
    assert contents(SpeechFolder(tmp_path)) == {"one": b"y"}


WRITER = """
import sys
from soniox_sync.sandbox.engines.copies.folder import SpeechFolder
folder = SpeechFolder(sys.argv[1], max_bytes=200_000)
for number in range(150):
    folder.write(str(number % 40), bytes([number % 40]) * 20_000)
    for each in folder.read_new():
        assert each.data == bytes([int(each.name)]) * 20_000
"""


def test_many_processes_use_it_at_once(tmp_path: Path) -> None:
    """Processes that write, read and drop at the same time never see half a file."""
    writers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER, str(tmp_path)])
        for _ in range(3)
    ]
    reader = SpeechFolder(tmp_path)
    seen = 0
    while any(writer.poll() is None for writer in writers):
        for each in reader.read_new():
            assert each.data == bytes([int(each.name)]) * 20_000
            seen += 1
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert seen
    assert not list(tmp_path.glob(".speech-*"))


def tone(seconds: float, hertz: float) -> np.ndarray:  # type: ignore[type-arg]
    time = np.arange(int(seconds * 16000)) / 16000
    wave = np.sin(2 * np.pi * hertz * time) + np.sin(2 * np.pi * 3.1 * hertz * time)
    return (5000 * wave).astype(np.int16)


def test_an_index_finds_what_another_has_stored(tmp_path: Path) -> None:
    """Speech of one index is in the other, with its words, as soon as it was added."""
    one, other = (CopyIndex(folder=SpeechFolder(tmp_path)) for _ in range(2))
    assert not other
    one.add(tone(1, 300), 16000, [("bé\ud800", 10, 900)], voice="Adrian", language="de")
    assert other
    rows = np.ones((1, 16), np.uint32)
    other.search(rows)
    (kept,) = other._table.originals
    assert kept.words == (("bé\ud800", 10, 900),)
    assert (kept.sample_rate, kept.voice, kept.language) == (16000, "Adrian", "de")
    one.search(rows)
    (mine,) = one._table.originals
    assert np.array_equal(mine.pcm, kept.pcm) and np.array_equal(mine.codes, kept.codes)
    assert len(kept.pcm) == 8000 and kept.codes.any()


@pytest.mark.parametrize("data", [b"", b"5\n", b'{"samples": 1}\nxx', b"{}\n", b"\xff\n"])
def test_what_is_no_speech_is_skipped(tmp_path: Path, data: bytes) -> None:
    """A whole file with something else in it is skipped."""
    SpeechFolder(tmp_path).write("odd", data)
    assert not CopyIndex(folder=SpeechFolder(tmp_path))
    with pytest.raises(ValueError):
        Original.from_bytes(data, 1)


def test_the_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache folder of each system is used, another where a variable says so, or none."""
    monkeypatch.delenv("SONIOX_SYNC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_folder() == Path("/xdg/soniox-sync/speech")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    for platform, expected in (
        ("linux", "/home/anna/.cache/soniox-sync/speech"),
        ("darwin", "/home/anna/Library/Caches/soniox-sync/speech"),
        ("win32", "/local/soniox-sync/speech"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        assert default_folder() == Path(expected)
    monkeypatch.delenv("LOCALAPPDATA")
    assert default_folder() is None
    monkeypatch.setenv("SONIOX_SYNC_CACHE", "/told")
    assert default_folder() == Path("/told/speech")
    monkeypatch.setenv("SONIOX_SYNC_CACHE", "")
    assert default_folder() is None
