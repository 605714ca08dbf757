"""Programs written long before this library run against the sandbox, with only the URL changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from soniox_sync.audio import wav_header
from soniox_sync.sandbox import HeardWord, Sandbox
from tests.conformance.node import PROGRAMS, TIMEOUT_SEC, run_node

NEEDS_SDK = False  # the one in Python needs `websockets` alone
SERVICE = "wss://stt-rt.soniox.com/transcribe-websocket"
# 1.2 s: ten messages
PCM = bytes(2 * 19200)
WAV = wav_header(sample_rate=16000, data_bytes=len(PCM)) + PCM
WORDS = [
    HeardWord("Hello", 0, 200, 0.9),
    HeardWord("there.", 200, 400, 0.9),
    HeardWord("Hola.", 600, 900, 0.9, speaker="2", language="es"),
]


def run_python(folder: Path, source: str, *args: str, **environ: str) -> str:
    """Run a program in its own process; return what it prints."""
    path = folder / "program.py"
    path.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path), *args],
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environ},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


Run = Callable[..., str]
LANGUAGES = pytest.mark.parametrize(
    ("program", "run"),
    [("captions.py", run_python), ("captions.mjs", run_node)],
    ids=["python", "javascript"],
)


def pointed_at(sandbox: Sandbox, program: str) -> str:
    """Return a program's source with the service's URL replaced by the sandbox's."""
    source = (PROGRAMS / program).read_text(encoding="utf-8")
    assert source.count(SERVICE) == 1
    return source.replace(SERVICE, sandbox.urls.stt)


@LANGUAGES
@pytest.mark.parametrize(("audio", "options"), [(WAV, ()), (PCM, ("pcm",))], ids=["wav", "pcm"])
def test_a_program_of_2025_shows_captions(
    sandbox: Sandbox, tmp_path: Path, program: str, run: Run, audio: bytes, options: tuple[str]
) -> None:
    """It names a retired model, sends its key in the message, and gets every word and the end."""
    sandbox.script(WORDS, final_lag_ms=100)
    (tmp_path / "audio").write_bytes(audio)
    source = pointed_at(sandbox, program)
    out = run(tmp_path, source, str(tmp_path / "audio"), *options, SONIOX_API_KEY="a-key")
    assert "Error" not in out
    captions, _, end = out.rpartition("Session finished.")
    assert end.strip() == ""
    shown = captions.rpartition("\nSpeaker 1:")[2]
    assert "[en] Hello there." in shown and "Speaker 2:\n[es] " in shown and "Hola." in shown


@LANGUAGES
@pytest.mark.parametrize("translation", ["one_way", "two_way"])
def test_a_program_of_2025_shows_translations(
    sandbox: Sandbox, tmp_path: Path, program: str, run: Run, translation: str
) -> None:
    """Both kinds of translation come with the tokens, marked as translations."""
    sandbox.script(WORDS, final_lag_ms=100)
    (tmp_path / "audio").write_bytes(WAV)
    source = pointed_at(sandbox, program)
    out = run(tmp_path, source, str(tmp_path / "audio"), translation, SONIOX_API_KEY="a-key")
    assert "Error" not in out and "Session finished." in out
    assert "[Translation] [es]" in out and "[en] Hello" in out


@LANGUAGES
def test_a_refused_program_prints_the_reason(
    sandbox: Sandbox, tmp_path: Path, program: str, run: Run
) -> None:
    """A refusal comes as one message with code and reason, before the close."""
    (tmp_path / "audio").write_bytes(WAV)
    source = pointed_at(sandbox, program).replace("stt-rt-v3", "stt-rt-v99")
    out = run(tmp_path, source, str(tmp_path / "audio"), SONIOX_API_KEY="a-key")
    assert out.strip().splitlines()[-1].startswith("Error: 400 Model stt-rt-v99 is not available.")
