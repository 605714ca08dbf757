"""The ears: pocketsphinx, for audio that was not spoken here. English only."""

from __future__ import annotations

import functools
import os
import re
import threading
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence

import numpy as np

from .base import EngineError
from .resample import Resampler, Samples

__all__ = ["Ear", "EarWord"]

_RATE = 16000
_FRAME_MS = 10
# 1.5 to 2 times the speed of the defaults for a few per cent more wrong words: the sandbox must
# keep up with several streams on a small machine.
_DECODER = {"samprate": float(_RATE), "loglevel": "FATAL", "maxhmmpf": 6000, "maxwpf": 20}
# 250 ms of audio between two guesses: captions grow smoothly and nobody pays for more.
_GUESS_FRAMES = 8
# An utterance without a pause is ended here, or captions would never become final.
_LONGEST_SEC = 20.0
# Decoders kept for the next utterance; each takes 90 MB and half a second to load.
_KEEP = 2
# Fillers such as <s>, <sil>, [NOISE], ++breath++, and the mark of a variant pronunciation: read(2).
_FILLER = re.compile(r"[<\[+].*")
_VARIANT = re.compile(r"\(\d+\)$")
# Only the lattice of a finished utterance knows how sure a word is.
_GUESS_CONFIDENCE = 0.5


@dataclass(frozen=True)
class EarWord:
    """Hold a word with its place in milliseconds on the clock of the ear's samples."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


class _Pool:
    """Lend decoders, which are slow to load and large. Thread-safe."""

    def __init__(self) -> None:
        # Guards _idle. Leaf; not held while a decoder loads.
        self._lock = threading.Lock()
        self._idle: List[Any] = []

    def take(self) -> Any:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _sphinx().Decoder(**_DECODER)

    def give(self, decoder: Any) -> None:
        with self._lock:
            if len(self._idle) < _KEEP:
                self._idle.append(decoder)


@functools.lru_cache(maxsize=1)
def _pool_of(process: int) -> _Pool:
    return _Pool()


def _sphinx() -> Any:
    try:
        import pocketsphinx  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise EngineError(f"pocketsphinx cannot be loaded: {error}") from error
    return pocketsphinx


class Ear:
    """Recognise one uninterrupted stretch of foreign audio after another. Not thread-safe.

    `feed` takes samples with their place in the stream. The ear holds a decoder only while
    somebody speaks. What a speaker's channel sounds like is kept from utterance to utterance.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._cmn: Optional[str] = None
        self._stretch: Optional[_Stretch] = None
        self.guess: Sequence[EarWord] = ()
        """What the utterance under way sounds like so far."""
        self.speech_end_ms = 0
        """Where the last speech ended, as far as heard."""

    @property
    def speech_start_ms(self) -> Optional[int]:
        """Where the utterance under way began, None between utterances."""
        return None if self._stretch is None else self._stretch.speech_start_ms

    def feed(self, start: int, samples: Samples) -> List[EarWord]:
        """Take samples from place `start` of the stream; return words that became final."""
        words: List[EarWord] = []
        if self._stretch is None or self._stretch.end != start:
            words += self.flush()
            self._stretch = _Stretch(start, self._sample_rate, self._cmn)
        words += self._stretch.feed(samples)
        self._look()
        return words

    def flush(self) -> List[EarWord]:
        """End the stretch and return its last words."""
        if self._stretch is None:
            return []
        words = self._stretch.finish()
        self._look()
        self._cmn, self._stretch = self._stretch.cmn, None
        return words

    def close(self) -> None:
        """Give the decoder back without another word."""
        if self._stretch is not None:
            self._stretch.abandon()
            self._stretch = None

    def _look(self) -> None:
        if self._stretch is not None:
            self.guess = self._stretch.guess
            self.speech_end_ms = max(self.speech_end_ms, self._stretch.speech_end_ms)


