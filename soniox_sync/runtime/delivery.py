"""From the reader thread to the user: queues to pull from, handlers to push to.

`Delivery` is the queue of one stream, `CallbackWorker` the thread that runs handlers, `Emitter` the
registry of handlers. The reader only puts; it never runs a handler and never waits. What users see
of this is in docs/threads.rst.
"""

from __future__ import annotations

import inspect
import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any, Callable, Generic, Optional, TypeVar, cast

from .._support.checks import function, one_of
from .._support.locks import new_lock
from ..errors import BufferOverflowError, SonioxTimeoutError, StateError, fresh
from ..transport.deadline import Deadline, take_from, wait_for
from ..transport.latch import Latch
from . import forks

_log = logging.getLogger("soniox_sync")

Handler = Callable[..., object]
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def typed_as(model: F) -> Callable[[Callable[..., Any]], F]:
    """Declare a function to have the type of another: `once()` takes what `on()` takes."""
    return lambda function: cast(F, function)


# in place of a handler, in `@on(event)`; `None` is refused, like anything that cannot be called
DECORATED: Any = object()


def register_or_decorate(
    owner: Any, register: Callable[..., object], event: str, handler: Any, **options: Any
) -> Any:
    """Register `handler` and return `owner`; for `DECORATED` return a decorator that registers."""
    if handler is not DECORATED:
        register(event, handler, **options)
        return owner

    def decorate(decorated: Handler) -> Handler:
        register(event, decorated, **options)
        return decorated

    return decorate


