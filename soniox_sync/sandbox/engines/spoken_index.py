"""Remember speech that was spoken here, so that it can be found again by its samples.

A window of 4 ms is an *anchor* when the upper bits of its hash are zero. That depends on the
samples of the window alone: whatever a listener is fed, it picks the same windows in it that the
index picked when the speech was made, at any offset and without trying one against another.
"""

from __future__ import annotations

import collections
import functools
import hashlib
import threading
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from .. import g711
from .resample import Samples

__all__ = ["Clip", "SpokenIndex", "anchors", "window_size"]

# Anchors per second of speech, at least: a gap of 100 ms between two has a chance of 1 in 250,000.
_DENSITY = 125
# A window that moves less than this is silence; it could be anybody's.
_QUIET_RANGE = 128
# Odd, so that it has an inverse modulo 2 ** 64; its bits are those of the golden ratio.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_BLOCK = 1 << 14
# Speech that begins alike shares its first anchors; the newest are worth trying.
_SAME_ANCHOR = 128
# What Python needs to remember one anchor, measured with 3.11.
_ANCHOR_BYTES = 250
# The rate of telephones, where speech travels companded.
_TELEPHONE = 8000


@dataclass(frozen=True, eq=False)
class Clip:
    """Hold one piece of speech with its words. Immutable."""

    pcm: Samples
    words: Tuple[Tuple[str, int, int], ...]
    """Text, first sample, sample behind the last."""
    voice: str
    language: str
    serial: int
    """Greater for what was spoken later."""


# Arrays of uint64; see `Samples`.
_Hashes = Any

_Places = Dict[int, List[Tuple[Clip, int]]]


class SpokenIndex:
    """Find speech by its anchors. Thread-safe; forgets the speech longest unspoken.

    `max_bytes` bounds samples and anchors together: 128 MiB hold some 20 minutes at 24 kHz.
    """

    def __init__(self, max_bytes: int = 128 << 20) -> None:
        self._max_bytes = max_bytes
        # Guards all below. Leaf; held for one addition or look-up.
        self._lock = threading.Lock()
        self._clips: collections.OrderedDict[bytes, _Entry] = collections.OrderedDict()
        self._places: Dict[int, _Places] = collections.defaultdict(dict)
        self._bytes = 0
        self._serial = 0

    def add(
        self,
        pcm: Samples,
        sample_rate: int,
        words: Sequence[Tuple[str, int, int]],
        *,
        voice: str,
        language: str,
    ) -> None:
        """Learn speech; the same speech again only counts as spoken more recently.

        At 8000 Hz it is also learnt as it sounds after mu-law and A-law.
        """
        spans = tuple((text, start, max(end, start + 1)) for text, start, end in words)
        for version in _versions(pcm, sample_rate):
            self._add(version, sample_rate, spans, voice, language)

    def _add(
        self,
        pcm: Samples,
        sample_rate: int,
        words: Tuple[Tuple[str, int, int], ...],
        voice: str,
        language: str,
    ) -> None:
        key = hashlib.blake2b(pcm.tobytes(), digest_size=16)
        key.update(repr((sample_rate, words, voice, language)).encode("utf-8", "surrogatepass"))
        marks = anchors(pcm, sample_rate)
        with self._lock:
            self._serial += 1
            self._remove(key.digest())
            entry = _Entry(Clip(pcm, words, voice, language, self._serial), sample_rate, marks)
            self._clips[key.digest()] = entry
            self._bytes += entry.size
            places = self._places[sample_rate]
            for place, value in marks:
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

    def find(self, sample_rate: int, value: int) -> List[Tuple[Clip, int]]:
        """Return the clips that have an anchor of this hash, with its place, newest first."""
        with self._lock:
            places = self._places.get(sample_rate)
            found = places.get(value, ()) if places else ()
            return list(found[: -_SAME_ANCHOR - 1 : -1])

    def __repr__(self) -> str:
        with self._lock:
            return f"<SpokenIndex {len(self._clips)} clips {self._bytes >> 10} KiB>"


@dataclass(frozen=True)
class _Entry:
    clip: Clip
    sample_rate: int
    anchors: Sequence[Tuple[int, int]]

    @property
    def size(self) -> int:
        return int(self.clip.pcm.nbytes) + len(self.anchors) * _ANCHOR_BYTES


def window_size(sample_rate: int) -> int:
    """Return the samples in 4 ms."""
    return sample_rate // 250


def anchors(pcm: Samples, sample_rate: int) -> List[Tuple[int, int]]:
    """Return (place, hash) of every anchor, in order."""
    window = window_size(sample_rate)
    return [
        (start + place, value)
        for start in range(0, len(pcm) - window + 1, _BLOCK)
        for place, value in _block_anchors(pcm[start : start + _BLOCK + window - 1], sample_rate)
    ]


def _block_anchors(pcm: Samples, sample_rate: int) -> List[Tuple[int, int]]:
    window = window_size(sample_rate)
    if _range(pcm) < _QUIET_RANGE:
        # the cheap way through silence, of which streams are full
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
    """Return the polynomial hash modulo 2 ** 64 of the window at every offset."""
    powers, inverses = _powers()
    # moved off zero, or every window of silence would hash to 0 and be an anchor
    terms = (pcm.astype(np.int64) + 40503).view(np.uint64) * powers[: len(pcm)]
    sums: _Hashes = np.zeros(len(pcm) + 1, np.uint64)
    np.cumsum(terms, out=sums[1:])
    # the factor makes the hash independent of where in the block its window stands
    spread = sums[window:] - sums[:-window]
    return spread * inverses[: len(spread)]


@functools.lru_cache(maxsize=1)
def _powers() -> Tuple[_Hashes, _Hashes]:
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
    yield pcm
    if sample_rate == _TELEPHONE:
        for table in _telephone_tables():
            yield table[pcm.astype(np.int32) + 32768]


@functools.lru_cache(maxsize=1)
def _telephone_tables() -> Tuple[Samples, Samples]:
    """Return what becomes of each sample, from -32768 up, through mu-law and through A-law."""
    every = np.arange(-32768, 32768).astype("<i2").tobytes()
    return (
        _samples(g711.decode_mulaw(g711.encode_mulaw(every))),
        _samples(g711.decode_alaw(g711.encode_alaw(every))),
    )


def _samples(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.int16)
