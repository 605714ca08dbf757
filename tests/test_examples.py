"""Every program in `examples/` runs as its reader would run it, on a sandbox of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
PROGRAMS = sorted(
    path.relative_to(EXAMPLES).as_posix()
    for path in EXAMPLES.rglob("*.py")
    if not path.name.startswith("test_")
)
# with speech engines on a loaded machine; one that takes longer hangs
PATIENCE_SEC = 90.0

# what each program prints, as far as it does not depend on what was heard
SAYS = {
    "app_with_tests/voicemail.py": "",
    "five_voices.py": "nina.wav",
    "push_handlers.py": "(all is spoken)",
    "session_by_hand.py": "-- finished at",
    "speak_to_file.py": "first sound after",
    "transcribe_file.py": "wrote example.srt",
}
# what each program leaves behind
WRITES = {
    "app_with_tests/voicemail.py": {"greeting.wav"},
    "five_voices.py": {f"{name}.wav" for name in ("adrian", "nina", "lucia", "oliver", "isla")},
    "speak_to_file.py": {"speech.wav"},
    "transcribe_file.py": {"example.wav", "example.srt"},
}


def run(arguments: list[str], where: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in `where` without a key; what is not closed shows on stderr."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    environment["PYTHONIOENCODING"] = "utf-8"
    environment["PYTHONWARNINGS"] = "always::ResourceWarning"
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SEC,
    )


def test_every_example_is_run_here() -> None:
    """The table of this test names every program."""
    assert sorted(SAYS) == PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_runs_on_the_sandbox(program: str, tmp_path: Path) -> None:
    """Each program ends 0 with `--sandbox`, says what it should, and writes whole files."""
    done = run([str(EXAMPLES / program), "--sandbox"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert SAYS[program] in done.stdout
    assert done.stdout.strip()
    assert {path.name for path in tmp_path.iterdir()} == WRITES.get(program, set())
    for path in tmp_path.glob("*.wav"):
        with wave.open(str(path)) as file:
            assert file.getnframes() > file.getframerate() // 2


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_explains_itself(program: str, tmp_path: Path) -> None:
    """`--help` tells what the program does; without a key the error says what is missing."""
    shown = run([str(EXAMPLES / program), "--help"], tmp_path)
    assert shown.returncode == 0
    assert "--sandbox" in shown.stdout
    keyless = run([str(EXAMPLES / program)], tmp_path)
    assert keyless.returncode != 0
    assert "SONIOX_API_KEY" in keyless.stderr.splitlines()[-1]


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_is_short(program: str) -> None:
    """A program that shows one thing fits on a screen."""
    assert len((EXAMPLES / program).read_text(encoding="utf-8").splitlines()) < 60


def test_the_tests_of_the_example_app_pass(tmp_path: Path) -> None:
    """The little app is tested with nothing but the fixtures that the library brings."""
    tests = EXAMPLES / "app_with_tests"
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tests), f"--basetemp={tmp_path}/t"]
    done = run(["-m", "pytest", *options, str(tests)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout or "3 passed, 1 skipped" in done.stdout
