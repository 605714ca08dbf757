"""The Flask examples serve: speech as it is made, and live captions."""

from __future__ import annotations

import io
import json
import signal
import wave
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websocket
from serving import EXAMPLES, ServerProcess

from soniox_sync.sandbox import Sandbox

pytestmark = pytest.mark.needs("flask", "flask_sock")

# for engines on a loaded machine; what takes longer hangs
PATIENCE_SEC = 60.0


@pytest.fixture
def site(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Serve the site with the two pages."""
    app = str(EXAMPLES / "flask_app" / "app.py")
    with ServerProcess([app, "--port", "0"], environment) as server:
        yield server


def socket_to(server: ServerProcess, path: str) -> websocket.WebSocket:
    """Open a WebSocket as a browser does."""
    url = server.url.replace("http", "ws") + path
    return websocket.create_connection(url, timeout=PATIENCE_SEC)


def received(socket: websocket.WebSocket) -> Iterator[dict[str, Any]]:
    """Give what the server says, until it closes."""
    while (data := socket.recv()) != "":
        yield json.loads(data)


# -- speech ---------------------------------------------------------------------------------------


def test_speech_begins_before_all_of_it_is_made(
    site: ServerProcess, web: Any, soniox_sandbox: Sandbox
) -> None:
    """The first audio arrives while the service still holds back the rest."""
    soniox_sandbox.faults.stall(kind="tts", after_audio_ms=500)
    answer = web.get(
        f"{site.url}/speech.wav",
        params={"text": "This is a sentence of some length, long enough for a stall."},
        stream=True,
        timeout=PATIENCE_SEC,
    )
    assert answer.headers["Content-Type"] == "audio/wav"
    assert "Content-Length" not in answer.headers
    assert next(answer.iter_content(44)).startswith(b"RIFF")
    answer.close()


def test_a_listener_who_leaves_ends_the_speech(
    site: ServerProcess, web: Any, soniox_sandbox: Sandbox
) -> None:
    """What nobody hears is not made, and not paid for."""
    words = {"text": "This is a sentence of some length, and it goes on. " * 19}
    answer = web.get(f"{site.url}/speech.wav", params=words, stream=True, timeout=PATIENCE_SEC)
    assert next(answer.iter_content(44)).startswith(b"RIFF")
    answer.close()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=PATIENCE_SEC)
    assert any(message.get("cancel") for message in soniox_sandbox.log.messages(kind="tts"))


def test_speech_that_breaks_off_never_looks_whole(
    site: ServerProcess, web: Any, soniox_sandbox: Sandbox
) -> None:
    """The body ends without its last chunk, and the rest of it is not spoken anew."""
    soniox_sandbox.faults.error_frame("internal_error", kind="tts", after_audio_ms=500)
    words = {"text": "This is a sentence of some length, long enough to break off."}
    speech = f"{site.url}/speech.wav"
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        web.get(speech, params=words, timeout=PATIENCE_SEC)
    rest = {"Range": "bytes=20000-"}  # as Chromium asks, again and again
    answer = web.get(speech, params=words, headers=rest, timeout=PATIENCE_SEC)
    assert answer.status_code == 409
    assert soniox_sandbox.log.totals["tts.streams"] == 1


def test_speech_is_a_whole_wav(site: ServerProcess, web: Any, text: str) -> None:
    """What the endpoint sends plays in anything that plays WAV."""
    answer = web.get(f"{site.url}/speech.wav", params={"text": text}, timeout=PATIENCE_SEC)
    assert answer.status_code == 200
    with wave.open(io.BytesIO(answer.content)) as file:
        assert len(file.readframes(file.getnframes())) > file.getframerate()


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001, "...", "\u200b"])
def test_a_text_that_cannot_be_spoken_is_refused(text: str, site: ServerProcess, web: Any) -> None:
    """Nothing to say, and too much, are the caller's mistake."""
    answer = web.get(f"{site.url}/speech.wav", params={"text": text}, timeout=PATIENCE_SEC)
    assert answer.status_code == 400
    assert "text" in answer.text


def test_a_service_that_refuses_is_a_bad_gateway(site: ServerProcess, web: Any) -> None:
    """An error before the first sound has a status and the service's reason."""
    words = {"text": "Hello.", "voice": "Nobody"}
    answer = web.get(f"{site.url}/speech.wav", params=words, timeout=PATIENCE_SEC)
    assert answer.status_code == 502
    assert "voice" in answer.text.lower()


def test_the_first_page_leads_to_the_captions(site: ServerProcess, web: Any) -> None:
    """The site's own address shows a page."""
    answer = web.get(site.url, timeout=PATIENCE_SEC)
    assert answer.url.endswith("/captions")
    assert "<h1>Live captions</h1>" in answer.text


# -- captions -------------------------------------------------------------------------------------


def test_captions_come_for_the_samples_of_a_page(
    site: ServerProcess, recording: bytes, text: str
) -> None:
    """Samples in, words out; after "stop" the last words come, then `finished`."""
    with wave.open(io.BytesIO(recording)) as file:
        rate, samples = file.getframerate(), file.readframes(file.getnframes())
    socket = socket_to(site, f"/captions/live?rate={rate}&language=en")
    for at in range(0, len(samples), 4800):
        socket.send_binary(samples[at : at + 4800])
    socket.send("stop")
    messages = []
    for message in received(socket):
        messages.append(message)
        if message.get("kind") == "finished":
            break
    socket.close()
    assert "".join(message.get("final", "") for message in messages).strip() == text
    assert messages[-1] == {"kind": "finished"}


def test_a_page_that_leaves_ends_its_session(
    site: ServerProcess, recording: bytes, soniox_sandbox: Sandbox
) -> None:
    """Nobody pays for a tab that was closed: the service sees the line end."""
    socket = socket_to(site, "/captions/live?rate=24000")
    socket.send_binary(recording[44:48044])
    assert json.loads(socket.recv())
    socket.close()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=PATIENCE_SEC)
    assert "Traceback" not in site.output


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [[], ["--sandbox"]], ids=["service", "sandbox"])
def test_it_ends_in_the_middle_of_things(
    sign: signal.Signals, options: list[str], environment: dict[str, str]
) -> None:
    """Ctrl-C and SIGTERM end the site while a page is listening."""
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
    """The page is told what the service refused."""
    soniox_sandbox.faults.error_frame("invalid_request", "No such thing", kind="stt")
    socket = socket_to(site, "/captions/live?rate=24000")
    socket.send_binary(recording[44:48044])
    message = next(received(socket))
    socket.close()
    assert message["kind"] == "error"
    assert "No such thing" in message["reason"]
