"""The order of locks, as it is written where each lock is made (docs/architecture.rst)."""

from __future__ import annotations

import functools
import linecache
import re
from typing import Any

from .failures import HeldWhileWaiting, LockOrder

# from left to right: nobody takes a lock that stands to the left of one that it holds
FIRST, RECORDING, SEND, STATE, LEAF, UNKNOWN = range(6)
NAMES = ("first of all", "Recording", "send", "state", "leaf", "unknown")
# how the sentence of a lock says where it stands
_SAID = (
    (r"Taken before any\s+other", FIRST),
    (r"Order: Recording", RECORDING),
    (r"Guards the sending side", SEND),
    (r"Order: send -> state", STATE),
    (r"\bLeaf\b", LEAF),
)
# may be held while its holder waits for a socket, or for a connection to open
_MAY_WAIT = (FIRST, SEND)


@functools.cache
def rank(site: tuple[str, int]) -> int:
    """Return where the lock stands that is made at a line."""
    name, line = site
    if "soniox_sync" not in name:
        return UNKNOWN  # a lock of the scenario
    sentence = _sentence(name, line)
    for pattern, found in _SAID:
        if re.search(pattern, sentence):
            return found
    return UNKNOWN


def _sentence(name: str, line: int) -> str:
    above: list[str] = []
    while (text := linecache.getline(name, line - 1 - len(above)).strip()).startswith("#"):
        above.insert(0, text.lstrip("# "))
    return " ".join(above)


def is_gate(lock: Any) -> bool:
    """Return whether it belongs to a `Latch`, which takes it to wait and not to guard anything."""
    return bool(lock.site[0].endswith("latch.py"))


def check(kernel: Any, me: Any, lock: Any) -> None:
    """Fail unless `me` may wait for `lock` with what it holds."""
    wanted = rank(lock.site)
    if is_gate(lock):
        check_wait(kernel, me, "wait for a latch", lock)
        return
    if wanted == UNKNOWN:
        return
    for held in me.held:
        if is_gate(held) or held is lock:
            continue
        if rank(held.site) > wanted and rank(held.site) != UNKNOWN:
            kernel.fail(LockOrder(_said(me, lock, held)))
        _remember(kernel, me, held, lock)


def _remember(kernel: Any, me: Any, held: Any, lock: Any) -> None:
    """Locks of one rank may be nested one way only, whoever does it."""
    edge = (held.site, lock.site)
    if edge in kernel.edges:
        return
    kernel.edges[edge] = f"{me} took {describe(lock)} holding {describe(held)}"
    if _reaches(kernel.edges, lock.site, held.site):
        kernel.fail(LockOrder(f"{_said(me, lock, held)}; elsewhere it is the other way round"))


def _reaches(edges: Any, start: Any, goal: Any) -> bool:
    seen, todo = {start}, [start]
    while todo:
        here = todo.pop()
        if here == goal:
            return True
        for a, b in edges:
            if a == here and b not in seen:
                seen.add(b)
                todo.append(b)
    return False


def check_wait(kernel: Any, me: Any, kind: str, what: Any, allowed: Any = _MAY_WAIT) -> None:
    """Fail if `me` holds a lock under which nobody may wait for anything but a lock."""
    for held in me.held:
        if is_gate(held) or rank(held.site) == UNKNOWN or rank(held.site) in allowed:
            continue
        kernel.fail(HeldWhileWaiting(f"{me}: {kind} while holding {describe(held)}"))


def _said(me: Any, lock: Any, held: Any) -> str:
    return f"{me} takes {describe(lock)} while holding {describe(held)}"


def describe(lock: Any) -> str:
    """Return a lock's attribute, file and line, and where it stands in the order."""
    name, line = lock.site
    text = linecache.getline(name, line).strip()
    attribute = text.partition("=")[0].partition(":")[0].strip() or "lock"
    short = name.rpartition("soniox_sync/")[2].rpartition("tests/")[2]
    return f"{attribute} ({short}:{line}, {NAMES[rank(lock.site)]})"
