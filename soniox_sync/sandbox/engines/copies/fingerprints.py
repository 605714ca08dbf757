"""Fingerprints of speech that survive resampling, gain and lossy codecs.

The spectrum of two windows, 64 ms apart, is divided into bands. Each bit of a code is the sign of
how the difference between neighbouring bands changed from one window to the other: the scheme of
Haitsma and Kalker, A Highly Robust Audio Fingerprinting System (2002). Gain and a constant filter
cancel out, and noise flips first the bits whose difference is close to zero.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from ..resample import Samples

__all__ = ["FRAME", "HOP", "RATE", "Codes", "fingerprint", "probes"]

RATE = 8000
"""Rate (Hz) of all audio in this module: what every telephone and codec lets pass."""
HOP = 64
"""Samples between the codes of indexed speech; 8 ms is small beside a window of 128 ms."""
_WINDOW = 1024
_LAG = 512
FRAME: int = _WINDOW + _LAG
"""Samples that one code depends on: 192 ms."""
_BITS = 24
_LOWEST_HZ, _HIGHEST_HZ = 250.0, 3000.0
# Energy of each band that is taken for noise, relative to the whole window: -40 dB. Without it the
# bits of empty bands would be random.
_FLOOR = 1e-4
# The least certain bits, which are tried both ways: with 4 of 24 every second code of a copy is
# found after mp3 or opus, every third after the worst resampling; without only every eighth.
_UNCERTAIN = 4
# limits the memory for the spectra of a long recording
_FRAMES_AT_ONCE = 512


class Codes(NamedTuple):
    """Codes of one recording, one entry per frame."""

    values: Any
    """The codes, uint32."""
    margins: Any
    """For each bit how far it is from flipping."""
    energies: Any
    """Mean energy of a sample of the frame."""


def fingerprint(samples: Samples, hop: int = HOP) -> Codes:
    """Return the codes of the frames at every `hop` samples, a divisor of 512.

    `samples` are at 8 kHz. A frame that would reach beyond the end has none.
    """
    bands, energies = _spectra(samples, hop)
    lag = _LAG // hop
    slopes = bands[:, :-1] - bands[:, 1:]
    changes = slopes[lag:] - slopes[:-lag]
    values = (changes > 0) @ (np.uint32(1) << np.arange(_BITS, dtype=np.uint32))
    return Codes(values.astype(np.uint32), np.abs(changes), energies[lag:] + energies[:-lag])


def probes(codes: Codes) -> Any:
    """Return for each code itself and its variants, with its least certain bits either way."""
    weakest = np.argpartition(codes.margins, _UNCERTAIN, axis=1)[:, :_UNCERTAIN]
    bits = np.uint32(1) << weakest.astype(np.uint32)
    choices = np.arange(1 << _UNCERTAIN)[:, None] >> np.arange(_UNCERTAIN) & 1
    flips = bits.astype(np.uint32) @ choices.T.astype(np.uint32)
    return codes.values[:, None] ^ flips


def _spectra(samples: Samples, hop: int) -> tuple[Any, Any]:
    """Return the logarithm of each band's energy, and the mean energy of each window."""
    count = (len(samples) - _WINDOW) // hop + 1
    if count < 1:
        return np.zeros((0, _BITS + 1)), np.zeros(0)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::hop]
    parts = [
        np.abs(np.fft.rfft(windows[at : at + _FRAMES_AT_ONCE] * _hann())) ** 2
        for at in range(0, count, _FRAMES_AT_ONCE)
    ]
    power = np.concatenate(parts)
    sums = np.zeros((count, power.shape[1] + 1))
    np.cumsum(power, axis=1, out=sums[:, 1:])
    edges = _edges()
    total = sums[:, -1]
    bands = sums[:, edges[1:]] - sums[:, edges[:-1]] + _FLOOR * total[:, None] + 1e-9
    return np.log(bands), total / _WINDOW**2


@functools.lru_cache(maxsize=1)
def _hann() -> Any:
    return np.hanning(_WINDOW)


@functools.lru_cache(maxsize=1)
def _edges() -> Any:
    hertz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BITS + 2)
    return np.rint(hertz * _WINDOW / RATE).astype(int)
