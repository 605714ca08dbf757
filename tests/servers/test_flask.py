"""Tests of the Flask example: streamed speech, and live captions."""

from __future__ import annotations

import io
import json
import signal
import wave
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from soniox_sync.sandbox import Sandbox
from tests.servers.sockets import (
    MOMENTS,
    assert_close_frame_is_last,
    captions_of,
    received,
    socket_to,
)
from tests.serving import EXAMPLES, ServerProcess

pytestmark = pytest.mark.needs("flask", "flask_sock")

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 60.0


@pytest.fixture
def site(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the site."""
    app = str(EXAMPLES / "flask_app" / "app.py")
    with ServerProcess([app, "--port", "0"], environment) as server:
        yield server


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
def test_a_page_of_another_site_is_refused(site: ServerProcess, web: Any, origin: str) -> None:
    """Its WebSocket, of which browsers ask nobody; a page of the site's own is served."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": origin}
    answer = web.get(f"{site.url}/captions/live", headers=upgrade, timeout=TIMEOUT_SEC)
    assert answer.status_code == 403
    own = web.get(f"{site.url}/captions", headers={"Origin": site.url}, timeout=TIMEOUT_SEC)
    assert own.status_code == 200


# -- speech ---------------------------------------------------------------------------------------


def test_speech_is_streamed(site: ServerProcess, web: Any, soniox_sandbox: Sandbox) -> None:
    """The first audio arrives while the service still holds back the rest."""
    soniox_sandbox.faults.stall(kind="tts", after_audio_ms=500)
    answer = web.get(
        f"{site.url}/speech.wav",
        params={"text": "This is a sentence of some length, long enough for a stall."},
        stream=True,
        timeout=TIMEOUT_SEC,
    )
    assert answer.headers["Content-Type"] == "audio/wav"
    assert "Content-Length" not in answer.headers
    assert next(answer.iter_content(44)).startswith(b"RIFF")
    answer.close()


def test_a_disconnect_ends_the_speech(
    site: ServerProcess, web: Any, soniox_sandbox: Sandbox
) -> None:
    """After the client disconnects, no more speech is generated or paid for."""
    words = {"text": "This is a sentence of some length, and it goes on. " * 19}
    answer = web.get(f"{site.url}/speech.wav", params=words, stream=True, timeout=TIMEOUT_SEC)
    assert next(answer.iter_content(44)).startswith(b"RIFF")
    answer.close()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert any(message.get("cancel") for message in soniox_sandbox.log.messages(kind="tts"))


def test_speech_that_is_cut_off_never_looks_complete(
    site: ServerProcess, web: Any, soniox_sandbox: Sandbox
) -> None:
    """The body ends without its last chunk, and a request for the rest is refused."""
    soniox_sandbox.faults.error_frame("internal_error", kind="tts", after_audio_ms=500)
    words = {"text": "This is a sentence of some length, long enough to be cut off."}
    speech = f"{site.url}/speech.wav"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        web.get(speech, params=words, timeout=TIMEOUT_SEC)
    rest = {"Range": "bytes=20000-"}  # which Chromium sends repeatedly
    answer = web.get(speech, params=words, headers=rest, timeout=TIMEOUT_SEC)
    assert answer.status_code == 409
    assert soniox_sandbox.log.totals["tts.streams"] == 1


def test_speech_is_a_whole_wav(site: ServerProcess, web: Any, text: str) -> None:
    """The streamed audio is a valid WAV."""
    answer = web.get(f"{site.url}/speech.wav", params={"text": text}, timeout=TIMEOUT_SEC)
    assert answer.status_code == 200
    with wave.open(io.BytesIO(answer.content)) as file:
        assert len(file.readframes(file.getnframes())) > file.getframerate()


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001, "...", "\u200b"])
def test_a_text_that_cannot_be_spoken_is_refused(text: str, site: ServerProcess, web: Any) -> None:
    """A text without words, and one that is too long, are a 400."""
    answer = web.get(f"{site.url}/speech.wav", params={"text": text}, timeout=TIMEOUT_SEC)
    assert answer.status_code == 400
    assert "text" in answer.text


def test_a_service_that_refuses_is_a_bad_gateway(site: ServerProcess, web: Any) -> None:
    """An error before the first audio has a status and the service's reason."""
    words = {"text": "Hello.", "voice": "Nobody"}
    answer = web.get(f"{site.url}/speech.wav", params=words, timeout=TIMEOUT_SEC)
    assert answer.status_code == 502
    assert "voice" in answer.text.lower()


def test_the_home_page_redirects_to_the_captions(site: ServerProcess, web: Any) -> None:
    """The site's root URL shows the captions page."""
    answer = web.get(site.url, timeout=TIMEOUT_SEC)
    assert answer.url.endswith("/captions")
    assert "<h1>Live captions</h1>" in answer.text


# -- captions -------------------------------------------------------------------------------------


def test_captions_of_the_samples_of_a_page(
    site: ServerProcess, recording: bytes, text: str
) -> None:
    """Samples are answered with captions; "stop" with the last words, then `finished`."""
    messages = captions_of(site, "/captions/live", recording)
    assert "".join(message.get("final", "") for message in messages).strip() == text
    assert messages[-1] == {"kind": "finished"}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_close_frame_is_the_last_of_a_connection(
    site: ServerProcess, recording: bytes, moment: str
) -> None:
    """Whenever the page closes, it gets one close frame, and no byte follows: no HTTP response."""
    assert_close_frame_is_last(site, "/captions/live", recording, moment)
    assert "Traceback" not in site.output


def test_a_page_that_disconnects_ends_its_session(
    site: ServerProcess, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """Closing a tab closes the connection to the service, which then costs nothing."""
    socket = socket_to(site, "/captions/live?rate=24000")
    socket.send_binary(recording[44:48044])
    assert json.loads(socket.recv())
    socket.close()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert "Traceback" not in site.output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [[], ["--sandbox"]], ids=["service", "sandbox"])
def test_it_ends_while_a_page_is_listening(
    sign: signal.Signals, options: list[str], environment: dict[str, str]
) -> None:
    """Ctrl-C and SIGTERM end the site although a page is listening."""
    app = str(EXAMPLES / "flask_app" / "app.py")
    with ServerProcess([app, "--port", "0", *options], environment) as server:
        socket = socket_to(server, "/captions/live?rate=24000")
        socket.send_binary(bytes(4800))
        server.close(sign)
        socket.close()
    assert not server.was_killed
    assert "Traceback" not in server.output


def test_an_error_of_the_service_reaches_the_page(
    site: ServerProcess, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """The page gets the service's reason for a refusal."""
    soniox_sandbox.faults.error_frame("invalid_request", "No such thing", kind="stt")
    socket = socket_to(site, "/captions/live?rate=24000")
    socket.send_binary(recording[44:48044])
    message = next(received(socket))
    socket.close()
    assert message["kind"] == "error"
    assert "No such thing" in message["reason"]