class CallbackWorker:
    """Thread that runs handlers one at a time, in order. It starts with the first handler."""

    def __init__(self, name: str) -> None:
        self._name = name
        # Guards _thread and _stopped. Leaf.
        self._lock = new_lock()
        self._jobs: queue.SimpleQueue[Optional[Callable[[], None]]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._stopped = False
        forks.register(self._invalidate)

    def start(self) -> None:
        """Start the thread unless it is running."""
        with self._lock:
            self._start()

    def post(self, job: Callable[[], None]) -> None:
        """Run `job` after those posted before; jobs posted after `stop()` still run."""
        with self._lock:
            self._jobs.put(job)
            self._start()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread = thread  # before start(): Ctrl-C may interrupt start() once it runs
            try:
                thread.start()
            except RuntimeError:  # the system cannot start another thread
                self._thread = None
                raise
            if self._stopped:
                self._jobs.put(None)

    def stop(self) -> None:
        """End the thread once everything posted has run. Does not wait; may be repeated."""
        with self._lock:
            self._stopped = True
            if self._thread is not None:
                self._jobs.put(None)  # each time: Ctrl-C may have come before the first one

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread, in a handler."""
        return threading.current_thread() is self._thread

    def _invalidate(self) -> None:
        """Start over in a forked child, where the thread does not exist."""
        self._jobs = queue.SimpleQueue()
        self._thread = None
        self._stopped = True

    def drain(self, deadline: Deadline) -> bool:
        """Wait until everything posted so far has run; return whether it has.

        Inside a handler it returns True at once.
        """
        with self._lock:
            if self._thread is None or self.is_current:
                return True
        done = Latch()
        self.post(done.set)
        return wait_for(done, deadline)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is not None:  # `None` only wakes it
                try:
                    job()
                except Exception:  # noqa: BLE001 - top of a thread: logged
                    _log.exception("! a callback job failed")
            if self._stopped:
                with self._lock:
                    if self._jobs.empty():  # what was posted after stop() has run, too
                        self._thread = None
                        return


class _Entry:
    """One registration of a handler."""

    __slots__ = ("arity", "handler", "knows_end", "once")

    def __init__(self, handler: Handler, once: bool) -> None:
        # Immutable
        self.handler = handler
        self.arity = _arity(handler)
        self.once = once
        # Under the emitter's lock
        self.knows_end = False  # it was called for its final event


class Emitter:
    """Registry of handlers by event name. Handlers run on the worker, never in the caller.

    A handler may take fewer arguments than its event has. A handler of a `final` event (an end, an
    error) that is registered after the event is called too: it would otherwise wait forever. Who is
    called is decided when the handlers run, so that `off()` holds for what still waits to run.
    """

    def __init__(self, names: Sequence[str], worker: CallbackWorker, final: Sequence[str] = ()):
        self._check_event = one_of(names)
        self._final = frozenset(final)
        self._worker = worker
        # Guards the fields below. Never held while a handler runs. Leaf.
        self._lock = new_lock()
        self._handlers: dict[str, list[_Entry]] = {}
        self._happened: dict[str, tuple[Any, ...]] = {}

    def on(self, event: str, handler: Handler, *, once: bool = False) -> None:
        """Call `handler` at each `event` (`once`: at the next only)."""
        self._check_event("event", event)
        function("handler", handler)
        entry = _Entry(handler, once)
        self._worker.start()  # here, so that the reader never starts a thread
        with self._lock:
            self._handlers.setdefault(event, []).append(entry)
            happened = event in self._happened
        if happened:
            self._worker.post(lambda: self._tell_end(event))

    def off(self, event: str, handler: Optional[Handler] = None) -> None:
        """Remove `handler`, or all handlers of `event`."""
        self._check_event("event", event)
        if handler is not None:
            function("handler", handler)
        with self._lock:
            kept = [e for e in self._handlers.get(event, ()) if handler not in (None, e.handler)]
            self._handlers[event] = kept

    def has(self, event: str) -> bool:
        """Return whether `event` has a handler."""
        return bool(self._handlers.get(event))

    def emit(self, event: str, *args: Any) -> None:
        """Have the worker call the handlers of `event`; of a `final` event, only the first time.

        Never blocks, never raises.
        """
        with self._lock:
            is_final = event in self._final
            if is_final:
                self._happened.setdefault(event, args)
            if not self._handlers.get(event):
                return
        job = (lambda: self._tell_end(event)) if is_final else (lambda: self.run(event, *args))
        self._worker.post(job)

    def run(self, event: str, *args: Any) -> None:
        """Call the handlers of `event` now, as `emit()` has them called.

        For jobs that already run on the worker.
        """
        if event in self._final:
            with self._lock:
                self._happened.setdefault(event, args)
            self._tell_end(event)
        else:
            self._call_all(event, args)

    def _tell_end(self, event: str) -> None:
        """Call the handlers of a final event that have not been called for it."""
        with self._lock:
            entries = [each for each in self._take(event) if not each.knows_end]
            for entry in entries:
                entry.knows_end = True
            args = self._happened[event]
        for entry in entries:
            self._call(event, entry, args)

    def _call_all(self, event: str, args: tuple[Any, ...]) -> None:
        with self._lock:
            entries = self._take(event)
        for entry in entries:
            self._call(event, entry, args)

    def _take(self, event: str) -> list[_Entry]:
        """Return the handlers to call; those of `once` are no longer registered. Under the lock."""
        entries = list(self._handlers.get(event, ()))
        if any(entry.once for entry in entries):
            self._handlers[event] = [e for e in entries if not e.once]
        return entries

    def _call(self, event: str, entry: _Entry, args: tuple[Any, ...]) -> None:
        try:
            entry.handler(*args[: entry.arity])
        except BaseException as error:  # noqa: BLE001 - top of a thread: reported
            # sys.exit() included: it would end the thread, and no handler would run any more
            _log.exception("! the handler of %r failed", event)
            if event != "error":  # told, and yet not the end: that is still to be told
                self._call_all("error", (error,))


def _arity(handler: Handler) -> int:
    """Return how many positional arguments a handler takes."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return 99  # a builtin without a signature: pass everything
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 99
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def took_too_long(what: str, deadline: Deadline) -> SonioxTimeoutError:
    """Return the error for a consumer that has waited until `deadline` for `what`."""
    return SonioxTimeoutError(
        f"the {what} did not arrive {deadline.within}: wait longer with timeout_sec=..., or close()"
    )


_END: Any = object()
_UNCLAIMED = 0
_ITERATED = 1
_PUSHED = 2


class Delivery(Generic[T]):
    """Bounded queue between the reader thread and one consumer: an iterator or a handler.

    Items have a `weight`, in the unit that `what` names in messages. When more than `limit` would
    wait, `put` returns False and the stream fails, rather than block the reader, which serves
    other streams too. Every caller sees the end: iteration stops, or raises the error, after the
    items before it.
    """

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Guards the fields below. Held for assignments and puts only. Leaf.
        self._lock = new_lock()
        self._mode = _UNCLAIMED
        self._push: Optional[Callable[[T], None]] = None
        self._worker: Optional[CallbackWorker] = None
        self._in = 0  # weight put, by the reader
        self._out = 0  # weight taken
        self._ended = False
        self._dropped = False
        self._refused = False
        self.error: Optional[BaseException] = None

    @property
    def waiting(self) -> int:
        """Weight of the items that were put and not yet taken."""
        return self._in - self._out

    @property
    def is_pushed(self) -> bool:
        """Whether a data handler takes the items."""
        return self._mode == _PUSHED

    def put(self, item: T, weight: int) -> bool:
        """Add an item; return False, without adding it, when the limit would be exceeded.

        None is added after one that was refused, which would leave a gap before it.
        """
        with self._lock:
            if self._ended or self._dropped:
                return True  # nobody wants it
            self._refused |= self._in - self._out + weight > self._limit
            if self._refused:
                return False
            self._in += weight
            if self._push is None:
                self._items.put((item, weight))
            else:
                self._post(item, weight)
        return True

    def _post(self, item: T, weight: int) -> None:
        push, worker = self._push, self._worker
        assert push is not None and worker is not None

        def job() -> None:
            try:
                if not self._dropped:
                    push(item)
            finally:
                with self._lock:
                    self._out += weight

        worker.post(job)

    def overflow(self) -> BufferOverflowError:
        """Return the error for a consumer that fell behind."""
        return BufferOverflowError(
            f"more than {self._limit} {self._what} were waiting: consume the stream faster, or "
            "cancel it when it is no longer needed"
        )

    def end(self, error: Optional[BaseException] = None) -> None:
        """End the stream, after the items that were put, with `error` or without.

        Only the first call counts.
        """
        with self._lock:
            if self._ended:
                return
            self.error = error
            self._items.put(_END)
            self._ended = True  # last: if Ctrl-C comes before it, the next call does it all

    def drop(self, error: Optional[BaseException] = None) -> None:
        """Discard what is waiting and end at once, with `error` or without."""
        with self._lock:
            self._dropped = True
            self.error = error
            _empty(self._items)
            self._items.put(_END)
            self._ended = True

    def take(self, deadline: Deadline, what: str) -> Optional[T]:
        """Wait for the next item and return it, or `None` at the end.

        `what` is what the caller waits for, as in "next event", for the message of a timeout.

        Raises
            SonioxTimeoutError: no item came before `deadline`.
            StateError: a handler takes the items.
            Exception: the error that ended the stream, each time.
        """
        forks.check()
        if self._mode != _ITERATED:
            self.start_pulling()
        if self._ended and self._items.empty():
            self._items.put(_END)  # Ctrl-C struck a consumer between taking and repeating it
        while True:
            try:
                got = take_from(self._items, deadline)
            except queue.Empty:
                raise took_too_long(what, deadline) from None
            if got is _END:
                self._items.put(_END)  # for the next caller
                if self.error is not None:
                    raise fresh(self.error)
                return None
            item, weight = got
            with self._lock:
                self._out += weight
                if not self._dropped:  # else drop() has discarded those before it: the end follows
                    return item  # type: ignore[no-any-return]

    def start_pulling(self) -> None:
        """Record that the stream is iterated.

        Raises
            StateError: a handler takes the items.
        """
        with self._lock:
            if self._mode == _PUSHED:
                raise StateError(
                    "cannot iterate: the data goes to the handler that was registered for it"
                )
            self._mode = _ITERATED

    def push_to(self, push: Callable[[T], None], worker: CallbackWorker) -> None:
        """Call `push` on `worker` for each item, waiting and to come.

        Raises
            StateError: the stream is iterated; two consumers would each get a part of it.
        """
        with self._lock:
            if self._mode == _PUSHED:
                return
            if self._mode == _ITERATED:
                raise StateError(
                    "cannot register a data handler: the stream is already being iterated; "
                    "register it before you iterate"
                )
            self._mode = _PUSHED
            self._push, self._worker = push, worker
            for item, weight in _empty(self._items):
                self._post(item, weight)


def _empty(items: queue.SimpleQueue[Any]) -> list[Any]:
    taken: list[Any] = []
    while True:
        try:
            item = items.get_nowait()
        except queue.Empty:
            return taken
        if item is not _END:
            taken.append(item)
