"""Fixtures of the command line's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from soniox_sync.audio.wav.writer import WavWriter
from soniox_sync.sandbox import Sandbox
from tests.cli.helpers import end_processes, environment

SAID = "Hello there my friend. How are you?"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox that speaks tones and recognises a script; set the environment to use it."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as sandbox:
        sandbox.script(SAID, ms_per_word=200, final_lag_ms=200)
        for name, value in environment(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture(autouse=True)
def no_processes(nothing_leaks: None) -> Iterator[None]:
    """Kill the processes that a test left running, also after a failure."""
    yield
    end_processes()


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the API key from the environment."""
    monkeypatch.delenv("SONIOX_API_KEY", raising=False)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """Write a WAV file of three seconds and return its path."""
    path = tmp_path / "recording.wav"
    with WavWriter(str(path), sample_rate=16000) as wav:
        wav.write(bytes(2 * 16000 * 3))
    return str(path)
