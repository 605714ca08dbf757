"""Comparing a stream with an original, block by block, at the offset where they agree best."""

from __future__ import annotations

import enum
import math
from typing import Any, Optional

import numpy as np

from .fingerprints import RATE

__all__ = ["BLOCK", "Aligned", "Verdict", "find_offset", "sharpen"]

BLOCK: int = RATE // 50
"""Samples that are compared at a time: 20 ms."""
# How far the offset that a code gives may be wrong: half the distance of frames, and more where
# neighbouring frames have the same code.
_SLACK = 160
# Correlation between samples may be higher than at the samples, but not by that much: most places
# that have a code in common are dismissed here.
_HARDLY_ALIKE = 0.45
# offsets are found to a quarter of a sample, and between those by a parabola
_FINE = 4
# taps of the filter that shifts by a part of a sample
_TAPS = 16
_KAISER: Any = np.kaiser(_TAPS + 1, 5.0)
# The fundamental of a voice is its strongest part, and alike in all voices: without it the
# correlation says more about what is spoken.
_SHARPNESS = 0.85
# Energy of a block, relative to loud ones, that counts as a pause: codecs leave noise in it.
_PAUSE = 10**-2.4
# Distance of blocks that agree: codecs leave 0.1 of loud blocks, other sounds of the same voice
# differ by 0.8 and more.
_ALIKE = 0.5
# Ratio of the energies of a sound and a pause.
_CLEARLY = 10.0
# The gain is that of the last 20 blocks, 0.4 s.
_MEMORY = 0.95


def sharpen(samples: Any, before: float = 0.0) -> Any:
    """Return the samples (float64) with high frequencies raised; `before` precedes the first."""
    shifted = np.concatenate(([before], samples[:-1]))
    return samples - _SHARPNESS * shifted


def find_offset(heard: Any, original: Any, place: int) -> Optional[tuple[float, float]]:
    """Return where `heard` begins in an original, near `place`, and their correlation there.

    Both are sharpened. The correlation is negative where `heard` is inverted, as by a cable or a
    mixer that swaps the polarity. `None` if they are not alike anywhere.
    """
    first = place - _SLACK
    theirs = _cut(original, first, len(heard) + 2 * _SLACK)
    size = 1 << (len(theirs) + len(heard) - 1).bit_length()
    spectrum = np.fft.rfft(theirs, size) * np.conj(np.fft.rfft(heard, size))
    sums = np.concatenate(([0.0], np.cumsum(theirs**2)))
    energies = sums[len(heard) :] - sums[: -len(heard)]
    # where the original is silent there is nothing to correlate with
    energies = np.maximum(energies, max(1.0, 1e-3 * float(energies.max())))
    energies *= max(float(heard @ heard), 1.0)
    coarse = np.fft.irfft(spectrum, size)[: len(energies)] / np.sqrt(energies)
    sign = 1.0 if coarse.max() >= -coarse.min() else -1.0
    if (sign * coarse).max() < _HARDLY_ALIKE:
        return None
    at = np.arange(len(energies) * _FINE - _FINE + 1) / _FINE
    products = np.fft.irfft(sign * spectrum, size * _FINE)[: len(at)] * _FINE
    scores = products / np.sqrt(np.interp(at, np.arange(len(energies)), energies))
    best = int(scores.argmax())
    return first + (best + _vertex(scores, best)) / _FINE, sign * float(scores[best])


def _cut(samples: Any, start: int, length: int) -> Any:
    """Return a piece, with zeros where there are no samples."""
    piece = np.zeros(length)
    low, high = max(start, 0), min(start + length, len(samples))
    if low < high:
        piece[low - start : high - start] = samples[low:high]
    return piece


