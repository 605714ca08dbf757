"""Synthesis with espeak-ng, sentence by sentence, with the time of every character."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional, Protocol

from ...._support.locks import new_lock
from ...catalog import VOICES
from ..base import SpokenChunk
from ..resample import Samples, resample
from .library import Utterance, VoiceSetting, synthesize
from .text import Word, find_words, pieces
from .times import Spans, time_characters, time_words
from .voices import find_voice

__all__ = ["SAMPLE_RATES", "EspeakSynthesizer", "SpeechStore"]

SAMPLE_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)
# Duration of a chunk: short enough to follow the characters, long enough to be cheap.
_CHUNK_SEC = 0.25


class SpeechStore(Protocol):
    """Store of synthesised speech, so that it can be recognised."""

    def add(
        self,
        pcm: Samples,
        sample_rate: int,
        words: Sequence[tuple[str, int, int]],
        *,
        voice: str,
        language: str,
    ) -> None:
        """Add speech with its words: text, first sample, sample after the last."""


@dataclass(frozen=True)
class _Sentence:
    """One spoken sentence at one rate."""

    text: str
    pcm: Samples
    words: Sequence[Word]
    word_spans: Spans
    character_spans: Spans


class EspeakSynthesizer:
    """Speaks with espeak-ng. Thread-safe.

    Every sentence is added to `store` before its first chunk is yielded. `cache_bytes` limits the
    cache of sentences spoken before.
    """

    def __init__(self, store: Optional[SpeechStore] = None, *, cache_bytes: int = 16 << 20) -> None:
        self._store = store
        self._cache_limit = cache_bytes
        # Guards _cache and _cache_bytes. Leaf; never held while speaking.
        self._lock = new_lock()
        self._cache: collections.OrderedDict[tuple[str, VoiceSetting], Utterance] = (
            collections.OrderedDict()
        )
        self._cache_bytes = 0

    def voices(self) -> Sequence[str]:
        """Return the names of the service's voices."""
        return tuple(VOICES)

    def speak(
        self, text: str, *, voice: str, language: str, sample_rate: int, speed: float = 1.0
    ) -> Iterator[SpokenChunk]:
        """Yield the speech of `text` sentence by sentence in chunks of 250 ms.

        The same arguments always produce the same samples. `speed` is a factor of the normal pace.

        Raises
            ValueError: the voice, language or rate is unknown; at the call.
            EngineError: the library failed; from the iterator.
        """
        if sample_rate not in SAMPLE_RATES:
            raise ValueError(f"unsupported sample rate {sample_rate}")
        setting = find_voice(voice, language, speed)
        return self._speak(text, setting, voice, language, sample_rate)

    def _speak(
        self, text: str, setting: VoiceSetting, voice: str, language: str, sample_rate: int
    ) -> Iterator[SpokenChunk]:
        done = 0
        for piece in pieces(text):
            spoken = self._synthesize(piece, setting)
            sentence = _timed(piece, find_words(piece, language), spoken, sample_rate)
            if self._store is not None:
                spans = zip(sentence.words, sentence.word_spans)
                words = [(word.text, *span) for word, span in spans]
                self._store.add(sentence.pcm, sample_rate, words, voice=voice, language=language)
            yield from _chunks(sentence, sample_rate, done)
            done += len(sentence.pcm)

    def _synthesize(self, text: str, setting: VoiceSetting) -> Utterance:
        key = (text, setting)
        with self._lock:
            known = self._cache.get(key)
            if known is not None:
                self._cache.move_to_end(key)
                return known
        utterance = synthesize(text, setting)
        with self._lock:
            if key not in self._cache:
                self._cache[key] = utterance
                self._cache_bytes += utterance.samples.nbytes
            while self._cache_bytes > self._cache_limit and len(self._cache) > 1:
                _, oldest = self._cache.popitem(last=False)
                self._cache_bytes -= oldest.samples.nbytes
        return utterance


def _timed(text: str, words: Sequence[Word], spoken: Utterance, sample_rate: int) -> _Sentence:
    """Resample a sentence, and compute the times of its words and characters."""
    pcm = resample(spoken.samples, spoken.sample_rate, sample_rate)
    events = [(at, sample * sample_rate // spoken.sample_rate) for at, sample in spoken.words]
    spans = time_words(words, events, pcm)
    return _Sentence(text, pcm, words, spans, time_characters(text, words, spans, len(pcm)))


def _chunks(sentence: _Sentence, sample_rate: int, offset: int) -> Iterator[SpokenChunk]:
    """Cut a sentence into chunks; a character belongs to the chunk in which it starts."""
    size = round(_CHUNK_SEC * sample_rate)
    length, spans = len(sentence.pcm), sentence.character_spans
    done = 0  # characters
    for start in range(0, max(length, 1), size):
        end = min(start + size, length)
        until = done
        while until < len(spans) and (spans[until][0] < end or end == length):
            until += 1
        yield SpokenChunk(
            sentence.pcm[start:end].astype("<i2").tobytes(),
            tuple(sentence.text[done:until]),
            tuple(round((begin + offset) / sample_rate, 4) for begin, _ in spans[done:until]),
            tuple(round((end + offset) / sample_rate, 4) for _, end in spans[done:until]),
        )
        done = until
