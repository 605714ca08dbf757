"""The clock thread lives as long as there are timers, and runs them in order."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from soniox_sync.runtime.clock import Clock, IdleTimer
from tests.waiting import WAIT, ManualClock, eventually


@pytest.fixture
def clock() -> Iterator[Clock]:
    yield Clock()


def clock_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "soniox-clock"]


def test_clock_sleeps_without_timers(clock: Clock) -> None:
    """The first timer starts the thread, the end of the last timer ends it."""
    assert clock_threads() == []
    timer = clock.call_later(3600, lambda: None)
    (thread,) = clock_threads()
    assert thread.daemon
    timer.cancel()
    thread.join(WAIT)
    assert not thread.is_alive()


def test_clock_ends_after_the_last_call(clock: Clock) -> None:
    """When its last timer has run the thread ends, and a later timer starts a new one."""
    for _ in range(3):
        ran = threading.Event()
        clock.call_later(0, ran.set)
        assert ran.wait(WAIT)
        eventually(lambda: clock_threads() == [], "the end of the clock thread")


def test_clock_calls_in_order(clock: Clock) -> None:
    """Timers run in the order of their times; equal times run in the order they were made."""
    order: list[str] = []
    done, started, go = threading.Event(), threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        go.wait(WAIT)

    clock.call_later(0, block)
    assert started.wait(WAIT)
    now = clock.now()
    clock.call_at(now - 1, lambda: order.append("c"))
    clock.call_at(now - 3, lambda: order.append("a"))
    clock.call_at(now - 2, lambda: order.append("b1"))
    clock.call_at(now - 2, lambda: order.append("b2"))
    clock.call_at(now, done.set)
    go.set()
    assert done.wait(WAIT)
    assert order == ["a", "b1", "b2", "c"]


def test_an_earlier_timer_runs_first(clock: Clock) -> None:
    """A new timer that is due before the next one is not delayed by it."""
    late = clock.call_later(3600, lambda: None)
    ran = threading.Event()
    clock.call_later(0.01, ran.set)
    assert ran.wait(WAIT)
    late.cancel()


def test_cancelled_timer_does_not_run(clock: Clock) -> None:
    """A cancelled timer does not run; cancelling twice or after the call is legal."""
    calls: list[str] = []
    done, started, go = threading.Event(), threading.Event(), threading.Event()
    first = clock.call_later(0, lambda: (started.set(), go.wait(WAIT)))
    assert started.wait(WAIT)
    cancelled = clock.call_later(0, lambda: calls.append("cancelled"))
    clock.call_later(0, done.set)
    cancelled.cancel()
    cancelled.cancel()
    go.set()
    assert done.wait(WAIT)
    first.cancel()
    cancelled.cancel()
    assert calls == []


def test_timer_may_cancel_and_schedule(clock: Clock) -> None:
    """A callback may cancel other timers and make new ones."""
    done = threading.Event()
    far = clock.call_later(3600, lambda: None)

    def callback() -> None:
        far.cancel()
        clock.call_later(0, done.set)

    clock.call_later(0, callback)
    assert done.wait(WAIT)
    eventually(lambda: clock_threads() == [], "the end of the clock thread")


def test_failing_timer_is_logged_and_stops_no_other(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a callback is logged and stops no other timer."""
    done = threading.Event()

    def fail() -> None:
        raise ValueError("a timer of the test")

    with caplog.at_level(logging.ERROR, "soniox_sync"):
        clock.call_later(0, fail)
        clock.call_later(0.01, done.set)
        assert done.wait(WAIT)
    assert "a timer of the test" in caplog.text


def test_clock_survives_timers_too_far_to_wait_for(clock: Clock) -> None:
    """A timer further ahead than the platform can wait does not break the clock."""
    far = [clock.call_later(seconds, lambda: None) for seconds in (1e12, float("inf"))]
    ran = threading.Event()
    clock.call_later(0.02, ran.set)
    assert ran.wait(WAIT)
    assert len(clock_threads()) == 1
    for timer in far:
        timer.cancel()


