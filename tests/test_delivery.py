"""From the reader to the user: pulled or pushed, bounded, in order, the end told to everyone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from peers import WAIT, Task, eventually

from soniox_sync import (
    BufferOverflowError,
    ConfigurationError,
    NetworkError,
    SonioxTimeoutError,
    StateError,
)
from soniox_sync.delivery import CallbackWorker, Delivery, Emitter
from soniox_sync.transport.deadline import Deadline


@pytest.fixture
def worker() -> Iterator[CallbackWorker]:
    made = CallbackWorker("soniox-callback-test")
    yield made
    made.stop()


@pytest.fixture
def delivery() -> Delivery[str]:
    return Delivery(10, "items")


def take(delivery: Delivery[Any], seconds: Any = WAIT) -> Any:
    return delivery.take(Deadline(seconds), "item")


def settle(worker: CallbackWorker) -> None:
    assert worker.drain(Deadline(WAIT))


# -- pulling --------------------------------------------------------------------------------------


def test_items_wait_for_the_puller(delivery: Delivery[str]) -> None:
    """What arrives before iterating waits, in order, then comes the end."""
    for item in "abc":
        assert delivery.put(item, 1)
    delivery.end()
    assert [take(delivery) for _ in range(4)] == ["a", "b", "c", None]


def test_puller_waits_for_items(delivery: Delivery[str]) -> None:
    """A take blocks until an item or the end arrives."""
    taker = Task(lambda: (take(delivery), take(delivery)))
    delivery.put("a", 1)
    delivery.end()
    assert taker.result() == ("a", None)


def test_take_gives_up_at_its_deadline(delivery: Delivery[str]) -> None:
    """A take that found nothing in time raises, and loses nothing."""
    for seconds in (0, 0.02):
        with pytest.raises(SonioxTimeoutError):
            take(delivery, seconds)
    delivery.put("a", 1)
    assert take(delivery, 0) == "a"


def test_end_is_sticky_for_every_caller(delivery: Delivery[str]) -> None:
    """Any number of takers, now and later, meet the end."""
    takers = [Task(lambda: take(delivery)) for _ in range(4)]
    delivery.end()
    assert [taker.result() for taker in takers] == [None] * 4
    assert [take(delivery, 0) for _ in range(3)] == [None] * 3


def test_error_comes_after_the_items_and_to_everyone(delivery: Delivery[str]) -> None:
    """An error is raised after what came before it, each time a fresh copy chained to the cause."""
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
    """A second end changes nothing, and nothing is taken after the end."""
    delivery.end()
    delivery.end(NetworkError("late"))
    assert delivery.put("late", 1) is True
    assert take(delivery) is None


def test_drop_ends_at_once(delivery: Delivery[str]) -> None:
    """A drop throws away what waits, wakes takers, and swallows what arrives later."""
    taker = Task(lambda: [take(delivery), take(delivery)])
    delivery.put("a", 1)
    eventually(lambda: delivery.waiting == 0, "the first take")
    delivery.drop()
    assert taker.result() == ["a", None]
    assert delivery.put("late", 1) is True
    assert take(delivery) is None


def test_drop_throws_away_what_waits(delivery: Delivery[str]) -> None:
    """Items that were not taken before a drop never come; an error of the drop is raised."""
    delivery.put("a", 1)
    delivery.drop(NetworkError("torn"))
    for _ in range(2):
        with pytest.raises(NetworkError, match="torn"):
            take(delivery)


# -- the bound ------------------------------------------------------------------------------------


def test_bound_counts_weight(delivery: Delivery[str]) -> None:
    """Exactly the bound may wait; more is refused, not taken, and never blocks."""
    assert delivery.put("a", 4)
    assert delivery.put("b", 6)
    assert delivery.waiting == 10
    assert delivery.put("c", 1) is False
    assert take(delivery) == "a"
    assert delivery.waiting == 6
    assert delivery.put("d", 4)
    assert delivery.put("e", 1) is False
    assert [take(delivery), take(delivery)] == ["b", "d"]


def test_overflow_error_says_what_to_do(delivery: Delivery[str]) -> None:
    """The overflow error names the bound and the remedy."""
    error = delivery.overflow()
    assert isinstance(error, BufferOverflowError)
    assert "10 items" in str(error)


# -- pushing --------------------------------------------------------------------------------------


def test_push_gets_what_waited_first(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """Switching to push hands over queued items first, then live ones, in order, on the worker."""
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
    """After iteration began a data handler is refused, and iteration goes on."""
    delivery.put("a", 1)
    delivery.start_pulling()
    with pytest.raises(StateError, match="cannot register"):
        delivery.push_to(lambda item: None, worker)
    assert take(delivery) == "a"


def test_second_push_is_the_same(delivery: Delivery[str], worker: CallbackWorker) -> None:
    """A second data handler does not deliver anything twice."""
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
    assert delivery.put("d", 10)


def test_failing_push_frees_its_room(
    delivery: Delivery[str], worker: CallbackWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """An item whose push raised does not count as waiting for ever."""

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
    """What a handler has not got yet when the stream is dropped, it never gets."""
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


# -- the worker -----------------------------------------------------------------------------------


def worker_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "soniox-callback-test"]


def test_worker_starts_with_the_first_job(worker: CallbackWorker) -> None:
    """There is no thread before the first job, one daemon after it, none after stop()."""
    assert worker_threads() == []
    worker.post(lambda: None)
    (thread,) = worker_threads()
    assert thread.daemon
    worker.stop()
    thread.join(WAIT)
    assert worker_threads() == []


def test_worker_runs_jobs_one_at_a_time_in_order(worker: CallbackWorker) -> None:
    """Jobs of many threads run alone, each thread's in its order."""
    running, worst, order = [0], [0], []

    def job(item: tuple[int, int]) -> None:
        running[0] += 1
        worst[0] = max(worst[0], running[0])
        order.append(item)
        running[0] -= 1

    def post(name: int) -> None:
        for number in range(200):
            worker.post(lambda item=(name, number): job(item))

    for task in [Task(lambda name=name: post(name)) for name in range(4)]:
        task.result()
    settle(worker)
    assert worst == [1]
    for name in range(4):
        assert [n for who, n in order if who == name] == list(range(200))
    assert len(order) == 800


