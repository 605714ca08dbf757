"""The voice agent's page, without a browser: its WebSocket, played by a scripted caller."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from soniox_sync import AudioSourceHandlers
from soniox_sync.sandbox import Caller, Line, Quiet, Sandbox
from tests.serving import EXAMPLES, ServerProcess
from tests.waiting import Task, eventually

pytestmark = pytest.mark.needs("flask", "flask_sock")

# speech engines are slow on a loaded machine; anything slower hangs
TIMEOUT_SEC = 60.0
RATE = 24000


@pytest.fixture
def site(environment: dict[str, str]) -> Iterator[ServerProcess]:
    """Run the example."""
    app = str(EXAMPLES / "flask_agent" / "app.py")
    with ServerProcess([app, "--port", "0"], environment) as server:
        yield server


class Page:
    """A page of which a caller is the microphone and the loudspeaker."""

    def __init__(self, server: ServerProcess, caller: Caller) -> None:
        url = f"{server.url.replace('http', 'ws')}/live?rate={RATE}"
        self._socket = websocket.create_connection(url, timeout=TIMEOUT_SEC)
        # Guards sending: the caller's thread and the test's
        self._lock = threading.Lock()
        self._caller = caller
        self.events: list[dict[str, Any]] = []

    def tell(self, event: str, **fields: Any) -> None:
        """Send a message of the page."""
        with self._lock:
            self._socket.send(json.dumps({"event": event, **fields}))

    def run(self) -> None:
        """Talk until the caller hangs up and the server has closed the connection."""
        self._caller.start(
            AudioSourceHandlers(self._send_audio, print, on_end=lambda: self.tell("stop"))
        )
        while data := self._socket.recv():
            if isinstance(data, bytes):
                self._caller.write(data)
                continue
            message = json.loads(data)
            self.events.append(message)
            if message["event"] == "clear":
                self._caller.clear()
                self.tell("cleared", ms=self._caller.played_ms)
        self._caller.stop()
        self._socket.shutdown()

    def _send_audio(self, data: bytes) -> None:
        with self._lock:
            self._socket.send_binary(data)
        self.tell("played", ms=self._caller.played_ms)

    def turns(self) -> list[dict[str, Any]]:
        """Return the turns that the page was told of."""
        return [event for event in self.events if event["event"] == "turn"]


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null"])
def test_a_page_of_another_site_cannot_talk(site: ServerProcess, web: Any, origin: str) -> None:
    """Its WebSocket, of which browsers ask nobody, is refused; the site's own page is served."""
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": origin}
    answer = web.get(f"{site.url}/live", headers=upgrade, timeout=TIMEOUT_SEC)
    assert answer.status_code == 403
    own = web.get(site.url, headers={"Origin": site.url}, timeout=TIMEOUT_SEC)
    assert own.status_code == 200


def test_a_scripted_visitor(site: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """The agent answers, is interrupted at a word, and answers the interruption."""
    pytest.importorskip("espeakng_loader", reason="a caller speaks with espeak-ng")
    lines = ["How do the tides work?", Line("Stop!", after="far side", over=True)]
    caller = soniox_sandbox.caller(lines, sample_rate=RATE, speed=2.0)
    page = Page(site, caller)
    page.run()
    question, stop = page.turns()
    assert (question["user"], question["interrupted"]) == ("How do the tides work?", True)
    assert (stop["user"], stop["interrupted"]) == ("Stop!", False)
    assert stop["agent"] == "Of course. What else?"
    # a word that was cut does not count, though the caller may have understood it
    assert caller.heard.startswith(question["agent"])
    more = caller.heard[len(question["agent"]) :].split()
    assert " ".join(more[-4:]) == stop["agent"]
    assert len(more) <= 5
    states = [event["state"] for event in page.events if event["event"] == "state"]
    assert states == [*["listening", "thinking", "speaking"] * 2, "listening"]
    assert soniox_sandbox.log.wait_until_idle(timeout_sec=TIMEOUT_SEC)
    assert "Traceback" not in site.output


def test_a_visitor_who_types(site: ServerProcess, soniox_sandbox: Sandbox) -> None:
    """A typed turn is answered aloud; the page's button interrupts the answer."""
    pytest.importorskip("espeakng_loader", reason="a caller hears with espeak-ng's speech")
    caller = soniox_sandbox.caller([Quiet(60)], sample_rate=RATE, speed=2.0)
    page = Page(site, caller)
    talking = Task(page.run)
    eventually(lambda: page.events, "the first state")
    page.tell("typed", text="Why?")
    eventually(lambda: "the water" in caller.heard, "the answer")
    page.tell("interrupt")
    eventually(page.turns, "the turn")
    page.tell("stop")
    talking.result()
    (turn,) = page.turns()
    assert (turn["user"], turn["interrupted"]) == ("Why?", True)
    assert turn["agent"].startswith("The moon")
    assert caller.heard.startswith(turn["agent"])
    assert len(caller.heard) < 60
