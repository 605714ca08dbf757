"""Random schedules of faults, with a perfect recogniser in virtual time."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from soniox_sync.config.recording import RecordingOptions
from soniox_sync.protocol.states import StateChange
from tests.recorder.world import BYTES_PER_MS, World

# a thousand in the ordinary run; more on demand
SEEDS = int(os.environ.get("SONIOX_SYNC_SCHEDULES", "1000"))
# hours of audio in the ordinary run; ten on demand
HOURS = int(os.environ.get("SONIOX_SYNC_HOURS", "2"))
BLOCKS = 10


def options_for(rng: random.Random) -> RecordingOptions:
    chosen: dict[str, Any] = {
        "auto_reconnect": True,
        "max_reconnect_attempts": 1000,
        "reconnect_base_delay_sec": 0.1,
        "rotate_after_sec": rng.choice([None, 5.0, 12.0]),
        "catch_up_speed": rng.choice([None, 2.0, 4.0]),
    }
    return RecordingOptions(**chosen)


def faults_for(rng: random.Random) -> dict[str, Any]:
    return {
        "drop": rng.choice([0.0, 0.3, 0.8]),
        "refuse": rng.choice([0.0, 0.3]),
        "lag": rng.choice([0.0, 0.05, 1.0]),
        "pace": rng.choice([1.0, 3.0]),
        "pause": rng.choice([0.0, 0.05]),
    }


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_faults_lose_and_repeat_no_word(block: int) -> None:
    """A thousand random schedules of drops, refusals, lags and pauses deliver each word once."""
    for seed in range(block * SEEDS // BLOCKS, (block + 1) * SEEDS // BLOCKS):
        rng = random.Random(seed)
        world = World(seed, options_for(rng), rng.choice([3, 8, 20]), **faults_for(rng))
        try:
            world.run()
            world.check_complete()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("block", range(4))
def test_random_faults_lose_and_repeat_no_translation(block: int) -> None:
    """Despite random faults every original and its translation are delivered once, in order."""
    for seed in range(block * SEEDS // 20, (block + 1) * SEEDS // 20):
        rng = random.Random(seed)
        world = World(
            seed, options_for(rng), rng.choice([5, 20]), translate=True, **faults_for(rng)
        )
        try:
            world.run()
            world.check_complete()
            check_translations(world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def check_translations(world: World) -> None:
    """Check that every word was translated, and once.

    A session that was replaced in the middle of a word translates the part that it received,
    which looks like any other translation: after it some may be repeated, but none may be missing.
    """
    expected = [word.upper() for word in world.words()]
    translated = "".join(world.translations).split()
    if any("~" in word for word in translated):
        assert set(expected) <= set(translated)
    else:
        assert translated == expected


def test_hours_are_complete_in_bounded_memory() -> None:
    """A recording of hours rotates, keeps no more audio than at its start, and is complete."""
    options = RecordingOptions(auto_reconnect=True, rotate_after_sec=HOURS * 27 * 60.0)
    world = World(7, options, HOURS * 3600, every_ms=1000, lag=0.2)
    world.run()
    world.check_complete()
    reasons = [notice.reason for notice in world.notices if isinstance(notice, StateChange)]
    assert reasons.count("rotated") == 2
    assert world.max_held <= 30_000 * BYTES_PER_MS
