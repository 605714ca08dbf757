"""Recognition with pocketsphinx, for audio that the sandbox did not speak. English only."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from ..._support.locks import new_lock
from .base import EngineError
from .resample import Resampler, Samples

__all__ = [
    "DecoderPool",
    "SphinxTranscriber",
    "SphinxWord",
    "load_pocketsphinx",
    "pool_of",
]

_RATE = 16000
_FRAME_MS = 10
# 1.5 to 2 times as fast as the defaults, at the price of a few per cent more wrong words: the
# sandbox must keep up with several streams on a small machine.
_DECODER = {"samprate": float(_RATE), "loglevel": "FATAL", "maxhmmpf": 6000, "maxwpf": 20}
# Partials every 250 ms of audio: captions grow smoothly at low cost.
_PARTIAL_FRAMES = 8
# An utterance without a pause is ended here, or captions would never become final.
_LONGEST_SEC = 20.0
# Decoders kept for the next utterance; each takes 90 MB and half a second to load.
_KEPT_DECODERS = 2
# Fillers such as <s>, <sil>, [NOISE], ++breath++; the suffix of a variant pronunciation: read(2).
_FILLER = re.compile(r"[<\[+].*")
_VARIANT = re.compile(r"\(\d+\)$")
# For partial words: only the lattice of a finished utterance contains real values.
_PARTIAL_CONFIDENCE = 0.5


@dataclass(frozen=True)
class SphinxWord:
    """Recognised word with its times on the clock of the stream."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


class DecoderPool:
    """Lends decoders, which are slow to load and large. Thread-safe."""

    def __init__(self) -> None:
        # Guards _idle. Leaf; not held while a decoder loads.
        self._lock = new_lock()
        self._idle: list[Any] = []

    def take(self) -> Any:
        """Return an idle decoder or a new one."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return load_pocketsphinx().Decoder(**_DECODER)

    def give_back(self, decoder: Any) -> None:
        """Keep a decoder for the next utterance, unless enough are idle."""
        with self._lock:
            if len(self._idle) < _KEPT_DECODERS:
                self._idle.append(decoder)


@functools.lru_cache(maxsize=1)
def pool_of(process: int) -> DecoderPool:
    """Return the pool of a process: a forked child must not inherit a lock that is held."""
    return DecoderPool()


def load_pocketsphinx() -> Any:
    """Import pocketsphinx.

    Raises
        EngineError: it cannot be imported.
    """
    try:
        import pocketsphinx  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise EngineError(f"pocketsphinx cannot be loaded: {error}") from error
    return pocketsphinx


class SphinxTranscriber:
    """Recognises the unmatched audio of a stream, one contiguous stretch after another.

    It uses a decoder only while somebody is speaking. The estimate of the channel is kept between
    utterances. Not thread-safe.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        # cepstral mean of the channel, as pocketsphinx writes it
        self._cmn: Optional[str] = None
        self._stretch: Optional[_Stretch] = None
        self.partial: Sequence[SphinxWord] = ()
        """Words of the current utterance so far; they may change."""
        self.speech_end_ms: int = 0
        """Where the last speech ended."""

    @property
    def speech_start_ms(self) -> Optional[int]:
        """Where the current utterance started, `None` between utterances."""
        return None if self._stretch is None else self._stretch.speech_start_ms

    def feed(self, start: int, samples: Samples) -> list[SphinxWord]:
        """Add samples from position `start` of the stream; return words that became final."""
        words: list[SphinxWord] = []
        if self._stretch is None or self._stretch.end != start:
            words += self.flush()
            self._stretch = _Stretch(start, self._sample_rate, self._cmn)
        words += self._stretch.feed(samples)
        self._update(self._stretch)
        return words

    def flush(self) -> list[SphinxWord]:
        """End the stretch and return its last words."""
        if self._stretch is None:
            return []
        words = self._stretch.finish()
        self._update(self._stretch)
        self._cmn, self._stretch = self._stretch.cmn, None
        return words

    def close(self) -> None:
        """Release the decoder; words not yet final are lost."""
        if self._stretch is not None:
            self._stretch.cancel()
            self._stretch = None

    def _update(self, stretch: _Stretch) -> None:
        self.partial = stretch.partial
        self.speech_end_ms = max(self.speech_end_ms, stretch.speech_end_ms)


