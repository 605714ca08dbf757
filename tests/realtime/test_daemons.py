"""Threads of the library are daemons: a program that ends does not wait for them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync import SonioxClient
from soniox_sync.realtime.pool.slot import PooledConnection
from soniox_sync.realtime.pool.table import close_aside
from soniox_sync.sandbox import Sandbox
from tests.realtime.conversation.stage import Stage
from tests.waiting import WAIT, ManualClock

RAW: Any = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


class Started:
    """Threads of the library that were started."""

    def __init__(self) -> None:
        self.all: list[threading.Thread] = []

    def names(self) -> set[str]:
        """Return their names, without numbers; all of them must be daemons."""
        assert [thread.name for thread in self.all if not thread.daemon] == []
        return {re.sub(r"-?\d+", "", thread.name) for thread in self.all}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Note what is started from now on."""
    found = Started()
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        if thread.name.startswith("soniox-"):
            found.all.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", note)
    return found


@pytest.fixture
def client() -> Iterator[SonioxClient]:
    """Provide a client of a service without voices."""
    with Sandbox(engines="tones") as sandbox, sandbox.client() as client:
        yield client


def test_of_a_conversation(started: Started) -> None:
    """Who listens, decides, answers, speaks, and clears the sink."""
    with Stage(lambda text, conversation: "Yes.") as stage:
        stage.ask("hello").wait_turns(1)
        stage.conversation.say("A farewell.")
        stage.conversation.stop()
        stage.conversation.wait(WAIT)
        stage.runtime._sink.clear()
    stage_of = "soniox-conversation-stage"
    assert started.names() >= {
        *(stage_of, f"{stage_of}-ears", f"{stage_of}-voice", f"{stage_of}-reply"),
        "soniox-conversation-clear",
    }


def test_of_a_speech(started: Started, client: SonioxClient) -> None:
    """Who reads the text, and who speaks it."""
    client.realtime.speak(iter(["One. ", "Two."]), voice="Emma").read(WAIT)
    assert started.names() >= {"soniox-speech", "soniox-speech-text", "soniox-reader"}


class Live:
    """Source that cannot be held back."""

    is_live = True

    def start(self, handlers: Any) -> None:
        for _ in range(5):
            handlers.on_data(bytes(640))
        handlers.on_end()

    def stop(self) -> None:
        """Do nothing: everything was delivered."""


def test_of_a_recording(started: Started, client: SonioxClient) -> None:
    """Who connects, who reads, and who sends what a live source must not wait for."""
    for _ in client.realtime.record(source=Live(), **RAW):
        pass
    assert started.names() >= {"soniox-opener", "soniox-recording", "soniox-reader"}


def test_of_a_session(started: Started, client: SonioxClient) -> None:
    """Who sends beside the caller."""
    with client.realtime.stt(**RAW) as session:
        assert session.start_sending([bytes(640)]).join(WAIT)
        session.finish()
    assert started.names() >= {"soniox-sender"}


class Shared:
    """Connection of a pool, as far as its end goes."""

    def __init__(self) -> None:
        self.runs_caller = False
        self.closed = threading.Event()

    def close(self, wait_sec: float) -> None:
        self.closed.set()


def test_of_a_pool(started: Started, client: SonioxClient) -> None:
    """Who closes connections, those that are too old as well as the last ones."""
    with client.realtime.tts.pool(max_connections=2) as pool:
        pool.warm(2)
    shared: Any = Shared()
    close_aside([PooledConnection(shared, ManualClock().now)])
    assert shared.closed.wait(WAIT)
    assert started.names() >= {"soniox-pool-close", "soniox-pool-retire"}
