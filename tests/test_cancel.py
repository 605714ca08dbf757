"""A cancel token ends any number of calls, once."""

from __future__ import annotations

import logging
import signal
import threading

import pytest

from soniox_sync import AbortError, CancelToken
from tests.waiting import WAIT, Task


def test_token_starts_open() -> None:
    """A new token is not cancelled, has no reason and stops nothing."""
    token = CancelToken()
    assert (token.cancelled, token.reason) == (False, None)
    token.raise_if_cancelled()
    assert token.wait(0) is False
    assert repr(token) == "<CancelToken open>"


def test_first_cancel_counts() -> None:
    """The first cancel counts: its reason stays, callbacks run once."""
    token, calls = CancelToken(), []
    token.on_cancel(lambda: calls.append(1))
    token.cancel("enough")
    token.cancel("another")
    assert (token.cancelled, token.reason, calls) == (True, "enough", [1])
    with pytest.raises(AbortError, match="enough"):
        token.raise_if_cancelled()
    assert repr(token) == "<CancelToken cancelled: 'enough'>"


def test_cancel_wakes_waiters() -> None:
    """A wait on a token returns True when it is cancelled."""
    token = CancelToken()
    waiters = [Task(lambda: token.wait()) for _ in range(3)]
    token.cancel()
    assert [waiter.result() for waiter in waiters] == [True] * 3


def test_late_callback_runs_at_once() -> None:
    """A callback registered after the cancel runs in the caller, immediately."""
    token, threads = CancelToken(), []
    token.cancel()
    undo = token.on_cancel(lambda: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()]
    undo()


def test_removed_callback_is_not_called() -> None:
    """A removed callback is not called; removing it twice or late is legal."""
    token, calls = CancelToken(), []
    undo = token.on_cancel(lambda: calls.append("undone"))
    token.on_cancel(lambda: calls.append("kept"))
    undo()
    undo()
    token.cancel()
    undo()
    assert calls == ["kept"]


def test_failing_callback_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in a callback is logged; cancel() returns and the others run."""
    token, calls = CancelToken(), []

    def fail() -> None:
        raise ValueError("a callback of the test")

    token.on_cancel(fail)
    token.on_cancel(lambda: calls.append(1))
    with caplog.at_level(logging.ERROR, "soniox_sync"):
        token.cancel()
    assert calls == [1]
    assert "a callback of the test" in caplog.text


def test_callback_may_use_the_token() -> None:
    """A callback may query the token, cancel again and register more; nothing deadlocks."""
    token, calls = CancelToken(), []

    def callback() -> None:
        token.cancel()
        token.on_cancel(lambda: calls.append(token.cancelled))

    token.on_cancel(callback)
    Task(token.cancel).result()
    assert calls == [True]


def test_racing_cancels_run_callbacks_once() -> None:
    """Many threads that cancel at once run each callback exactly once."""
    for _ in range(50):
        token, calls, barrier = CancelToken(), [], threading.Barrier(4)
        token.on_cancel(lambda calls=calls: calls.append(1))

        def cancel(token: CancelToken = token, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            token.cancel()

        for task in [Task(cancel) for _ in range(4)]:
            task.result()
        assert calls == [1]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers here")
def test_cancel_in_a_signal_handler_does_not_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler may cancel although the code it interrupted holds a lock that a callback needs."""
    monkeypatch.setattr("soniox_sync._support.beside._WAIT_SEC", 0.05)
    token, lock, called = CancelToken(), threading.Lock(), threading.Event()

    def callback() -> None:
        with lock:
            called.set()

    token.on_cancel(callback)
    before = signal.signal(signal.SIGALRM, lambda *_: token.cancel("SIGALRM"))
    try:
        with lock:
            signal.raise_signal(signal.SIGALRM)
            seen_inside = (token.cancelled, called.is_set())
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen_inside == (True, False)
    assert called.wait(WAIT)
    assert str(token.error()) == "cancelled: SIGALRM"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers here")
def test_cancel_interrupts_the_token_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler may cancel a token whose own lock the interrupted code holds."""
    monkeypatch.setattr("soniox_sync._support.beside._WAIT_SEC", 0.05)
    token, calls = CancelToken(), []
    before = signal.signal(signal.SIGALRM, lambda *_: token.cancel())
    try:
        with token._lock:
            signal.raise_signal(signal.SIGALRM)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert token.wait(WAIT)
    token.on_cancel(lambda: calls.append(1))
    assert calls == [1]
