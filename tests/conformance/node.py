"""Node.js and the packages in `programs/`, for the tests that run JavaScript."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
PACKAGES = PROGRAMS / "node_modules"
# a start of Node.js on a loaded machine, and a few seconds of audio at the pace of speech
TIMEOUT_SEC = 60.0


def run_node(folder: Path, source: str, *args: str, **environ: str) -> str:
    """Run a module in a folder with the packages of `programs/`; return what it prints.

    Skips the test if Node.js or the packages are not installed.
    """
    node = shutil.which("node")
    if node is None or not PACKAGES.is_dir():
        pytest.skip("needs Node.js, and npm install --prefix tests/conformance/programs")
    # modules look for packages beside themselves and above
    (folder / "node_modules").symlink_to(PACKAGES, target_is_directory=True)
    path = folder / "program.mjs"
    path.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [node, str(path), *args],
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
        env={**os.environ, **environ},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
