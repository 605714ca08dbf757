"""The runtime of a recording, with sessions and handlers controlled by the test."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import Any, Callable, Optional

from soniox_sync.config import SttConfig
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.tokens import SttEvent
from soniox_sync.realtime.recording.capture import StartConfig
from soniox_sync.realtime.recording.runtime import RecordingRuntime
from soniox_sync.recorder.actions import Announce, Notice, RecorderContext
from soniox_sync.runtime.clock import process_clock

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

    def deliver(self, event: SttEvent) -> bool:
        return True

    def notify(self, notice: Notice) -> None:
        """Ignore the notice."""

    def ask_reconnect(self, action: Announce, answer: Callable[[bool], None]) -> bool:
        self.answers.put(answer)
        return True

    def ended(self, error: Optional[BaseException]) -> None:
        self.error = error


def test_a_late_answer_of_handlers_does_not_affect_the_next_attempt() -> None:
    """An answer of handlers after stop() does not prevent a later reconnect."""
    sessions: queue.SimpleQueue[Session] = queue.SimpleQueue()

    def make_session(config: SttConfig, observer: Any, cancel: Any) -> Any:
        session = Session(observer)
        sessions.put(session)
        return session

    source, listener = Source(), Listener()
    options = RecordingOptions(auto_reconnect=True, reconnect_base_delay_sec=0.0)
    runtime = RecordingRuntime(
        source,
        StartConfig(CONFIG),
        make_session,
        options,
        RecorderContext(),
        listener,
        process_clock,
    )
    runtime.start()
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
