"""Interfaces of the synthesizer and the recognizer that the sandbox's server uses.

The server uses only these types; the other modules of this package implement them with a library.
Nothing in this module imports an optional package.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional, Protocol

__all__ = [
    "EngineError",
    "Engines",
    "HeardWord",
    "Listener",
    "RecognitionResult",
    "Recognizer",
    "SpokenChunk",
    "Synthesizer",
]


class EngineError(RuntimeError):
    """An engine could not be loaded, or could not do what was requested."""


@dataclass(frozen=True)
class SpokenChunk:
    """Chunk of synthesised speech, and the character times that became known with it.

    Joining `characters` over all chunks of one `speak` call gives the text that was spoken, one
    entry per code point (PROTOCOL 3.2). `pcm` may be empty if only times became known.
    """

    pcm: bytes = field(repr=False)
    """s16le mono at the rate passed to `speak`; whole samples only."""
    characters: tuple[str, ...] = ()
    starts: tuple[float, ...] = field(default=(), repr=False)
    """Seconds from the first sample of this `speak` call, parallel to `characters`."""
    ends: tuple[float, ...] = field(default=(), repr=False)
    """Seconds from the first sample of this `speak` call, parallel to `characters`."""


class Synthesizer(Protocol):
    """Converts text to speech. Thread-safe: any number of calls may run at once."""

    def voices(self) -> Sequence[str]:
        """Return the names that `speak` accepts as `voice`."""

    def speak(
        self, text: str, *, voice: str, language: str, sample_rate: int, speed: float = 1.0
    ) -> Iterator[SpokenChunk]:
        """Yield the speech of `text` as it is produced.

        `sample_rate` is in Hz, `speed` a factor (1.0: normal pace). The same arguments always
        produce the same samples.

        Raises
            ValueError: the voice, language or rate is unknown; at the call, not at the first chunk.
        """


@dataclass(frozen=True)
class HeardWord:
    """One recognised word with its punctuation and no leading space.

    In languages written without spaces (zh, ja, th) words follow each other without one.
    """

    text: str
    start_ms: int
    """Milliseconds on the clock of the stream: 0 is its first sample."""
    end_ms: int
    """Milliseconds on the same clock."""
    confidence: float
    speaker: str = "1"
    language: str = "en"
    is_cut: bool = False
    """Whether its end was not received: it was cut off, or goes on."""


@dataclass(frozen=True)
class RecognitionResult:
    """Changes after new audio."""

    final: tuple[HeardWord, ...]
    """Words that became final, in order; each is reported exactly once."""
    partial: tuple[HeardWord, ...]
    """All words after the finals that may still change; they replace the previous partials."""
    endpoint: bool
    """Whether a pause ended an utterance after these finals."""
    final_ms: int
    """Everything before this millisecond is final; it never splits a word that is not."""
    total_ms: int
    """Milliseconds of audio fed so far."""


class Listener(Protocol):
    """Recognises the speech of one stream. Not thread-safe: one caller at a time."""

    def feed(self, pcm: bytes) -> Optional[RecognitionResult]:
        """Add s16le mono at the rate passed to `listen`, cut anywhere, even inside a sample.

        Returns `None` if nothing changed. A result reports at most one endpoint, so feed at most
        500 ms at a time if each pause matters.
        """

    def finalize(self) -> RecognitionResult:
        """Make all audio so far final; more may follow. The result has no partials."""

    def close(self) -> None:
        """Release the resources of the listener. Idempotent."""


class Recognizer(Protocol):
    """Opens listeners. Thread-safe."""

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> Listener:
        """Return a listener for one stream of s16le mono at `sample_rate` Hz.

        `languages` are hints, the most likely first. `endpoint_delay_ms` is the silence that ends
        an utterance.
        """


@dataclass(frozen=True)
class Engines:
    """Synthesizer and recognizer of a sandbox."""

    synthesizer: Synthesizer = field(repr=False)
    recognizer: Recognizer = field(repr=False)
    name: str
    missing: tuple[str, ...] = ()
    """Packages that are not installed: their engine is replaced by a simpler one."""
