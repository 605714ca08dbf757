"""Tests of the library on greenlets, after `monkey.patch_all()`, plain and over TLS."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.servers.tls_front import TlsFront
from tests.serving import EXAMPLES

pytestmark = pytest.mark.needs("gevent")

# a little more than the programs' own limit
TIMEOUT_SEC = 75.0
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
    """Run a program in its own process and return its output; fail if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def program_environment(environment: dict[str, str]) -> dict[str, str]:
    """Provide the environment of the programs."""
    found = dict(environment)
    if importlib.util.find_spec("pocketsphinx") is not None:
        found["TEST_RECOGNISES"] = "1"
    return found


@pytest.mark.parametrize("name", NAMES)
def test_it_works_on_greenlets(
    name: str, program_environment: dict[str, str], soniox_sandbox: Sandbox
) -> None:
    """Waits yield to other greenlets, closing and deadlines end them, and nothing leaks."""
    assert run([str(PROGRAMS), name], program_environment).strip() == "done"
    assert soniox_sandbox.log.wait_until_idle()


def test_greenlets_transcribe_at_the_same_time(
    program_environment: dict[str, str], soniox_sandbox: Sandbox
) -> None:
    """Eight paced transcriptions run concurrently, not one after the other."""
    run([str(PROGRAMS), "many"], program_environment)
    assert soniox_sandbox.log.peaks["stt.connections"] == 8


@pytest.mark.parametrize("name", ["many", "closed_from_outside", "timed_out", "killed"])
def test_it_works_on_greenlets_over_tls(
    name: str,
    program_environment: dict[str, str],
    soniox_sandbox: Sandbox,
    authority: Any,
    tmp_path: Path,
) -> None:
    """The same holds over TLS, which the real service uses."""
    certificate = tmp_path / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(certificate))
    with TlsFront(soniox_sandbox.port, authority.server) as front:
        program_environment["TEST_CA"] = str(certificate)
        program_environment["SONIOX_WS_URL"] = f"wss://localhost:{front.port}/transcribe-websocket"
        program_environment["SONIOX_TTS_WS_URL"] = f"wss://localhost:{front.port}/tts-websocket"
        assert run([str(PROGRAMS), name], program_environment).strip() == "done"
        assert front.connections > 0


def test_the_example_saves_time() -> None:
    """The worker's jobs run concurrently, with the sandbox on greenlets as well."""
    keyless = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    printed = run([str(EXAMPLES / "gevent_worker.py"), "--sandbox"], keyless)
    assert len(printed.splitlines()) == 5
    assert "4 jobs of" in printed
