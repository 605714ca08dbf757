"""The timers of a sandbox outlive whatever time they are given."""

from __future__ import annotations

import math
import threading

import pytest

from soniox_sync.sandbox.clock import Clock


@pytest.mark.parametrize("sec", [1e10, 1e30, math.inf, math.nan])
def test_a_timer_of_any_length_leaves_the_others_alone(sec: float) -> None:
    """A timer beyond what `threading` can wait for does not end the thread of all timers."""
    clock = Clock()
    waited = threading.Event()
    try:
        first = threading.Event()
        clock.after(sec, bool)
        threads = [each for each in threading.enumerate() if each.name == "soniox-sandbox-clock"]
        clock.after(0.05, first.set)
        assert first.wait(5)
        clock.after(0.05, waited.set)
        assert waited.wait(5)
        assert all(each.is_alive() for each in threads)
    finally:
        clock.close()
