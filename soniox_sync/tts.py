"""`TtsConnection`: up to five speech streams over one WebSocket, and the factory of it all.

The service closes idle connections (PROTOCOL 3.6), so a connection is disposable: it is checked
before each stream and opened again on demand. One that is closed never fails what had finished.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .clock import Clock, process_clock
from .config import TtsConnectionOptions, TtsStreamConfig, TtsStreamInput, resolve_tts_config
from .connection import Connection
from .delivery import CallbackWorker, Emitter, Handler
from .errors import SonioxError, StateError
from .protocol.dialects import NATIVE_TTS, TtsDialect
from .transport.connect import Target
from .transport.deadline import Deadline, patience
from .tts_line import TtsLine
from .tts_stream import TtsStream
from .tts_watch import StreamPlace

if TYPE_CHECKING:
    from .pool import TtsPool

Input = Union[TtsStreamInput, Mapping[str, Any]]
Defaults = Optional[Union[TtsStreamInput, Mapping[str, Any]]]
Resolved = Optional[TtsStreamConfig]
Resolve = Callable[[Defaults], TtsStreamConfig]

# how long close() waits for the server's goodbye, and for handlers that are due already
_CLOSE_WAIT_SEC = 2.0


@dataclass(frozen=True)
class LinePlan:
    """Is what one new connection needs; made once per connection, key and config resolved.

    `message_key` is the key to put into the messages (`auth="message"`), `None` otherwise.
    """

    target: Target
    message_key: Optional[str] = field(default=None, repr=False)
    defaults: Defaults = None


class TtsConnection:
    """Carries up to five streams at once. Safe from any thread; a context manager.

    Made by `client.realtime.tts.multi_stream()`, connected. Events: `"error"` (exception) for a
    line that failed, `"close"` when it ended, for whatever reason.
    """

    def __init__(
        self,
        plan: Callable[[], LinePlan],
        options: TtsConnectionOptions,
        *,
        dialect: TtsDialect = NATIVE_TTS,
        send_timeout_sec: float = 30.0,
        clock: Clock = process_clock,
    ) -> None:
        # Immutable
        self._plan = plan
        self._options = options
        self._dialect = dialect
        self._send_timeout = send_timeout_sec
        self._clock = clock
        self._worker = CallbackWorker("soniox-callback-tts")
        self._events = Emitter(("error", "close"), self._worker)
        # Serialises connecting, so that two callers do not open two lines. Taken before any other.
        self._connecting = threading.Lock()
        # Guards the fields below. Leaf; held for assignments only.
        self._lock = threading.Lock()
        self._line: Optional[TtsLine] = None
        self._opening: Optional[Connection] = None
        self._defaults: Defaults = None
        self._closed = False

    # -- life ------------------------------------------------------------------------------------

    def connect(self) -> TtsConnection:
        """Open the connection unless it is open; gives it back. Blocks at most
        `connect_timeout_sec`.

        Raises `StateError` after `close()`, `SonioxConnectionError` (`ConnectTimeoutError`) when
        the line cannot be had. A refused key shows only later: the service accepts the connection
        and answers with an error frame (PROTOCOL 1.3).
        """
        self._ready_line()
        return self

    def _ready_line(self, resolve: Optional[Resolve] = None) -> tuple[TtsLine, Resolved]:
        """Give the open line, and what `resolve` makes of its defaults, checked before opening."""
        with self._connecting:
            line = self._line
            if self._closed:
                raise _closed()
            if line is not None and line.is_usable:
                return line, resolve(self._defaults) if resolve else None
            plan = self._plan()
            resolved = resolve(plan.defaults) if resolve else None
            return self._open_line(plan), resolved

    def _open_line(self, plan: LinePlan) -> TtsLine:
        line = TtsLine(
            self._dialect,
            message_key=plan.message_key,
            keepalive_sec=self._options.effective_keepalive_sec,
            on_error=self._line_failed,
            on_ended=self._line_ended,
            on_forked=self._forked,
        )
        connection = Connection(
            plan.target,
            line,
            ping_interval_sec=self._options.ping_interval_sec,
            ping_timeout_sec=self._options.ping_timeout_sec,
            send_timeout_sec=self._send_timeout,
            clock=self._clock,
        )
        line.attach(connection)
        self._swap(connection, None, plan)
        opened = None
        try:
            connection.open(self._options.connect_timeout_sec)
            opened = line
        finally:
            self._swap(None, opened, plan)
        if plan.message_key is None:  # keepalives do not authenticate; with a header they hold
            line.start_keepalive()
        return line

    def _swap(self, opening: Optional[Connection], line: Optional[TtsLine], plan: LinePlan) -> None:
        """Note what is being opened or stands now; raises after `close()`, which saw neither."""
        with self._lock:
            closed = self._closed
            self._opening = opening
            if line is not None and not closed:
                self._line, self._defaults = line, plan.defaults
        if closed:
            if line is not None:
                line.connection.close()
            raise _closed()

    @property
    def is_connected(self) -> bool:
        """Tell whether the line stands now."""
        line = self._line
        return line is not None and line.is_usable

    @property
    def active_streams(self) -> int:
        """Count the streams that hold one of the five places."""
        line = self._line
        return 0 if line is None else line.active

    def close(self) -> None:
        """Close the line; live streams fail with `SonioxConnectionError`. Idempotent, bounded to
        about 2 s, legal from any thread and from a handler."""
        self._close(_CLOSE_WAIT_SEC)

    def _close(self, wait_sec: float) -> None:
        with self._lock:
            self._closed = True
            line, opening = self._line, self._opening
        try:
            if opening is not None:
                opening.close(wait_sec)
            if line is not None:
                line.shut()
                line.connection.close(wait_sec)
        except BaseException:  # Ctrl-C anywhere in it: no line must outlive the call
            if line is not None:
                line.connection.cut()
            raise
        finally:
            self._worker.stop()
        self._worker.drain(Deadline(wait_sec))

    def __enter__(self) -> TtsConnection:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: object) -> None:
        self._close(patience(kind, _CLOSE_WAIT_SEC))

    def __repr__(self) -> str:
        state = "connected" if self.is_connected else "closed" if self._closed else "idle"
        return f"<TtsConnection {state} {self.active_streams} streams>"

    # -- streams ---------------------------------------------------------------------------------

    def stream(
        self, input: Optional[Input] = None, *, wait_sec: Optional[float] = None, **fields: Any
    ) -> TtsStream:
        """Take one of the five places for a new stream; nothing is sent before its first text.

        `fields` are those of `TtsStreamInput` (`model`, `language`, `voice`, `audio_format`, ...),
        over `input`, over the client's `tts_defaults`. Connects again if the server closed the
        line meanwhile. `wait_sec`: how long to wait for a place, `None` not at all.

        Raises `ConfigurationError` naming every missing or illegal field, `StateError` for a sixth
        stream, an id in use, or after `close()`, `SonioxTimeoutError` when no place became free.
        """
        return self._start(input, fields, wait_sec)

    def _start(
        self,
        input: Optional[Input],
        fields: Mapping[str, Any],
        wait_sec: Optional[float],
        owner: Optional[TtsConnection] = None,
        place: Optional[StreamPlace] = None,
    ) -> TtsStream:
        line, config = self._ready_line(lambda known: resolve_tts_config(known, input, **fields))
        assert config is not None
        return TtsStream(line, config, self._worker, owner, wait_sec, place)

    def keep_alive(self) -> None:
        """Send a keepalive now; they are sent by themselves whenever the line is quiet.

        Raises `StateError` when there is no connection.
        """
        line = self._line
        if line is None or not line.is_usable:
            raise StateError("cannot send a keepalive: the connection is not open")
        line.keep_alive()

    # -- events ----------------------------------------------------------------------------------

    def on(self, event: str, handler: Handler) -> TtsConnection:
        """Call `handler` at each `"error"` (exception) or `"close"`, on the callback thread."""
        self._events.on(event, handler)
        return self

    def once(self, event: str, handler: Handler) -> TtsConnection:
        """Call `handler` at the next `event` only."""
        self._events.on(event, handler, once=True)
        return self

    def off(self, event: str, handler: Optional[Handler] = None) -> TtsConnection:
        """Forget a handler, or all of `event`."""
        self._events.off(event, handler)
        return self

    def _line_failed(self, error: SonioxError) -> None:
        self._events.emit("error", error)

    def _line_ended(self) -> None:
        self._events.emit("close")
        self._worker.stop()  # its thread ends after what was posted, and comes back when needed

    def _forked(self) -> None:
        """Replace what a fork may have copied half done. The next stream opens a line here."""
        self._connecting, self._lock = threading.Lock(), threading.Lock()
        self._worker.renew_locks()
        self._events.renew_locks()


def _closed() -> StateError:
    return StateError("the connection was closed by close(): open a new one")


class TtsFactory:
    """Is `client.realtime.tts`: call it for one stream, or ask it for a shared connection."""

    def __init__(self, connection: Callable[[TtsConnectionOptions], TtsConnection]) -> None:
        self._connection = connection

    def __call__(self, input: Optional[Input] = None, **fields: Any) -> TtsStream:
        """Open a connection for one stream, which owns it: closing the stream closes both.

        Fields as in `TtsConnection.stream`; those of `TtsConnectionOptions` are taken, too.
        """
        options, rest = _split_options(fields)
        connection = self._connection(options)
        try:
            return connection._start(input, rest, None, connection)
        except BaseException:
            connection.close()
            raise

    def multi_stream(
        self,
        *,
        connect_timeout_sec: float = 20.0,
        keepalive_interval_sec: float = 5.0,
        ping_interval_sec: Optional[float] = 20.0,
        ping_timeout_sec: Optional[float] = 20.0,
    ) -> TtsConnection:
        """Open a connection for up to five streams at once; gives it connected.

        `connect_timeout_sec`: for address, TCP, TLS and upgrade together.
        `keepalive_interval_sec`: quiet time before a keepalive (at least 1 s; the server closes
        after 40 s). `ping_interval_sec`, `ping_timeout_sec`: a dead peer is noticed within their
        sum, `None` turns that off. Raises as `TtsConnection.connect`.
        """
        options = TtsConnectionOptions(
            connect_timeout_sec=connect_timeout_sec,
            keepalive_interval_sec=keepalive_interval_sec,
            ping_interval_sec=ping_interval_sec,
            ping_timeout_sec=ping_timeout_sec,
        )
        connection = self._connection(options)
        try:
            return connection.connect()
        except BaseException:
            connection.close()
            raise

    def pool(
        self, *, max_connections: int = 3, max_streams: Optional[int] = None, **options: Any
    ) -> TtsPool:
        """Make a pool of connections for many threads; opens nothing yet.

        At most `max_connections`, five streams each; `max_streams` bounds them further (an
        account has 3 by default, PROTOCOL 3.4). `options`: those of `multi_stream()`.
        """
        from .pool import TtsPool

        chosen = TtsConnectionOptions(**options)
        return TtsPool(
            lambda: self._connection(chosen),
            max_connections=max_connections,
            max_streams=max_streams,
        )


_OPTION_NAMES = frozenset(
    {
        "connect_timeout_sec",
        "keepalive_interval_sec",
        "ping_interval_sec",
        "ping_timeout_sec",
    }
)


def _split_options(fields: Mapping[str, Any]) -> tuple[TtsConnectionOptions, dict[str, Any]]:
    options = {name: value for name, value in fields.items() if name in _OPTION_NAMES}
    rest = {name: value for name, value in fields.items() if name not in _OPTION_NAMES}
    return TtsConnectionOptions(**options), rest
