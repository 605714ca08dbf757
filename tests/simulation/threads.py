"""Stand-ins for threads, queues and time, and the modules that hold all stand-ins."""

from __future__ import annotations

import _thread
import os as real_os
import queue as real_queue
import select as real_select
import socket as real_socket
import sys as real_sys
import threading as real_threading
import time as real_time
from collections import deque
from types import ModuleType
from typing import Any, Callable, Optional

from . import order
from .kernel import Kernel, Task, world
from .locks import Condition, Event, Lock, RLock
from .network import Poll, Socket, getaddrinfo

# time.time() of the first run: no promise depends on it
_EPOCH = 1_700_000_000.0


def _kernel() -> Kernel:
    kernel = world.kernel
    assert kernel is not None, "nothing is simulated"
    return kernel


class Thread:
    """Stand-in for `threading.Thread`."""

    def __init__(
        self,
        group: None = None,
        target: Optional[Callable[..., object]] = None,
        name: Optional[str] = None,
        args: Any = (),
        kwargs: Any = None,
        *,
        daemon: Optional[bool] = None,
    ) -> None:
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self.name = name or "Thread"
        self.daemon = bool(daemon)
        self.task: Optional[Task] = None
        self._joiners: list[Task] = []

    def start(self) -> None:
        """Start it; an interrupt may strike before and after."""
        kernel = _kernel()
        kernel.point("start", self)
        if self.task is not None:
            raise RuntimeError("threads can only be started once")
        self.task = kernel.spawn(self.name, self._bootstrap)
        self.task.thread = self  # type: ignore[attr-defined]
        kernel.maybe_strike()

    def run(self) -> None:
        """Run the target."""
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def _bootstrap(self) -> None:
        try:
            self.run()
        finally:
            del self._target, self._args, self._kwargs  # they may refer to what shall be collected
            kernel = _kernel()
            if not kernel.dead:
                assert self.task is not None
                self.task.is_over = True
                for task in list(self._joiners):
                    kernel.wake(task)

    @property
    def ident(self) -> Optional[int]:
        """Number, once it was started."""
        return None if self.task is None else self.task.index + 1

    native_id = ident

    def is_alive(self) -> bool:
        """Return whether it was started and has not ended."""
        return self.task is not None and not self.task.is_over

    def join(self, timeout: Optional[float] = None) -> None:
        """Wait for its end."""
        kernel = _kernel()
        kernel.point("join", self)
        if self.task is None:
            raise RuntimeError("cannot join thread before it is started")
        if self.task is kernel.current:
            raise RuntimeError("cannot join current thread")
        until = None if timeout is None else kernel.now + timeout
        while not self.task.is_over:
            left = None if until is None else until - kernel.now
            if left is not None and left <= 0:
                return
            order.check_wait(kernel, kernel.current, "join", self, ())
            kernel.block(self._joiners, "join", self, left)

    def isDaemon(self) -> bool:
        """Return `daemon`."""
        return self.daemon

    def __repr__(self) -> str:
        return f"<Thread {self.name}>"


class _MainThread(Thread):
    def __init__(self) -> None:
        super().__init__(name="MainThread")

    @property
    def ident(self) -> Optional[int]:
        return 1

    def is_alive(self) -> bool:
        return True


_MAIN = _MainThread()


def current_thread() -> Any:
    """Return the simulated thread that runs."""
    kernel = world.kernel
    if kernel is None or kernel.current.index == 0:
        return _MAIN
    thread = getattr(kernel.current, "thread", None)
    if thread is None:  # of `_thread.start_new_thread`
        thread = Thread(name=kernel.current.name)
        thread.task = kernel.current
        kernel.current.thread = thread  # type: ignore[attr-defined]
    return thread


def start_new_thread(function: Callable[..., object], args: Any, kwargs: Any = None) -> int:
    """Start a thread that `threading` does not know."""
    kernel = world.kernel
    if kernel is None or kernel.dead:
        return 0  # something was collected while a failed run is cleared away
    kernel.point("start", function)
    task = kernel.spawn("beside", lambda: function(*args, **(kwargs or {})))
    return task.index + 1


