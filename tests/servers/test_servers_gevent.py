"""Under `monkey.patch_all()` the same blocking code runs on greenlets, plain and over TLS."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from serving import EXAMPLES
from tls_front import TlsFront

from soniox_sync.sandbox import Sandbox

pytestmark = pytest.mark.needs("gevent")

# a little more than the programs allow themselves
PATIENCE_SEC = 75.0
PROGRAMS = Path(__file__).parent / "under_gevent.py"
NAMES = (
    "many",
    "patched_late",
    "closed_from_outside",
    "cancelled",
    "timed_out",
    "killed",
    "rest",
)


def run(arguments: list[str], environment: Mapping[str, str]) -> str:
    """Run a program in a process of its own; give what it printed, fail when it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SEC,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def surroundings(environment: dict[str, str]) -> dict[str, str]:
    """Give the environment of the programs."""
    found = dict(environment)
    if importlib.util.find_spec("pocketsphinx") is not None:
        found["TEST_EAR"] = "1"
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_works_on_greenlets(
    name: str, surroundings: dict[str, str], soniox_sandbox: Sandbox
) -> None:
    """Waiting yields to others, closing and deadlines wake, and nothing is left behind."""
    assert run([str(PROGRAMS), name], surroundings).strip() == "done"
    assert soniox_sandbox.log.wait_until_idle()


def test_greenlets_hear_at_the_same_time(
    surroundings: dict[str, str], soniox_sandbox: Sandbox
) -> None:
    """Eight paced transcriptions run side by side, not one after the other."""
    run([str(PROGRAMS), "many"], surroundings)
    assert soniox_sandbox.log.peaks["stt.connections"] == 8


@pytest.mark.parametrize("name", ["many", "closed_from_outside", "timed_out", "killed"])
def test_it_works_on_greenlets_over_tls(
    name: str, surroundings: dict[str, str], soniox_sandbox: Sandbox, authority: Any, tmp_path: Path
) -> None:
    """The lines of the real service are TLS: the same holds for them."""
    certificate = tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(certificate))
    with TlsFront(soniox_sandbox.port, authority.server) as front:
        surroundings["TEST_CA"] = str(certificate)
        surroundings["SONIOX_WS_URL"] = f"wss://localhost:{front.port}/transcribe-websocket"
        surroundings["SONIOX_TTS_WS_URL"] = f"wss://localhost:{front.port}/tts-websocket"
        assert run([str(PROGRAMS), name], surroundings).strip() == "done"
        assert front.lines > 0


def test_the_example_saves_time() -> None:
    """The worker's jobs run side by side, with the sandbox on greenlets as well."""
    keyless = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    printed = run([str(EXAMPLES / "gevent_worker.py"), "--sandbox"], keyless)
    assert len(printed.splitlines()) == 5
    assert "4 jobs of" in printed
