"""A latch works like an event, and an interrupted waiter cannot block it."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from soniox_sync.transport.latch import Latch
from tests.waiting import WAIT, Task


def test_a_latch_is_used_like_an_event() -> None:
    """It starts unset, stays set for all waiters until cleared, and can be set again."""
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
    """However waits, sets and clears interleave, a last `set()` releases every waiter."""
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


def test_an_interrupted_waiter_blocks_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter interrupted with the gate closed delays the others by at most one slice."""
    monkeypatch.setattr("soniox_sync.transport.latch._SLICE_SEC", 0.02)
    latch = Latch()
    waiter = Task(latch.wait)
    latch._is_set = True  # set, and a released waiter did not open the gate for the next one
    assert waiter.result() is True


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timers")
def test_interrupts_at_any_point_leave_it_usable() -> None:
    """Signals that raise anywhere inside a wait block neither `set()` nor other waiters."""

    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        until = time.monotonic() + 0.5
        struck = 0
        while time.monotonic() < until or struck <= 10:  # on a loaded machine few strike in time
            latch = Latch()
            other = Task(latch.wait)
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00005 + (os.urandom(1)[0] / 256) * 0.0005)
                latch.wait(0.01)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                struck += 1
            setter = Task(latch.set)
            setter.result()
            assert other.result() is True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
