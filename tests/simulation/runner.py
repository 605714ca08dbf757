"""Runs of scenarios: one seed, many seeds, and what every run is checked for."""

from __future__ import annotations

import gc
import itertools
import logging
import random
import sys
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from greenlet import GreenletExit

from . import loading, printing
from .failures import Failure, LeftBehind, TooLong, UncaughtError, Untrue
from .kernel import Kernel, world
from .network import Network
from .strategies import Strategy, strategy_for
from .threads import PID, STAND_INS, Thread, fork_hooks

# simulated seconds in which everything must have ended after a scenario: the longest wait of the
# library that nobody can cut short is that for the answer to a ping, 40 s
SETTLE_SEC = 300.0


class Simulation:
    """What a scenario is given: the library, threads, the network, random numbers."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.rng = kernel.rng
        self.soniox = sys.modules[loading.PACKAGE]
        self.threading = STAND_INS["threading"]
        self.queue = STAND_INS["queue"]
        self.time = STAND_INS["time"]
        self.logged: list[logging.LogRecord] = []
        self._late = False
        self.allowed_logs: tuple[str, ...] = ()  # beginnings of messages that are expected

    def module(self, name: str) -> Any:
        """Return a module of the library."""
        return loading.module(name)

    def thread(self, body: Callable[[], object], name: str) -> Thread:
        """Start a thread of the user's."""
        thread = Thread(target=body, name=name)
        thread.start()
        return thread

    def chance(self, probability: float) -> bool:
        """Decide by the seed."""
        return bool(self.rng.random() < probability)

    def pause(self, most_sec: float) -> None:
        """Let a random time pass, often none."""
        if self.chance(0.6):
            self.time.sleep(self.rng.random() * most_sec)
        else:
            self.time.sleep(0.0)

    def check(self, condition: object, text: str) -> None:
        """Fail the run unless `condition` holds."""
        if not condition:
            self.kernel.fail(Untrue(text))

    def bounded(self, what: str, most_sec: float, call: Callable[[], Any]) -> Any:
        """Call, and fail the run if it took longer in simulated time."""
        kernel = self.kernel
        began, slack = kernel.now, kernel.slack_sec
        try:
            return call()
        finally:
            took = kernel.now - began - (kernel.slack_sec - slack)
            if took > most_sec and not kernel.dead:
                kernel.fail(TooLong(f"{what} took {took:.3f} s of {most_sec} s"))

    def fork(self) -> None:
        """Fork, and go on as the child; the parent is not followed any further."""
        kernel = self.kernel
        kernel.point("fork", None)
        kernel.note("forked")
        for hook in reversed(fork_hooks["before"]):
            hook()
        kernel.fork()
        for hook in fork_hooks["after_in_child"]:
            hook()

    def note(self, text: str) -> None:
        """Write what is about to happen into the recorded schedule."""
        self.kernel.note(text)

    def interrupt(self, within: int, late: bool = False) -> None:
        """Have Ctrl-C strike the main thread at one of its next `within` points.

        `late`: only from `leaving()` on, where things are closed.
        """
        self._late = late
        if not late:
            self.kernel.armed = self.rng.randint(1, within)

    def leaving(self) -> None:
        """Say that the main thread is about to close what it used."""
        if self._late:
            self._late = False
            self.kernel.armed = self.rng.randint(1, 40)

    def disarm(self) -> None:
        """Have Ctrl-C not strike any more."""
        self.kernel.armed, self.kernel.disarmed, self._late = 0, True, False


Scenario = Callable[[Simulation], None]


@dataclass
class Result:
    """How a run ended."""

    scenario: str
    seed: int
    failure: Optional[Failure]
    digest: int
    steps: int
    switches: list[tuple[int, int]] = field(default_factory=list)
    log: list[Any] = field(default_factory=list)


# owners of queues that may end with entries: what was received for a consumer that was given up,
# and what was posted to a speech, or is there to wake its consumer, when it is cancelled
_MAY_KEEP = ("Delivery", "Engine", "PartQueue")


class _Collector(logging.Handler):
    """Collects what the library logs as an error: it says so where a thread would have died."""

    simulation: Optional[Simulation] = None

    def emit(self, record: logging.LogRecord) -> None:
        simulation = self.simulation
        if simulation is None or simulation.kernel.dead:
            return
        text = record.getMessage()
        if not text.startswith(simulation.allowed_logs or ("\0",)):
            simulation.logged.append(record)


