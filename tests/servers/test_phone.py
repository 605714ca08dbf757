"""Tests of the phone example: Twilio's media streams, 8 kHz mulaw both ways, with barge-in."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import websocket

from soniox_sync.sandbox import Line, Sandbox
from tests.serving import EXAMPLES, ServerProcess

pytestmark = pytest.mark.needs("flask", "flask_sock")

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 60.0
STREAM = "MZ00000000000000000000000000000000"
# bytes in a message of Twilio's: 20 ms
CHUNK = 160
SILENCE = b"\xff" * CHUNK


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the app."""
    command = ["-m", "flask", "--app", "app", "run", "--port", "0"]
    with ServerProcess(command, environment, where=EXAMPLES / "twilio_phone") as process:
        yield process


class Phone:
    """Client that behaves like Twilio, but sends audio as fast as possible."""

    def __init__(self, server: ServerProcess) -> None:
        url = server.url.replace("http", "ws") + "/media"
        self._socket = websocket.create_connection(url, timeout=TIMEOUT_SEC)
        self._send(event="connected", protocol="Call", version="1.0.0")
        media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        self._send(event="start", start={"streamSid": STREAM, "mediaFormat": media})

    def _send(self, **message: Any) -> None:
        self._socket.send(json.dumps({"streamSid": STREAM, **message}))

    def send_audio(self, audio: bytes) -> None:
        """Send audio in chunks of 20 ms."""
        for at in range(0, len(audio), CHUNK):
            payload = base64.b64encode(audio[at : at + CHUNK]).decode()
            self._send(event="media", media={"track": "inbound", "payload": payload})

    def receive(self, event: str) -> dict[str, Any]:
        """Wait for the next message of this kind."""
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            assert message["streamSid"] == STREAM
            if message["event"] == event:
                return message

    def wait_for_end(self) -> None:
        """Wait until the app ends the connection; Flask's own server does so with a response."""
        with suppress(websocket.WebSocketProtocolException):
            while self._socket.recv() != "":
                pass

    def hang_up(self) -> None:
        """End the call as Twilio does."""
        self._send(event="stop", stop={"callSid": "CA0"})

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()
        self._socket.shutdown()  # still open even if the other side closed it


def test_a_call_is_answered_with_a_stream(server: ServerProcess, web: Any) -> None:
    """The app has Twilio connect the call to its WebSocket."""
    answer = web.post(f"{server.url}/voice", timeout=TIMEOUT_SEC)
    host = server.url.replace("http://", "")
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert f'<Stream url="wss://{host}/media"/>' in answer.text


def test_a_scripted_call(
    server: ServerProcess, soniox_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app answers, is interrupted at a word, and answers the interruption."""
    pytest.importorskip("espeakng_loader", reason="a caller speaks with espeak-ng")
    monkeypatch.syspath_prepend(str(EXAMPLES / "twilio_phone"))
    lines = [
        Line("Is it raining?", after="What can I do for you?"),
        Line("Stop!", after="Interrupt me", over=True),
    ]
    caller = soniox_sandbox.caller(lines, audio_format="mulaw", sample_rate=8000, speed=2.0)
    url = server.url.replace("http", "ws") + "/media"
    importlib.import_module("twilio").MediaStream(url, caller).run()
    heard = caller.heard
    assert heard.startswith("Hello! What can I do for you? You said: Is it raining? Interrupt me")
    assert heard.endswith("You said: Stop! Interrupt me at any time, as I listen while I speak.")
    assert heard.count("while I speak") == 1
    assert caller.said == ("Is it raining?", "Stop!")
    server.wait_for("'Is it raining?' -> 'You said: Is it raining? Interrupt me")
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    configs = [m for m in soniox_sandbox.log.messages() if "audio_format" in m]
    assert {m["audio_format"] for m in configs} == {"mulaw", "pcm_mulaw"}
    assert "Traceback" not in server.output


def test_the_app_is_short() -> None:
    """A voice agent on the telephone takes less than 30 lines."""
    lines = (EXAMPLES / "twilio_phone" / "app.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 30


def test_hanging_up_ends_the_transcription(server: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """The transcription ends with the call."""
    with Phone(server) as phone:
        phone.send_audio(SILENCE * 10)
        phone.hang_up()
    assert soniox_sandbox.log.wait_for(lambda entry: entry.kind == "stt") is not None
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)


def test_a_lost_connection_ends_everything(server: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """No close frame is needed, not even in the middle of an answer."""
    soniox_sandbox.script("Hello.", ms_per_word=100, final_lag_ms=200)
    soniox_sandbox.faults.stall(kind="tts", after_audio_ms=500)
    with Phone(server) as phone:
        phone.send_audio(SILENCE * 200)
        phone.receive("media")
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert "Traceback" not in server.output


def test_a_service_that_refuses_ends_the_call(
    server: ServerProcess, soniox_sandbox: Sandbox
) -> None:
    """The connection is closed, and the reason is logged."""
    soniox_sandbox.faults.error_frame("unauthenticated", "No such key", kind="stt", times=None)
    with Phone(server) as phone:
        phone.send_audio(SILENCE * 10)
        phone.wait_for_end()
    server.wait_for("No such key")
