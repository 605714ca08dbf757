"""A deadline is one moment, asked at each wait."""

from __future__ import annotations

import queue
import threading

import pytest
from peers import ManualClock, Task

from soniox_sync.transport import deadline as module
from soniox_sync.transport.deadline import Deadline, acquire, take_from, wait_for


@pytest.fixture(params=["blocking", "sliced"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test both as on Windows, which waits in slices, and as elsewhere."""
    monkeypatch.setattr(module, "_SLICE_SEC", 0.01 if request.param == "sliced" else None)


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
