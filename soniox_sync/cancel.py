"""`CancelToken`: ends any number of calls."""

from __future__ import annotations

import logging
import threading
from typing import Callable, Optional

from ._support.beside import run_beside
from ._support.checks import Check, function, instance_of
from ._support.checks import timeout as check_timeout
from ._support.locks import new_lock
from ._support.reprs import quoted, summary
from .errors import AbortError
from .transport.deadline import Deadline, wait_for
from .transport.latch import Latch

_log = logging.getLogger("soniox_sync")


class CancelToken:
    """Token that ends every call it was passed to; they raise `AbortError`.

    A token is used once: it stays cancelled. Thread-safe, also in a signal handler.
    Source: PROTOCOL 9 (AbortSignal).
    """

    def __init__(self) -> None:
        self._cancelled = False  # set once, without a lock
        self._latch = Latch()  # set once callbacks are about to run
        # Guards _callbacks and _reason. Never held while a callback runs. Leaf.
        self._lock = new_lock()
        self._callbacks: list[Callable[[], object]] = []
        self._reason: Optional[str] = None

    @property
    def cancelled(self) -> bool:
        """Whether `cancel()` was called."""
        return self._cancelled

    @property
    def reason(self) -> Optional[str]:
        """Reason given to `cancel()`, `None` before it or without one."""
        return self._reason

    def cancel(self, reason: Optional[str] = None) -> None:
        """End every call that uses this token; later calls do nothing.

        Returns when all callbacks have run; in the main thread, which may be in a signal handler,
        after at most 1 s.
        """
        self._cancelled = True
        if threading.current_thread() is threading.main_thread():
            run_beside(lambda: self._cancel(reason))
        else:
            self._cancel(reason)

    def _cancel(self, reason: Optional[str]) -> None:
        with self._lock:
            if self._latch.is_set():
                return
            self._reason = reason
            self._latch.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback()
            except Exception:  # noqa: BLE001 - the caller's code: logged, the others still run
                _log.exception("! a cancel callback failed")

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until cancelled, at most `timeout` seconds (`None`: forever); return `cancelled`.

        Raises
            ConfigurationError: `timeout` is not a number of seconds from 0 up.
        """
        check_timeout("timeout", timeout)
        return wait_for(self._latch, Deadline(timeout))

    def on_cancel(self, fn: Callable[[], object]) -> Callable[[], None]:
        """Call `fn()` once on cancel, or now if already cancelled; return a function to undo this.

        `fn` runs in the thread that cancels, or in another if that is the main thread. It must not
        block.

        Raises
            InputTypeError: `fn` cannot be called.
        """
        function("fn", fn)
        with self._lock:
            if not self._latch.is_set():
                self._callbacks.append(fn)
                return lambda: self._remove(fn)
        fn()
        return lambda: None

    def _remove(self, fn: Callable[[], object]) -> None:
        with self._lock:
            if fn in self._callbacks:
                self._callbacks.remove(fn)

    def error(self) -> AbortError:
        """Return the exception that a cancelled call raises."""
        return AbortError(f"cancelled: {self._reason}" if self._reason else "cancelled")

    def raise_if_cancelled(self) -> None:
        """Raise `AbortError` if cancelled."""
        if self.cancelled:
            raise self.error()

    def __repr__(self) -> str:
        reason = f": {quoted(self._reason)}" if self._reason else ""
        return summary(self, f"cancelled{reason}" if self.cancelled else "open")


check_cancel: Check = instance_of(CancelToken)
