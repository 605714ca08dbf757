"""The phone example talks to Twilio's media streams: 8 kHz mulaw both ways, with barge-in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import websocket
from serving import EXAMPLES, ServerProcess

from soniox_sync.sandbox import HeardWord, Sandbox

pytestmark = pytest.mark.needs("flask", "flask_sock")

# for engines on a loaded machine; what takes longer hangs
PATIENCE_SEC = 60.0
STREAM = "MZ00000000000000000000000000000000"
# what Twilio sends at a time: 20 ms
PIECE = 160
SILENCE = b"\xff" * PIECE


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Serve the phone."""
    app = str(EXAMPLES / "twilio_phone" / "app.py")
    with ServerProcess([app, "--port", "0"], environment) as process:
        yield process


class Phone:
    """Speaks and hears like Twilio, but in no hurry and with no pauses."""

    def __init__(self, server: ServerProcess) -> None:
        url = server.url.replace("http", "ws") + "/media"
        self._socket = websocket.create_connection(url, timeout=PATIENCE_SEC)
        self._send(event="connected", protocol="Call", version="1.0.0")
        media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        self._send(event="start", start={"streamSid": STREAM, "mediaFormat": media})

    def _send(self, **message: Any) -> None:
        self._socket.send(json.dumps({"streamSid": STREAM, **message}))

    def say(self, audio: bytes) -> None:
        """Send audio in pieces of 20 ms."""
        for at in range(0, len(audio), PIECE):
            payload = base64.b64encode(audio[at : at + PIECE]).decode()
            self._send(event="media", media={"track": "inbound", "payload": payload})

    def hear(self, event: str) -> dict[str, Any]:
        """Wait for the next message of this kind."""
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            assert message["streamSid"] == STREAM
            if message["event"] == event:
                return message

    def hang_up(self) -> None:
        """End the call as Twilio does."""
        self._send(event="stop", stop={"callSid": "CA0"})
        self._socket.close()

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()


def test_a_call_is_answered_with_a_stream(server: ServerProcess, web: Any) -> None:
    """Twilio is told to connect the call to the WebSocket of this host."""
    answer = web.post(f"{server.url}/voice", timeout=PATIENCE_SEC)
    host = server.url.replace("http://", "")
    assert answer.headers["Content-Type"].startswith("text/xml")
    assert f'<Stream url="wss://{host}/media"/>' in answer.text


def test_a_sentence_is_answered_and_an_interruption_clears(
    server: ServerProcess, soniox_sandbox: Sandbox
) -> None:
    """Mulaw in, mulaw out; the next word of the caller's stops what is being said."""
    words = [HeardWord("Hello.", 100, 400, 0.9), HeardWord("Stop!", 2000, 2400, 0.9)]
    soniox_sandbox.script(words, final_lag_ms=200)
    with Phone(server) as phone:
        phone.say(SILENCE * 50)  # the first second
        assert len(base64.b64decode(phone.hear("media")["media"]["payload"])) > 0
        phone.say(SILENCE * 100)
        phone.hear("clear")
        phone.hang_up()
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=PATIENCE_SEC)
    configs = [m for m in soniox_sandbox.log.messages() if "audio_format" in m]
    assert {(m["audio_format"]) for m in configs} == {"mulaw", "pcm_mulaw"}
    said = "".join(m.get("text", "") for m in soniox_sandbox.log.messages(kind="tts"))
    assert said.startswith("You said: Hello.")


def test_a_caller_who_hangs_up_leaves_nothing_behind(
    server: ServerProcess, soniox_sandbox: Sandbox
) -> None:
    """The transcription ends with the call."""
    with Phone(server) as phone:
        phone.say(SILENCE * 10)
        phone.hang_up()
    assert soniox_sandbox.log.wait_for(lambda entry: entry.kind == "stt") is not None
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=PATIENCE_SEC)