def test_jobs_after_stop_still_run(worker: CallbackWorker) -> None:
    """The last events are told even when they come after stop(), and the thread still ends."""
    for _ in range(30):
        ran = threading.Event()
        worker.stop()
        worker.post(ran.set)
        assert ran.wait(WAIT)
    eventually(lambda: worker_threads() == [], "the end of the worker")


def test_failing_job_is_logged(worker: CallbackWorker, caplog: pytest.LogCaptureFixture) -> None:
    """A job that raises stops no other."""
    ran: list[int] = []
    with caplog.at_level(logging.ERROR, "soniox_sync"):
        worker.post(lambda: 1 // 0)
        worker.post(lambda: ran.append(1))
        settle(worker)
    assert ran == [1]
    assert "ZeroDivisionError" in caplog.text


def test_drain_inside_a_handler_does_not_wait_for_itself(worker: CallbackWorker) -> None:
    """A handler that closes its connection does not deadlock on its own thread."""
    results: list[bool] = []
    worker.post(lambda: results.append(worker.drain(Deadline(WAIT))))
    settle(worker)
    assert results == [True]


def test_drain_gives_up_at_its_deadline(worker: CallbackWorker) -> None:
    """A handler that blocks holds a drain only until its deadline."""
    go = threading.Event()
    worker.post(lambda: go.wait(WAIT))
    assert worker.drain(Deadline(0.02)) is False
    go.set()
    settle(worker)


def test_worker_recovers_when_threads_run_out(
    worker: CallbackWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no thread can be started the caller learns it, and the job runs with the next."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ran: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            worker.post(lambda: ran.append("first"))
    worker.post(lambda: ran.append("second"))
    settle(worker)
    assert ran == ["first", "second"]


# -- handlers -------------------------------------------------------------------------------------


@pytest.fixture
def emitter(worker: CallbackWorker) -> Emitter:
    return Emitter(("data", "end", "error"), worker, final=("end", "error"))


def test_handlers_are_called_in_order_with_arguments(
    emitter: Emitter, worker: CallbackWorker
) -> None:
    """Each handler gets each event, in order of registration, with the arguments it takes."""
    got: list[Any] = []
    emitter.on("data", lambda a, b: got.append((1, a, b)))
    emitter.on("data", lambda a: got.append((2, a)))
    emitter.on("data", lambda: got.append((3,)))
    emitter.on("data", lambda *args: got.append((4, *args)))
    emitter.on("data", lambda a, b=None, *, c=7: got.append((5, a, b, c)))
    emitter.emit("data", "x", "y")
    settle(worker)
    assert got == [(1, "x", "y"), (2, "x"), (3,), (4, "x", "y"), (5, "x", "y", 7)]


def test_bound_methods_and_builtins_are_handlers(emitter: Emitter, worker: CallbackWorker) -> None:
    """A method of a builtin gets as many arguments as it takes."""
    got: list[Any] = []
    emitter.on("data", got.append)
    emitter.emit("data", "x", "y")
    settle(worker)
    assert got == ["x"]


def test_once_is_called_once(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler for once gets the next event only, others go on."""
    got: list[Any] = []
    emitter.on("data", lambda x: got.append(("once", x)), once=True)
    emitter.on("data", lambda x: got.append(("on", x)))
    emitter.emit("data", 1)
    emitter.emit("data", 2)
    settle(worker)
    assert got == [("once", 1), ("on", 1), ("on", 2)]


def test_off_forgets(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler, or all of an event, are forgotten; unknown ones are no error."""
    got: list[Any] = []

    def handler(item: Any) -> None:
        got.append(item)

    emitter.off("data", handler)
    emitter.on("data", handler)
    emitter.on("data", lambda item: got.append(("other", item)))
    emitter.off("data", handler)
    assert emitter.has("data")
    emitter.emit("data", 1)
    settle(worker)
    emitter.off("data")
    assert not emitter.has("data")
    emitter.emit("data", 2)
    settle(worker)
    assert got == [("other", 1)]


def test_late_handlers_learn_of_the_end(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler registered after a final event gets it, once; for other events it waits."""
    got: list[Any] = []
    emitter.emit("data", 1)
    emitter.emit("end", "why")
    emitter.on("data", lambda x: got.append(("data", x)))
    emitter.on("end", lambda x: got.append(("end", x)))
    emitter.on("end", lambda x: got.append(("once", x)), once=True)
    settle(worker)
    assert got == [("end", "why"), ("once", "why")]


def test_racing_registration_gets_the_end_once(worker: CallbackWorker) -> None:
    """A handler registered while the end happens is called exactly once."""
    for _ in range(100):
        emitter = Emitter(("end",), worker, final=("end",))
        got: list[int] = []
        barrier = threading.Barrier(2)

        def emit(emitter: Emitter = emitter, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            emitter.emit("end")

        task = Task(emit)
        barrier.wait()
        emitter.on("end", lambda got=got: got.append(1))
        task.result()
        settle(worker)
        assert got == [1]


def test_failing_handler_is_told_once_as_error(
    emitter: Emitter, worker: CallbackWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of a handler is logged, told to "error" handlers once, and stops nothing."""
    got: list[Any] = []

    def fail(item: Any) -> None:
        raise ValueError(f"bad {item}")

    def fail_again(error: Exception) -> None:
        got.append(("error", str(error)))
        raise ValueError("and again")

    with caplog.at_level(logging.ERROR, "soniox_sync"):
        emitter.on("data", fail)
        emitter.on("data", lambda item: got.append(("data", item)))
        emitter.on("error", fail_again)
        emitter.emit("data", 1)
        settle(worker)
    assert got == [("error", "bad 1"), ("data", 1)]
    assert "and again" in caplog.text


def test_handlers_may_register_and_forget(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler may change the table it is called from; the change holds for the next event."""
    got: list[str] = []

    def first(item: Any) -> None:
        got.append(f"first {item}")
        emitter.off("data", first)
        emitter.on("data", second)

    def second(item: Any) -> None:
        got.append(f"second {item}")

    emitter.on("data", first)
    emitter.emit("data", 1)
    settle(worker)
    emitter.emit("data", 2)
    settle(worker)
    assert got == ["first 1", "second 2"]


def test_wrong_registrations_are_refused(emitter: Emitter) -> None:
    """An unknown event or a handler that cannot be called is the caller's error, at once."""
    for wrong in (
        lambda: emitter.on("datum", print),
        lambda: emitter.off("datum"),
        lambda: emitter.on("data", 5),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError):
            wrong()
    assert worker_threads() == []
