"""Common interface of both clients, so that a test runs unchanged with the official SDK and ours.

A kit only translates; all assertions are in the tests. Tokens are those of each client: both have
`text`, `start_ms`, `end_ms`, `confidence`, `is_final`, `speaker`, `language`,
`translation_status` and `source_language`.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

# generous, for a loaded machine; a longer wait fails the test
TIMEOUT_SEC = 20.0
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
VOICE = {
    "model": "tts-rt-v2",
    "language": "en",
    "voice": "Adrian",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
}


class Failure(NamedTuple):
    """Error as a client reports it; `status` is `None` if the connection was lost."""

    status: Optional[int]
    error_type: Optional[str]
    message: str


class Event(NamedTuple):
    """Event of an STT session: result, endpoint, finalized, finished or failure."""

    kind: str
    tokens: tuple[Any, ...] = ()
    final_ms: int = 0
    total_ms: int = 0
    failure: Optional[Failure] = None


@dataclasses.dataclass
class Received:
    """Events of an STT session, collected."""

    kinds: list[str] = dataclasses.field(default_factory=list)
    finals: list[Any] = dataclasses.field(default_factory=list)
    partials: list[str] = dataclasses.field(default_factory=list)
    final_ms: list[int] = dataclasses.field(default_factory=list)
    total_ms: list[int] = dataclasses.field(default_factory=list)
    failure: Optional[Failure] = None

    def add(self, event: Event) -> None:
        """Add one event."""
        self.kinds.append(event.kind)
        if event.kind == "failure":
            self.failure = event.failure
        if event.kind in ("result", "finished"):
            self.finals += [token for token in event.tokens if token.is_final]
            self.partials.append("".join(t.text for t in event.tokens if not t.is_final))
            self.final_ms.append(event.final_ms)
            self.total_ms.append(event.total_ms)

    @property
    def text(self) -> str:
        """Final text."""
        return "".join(token.text for token in self.finals)

    @property
    def marks(self) -> list[str]:
        """Kinds of the events that are not results."""
        return [kind for kind in self.kinds if kind != "result"]


class Session(abc.ABC):
    """One open STT session."""

    def __init__(self) -> None:
        self._stream: Optional[Iterator[Event]] = None

    @abc.abstractmethod
    def send(self, audio: bytes) -> None:
        """Send one chunk of audio; `receive()` reports a failure of the session."""

    @abc.abstractmethod
    def finalize(self) -> None:
        """Request that all tokens become final."""

    @abc.abstractmethod
    def keep_alive(self) -> None:
        """Send one keepalive."""

    @abc.abstractmethod
    def pause(self) -> None:
        """Pause with the client's own pause."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Resume."""

    @abc.abstractmethod
    def finish(self) -> None:
        """End the audio; `receive()` returns the remaining events, failures included."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close."""

    @abc.abstractmethod
    def _events(self) -> Iterator[Event]:
        """Yield events; the last one is a failure or `finished`."""

    def receive(self, until: Optional[str] = None) -> Received:
        """Collect events up to the first of kind `until`, or to the end."""
        if self._stream is None:
            self._stream = self._events()
        received = Received()
        for event in self._stream:
            received.add(event)
            if event.kind == until:
                break
        return received

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@dataclasses.dataclass
class Spoken:
    """Events of a TTS stream, collected. `ended`: how many times `audio_end` was received."""

    chunks: list[bytes] = dataclasses.field(default_factory=list)
    characters: list[str] = dataclasses.field(default_factory=list)
    starts: list[float] = dataclasses.field(default_factory=list)
    ends: list[float] = dataclasses.field(default_factory=list)
    ended: int = 0
    terminated: bool = False
    failure: Optional[Failure] = None

    @property
    def audio(self) -> bytes:
        """All audio."""
        return b"".join(self.chunks)


class Stream(abc.ABC):
    """One TTS stream, on its own connection or a shared one."""

    @abc.abstractmethod
    def send(self, text: str, end: bool = False) -> None:
        """Send text; `receive()` reports a failure of the stream."""

    @abc.abstractmethod
    def finish(self) -> None:
        """End the text."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Cancel the stream."""

    @abc.abstractmethod
    def receive(self, chunks: Optional[int] = None) -> Spoken:
        """Collect events up to the end, or only this many chunks of audio."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Connection(abc.ABC):
    """One TTS connection for several streams."""

    @abc.abstractmethod
    def stream(self, stream_id: str, **config: Any) -> Stream:
        """Open a stream."""

    @abc.abstractmethod
    def keep_alive(self) -> None:
        """Send one keepalive."""

    @abc.abstractmethod
    def start_keepalives(self) -> None:
        """Start keepalives, where they are not automatic."""

    @abc.abstractmethod
    def stop_keepalives(self) -> None:
        """Stop what `start_keepalives()` started."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Kit(abc.ABC):
    """A client of a sandbox. `refusals`: the errors it raises before it sends anything."""

    refusals: tuple[type[BaseException], ...]

    @abc.abstractmethod
    def listen(self, **config: Any) -> Session:
        """Open an STT session."""

    @abc.abstractmethod
    def speak(self, **config: Any) -> Stream:
        """Open a single-stream TTS connection."""

    @abc.abstractmethod
    def connect(self) -> Connection:
        """Open a TTS connection for several streams."""

    @abc.abstractmethod
    def generate(self, text: str, **config: Any) -> tuple[bytes, Optional[Failure]]:
        """Speak through `POST /tts`."""

    @abc.abstractmethod
    def models(self) -> Any:
        """List the STT models."""

    @abc.abstractmethod
    def tts_models(self) -> Any:
        """List the TTS models."""

    @abc.abstractmethod
    def set_keepalive_interval(self, sec: float) -> None:
        """Set the interval of keepalives of sessions and connections opened afterwards."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the client."""


def silence(ms: int, rate: int = 16000) -> bytes:
    """Return s16le silence."""
    return bytes(2 * (rate * ms // 1000))