class _Stretch:
    """Runs speech detector and decoder over one stretch of audio."""

    def __init__(self, start: int, sample_rate: int, cmn: Optional[str]) -> None:
        self.end = start
        self.cmn = cmn
        self.partial: Sequence[SphinxWord] = ()
        self.speech_end_ms = 0
        self._offset_ms = start * 1000 // sample_rate
        self._resampler = Resampler(sample_rate, _RATE)
        self._detector = load_pocketsphinx().Endpointer(sample_rate=_RATE)
        self._waiting = b""
        # of the current utterance
        self._decoder: Any = None
        self._utterance_ms = 0
        self._frames = 0
        self._samples = 0

    @property
    def speech_start_ms(self) -> Optional[int]:
        return None if self._decoder is None else self._utterance_ms

    def feed(self, samples: Samples) -> list[SphinxWord]:
        self.end += len(samples)
        return self._detect(self._resampler.feed(samples))

    def finish(self) -> list[SphinxWord]:
        words = self._detect(self._resampler.flush())
        if self._decoder is not None:
            # less than a frame is accepted only here, but it must not be empty
            words += self._decode(self._detector.end_stream(self._waiting or bytes(2)))
        return words + (self._end_utterance() if self._decoder is not None else [])

    def cancel(self) -> None:
        if self._decoder is not None:
            self._end_utterance()

    def _detect(self, samples: Samples) -> list[SphinxWord]:
        """Pass the frames with speech in them to the decoder."""
        data = self._waiting + samples.astype(np.int16).tobytes()
        size = self._detector.frame_bytes
        used = len(data) - len(data) % size
        self._waiting = data[used:]
        words: list[SphinxWord] = []
        for at in range(0, used, size):
            words += self._decode(self._detector.process(data[at : at + size]))
        return words

    def _decode(self, speech: Optional[bytes]) -> list[SphinxWord]:
        if not speech:
            return []
        if self._decoder is None:
            self._begin_utterance()
        self._decoder.process_raw(speech, no_search=False, full_utt=False)
        self._frames += 1
        self._samples += len(speech) // 2
        length_ms = self._samples * 1000 // _RATE
        self.speech_end_ms = self._utterance_ms + length_ms
        if not self._detector.in_speech or length_ms > _LONGEST_SEC * 1000:
            return self._end_utterance()
        if self._frames % _PARTIAL_FRAMES == 0:
            self.partial = self._words(final=False)
        return []

    def _begin_utterance(self) -> None:
        self._decoder = pool_of(os.getpid()).take()
        # the decoder was last used for another stream: discard its estimates of channel and noise
        if self.cmn is None:
            self.cmn = self._decoder.config["cmninit"]
        self._decoder.reinit_feat()
        self._decoder.set_cmn(self.cmn)
        self._decoder.start_utt()
        start_ms = round(self._detector.speech_start * 1000)
        # after an utterance that was cut because of its length, the next starts at the cut
        self._utterance_ms = max(self._offset_ms + start_ms, self.speech_end_ms)
        self._frames = 0
        self._samples = 0

    def _end_utterance(self) -> list[SphinxWord]:
        self._decoder.end_utt()
        words = self._words(final=True)
        self.cmn = self._decoder.get_cmn(False)
        pool_of(os.getpid()).give_back(self._decoder)
        self._decoder, self.partial = None, ()
        return words

    def _words(self, *, final: bool) -> list[SphinxWord]:
        words = []
        for segment in self._decoder.seg() or ():
            text = _VARIANT.sub("", segment.word)
            if not _FILLER.fullmatch(text):
                confidence = segment.prob if final else _PARTIAL_CONFIDENCE
                words.append(self._word(text, segment, confidence))
        return words

    def _word(self, text: str, segment: Any, confidence: float) -> SphinxWord:
        # the dictionary is all lower case
        written = text.capitalize() if text == "i" or text.startswith("i'") else text
        start = self._utterance_ms + segment.start_frame * _FRAME_MS
        end = self._utterance_ms + (segment.end_frame + 1) * _FRAME_MS
        return SphinxWord(written, start, end, round(min(max(confidence, 0.01), 1.0), 3))
