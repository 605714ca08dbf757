"""What a source of the user's says by having, or not having, an attribute; and how it ends."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable

import pytest

from soniox_sync import AbortError, ConfigurationError, SonioxClient
from soniox_sync.errors import SonioxError
from soniox_sync.realtime.conversation.ears import Ears
from soniox_sync.runtime.clock import Clock
from soniox_sync.sandbox import Sandbox
from soniox_sync.sandbox.engines.numbered import numbered_audio
from soniox_sync.sources import IterableSource
from soniox_sync.transport.deadline import Deadline
from tests.peers import RawPeer, close_frame
from tests.realtime.servers import client_for, finished, result, token
from tests.waiting import WAIT

RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}


class Silent:
    """Source that ends without any audio. Has no attributes but its methods."""

    def start(self, handlers: Any) -> None:
        threading.Thread(target=handlers.on_end).start()

    def stop(self) -> None:
        """Do nothing."""


class SilentFile(Silent):
    """The same, and says that it is not live."""

    is_live = False


class Endless(Silent):
    """Source that never ends."""

    def start(self, handlers: Any) -> None:
        """Deliver nothing."""


def told(client: SonioxClient, source: Any) -> tuple[list[str], Any]:
    """Return what the handlers of a recording were told, in order, and what it raised."""
    events: queue.SimpleQueue[str] = queue.SimpleQueue()
    recording = client.realtime.record(source=source, **RAW)
    recording.on("error", lambda error: events.put(f"error {type(error).__name__}"))
    recording.on("finished", lambda *_: events.put("finished"))
    if isinstance(source, Endless):
        recording.cancel()
    error = None
    try:
        recording.wait(WAIT)
    except SonioxError as raised:
        error = raised
    recording._listener._outlet.worker.drain(Deadline(WAIT))
    recording.close()
    return [events.get() for _ in range(events.qsize())], error


@pytest.fixture
def client() -> Any:
    """Provide a client of a sandbox."""
    with Sandbox(engines="tones") as sandbox, sandbox.client() as client:
        yield client


def test_a_source_is_live_unless_it_says_otherwise(client: SonioxClient) -> None:
    """A microphone may hear nothing; a file without audio is a mistake."""
    events, error = told(client, Silent())
    assert (events, error) == (["finished"], None)
    events, error = told(client, SilentFile())
    assert isinstance(error, SonioxError) and "no audio at all" in str(error)
    assert len(events) == 1 and events[0].startswith("error ")


@pytest.mark.parametrize("way", ["handler", "iterated", "nobody"])
def test_the_end_is_told_to_a_handler_that_comes_after_it(client: SonioxClient, way: str) -> None:
    """However the events were taken, or not at all: it would otherwise wait for ever."""
    recording = client.realtime.record(source=IterableSource([bytes(3200)]), **RAW)
    if way == "handler":
        recording.on("result", lambda _: None)
    elif way == "iterated":
        assert [event.kind for event in recording][-1] == "finished"
    recording.wait(WAIT)
    told = threading.Event()
    recording.on("finished", told.set)
    assert told.wait(WAIT)
    recording.close()


def test_the_end_has_room_in_a_full_queue(raw_peer: RawPeer) -> None:
    """A recording whose words all had room has finished, and says so."""
    recording = client_for(raw_peer.url).realtime.record(
        source=IterableSource([bytes(3200)]), session_options={"max_buffered_events": 1}, **RAW
    )
    with raw_peer.accept() as remote:
        while remote.recv_message().payload != b"":
            pass
        remote.send(result(token("Hello.")), finished(), close_frame())
        recording.wait(WAIT)
    told = threading.Event()
    recording.on("finished", told.set)
    assert told.wait(WAIT)
    assert [event.kind for event in recording] == ["result", "finished"]


def test_the_thread_of_the_handlers_has_the_name_it_is_documented_with(
    client: SonioxClient,
) -> None:
    """A dump of all threads tells whose handlers run."""
    with client.realtime.record(source=Endless(), **RAW) as recording:
        names: queue.SimpleQueue[str] = queue.SimpleQueue()
        recording.on("state_change", lambda _: names.put(threading.current_thread().name))
        recording.cancel()
        assert names.get(timeout=WAIT) == "soniox-callback-recording"


def test_an_end_that_was_asked_for_is_no_error(client: SonioxClient) -> None:
    """A handler of errors is told of none after `cancel()`."""
    events, error = told(client, Endless())
    assert isinstance(error, AbortError)
    assert events == []


# -- what it passes to its handlers ---------------------------------------------------------------


class Mistaken(Silent):
    """Source that delivers two words, and then calls a handler as it must not."""

    def __init__(self, mistake: Callable[[Any], object]) -> None:
        self._mistake = mistake
        self.has_returned = threading.Event()

    def start(self, handlers: Any) -> None:
        def run() -> None:
            handlers.on_data(numbered_audio(0, 2))
            self._mistake(handlers)
            self.has_returned.set()

        threading.Thread(target=run).start()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda handlers: handlers.on_error("broken"),
            "on_error: expected an exception, got str; pass one, for instance AudioSourceError(",
        ),
        (lambda handlers: handlers.on_error(None), "on_error: expected an exception, got None"),
        (lambda handlers: handlers.on_error(), "on_error: expected an exception, got None"),
        (
            lambda handlers: handlers.on_end(1),
            "on_end: expected no argument, got int; a source that failed calls on_error(exception)",
        ),
        (lambda handlers: handlers.on_muted(1), "on_muted: expected no argument, got int"),
        (lambda handlers: handlers.on_unmuted(1), "on_unmuted: expected no argument, got int"),
        (
            lambda handlers: handlers.on_restart("x"),
            "on_restart(at_ms): expected a number, got str",
        ),
        (
            lambda handlers: handlers.on_restart(-1),
            "on_restart(at_ms): expected a number of at least 0 milliseconds, got -1",
        ),
        (lambda handlers: handlers.on_data(5), "audio: expected bytes or anything with a buffer"),
    ],
)
@pytest.mark.parametrize("way", ["recording", "conversation"])
def test_a_mistake_in_a_call_of_a_handler_fails_the_recording(
    sandbox: Sandbox, mistake: Callable[[Any], object], message: str, way: str
) -> None:
    """The error names the argument and the fix; nothing is raised on the source's thread.

    What was heard before is transcribed and delivered.
    """
    mistaken = Mistaken(mistake)
    source: Any = mistaken
    if way == "conversation":
        source = Ears(mistaken, False, lambda: None, Clock())
    with sandbox.client() as client:
        recording = client.realtime.record(source=source, **RAW)
        with pytest.raises(ConfigurationError) as caught:
            recording.read(WAIT)
        recording.close()
    assert str(caught.value).startswith(message)
    assert mistaken.has_returned.wait(WAIT)
    assert recording.transcript.text.split() == ["w0", "w1"]
