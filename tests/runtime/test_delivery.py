"""Items are pulled or pushed, bounded, in order; every consumer gets the end."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from soniox_sync import BufferOverflowError, NetworkError, SonioxTimeoutError, StateError
from soniox_sync.runtime.delivery import CallbackWorker, Delivery
from soniox_sync.transport.deadline import Deadline, take_from
from tests.waiting import WAIT, Task, eventually


@pytest.fixture
def delivery() -> Delivery[str]:
    return Delivery(10, "items")


def take(delivery: Delivery[Any], seconds: Any = WAIT) -> Any:
    return delivery.take(Deadline(seconds), "item")


def settle(worker: CallbackWorker) -> None:
    assert worker.drain(Deadline(WAIT))


# -- pulling --------------------------------------------------------------------------------------


def test_items_wait_for_the_puller(delivery: Delivery[str]) -> None:
    """Items that arrive before iterating wait, in order, followed by the end."""
    for item in "abc":
        assert delivery.put(item, 1)
    delivery.end()
    assert [take(delivery) for _ in range(4)] == ["a", "b", "c", None]


def test_puller_waits_for_items(delivery: Delivery[str]) -> None:
    """`take` blocks until an item or the end arrives."""
    taker = Task(lambda: (take(delivery), take(delivery)))
    delivery.put("a", 1)
    delivery.end()
    assert taker.result() == ("a", None)


def test_take_gives_up_at_its_deadline(delivery: Delivery[str]) -> None:
    """A `take` that finds nothing in time raises, with the time and advice, and loses nothing."""
    for seconds in (0, 0.02):
        with pytest.raises(SonioxTimeoutError) as caught:
            take(delivery, seconds)
        assert str(caught.value) == (
            f"the item did not arrive within {seconds} s: wait longer with timeout_sec=..., or "
            "close()"
        )
    delivery.put("a", 1)
    assert take(delivery, 0) == "a"


def test_end_is_sticky_for_every_caller(delivery: Delivery[str]) -> None:
    """Any number of callers, now and later, get the end."""
    takers = [Task(lambda: take(delivery)) for _ in range(4)]
    delivery.end()
    assert [taker.result() for taker in takers] == [None] * 4
    assert [take(delivery, 0) for _ in range(3)] == [None] * 3


def test_an_error_follows_the_items_for_every_caller(delivery: Delivery[str]) -> None:
    """An error is raised after earlier items, each time as a fresh copy chained to the cause."""
    cause = NetworkError("lost")
    delivery.put("a", 1)
    delivery.end(cause)
    assert take(delivery) == "a"
    raised = []
    for _ in range(3):
        with pytest.raises(NetworkError, match="lost") as caught:
            take(delivery)
        raised.append(caught.value)
    assert len({id(error) for error in (*raised, cause)}) == 4
    assert all(error.__cause__ is cause for error in raised)


def test_first_end_decides(delivery: Delivery[str]) -> None:
    """A second end changes nothing, and nothing is accepted after the end."""
    delivery.end()
    delivery.end(NetworkError("late"))
    assert delivery.put("late", 1) is True
    assert take(delivery) is None


def test_drop_ends_at_once(delivery: Delivery[str]) -> None:
    """A drop discards waiting items, wakes takers, and discards what arrives later."""
    taker = Task(lambda: [take(delivery), take(delivery)])
    delivery.put("a", 1)
    eventually(lambda: delivery.waiting == 0, "the first take")
    delivery.drop()
    assert taker.result() == ["a", None]
    assert delivery.put("late", 1) is True
    assert take(delivery) is None


def test_drop_discards_waiting_items(delivery: Delivery[str]) -> None:
    """Items not taken before a drop are never delivered; an error of the drop is raised."""
    delivery.put("a", 1)
    delivery.drop(NetworkError("torn"))
    for _ in range(2):
        with pytest.raises(NetworkError, match="torn"):
            take(delivery)


def test_an_item_that_is_being_taken_during_a_drop_is_not_delivered(
    delivery: Delivery[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items before it may be gone already: the end follows, not what came later."""
    delivery.put("a", 1)
    real = take_from

    def take_and_drop(*args: Any) -> Any:
        item = real(*args)
        monkeypatch.undo()
        delivery.drop()
        return item

    monkeypatch.setattr("soniox_sync.runtime.delivery.take_from", take_and_drop)
    assert take(delivery) is None


# -- the bound ------------------------------------------------------------------------------------


def test_bound_counts_weight(delivery: Delivery[str]) -> None:
    """Exactly the bound may wait; more is refused without blocking."""
    assert delivery.put("a", 4)
    assert delivery.put("b", 6)
    assert delivery.waiting == 10
    assert take(delivery) == "a"
    assert delivery.waiting == 6
    assert delivery.put("d", 4)
    assert delivery.put("e", 1) is False
    assert [take(delivery), take(delivery)] == ["b", "d"]


