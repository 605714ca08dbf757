"""Stand-ins for the locks of `threading`: every call is a point of the schedule."""

from __future__ import annotations

import sys
from typing import Any, Optional

from . import order
from .kernel import Kernel, Task, world

_NOBODY = object()  # the owner of a lock that was taken while nothing was simulated


# where the library makes its locks, for those who ask it to
_FACTORY = "_support/locks.py"


def maker() -> Any:
    """Return the frame that makes a lock."""
    frame = sys._getframe(2)
    if frame.f_code.co_filename.endswith(_FACTORY):
        frame = frame.f_back  # type: ignore[assignment]
    return frame


class Lock:
    """Stand-in for `threading.Lock`: not fair, may be released by any thread."""

    __slots__ = ("__weakref__", "number", "owner", "site", "waiters")
    reentrant = False

    def __init__(self) -> None:
        self._born(maker())

    def _born(self, frame: Any) -> None:
        self.site = (frame.f_code.co_filename, frame.f_lineno)
        self.owner: Any = None
        self.waiters: list[Task] = []
        kernel = world.kernel
        self.number = 0 if kernel is None else kernel.serial("lock")

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; an interrupt may strike before and after."""
        kernel = world.kernel
        if kernel is None:
            self.owner = _NOBODY
            return True
        got = self._acquire(kernel, blocking and timeout != 0, timeout)
        if got and kernel.armed:
            try:
                kernel.maybe_strike()
            except BaseException:
                kernel.current.held.remove(self)  # never released: not a part of the order any more
                raise
        return got

    def _acquire(self, kernel: Kernel, blocking: bool, timeout: float) -> bool:
        kernel.point("acquire" if blocking else "try", self, self.number)
        me = kernel.current
        if blocking and me.held:
            order.check(kernel, me, self)
        if self.owner is not None:
            if not blocking:
                return False
            until = None if timeout < 0 else kernel.now + timeout
            while self.owner is not None:
                left = None if until is None else until - kernel.now
                if left is not None and left <= 0:
                    return False
                kernel.block(self.waiters, "acquire", self, left)
        self.owner = me
        me.held.append(self)
        return True

    def release(self) -> None:
        """Give it back, whoever took it; a waiter tries again."""
        kernel = world.kernel
        if kernel is None:
            self.owner = None
            return
        self._release(kernel)
        kernel.point(
            "release", self, self.number
        )  # after it: others may be quicker than what follows

    def _release(self, kernel: Kernel) -> None:
        owner = self.owner
        if owner is None:
            raise RuntimeError("release unlocked lock")
        if owner is not _NOBODY and self in owner.held:
            owner.held.remove(self)
        self.owner = None
        if self.waiters:
            kernel.wake(self.waiters[0])

    def __enter__(self) -> bool:
        # a `with` on a lock in C cannot be interrupted between taking it and entering the body
        kernel = world.kernel
        if kernel is None:
            return self.acquire()
        return self._acquire(kernel, True, -1)

    def __exit__(self, *_: object) -> None:
        kernel = world.kernel
        if kernel is None:
            self.owner = None
            return
        if kernel.dead:
            return
        self._release(kernel)
        kernel.point("release", self, self.number)

    def _at_fork_reinit(self) -> None:
        self.owner = None
        self.waiters.clear()

    def locked(self) -> bool:
        """Return whether somebody holds it."""
        return self.owner is not None

    # for conditions

    def is_mine(self, me: Task) -> bool:
        """Return whether this thread holds it."""
        return self.owner is me

    def give_away(self, kernel: Kernel) -> int:
        """Release it completely, for a wait; return how often it was taken."""
        self._release(kernel)
        return 1

    def take_back(self, kernel: Kernel, count: int) -> None:
        """Take it again after a wait, whatever happens meanwhile."""
        while self.owner is not None:
            kernel.block(self.waiters, "acquire", self, None, interruptible=False)
        self.owner = kernel.current
        kernel.current.held.append(self)


class RLock(Lock):
    """Stand-in for `threading.RLock`."""

    __slots__ = ("count",)
    reentrant = True

    def __init__(self) -> None:
        self._born(maker())
        self.count = 0

    def _at_fork_reinit(self) -> None:
        super()._at_fork_reinit()
        self.count = 0

    def _acquire(self, kernel: Kernel, blocking: bool, timeout: float) -> bool:
        if self.owner is kernel.current:
            self.count += 1
            return True
        got = super()._acquire(kernel, blocking, timeout)
        if got:
            self.count = 1
        return got

    def _release(self, kernel: Kernel) -> None:
        if self.owner is not kernel.current:
            raise RuntimeError("cannot release un-acquired lock")
        self.count -= 1
        if not self.count:
            super()._release(kernel)

    def give_away(self, kernel: Kernel) -> int:
        count, self.count = self.count, 1
        self._release(kernel)
        return count

    def take_back(self, kernel: Kernel, count: int) -> None:
        super().take_back(kernel, count)
        self.count = count


class Condition:
    """Stand-in for `threading.Condition`: waiters are woken in order, and only when notified."""

    def __init__(self, lock: Optional[Lock] = None) -> None:
        if lock is None:
            lock = RLock.__new__(RLock)
            lock._born(maker())
            lock.count = 0  # type: ignore[attr-defined]
        self._lock = lock
        self.site = lock.site
        self.number = lock.number
        self.waiters: list[Task] = []
        self.release = lock.release
        self.acquire = lock.acquire

    def __enter__(self) -> bool:
        return self._lock.acquire()  # Python code: an interrupt may leave it taken

    def __exit__(self, *exc: object) -> None:
        self._lock.__exit__(*exc)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Release, wait to be notified, and take it again; return False after `timeout`."""
        kernel = world.kernel
        assert kernel is not None, "nothing is simulated: nobody could notify"
        if not self._lock.is_mine(kernel.current):
            raise RuntimeError("cannot wait on un-acquired lock")
        kernel.point("wait", self, self.number)
        if timeout is not None and timeout <= 0:
            timeout = 0.0
        count = self._lock.give_away(kernel)
        if kernel.current.held:
            order.check_wait(kernel, kernel.current, "wait", self)
        try:
            return kernel.block(self.waiters, "wait", self, timeout)
        finally:
            if not kernel.dead:
                self._lock.take_back(kernel, count)

    def wait_for(self, predicate: Any, timeout: Optional[float] = None) -> Any:
        """Wait until `predicate()` is true."""
        kernel = world.kernel
        assert kernel is not None
        until = None if timeout is None else kernel.now + timeout
        while not (result := predicate()):
            left = None if until is None else until - kernel.now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        """Wake the `n` that have waited longest."""
        kernel = world.kernel
        if kernel is None:
            return
        if not self._lock.is_mine(kernel.current):
            raise RuntimeError("cannot notify on un-acquired lock")
        kernel.point("notify", self, self.number)
        for task in self.waiters[:n]:
            kernel.wake(task)

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self.waiters.clear()

    def notify_all(self) -> None:
        """Wake all."""
        self.notify(len(self.waiters))


class Event:
    """Stand-in for `threading.Event`, which is Python code around a condition."""

    def __init__(self) -> None:
        lock = Lock.__new__(Lock)
        lock._born(maker())
        self._changed = Condition(lock)
        self._flag = False

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._flag

    def set(self) -> None:
        """Wake all waiters."""
        with self._changed:
            self._flag = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Make later waits wait again."""
        with self._changed:
            self._flag = False

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until it is set; return whether it is."""
        with self._changed:
            return self._flag or self._changed.wait(timeout) or self._flag
