"""A latch is an event that nothing can jam."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from peers import WAIT, Task

from soniox_sync.transport.latch import Latch


def test_a_latch_is_used_like_an_event() -> None:
    """It is unset, is set for everybody and for good, and may be cleared."""
    latch = Latch()
    assert (latch.is_set(), latch.wait(0), latch.wait(0.02)) == (False, False, False)
    waiters = [Task(latch.wait) for _ in range(5)]
    latch.set()
    latch.set()
    assert [waiter.result() for waiter in waiters] == [True] * 5
    assert (latch.is_set(), latch.wait(0), latch.wait()) == (True, True, True)
    latch.clear()
    latch.clear()
    assert (latch.is_set(), latch.wait(0.02)) == (False, False)
    again = Task(latch.wait)
    latch.set()
    assert again.result() is True


def test_racing_threads_all_get_through() -> None:
    """However waits, sets and clears interleave, a last set lets everybody through."""
    for _ in range(200):
        latch, barrier = Latch(), threading.Barrier(6)

        def wait(latch: Latch = latch, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            return latch.wait(WAIT)

        waiters = [Task(wait) for _ in range(5)]
        barrier.wait()
        latch.set()
        latch.clear()
        latch.set()
        assert all(waiter.result() for waiter in waiters)


def test_a_waiter_that_was_taken_away_jams_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter that vanished with the way in closed delays the others a moment, no more."""
    monkeypatch.setattr("soniox_sync.transport.latch._SLICE_SEC", 0.02)
    latch = Latch()
    waiter = Task(latch.wait)
    latch._is_set = True  # set, and the one who was let in never let in the next
    assert waiter.result() is True


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_interrupts_at_any_moment_leave_it_usable() -> None:
    """Signals that raise anywhere inside a wait jam neither `set()` nor other waiters."""

    class Struck(Exception):
        pass

    def strike(*_: object) -> None:
        raise Struck

    before = signal.signal(signal.SIGALRM, strike)
    try:
        until = time.monotonic() + 0.5
        struck = 0
        while time.monotonic() < until:
            latch = Latch()
            other = Task(latch.wait)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00005 + (os.urandom(1)[0] / 256) * 0.0005)
                latch.wait(0.01)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Struck:
                struck += 1
            setter = Task(latch.set)
            setter.result()
            assert other.result() is True
        assert struck > 10
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