def test_nothing_is_added_after_an_item_that_was_refused(delivery: Delivery[str]) -> None:
    """The consumer may have made room by then, and would get items with a gap in them."""
    assert delivery.put("a", 10)
    assert delivery.put("b", 1) is False
    assert take(delivery) == "a"
    assert delivery.put("c", 1) is False
    delivery.end(delivery.overflow())
    with pytest.raises(BufferOverflowError):
        take(delivery)


def test_overflow_error_says_what_to_do(delivery: Delivery[str]) -> None:
    """The overflow error names the bound and what to do."""
    error = delivery.overflow()
    assert isinstance(error, BufferOverflowError)
    assert "10 items" in str(error)


# -- pushing --------------------------------------------------------------------------------------


def test_push_delivers_waiting_items_first(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """Switching to push delivers queued items first, then live ones, in order, on the worker."""
    got: list[tuple[str, str]] = []
    delivery.put("a", 1)
    delivery.put("b", 1)
    delivery.push_to(lambda item: got.append((item, threading.current_thread().name)), worker)
    delivery.put("c", 1)
    delivery.end()
    settle(worker)
    assert got == [(item, "soniox-callback-test") for item in "abc"]
    assert delivery.waiting == 0


def test_pushed_stream_cannot_be_iterated(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """After a data handler was registered iterating raises, ended or not."""
    delivery.push_to(lambda item: None, worker)
    assert delivery.is_pushed
    for _ in range(2):
        with pytest.raises(StateError, match="cannot iterate"):
            take(delivery, 0)
        with pytest.raises(StateError, match="cannot iterate"):
            delivery.start_pulling()
        delivery.end()


def test_iterated_stream_cannot_be_pushed(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """After iteration started a data handler is refused, and iteration continues."""
    delivery.put("a", 1)
    delivery.start_pulling()
    with pytest.raises(StateError, match="already being iterated; register it before"):
        delivery.push_to(lambda item: None, worker)
    assert take(delivery) == "a"


def test_second_push_is_the_same(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """A second data handler gets nothing that was already delivered."""
    got: list[str] = []
    delivery.put("a", 1)
    delivery.push_to(got.append, worker)
    delivery.push_to(got.append, worker)
    delivery.put("b", 1)
    settle(worker)
    assert got == ["a", "b"]


def test_push_backlog_is_bounded(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """A slow handler fills the same bound as a slow puller, and putting never blocks."""
    go, inside = threading.Event(), threading.Event()

    def slow(item: str) -> None:
        inside.set()
        go.wait(WAIT)

    delivery.push_to(slow, worker)
    assert delivery.put("a", 5)
    assert inside.wait(WAIT)
    assert delivery.put("b", 5)
    assert delivery.put("c", 1) is False
    go.set()
    settle(worker)
    assert delivery.waiting == 0


def test_failing_push_frees_its_space(
    delivery: Delivery[str], worker: CallbackWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """An item whose push raised no longer counts as waiting."""

    def fail(item: str) -> None:
        raise ValueError(item)

    with caplog.at_level(logging.ERROR, "soniox_sync"):
        delivery.push_to(fail, worker)
        for _ in range(3):
            assert delivery.put("a", 10)
            settle(worker)
    assert "callback job failed" in caplog.text


def test_dropped_push_backlog_is_not_delivered(
    delivery: Delivery[str], worker: CallbackWorker
) -> None:
    """Items still queued for a handler are not delivered after a drop."""
    go, inside, got = threading.Event(), threading.Event(), []

    def slow(item: str) -> None:
        got.append(item)
        inside.set()
        go.wait(WAIT)

    delivery.push_to(slow, worker)
    for item in "abc":
        delivery.put(item, 1)
    assert inside.wait(WAIT)
    delivery.drop()
    go.set()
    settle(worker)
    assert got == ["a"]


def test_switch_under_load_loses_nothing(worker: CallbackWorker) -> None:
    """Registering while items stream in keeps every item, once and in order."""
    for _ in range(20):
        delivery: Delivery[int] = Delivery(10_000, "items")
        got: list[int] = []
        go = threading.Event()

        def feed(delivery: Delivery[int] = delivery, go: threading.Event = go) -> None:
            for number in range(500):
                if number == 50:
                    go.set()
                assert delivery.put(number, 1)

        feeder = Task(feed)
        assert go.wait(WAIT)
        delivery.push_to(got.append, worker)
        feeder.result()
        settle(worker)
        assert got == list(range(500))
