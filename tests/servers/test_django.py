"""Tests of the Django example: its page and views, live captions, and a management command."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.sandbox import Sandbox
from tests.servers.sockets import (
    MOMENTS,
    assert_close_frame_is_last,
    captions_of,
    received,
    socket_to,
)
from tests.serving import EXAMPLES, ServerProcess

pytestmark = pytest.mark.needs("django", "simple_websocket")

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 90.0
READY = r"development server at http://127\.0\.0\.1:(\d+)"
HOME = EXAMPLES / "django_site"
MANAGE = str(HOME / "manage.py")
GUNICORN = [
    *("-m", "gunicorn", "--bind", "127.0.0.1:0", "--threads", "100", "--log-level", "debug"),
    "site_settings.wsgi",
]
LISTENS = r"Listening at: http://127\.0\.0\.1:(\d+)"


@pytest.fixture
def site(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the site on Django's own server."""
    arguments = [MANAGE, "runserver", "--noreload", "127.0.0.1:0"]
    with ServerProcess(arguments, environment, ready=READY) as server:
        yield server


@pytest.fixture(params=["runserver", "gunicorn"])
def any_site(
    request: pytest.FixtureRequest, environment: dict[str, str]
) -> Iterator[ServerProcess]:
    """Run the site on Django's own server, and as in production."""
    if request.param == "runserver":
        yield request.getfixturevalue("site")
        return
    pytest.importorskip("gunicorn", reason="needs gunicorn: pip install -e '.[examples]'")
    if not hasattr(os, "fork"):
        pytest.skip("gunicorn needs fork")
    with ServerProcess(GUNICORN, environment, ready=LISTENS, where=HOME) as server:
        yield server


# -- page and views -------------------------------------------------------------------------------


def test_the_home_page_shows_microphone_and_upload(site: ServerProcess, web: Any) -> None:
    """The root URL is a page, and everything that it loads is there."""
    answer = web.get(site.url, timeout=TIMEOUT_SEC)
    assert answer.status_code == 200
    assert "<h1>Captions</h1>" in answer.text
    parts = re.findall(r'(?:src|href|data-worklet)="(/[^"]+)"', answer.text)
    assert len(parts) == 5
    for part in parts:
        assert web.get(site.url + part, timeout=TIMEOUT_SEC).status_code == 200, part


@pytest.mark.parametrize("name", ["captions.js", "microphone.js", "style.css"])
def test_the_pages_of_both_frameworks_share_their_parts(name: str) -> None:
    """Each example is whole by itself, and what both have is the same."""
    ours = HOME / "spoken" / "static" / "spoken" / name
    assert ours.read_bytes() == (EXAMPLES / "flask_app" / "static" / name).read_bytes()


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
    """An upload is answered with its text and captions; without a file it is refused."""
    token = {"X-CSRFToken": token_of(site, web)}
    files = {"audio": ("call.wav", recording, "audio/wav")}
    captions = f"{site.url}/captions"
    answer = web.post(captions, files=files, headers=token, timeout=TIMEOUT_SEC).json()
    assert answer["text"] == text
    assert answer["vtt"].startswith("WEBVTT")
    assert web.post(captions, headers=token, timeout=TIMEOUT_SEC).status_code == 400


def test_the_language_of_an_upload_is_passed_on(
    site: ServerProcess, web: Any, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """What the form says of the language reaches the service."""
    files = {"audio": ("call.wav", recording, "audio/wav")}
    form = {"language": "de", "csrfmiddlewaretoken": token_of(site, web)}
    assert web.post(f"{site.url}/captions", data=form, files=files, timeout=TIMEOUT_SEC).ok
    (first, *_) = soniox_sandbox.log.messages(kind="stt")
    assert first["language_hints"] == ["de"]


def test_an_upload_from_another_site_is_refused(
    site: ServerProcess, web: Any, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """Without the token of our page nothing is transcribed."""
    files = {"audio": ("call.wav", recording, "audio/wav")}
    answer = web.post(f"{site.url}/captions", files=files, timeout=TIMEOUT_SEC)
    assert answer.status_code == 403
    assert soniox_sandbox.log.totals["stt.sessions"] == 0


def token_of(site: ServerProcess, web: Any) -> str:
    """Open the page; return its token against forged requests."""
    page = web.get(site.url, timeout=TIMEOUT_SEC).text
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found is not None
    return found[1]


# -- live captions --------------------------------------------------------------------------------


def test_captions_of_the_samples_of_a_page(
    any_site: ServerProcess, recording: bytes, text: str
) -> None:
    """Samples are answered with captions; "stop" with the last words, then `finished`."""
    messages = captions_of(any_site, "/live", recording)
    assert "".join(message.get("final", "") for message in messages).strip() == text
    assert messages[-1] == {"kind": "finished"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_close_frame_is_the_last_of_a_connection(
    any_site: ServerProcess, recording: bytes, moment: str
) -> None:
    """Whenever the page closes, it gets one close frame, and no byte follows: no HTTP response."""
    assert_close_frame_is_last(any_site, "/live", recording, moment)
    assert "Traceback" not in any_site.output


def test_a_page_that_disconnects_ends_its_session(
    any_site: ServerProcess, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """Closing a tab closes the connection to the service, which then costs nothing."""
    socket = socket_to(any_site, "/live?rate=24000")
    socket.send_binary(recording[44:48044])
    assert json.loads(socket.recv())
    socket.shutdown()  # without a close frame
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert "Traceback" not in any_site.output


def test_an_error_of_the_service_reaches_the_page(
    site: ServerProcess, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """The page gets the service's reason for a refusal."""
    soniox_sandbox.faults.error_frame("invalid_request", "No such thing", kind="stt")
    socket = socket_to(site, "/live?rate=24000")
    socket.send_binary(recording[44:48044])
    message = next(received(socket))
    socket.close()
    assert message["kind"] == "error"
    assert "No such thing" in message["reason"]


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
def test_a_page_of_another_site_cannot_listen(site: ServerProcess, web: Any, origin: str) -> None:
    """A WebSocket of another origin is refused, and so is a request that is none."""
    live = f"{site.url}/live"
    upgrade = {"Upgrade": "websocket", "Origin": origin}
    assert web.get(live, headers=upgrade, timeout=TIMEOUT_SEC).status_code == 403
    assert web.get(live, timeout=TIMEOUT_SEC).status_code == 426


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_a_page_is_listening(sign: signal.Signals, site: ServerProcess) -> None:
    """Ctrl-C and SIGTERM end the site although a page is listening."""
    socket = socket_to(site, "/live?rate=24000")
    socket.send_binary(bytes(4800))
    site.close(sign)
    socket.close()
    assert not site.was_killed
    assert "Traceback" not in site.output


# -- commands -------------------------------------------------------------------------------------


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
