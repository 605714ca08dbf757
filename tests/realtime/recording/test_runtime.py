"""The runtime of a recording, with sessions and handlers controlled by the test."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import Any, Callable, Optional

from soniox_sync.config import SttConfig
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.realtime.recording.capture import StartConfig
from soniox_sync.realtime.recording.listener import RecordingListener
from soniox_sync.realtime.recording.runtime import RecordingRuntime
from soniox_sync.realtime.stt.outlet import SttOutlet
from soniox_sync.recorder.actions import Announce, Notice, RecorderContext
from soniox_sync.runtime.clock import process_clock
from tests.waiting import ManualClock

WAIT = 30.0
CONFIG = SttConfig(audio_format="pcm_s16le", sample_rate=16_000, num_channels=1)


class Session:
    """Replacement for a `SessionCore` that is open at once."""

    connection = SimpleNamespace(log=lambda *args: None, is_traced=False)

    def __init__(self, observer: Any) -> None:
        self.observer = observer
        self.audio_ended = threading.Event()

    def connect(self) -> None:
        """Do nothing."""

    def send_audio(self, data: bytes) -> None:
        """Accept the audio."""

    def offer_audio(self, data: bytes) -> Optional[bytes]:
        """Accept the audio, all of it."""
        return None

    def end_audio(self) -> None:
        self.audio_ended.set()

    def abort(self) -> None:
        """Do nothing."""


class Source:
    """A source whose audio the test delivers."""

    handlers: Any

    def start(self, handlers: Any) -> None:
        self.handlers = handlers

    def stop(self) -> None:
        """Do nothing."""


class Listener:
    """Keeps the runtime's questions for the test to answer."""

    def __init__(self) -> None:
        self.answers: queue.SimpleQueue[Callable[[bool], None]] = queue.SimpleQueue()
        self.error: Optional[BaseException] = None

    def deliver(self, event: SttEvent, weight: int) -> bool:
        return True

    def notify(self, notice: Notice) -> None:
        """Ignore the notice."""

    def ask_reconnect(self, action: Announce, answer: Callable[[bool], None]) -> bool:
        self.answers.put(answer)
        return True

    def ended(self, error: Optional[BaseException]) -> None:
        self.error = error


Sessions = queue.SimpleQueue[Session]


def started(
    listener: Any, clock: Any = process_clock, **settings: Any
) -> tuple[RecordingRuntime, Source, Sessions]:
    """Return a running recording, its source, and a queue of its sessions."""
    sessions: Sessions = queue.SimpleQueue()

    def make_session(config: SttConfig, observer: Any, cancel: Any) -> Any:
        session = Session(observer)
        sessions.put(session)
        return session

    source = Source()
    options = RecordingOptions(auto_reconnect=True, reconnect_base_delay_sec=0.0, **settings)
    runtime = RecordingRuntime(
        source,
        StartConfig(CONFIG),
        make_session,
        options,
        RecorderContext(),
        listener,
        clock,
    )
    runtime.start()
    return runtime, source, sessions


def test_a_late_answer_of_handlers_does_not_affect_the_next_attempt() -> None:
    """An answer of handlers after stop() does not prevent a later reconnect."""
    listener = Listener()
    runtime, source, sessions = started(listener)
    source.handlers.on_data(bytes(3200))

    lost = SonioxConnectionError("lost")
    sessions.get(timeout=WAIT).observer.ended(lost, True)
    first = listener.answers.get(timeout=WAIT)
    runtime.command(runtime.recorder.stop)  # does not wait for that answer
    sessions.get(timeout=WAIT).observer.ended(lost, True)
    second = listener.answers.get(timeout=WAIT)
    first(True)
    second(False)
    last = sessions.get(timeout=WAIT)
    assert last.audio_ended.wait(WAIT)
    last.observer.ended(None, False)
    assert runtime.over.wait(WAIT)
    assert listener.error is None


class Successor:
    """A recording whose second session has said three words, which wait for the end of the first.

    The first was asked to finish, and has not answered.
    """

    def __init__(self, listener: Any) -> None:
        clock = ManualClock()
        settings = {"rotate_after_sec": 60.0, "catch_up_speed": None}
        self.runtime, source, sessions = started(listener, clock, **settings)
        source.handlers.on_data(bytes(3200))
        self.first = sessions.get(timeout=WAIT)
        clock.advance(60.0)
        self.second = sessions.get(timeout=WAIT)
        assert self.first.audio_ended.wait(WAIT)
        source.handlers.on_data(bytes(3200))
        for word in ("one ", "two ", "three"):
            result = Result((Token(word, 0, 100, is_final=True),), 100, 100)
            self.second.observer.received(SttEvent("result", result))


def test_words_that_come_with_the_end_have_room() -> None:
    """What a session said while its predecessor was awaited is delivered at the very end.

    The recording has finished then, and cannot fail for a full queue any more.
    """
    outlet = SttOutlet(
        ("finished", "state_change", "connected", "session_restart"),
        ("finished",),
        1,
        "unused",
        has_endpoints=lambda: False,
    )
    recording = Successor(RecordingListener(outlet))
    runtime, second = recording.runtime, recording.second
    runtime.command(runtime.recorder.stop)
    assert second.audio_ended.wait(WAIT)
    second.observer.ended(None, False)
    assert runtime.over.wait(WAIT)
    assert [event.result.text for event in outlet.pull()] == ["one ", "two ", "three", ""]
