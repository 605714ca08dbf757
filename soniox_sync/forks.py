"""Forks: what a child inherited of its parent's connections is told so, in the child."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Heir(Protocol):
    """Is an object whose copy in a forked child must not act as the parent's."""

    def _orphan(self) -> None:
        """Renew locks, forget threads, and be dead or empty; the parent's goes on."""


# weak, so that nothing is kept alive by it
_heirs: weakref.WeakSet[Heir] = weakref.WeakSet()
# Guards _heirs. Leaf.
_lock = threading.Lock()


def remember(heir: Heir) -> None:
    """Have `heir` told in a forked child."""
    with _lock:
        _heirs.add(heir)


def forget(heir: Heir) -> None:
    """Tell `heir` nothing any more: it has ended."""
    with _lock:
        _heirs.discard(heir)


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()  # a fork copies the lock as it is, taken or not
    for heir in list(_heirs):
        heir._orphan()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