def _vertex(scores: Any, best: int) -> float:
    """Return where the parabola through a maximum and its neighbours is highest."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    bend = left - 2 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0


def _shifted(samples: Any, fraction: float) -> Any:
    """Return the values between samples, `fraction` (0 to 1) after each."""
    at: Any = np.arange(_TAPS + 1) - _TAPS // 2
    return np.convolve(samples, np.sinc(at + fraction) * _KAISER, "same")


class Verdict(enum.IntEnum):
    """What the comparison of one block says."""

    AGREES = 0
    QUIET = 1
    """Both pause."""
    DIFFERS = 2
    """Both are loud, but not alike: another sound, or one that a codec has spoilt."""
    CONTRADICTS = 3
    """One of them pauses while the other is loud."""


class Aligned:
    """Original at the offset of a stream, compared block by block. Not thread-safe.

    The blocks are those of the stream that starts where the original does; block `n` has the
    samples from `origin + n * BLOCK`.
    """

    def __init__(self, original: Any, offset: float, origin: int) -> None:
        """Align a sharpened original: its sample `offset` is sample `origin` of the stream.

        Both must have the same polarity.
        """
        whole = math.floor(offset)
        self.origin: int = origin - whole
        """Position of the first sample of the original."""
        self.count: int = -(-len(original) // BLOCK)
        """Number of blocks; the last is filled up with silence."""
        self._pcm = _cut(_shifted(original, offset - whole), 0, self.count * BLOCK)
        self._blocks = self._pcm.reshape(self.count, BLOCK)
        self._energies = (self._blocks**2).sum(axis=1)
        loud = self._energies > _PAUSE * self._energies.max(initial=0.0)
        self.loud: int = int(loud.sum())
        """Number of blocks in which the original does not pause."""
        self._level = float(self._energies[loud].mean()) if self.loud else 0.0
        self.lead: int = BLOCK * int(loud.argmax()) if self.loud else 0
        """Samples before the first sound."""
        # energy of the stream and of what it shares with the original, of the last blocks
        self._shared, self._own = 0.0, 0.0

    def is_quiet(self, number: int) -> bool:
        """Whether the original pauses in a block."""
        return bool(self._energies[number] < _PAUSE * self._level)

    def learn_gain(self, start: int, heard: Any) -> None:
        """Set the gain from samples of the stream that are known to agree."""
        first = start - self.origin
        ours = _cut(self._pcm, first, len(heard))
        self._shared, self._own = float(heard @ ours), float(ours @ ours)

    def compare(self, first: int, heard: Any) -> tuple[list[Verdict], Any]:
        """Compare whole blocks from number `first` on; return the verdicts, and their distances.

        A distance is 0 for equal blocks, up to the gain, and 1 or more for blocks without any
        likeness.
        """
        theirs = heard.reshape(-1, BLOCK)
        ours = self._blocks[first : first + len(theirs)]
        verdicts, distances = [], np.zeros(len(theirs))
        energies = (theirs**2).sum(axis=1)
        shared = (theirs * ours).sum(axis=1)
        own = self._energies[first : first + len(theirs)]
        for at in range(len(theirs)):
            verdict, distances[at] = self._judge(energies[at], shared[at], own[at])
            if verdict is Verdict.AGREES:
                # automatic gain control changes the gain of a stream slowly
                self._shared = _MEMORY * self._shared + float(shared[at])
                self._own = _MEMORY * self._own + float(own[at])
            verdicts.append(verdict)
        return verdicts, distances

    def _judge(self, heard: float, shared: float, own: float) -> tuple[Verdict, float]:
        gain = max(self._shared, 1e-9) / max(self._own, 1e-9)
        own *= gain**2
        loudest = max(heard, own)
        pause = _PAUSE * self._level * gain**2
        if loudest < pause:
            return Verdict.QUIET, 0.0
        distance = max(0.0, heard - 2 * gain * shared + own) / loudest
        if distance < _ALIKE:
            return Verdict.AGREES, distance
        if min(heard, own) < pause and loudest > _CLEARLY * min(heard, own):
            return Verdict.CONTRADICTS, distance
        return Verdict.DIFFERS, distance
