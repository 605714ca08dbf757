"""A sandbox that the command line finds through the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_helpers import end_processes, environment

from soniox_sync.audio.wav import WavWriter
from soniox_sync.sandbox import Sandbox

SAID = "Hello there my friend. How are you?"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Stand in for the service: tones for a voice, a script for an ear, the environment set."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as sandbox:
        sandbox.script(SAID, ms_per_word=200, final_lag_ms=200)
        for name, value in environment(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture(autouse=True)
def no_processes(nothing_leaks: None) -> Iterator[None]:
    """Leave no process behind, not even after a failure."""
    yield
    end_processes()


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no key in the environment."""
    monkeypatch.delenv("SONIOX_API_KEY", raising=False)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """Make a WAV of three seconds, and give its path."""
    path = tmp_path / "recording.wav"
    with WavWriter(str(path), sample_rate=16000) as wav:
        wav.write(bytes(2 * 16000 * 3))
    return str(path)
