"""A conversation with all its threads, whose recogniser, voice and sink the test plays."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Optional

from soniox_sync import AbortError, ConversationOptions
from soniox_sync.audio import RawAudio
from soniox_sync.cancel import CancelToken
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.protocol.tts import AudioChunk, Timestamps
from soniox_sync.realtime.conversation.conversation import Conversation
from soniox_sync.realtime.conversation.ears import Ears
from soniox_sync.realtime.conversation.runtime import ConversationRuntime
from soniox_sync.realtime.conversation.sinks import Sink
from soniox_sync.runtime.clock import process_clock
from soniox_sync.sources.base import SourceAudio
from tests.waiting import eventually

SHAPE = RawAudio("pcm_s16le", 8000)
CHAR_MS = 50


class FakeRecording:
    """Recording whose events the test sends."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.calls: list[str] = []

    def __iter__(self) -> Iterator[SttEvent]:
        while (event := self.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event

    def start(self) -> None:
        self.calls.append("start")

    def stop(self, timeout_sec: Optional[float] = None) -> None:
        self.calls.append("stop")
        self.events.put(None)

    def cancel(self) -> None:
        self.calls.append("cancel")
        self.events.put(AbortError("cancelled"))

    close = cancel

    def finalize(self) -> None:
        self.calls.append("finalize")

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")


class FakeSource:
    """Source that only has a format."""

    audio = SourceAudio("pcm_s16le", 8000, 1)

    def start(self, handlers: Any) -> None:
        """Deliver nothing."""

    def stop(self) -> None:
        """Do nothing."""


class FakePool:
    """Pool without connections."""

    def warm(self) -> None:
        """Connect nothing."""

    def close(self, timeout_sec: float) -> None:
        """Close nothing."""


class FakeSpeech:
    """Speech of 50 ms a character, at once."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = text
        self.is_cancelled = False
        self.spoken_text = ""

    def events(self) -> Iterator[AudioChunk]:
        at = 0.0
        for text in self._text:
            for char in text:
                if self.is_cancelled:
                    return
                stamps = Timestamps((char,), (at,), (at + CHAR_MS / 1000,))
                at = round(at + CHAR_MS / 1000, 6)
                self.spoken_text += char
                yield AudioChunk(b"\1\0" * (8 * CHAR_MS), stamps, False)

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeSink:
    """Sink that has played what the test says, or all of it at once (`is_fast`)."""

    def __init__(self, *, is_fast: bool = True) -> None:
        self.is_fast = is_fast
        self.written: list[bytes] = []
        self.cleared = 0
        self.on_write: Callable[[], object] = bool
        self._lock = threading.Lock()
        self._waiting_ms = 0.0
        self._played_ms = 0.0

    def write(self, data: bytes) -> None:
        self.on_write()
        with self._lock:
            self.written.append(data)
            self._waiting_ms += len(data) / 16

    def clear(self) -> None:
        with self._lock:
            self.cleared += 1
            self._waiting_ms = 0.0

    def play(self, ms: float) -> None:
        with self._lock:
            ms = min(ms, self._waiting_ms)
            self._waiting_ms -= ms
            self._played_ms += ms

    @property
    def waiting_ms(self) -> float:
        return self._waiting_ms

    @property
    def played_ms(self) -> float:
        if self.is_fast:
            self.play(float("inf"))
        return self._played_ms


class Stage:
    """A conversation, and the hands that play everything round it. A context manager."""

    def __init__(
        self,
        reply: Callable[..., Any],
        *,
        sink: Any = None,
        text_filter: Any = None,
        cancel: Optional[CancelToken] = None,
        make_speech: Optional[Callable[..., Any]] = None,
        **options: Any,
    ) -> None:
        self.sink = FakeSink() if sink is None else sink
        self.recording = FakeRecording()
        self.voices: list[Any] = []
        ears = Ears(FakeSource(), False, lambda: self.runtime.hang_up(), process_clock)

        def speak(text: Iterable[str], voice: Any) -> Any:
            self.voices.append(voice)
            return FakeSpeech(text) if make_speech is None else make_speech(text, voice)

        self.runtime = ConversationRuntime(
            ConversationOptions(**options),
            ("mhm",),
            {"voice": "Adrian"},
            self.recording,  # type: ignore[arg-type]
            ears,
            Sink(self.sink),
            FakePool(),  # type: ignore[arg-type]
            speak,
            SHAPE,
            lambda text: reply(text, self.conversation),
            text_filter,
            process_clock,
            "soniox-conversation-stage",
        )
        self.conversation = Conversation(self.runtime, cancel, dict)
        self.reasons: list[str] = []
        self.conversation.on("state_change", lambda change: self.reasons.append(change.reason))
        self.runtime.start()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.conversation.close()

    def hear(self, text: str, *, final: bool = True) -> Stage:
        """Words without times: they began when they come."""
        tokens = [Token(f" {word}", is_final=final) for word in text.split()]
        self.recording.events.put(SttEvent("result", Result(tokens)))
        return self

    def mark(self, kind: Any = "endpoint") -> Stage:
        self.recording.events.put(SttEvent(kind, Result()))
        return self

    def ask(self, text: str) -> Stage:
        return self.hear(text).mark()

    def hang_up(self) -> Stage:
        """The source ends: so does the recording, after its last results."""
        self.runtime.hang_up()
        return self

    def until(self, state: str) -> Stage:
        """Wait for a state."""
        eventually(lambda: self.conversation.state == state, f"the state {state}")
        return self

    def wait_turns(self, count: int) -> list[Any]:
        """Wait for a number of turns."""
        eventually(lambda: len(self.conversation.turns) >= count, f"{count} turns")
        return self.conversation.turns
