"""Handlers run one at a time, in order, on a thread that starts with the first call."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from soniox_sync import ConfigurationError
from soniox_sync.runtime.delivery import CallbackWorker, Emitter
from soniox_sync.transport.deadline import Deadline
from tests.waiting import WAIT, Task, eventually


def settle(worker: CallbackWorker) -> None:
    assert worker.drain(Deadline(WAIT))


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


def test_a_worker_keeps_its_thread_until_it_is_stopped(worker: CallbackWorker) -> None:
    """Between two jobs it waits; no thread is started for each."""
    threads: list[threading.Thread] = []
    for _ in range(3):
        worker.post(lambda: threads.append(threading.current_thread()))
        settle(worker)
    assert len(set(threads)) == 1


def test_worker_runs_jobs_one_at_a_time_in_order(worker: CallbackWorker) -> None:
    """Jobs of many threads run one at a time, those of each thread in order."""
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
    """Jobs posted after stop() still run, and the thread still ends."""
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


def test_worker_recovers_when_no_thread_can_start(
    worker: CallbackWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no thread can be started the caller gets the error; the job runs with the next one."""

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
    """Each handler gets each event, in order of registration, with the arguments it accepts."""
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
    """Bound methods and builtins get as many arguments as they accept."""
    got: list[Any] = []
    emitter.on("data", got.append)
    emitter.emit("data", "x", "y")
    settle(worker)
    assert got == ["x"]


def test_once_is_called_once(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler registered once gets only the next event; others get all."""
    got: list[Any] = []
    emitter.on("data", lambda x: got.append(("once", x)), once=True)
    emitter.on("data", lambda x: got.append(("on", x)))
    emitter.emit("data", 1)
    emitter.emit("data", 2)
    settle(worker)
    assert got == [("once", 1), ("on", 1), ("on", 2)]


def test_off_removes_handlers(emitter: Emitter, worker: CallbackWorker) -> None:
    """One handler, or all of an event, are removed; removing an unknown one is legal."""
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


def test_late_handlers_get_the_end(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler registered after a final event gets it, once; for other events it waits."""
    got: list[Any] = []
    emitter.emit("data", 1)
    emitter.emit("end", "why")
    emitter.on("data", lambda x: got.append(("data", x)))
    emitter.on("end", lambda x: got.append(("end", x)))
    emitter.on("end", lambda x: got.append(("once", x)), once=True)
    settle(worker)
    assert got == [("end", "why"), ("once", "why")]


@pytest.mark.parametrize("registered", [True, False])
def test_a_handler_registered_while_an_end_is_being_told_gets_it_once(
    emitter: Emitter, worker: CallbackWorker, registered: bool
) -> None:
    """What was posted for those before it is not for it as well."""
    busy, told = threading.Event(), []
    worker.post(lambda: busy.wait(WAIT))
    if registered:
        emitter.on("end", lambda *_: told.append("early"))
    emitter.emit("end", 1)
    emitter.on("end", lambda *_: told.append("late"))
    busy.set()
    settle(worker)
    assert told == ["early", "late"][not registered :]


@pytest.mark.parametrize("late", [True, False])
def test_a_handler_that_was_removed_is_not_told_of_an_end_that_waits(
    emitter: Emitter, worker: CallbackWorker, late: bool
) -> None:
    """After `off()` no handler starts any more, not even for an end that has happened."""
    busy, told = threading.Event(), []

    def handler() -> None:
        told.append("removed")

    worker.post(lambda: busy.wait(WAIT))
    if not late:
        emitter.on("end", handler, once=True)
    emitter.emit("end")
    if late:
        emitter.on("end", handler, once=True)
    emitter.on("end", lambda: told.append("kept"))
    emitter.off("end", handler)
    busy.set()
    settle(worker)
    assert told == ["kept"]


def test_an_end_that_is_told_by_a_job_is_told_to_a_late_handler(
    emitter: Emitter, worker: CallbackWorker
) -> None:
    """`run()` on the worker is the end as `emit()` is, and there is one."""
    told: list[Any] = []
    for number in range(2):
        worker.post(lambda number=number: emitter.run("end", number))
    settle(worker)
    emitter.on("end", told.append)
    emitter.emit("end", 2)
    settle(worker)
    assert told == [0]


def test_a_handler_that_fails_is_no_end(emitter: Emitter, worker: CallbackWorker) -> None:
    """Its failure is told to handlers of errors, and so is the error that comes after it."""
    told: list[Any] = []

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    emitter.on("end", fail)
    emitter.on("error", lambda error: told.append(type(error)))
    emitter.emit("end", 1)
    settle(worker)
    emitter.emit("error", OSError())
    settle(worker)
    assert told == [ZeroDivisionError, OSError]


def test_racing_registration_gets_the_end_once(worker: CallbackWorker) -> None:
    """A handler registered during the end is called exactly once."""
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


def test_failing_handler_is_reported_once_as_error(
    emitter: Emitter, worker: CallbackWorker, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler's exception is logged, passed to "error" handlers once, and stops nothing."""
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


def test_handlers_may_register_and_remove(emitter: Emitter, worker: CallbackWorker) -> None:
    """A handler may register and remove handlers; this takes effect with the next event."""
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
    """An unknown event or a handler that is not callable raises at once."""
    for wrong in (
        lambda: emitter.on("datum", print),
        lambda: emitter.off("datum"),
        lambda: emitter.on("data", 5),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError):
            wrong()
    with pytest.raises(ConfigurationError, match=r"^event: .*got 'datum'; did you mean 'data'"):
        emitter.on("datum", print)
    assert worker_threads() == []
