"""Tests of the signals: steps of Ctrl-C, termination, and signals sent in quick succession."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator

import pytest

from soniox_sync.cli import interrupt, main
from soniox_sync.cli.interrupt import Interrupts, Terminated

if not hasattr(signal, "SIGHUP"):
    pytest.skip("these signals are POSIX's", allow_module_level=True)

WAIT_SEC = 10


class Clock:
    """Clock that the test advances."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Return the current time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock of the module under test."""
    clock = Clock()
    monkeypatch.setattr(interrupt, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Set the handlers of a new process, and restore those of the test runner."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in numbers[1:]:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in zip(numbers, before):
        signal.signal(number, handler)


def test_ctrl_c_runs_the_steps_in_order(clock: Clock) -> None:
    """Each Ctrl-C runs the next step, on another thread; when none is left it raises."""
    taken: queue.SimpleQueue[tuple[str, threading.Thread]] = queue.SimpleQueue()

    def step(name: str) -> None:
        taken.put((name, threading.current_thread()))

    with Interrupts() as interrupts:
        with interrupts.graceful(lambda: step("stop"), lambda: step("cancel")):
            for name in ("stop", "cancel"):
                signal.raise_signal(signal.SIGINT)
                got, thread = taken.get(timeout=WAIT_SEC)
                assert got == name and thread is not threading.main_thread()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert interrupts.interrupted


def test_failing_step_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """A step that fails does not prevent the next one."""
    taken = threading.Event()

    def fail() -> None:
        raise RuntimeError("no")

    with Interrupts() as interrupts, interrupts.graceful(fail, taken.set):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert taken.wait(WAIT_SEC)


def test_ctrl_c_repeated_within_a_second_counts_once(clock: Clock) -> None:
    """Ctrl-C within a second of another is ignored, to let clean-up end; a later one raises."""
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        clock.now += 0.9
        signal.raise_signal(signal.SIGINT)
        clock.now += 0.2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_is_raised_once(
    clock: Clock, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM and SIGHUP raise `Terminated`; repeated after a second, they kill the process."""
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(interrupt.os, "kill", lambda *args: killed.append(args))
    with Interrupts() as interrupts:
        with pytest.raises(Terminated, match=number.name) as raised:
            signal.raise_signal(number)
        assert raised.value.signum == number and not interrupts.interrupted
        signal.raise_signal(number)
        assert killed == []
        clock.now += 1.1
        signal.raise_signal(number)
        assert killed == [(os.getpid(), number)]
        assert signal.getsignal(number) is signal.SIG_DFL


def test_handlers_are_restored() -> None:
    """The previous handlers are restored; other handlers and ignored signals are not replaced."""
    signal.signal(signal.SIGTERM, handler := lambda number, frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is handler
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_program_that_calls_main_keeps_its_handlers() -> None:
    """A program that calls `main` with arguments keeps its handlers, also from another thread."""
    assert main(["--version"]) == 0
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["transcribe", "no-such.wav"])))
    thread.start()
    thread.join(WAIT_SEC)
    assert codes == [2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_process_restores_the_default_sigint(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own process, Ctrl-C before or after the command ends it without a traceback."""
    monkeypatch.setattr("sys.argv", ["soniox-sync", "--version"])
    assert main() == 0
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
