"""Running work on another thread, from code that may have interrupted anything."""

from __future__ import annotations

import _thread
import logging
from typing import Callable

_log = logging.getLogger("soniox_sync")

# Work takes longer only where the interrupted code holds a lock that it needs; it then completes as
# soon as the signal handler has returned.
_WAIT_SEC = 1.0


def run_beside(work: Callable[[], None]) -> None:
    """Run `work()` on another thread and wait for it, at most 1 s; what it raises is logged.

    For signal handlers, which run in the main thread on top of code that may hold a lock that
    `work` needs.
    """
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 - a thread's top: logged
            _log.exception("! a call from a signal handler failed")
        finally:
            done.release()

    try:
        # not threading.Thread: its start() takes locks that the interrupted code may hold
        _thread.start_new_thread(run, ())
    except RuntimeError:  # the interpreter is shutting down
        run()
    done.acquire(timeout=_WAIT_SEC)
