"""`Outlet`: how data and events of a stream, session or recording reach its user.

Data is pulled by iterating, until the first handler for data switches to push (docs/threads.rst).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Generic, Optional, TypeVar

from ..errors import SonioxError
from .delivery import CallbackWorker, Delivery, Emitter, Handler

T = TypeVar("T")


class Outlet(Generic[T]):
    """Queue of data, registry of handlers, and the thread they run on. Thread-safe.

    `names`: all events; `final` ones are also reported to a handler that is registered later.
    With a handler of one of `data_events` the data goes through `push` and cannot be iterated.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        final: Sequence[str],
        data_events: Sequence[str],
        push: Callable[[T], None],
        limit: int,
        what: str,
        worker: CallbackWorker,
    ) -> None:
        self.worker = worker
        self.events: Emitter = Emitter(names, worker, final=final)
        self.delivery: Delivery[T] = Delivery(limit, what)
        self._data_events = data_events
        self._push = push
        # the user's handle: an object with handlers lives until its end, referenced or not
        self._kept: Optional[object] = None
        self._is_over = False

    def register(
        self, event: str, handler: Handler, *, once: bool = False, keep: Optional[object] = None
    ) -> None:
        """Add a handler; the first one for data switches to push. Holds `keep` until `release()`.

        Raises
            ConfigurationError: an unknown event, or no handler.
            StateError: a data handler although the data is being iterated.
        """
        self.events.on(event, handler, once=once)
        if event in self._data_events:
            try:
                self.delivery.push_to(self._push, self.worker)
            except SonioxError:
                self.events.off(event, handler)
                raise
        self._kept = keep
        if self._is_over:  # looked at last, as release() sets it first
            self._kept = None

    def release(self) -> None:
        """Drop the reference to the user's handle: only the end is left to report."""
        self._is_over = True
        self._kept = None

    def unregister(self, event: str, handler: Optional[Handler] = None) -> None:
        """Remove a handler, or all of `event`."""
        self.events.off(event, handler)
