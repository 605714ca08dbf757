"""`SharedConnection`: up to five speech streams over one WebSocket, opened on demand.

The service closes idle connections (PROTOCOL 3.6), so a connection is disposable: it is checked
before each stream and reopened on demand. Its end never affects streams that have finished.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

from ..._support.locks import new_lock
from ...config import TtsConnectionOptions, TtsStreamConfig, TtsStreamInput
from ...errors import SonioxConnectionError, SonioxError, StateError
from ...protocol.dialects import NATIVE_TTS, TtsDialect
from ...runtime.clock import process_clock
from ...runtime.connection import Connection
from ...runtime.delivery import CallbackWorker, Emitter
from ...service import TtsPlan
from ...transport.deadline import Deadline
from .multiplexer import TtsMultiplexer
from .stream import StreamCore, StreamSlot

Input = Union[TtsStreamInput, Mapping[str, Any]]
Resolved = Optional[TtsStreamConfig]
Resolve = Callable[[TtsPlan], TtsStreamConfig]


class SharedConnection:
    """Opens and replaces the multiplexer that carries the streams. Thread-safe."""

    def __init__(
        self,
        plan: Callable[[], TtsPlan],
        options: TtsConnectionOptions,
        *,
        dialect: TtsDialect = NATIVE_TTS,
        send_timeout_sec: float = 30.0,
    ) -> None:
        # Immutable
        self.plan = plan  # resolves addresses, key and defaults again at each call
        self._worker = CallbackWorker("soniox-callback-tts")  # for its own events
        self.events: Emitter = Emitter(("error", "close"), self._worker)
        self._options = options
        self._dialect = dialect
        self._send_timeout = send_timeout_sec
        # Serialises connecting, so that two callers do not open two connections. Taken before any
        # other.
        self._connecting = new_lock()
        # Guards the fields below. Leaf; held for assignments only.
        self._lock = new_lock()
        self._multiplexer: Optional[TtsMultiplexer] = None
        self._opening: Optional[Connection] = None
        self._plan: Optional[TtsPlan] = None  # of the multiplexer
        self._closed = False
        # and those of its streams, in the order in which they were made
        self._workers: weakref.WeakKeyDictionary[CallbackWorker, None]
        self._workers = weakref.WeakKeyDictionary({self._worker: None})

    # -- connecting ------------------------------------------------------------------------------

    def ready(
        self, resolve: Optional[Resolve] = None, *, connect_sec: Optional[float] = None
    ) -> tuple[TtsMultiplexer, Resolved]:
        """Return an open multiplexer, connecting if necessary, and `resolve(plan)`.

        `resolve` is called, and may raise, before anything is opened. `connect_sec`: limit for
        connecting, besides the one in the options; `None`: no other.

        Raises
            StateError: after `close()`.
            SonioxConnectionError: no connection could be made.
        """
        with self._connecting:
            current = self._multiplexer
            if self._closed:
                raise _closed()
            if current is not None and self._plan is not None and current.is_usable:
                return current, resolve(self._plan) if resolve else None
            plan = self.plan()
            resolved = resolve(plan) if resolve else None
            return self._open(plan, connect_sec), resolved

    def _open(self, plan: TtsPlan, connect_sec: Optional[float]) -> TtsMultiplexer:
        multiplexer = TtsMultiplexer(
            self._dialect,
            message_key=plan.message_key,
            keepalive_sec=self._options.effective_keepalive_sec,
            on_error=self._failed,
            on_ended=self._ended,
        )
        connection = Connection(
            plan.target,
            multiplexer,
            ping_interval_sec=self._options.ping_interval_sec,
            ping_timeout_sec=self._options.ping_timeout_sec,
            send_timeout_sec=self._send_timeout,
            trace=plan.trace,
        )
        multiplexer.connection = connection
        self._swap(connection, None, plan)
        opened = None
        try:
            own_sec = self._options.connect_timeout_sec
            connection.open(own_sec if connect_sec is None else min(own_sec, connect_sec))
            opened = multiplexer
        finally:
            self._swap(None, opened, plan)
        if plan.message_key is None:  # otherwise the first message must carry the key
            multiplexer.start_keepalive()
        return multiplexer

    def _swap(
        self, opening: Optional[Connection], opened: Optional[TtsMultiplexer], plan: TtsPlan
    ) -> None:
        """Set what is being opened, or is open; raise after `close()`, which may have missed it."""
        with self._lock:
            closed = self._closed
            self._opening = opening
            if opened is not None and not closed:
                self._multiplexer, self._plan = opened, plan
        if closed:
            if opened is not None:
                opened.connection.close()
            raise _closed()

    # -- properties ------------------------------------------------------------------------------

    @property
    def current(self) -> Optional[TtsMultiplexer]:
        """Multiplexer opened last, which may have ended; `None` before the first."""
        return self._multiplexer

    @property
    def is_connected(self) -> bool:
        """Whether a connection is open now."""
        current = self._multiplexer
        return current is not None and current.is_usable

    @property
    def active_streams(self) -> int:
        """Number of streams that hold one of the five slots."""
        current = self._multiplexer
        return 0 if current is None else current.active

    @property
    def runs_caller(self) -> bool:
        """Whether the caller is a handler of this connection or of a stream on it."""
        with self._lock:
            return any(worker.is_current for worker in self._workers)

    @property
    def state(self) -> str:
        """State for a repr: connected, closed, or idle."""
        return "connected" if self.is_connected else "closed" if self._closed else "idle"

    # -- streams ---------------------------------------------------------------------------------

    def start(
        self,
        input: Optional[Input],
        fields: Mapping[str, Any],
        wait_sec: Optional[float],
        slot: Optional[StreamSlot] = None,
        bind: Optional[Callable[[StreamCore], None]] = None,
        *,
        connect_sec: Optional[float] = None,
    ) -> StreamCore:
        """Start a stream, connecting if necessary; raises what `TtsConnection.stream` raises.

        `slot`: its seat in a pool. `bind` is called with the stream before it is admitted, hence
        before anything can be reported about it. `connect_sec`: as for `ready()`.
        """
        multiplexer, config = self.ready(
            lambda plan: plan.resolve(input, fields), connect_sec=connect_sec
        )
        assert config is not None
        stream = StreamCore(config, process_clock.now, slot)
        with self._lock:
            self._workers[stream.worker] = None
        if bind is not None:
            bind(stream)
        multiplexer.admit(stream, wait_sec)
        return stream

    def keep_alive(self) -> None:
        """Send a keepalive now.

        Raises
            StateError: the connection is not open, or its gateway has no keepalive.
        """
        current = self._multiplexer
        if current is None or not current.is_usable:
            raise StateError("cannot send a keepalive: the connection is not open")
        current.keep_alive()

    # -- end -------------------------------------------------------------------------------------

    def fail(self, error: SonioxConnectionError) -> None:
        """Fail the open connection, if there is one, and its streams. Never blocks."""
        current = self._multiplexer
        if current is not None:
            current.connection.fail(error)

    def close(self, wait_sec: float) -> None:
        """Close for good within about `wait_sec`; live streams fail. Thread-safe, idempotent."""
        try:
            self._close_connections(wait_sec)
        except BaseException:  # Ctrl-C at any point: no connection must outlive the call
            self._closed = True
            current, opening = self._multiplexer, self._opening
            if opening is not None:
                opening.abort()
            if current is not None:
                current.connection.abort()
            raise
        finally:
            self._worker.stop()
        deadline = Deadline(wait_sec)
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.drain(deadline)

    def _close_connections(self, wait_sec: float) -> None:
        with self._lock:
            self._closed = True
            current, opening = self._multiplexer, self._opening
        if opening is not None:
            opening.close(wait_sec)
        if current is not None:
            current.close_streams()
            current.connection.close(wait_sec)

    # -- what the multiplexer reports ------------------------------------------------------------

    def _failed(self, error: SonioxError) -> None:
        self.events.emit("error", error)

    def _ended(self) -> None:
        self.events.emit("close")
        self._worker.stop()  # its thread ends after what was posted, and is restarted on demand


def _closed() -> StateError:
    return StateError("the connection was closed by close(): open a new one")
