"""Comparing a stream with an original: where it is, and what each block says, by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("numpy")

import numpy as np

from soniox_sync.sandbox.engines.copies.alignment import BLOCK, Aligned, Verdict, find_offset
from soniox_sync.sandbox.engines.copies.candidate import Candidate
from soniox_sync.sandbox.engines.speech_index import Clip

AGREES, QUIET, DIFFERS, CONTRADICTS = Verdict


def noise(seed: int, blocks: int) -> Any:
    """Return sound without silence."""
    return np.random.default_rng(seed).normal(0, 1000, blocks * BLOCK)


def later(samples: Any, by: float) -> Any:
    """Move samples by a part of a sample, as a resampler does."""
    spectrum = np.fft.rfft(samples)
    turns = np.exp(-2j * np.pi * np.arange(len(spectrum)) * by / len(samples))
    # without what a resampler cannot keep
    turns[int(0.9 * len(turns)) :] = 0
    return np.fft.irfft(spectrum * turns, len(samples))


@pytest.mark.parametrize("by", [0.0, 0.25, 0.37, 0.9])
@pytest.mark.parametrize("error", [-150, -3, 0, 100])
def test_the_offset_is_found_between_samples(by: float, error: int) -> None:
    """It is found to a twentieth of a sample, also when the code was 18 ms off."""
    original = noise(1, 50)
    heard = 0.3 * later(original, by)[3000:4536]
    found = find_offset(heard, original, 3000 + error)
    assert found is not None
    assert abs(found[0] - (3000 - by)) < 0.05
    assert found[1] > 0.9


def test_inverted_sound_has_a_negative_correlation() -> None:
    """It is found where it is, as exactly; the sign says that the polarity is the other."""
    original = noise(1, 50)
    found = find_offset(-0.3 * later(original, 0.37)[3000:4536], original, 2950)
    assert found is not None
    assert abs(found[0] - (3000 - 0.37)) < 0.05
    assert found[1] < -0.9


def test_other_sound_has_no_offset() -> None:
    """What is not alike anywhere, or silent in the original, is not found."""
    assert find_offset(noise(2, 10), noise(1, 50), 3000) is None
    assert find_offset(noise(2, 10), np.zeros(8000), 3000) is None
    assert find_offset(np.zeros(1536), noise(1, 50), 3000) is None


def test_what_blocks_say() -> None:
    """A block agrees, pauses, differs or contradicts; the gain of the stream does not count."""
    original = noise(1, 30)
    original[20 * BLOCK :] = 0
    aligned = Aligned(original, 0.0, 0)
    heard = 0.25 * original
    heard[10 * BLOCK : 11 * BLOCK] = 0.25 * noise(2, 1)
    heard[11 * BLOCK : 12 * BLOCK] = 0
    heard[25 * BLOCK : 26 * BLOCK] = 0.25 * noise(3, 1)
    aligned.learn_gain(0, heard[: 5 * BLOCK])
    verdicts, distances = aligned.compare(0, heard)
    assert verdicts == [
        *[AGREES] * 10, DIFFERS, CONTRADICTS, *[AGREES] * 8, *[QUIET] * 5, CONTRADICTS, *[QUIET] * 4
    ]  # fmt: skip
    assert max(distances[:10]) < 0.01
    assert distances[10] > 0.5 and distances[11] > 0.5


def test_a_gain_that_changes_slowly_is_followed() -> None:
    """A volume that falls to a tenth within two seconds is no difference."""
    original = noise(1, 100)
    heard = original * np.geomspace(1.0, 0.1, len(original))
    aligned = Aligned(original, 0.0, 0)
    aligned.learn_gain(0, heard[: 5 * BLOCK])
    assert set(aligned.compare(0, heard)[0]) == {AGREES}


def test_the_last_block_is_filled_up() -> None:
    """An original that does not end with a block has a last one with silence."""
    aligned = Aligned(noise(1, 10)[: 9 * BLOCK + 10], 0.0, 500)
    assert (aligned.count, aligned.origin, aligned.loud) == (10, 500, 10)


# -- candidates


def candidate(
    verdicts: list[Verdict],
    *,
    loud: int = 100,
    count: int = 200,
    distance: float = 0.0,
    serial: int = 1,
    first: int = 0,
    origin: int = 0,
) -> Candidate:
    """Return a candidate after these verdicts."""
    aligned: Any = SimpleNamespace(loud=loud, count=count, origin=origin, lead=0)
    original: Any = SimpleNamespace(pcm=range(count * BLOCK - 30), serial=serial)
    clip = Clip(None, (), "Adrian", "en", serial)
    made = Candidate(original, aligned, clip, 0)
    made.first = made.next = made.behind = first
    for verdict in verdicts:
        made.note(verdict, distance)
    return made


@pytest.mark.parametrize(
    ("verdicts", "is_over"),
    [
        ([CONTRADICTS] * 2, False),
        ([CONTRADICTS] * 3, True),
        ([CONTRADICTS, CONTRADICTS, QUIET, CONTRADICTS], False),
        ([CONTRADICTS, CONTRADICTS, DIFFERS, CONTRADICTS], False),
        ([DIFFERS] * 9, False),
        ([DIFFERS] * 10, True),
        ([DIFFERS] * 9 + [QUIET, DIFFERS], True),
        ([DIFFERS] * 9 + [AGREES, DIFFERS], False),
    ],
)
def test_when_a_match_is_over(verdicts: list[Verdict], is_over: bool) -> None:
    """Three contradictions in a row end it, or ten blocks without one that agrees."""
    made = candidate([AGREES] * 20 + verdicts)
    assert made.is_over == is_over
    if AGREES not in verdicts:
        assert made.end == 20 * BLOCK


@pytest.mark.parametrize(
    ("loud", "agreed", "is_believed"),
    [
        (100, 14, False),
        (100, 15, True),
        (20, 11, False),
        (20, 12, True),
        (3, 4, False),
        (3, 5, True),
    ],
)
def test_when_a_match_is_believed(loud: int, agreed: int, is_believed: bool) -> None:
    """After 0.3 s of sound, or 60 % of a shorter clip, but 0.1 s at least; pauses do not count."""
    assert candidate([QUIET] * 30 + [AGREES] * agreed, loud=loud).is_believed == is_believed


def test_where_a_match_ends() -> None:
    """A pause belongs to it; at the end of the clip all of it does, also a spoilt last sound."""
    assert candidate([AGREES] * 5 + [QUIET] * 3).end == 8 * BLOCK
    assert candidate([AGREES] * 5 + [QUIET] * 3).sound_end == 5 * BLOCK
    assert candidate([AGREES] * 5 + [DIFFERS, QUIET]).end == 5 * BLOCK
    assert candidate([AGREES] * 5 + [DIFFERS], count=6).end == 6 * BLOCK - 30
    assert candidate([AGREES] * 5 + [CONTRADICTS] * 3, count=8).end == 5 * BLOCK


def test_the_order_of_candidates() -> None:
    """The best agrees now, is closest, begins first, at its clip's start, and is the newest."""
    good = [AGREES] * 20
    ordered = [
        candidate(good, distance=0.04, serial=2),
        candidate(good, distance=0.01, serial=1),
        candidate(good, serial=9, first=3, origin=-3 * BLOCK),
        candidate(good, serial=9, origin=BLOCK),
        candidate(good, distance=0.3, serial=9),
        candidate([*good, DIFFERS], serial=9),
    ]
    mixed = [ordered[at] for at in (3, 0, 5, 2, 4, 1)]
    assert sorted(mixed, key=lambda each: each.rank) == ordered
