"""The pytest plugin: listed again by a user, and beside a stopped clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = "soniox_sync.sandbox.pytest_plugin"
USES_THE_FIXTURE = "def test_it(soniox_client): assert soniox_client.files.list().files == ()\n"


def run(folder: Path, *options: str) -> str:
    """Run pytest in a folder and return what it prints; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("where", ["conftest", "option", "both"])
def test_the_plugin_may_be_listed_again(tmp_path: Path, where: str) -> None:
    """`pytest_plugins` and `-p` name a plugin that pytest has loaded already (reinstall if not)."""
    (tmp_path / "test_it.py").write_text(USES_THE_FIXTURE, encoding="utf-8")
    if where != "option":
        (tmp_path / "conftest.py").write_text(f"pytest_plugins = [{PLUGIN!r}]\n", encoding="utf-8")
    assert "1 passed" in run(tmp_path, *(["-p", PLUGIN] if where != "conftest" else []))


def test_the_plugin_can_be_switched_off(tmp_path: Path) -> None:
    """With `-p no:` its fixtures are gone."""
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    assert "soniox_client" not in run(tmp_path, "--fixtures", "-p", f"no:{PLUGIN}")


# each of them fails, or hangs, where the clock of the library or of the sandbox stands still
STOPPED_CLOCK = """
import datetime, time
import pytest
from freezegun import freeze_time
from soniox_sync import CancelToken, SonioxTimeoutError
from soniox_sync.sandbox import numbered_audio

PCM = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}

@pytest.fixture
def stopped():
    with freeze_time("2031-05-06"):
        yield

@freeze_time("2031-05-06")
def test_a_decorated_test(soniox_client):
    assert time.time() == datetime.datetime(2031, 5, 6, tzinfo=datetime.timezone.utc).timestamp()
    speech = soniox_client.realtime.speak("One. Two.", voice="Adrian", audio_format="wav").read()
    assert speech[:4] == b"RIFF"
    assert isinstance(soniox_client.realtime.transcribe(speech).read().text, str)
    assert soniox_client.tts.generate(text="One.", voice="Adrian")[:4] == b"RIFF"

def test_a_fixture_before_the_sandbox(stopped, soniox_client):
    with soniox_client.realtime.stt(**PCM) as session:
        with pytest.raises(SonioxTimeoutError):
            session.next_event(timeout_sec=0.05)

def test_a_clock_that_jumps(soniox_client):
    with freeze_time("2031-05-06") as clock:
        with soniox_client.realtime.stt(**PCM) as session:
            clock.tick(86400)
            session.send_audio(bytes(3200))
            session.finish()
            assert session.read() is not None
        file = soniox_client.files.upload(b"abc")
        clock.move_to("2020-01-01")
        soniox_client.files.delete(file.id)
"""


def test_a_stopped_clock_stops_neither_client_nor_sandbox(tmp_path: Path) -> None:
    """Under freezegun the user's clock stands still, and everything of this package goes on."""
    pytest.importorskip("freezegun", reason="freezegun is not installed")
    (tmp_path / "test_it.py").write_text(STOPPED_CLOCK, encoding="utf-8")
    assert "3 passed" in run(tmp_path)
