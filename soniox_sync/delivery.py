"""From the reader thread to the user: queues to pull from, handlers to push to.

`Delivery` is one stream's queue, `CallbackWorker` the thread that runs handlers, `Emitter` the
table of handlers. The reader only ever puts; it never runs a handler and never waits. What users
see of it is in docs/threads.rst.
"""

from __future__ import annotations

import inspect
import logging
import queue
import threading
from collections.abc import Sequence
from typing import Any, Callable, Generic, Optional, TypeVar

from .errors import BufferOverflowError, ConfigurationError, SonioxTimeoutError, StateError, fresh
from .transport.deadline import Deadline, take_from, wait_for
from .transport.latch import Latch

_log = logging.getLogger("soniox_sync")

Handler = Callable[..., object]
T = TypeVar("T")


class CallbackWorker:
    """Runs handlers one at a time, in order, on a thread that starts with the first of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        # Guards _thread and _stopped. Leaf.
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Optional[Callable[[], None]]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._stopped = False

    def start(self) -> None:
        """Start the thread, if it does not run."""
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
            self._thread = thread  # first: Ctrl-C may strike when it runs already
            try:
                thread.start()
            except RuntimeError:  # there is no room for another thread
                self._thread = None
                raise
            if self._stopped:
                self._jobs.put(None)

    def stop(self) -> None:
        """Let the thread end once everything posted has run. Does not wait."""
        with self._lock:
            if not self._stopped:
                self._stopped = True
                if self._thread is not None:
                    self._jobs.put(None)

    @property
    def is_current(self) -> bool:
        """Tell whether the caller is a handler."""
        return threading.current_thread() is self._thread

    def renew_locks(self) -> None:
        """Forget the thread that a fork left behind."""
        self._lock = threading.Lock()
        self._jobs = queue.SimpleQueue()
        self._thread = None
        self._stopped = True

    def drain(self, deadline: Deadline) -> bool:
        """Wait until everything posted so far has run; True at once inside a handler."""
        with self._lock:
            if self._thread is None or self.is_current:
                return True
        done = Latch()
        self.post(done.set)
        return wait_for(done, deadline)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                self._jobs.put(None)  # posted after stop(): run it, then end
                continue
            try:
                job()
            except Exception:  # noqa: BLE001 - a thread's top: logged
                _log.exception("! a callback job failed")


class Emitter:
    """Is a table of handlers by event name. Handlers run on the worker, never in the caller.

    A handler may take fewer arguments than its event has. `final` events (an end, an error) are
    told to a handler registered after they happened, too: it would wait for ever otherwise.
    """

    def __init__(self, names: Sequence[str], worker: CallbackWorker, final: Sequence[str] = ()):
        self._names = tuple(names)
        self._final = frozenset(final)
        self._worker = worker
        # Guards the fields below. Never held while a handler runs. Leaf.
        self._lock = threading.Lock()
        self._handlers: dict[str, list[tuple[Handler, int, bool]]] = {}
        self._happened: dict[str, tuple[Any, ...]] = {}

    def on(self, event: str, handler: Handler, *, once: bool = False) -> None:
        """Call `handler` at each `event` (`once`: at the next only)."""
        self._check(event, handler)
        entry = (handler, _arity(handler), once)
        self._worker.start()  # here, so that the reader never has to start a thread
        with self._lock:
            happened = self._happened.get(event)
            if happened is None or not once:
                self._handlers.setdefault(event, []).append(entry)
        if happened is not None:
            self._worker.post(lambda: self._call(event, entry, happened))

    def off(self, event: str, handler: Optional[Handler] = None) -> None:
        """Forget `handler`, or all handlers of `event`."""
        self._check(event, handler)
        with self._lock:
            kept = [e for e in self._handlers.get(event, ()) if handler not in (None, e[0])]
            self._handlers[event] = kept

    def has(self, event: str) -> bool:
        """Tell whether anybody listens to `event`."""
        return bool(self._handlers.get(event))

    def emit(self, event: str, *args: Any) -> None:
        """Let the worker call the handlers of `event`. Never blocks, never raises."""
        with self._lock:
            if event in self._final:
                self._happened[event] = args
            if not self._handlers.get(event):
                return
        self._worker.post(lambda: self.run(event, *args))

    def run(self, event: str, *args: Any) -> None:
        """Call the handlers of `event` here; for the worker's own jobs."""
        with self._lock:
            entries = list(self._handlers.get(event, ()))
            if any(entry[2] for entry in entries):
                self._handlers[event] = [e for e in self._handlers[event] if not e[2]]
        for entry in entries:
            self._call(event, entry, args)

    def _call(self, event: str, entry: tuple[Handler, int, bool], args: tuple[Any, ...]) -> None:
        handler, arity, _ = entry
        try:
            handler(*args[:arity])
        except Exception as error:  # noqa: BLE001 - a thread's top: reported
            _log.exception("! the handler of %r failed", event)
            if event != "error":
                self.run("error", error)

    def _check(self, event: str, handler: Optional[Handler]) -> None:
        if event not in self._names:
            raise ConfigurationError(
                f"event: {event!r} is not one of {', '.join(repr(n) for n in self._names)}"
            )
        if handler is not None and not callable(handler):
            raise ConfigurationError(f"handler: {handler!r} is not callable")

    def renew_locks(self) -> None:
        """Replace a lock that a fork may have copied in the taken state."""
        self._lock = threading.Lock()