class _Stretch:
    """Run detector and decoder over one stretch of audio."""

    def __init__(self, start: int, sample_rate: int, cmn: Optional[str]) -> None:
        self.end = start
        self.cmn = cmn
        self.guess: Sequence[EarWord] = ()
        self.speech_end_ms = 0
        self._offset_ms = start * 1000 // sample_rate
        self._resampler = Resampler(sample_rate, _RATE)
        self._endpointer = _sphinx().Endpointer(sample_rate=_RATE)
        self._waiting = b""
        self._decoder: Any = None
        self._utterance_ms = 0
        self._frames = 0
        self._heard_samples = 0

    @property
    def speech_start_ms(self) -> Optional[int]:
        return None if self._decoder is None else self._utterance_ms

    def feed(self, samples: Samples) -> List[EarWord]:
        self.end += len(samples)
        return self._detect(self._resampler.feed(samples))

    def finish(self) -> List[EarWord]:
        words = self._detect(self._resampler.flush())
        if self._decoder is not None:
            # less than a frame is taken only here, but not nothing at all
            words += self._hear(self._endpointer.end_stream(self._waiting or bytes(2)))
        return words + (self._end_utterance() if self._decoder is not None else [])

    def abandon(self) -> None:
        if self._decoder is not None:
            self._end_utterance()

    def _detect(self, samples: Samples) -> List[EarWord]:
        data = self._waiting + samples.astype(np.int16).tobytes()
        size = self._endpointer.frame_bytes
        used = len(data) - len(data) % size
        self._waiting = data[used:]
        words: List[EarWord] = []
        for at in range(0, used, size):
            words += self._hear(self._endpointer.process(data[at : at + size]))
        return words

    def _hear(self, speech: Optional[bytes]) -> List[EarWord]:
        if not speech:
            return []
        if self._decoder is None:
            self._begin_utterance()
        self._decoder.process_raw(speech, no_search=False, full_utt=False)
        self._frames += 1
        self._heard_samples += len(speech) // 2
        self.speech_end_ms = self._utterance_ms + self._heard_ms()
        too_long = self._heard_ms() > _LONGEST_SEC * 1000
        if not self._endpointer.in_speech or too_long:
            return self._end_utterance()
        if self._frames % _GUESS_FRAMES == 0:
            self.guess = self._words(final=False)
        return []

    def _heard_ms(self) -> int:
        return self._heard_samples * 1000 // _RATE

    def _begin_utterance(self) -> None:
        self._decoder = _pool_of(os.getpid()).take()
        # the decoder last heard somebody else: neither their channel nor their noise counts
        if self.cmn is None:
            self.cmn = self._decoder.config["cmninit"]
        self._decoder.reinit_feat()
        self._decoder.set_cmn(self.cmn)
        self._decoder.start_utt()
        began = round(self._endpointer.speech_start * 1000)
        # an utterance that was cut for its length goes on where it was cut
        self._utterance_ms = max(self._offset_ms + began, self.speech_end_ms)
        self._frames = 0
        self._heard_samples = 0

    def _end_utterance(self) -> List[EarWord]:
        self._decoder.end_utt()
        words = self._words(final=True)
        self.cmn = self._decoder.get_cmn(False)
        _pool_of(os.getpid()).give(self._decoder)
        self._decoder, self.guess = None, ()
        return words

    def _words(self, *, final: bool) -> List[EarWord]:
        words = []
        for segment in self._decoder.seg() or ():
            text = _VARIANT.sub("", segment.word)
            if not _FILLER.fullmatch(text):
                confidence = segment.prob if final else _GUESS_CONFIDENCE
                words.append(self._word(text, segment, confidence))
        return words

    def _word(self, text: str, segment: Any, confidence: float) -> EarWord:
        # the dictionary is all in lower case
        written = text.capitalize() if text == "i" or text.startswith("i'") else text
        start = self._utterance_ms + segment.start_frame * _FRAME_MS
        end = self._utterance_ms + (segment.end_frame + 1) * _FRAME_MS
        return EarWord(written, start, end, round(min(max(confidence, 0.01), 1.0), 3))
