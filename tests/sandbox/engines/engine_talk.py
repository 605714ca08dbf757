"""What the tests of the engines say and hear with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from soniox_sync.sandbox.engines.base import HeardWord, Hearing, Synthesizer
from soniox_sync.sandbox.engines.espeak import EspeakSynthesizer
from soniox_sync.sandbox.engines.listener import SpeechListener, SpeechRecognizer
from soniox_sync.sandbox.engines.spoken_index import SpokenIndex


@dataclass(frozen=True)
class Said:
    """Hold spoken audio and its words with their true samples."""

    pcm: bytes = field(repr=False)
    words: tuple[tuple[str, int, int], ...] = field(repr=False)
    voice: str


class Notebook:
    """Is a memory that only writes down what it is told."""

    def __init__(self) -> None:
        self.words: list[tuple[str, int, int]] = []
        self.length = 0

    def add(
        self,
        pcm: Any,
        sample_rate: int,
        words: Sequence[tuple[str, int, int]],
        *,
        voice: str,
        language: str,
    ) -> None:
        self.words += [(text, a + self.length, b + self.length) for text, a, b in words]
        self.length += len(pcm)


class Booth:
    """Speaks and hears with one index of its own."""

    def __init__(self, max_bytes: int = 128 << 20) -> None:
        self.index = SpokenIndex(max_bytes)
        self.synthesizer = EspeakSynthesizer(self.index)
        self.recognizer = SpeechRecognizer(self.index)

    def say(
        self, text: str, voice: str = "Adrian", language: str = "en", rate: int = 16000
    ) -> Said:
        """Speak, and know by other means where the words are."""
        notes = Notebook()
        pcm = speak(self.synthesizer, text, voice, language, rate)
        assert speak(EspeakSynthesizer(notes), text, voice, language, rate) == pcm
        return Said(pcm, tuple(notes.words), voice)

    def listen(self, rate: int = 16000, delay_ms: int = 2000) -> SpeechListener:
        """Open a listener."""
        return self.recognizer.listen(sample_rate=rate, endpoint_delay_ms=delay_ms)

    def hear(
        self, pcm: bytes, rate: int = 16000, sizes: Optional[Iterable[int]] = None
    ) -> list[HeardWord]:
        """Return all words that became final, after a finalize."""
        final: list[HeardWord] = []
        for hearing in hearings(self.listen(rate), pcm, sizes):
            final += hearing.final
        return final


def speak(
    synthesizer: Synthesizer,
    text: str,
    voice: str = "Adrian",
    language: str = "en",
    rate: int = 16000,
) -> bytes:
    """Return all samples of one call."""
    chunks = synthesizer.speak(text, voice=voice, language=language, sample_rate=rate)
    return b"".join(chunk.pcm for chunk in chunks)


def hearings(
    listener: SpeechListener, pcm: bytes, sizes: Optional[Iterable[int]] = None
) -> list[Hearing]:
    """Feed in pieces of the given sizes, 3840 bytes each by default, then finalize and close."""
    found = []
    at = 0
    for size in sizes or iter(lambda: 3840, 0):
        if at >= len(pcm):
            break
        hearing = listener.feed(pcm[at : at + size])
        at += size
        if hearing is not None:
            found.append(hearing)
    found.append(listener.finalize())
    listener.close()
    return found


def silence(seconds: float, rate: int = 16000) -> bytes:
    """Return digital silence."""
    return bytes(2 * int(seconds * rate))
