"""Locks that are free in a forked child, whoever held them in the parent.

A fork copies each lock as it is. One that another thread holds at that moment is never released in
the child, where that thread does not exist. So every lock of the library that a child may still
take is made here, and renewed in place in each child: by the hook below, before anything else of
ours runs there, and by `forks.check()` after a fork that Python did not see. What such a lock
guards may have been half changed; `runtime.forks` says what becomes of it.

A lock needs none of this that only one call uses (a local one), or that nobody waits for.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Optional, Union

# held weakly: a lock lives as long as what it guards. Threads only add to it, which is one
# operation on a set
_made: weakref.WeakSet[Any] = weakref.WeakSet()


def new_lock() -> threading.Lock:
    """Return a `threading.Lock` that a fork leaves free."""
    lock = threading.Lock()
    _made.add(lock)
    return lock


def new_rlock() -> threading.RLock:
    """Return a `threading.RLock` that a fork leaves free."""
    lock = threading.RLock()
    _made.add(lock)
    return lock


def new_condition(
    lock: Optional[Union[threading.Lock, threading.RLock]] = None,
) -> threading.Condition:
    """Return a `threading.Condition` without waiters, and with a free lock, after a fork."""
    condition = threading.Condition(lock)
    _made.add(condition)
    return condition


def renew() -> None:
    """Free all locks, and forget who waited for conditions. In a forked child only."""
    for lock in list(_made):
        # what CPython and gevent call for their own locks after a fork. `release()` is not enough:
        # an RLock of another thread refuses it, and elsewhere than on Linux a lock has parts that
        # a vanished thread may hold for a moment
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew)
