"""How a user gets the events of a transcription, shared by `SttSession` and `Recording`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Callable, Optional, TypeVar

from ..._support.checks import timeout
from ...errors import StateError
from ...protocol.tokens import Result, SttEvent
from ...runtime.clock import Clock, process_clock
from ...runtime.delivery import CallbackWorker
from ...runtime.outlet import Outlet
from ...transcript import Transcript, Utterance
from ...transcript.cutter import UtteranceCutter
from ...transport.deadline import Deadline

# Wakes who waits for an utterance, when time has completed one. Nobody is given this object.
_WAKE = SttEvent("result", Result())

T = TypeVar("T")


class SttOutlet(Outlet[SttEvent]):
    """Outlet of `SttEvent`s, with the transcript of all of them. Thread-safe.

    `has_endpoints` returns whether the service was asked for endpoints; it is called when the first
    utterance is asked for.
    """

    def __init__(
        self,
        names: Sequence[str],
        final: Sequence[str],
        max_events: int,
        thread_name: str,
        *,
        has_endpoints: Callable[[], bool],
        clock: Clock = process_clock,
    ) -> None:
        super().__init__(
            names,
            final=final,
            data_events=("result", "token"),
            push=self._run_handlers,
            limit=max_events,
            what="events",
            worker=CallbackWorker(thread_name),
        )
        # Immutable
        self.transcript: Transcript = Transcript()
        self._has_endpoints = has_endpoints
        self._clock = clock
        # Consumer only
        self._cutter: Optional[UtteranceCutter] = None
        self.was_read: bool = False  # by read(), to the end

    def offer(self, event: SttEvent, weight: int = 1) -> bool:
        """Add one event to transcript and queue, and call the handlers of markers.

        `weight`: how much of the queue's limit it takes. Returns False when the queue is full. For
        `"finished"` there is room always: it is one event, and has no words.
        """
        self.transcript.add_event(event)
        if self.delivery.error is not None:
            return True  # closed or failed: that was the end, and it has been told
        kind = event.kind
        live = kind != "result" and not self.delivery.is_pushed
        # of the end a handler that comes later is told as well
        event.dispatched = live and (kind == "finished" or self.events.has(kind))
        if not self.delivery.put(event, 0 if kind == "finished" else weight):
            return False
        if event.dispatched:  # in the queue first: what had no room there has not happened
            self.events.emit(kind)
        return True

    def _run_handlers(self, event: SttEvent) -> None:
        """Run the handlers for one event, on the callback thread."""
        if event.kind == "result":
            self.events.run("result", event.result)
            if self.events.has("token"):
                for token in event.result.tokens:
                    self.events.run("token", token)
        elif not event.dispatched:
            self.events.run(event.kind)

    def take(self, deadline: Deadline, what: str) -> Optional[SttEvent]:
        """Wait for the next event and return it, or `None` at the end; see `Delivery.take`."""
        while (event := self.delivery.take(deadline, what)) is _WAKE:
            pass
        return event

    def pull(self) -> Iterator[SttEvent]:
        """Yield events until the end; raise what ended the transcription early."""
        take, forever = self.delivery.take, Deadline(None)
        while (event := take(forever, "next result")) is not None:
            if event is not _WAKE:
                yield event

    def pull_utterances(self) -> Iterator[Utterance]:
        """Yield utterances until the end; raise what ended the transcription early."""
        if self._cutter is None:
            # one for all calls: what is left of one that was left early is the next one's
            self._cutter = UtteranceCutter(by_endpoint=self._has_endpoints())
        cutter = self._cutter
        # Time counts only when its mark comes out of the queue: what a slow loop has not taken yet
        # had come before.
        now: Optional[float] = None
        while True:
            while (utterance := cutter.take(now)) is not None:
                yield utterance
            try:
                event = self._take_until(cutter.due)
            except Exception:
                cutter.fail()
                while (utterance := cutter.take()) is not None:
                    yield utterance
                raise
            if event is None:
                return
            now = self._clock.now() if event is _WAKE else None
            if event is not _WAKE:
                cutter.add(event, self._clock.now())

    def _take_until(self, due: Optional[float]) -> Optional[SttEvent]:
        """Wait for the next event as `take()` does; `_WAKE` when the clock reaches `due` first."""
        timer = None if due is None else self._clock.call_at(due, self._wake)
        try:
            return self.delivery.take(Deadline(None), "next result")
        finally:
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        self.delivery.put(_WAKE, 0)

    def check_unread(self) -> None:
        """Raise `StateError` after `read()`, which took everything.

        Nothing would come any more, as if nothing had been said.
        """
        if self.was_read:
            raise StateError(
                "read() has taken everything: use the transcript that it returned, which has "
                "utterances() and tokens"
            )


class EventSource:
    """Events and utterances of a transcription, to be iterated, and its transcript. Thread-safe.

    There is one queue: what one call takes, another does not get.
    """

    def __init__(self, outlet: SttOutlet) -> None:
        self._outlet = outlet

    @property
    def transcript(self) -> Transcript:
        """Live transcript of all that was received, iterated or not. Safe to read at any time."""
        return self._outlet.transcript

    def __iter__(self) -> Iterator[SttEvent]:
        """Iterate over events as they arrive; ends after the `"finished"` one.

        Raises the error that ended the transcription, after everything received before it: the
        mapped error of an error frame, `SonioxConnectionError` when the connection ended first,
        `BufferOverflowError` when more than `max_buffered_events` were waiting. `StateError` once
        a handler takes the results, or `read()` has taken everything.
        """
        self._outlet.check_unread()
        self._outlet.delivery.start_pulling()
        return self._in_use(self._outlet.pull())

    def results(self) -> Iterator[Result]:
        """Iterate over the `Result`s only, the `finished` one last.

        Ends and raises as iterating over the events does.
        """
        self._outlet.check_unread()
        self._outlet.delivery.start_pulling()
        events = self._in_use(self._outlet.pull())
        return (event.result for event in events if event.kind in ("result", "finished"))

    def utterances(self) -> Iterator[Utterance]:
        """Iterate over what was said, one finished utterance at a time, each once.

        With endpoint detection on, an utterance ends at an endpoint; without it, at a pause of
        1.5 s, at a change of speaker, or with the answer to `finalize()`. The last one comes at the
        end. With translation on, an utterance is handed out with the translations that came before
        its end or within 2 s after it; later ones are in the next utterance. It has no words that
        are not final. A loop that was left can be continued by another one.

        Ends and raises as iterating over the events does, after the utterances that were finished;
        the words of an unfinished one are in `transcript`.
        """
        self._outlet.check_unread()
        self._outlet.delivery.start_pulling()
        return self._in_use(self._outlet.pull_utterances())

    def _in_use(self, items: Iterator[T]) -> Iterator[T]:
        """Yield `items`; while somebody holds the generator, this object is not collected."""
        yield from items

    def read(self, timeout_sec: Optional[float] = None) -> Transcript:
        """Wait for the end of the transcription and return the whole transcript.

        `timeout_sec`: the longest wait, `None` (the default) for as long as it takes, 0: do not
        wait. What has come stays in `transcript`, also after an error.

        Raises
            SonioxTimeoutError: the end did not come in time; it can be called again.
            StateError: a handler takes the results.
            SonioxError: what ended the transcription early, of its own class; `AbortError` when it
                was cancelled.
        """
        timeout("timeout_sec", timeout_sec)
        deadline = Deadline(timeout_sec)
        while self._outlet.take(deadline, "last result") is not None:
            pass
        self._outlet.was_read = True
        return self._outlet.transcript

    def next_event(self, timeout_sec: Optional[float] = None) -> Optional[SttEvent]:
        """Wait for the next event and return it; `None`: the transcription has finished.

        `timeout_sec`: the longest wait, `None` (the default) for as long as it takes, 0: do not
        wait.

        Raises
            SonioxTimeoutError: no event came in time.
            StateError: a handler takes the results.
            SonioxError: what ended the transcription early, after the events before it.
        """
        timeout("timeout_sec", timeout_sec)
        return self._outlet.take(Deadline(timeout_sec), "next event")
