"""One thread at a time, chosen by a seed: the scheduler under all stand-ins.

Every simulated thread is a greenlet. A stand-in (`standins`, `network`) calls `point()` before what
it does; there the strategy decides who runs next. Time stands still while somebody can run, but for
a microsecond a point, and jumps to the next timer when nobody can.
"""

from __future__ import annotations

import heapq
import random
import weakref
from typing import Any, Callable, Optional

from greenlet import GreenletExit, getcurrent, greenlet

from .failures import Deadlock, Failure, Livelock, UncaughtError
from .strategies import Strategy

# what one point costs: a loop that polls until a deadline gets there
TICK_SEC = 1e-6
# far more than any scenario takes (the longest: 12,000): whoever gets here runs in circles
MAX_STEPS = 120_000
# who has run for so long while others could is put behind them
_FAIR_STEPS = 2_000


class Task:
    """One simulated thread."""

    def __init__(self, index: int, name: str, body: Callable[[], None]) -> None:
        self.index = index
        self.name = name
        self.body = body
        self.greenlet: Any = None
        self.priority = 0.0
        self.blocked_on: Optional[tuple[str, Any]] = None
        self.waiters: Optional[list[Task]] = None
        self.timer: Optional[list[Any]] = None
        self.woken = False
        self.raising: Optional[BaseException] = None  # raised where it waits
        self.is_over = False
        self.is_frozen = False  # after the end of the interpreter, or in a forked child
        self.held: list[Any] = []  # locks

    def __repr__(self) -> str:
        return f"{self.name}#{self.index}"


