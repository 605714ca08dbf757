"""What one command has spoken with --sandbox, the next recognises exactly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from soniox_sync.sandbox import Sandbox, engines
from soniox_sync.sandbox.engines import RECOGNIZER, SYNTHESIZER
from tests.cli.helpers import TIMEOUT_SEC, run_cli, start_cli

for name in ("numpy", SYNTHESIZER, "soundfile", "miniaudio"):
    pytest.importorskip(name)

SAID = "Guten Morgen, Frau Meyer."


def next_process() -> None:
    """Forget all that was spoken in this process: the next command is as if in its own."""
    engines._engines_of.cache_clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache folder of the test's own; return where the speech is."""
    monkeypatch.setenv("SONIOX_SYNC_CACHE", str(tmp_path / "cache"))
    next_process()
    return tmp_path / "cache" / "speech"


def speak(path: Path, *options: str) -> None:
    """Speak into a file, as fast as possible."""
    run = run_cli("--sandbox", *options, "speak", SAID, "--voice", "Nina", "-o", str(path))
    assert run.code == 0, run.err
    next_process()


def transcribe(path: Path, *options: str) -> str:
    """Transcribe a file; return the text."""
    run = run_cli("--sandbox", *options, "transcribe", str(path), "--pace", "0")
    assert run.code == 0, run.err
    next_process()
    return run.out.strip()


@pytest.mark.parametrize("extension", ["wav", "flac", "mp3", "opus"])
def test_the_next_command_hears_what_was_said(tmp_path: Path, extension: str) -> None:
    """What was spoken into a file of any type is recognised exactly."""
    speak(tmp_path / f"said.{extension}")
    assert transcribe(tmp_path / f"said.{extension}") == SAID


def test_another_process_hears_what_was_said(tmp_path: Path) -> None:
    """The same in a process of its own."""
    speak(tmp_path / "said.mp3")
    process = start_cli("--sandbox", "transcribe", str(tmp_path / "said.mp3"), "--pace", "0")
    out, err = process.communicate(timeout=TIMEOUT_SEC)
    assert (out.decode().strip(), process.returncode) == (SAID, 0), err


def test_a_running_sandbox_hears_what_a_command_says(tmp_path: Path, cache: Path) -> None:
    """What is spoken while a sandbox is running is recognised by it."""
    with Sandbox(engines="speech", speech_cache=cache) as sandbox:
        assert sandbox.engines.recognizer
        next_process()
        speak(tmp_path / "said.wav")
        stream = sandbox.client().realtime.transcribe(tmp_path / "said.wav", pace=False)
        assert stream.read().final_text.strip() == SAID


def test_without_the_cache_nothing_is_shared(tmp_path: Path, cache: Path) -> None:
    """With --no-cache nothing is written, and what is there is not used."""
    speak(tmp_path / "said.wav", "--no-cache")
    assert not cache.exists()
    speak(tmp_path / "said.wav")
    assert len(list(cache.iterdir())) == 1
    assert transcribe(tmp_path / "said.wav", "--no-cache") != SAID
    assert transcribe(tmp_path / "said.wav") == SAID


def test_the_cache_can_be_switched_off_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    """With an empty variable no command uses a cache, and there is none to clear."""
    monkeypatch.setenv("SONIOX_SYNC_CACHE", "")
    speak(tmp_path / "said.wav")
    assert transcribe(tmp_path / "said.wav") != SAID
    run = run_cli("sandbox", "--clear-cache")
    assert run.code == 2
    assert "there is no cache: SONIOX_SYNC_CACHE is empty" in run.err


def test_the_cache_is_cleared(tmp_path: Path, cache: Path) -> None:
    """After clearing, what was said before is not recognised any more."""
    speak(tmp_path / "said.wav")
    run = run_cli("sandbox", "--clear-cache")
    assert (run.code, run.out) == (0, f"1 sentence removed from {cache}\n")
    assert transcribe(tmp_path / "said.wav") != SAID
    assert run_cli("sandbox", "--clear-cache").out.startswith("0 sentences removed")


def test_a_folder_that_cannot_be_used_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A command works without its cache; one line says why nothing is remembered."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SONIOX_SYNC_CACHE", str(tmp_path / "file"))
    speak(tmp_path / "said.wav")
    assert (tmp_path / "said.wav").stat().st_size > 10_000
    assert len([each for each in caplog.records if "cannot be used" in each.message]) == 1


def test_a_sandbox_of_a_program_shares_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `speech_cache` a sandbox neither writes nor reads the user's cache."""
    speak(tmp_path / "said.wav")
    before = [os.stat(file) for file in cache.iterdir()]
    with Sandbox(engines="speech", limits={"tts_pace": None}) as sandbox:
        client = sandbox.client()
        client.realtime.speak("Something else.", voice="Nina").save(tmp_path / "else.wav")
        heard = client.realtime.transcribe(tmp_path / "said.wav", pace=False).read()
    assert heard.final_text.strip() != SAID
    assert [os.stat(file) for file in cache.iterdir()] == before


def test_a_file_that_was_not_spoken_is_not_made_up(tmp_path: Path) -> None:
    """With much speech in the cache, other audio gives none of it."""
    if RECOGNIZER in engines.missing():
        pytest.skip("without words for other audio there is nothing to compare")
    speak(tmp_path / "said.wav")
    with Sandbox(engines="speech", limits={"tts_pace": None}) as sandbox:
        said = sandbox.client().realtime.speak("My mother has seven children.", voice="Owen")
        said.save(tmp_path / "other.wav")
    assert not set(SAID.split()) & set(transcribe(tmp_path / "other.wav").split())
