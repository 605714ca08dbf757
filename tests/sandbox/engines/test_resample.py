"""Resampling is exact, and independent of how a stream is split."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines.resample import Resampler, resample

RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)


@pytest.mark.parametrize("to_rate", RATES)
@pytest.mark.parametrize("from_rate", [22050, 48000, 8000])
def test_a_tone_keeps_pitch_level_and_length(from_rate: int, to_rate: int) -> None:
    """A resampled 1 kHz tone is the same tone, with errors 60 dB below it."""
    seconds = 0.5
    made = resample(_tone(from_rate, seconds), from_rate, to_rate)
    assert len(made) == -(-int(from_rate * seconds) * to_rate // from_rate)
    wanted = _tone(to_rate, seconds)[: len(made)]
    middle = slice(to_rate // 20, len(wanted) - to_rate // 20)
    error = made[middle].astype(float) - wanted[middle]
    assert np.sqrt(np.mean(error**2)) < 10000 / np.sqrt(2) / 1000


def test_chunks_have_the_same_samples_as_the_whole() -> None:
    """However a stream is split, every output sample is the same."""
    rng = random.Random(7)
    noise = np.random.default_rng(7).integers(-32768, 32768, 5000).astype(np.int16)
    for rate in RATES:
        resampler = Resampler(22050, rate)
        made, at = [], 0
        while at < len(noise):
            size = rng.choice((1, 2, 30, 700))
            made.append(resampler.feed(noise[at : at + size]))
            at += size
        made.append(resampler.flush())
        assert np.array_equal(np.concatenate(made), resample(noise, 22050, rate))


def test_frequencies_above_the_lower_rate_are_removed() -> None:
    """A tone above half the new rate does not turn into another tone."""
    made = resample(_tone(48000, 0.5, hertz=7000), 48000, 8000)
    assert np.abs(made[400:-400]).max() < 30


def _tone(rate: int, seconds: float, hertz: float = 1000.0) -> np.ndarray:
    times = np.arange(int(rate * seconds)) / rate
    return np.rint(10000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)
