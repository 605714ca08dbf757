"""Index of synthesised speech, for recognising it by its samples.

A window of 4 ms is an *anchor* if the upper bits of its hash are zero. That depends only on the
samples in the window: in the audio that it receives, a listener picks the same windows that the
index picked when the speech was produced, at any offset and without pairwise comparison.
"""

from __future__ import annotations

import collections
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np

from ..._support.locks import new_lock
from ..._support.reprs import byte_size, counted, summary
from ..audio import g711
from .copies.folder import SpeechFolder
from .copies.index import CopyIndex
from .resample import Samples

__all__ = ["Clip", "SpeechIndex", "anchors", "window_size"]

# At least this many anchors per second of speech: the probability of a gap of 100 ms between two is
# 1 in 250,000.
_DENSITY = 125
# A window whose samples differ by less is silence, which is in all speech.
_QUIET_RANGE = 128
# Odd, so that it has an inverse modulo 2 ** 64; its bits are those of the golden ratio.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_BLOCK = 1 << 14
# Clips tried per anchor, latest first: speech with the same start shares its first anchors.
_SAME_ANCHOR = 128
# Memory per anchor, measured with Python 3.11.
_ANCHOR_BYTES = 250
# The rate of telephones, where speech is companded.
_TELEPHONE = 8000


@dataclass(frozen=True, eq=False)
class Clip:
    """Piece of speech with its words. Immutable."""

    pcm: Samples
    words: tuple[tuple[str, int, int], ...]
    """Text, first sample, sample after the last."""
    voice: str
    language: str
    serial: int
    """Greater for later speech."""


# Arrays of uint64; see `Samples`.
_Hashes = Any

_Places = dict[int, list[tuple[Clip, int]]]


