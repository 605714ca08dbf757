"""`ResourceWarning` for objects that are garbage-collected while open, and a way to end them.

A session that nobody refers to would otherwise go on with its reader thread and keepalives, and be
billed, until the process ends.
"""

from __future__ import annotations

import _thread
import logging
import sys
import warnings
import weakref
from typing import Callable

_log = logging.getLogger("soniox_sync")


def close_when_collected(
    handle: object,
    describe: Callable[[], str],
    is_open: Callable[[], bool],
    end: Callable[[], None],
) -> None:
    """Warn and call `end()` when `handle` is collected while `is_open()`.

    `describe` returns the name of the object for the warning, or `""` for no warning.

    None of the functions may refer to the handle. `end` runs on a thread of its own: the collector
    may have interrupted a thread that holds any lock. Not called at interpreter exit.
    """
    weakref.finalize(handle, _collected, describe, is_open, end).atexit = False


def _collected(
    describe: Callable[[], str], is_open: Callable[[], bool], end: Callable[[], None]
) -> None:
    if sys.is_finalizing() or not is_open():
        return
    try:
        _thread.start_new_thread(end, ())
    except RuntimeError as error:  # no more threads, or the interpreter is shutting down
        _log.debug("! could not end the unclosed %s: %s", describe(), error)
    name = describe()
    if name:
        warnings.warn(
            f"unclosed {name}: call close() or use a with block", ResourceWarning, stacklevel=2
        )
