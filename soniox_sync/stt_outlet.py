"""How a user gets the events of a transcription: by iterating, or by handlers.

Shared by `SttSession` and `Recording`. Pull by default; the first handler for results or tokens
switches to push (docs/threads.rst).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional, TypeVar

from .delivery import CallbackWorker, Delivery, Emitter, Handler
from .errors import SonioxError
from .protocol.tokens import Result, SttEvent
from .transport.deadline import Deadline

_DATA_EVENTS = ("result", "token")

Self = TypeVar("Self", bound="SttOutlet")


class SttOutlet:
    """Holds the queue of events, the handlers and their thread. Safe from any thread."""

    def __init__(
        self, names: Sequence[str], final: Sequence[str], max_events: int, thread_name: str
    ) -> None:
        self._worker = CallbackWorker(thread_name)
        self._events = Emitter(names, self._worker, final=final)
        self._delivery: Delivery[SttEvent] = Delivery(max_events, "events")

    def __iter__(self) -> Iterator[SttEvent]:
        """Iterate over events as they arrive; ends after the `"finished"` one.

        Raises the error that ended the transcription, after everything received before it: the
        mapped error of an error frame, `SonioxConnectionError` when the line ended first,
        `BufferOverflowError` when more than `max_buffered_events` were waiting. `StateError` once
        a handler takes the results.
        """
        self._delivery.start_pulling()
        return self._pull()

    def _pull(self) -> Iterator[SttEvent]:
        take, forever = self._delivery.take, Deadline(None)
        while True:
            event = take(forever, "result")
            if event is None:
                return
            yield event

    def results(self) -> Iterator[Result]:
        """Iterate over the `Result`s only, the `finished` one last; ends and raises like `iter`."""
        self._delivery.start_pulling()
        return (event.result for event in self._pull() if event.kind in ("result", "finished"))

    def on(self: Self, event: str, handler: Handler) -> Self:
        """Call `handler` at each `event`, one of those the class names; gives the object back.

        Handlers run on a callback thread, one at a time, in order, and may call any method. One
        for `"result"` or `"token"` takes the results from then on, what waited first; iterating
        raises `StateError` after it.

        Raises `ConfigurationError` for an unknown event, `StateError` for a data handler once the
        results are iterated.
        """
        self._register(event, handler, once=False)
        return self

    def once(self: Self, event: str, handler: Handler) -> Self:
        """Call `handler` at the next `event` only; otherwise like `on()`."""
        self._register(event, handler, once=True)
        return self

    def off(self: Self, event: str, handler: Optional[Handler] = None) -> Self:
        """Forget a handler, or all of `event`."""
        self._events.off(event, handler)
        return self

    def _register(self, event: str, handler: Handler, once: bool) -> None:
        self._events.on(event, handler, once=once)
        if event in _DATA_EVENTS:
            try:
                self._delivery.push_to(self._push, self._worker)
            except SonioxError:
                self._events.off(event, handler)
                raise

    def _push(self, event: SttEvent) -> None:
        """Run the handlers for one event, on the callback thread."""
        if event.kind == "result":
            self._events.run("result", event.result)
            if self._events.has("token"):
                for token in event.result.tokens:
                    self._events.run("token", token)
        elif not event.told:
            self._events.run(event.kind)

    def _offer(self, event: SttEvent) -> bool:
        """Queue one event and tell handlers of markers; False when the queue is full."""
        live = event.kind != "result" and not self._delivery.is_pushed
        if live and self._events.has(event.kind):
            event.told = True
            self._events.emit(event.kind)
        return self._delivery.put(event, 1)

    def _renew_locks(self) -> None:
        """Replace locks that a fork may have copied in the taken state."""
        self._delivery.renew_locks()
        self._events.renew_locks()
        self._worker.renew_locks()
