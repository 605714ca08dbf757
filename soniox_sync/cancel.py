"""`CancelToken`: one switch that ends any number of calls."""

from __future__ import annotations

import _thread
import logging
import threading
from typing import Callable, Optional

from .errors import AbortError
from .transport.deadline import Deadline, wait_for
from .transport.latch import Latch

_log = logging.getLogger("soniox_sync")

# how long the main thread waits for what it cancelled: in a signal handler it may hold, itself, the
# lock that a callback needs, and lets go of it only after this
_MAIN_THREAD_WAIT_SEC = 1.0


class CancelToken:
    """Ends every call it was handed to; those raise `AbortError`. Safe from any thread and from a
    signal handler.

    A token is for one use: once cancelled it stays so. Source: PROTOCOL 9 (AbortSignal).
    """

    def __init__(self) -> None:
        self._asked = False  # set once, without a lock
        self._event = Latch()
        # Guards _callbacks and _reason. Never held while a callback runs. Leaf.
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self._reason: Optional[str] = None

    @property
    def cancelled(self) -> bool:
        """Tell whether `cancel()` was called."""
        return self._asked

    @property
    def reason(self) -> Optional[str]:
        """Give the reason handed to `cancel()`, `None` before it or without one."""
        return self._reason

    def cancel(self, reason: Optional[str] = None) -> None:
        """Wake everything that waits on this token; later calls do nothing.

        Returns once all was told; in the main thread, which may be in a signal handler, after a
        second at most.
        """
        self._asked = True
        if threading.current_thread() is not threading.main_thread():
            self._cancel(reason)
            return
        done = _thread.allocate_lock()
        done.acquire()

        def run() -> None:
            try:
                self._cancel(reason)
            finally:
                done.release()

        try:
            # not threading.Thread: its start() takes locks that the interrupted code may hold
            _thread.start_new_thread(run, ())
        except RuntimeError:  # the interpreter is shutting down
            run()
        done.acquire(timeout=_MAIN_THREAD_WAIT_SEC)

    def _cancel(self, reason: Optional[str]) -> None:
        with self._lock:
            if self._event.is_set():
                return
            self._reason = reason
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # noqa: BLE001 - the caller's code: logged, the others still run
                _log.exception("! a cancel callback failed")

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until cancelled, at most `timeout` seconds (`None`: for ever); tell whether."""
        return wait_for(self._event, Deadline(timeout))

    def on_cancel(self, fn: Callable[[], object]) -> Callable[[], None]:
        """Call `fn()` once on cancel, at once if that was before; returns an undo function.

        `fn` runs in the thread that cancels, or in one of its own if that is the main thread; it
        should not block.
        """
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(fn)
                return lambda: self._forget(fn)
        fn()
        return lambda: None

    def _forget(self, fn: Callable[[], object]) -> None:
        with self._lock:
            if fn in self._callbacks:
                self._callbacks.remove(fn)

    def error(self) -> AbortError:
        """Make the exception that a cancelled call raises."""
        return AbortError(f"cancelled: {self._reason}" if self._reason else "cancelled")

    def raise_if_cancelled(self) -> None:
        """Raise `AbortError` if `cancel()` was called."""
        if self.cancelled:
            raise self.error()

    def __repr__(self) -> str:
        return f"<CancelToken {'cancelled' if self.cancelled else 'open'}>"
