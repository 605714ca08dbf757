"""Change the sampling rate of 16-bit speech, the same way however the stream was cut."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

__all__ = ["Resampler", "Samples", "resample"]

# Arrays of int16 and of float64. Type checkers see `Any`: numpy's stubs ask for a newer Python
# than the oldest we support.
Samples = Any
_Floats = Any

# Zero crossings on each side of the filter: with the window below some 70 dB of rejection, far
# more than speech of 16 bits from espeak-ng or a telephone needs.
_ZEROS = 16
_KAISER_BETA = 7.0
# The pass band ends a little below the lower Nyquist frequency, where the filter is already steep.
_PASS = 0.94


class Resampler:
    """Convert a stream from one rate to another. Not thread-safe.

    Output sample `n` depends on input samples alone, never on how they were cut: every tap is
    added element by element, so that no library's choice of summation order shows in the result.
    The stream is taken to be silent before its beginning and, at `flush`, after its end.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        step = math.gcd(from_rate, to_rate)
        self._up, self._down = to_rate // step, from_rate // step
        self._taps = _filter(self._up, self._down)
        self._reach = self._taps.shape[1] // 2
        self._made = 0
        self._taken = 0
        # stream position of _held[0]; the silence before the stream is held from the beginning
        self._start = -self._reach
        self._held: _Floats = np.zeros(self._reach)

    def feed(self, samples: Samples) -> Samples:
        """Take samples and return those that became computable."""
        if self._up == self._down:
            return samples
        self._taken += len(samples)
        self._held = np.concatenate((self._held, samples.astype(np.float64)))
        return self._make(self._computable())

    def flush(self) -> Samples:
        """Return the rest, so that output and input last equally long; ends the stream."""
        if self._up == self._down:
            return np.zeros(0, np.int16)
        self._held = np.concatenate((self._held, np.zeros(self._reach + 1)))
        return self._make(-(-self._taken * self._up // self._down))

    def _computable(self) -> int:
        newest = self._start + len(self._held) - 1 - self._reach
        return 0 if newest < 0 else newest * self._up // self._down + 1

    def _make(self, until: int) -> Samples:
        if until <= self._made:
            return np.zeros(0, np.int16)
        places: Any = np.arange(self._made, until, dtype=np.int64) * self._down
        base = places // self._up - self._start - self._reach + 1
        phase: Any = places % self._up
        out = np.zeros(len(places))
        for tap in range(self._taps.shape[1]):
            out += self._held[base + tap] * self._taps[phase, tap]
        self._made = until
        self._forget()
        return np.clip(np.rint(out), -32768, 32767).astype(np.int16)

    def _forget(self) -> None:
        needed = self._made * self._down // self._up - self._reach + 1
        drop = needed - self._start
        if drop > 0:
            self._held = self._held[drop:]
            self._start += drop


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Convert a whole recording."""
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
    # every phase passes a constant unchanged: no hum at the rate of the phases
    return taps / taps.sum(axis=1, keepdims=True)
