"""Helpers of the engines' tests: speech whose words are known, and a recogniser of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from soniox_sync.sandbox import engines
from soniox_sync.sandbox.engines.base import HeardWord, RecognitionResult, Synthesizer
from soniox_sync.sandbox.engines.espeak.engine import EspeakSynthesizer
from soniox_sync.sandbox.engines.listener import SpeechListener, SpeechRecognizer
from soniox_sync.sandbox.engines.speech_index import SpeechIndex
from soniox_sync.sandbox.engines.sphinx import SphinxTranscriber, SphinxWord


@dataclass(frozen=True)
class SpokenAudio:
    """Spoken audio and its words with their exact samples."""

    pcm: bytes = field(repr=False)
    words: tuple[tuple[str, int, int], ...] = field(repr=False)
    voice: str


class RecordingStore:
    """Store of speech that keeps the words and the length."""

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


class NullTranscriber:
    """Recognises nothing."""

    partial: Sequence[SphinxWord] = ()
    speech_start_ms: Optional[int] = None
    speech_end_ms = 0

    def __init__(self, sample_rate: int) -> None:
        """Accept the argument of `SphinxTranscriber`."""

    def feed(self, start: int, samples: Any) -> list[SphinxWord]:
        """Return no words."""
        return []

    def flush(self) -> list[SphinxWord]:
        """Return no words."""
        return []

    def close(self) -> None:
        """Do nothing."""


class SpeechLoop:
    """A synthesizer and a recognizer that share their own index."""

    def __init__(self, max_bytes: int = 128 << 20) -> None:
        self.index = SpeechIndex(max_bytes)
        self.synthesizer = EspeakSynthesizer(self.index)
        missing = engines.RECOGNIZER in engines.missing()
        transcriber = NullTranscriber if missing else SphinxTranscriber
        self.recognizer = SpeechRecognizer(self.index, transcriber)

    def speak(
        self, text: str, voice: str = "Adrian", language: str = "en", rate: int = 16000
    ) -> SpokenAudio:
        """Speak a text; the positions of its words come from a separate synthesizer."""
        store = RecordingStore()
        pcm = speak(self.synthesizer, text, voice, language, rate)
        assert speak(EspeakSynthesizer(store), text, voice, language, rate) == pcm
        return SpokenAudio(pcm, tuple(store.words), voice)

    def listen(self, rate: int = 16000, delay_ms: int = 2000) -> SpeechListener:
        """Open a listener."""
        return self.recognizer.listen(sample_rate=rate, endpoint_delay_ms=delay_ms)

    def recognize(
        self, pcm: bytes, rate: int = 16000, sizes: Optional[Iterable[int]] = None
    ) -> list[HeardWord]:
        """Feed audio, then finalize; return all final words."""
        final: list[HeardWord] = []
        for result in results(self.listen(rate), pcm, sizes):
            final += result.final
        return final


def speak(
    synthesizer: Synthesizer,
    text: str,
    voice: str = "Adrian",
    language: str = "en",
    rate: int = 16000,
) -> bytes:
    """Return the audio of a text."""
    chunks = synthesizer.speak(text, voice=voice, language=language, sample_rate=rate)
    return b"".join(chunk.pcm for chunk in chunks)


def results(
    listener: SpeechListener, pcm: bytes, sizes: Optional[Iterable[int]] = None
) -> list[RecognitionResult]:
    """Feed in chunks of the given sizes, by default 3840 bytes each, then finalize and close."""
    found = []
    at = 0
    for size in sizes or iter(lambda: 3840, 0):
        if at >= len(pcm):
            break
        result = listener.feed(pcm[at : at + size])
        at += size
        if result is not None:
            found.append(result)
    found.append(listener.finalize())
    listener.close()
    return found


def silence(seconds: float, rate: int = 16000) -> bytes:
    """Return digital silence."""
    return bytes(2 * int(seconds * rate))
