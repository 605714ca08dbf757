"""What pytest runs with, while tests are recorded and while mutants are tried."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Callable

import pytest

# no plugin that reorders, distributes or remembers; `-r` and other options of the project stay out
ARGUMENTS = (
    *("--strict-markers", "--capture=no", "-o", "addopts="),
    # modules are imported early on purpose, too early for pytest to rewrite them
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:random_order", "-p", "no:terminal"),
)

# of one test, under coverage: tests that are played by hand take milliseconds
CPU_SEC = 1.0
_TOO_SLOW = "took more CPU time than the test of one rule"


class Pinning:
    """Leaves out tests with random data and slow ones: a rule needs a test that was played by hand.

    They would kill many a mutant, too, but by chance, late, and without telling why.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not _is_random(item) and not _is_slow(item)]


def _is_random(item: pytest.Item) -> bool:
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


def _is_slow(item: pytest.Item) -> bool:
    return item.get_closest_marker("slow") is not None


class TooSlow(BaseException):
    """A test took more CPU time than one for a rule needs."""


class Recording(Pinning):
    """Records of each test what it runs, how long it takes and whether it passes.

    `switch` names the test that coverage belongs to from now on, "" for none. A test that computes
    for more than `CPU_SEC` is stopped, and counts as failed, as do its other parametrizations.
    """

    def __init__(self, switch: Callable[[str], None]) -> None:
        self._switch = switch
        self._begun = 0.0
        self._slow: set[str] = set()  # without parameters
        signal.signal(signal.SIGPROF, _stop)
        self.seconds: dict[str, float] = {}
        self.failed: dict[str, str] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._switch(nodeid)
        self._begun = time.perf_counter()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = time.perf_counter() - self._begun
        self._switch("")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_pyfunc_call(self) -> Iterator[None]:
        # only here does pytest take whatever is raised for a failure of the test
        signal.setitimer(signal.ITIMER_PROF, CPU_SEC)
        yield
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if _without_parameters(item.nodeid) in self._slow:
            self.failed[item.nodeid] = _TOO_SLOW
            pytest.skip(_TOO_SLOW)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext[-2000:]
            if _TOO_SLOW in report.longreprtext:
                self._slow.add(_without_parameters(report.nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed[report.nodeid] = report.longreprtext


def _stop(*_: object) -> None:
    raise TooSlow(_TOO_SLOW)


def _without_parameters(nodeid: str) -> str:
    return nodeid.split("[")[0]


class Verdicts(Pinning):
    """Tells the parent process which test begins, and which one noticed the mutant."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def tell(self, kind: str, name: str) -> None:
        os.write(self._pipe, f"{kind} {name}\n".encode())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.tell("killed", report.nodeid)
            os._exit(0)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.tell("killed", f"collecting {report.nodeid}")
            os._exit(0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tell("begin", nodeid)


class Only(Verdicts):
    """Runs only some of what was collected, in the order given."""

    def __init__(self, pipe: int, names: list[str]) -> None:
        super().__init__(pipe)
        self._rank = {name: number for number, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._rank),
            key=lambda item: self._rank[item.nodeid],
        )
