"""What a scenario needs of a client, so that it runs unchanged with the official SDK and ours.

A kit only translates; every judgement is in the tests. Tokens are handed on as each client makes
them: both have `text`, `start_ms`, `end_ms`, `confidence`, `is_final`, `speaker`, `language`,
`translation_status` and `source_language`.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

# long enough for a loaded machine; a test that waits this long has failed
PATIENCE = 20.0
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
VOICE = {
    "model": "tts-rt-v2",
    "language": "en",
    "voice": "Adrian",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
}


class Failure(NamedTuple):
    """Is what a client told of an error; `status` is `None` when the line was merely lost."""

    status: Optional[int]
    error_type: Optional[str]
    message: str


class Event(NamedTuple):
    """Is one thing an STT session told: result, endpoint, finalized, finished or failure."""

    kind: str
    tokens: tuple[Any, ...] = ()
    final_ms: int = 0
    total_ms: int = 0
    failure: Optional[Failure] = None


@dataclasses.dataclass
class Heard:
    """Gathers what an STT session told."""

    kinds: list[str] = dataclasses.field(default_factory=list)
    finals: list[Any] = dataclasses.field(default_factory=list)
    guesses: list[str] = dataclasses.field(default_factory=list)
    final_ms: list[int] = dataclasses.field(default_factory=list)
    total_ms: list[int] = dataclasses.field(default_factory=list)
    failure: Optional[Failure] = None

    def add(self, event: Event) -> None:
        """Take one event."""
        self.kinds.append(event.kind)
        if event.kind == "failure":
            self.failure = event.failure
        if event.kind in ("result", "finished"):
            self.finals += [token for token in event.tokens if token.is_final]
            self.guesses.append("".join(t.text for t in event.tokens if not t.is_final))
            self.final_ms.append(event.final_ms)
            self.total_ms.append(event.total_ms)

    @property
    def text(self) -> str:
        """Give the final text."""
        return "".join(token.text for token in self.finals)

    @property
    def marks(self) -> list[str]:
        """Give the kinds of the events that are not results."""
        return [kind for kind in self.kinds if kind != "result"]


class Listening(abc.ABC):
    """Is one open STT session."""

    def __init__(self) -> None:
        self._stream: Optional[Iterator[Event]] = None

    @abc.abstractmethod
    def send(self, audio: bytes) -> None:
        """Send one piece of audio; a failure of the session is left to `hear()`."""

    @abc.abstractmethod
    def finalize(self) -> None:
        """Ask for everything to become final."""

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
        """End the audio; `hear()` gives what is still to come, failures included."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close."""

    @abc.abstractmethod
    def _events(self) -> Iterator[Event]:
        """Yield what comes, the failure or `finished` last."""

    def hear(self, until: Optional[str] = None) -> Heard:
        """Gather events up to the first of kind `until`, or to the end."""
        if self._stream is None:
            self._stream = self._events()
        heard = Heard()
        for event in self._stream:
            heard.add(event)
            if event.kind == until:
                break
        return heard

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@dataclasses.dataclass
class Spoken:
    """Gathers what a TTS stream gave. `ended`: how many times `audio_end` was told."""

    chunks: list[bytes] = dataclasses.field(default_factory=list)
    characters: list[str] = dataclasses.field(default_factory=list)
    starts: list[float] = dataclasses.field(default_factory=list)
    ends: list[float] = dataclasses.field(default_factory=list)
    ended: int = 0
    terminated: bool = False
    failure: Optional[Failure] = None

    @property
    def audio(self) -> bytes:
        """Give all audio."""
        return b"".join(self.chunks)


class Speaking(abc.ABC):
    """Is one TTS stream, alone on its connection or not."""

    @abc.abstractmethod
    def send(self, text: str, end: bool = False) -> None:
        """Send text; a failure of the stream is left to `hear()`."""

    @abc.abstractmethod
    def finish(self) -> None:
        """End the text."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Cancel the stream."""

    @abc.abstractmethod
    def hear(self, chunks: Optional[int] = None) -> Spoken:
        """Gather everything up to the end, or only so many pieces of audio."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close."""

    def __enter__(self) -> Speaking:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Line(abc.ABC):
    """Is one TTS connection for several streams."""

    @abc.abstractmethod
    def stream(self, stream_id: str, **config: Any) -> Speaking:
        """Open a stream."""

    @abc.abstractmethod
    def keep_alive(self) -> None:
        """Send one keepalive."""

    @abc.abstractmethod
    def hold(self) -> None:
        """Keep the idle connection open from now on."""

    @abc.abstractmethod
    def go_on(self) -> None:
        """End what `hold()` began."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Kit(abc.ABC):
    """Is one client pointed at a sandbox. `refusals`: what it raises before it sends anything."""

    refusals: tuple[type[BaseException], ...]

    @abc.abstractmethod
    def listen(self, **config: Any) -> Listening:
        """Open an STT session."""

    @abc.abstractmethod
    def speak(self, **config: Any) -> Speaking:
        """Open a single-stream TTS connection."""

    @abc.abstractmethod
    def line(self) -> Line:
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
    def pause_beats_every(self, sec: float) -> None:
        """Send keepalives this often; it counts for what is opened afterwards."""

    @abc.abstractmethod
    def close(self) -> None:
        """Close the client."""


def silence(ms: int, rate: int = 16000) -> bytes:
    """Make s16le silence."""
    return bytes(2 * (rate * ms // 1000))
