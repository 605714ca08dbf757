"""Loading modules at their first use, in a way that a fork cannot interrupt.

Python has a lock for each module that is being imported. A process that forks meanwhile, in another
thread, has a child in which that lock is never released: the child's own import waits for ever. So
modules are loaded before the threads that need them start, and a fork waits until they are loaded.
"""

from __future__ import annotations

import logging  # noqa: F401 - its own fork hook, which takes a lock of modules, must run after ours
import os
import sys
import threading
from collections.abc import Iterable
from importlib import import_module

# Guards _loaded, while modules are loaded and while the process forks. Never waits for another lock
# of ours. Reentrant: a module may fork while it is loaded.
_lock = threading.RLock()
_loaded: set[str] = set()
# one entry for each fork in progress: whether it holds the lock
_held: list[bool] = []
# in a child that was forked all the same while modules were loaded: those would never be complete
_was_interrupted = False
# For as long as modules keep coming, a fork waits: on a machine under load they took more than ten
# seconds. One takes milliseconds; from a cold disk, or under load, a second.
_NO_MODULE_SEC = 10.0


def load_modules(modules: Iterable[str]) -> None:
    """Import modules, unless they were imported here before. Thread-safe.

    Raises
        ImportError: this process was forked in the middle of loading, which never ended.
    """
    missing = [name for name in modules if name not in _loaded]
    if not missing:
        return
    with _lock:
        for name in missing:
            if _was_interrupted:
                raise ImportError(
                    f"{name} cannot be loaded: this process was forked while another thread was "
                    "loading modules, which never ends here; make a first call before the fork",
                    name=name,
                )
            import_module(name)
            _loaded.add(name)


def _before_fork() -> None:
    # bounded: a hook that ran before this one may hold a lock that a module waits for
    _held.append(False)
    known: list[str] = []
    while not _held[-1] and known != (now := list(sys.modules)):
        known = now
        _held[-1] = _lock.acquire(timeout=_NO_MODULE_SEC)


def _after_fork() -> None:
    if _held.pop():
        _lock.release()


def _after_fork_in_child() -> None:
    global _lock, _was_interrupted
    if _held.pop():
        _lock.release()
    else:  # held by a thread that does not exist here
        _lock = threading.RLock()
        _was_interrupted = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
    )
