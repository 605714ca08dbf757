"""`TtsPool`: speech streams for many threads over a few connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ..._support.checks import integer, timeout
from ..._support.reprs import counted, summary
from ...protocol.tts import MAX_STREAMS
from ...runtime.clock import process_clock
from ...runtime.signals import safe_in_signal_handlers
from ...runtime.timeouts import CLOSE_TIMEOUT_SEC
from ...runtime.unclosed import close_when_collected
from ...transport.deadline import Deadline, exit_timeout
from ..tts.connection import Input, SharedConnection
from ..tts.handle import TtsStream
from ..tts.stream import StreamCore
from .slot import Slot
from .table import SlotTable, close_aside, closed_pool_error

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ...config.keywords import PooledSpeechKeywords, TtsKeywords
    from ..speech import Speech

# how long close() waits for streams that are still speaking
_DRAIN_SEC = 10.0

_at_least_one = integer(1)


class TtsPool:
    """Streams over a limited number of connections. Thread-safe; a context manager.

    Made by `client.realtime.tts.pool()`; connects when the first stream is requested. A stream's
    slot is free again once the server has terminated the stream (PROTOCOL 3.2), so use streams in
    `with` blocks. A pool made before a fork starts empty in the child.

    The server closes idle connections (PROTOCOL 3.6), perhaps just when a stream starts on one. So
    a stream keeps its text until the server first answers it. If its connection is lost before
    that, and was already open or had been used by others, the text is sent again on a new
    connection, at most twice, without the caller noticing; meanwhile `send_text()` waits. A
    refusal, and the loss of a connection on which nothing was ever received, are raised. A stream
    without any text survives the loss of its connection.
    """

    def __init__(
        self,
        open_connection: Callable[[], SharedConnection],
        *,
        max_connections: int = 3,
        max_streams: Optional[int] = None,
        now: Callable[[], float] = process_clock.now,
    ) -> None:
        _at_least_one("max_connections", max_connections)
        most = max_connections * MAX_STREAMS
        if max_streams is not None:
            _at_least_one("max_streams", max_streams)
            most = min(most, max_streams)
        # Immutable
        self._open_connection = open_connection
        self._table = table = SlotTable(open_connection, max_connections, most, now)
        close_when_collected(
            self,
            lambda: f"TtsPool with {table.active} streams",
            lambda: table.is_connected,
            lambda: table.close(0.0, CLOSE_TIMEOUT_SEC),
        )

    # -- properties ------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return self._table.connected()

    @property
    def active_streams(self) -> int:
        """Number of streams that hold a slot."""
        return self._table.active

    def __repr__(self) -> str:
        table = self._table
        streams = counted(table.active, "stream")
        connections = counted(len(table.connections), "connection")
        return summary(self, "closed" if table.closed else "", f"{streams} on {connections}")

    # -- streams ---------------------------------------------------------------------------------

    def stream(
        self,
        input: Optional[Input] = None,
        *,
        wait_sec: Optional[float] = None,
        **fields: Unpack[TtsKeywords],
    ) -> TtsStream:
        """Return a new stream, on a connection with a free slot or a new one; or wait for a slot.

        Callers are served in order. `wait_sec`: seconds to wait for a slot, `None`: no limit, `0`:
        not at all; the time to connect is not included. After a 429 for too many streams the pool
        starts fewer, and waits before the next one (within `wait_sec`). Fields are those of
        `TtsConnection.stream`.

        Raises
            ConfigurationError: fields are missing or illegal; the message names all of them.
            SonioxTimeoutError: no slot became free within `wait_sec`.
            StateError: after `close()`.
            SonioxConnectionError: a new connection could not be made.
        """
        timeout("wait_sec", wait_sec)
        return TtsStream(self._start(input, fields, wait_sec), parent=self)

    def _start(
        self,
        input: Optional[Input],
        fields: Mapping[str, Any],
        wait_sec: Optional[float],
        connect_sec: Optional[float] = None,
    ) -> StreamCore:
        connection, retired = self._table.take(wait_sec)
        slot = Slot(self._table, connection)
        try:
            close_aside(retired)
            stream = slot.open(input, fields, connect_sec)
        except BaseException:
            slot.released()
            raise
        if not self._table.keep(slot):
            stream.cancel(Deadline(0))
            raise closed_pool_error()
        return stream

    def speak(
        self,
        text: Union[str, Iterable[Optional[str]]],
        *,
        max_quiet_sec: float = 3.0,
        timestamps: bool = False,
        wait_sec: Optional[float] = None,
        **tts_input: Unpack[PooledSpeechKeywords],
    ) -> Speech:
        """Speak a text of any length, as `client.realtime.speak()` does, on this pool.

        Text that fails because a connection was lost is spoken again where possible, and waits for
        the service during an outage, with the options and defaults of `client.realtime.speak()`.
        `wait_sec`: seconds to wait for a slot, each time a stream is opened; `None`: no limit.

        Raises
            ConfigurationError: fields are missing or illegal; the message names all of them.
        """
        from ..speech.opening import (
            PoolOpener,
            begin_speech,
            check_source,
            quiet_limits,
            read_speech_config,
            split_patience,
        )

        timeout("wait_sec", wait_sec)
        check_source(text)
        limits = quiet_limits(max_quiet_sec)
        plan = self._open_connection().plan()  # opens nothing
        patience, input = split_patience(tts_input)
        config = read_speech_config(plan, timestamps, input)
        opener = PoolOpener(lambda fields, limit: self._start(None, fields, wait_sec, limit))
        return begin_speech(text, opener, config, limits, patience)

    def warm(self, n: int = 1) -> int:
        """Open connections until `n` are open, at most `max_connections`; return how many are open.

        Blocks while connecting. The server closes connections on which nothing is spoken for 3
        minutes.

        Raises
            StateError: after `close()`.
            SonioxConnectionError: a connection could not be made.
        """
        _at_least_one("n", n)
        for each in self._table.at_least(n):
            each.shared.ready()
            each.used()
        return self.connections

    # -- end -------------------------------------------------------------------------------------

    @safe_in_signal_handlers
    def close(self, timeout_sec: float = _DRAIN_SEC) -> None:
        """Start no more streams, wait up to `timeout_sec` for running ones, then close everything.

        Streams without text are cancelled at once. Streams whose text has ended are waited for, and
        so are those whose text continues, until it pauses for 3 s; the stream whose handler calls
        this is not. Streams that are left then fail with `SonioxConnectionError`
        (`code="closed"`). Callers that wait for a slot get a `StateError`. The connections are
        closed in parallel, in about 2 s even if the server does not respond. Idempotent;
        thread-safe.
        """
        timeout("timeout_sec", timeout_sec)
        self._table.close(timeout_sec, CLOSE_TIMEOUT_SEC)

    def __enter__(self) -> TtsPool:
        return self

    def __exit__(self, kind: Optional[type[BaseException]] = None, *_: object) -> None:
        self._table.close(exit_timeout(kind, _DRAIN_SEC), exit_timeout(kind, CLOSE_TIMEOUT_SEC))
