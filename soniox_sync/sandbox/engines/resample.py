"""Resampling of 16-bit speech, with a result that does not depend on how the stream was cut."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

__all__ = ["Resampler", "Samples", "resample"]

# Arrays of int16 and of float64. Type checkers see `Any`: numpy's stubs require a newer Python than
# the oldest we support.
Samples = Any
_Floats = Any

# Zero crossings on each side of the filter: with the window below the rejection is about 70 dB, far
# more than 16-bit speech from espeak-ng or a telephone needs.
_ZEROS = 16
_KAISER_BETA = 7.0
# The cutoff is slightly below the lower Nyquist frequency, to leave room for the filter's slope.
_PASS = 0.94


class Resampler:
    """Converts a stream from one rate to another. Not thread-safe.

    Output sample `n` depends only on input samples, never on how they were cut: every tap is added
    element by element, so that the summation order of a library has no effect. The stream counts as
    silent before its start and, at `flush`, after its end.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        step = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // step, from_rate // step
        self._taps = _filter(self._up, self._down)
        self._reach = self._taps.shape[1] // 2
        self._made = 0  # output samples
        self._taken = 0  # input samples
        # input samples that are still needed, from position _start of the stream on; at first the
        # silence before it
        self._start = -self._reach
        self._held: _Floats = np.zeros(self._reach)

    def feed(self, samples: Samples) -> Samples:
        """Add samples; return the output samples that do not depend on later input."""
        if self._up == self._down:
            return samples
        self._taken += len(samples)
        self._held = np.concatenate((self._held, samples.astype(np.float64)))
        newest = self._start + len(self._held) - 1 - self._reach
        return self._make(0 if newest < 0 else newest * self._up // self._down + 1)

    def flush(self) -> Samples:
        """Return the rest, so that output and input have the same duration; the stream ends."""
        if self._up == self._down:
            return np.zeros(0, np.int16)
        self._held = np.concatenate((self._held, np.zeros(self._reach + 1)))
        return self._make(-(-self._taken * self._up // self._down))

    def _make(self, until: int) -> Samples:
        """Return the output samples up to number `until`."""
        if until <= self._made:
            return np.zeros(0, np.int16)
        places: Any = np.arange(self._made, until, dtype=np.int64) * self._down
        base = places // self._up - self._start - self._reach + 1
        phase: Any = places % self._up
        out = np.zeros(len(places))
        for tap in range(self._taps.shape[1]):
            out += self._held[base + tap] * self._taps[phase, tap]
        self._made = until
        self._drop_used()
        return np.clip(np.rint(out), -32768, 32767).astype(np.int16)

    def _drop_used(self) -> None:
        needed = self._made * self._down // self._up - self._reach + 1
        drop = needed - self._start
        if drop > 0:
            self._held = self._held[drop:]
            self._start += drop


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Convert a whole recording; rates in Hz."""
    resampler = Resampler(from_rate, to_rate)
    return np.concatenate((resampler.feed(samples), resampler.flush()))


@functools.lru_cache(maxsize=32)
def _filter(up: int, down: int) -> _Floats:
    """Return the filter's taps, one row for each of the `up` phases between two input samples."""
    cutoff = _PASS * min(1.0, up / down)
    reach = math.ceil(_ZEROS / cutoff)
    phases = np.arange(up, dtype=np.float64)[:, None] / up
    distance = np.arange(-reach + 1, reach + 1, dtype=np.float64)[None, :] - phases
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (distance / reach) ** 2, 0, None)))
    taps = np.sinc(distance * cutoff) * window
    # every phase passes a constant unchanged, so that there is no hum at the rate of the phases
    return taps / taps.sum(axis=1, keepdims=True)