def test_clock_recovers_when_no_thread_can_start(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no thread can be started the caller gets the error, and the clock works later."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            clock.call_later(0, lambda: None)
    ran = threading.Event()
    clock.call_later(0, ran.set)
    assert ran.wait(WAIT)


def test_clock_serves_many_threads(clock: Clock) -> None:
    """Of timers made and cancelled by many threads at once, exactly those not cancelled run."""
    ran: list[int] = []
    silent: list[Any] = []

    def work(base: int) -> None:
        for number in range(base, base + 100):
            timer = clock.call_later(0.001 * (number % 7), lambda n=number: ran.append(n))
            if number % 3 == 0:
                far = clock.call_later(3600, lambda: silent.append(1))
                far.cancel()
            del timer

    threads = [threading.Thread(target=work, args=(base,)) for base in range(0, 800, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    eventually(lambda: len(ran) == 800, "all timers")
    assert sorted(ran) == list(range(800))
    assert silent == []
    eventually(lambda: clock_threads() == [], "the end of the clock thread")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_clock_starts_over_after_fork() -> None:
    """A forked child has a working clock; inherited timers never run there."""
    script = textwrap.dedent(
        """
        import os, threading, warnings
        warnings.simplefilter("ignore")
        from soniox_sync.runtime.clock import process_clock as clock

        calls = []
        inherited = [clock.call_later(3600, lambda: None) for _ in range(3)]
        soon = clock.call_later(0.2, lambda: calls.append("inherited"))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for timer in inherited:
                    timer.cancel()
                    timer.cancel()
                ran = threading.Event()
                far = clock.call_later(3600, lambda: None)
                clock.call_later(0.4, ran.set)
                assert ran.wait(10), "a timer of the child did not run"
                assert calls == [], calls
                far.cancel()
                for thread in threading.enumerate():
                    if thread.name == "soniox-clock":
                        thread.join(10)
                again = threading.Event()
                clock.call_later(0, again.set)
                assert again.wait(10), "a later timer of the child did not run"
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        ran = threading.Event()
        clock.call_later(0.3, ran.set)
        assert ran.wait(10)
        assert calls == ["inherited"]
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


# -- idle timers ----------------------------------------------------------------------------------


def test_idle_timer_acts_only_when_nothing_happened() -> None:
    """The interval counts from the last activity, and repeats while nothing happens."""
    clock, last, acted = ManualClock(0), [0.0], []
    timer = IdleTimer(clock, 5.0, lambda: last[0], lambda: acted.append(clock.now()))
    timer.start()
    clock.advance(4)
    last[0] = 4.0
    clock.advance(4.9)
    assert acted == []
    clock.advance(0.1)
    assert acted == [9.0]
    clock.advance(10)
    assert acted == [9.0, 14.0, 19.0]
    last[0] = 19.0
    clock.advance(4)
    timer.cancel()
    timer.cancel()
    clock.advance(100)
    assert acted == [9.0, 14.0, 19.0]
    assert clock.pending == 0


def test_idle_timer_may_be_cancelled_by_its_action() -> None:
    """An action may cancel its own timer."""
    clock, acted = ManualClock(0), []
    timers: list[IdleTimer] = []

    def act() -> None:
        acted.append(1)
        timers[0].cancel()

    timers.append(IdleTimer(clock, 1.0, lambda: 0.0, act))
    timers[0].start()
    clock.advance(100)
    assert acted == [1]
    assert clock.pending == 0


def test_an_earlier_timer_wakes_a_clock_that_waits(clock: Clock) -> None:
    """Also one that waits for a later timer already."""
    late = clock.call_later(3600, lambda: None)
    waiting: Any = clock._guard[1]
    eventually(lambda: waiting._waiters, "the wait of the clock's thread")
    ran = threading.Event()
    clock.call_later(0.01, ran.set)
    assert ran.wait(WAIT)
    late.cancel()


@pytest.mark.parametrize("live", [1, 500])
def test_cancelled_timers_do_not_pile_up(live: int) -> None:
    """A process that opens and closes sessions for hours keeps no more than it uses."""
    clock = Clock()
    ran = threading.Event()
    kept = [clock.call_later(3600.0, lambda: None) for _ in range(live)]
    for _ in range(10_000):
        clock.call_later(7200.0, lambda: None).cancel()
    assert live <= len(clock._heap) <= 2 * live + 65
    clock.call_later(0.0, ran.set)
    assert ran.wait(WAIT)
    for timer in kept:
        timer.cancel()


def test_timers_run_in_order_after_others_were_removed() -> None:
    """The heap is one again once it was compacted."""
    clock, ran, over = Clock(), [], threading.Event()
    begin = clock.now() + 0.2
    for number in (3, 1, 2, 0):
        clock.call_at(begin + number / 1000, lambda number=number: ran.append(number))
    for number in range(500):
        clock.call_later(3600.0 - number, lambda: None).cancel()
    clock.call_at(begin + 0.01, over.set)
    assert over.wait(WAIT)
    assert ran == [0, 1, 2, 3]


def test_a_clock_has_no_other_attributes() -> None:
    """What is made when it is first used is its guard alone: a wrong name is an error."""
    assert not hasattr(Clock(), "unknown")
