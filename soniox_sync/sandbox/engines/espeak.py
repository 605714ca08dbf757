"""The voices: espeak-ng, sentence by sentence, with the time of every character."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass
from typing import Iterator, List, Optional, Protocol, Sequence, Tuple

from ..catalog import VOICES
from .base import SpokenChunk
from .espeak_library import Utterance, VoiceSetting, synthesize
from .resample import Samples, resample
from .speech_text import Word, find_words, pieces
from .speech_times import Spans, time_characters, time_words
from .voices import find_voice

__all__ = ["EspeakSynthesizer", "Memory", "SAMPLE_RATES"]

SAMPLE_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
# Length of a chunk: short enough to follow a voice by its characters, long enough to be cheap.
_CHUNK_SEC = 0.25


class Memory(Protocol):
    """Learns what was spoken, so that it can be recognised."""

    def add(
        self,
        pcm: Samples,
        sample_rate: int,
        words: Sequence[Tuple[str, int, int]],
        *,
        voice: str,
        language: str,
    ) -> None:
        """Take speech with its words: text, first sample, sample behind the last."""


@dataclass(frozen=True)
class _Piece:
    """Hold one spoken sentence at one rate."""

    text: str
    pcm: Samples
    words: Sequence[Word]
    word_spans: Spans
    character_spans: Spans


class EspeakSynthesizer:
    """Speak with espeak-ng. Thread-safe.

    `memory` learns every sentence before the first chunk of it is handed out. `keep_bytes` bounds
    the speech kept for the case that the same sentence is spoken again.
    """

    def __init__(self, memory: Optional[Memory] = None, *, keep_bytes: int = 16 << 20) -> None:
        self._memory = memory
        self._keep_bytes = keep_bytes
        # Guards _kept and _kept_bytes. Leaf; never held while speaking.
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[Tuple[str, VoiceSetting], Utterance] = (
            collections.OrderedDict()
        )
        self._kept_bytes = 0

    def voices(self) -> Sequence[str]:
        """Return the names of the roster."""
        return tuple(VOICES)

    def speak(
        self, text: str, *, voice: str, language: str, sample_rate: int, speed: float = 1.0
    ) -> Iterator[SpokenChunk]:
        """Yield the speech of `text` sentence by sentence in chunks of 250 ms.

        The same arguments give the same samples. `speed` is a factor of the normal pace. Raises at
        the call: ValueError for a voice, language or rate that is not on the list; EngineError,
        from the iterator, when the library fails.
        """
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"unsupported sample rate {sample_rate}")
        setting = find_voice(voice, language, speed)
        return self._speak(text, setting, voice, language, sample_rate)

    def _speak(
        self, text: str, setting: VoiceSetting, voice: str, language: str, sample_rate: int
    ) -> Iterator[SpokenChunk]:
        done = 0
        for text_piece in pieces(text):
            spoken = self._say(text_piece, setting)
            piece = _at_rate(text_piece, find_words(text_piece, language), spoken, sample_rate)
            if self._memory is not None:
                words = [(word.text, *span) for word, span in zip(piece.words, piece.word_spans)]
                self._memory.add(piece.pcm, sample_rate, words, voice=voice, language=language)
            yield from _chunks(piece, sample_rate, done)
            done += len(piece.pcm)

    def _say(self, text: str, setting: VoiceSetting) -> Utterance:
        key = (text, setting)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return known
        utterance = synthesize(text, setting)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = utterance
                self._kept_bytes += utterance.samples.nbytes
            while self._kept_bytes > self._keep_bytes and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= oldest.samples.nbytes
        return utterance


def _at_rate(text: str, words: Sequence[Word], spoken: Utterance, sample_rate: int) -> _Piece:
    """Time words and characters, and bring all of it to the rate asked for."""
    pcm = resample(spoken.samples, spoken.sample_rate, sample_rate)
    events = [(at, sample * sample_rate // spoken.sample_rate) for at, sample in spoken.words]
    spans = time_words(words, events, pcm)
    return _Piece(text, pcm, words, spans, time_characters(text, words, spans, len(pcm)))


def _chunks(piece: _Piece, sample_rate: int, offset: int) -> Iterator[SpokenChunk]:
    """Cut a piece; a character goes with the chunk in which it begins."""
    size = round(_CHUNK_SEC * sample_rate)
    length = len(piece.pcm)
    told = 0
    for start in range(0, max(length, 1), size):
        end = min(start + size, length)
        until = told
        while until < len(piece.text) and (piece.character_spans[until][0] < end or end == length):
            until += 1
        spans = piece.character_spans[told:until]
        yield SpokenChunk(
            piece.pcm[start:end].astype("<i2").tobytes(),
            tuple(piece.text[told:until]),
            tuple(_seconds([span[0] for span in spans], offset, sample_rate)),
            tuple(_seconds([span[1] for span in spans], offset, sample_rate)),
        )
        told = until


def _seconds(samples: List[int], offset: int, sample_rate: int) -> List[float]:
    return [round((sample + offset) / sample_rate, 4) for sample in samples]
