"""Calls that may hang run at once, and are left behind at the deadline."""

from __future__ import annotations

import threading

import pytest

from soniox_sync.cli.doctor.bounded import run_all
from soniox_sync.transport.deadline import Deadline
from tests.waiting import WAIT


def test_results_have_the_order_of_the_calls() -> None:
    """The result of each call is returned in its place, whichever ends first."""
    second_is_over = threading.Event()

    def first() -> str:
        assert second_is_over.wait(WAIT)
        return "first"

    def second() -> str:
        second_is_over.set()
        return "second"

    assert run_all([first, second], Deadline(WAIT)) == ["first", "second"]


def test_a_call_that_hangs_is_left_behind() -> None:
    """A call that is not done in time has no result; those that are done have theirs."""
    release, threads = threading.Event(), []

    def hang() -> str:
        threads.append(threading.current_thread())
        release.wait(WAIT)
        return "late"

    try:
        assert run_all([hang, lambda: "done"], Deadline(0.1)) == [None, "done"]
    finally:
        release.set()
    assert all(thread.daemon for thread in threads)


def test_an_exception_is_raised_here() -> None:
    """What a call raises, also what is no `Exception`, is raised by `run_all`."""

    def fail() -> str:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_all([fail], Deadline(WAIT))
