"""Closing and cancelling where this library itself may have been stopped half way.

A signal handler runs in the main thread, on top of whatever was interrupted there. If that is a
call of this library it may hold a lock, and no lock here is reentrant: a `close()` in the handler
would wait for itself.

While the interpreter shuts down, threads have stopped wherever they were, also with a lock in hand.
An iterator that is collected then closes its object, which would wait for such a lock for ever.
"""

from __future__ import annotations

import functools
import sys
import threading
from types import FrameType
from typing import Any, Callable, Optional, TypeVar, cast

from .._support.beside import run_beside

F = TypeVar("F", bound=Callable[..., None])

# code in these modules may hold a lock; the command line and the sandbox hold none
_UNITS = (
    *("cancel", "conversation", "protocol", "realtime", "recorder", "runtime", "sources"),
    "transport",
)
_PACKAGE = __name__.partition(".")[0]


def safe_in_signal_handlers(method: F) -> F:
    """Run a method on another thread when its caller interrupted a call of this library.

    The caller waits for it, but not forever. While the interpreter shuts down nothing is called:
    no thread runs, and the system closes the sockets. Everywhere else the method is called
    directly.
    """

    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> None:
        if sys.is_finalizing():
            return
        if _interrupts_library():
            run_beside(lambda: method(*args, **options))
        else:
            method(*args, **options)

    return cast(F, call)


def _interrupts_library() -> bool:
    """Return whether the caller is a signal handler that interrupted a call of this library."""
    if threading.current_thread() is not threading.main_thread():
        return False  # signal handlers run nowhere else
    frame: Optional[FrameType] = sys._getframe(2)
    while frame is not None and _is_ours(frame):  # the call itself
        frame = frame.f_back
    while frame is not None and not _is_ours(frame):
        frame = frame.f_back
    return frame is not None


def _is_ours(frame: FrameType) -> bool:
    package, _, name = str(frame.f_globals.get("__name__", "")).partition(".")
    return package == _PACKAGE and name.partition(".")[0] in _UNITS
