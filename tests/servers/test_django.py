"""Tests of the Django example: two plain views and a management command."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.serving import EXAMPLES, ServerProcess

pytestmark = pytest.mark.needs("django")

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 90.0
READY = r"development server at http://127\.0\.0\.1:(\d+)"
MANAGE = str(EXAMPLES / "django_site" / "manage.py")


@pytest.fixture
def site(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the site on Django's own server."""
    arguments = [MANAGE, "runserver", "--noreload", "127.0.0.1:0"]
    with ServerProcess(arguments, environment, ready=READY) as server:
        yield server


def test_a_view_streams_speech(site: ServerProcess, web: Any, soniox_sandbox: Sandbox) -> None:
    """The first audio arrives while the service still holds back the rest."""
    soniox_sandbox.faults.stall(kind="tts", after_audio_ms=500)
    words = {"text": "This is a sentence of some length, long enough for a stall."}
    answer = web.get(f"{site.url}/speech.wav", params=words, stream=True, timeout=TIMEOUT_SEC)
    assert answer.headers["Content-Type"] == "audio/wav"
    assert next(answer.iter_content(44)).startswith(b"RIFF")
    answer.close()


def test_a_disconnect_ends_the_speech(
    site: ServerProcess, web: Any, soniox_sandbox: Sandbox
) -> None:
    """After the client disconnects, no more speech is generated or paid for."""
    words = {"text": "This is a sentence of some length, and it goes on. " * 40}
    answer = web.get(f"{site.url}/speech.wav", params=words, stream=True, timeout=TIMEOUT_SEC)
    assert next(answer.iter_content(44)).startswith(b"RIFF")
    answer.close()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert any(message.get("cancel") for message in soniox_sandbox.log.messages(kind="tts"))


def test_a_view_speaks_a_whole_wav(site: ServerProcess, web: Any, text: str) -> None:
    """The streamed audio is a valid WAV."""
    answer = web.get(f"{site.url}/speech.wav", params={"text": text}, timeout=TIMEOUT_SEC)
    with wave.open(io.BytesIO(answer.content)) as file:
        assert len(file.readframes(file.getnframes())) > file.getframerate()


def test_an_error_before_the_first_audio_has_a_status(site: ServerProcess, web: Any) -> None:
    """A text without words is a 400; an unknown voice is an error of the service, so a 502."""
    speech = f"{site.url}/speech.wav"
    for nothing in ("", "..."):
        assert web.get(speech, params={"text": nothing}, timeout=TIMEOUT_SEC).status_code == 400
    words = {"text": "Hello.", "voice": "Nobody"}
    answer = web.get(speech, params=words, timeout=TIMEOUT_SEC)
    assert answer.status_code == 502
    assert "voice" in answer.text.lower()


def test_a_view_captions_an_upload(
    site: ServerProcess, web: Any, recording: bytes, text: str
) -> None:
    """An upload is answered with its text and captions."""
    files = {"audio": ("call.wav", recording, "audio/wav")}
    answer = web.post(f"{site.url}/captions", files=files, timeout=TIMEOUT_SEC).json()
    assert answer["text"] == text
    assert answer["vtt"].startswith("WEBVTT")
    assert web.post(f"{site.url}/captions", timeout=TIMEOUT_SEC).status_code == 400


def test_the_site_can_be_tried_without_a_key(web: Any) -> None:
    """`runserver --sandbox` starts its own sandbox, and runs until Ctrl-C."""
    keyless = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    keyless["PYTHONUNBUFFERED"] = "1"
    arguments = [MANAGE, "runserver", "--noreload", "--sandbox", "127.0.0.1:0"]
    with ServerProcess(arguments, keyless, ready=READY) as server:
        words = {"text": "No key is needed."}
        answer = web.get(f"{server.url}/speech.wav", params=words, timeout=TIMEOUT_SEC)
        server.close(signal.SIGINT)
    assert answer.content.startswith(b"RIFF")
    assert not server.was_killed
    assert "Traceback" not in server.output


def test_a_command_transcribes_files(
    environment: dict[str, str], recording: bytes, text: str, tmp_path: Path
) -> None:
    """`manage.py transcribe` prints the text and writes captions next to the file."""
    path = tmp_path / "call.wav"
    path.write_bytes(recording)
    done = manage(["transcribe", str(path)], environment)
    assert (done.returncode, done.stdout.strip()) == (0, text), done.stderr
    assert "-->" in path.with_suffix(".srt").read_text(encoding="utf-8")


def test_a_command_needs_no_key_on_the_sandbox(
    environment: dict[str, str], recording: bytes, tmp_path: Path
) -> None:
    """`--sandbox` needs no key; without it a missing key is reported."""
    path = tmp_path / "call.wav"
    path.write_bytes(recording)
    keyless = {k: v for k, v in environment.items() if not k.startswith("SONIOX_")}
    done = manage(["transcribe", "--sandbox", str(path)], keyless)
    assert done.returncode == 0, done.stderr
    assert path.with_suffix(".srt").exists()
    refused = manage(["transcribe", str(path)], keyless)
    assert refused.returncode == 1
    assert "SONIOX_API_KEY" in refused.stderr


def test_a_command_reports_a_missing_file(environment: dict[str, str], tmp_path: Path) -> None:
    """A missing file ends the command with an error that names it."""
    done = manage(["transcribe", str(tmp_path / "nothing.wav")], environment)
    assert done.returncode == 1
    assert "nothing.wav" in done.stderr
    assert "Traceback" not in done.stderr


def manage(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a management command."""
    return subprocess.run(
        [sys.executable, MANAGE, *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=TIMEOUT_SEC,
    )
