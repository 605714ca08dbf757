"""A deadline is one moment, asked at each wait."""

from __future__ import annotations

import _thread
import queue
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Optional

import pytest
from peers import ManualClock, Task

from soniox_sync.transport import deadline as module
from soniox_sync.transport.deadline import (
    Deadline,
    acquire,
    join_thread,
    slice_sec,
    take_from,
    wait_for,
)


@pytest.fixture(params=["blocking", "sliced"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test both as in the main thread, which waits in slices, and as elsewhere."""
    monkeypatch.setattr(module, "slice_sec", lambda: 0.01 if request.param == "sliced" else None)


def test_deadline_counts_down_once() -> None:
    """The seconds left shrink with time, never below zero."""
    clock = ManualClock()
    deadline = Deadline(5.0, clock.now)
    assert (deadline.remaining(), deadline.passed) == (5.0, False)
    clock.advance(3)
    assert (deadline.remaining(), deadline.at_most(10), deadline.at_most(1)) == (2.0, 2.0, 1)
    clock.advance(3)
    assert (deadline.remaining(), deadline.at_most(10), deadline.passed) == (0.0, 0.0, True)


def test_no_deadline_never_passes() -> None:
    """`None` waits for ever."""
    deadline = Deadline(None)
    assert (deadline.remaining(), deadline.passed, deadline.at_most(3)) == (None, False, 3)


@pytest.mark.parametrize("seconds", [0, -1, 0.0])
def test_zero_has_passed_already(seconds: float) -> None:
    """Nothing left and less than nothing are the same: the past."""
    deadline = Deadline(seconds, ManualClock().now)
    assert (deadline.remaining(), deadline.passed) == (0.0, True)


@pytest.mark.parametrize("seconds", [1e9, 1e12, float("inf")])
def test_absurd_deadlines_wait_like_none(seconds: float) -> None:
    """A deadline beyond what the platform can wait for is no error."""
    event = threading.Event()
    event.set()
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    items.put(1)
    lock = threading.Lock()
    assert wait_for(event, Deadline(seconds))
    assert take_from(items, Deadline(seconds)) == 1
    assert acquire(lock, Deadline(seconds))
    lock.release()


@pytest.mark.usefixtures("slices")
def test_wait_for_tells_whether_it_was_set() -> None:
    """A wait ends at the event or at the deadline, and says at which."""
    event = threading.Event()
    assert not wait_for(event, Deadline(0))
    assert not wait_for(event, Deadline(0.03))
    waiter = Task(lambda: wait_for(event, Deadline(None)))
    event.set()
    assert waiter.result() is True
    assert wait_for(event, Deadline(0))


@pytest.mark.usefixtures("slices")
def test_take_from_gives_items_or_empty() -> None:
    """A take gives what is there even at deadline zero, else waits, else raises `Empty`."""
    items: queue.SimpleQueue[str] = queue.SimpleQueue()
    items.put("a")
    assert take_from(items, Deadline(0)) == "a"
    for seconds in (0, 0.03):
        with pytest.raises(queue.Empty):
            take_from(items, Deadline(seconds))
    taker = Task(lambda: take_from(items, Deadline(None)))
    items.put("b")
    assert taker.result() == "b"


@pytest.mark.usefixtures("slices")
def test_acquire_gives_up_at_the_deadline() -> None:
    """A lock in other hands is waited for until the deadline only."""
    lock = threading.Lock()
    assert acquire(lock, Deadline(None))
    assert not acquire(lock, Deadline(0))
    assert not acquire(lock, Deadline(0.03))
    taker = Task(lambda: acquire(lock, Deadline(None)))
    lock.release()
    assert taker.result() is True
    lock.release()


def taken() -> threading.Lock:
    """Make a lock that nobody will release."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def is_in(frame: Optional[FrameType], file: str) -> bool:
    """Tell whether a thread is inside code of `file`."""
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return frame is not None


@pytest.mark.parametrize(
    "wait",
    [
        lambda: wait_for(threading.Event(), Deadline(60)),
        lambda: take_from(queue.SimpleQueue(), Deadline(None)),
        lambda: acquire(taken(), Deadline(60)),
    ],
    ids=["event", "queue", "lock"],
)
def test_an_interrupt_without_a_signal_ends_every_wait(
    wait: Callable[[], object],
) -> None:
    """Ctrl-C of an IDE, which does not wake a lock, ends a wait of the main thread."""
    main = threading.main_thread().ident
    assert main is not None
    pause, over = threading.Event(), threading.Event()

    def interrupt() -> None:
        while not over.is_set() and not is_in(sys._current_frames()[main], module.__file__):
            pause.wait(0.005)
        _thread.interrupt_main()

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            wait()
    finally:
        over.set()
        watcher.join()


def test_only_the_main_thread_waits_in_slices() -> None:
    """Other threads, in which no Ctrl-C is raised, sleep until there is something to do."""
    assert slice_sec() is not None
    assert Task(slice_sec).result() is None


def test_joining_tells_whether_the_thread_ended(slices: None) -> None:
    """A thread is waited for at most until the deadline."""
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    assert not join_thread(thread, Deadline(0))
    assert not join_thread(thread, Deadline(0.03))
    go.set()
    assert join_thread(thread, Deadline(None))
