"""A deadline is computed once and limits every wait."""

from __future__ import annotations

import _thread
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Optional

import pytest

from soniox_sync.transport import deadline as module
from soniox_sync.transport.deadline import (
    Deadline,
    acquire,
    join_thread,
    slice_sec,
    take_from,
    wait_for,
)
from tests.waiting import ManualClock, Task


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let an interrupt raise KeyboardInterrupt, also in a suite started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=["blocking", "sliced"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with waits in slices, as in the main thread, and without."""
    monkeypatch.setattr(module, "slice_sec", lambda: 0.01 if request.param == "sliced" else None)


def test_deadline_counts_down_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seconds left shrink with time, never below zero."""
    clock = ManualClock()
    monkeypatch.setattr(time, "monotonic", clock.now)
    deadline = Deadline(5.0)
    assert (deadline.remaining(), deadline.passed) == (5.0, False)
    clock.advance(3)
    assert (deadline.remaining(), deadline.at_most(10), deadline.at_most(1)) == (2.0, 2.0, 1)
    clock.advance(3)
    assert (deadline.remaining(), deadline.at_most(10), deadline.passed) == (0.0, 0.0, True)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "within 5 s"),
        (0.25, "within 0.25 s"),
        (0, "within 0 s"),
        (None, "before the interpreter shut down"),
    ],
)
def test_a_deadline_has_words_for_its_limit(seconds: Optional[float], words: str) -> None:
    """They name the seconds that were given, not those that are left."""
    deadline = Deadline(seconds)
    time.sleep(0.001)
    assert deadline.within == words


def test_no_deadline_never_passes() -> None:
    """`None` waits forever."""
    deadline = Deadline(None)
    assert (deadline.remaining(), deadline.passed, deadline.at_most(3)) == (None, False, 3)


@pytest.mark.parametrize("seconds", [0, -1, 0.0])
def test_zero_has_passed_already(seconds: float) -> None:
    """Zero and negative seconds have passed already."""
    deadline = Deadline(seconds)
    assert (deadline.remaining(), deadline.passed) == (0.0, True)


@pytest.mark.parametrize("seconds", [1e9, 1e12, float("inf")])
def test_huge_deadlines_wait_like_none(seconds: float) -> None:
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
def test_wait_for_returns_whether_it_was_set() -> None:
    """A wait ends at the event or at the deadline, and returns which."""
    event = threading.Event()
    assert not wait_for(event, Deadline(0))
    assert not wait_for(event, Deadline(0.03))
    waiter = Task(lambda: wait_for(event, Deadline(None)))
    event.set()
    assert waiter.result() is True
    assert wait_for(event, Deadline(0))


@pytest.mark.usefixtures("slices")
def test_take_from_gives_items_or_empty() -> None:
    """`take_from` returns an available item even at deadline 0, else waits or raises `Empty`."""
    items: queue.SimpleQueue[str] = queue.SimpleQueue()
    items.put("a")
    assert take_from(items, Deadline(0)) == "a"
    for seconds in (0, 0.03):
        with pytest.raises(queue.Empty):
            take_from(items, Deadline(seconds))
    taker = Task(lambda: take_from(items, Deadline(None)))
    items.put("b")
    assert taker.result() == "b"


class Moment(Deadline):
    """Deadline of which a millionth of a second is left, whenever it is asked."""

    def remaining(self) -> float:
        return 1e-6

    def at_most(self, seconds: float) -> float:
        return 1e-6


@pytest.mark.usefixtures("slices")
def test_a_time_that_is_over_before_the_wait_begins_is_over() -> None:
    """CPython's queue would wait for ever, once in a thousand times."""

    def take_all() -> int:
        for _ in range(6_000):
            with pytest.raises(queue.Empty):
                take_from(queue.SimpleQueue(), Moment(0.0))
        return 6_000

    assert Task(take_all).result() == 6_000


@pytest.mark.usefixtures("slices")
def test_acquire_gives_up_at_the_deadline() -> None:
    """Waiting for a lock that another thread holds ends at the deadline."""
    lock = threading.Lock()
    assert acquire(lock, Deadline(None))
    assert not acquire(lock, Deadline(0))
    assert not acquire(lock, Deadline(0.03))
    taker = Task(lambda: acquire(lock, Deadline(None)))
    lock.release()
    assert taker.result() is True
    lock.release()


def held_lock() -> threading.Lock:
    """Make a lock that is held and never released."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def is_in(frame: Optional[FrameType], file: str) -> bool:
    """Return whether a thread is inside code of `file`."""
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return frame is not None


@pytest.mark.parametrize(
    "wait",
    [
        lambda: wait_for(threading.Event(), Deadline(60)),
        lambda: take_from(queue.SimpleQueue(), Deadline(None)),
        lambda: acquire(held_lock(), Deadline(60)),
    ],
    ids=["event", "queue", "lock"],
)
def test_an_interrupt_without_a_signal_ends_every_wait(
    wait: Callable[[], object], ctrl_c: None
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
    """Other threads, in which Ctrl-C is never raised, sleep until woken."""
    assert slice_sec() is not None
    assert Task(slice_sec).result() is None


def test_join_thread_returns_whether_the_thread_ended(slices: None) -> None:
    """Joining a thread ends at the deadline at the latest, and returns whether it ended."""
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    assert not join_thread(thread, Deadline(0))
    assert not join_thread(thread, Deadline(0.03))
    go.set()
    assert join_thread(thread, Deadline(None))
