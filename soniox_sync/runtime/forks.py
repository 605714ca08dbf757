"""Forks: in a child process, what was inherited from the parent is invalidated.

A forked child has copies of the parent's connections, locks and queues, and none of its threads. It
may be forked anywhere in the other threads: in the middle of a change that a lock guards, too. So

- every lock is free in the child (`_support.locks`), and no timer is left (`clock`);
- an object that needs threads or a connection of the parent registers a method here, itself and
  from the beginning, which makes the copy unusable, with an error that says why, or empty. The
  method relies on nothing that a lock guards: it assigns, sets latches and ends queues. It leaves
  alone what was over, which the object's last act says. What waits then ends;
- what only holds settings is as good in the child.

The parent's object goes on untouched. A connection unregisters as its last act, which says that it
was over; nothing else has to.
"""

from __future__ import annotations

import logging
import os
import weakref
from typing import Any, Callable

from .._support.locks import new_lock, renew
from ..errors import SonioxConnectionError
from .clock import process_clock

_log = logging.getLogger("soniox_sync")

# the function to call for each object, which is held weakly: registering keeps nothing alive.
# Not `WeakMethod`s: those that are left at the interpreter's exit print an error
_registered: weakref.WeakKeyDictionary[object, Callable[[Any], None]] = weakref.WeakKeyDictionary()
# Guards _registered, except for removals by the garbage collector. Leaf.
_lock = new_lock()
# the process in which everything registered is valid
_pid = os.getpid()


def register(invalidate: Callable[[], None]) -> None:
    """Have the bound method `invalidate` called in every child that this process forks.

    One method for each object.
    """
    with _lock:
        _registered[_owner(invalidate)] = invalidate.__func__  # type: ignore[attr-defined]


def unregister(invalidate: Callable[[], None]) -> None:
    """Undo `register()`: the object has ended by itself. Harmless when repeated."""
    with _lock:
        _registered.pop(_owner(invalidate), None)


def _owner(method: Callable[[], None]) -> object:
    return method.__self__  # type: ignore[attr-defined]


def fork_error(what: str, verb: str = "open") -> SonioxConnectionError:
    """Return the error of a forked child that uses an object of its parent's.

    `verb`: what the user does to get such an object, "open" or "start".
    """
    return SonioxConnectionError(
        f"this {what} was {verb}ed before a fork and belongs to the parent process: {verb} a new "
        "one in the child",
        code="forked",
    )


def check() -> None:
    """Invalidate what was inherited, if this process was forked behind Python's back.

    uWSGI does that with the processes of a master that has loaded the application, unless it is
    started with `--py-call-osafterfork`: no hook of Python runs. Called where inherited objects are
    used, which would otherwise wait for threads that do not exist here.
    """
    if os.getpid() != _pid:
        renew()
        process_clock.reset()
        _after_fork_in_child()


def _after_fork_in_child() -> None:
    global _pid
    for owner, invalidate in list(_registered.items()):
        try:
            invalidate(owner)
        except Exception:  # noqa: BLE001 - the others must not wait for ever: logged
            _log.exception("! %r is not usable after a fork", type(owner))
    _pid = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