def _arity(handler: Handler) -> int:
    """Count the positional arguments a handler takes."""
    try:
        parameters = inspect.signature(handler).parameters.values()
    except (TypeError, ValueError):
        return 99  # a builtin without a signature: hand it everything
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return 99
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


_END: Any = object()
_RUNNING = 0
_PULLED = 1
_PUSHED = 2


class Delivery(Generic[T]):
    """Is the bounded queue of one stream, to be pulled by an iterator or pushed to a handler.

    Items have a `weight`; when more than `limit` is waiting, the stream fails (`put` gives
    False) rather than block the reader, which serves other streams too. After the end every
    caller meets it: the iterator stops, or raises the error after the items before it.
    """

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Guards the fields below. Held for assignments and puts only. Leaf.
        self._lock = threading.Lock()
        self._mode = _RUNNING
        self._push: Optional[Callable[[T], None]] = None
        self._worker: Optional[CallbackWorker] = None
        self._in = 0  # weight put; the reader's
        self._out = 0  # weight taken
        self._ended = False
        self._dropped = False
        self.error: Optional[BaseException] = None

    @property
    def waiting(self) -> int:
        """Give the weight of what was put and not yet taken."""
        return self._in - self._out

    @property
    def is_pushed(self) -> bool:
        """Tell whether a data handler takes the items."""
        return self._mode == _PUSHED

    def put(self, item: T, weight: int) -> bool:
        """Hand over one item; False when that would exceed the bound (the item is not taken)."""
        with self._lock:
            if self._ended or self._dropped:
                return True  # nobody wants it any more
            if self._in - self._out + weight > self._limit:
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
        """Make the error for a consumer that fell behind."""
        return BufferOverflowError(
            f"more than {self._limit} {self._what} were waiting: consume the stream faster, or "
            "cancel it when it is no longer wanted"
        )

    def end(self, error: Optional[BaseException] = None) -> None:
        """Let consumers meet the end after what was put; the first call decides how."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self.error = error
            self._items.put(_END)

    def drop(self, error: Optional[BaseException] = None) -> None:
        """Throw away what is waiting and end at once, with `error` or without."""
        with self._lock:
            self._dropped = True
            self._ended = True
            self.error = error
            _empty(self._items)
            self._items.put(_END)

    def take(self, deadline: Deadline, what: str) -> Optional[T]:
        """Wait for the next item; `None` at the end. Raises the error that ended it, each time.

        Raises `SonioxTimeoutError` when `deadline` passes first, `StateError` under a handler.
        """
        if self._mode != _PULLED:
            self.start_pulling()
        try:
            got = take_from(self._items, deadline)
        except queue.Empty:
            raise SonioxTimeoutError(f"no {what} arrived within the time allowed") from None
        if got is _END:
            self._items.put(_END)  # the next caller meets the end as well
            if self.error is not None:
                raise fresh(self.error)
            return None
        item, weight = got
        with self._lock:
            self._out += weight
        return item  # type: ignore[no-any-return]

    def start_pulling(self) -> None:
        """Note that the stream is iterated. Raises `StateError` when a handler takes the items."""
        with self._lock:
            if self._mode == _PUSHED:
                raise StateError(
                    "cannot iterate: a handler was registered for the data, which now goes there"
                )
            self._mode = _PULLED

    def push_to(self, push: Callable[[T], None], worker: CallbackWorker) -> None:
        """Send what waits, then everything to come, through `push` on `worker`.

        Raises `StateError` once the stream is iterated: its items would be torn apart.
        """
        with self._lock:
            if self._mode == _PUSHED:
                return
            if self._mode == _PULLED:
                raise StateError(
                    "cannot register a data handler: the stream is being iterated already"
                )
            self._mode = _PUSHED
            self._push, self._worker = push, worker
            for item, weight in _empty(self._items):
                self._post(item, weight)
            if self._ended:
                self._items.put(_END)

    def renew_locks(self) -> None:
        """Replace a lock that a fork may have copied in the taken state."""
        self._lock = threading.Lock()


def _empty(items: queue.SimpleQueue[Any]) -> list[Any]:
    taken: list[Any] = []
    while True:
        try:
            item = items.get_nowait()
        except queue.Empty:
            return taken
        if item is not _END:
            taken.append(item)