_collector = _Collector(logging.ERROR)
# runs that have ended, and how many leave their garbage, which the young generation no longer has
_ended = 0
_COLLECT_AFTER = 50


def prepare() -> None:
    """Set up the process: the log, and the garbage collector, which runs between runs only."""
    log = logging.getLogger("soniox_sync")
    log.handlers = [_collector]
    log.setLevel(logging.WARNING)
    log.propagate = False
    sys.unraisablehook = _unraisable
    gc.collect()
    gc.freeze()
    gc.disable()


def _unraisable(unraisable: Any) -> None:
    """Report what a finalizer raises, but for what is collected after a failed run."""
    if unraisable.exc_type is not GreenletExit:
        sys.__unraisablehook__(unraisable)


def run_one(
    name: str,
    scenario: Scenario,
    seed: int,
    *,
    strategy: Optional[Strategy] = None,
    record: bool = False,
    reload: bool = True,
) -> Result:
    """Run one scenario with one seed. `reload`: load the library anew after a failure."""
    random.seed(seed)  # jitter of the library
    kernel = Kernel(seed, strategy or strategy_for(seed), record=record)
    kernel.net = Network(kernel)
    if kernel.rng.random() < 0.4:  # time passes although threads could run: a loaded machine
        kernel.slack_chance = kernel.rng.choice((0.003, 0.02))
        kernel.slack_left_sec = kernel.rng.choice((0.3, 3.0))
    simulation = Simulation(kernel)
    _collector.simulation = simulation
    _begin_anew()
    world.kernel = kernel
    try:
        kernel.run(lambda: _whole(simulation, scenario))
    except Failure as failure:
        kernel.failure = kernel.failure or failure
    finally:
        _collect(kernel)
        world.kernel = None
        _collector.simulation = None
    if kernel.failure is not None and reload:
        _clear_up()
    return Result(
        name, seed, kernel.failure, kernel.digest, kernel.steps, kernel.switches, kernel.log
    )


def _collect(kernel: Kernel) -> None:
    """Free what ended runs have left; what is freed may call the kernel, which is dead."""
    global _ended
    _ended += 1
    if _ended % _COLLECT_AFTER == 0 and kernel.dead:
        gc.collect(1)


def _begin_anew() -> None:
    """Reset what the library counts for a whole process, so that no run depends on another."""
    loading.module("runtime.clock").process_clock.reset()
    loading.module("runtime.connection")._numbers = itertools.count(1)
    forks = loading.module("runtime.forks")
    forks._registered.clear()
    forks._pid = PID
    for lock in (forks._lock, loading.module("_support.loading")._lock):
        lock.owner = None  # a thread that was stopped may have had it
        lock.waiters.clear()


def _whole(simulation: Simulation, scenario: Scenario) -> None:
    kernel = simulation.kernel
    scenario(simulation)
    simulation.disarm()
    kernel.note(printing.ENDED)
    gc.collect(0)  # the young: everything that this run made
    if kernel.is_exiting:
        return  # threads and sockets are left to the system
    left = kernel.settle(SETTLE_SEC)
    if left:
        kernel.fail(LeftBehind(f"threads that do not end: {left}"))
    _check_left(simulation)


def _check_left(simulation: Simulation) -> None:
    kernel = simulation.kernel
    if simulation.logged:
        record = simulation.logged[0]
        cause = record.exc_info[1] if record.exc_info else None
        kernel.fail(UncaughtError(f"logged as an error: {record.getMessage()}: {cause!r}", cause))
    sockets = [sock for sock in kernel.sockets if not (sock.is_closed or sock.is_inherited)]
    if sockets:
        kernel.fail(LeftBehind(f"sockets not closed: {sockets}, made by {sockets[0].opened_by}"))
    clock = simulation.module("runtime.clock").process_clock
    if clock._live or clock._thread is not None:
        kernel.fail(LeftBehind(f"timers of the clock: {clock!r}"))
    if not kernel.forks and _full(kernel):  # after a fork, frames of vanished threads keep theirs
        gc.collect(1)  # what lived until its thread ended
        for full in _full(kernel):
            kernel.fail(LeftBehind(f"{full.qsize()} entries of a queue of {full.owner}"))


def _full(kernel: Kernel) -> list[Any]:
    """Return the queues with entries that nobody takes any more, and somebody should."""
    return [each for each in kernel.queues if each.qsize() and each.owner not in _MAY_KEEP]


def _clear_up() -> None:
    """Load the library anew: what failed may have left locks taken."""
    gc.collect()
    loading.load(loading.patches())
    gc.collect()
