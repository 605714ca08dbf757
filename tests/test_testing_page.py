"""The page about tests of applications: its blocks are tests themselves, and pass as they stand."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from soniox_sync.sandbox import Sandbox

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parent.parent / "docs" / "testing.rst").read_text(encoding="utf-8")
BLOCKS = [
    textwrap.dedent(match[1]).strip("\n") + "\n"
    for match in re.finditer(r"^\.\. code-block:: python\n\n((?:(?: +.*)?\n)+)", PAGE, re.MULTILINE)
]
LIBRARIES = ("freezegun", "responses", "requests_mock", "vcr", "pytest_httpserver")
NEEDS = [
    [name for name in LIBRARIES if re.search(rf"^(import|from) {name}\b", block, re.MULTILINE)]
    for block in BLOCKS
]


def run(folder: Path, **environ: str) -> str:
    """Run the tests in a folder, or the script that it has; return what is printed.

    Warnings are errors.
    """
    command = [sys.executable, "-W", "error"]
    if (folder / "script.py").exists():
        command.append("script.py")
    else:
        command += ["-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    names = {name: value for name, value in os.environ.items() if not name.startswith("SONIOX_")}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**names, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def prepared(folder: Path, number: int) -> None:
    """Write a block as a test into a folder; skip if a library that it needs is missing."""
    speaks = "soniox_caller" in BLOCKS[number] or is_script(number)
    needs = ["espeakng_loader"] if speaks else NEEDS[number]
    for name in needs:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    name = "script.py" if is_script(number) else "test_block.py"
    (folder / name).write_text(BLOCKS[number], encoding="utf-8")


def is_script(number: int) -> bool:
    """Return whether a block has no tests."""
    return "def test_" not in BLOCKS[number]


def test_every_library_has_its_block() -> None:
    """The sandbox, a script, an own client, a voice agent, freezegun, four mock libraries."""
    assert [needs or ["sandbox"] for needs in NEEDS] == [
        ["sandbox"],
        ["sandbox"],
        ["sandbox"],
        ["sandbox"],
        ["freezegun"],
        ["responses"],
        ["requests_mock"],
        ["vcr"],
        ["pytest_httpserver"],
    ]


@pytest.mark.parametrize(
    "number", [n for n, needs in enumerate(NEEDS) if needs != ["vcr"]], ids=lambda n: str(NEEDS[n])
)
def test_a_block_passes(number: int, tmp_path: Path) -> None:
    """Without a key, and without a network, each block passes."""
    prepared(tmp_path, number)
    printed = run(tmp_path)
    if is_script(number):
        assert printed.strip() == "The shop closes at six."


def test_the_cassette_is_recorded_once(tmp_path: Path) -> None:
    """The first run records the service, the second needs none; the key is not in the cassette."""
    prepared(tmp_path, NEEDS.index(["vcr"]))
    with Sandbox() as service:
        urls = {
            "SONIOX_API_KEY": "key-of-a-cassette",
            "SONIOX_API_BASE_URL": service.urls.api,
            "SONIOX_TTS_API_URL": service.urls.tts_api,
        }
        run(tmp_path, **urls)
    cassette = tmp_path / "cassettes" / "round_trip.yaml"
    recorded = cassette.read_bytes()
    assert b"key-of-a-cassette" not in recorded
    run(tmp_path, **urls)
    assert cassette.read_bytes() == recorded