class SpeechIndex:
    """Finds speech by its anchors. Thread-safe; drops the oldest speech.

    `max_bytes` limits samples and anchors together: 128 MiB are about 20 minutes at 24 kHz.
    `folder`: where processes share what they speak; its speech is found among the copies.
    """

    def __init__(self, max_bytes: int = 128 << 20, folder: Optional[SpeechFolder] = None) -> None:
        self._max_bytes = max_bytes
        # Guards the fields below. Leaf; held for one addition or look-up.
        self._lock = new_lock()
        self._clips: collections.OrderedDict[bytes, _Entry] = collections.OrderedDict()
        self._places: dict[int, _Places] = collections.defaultdict(dict)
        self._bytes = 0
        self._serial = 0
        self.copies: CopyIndex = CopyIndex(max_bytes // 4 if folder is None else max_bytes, folder)
        """The same speech, for recognising it where its samples are not the same any more."""

    def add(
        self,
        pcm: Samples,
        sample_rate: int,
        words: Sequence[tuple[str, int, int]],
        *,
        voice: str,
        language: str,
    ) -> None:
        """Add speech; speech that was added before becomes the latest.

        At 8000 Hz it is also added as it is after mu-law and after A-law.
        """
        spans = tuple((text, start, max(end, start + 1)) for text, start, end in words)
        for version in _versions(pcm, sample_rate):
            self._add(version, sample_rate, spans, voice, language)
        self.copies.add(pcm, sample_rate, spans, voice=voice, language=language)

    def _add(
        self,
        pcm: Samples,
        sample_rate: int,
        words: tuple[tuple[str, int, int], ...],
        voice: str,
        language: str,
    ) -> None:
        key = hashlib.blake2b(pcm.tobytes(), digest_size=16)
        key.update(repr((sample_rate, words, voice, language)).encode("utf-8", "surrogatepass"))
        found = anchors(pcm, sample_rate)
        with self._lock:
            self._serial += 1
            self._remove(key.digest())
            entry = _Entry(Clip(pcm, words, voice, language, self._serial), sample_rate, found)
            self._clips[key.digest()] = entry
            self._bytes += entry.size
            places = self._places[sample_rate]
            for place, value in found:
                places.setdefault(value, []).append((entry.clip, place))
            while self._bytes > self._max_bytes and len(self._clips) > 1:
                self._remove(next(iter(self._clips)))

    def _remove(self, key: bytes) -> None:
        entry = self._clips.pop(key, None)
        if entry is None:
            return
        self._bytes -= entry.size
        places = self._places[entry.sample_rate]
        for value in {value for _, value in entry.anchors}:
            left = [found for found in places[value] if found[0] is not entry.clip]
            if left:
                places[value] = left
            else:
                del places[value]

    def find(self, sample_rate: int, value: int) -> list[tuple[Clip, int]]:
        """Return the clips that have an anchor with this hash, and its position, latest first."""
        with self._lock:
            places = self._places.get(sample_rate)
            found = places.get(value, ()) if places else ()
            return list(found[: -_SAME_ANCHOR - 1 : -1])

    def __repr__(self) -> str:
        return summary(self, counted(len(self._clips), "clip"), byte_size(self._bytes))


@dataclass(frozen=True)
class _Entry:
    clip: Clip
    sample_rate: int
    anchors: Sequence[tuple[int, int]]

    @property
    def size(self) -> int:
        return int(self.clip.pcm.nbytes) + len(self.anchors) * _ANCHOR_BYTES


def window_size(sample_rate: int) -> int:
    """Return the number of samples in 4 ms."""
    return sample_rate // 250


def anchors(pcm: Samples, sample_rate: int) -> list[tuple[int, int]]:
    """Return (position, hash) of every anchor, in order."""
    window = window_size(sample_rate)
    return [
        (start + place, value)
        for start in range(0, len(pcm) - window + 1, _BLOCK)
        for place, value in _block_anchors(pcm[start : start + _BLOCK + window - 1], sample_rate)
    ]


def _block_anchors(pcm: Samples, sample_rate: int) -> list[tuple[int, int]]:
    window = window_size(sample_rate)
    if _range(pcm) < _QUIET_RANGE:
        # fast path: streams are full of silence
        return []
    shift = np.uint64(64 - (sample_rate // _DENSITY).bit_length() + 1)
    hashes = _hashes(pcm, window)
    chosen = np.flatnonzero((hashes >> shift) == 0)
    if not len(chosen):
        return []
    loud = _range(np.lib.stride_tricks.sliding_window_view(pcm, window)[chosen]) >= _QUIET_RANGE
    return list(zip(chosen[loud].tolist(), hashes[chosen[loud]].tolist()))


def _range(pcm: Samples) -> Any:
    return pcm.max(axis=-1).astype(np.int32) - pcm.min(axis=-1)


def _hashes(pcm: Samples, window: int) -> _Hashes:
    """Return the polynomial hash modulo 2 ** 64 of the window at every offset.

    With base b the window at offset n has the hash

        sum(x[n + i] * b**i for i in range(window)) = (sums[n + window] - sums[n]) * b**-n

    where `sums` are the running sums of x[i] * b**i, so that all hashes cost one `cumsum`.
    """
    powers, inverses = _powers()
    # shifted away from zero, or every window of silence would hash to 0 and be an anchor
    terms = (pcm.astype(np.int64) + 40503).view(np.uint64) * powers[: len(pcm)]
    sums: _Hashes = np.zeros(len(pcm) + 1, np.uint64)
    np.cumsum(terms, out=sums[1:])
    spread = sums[window:] - sums[:-window]
    return spread * inverses[: len(spread)]


@functools.lru_cache(maxsize=1)
def _powers() -> tuple[_Hashes, _Hashes]:
    # 4 ms are 384 samples at the highest rate of the service, 96 kHz
    length = _BLOCK + 1024
    return _power_series(_BASE, length), _power_series(_INVERSE, length)


def _power_series(base: int, length: int) -> _Hashes:
    series, value = [], 1
    for _ in range(length):
        series.append(value)
        value = value * base % (1 << 64)
    return np.array(series, np.uint64)


def _versions(pcm: Samples, sample_rate: int) -> Iterator[Samples]:
    """Yield the samples as they may arrive: unchanged, and companded by a telephone network."""
    yield pcm
    if sample_rate == _TELEPHONE:
        for table in _telephone_tables():
            yield table[pcm.astype(np.int32) + 32768]


@functools.lru_cache(maxsize=1)
def _telephone_tables() -> tuple[Samples, Samples]:
    """Return each sample, from -32768 up, after mu-law, and after A-law."""
    every = np.arange(-32768, 32768).astype("<i2").tobytes()
    return (
        _samples(g711.decode_mulaw(g711.encode_mulaw(every))),
        _samples(g711.decode_alaw(g711.encode_alaw(every))),
    )


def _samples(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.int16)
