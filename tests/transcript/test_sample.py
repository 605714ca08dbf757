"""The captions in docs/captions.rst are what the command writes."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("espeakng_loader", "numpy"))),
    reason="the sandbox has no voice here",
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "captions.rst"
COMMAND = "soniox-sync transcribe ferry.wav --format srt --width 40"
KEY = "captions-key"
# a release of the voice that the sample was not made with may speak a little faster or slower
NEAR_MS = 150
# with speech engines on a loaded machine; a command that takes longer hangs
PATIENCE_SEC = 90.0


def sample() -> str:
    """Return what the page shows below the command."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^    \$ {re.escape(COMMAND)}\n((?:(?:    .*)?\n)+)", text, re.MULTILINE)
    assert found is not None, f"docs/captions.rst shows no output of {COMMAND}"
    return textwrap.dedent(found[1]).strip("\n") + "\n\n"


def run_cli(sandbox: Sandbox, directory: Path, *args: str) -> str:
    """Run the command line against a sandbox, in a directory; return its output."""
    urls = sandbox.urls
    done = subprocess.run(
        [sys.executable, "-m", "soniox_sync", *args],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
            "SONIOX_API_KEY": KEY,
            "SONIOX_API_BASE_URL": urls.api,
            "SONIOX_WS_URL": urls.stt,
            "SONIOX_TTS_API_URL": urls.tts_api,
            "SONIOX_TTS_WS_URL": urls.tts,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SEC,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def parsed(written: str) -> list[Any]:
    """Read SubRip with an independent parser."""
    return list(pytest.importorskip("srt").parse(written))


def test_the_sample_is_what_the_command_writes(tmp_path: Path) -> None:
    """The sentences of the sample, spoken and transcribed, produce the sample again."""
    shown = parsed(sample())
    text = " ".join(cue.content for cue in shown).replace("\n", " ")
    with Sandbox(api_keys=[KEY]) as sandbox:
        run_cli(sandbox, tmp_path, "speak", text, "-o", "ferry.wav")
        # the file need not be sent as slowly as it was spoken
        made = parsed(run_cli(sandbox, tmp_path, *COMMAND.split()[1:], "--pace", "0"))
    assert [cue.content for cue in made] == [cue.content for cue in shown]
    for ours, theirs in zip(made, shown):
        assert abs(ours.start - theirs.start).total_seconds() * 1000 < NEAR_MS
        assert abs(ours.end - theirs.end).total_seconds() * 1000 < NEAR_MS


def test_the_sample_fits_forty_columns() -> None:
    """No line of the sample is wider than the option says."""
    assert max(len(line) for cue in parsed(sample()) for line in cue.content.split("\n")) <= 40
