"""The phone example talks to Twilio's media streams: 8 kHz mulaw both ways, with barge-in."""

from __future__ import annotations

import base64
import importlib
import json
import os
import subprocess
import sys
import threading
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

    def end(self) -> list[str]:
        """Wait until the other side closes; give the kinds of messages that came until then."""
        found = []
        while (data := self._socket.recv()) != "":
            found.append(json.loads(data)["event"])
        return found

    def hang_up(self) -> None:
        """End the call as Twilio does."""
        self._send(event="stop", stop={"callSid": "CA0"})

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.close()
        self._socket.shutdown()  # a socket that the other side closed is still open here


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


def test_a_line_that_is_cut_leaves_nothing_behind(
    server: ServerProcess, soniox_sandbox: Sandbox
) -> None:
    """No good bye is needed, not even in the middle of an answer."""
    soniox_sandbox.script("Hello.", ms_per_word=100, final_lag_ms=200)
    soniox_sandbox.faults.stall(kind="tts", after_audio_ms=500)
    with Phone(server) as phone:
        phone.say(SILENCE * 200)
        phone.hear("media")
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=PATIENCE_SEC)
    assert "Traceback" not in server.output


class Line:
    """Is a WebSocket that keeps the kinds of messages sent over it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def send(self, data: str) -> None:
        """Take a message."""
        self.events.append(json.loads(data)["event"])


class LateSpeech:
    """Gives a piece of audio, and another one after it was cancelled."""

    def __init__(self) -> None:
        self.is_begun, self.is_cancelled, self.is_over = (threading.Event() for _ in range(3))

    def cancel(self) -> None:
        """Be told that nobody listens."""
        self.is_cancelled.set()

    def __iter__(self) -> Iterator[bytes]:
        yield b"early"
        self.is_begun.set()
        self.is_cancelled.wait(PATIENCE_SEC)
        yield b"late"
        self.is_over.set()


def test_nothing_of_an_answer_follows_its_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption Twilio gets no more of the old answer, which it would play."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "twilio_phone"))
    line, speech = Line(), LateSpeech()
    call = importlib.import_module("call").Call(line)
    call.say(speech)
    assert speech.is_begun.wait(PATIENCE_SEC)
    call.hush()
    assert speech.is_over.wait(PATIENCE_SEC)
    call.hush()  # there is nothing left to clear
    assert line.events == ["media", "clear"]


def test_a_service_that_refuses_ends_the_call(
    server: ServerProcess, soniox_sandbox: Sandbox
) -> None:
    """The line is closed properly, and the reason is in the log."""
    soniox_sandbox.faults.error_frame("unauthenticated", "No such key", kind="stt", times=None)
    with Phone(server) as phone:
        phone.say(SILENCE * 10)
        assert phone.end() == []
    server.wait_for("the call ends: ")
    assert "Traceback" not in server.output


def test_the_caller_gets_an_answer() -> None:
    """The rehearsal speaks and understands 8 kHz mulaw without a telephone."""
    pytest.importorskip("pocketsphinx", reason="real speech needs the extra sandbox")
    keyless = {k: v for k, v in os.environ.items() if not k.startswith("SONIOX_")}
    caller = str(EXAMPLES / "twilio_phone" / "caller.py")
    done = subprocess.run(
        [sys.executable, caller, "--sandbox"],
        env=keyless,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SEC,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "You said: Is it raining?"