class Kernel:
    """One run: its tasks, its time, its random numbers, what it recorded."""

    def __init__(self, seed: int, strategy: Strategy, *, record: bool = False) -> None:
        self.seed = seed
        self.strategy = strategy
        self.record = record
        self.now = 1000.0
        self.steps = 0
        self.digest = seed + 1
        self.rng = random.Random(seed * 2 + 1)  # latencies, sizes, what the scenario does
        self._load_rng = random.Random(-1 - seed)  # when time runs ahead: not up to the strategy
        self.tasks: list[Task] = []
        self.ready: list[Task] = []
        self.current: Task
        self.failure: Optional[Failure] = None
        self.log: list[tuple[float, Task, str, Any, str]] = []
        self.switches: list[tuple[int, int]] = []  # (step, task) where another was chosen
        self.serials: dict[str, int] = {}
        self.dead = False
        self.is_exiting = False  # the interpreter shuts down
        self.forks = 0
        self.break_at = 0  # the step at which the main thread goes on, out of turn
        self.slack_sec = 0.0  # by how much time ran ahead of threads that could run
        self.slack_left_sec = 0.0
        self.slack_chance = 0.0
        self.armed = 0  # points of the main thread until `strike`; 0: never
        self.strike: Callable[[], None] = _interrupt
        self.struck = False
        self.disarmed = False
        self.checks: list[Callable[[], Optional[str]]] = []
        self.sockets: list[Any] = []
        self.queues: weakref.WeakSet[Any] = weakref.WeakSet()
        self.edges: dict[tuple[Any, Any], str] = {}  # lock taken under a lock -> by whom
        self.net: Any = None
        self._timers: list[list[Any]] = []
        self._order = 0
        self._last: Optional[Task] = None
        self._streak = 0
        self._hub = getcurrent()

    # -- what stand-ins call -----------------------------------------------------------------------

    def serial(self, kind: str) -> int:
        """Number the objects of one kind in the order in which they are made."""
        number = self.serials[kind] = self.serials.get(kind, 0) + 1
        return number

    def point(self, kind: str, what: Any, number: int = 0) -> None:
        """Let the strategy decide who runs next; then go on in this thread."""
        if self.dead:
            raise GreenletExit
        me = self.current
        self.steps += 1
        self.now += TICK_SEC
        self.digest = (self.digest * 1000003 + me.index * 8191 + len(kind) * 127 + number) % _PRIME
        if self.record:
            self.log.append((self.now, me, kind, what, ""))
        timers = self._timers
        if timers and timers[0][0] <= self.now:
            self._run_due()
        elif self.slack_chance and timers:
            self._run_ahead()
        chosen = self._choose(me)
        if self.steps == self.break_at and self.tasks[0].blocked_on is not None:
            chosen = self.tasks[0]
            self.wake(chosen)
        if chosen is not me:
            self._switch_to(chosen)
        if self.armed and me.index == 0:
            self.maybe_strike()

    def maybe_strike(self) -> None:
        """Count a point of the main thread down to the interrupt. After an operation, too."""
        if self.armed and self.current.index == 0:
            self.armed -= 1
            if not self.armed:
                self.struck = True
                self.note("struck")
                self.strike()

    def note(self, text: str) -> None:
        """Write a line into the recorded schedule."""
        if self.record:
            self.log.append((self.now, self.current, "-", None, text))

    def block(
        self,
        waiters: Optional[list[Task]],
        kind: str,
        what: Any,
        timeout: Optional[float] = None,
        interruptible: bool = True,
    ) -> bool:
        """Wait for `wake()`; return False when `timeout` seconds pass first."""
        if self.dead:
            raise GreenletExit
        me = self.current
        me.blocked_on, me.woken, me.waiters = (kind, what), False, waiters
        if waiters is not None:
            waiters.append(me)
        me.timer = None
        if timeout is not None:
            me.timer = self.call_at(self.now + timeout, lambda: self.wake(me, False))
        self.ready.remove(me)
        if self.armed and me.index == 0 and interruptible:
            self._strike_while_blocked(me)
        self._switch_to(self._choose(None))
        raising, me.raising = me.raising, None
        if raising is not None:
            raise raising
        if self.strike_on_wake(me):
            self.strike()
        return me.woken

    def let_others_run(self, steps: int, limit_sec: float) -> None:
        """Let the main thread wait until others have passed some points, wherever they are then."""
        self.break_at = self.steps + steps
        self.block(None, "let run", None, limit_sec, interruptible=False)
        self.break_at = 0

    def strike_on_wake(self, me: Task) -> bool:
        """Return, once, whether a signal arrived while this thread was waiting."""
        pending = getattr(me, "pending", False)
        me.pending = False  # type: ignore[attr-defined]
        return pending

    def _strike_while_blocked(self, me: Task) -> None:
        """A signal may arrive while the main thread waits: at any time, so the seed chooses it."""
        self.armed -= 1
        if self.armed:
            return

        def arrive() -> None:
            if self.disarmed:
                return
            if me.blocked_on is None:  # it went on in the meantime: at its next point
                self.armed = 1
                return
            self.struck = True
            me.pending = True  # type: ignore[attr-defined]
            self.wake(me, False)

        self.call_at(self.now + self.rng.choice((0.0, 0.001, 0.05, 0.5)), arrive)

    def wake(self, task: Task, result: bool = True) -> None:
        """Let a blocked task go on; `block()` returns `result` there."""
        if task.is_frozen:
            if task.waiters is not None and task in task.waiters:
                task.waiters.remove(task)  # a notification that nobody gets
            return
        if task.blocked_on is None:
            return
        if task.waiters is not None and task in task.waiters:
            task.waiters.remove(task)
        if task.timer is not None:
            task.timer[2] = None
        task.blocked_on = task.waiters = task.timer = None
        task.woken = result
        self.ready.append(task)

    def call_at(self, when: float, act: Callable[[], None]) -> list[Any]:
        """Call `act()`, which must not block, at a time; set the third item to None to cancel."""
        self._order += 1
        timer = [when, self._order, act]
        heapq.heappush(self._timers, timer)
        return timer

    def spawn(self, name: str, body: Callable[[], None]) -> Task:
        """Make a thread that may run from now on."""
        task = Task(len(self.tasks), name, body)
        task.greenlet = greenlet(lambda: self._live(task), parent=self._hub)
        self.strategy.admit(task)
        self.tasks.append(task)
        self.ready.append(task)
        return task

    def _live(self, task: Task) -> None:
        try:
            task.body()
        except GreenletExit:
            pass
        except BaseException as error:  # noqa: BLE001 - top of a thread: it fails the run
            if not self.dead:
                self.fail(UncaughtError(f"{task} ended with {error!r}", error))
        finally:
            task.is_over = True
            task.body = _nothing
            if task in self.ready:
                self.ready.remove(task)

    # -- choosing ----------------------------------------------------------------------------------

    def _choose(self, me: Optional[Task]) -> Task:
        ready = self.ready
        while not ready:
            if not self._advance():
                self.fail(Deadlock("nobody can run, and no timer is due"))
        if self.steps > MAX_STEPS:
            self.fail(Livelock(f"{MAX_STEPS} points without an end"))
        if len(ready) == 1:
            chosen = ready[0]
        else:
            chosen = self.strategy.choose(ready, me, self.steps)
            if chosen is self._last:
                self._streak += 1
                if self._streak > _FAIR_STEPS:
                    chosen = self._give_others_a_turn(chosen)
            else:
                self._last, self._streak = chosen, 0
            default = me if me is not None else ready[0]
            if self.record and chosen is not default:
                self.switches.append((self.steps, chosen.index))
        return chosen

    def _give_others_a_turn(self, task: Task) -> Task:
        self._streak = 0
        self.strategy.demote(task)
        return next(each for each in self.ready if each is not task)

    def _advance(self) -> bool:
        """Jump to the next timer and run it; return False if there is none."""
        while self._timers:
            when, _, act = heapq.heappop(self._timers)
            if act is not None:
                self.now = max(self.now, when)
                act()
                return True
        return False

    def _run_due(self) -> None:
        timers = self._timers
        while timers and timers[0][0] <= self.now:
            act = heapq.heappop(timers)[2]
            if act is not None:
                act()

    def _run_ahead(self) -> None:
        """Let time pass although somebody could run: a machine under load."""
        if self._load_rng.random() >= self.slack_chance:
            return
        while self._timers and self._timers[0][2] is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return
        ahead = self._timers[0][0] - self.now
        if 0 < ahead <= self.slack_left_sec:
            self.slack_left_sec -= ahead
            self.slack_sec += ahead
            self._advance()

    def _switch_to(self, task: Task) -> None:
        if task is self.current:
            return
        self.current = task
        task.greenlet.switch()
        if self.dead:
            raise GreenletExit

    # -- a run -------------------------------------------------------------------------------------

    def run(self, main: Callable[[], None]) -> None:
        """Run `main` and all threads that it starts, to their end or a failure."""
        self._hub = getcurrent()
        self.current = self.spawn("main", main)
        while self.failure is None and not self.tasks[0].is_over:
            task = self.current
            if task.is_over:
                task = self.current = self._choose(None)
            task.greenlet.switch()
        self._bury()

    def exit_interpreter(self) -> None:
        """Stop all other threads wherever they are; what they hold stays taken."""
        self.is_exiting = True
        self.freeze_others()

    def freeze_others(self) -> list[Task]:
        """Let no other thread run any more; return those that could have."""
        others = [task for task in self.tasks if task is not self.current and not task.is_over]
        for task in others:
            task.is_frozen = True
            if task in self.ready:
                self.ready.remove(task)
        return others

    def fork(self) -> None:
        """Go on as the child: the other threads do not exist, what they hold stays taken.

        For the main thread. A condition goes on counting those who waited for it; a queue does not.
        """
        self.forks += 1
        for task in self.freeze_others():
            task.is_over = True
            if task.waiters is not None and task.blocked_on and task.blocked_on[0] != "wait":
                task.waiters.remove(task)
        for sock in self.sockets:
            sock.is_inherited = True

    def settle(self, limit_sec: float = 300.0) -> list[Task]:
        """Run until all other threads have ended or none can; return those that are left."""
        until = self.now + limit_sec
        while self.now < until:
            others = [task for task in self.tasks[1:] if not task.is_over]
            if not others:
                break
            stuck = all(task.blocked_on is not None for task in others)
            if stuck and not any(timer[2] for timer in self._timers):
                return others
            self.block(None, "settle", None, 0.05 if stuck else 0.001, interruptible=False)
        return [task for task in self.tasks[1:] if not task.is_over]

    def pending_timers(self) -> int:
        """Return the number of timers that wait."""
        return sum(timer[2] is not None for timer in self._timers)

    def fail(self, failure: Failure) -> None:
        """End the run; the first failure counts. Does not return to a task."""
        if self.failure is None:
            self.failure = failure
            failure.stacks = self._stacks()
        if getcurrent() is not self._hub:
            self.dead = True
            self._hub.switch()
            raise GreenletExit
        raise failure

    def _stacks(self) -> list[tuple[Task, Any]]:
        from .printing import stack_of

        return [
            (task, stack_of(task, task is self.current)) for task in self.tasks if not task.is_over
        ]

    def _bury(self) -> None:
        """End what is left, without letting it do anything."""
        self.dead = True
        for task in self.tasks:
            for _ in range(50):  # a `finally` may need several
                if task.greenlet.dead or not task.greenlet:
                    break
                self.current = task
                task.greenlet.throw(GreenletExit)
        self._timers.clear()


def _nothing() -> None:
    pass


def _interrupt() -> None:
    raise KeyboardInterrupt


_PRIME = (1 << 61) - 1


class World:
    """Kernel of the run that goes on; None between runs and during imports."""

    kernel: Optional[Kernel] = None


world = World()
