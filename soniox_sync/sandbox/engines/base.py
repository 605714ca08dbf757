"""What the sandbox's server asks of a voice and of an ear.

The server knows only these shapes; which library speaks or listens behind them is the business of
the modules next door. Nothing here imports an optional package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Protocol, Sequence, Tuple


class EngineError(RuntimeError):
    """Say that an engine could not be loaded or could not do what was asked."""


@dataclass(frozen=True)
class SpokenChunk:
    """Hold a piece of synthesised speech and the character times that became known with it.

    Joining `characters` over all chunks of one `speak` call gives the text that was spoken, one
    entry per code point (PROTOCOL 3.2). `pcm` may be empty when only times became known.
    """

    pcm: bytes
    """s16le mono at the rate asked of `speak`; whole samples only."""
    characters: Tuple[str, ...] = ()
    starts: Tuple[float, ...] = ()
    """Seconds from the first sample of this `speak` call, parallel to `characters`."""
    ends: Tuple[float, ...] = ()
    """Seconds from the first sample of this `speak` call, parallel to `characters`."""


class Synthesizer(Protocol):
    """Turn text into speech, in pieces. Thread-safe: any number of calls may be under way."""

    def voices(self) -> Sequence[str]:
        """Return the names `speak` accepts as `voice`."""

    def speak(
        self, text: str, *, voice: str, language: str, sample_rate: int, speed: float = 1.0
    ) -> Iterator[SpokenChunk]:
        """Yield the speech of `text` as it is made.

        `sample_rate` is in Hz, `speed` a factor, 1.0 being the normal pace. The same arguments
        give the same samples every time. Raises: ValueError for an unknown voice, language or
        rate, at the call and not at the first chunk.
        """


@dataclass(frozen=True)
class HeardWord:
    """Hold one recognised word, with the punctuation that clings to it and no leading space.

    In languages written without spaces (zh, ja, th) words follow each other without one.
    """

    text: str
    start_ms: int
    """Milliseconds on the clock of the stream: 0 is the first sample fed."""
    end_ms: int
    """Milliseconds on the same clock."""
    confidence: float
    speaker: str = "1"
    language: str = "en"


@dataclass(frozen=True)
class Hearing:
    """Say what changed after audio was fed."""

    final: Tuple[HeardWord, ...]
    """Words that became final with this hearing, in order; each is reported exactly once."""
    partial: Tuple[HeardWord, ...]
    """The complete current guess of what follows the finals; replaces the previous guess."""
    endpoint: bool
    """True if a pause ended an utterance after these finals."""
    final_ms: int
    """Everything before this millisecond is settled; it never splits a word that is not final."""
    total_ms: int
    """Milliseconds of audio fed so far."""


class Listener(Protocol):
    """Recognise the speech of one stream. Not thread-safe: one caller at a time."""

    def feed(self, pcm: bytes) -> Optional[Hearing]:
        """Take s16le mono at the rate given to `listen`, cut anywhere, even inside a sample.

        Returns None when nothing changed. A hearing tells of one endpoint at most, so feed 500 ms
        or less at a time where each pause matters.
        """

    def finalize(self) -> Hearing:
        """Make all audio so far final and go on listening; `partial` of the answer is empty."""

    def close(self) -> None:
        """Give back what the listener holds. Harmless when repeated."""


class Recognizer(Protocol):
    """Open listeners. Thread-safe."""

    def listen(
        self, *, sample_rate: int, languages: Sequence[str] = (), endpoint_delay_ms: int = 2000
    ) -> Listener:
        """Return a listener for one stream of s16le mono at `sample_rate` Hz.

        `languages` are hints, first the likeliest. `endpoint_delay_ms` is the silence that ends an
        utterance.
        """


@dataclass(frozen=True)
class Engines:
    """Hold the voice and the ear a sandbox works with."""

    synthesizer: Synthesizer
    recognizer: Recognizer
    name: str