class SimpleQueue:
    """Stand-in for `queue.SimpleQueue`."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._takers: list[Task] = []
        kernel = world.kernel
        self.number = 0 if kernel is None else kernel.serial("queue")
        if kernel is not None:
            kernel.queues.add(self)
        self.owner = type(real_sys._getframe(1).f_locals.get("self")).__name__

    def put(self, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:
        """Add an item; never blocks."""
        kernel = _kernel()
        kernel.maybe_strike()
        self._items.append(item)
        if self._takers:
            kernel.wake(self._takers[0])
        kernel.point("put", self, self.number)  # after it: others may be quicker than what follows

    put_nowait = put

    def get(self, block: bool = True, timeout: Optional[float] = None) -> Any:
        """Take the first item; an interrupt may strike before and after."""
        kernel = _kernel()
        kernel.point("get", self, self.number)
        until = None if timeout is None else kernel.now + timeout
        while not self._items:
            left = None if until is None else until - kernel.now
            if not block or (left is not None and left <= 0):
                raise real_queue.Empty
            order.check_wait(kernel, kernel.current, "get", self, ())
            kernel.block(self._takers, "get", self, left)
        item = self._items.popleft()
        kernel.maybe_strike()
        return item

    def get_nowait(self) -> Any:
        """Take the first item, or raise `Empty`."""
        return self.get(False)

    def empty(self) -> bool:
        """Return whether there is no item."""
        return not self._items

    def qsize(self) -> int:
        """Return the number of items."""
        return len(self._items)

    __class_getitem__ = classmethod(lambda cls, item: cls)


def monotonic() -> float:
    """Return the simulated time."""
    kernel = world.kernel
    return 0.0 if kernel is None else kernel.now


def sleep(seconds: float) -> None:
    """Let simulated time pass."""
    kernel = _kernel()
    kernel.point("sleep", seconds)
    order.check_wait(kernel, kernel.current, "sleep", seconds, ())
    kernel.block(None, "sleep", seconds, seconds)


# what the library has called for when the process forks, of each kind in order
fork_hooks: dict[str, list[Callable[[], object]]] = {}
PID = 1000


def register_at_fork(**hooks: Callable[[], object]) -> None:
    """Note what to call when the simulated process forks."""
    for kind, hook in hooks.items():
        fork_hooks.setdefault(kind, []).append(hook)


def getpid() -> int:
    """Return the number of the simulated process."""
    kernel = world.kernel
    return PID if kernel is None else PID + kernel.forks


class _Sys(ModuleType):
    """`sys`, but whether the interpreter is shutting down is up to the simulation."""

    def __getattr__(self, name: str) -> Any:
        return getattr(real_sys, name)

    def is_finalizing(self) -> bool:
        """Return whether the simulated interpreter shuts down."""
        kernel = world.kernel
        return kernel is not None and kernel.is_exiting


def _module(real: ModuleType, **names: Any) -> ModuleType:
    made = ModuleType(real.__name__, real.__doc__)
    made.__dict__.update(real.__dict__)
    made.__dict__.update(names)
    return made


# what the library gets when it imports one of these
STAND_INS: dict[str, ModuleType] = {
    "threading": _module(
        real_threading,
        Lock=Lock,
        RLock=RLock,
        Condition=Condition,
        Event=Event,
        Thread=Thread,
        current_thread=current_thread,
        main_thread=lambda: _MAIN,
        get_ident=lambda: current_thread().ident,
    ),
    "os": _module(real_os, register_at_fork=register_at_fork, getpid=getpid),
    "_thread": _module(_thread, allocate_lock=Lock, start_new_thread=start_new_thread),
    "queue": _module(real_queue, SimpleQueue=SimpleQueue),
    "time": _module(
        real_time,
        monotonic=monotonic,
        perf_counter=monotonic,
        time=lambda: _EPOCH + monotonic(),
        sleep=sleep,
    ),
    "socket": _module(real_socket, socket=Socket, getaddrinfo=getaddrinfo),
    "select": _module(real_select, poll=Poll),
    "sys": _Sys("sys"),
}
