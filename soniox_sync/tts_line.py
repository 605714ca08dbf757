"""The streams that share one WebSocket to the speech service: routing, limits, keepalive.

`TtsLine` is the receiver of one `Connection`; `TtsConnection` replaces it when it reconnects.
Source: PROTOCOL 3.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional

from .clock import IdleTimer, Timer
from .config import TtsStreamConfig, check_tts_text
from .connection import Connection, LineEnd
from .errors import (
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    fresh,
)
from .protocol.dialects import TtsDialect
from .protocol.messages import malformed
from .protocol.states import TtsPhase
from .protocol.tts import StreamRecord, TtsFrame, TtsStreams, read_frame
from .transport.deadline import Deadline, wait_for
from .transport.frames import TEXT, Message, encode_frame
from .transport.sender import Frames
from .tts_watch import LineLeft

if TYPE_CHECKING:
    from .tts_stream import TtsStream

_log = logging.getLogger("soniox_sync")

# an id whose `terminated` never comes is given up after this long, or its place were lost for ever
_TERMINATED_GRACE_SEC = 10.0
# how long a failed send waits for the reader to tell why; it needs microseconds
_LAST_WORDS_SEC = 1.0
# the server closes by itself after an error that concerns the whole connection
_CLOSE_AFTER_ERROR_SEC = 2.0


class TtsLine:
    """Routes one connection's frames to its streams. Safe from any thread."""

    def __init__(
        self,
        dialect: TtsDialect,
        *,
        message_key: Optional[str],
        keepalive_sec: float,
        on_error: Callable[[SonioxError], None],
        on_ended: Callable[[], None],
        on_forked: Callable[[], None],
    ) -> None:
        # Immutable
        self._dialect = dialect
        self._message_key = message_key  # only with auth="message"
        self._keepalive_sec = keepalive_sec
        self._on_error = on_error
        self._on_ended = on_ended
        self._on_forked = on_forked
        self.connection: Connection  # set once by attach(), before anything else happens
        # Guards the fields below. Never held across I/O. Order: send -> state. A stream ending or a
        # place becoming free is notified.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._table = TtsStreams(dialect)
        self._streams: dict[str, TtsStream] = {}
        self._graces: dict[StreamRecord, Timer] = {}  # until `terminated` is given up
        self._untold: list[str] = []  # cancels that found the line busy
        self._last_sent = 0.0
        self.has_spoken = False  # a frame came for some stream
        self._keepalive: Optional[IdleTimer] = None
        self._error: Optional[SonioxError] = None  # why no stream can live here any more
        self._ended = False

    def attach(self, connection: Connection) -> None:
        """Learn which connection carries this line."""
        self.connection = connection

    # -- opening streams -------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Tell whether a new stream may start here."""
        return self._error is None and not self._ended and self.connection.is_open

    @property
    def active(self) -> int:
        """Count the streams that hold a place."""
        return len(self._table.live)

    def admit(self, stream: TtsStream, wait_sec: Optional[float]) -> None:
        """Give `stream` a place, waiting up to `wait_sec` for one (`None`: do not wait).

        Raises `StateError` when there is none or its id is in use, `SonioxTimeoutError` when none
        became free, the line's error when it died.
        """
        config: TtsStreamConfig = stream.config
        deadline = Deadline(0.0 if wait_sec is None else wait_sec)
        with self._lock:
            while self._table.is_full and wait_sec is not None and self._error is None:
                if deadline.passed:
                    raise SonioxTimeoutError(
                        f"no stream of this connection became free within {wait_sec:g} s"
                    )
                # in slices, as not every Ctrl-C ends a wait
                self._changed.wait(deadline.at_most(0.2))
            if self._error is not None or self._ended:
                raise self._dead()
            # under the lock, so that a line that ends now tells this stream, too
            stream._record = self._table.open(config.stream_id, self._wire(config))
            if stream._place is not None:
                stream._record.unheard = []
            self._streams[config.stream_id] = stream

    def _wire(self, config: TtsStreamConfig) -> dict[str, Any]:
        wire = config.to_wire()
        if self._message_key is not None:
            wire["api_key"] = self._message_key
        return wire

    def adopt(self, stream: TtsStream) -> None:
        """Carry on a stream that lost its line unheard: send everything again. It may be given up
        meanwhile. Raises what forbids it."""
        self.connection.send(lambda: self._make_again(stream))

    def _make_again(self, stream: TtsStream) -> Frames:
        assert stream._place is not None
        with self._lock:
            if self._error is not None or self._ended:
                raise self._dead()
            self._table.check_room(stream.stream_id)
            if not stream._place.land(self):
                return []
            messages = self._table.adopt(stream._record, self._wire(stream.config))
            self._streams[stream.stream_id] = stream
            self._last_sent = self.connection.clock.now()
            frames = self._frames(messages)
        if messages:
            self.start_keepalive()
        _log.debug("> %s again, on another connection", stream.stream_id)
        return frames

    def _dead(self) -> BaseException:
        if self._error is not None:
            return fresh(self._error)
        return SonioxConnectionError("the connection is closed", code="closed")

    # -- sending ---------------------------------------------------------------------------------

    def send_text(self, record: StreamRecord, text: str, end: bool) -> None:
        """Send text of a stream, its config first if it is the first. Raises what forbids it,
        `LineLeft` when the stream is moving to another line."""
        taken = False

        def make() -> Frames:
            nonlocal taken
            frames = self._make_text(record, text, end)
            taken = True
            return frames

        try:
            self.connection.send(make)
        except SonioxConnectionError:
            self._explain(record, text, end, taken)
            raise
        if record.phase.is_over:
            self._release(record)

    def _explain(self, record: StreamRecord, text: str, end: bool, taken: bool) -> None:
        """Raise what the stream knows of its end: it says more than that the line is gone."""
        if record.phase.is_open and record.error is None and not self.connection.is_reader:
            wait_for(self.connection.done, Deadline(_LAST_WORDS_SEC))
        if record.error is not None:
            raise fresh(record.error)
        with self._lock:
            if self._has_left(record):
                raise LineLeft(taken)
        if not record.phase.can_send_text:
            with self._lock:
                self._table.text(record, text, end)

    def _has_left(self, record: StreamRecord) -> bool:
        """Tell whether a stream that is not over is no longer here. Under the lock."""
        return record.phase.is_open and self._table.live.get(record.stream_id) is not record

    def _make_text(self, record: StreamRecord, text: str, end: bool) -> Frames:
        with self._lock:
            if record.error is not None:
                raise fresh(record.error)
            if text:
                check_tts_text(text, record.text_bytes)
            first = record.phase is TtsPhase.NEW
            messages = self._table.text(record, text, end)
            self._last_sent = self.connection.clock.now()
            frames = self._frames(messages)
        if first and messages:
            self.start_keepalive()
        _log.debug("> text %s %d chars%s", record.stream_id, len(text), " end" if end else "")
        return frames

    def _frames(self, messages: Sequence[str]) -> Frames:
        """Encode messages, cancels that found the line busy first. Under the lock."""
        untold, self._untold = self._untold, []
        return [encode_frame(TEXT, message.encode("utf-8")) for message in (*untold, *messages)]

    def cancel(self, record: StreamRecord, deadline: Optional[Deadline] = None) -> bool:
        """Tell the server to stop a stream; False when it has left this line. Never raises for a
        line that is dead.

        With a `deadline` it does not wait longer for a line that is busy or full: whoever sends
        next tells the server, a keepalive at the latest.
        """

        def make() -> Frames:
            with self._lock:
                messages = self._table.cancel(record)
                self._last_sent = self.connection.clock.now()
                return self._frames(messages)

        try:
            if deadline is None:
                self.connection.send(make)
            else:
                self.connection.try_send(make, deadline)
        except SonioxError as error:
            _log.debug("! cancel %s: %s", record.stream_id, error)  # the line is dead: so is it
        with self._lock:
            if self._has_left(record):
                return False
            if record.phase.is_open:
                self._untold.extend(self._table.cancel(record))
        if record.phase.is_over:
            self._release(record)
        else:
            self._expect_terminated(record)
        return True

    def keep_alive(self) -> None:
        """Send a keepalive now."""
        message = self._dialect.keep_alive
        if message is not None:
            self.connection.send(lambda: self._make_keep_alive(message))

    def _make_keep_alive(self, message: str) -> Frames:
        with self._lock:
            self._last_sent = self.connection.clock.now()
            frames = self._frames([message])
        _log.debug("%% keepalive")
        return frames

    def start_keepalive(self) -> None:
        """Send keepalives from now on whenever nothing else was sent for the interval."""
        message = self._dialect.keep_alive
        if message is None:
            return
        with self._lock:
            if self._keepalive is not None or self._ended:
                return
            self._last_sent = self.connection.clock.now()
            self._keepalive = IdleTimer(
                self.connection.clock,
                self._keepalive_sec,
                lambda: self._last_sent,
                lambda: self._keep_alive_idle(message),
            )

    def _keep_alive_idle(self, message: str) -> None:
        self.connection.try_send(lambda: self._make_keep_alive(message))

    # -- the reader's side -----------------------------------------------------------------------

    def received(self, messages: list[Message]) -> None:
        for opcode, payload in messages:
            if opcode != TEXT:
                raise malformed("a binary message where only text is spoken", payload)
            frame = read_frame(payload, self._dialect)
            if frame is None:
                continue
            if frame.error is not None:
                self.connection.censor.error(frame.error)
            if frame.stream_id:
                self._to_stream(frame)
            elif frame.error is not None:
                self._to_all(frame.error)

    def _to_stream(self, frame: TtsFrame) -> None:
        with self._lock:
            record = self._table.live.get(frame.stream_id)
            if record is None:
                _log.debug("< late frame for %s ignored: %s", frame.stream_id, frame.error)
                return  # it crossed the death of its stream (PROTOCOL 3.3.6)
            stream = self._streams[frame.stream_id]
            self.has_spoken = True
            chunk = self._table.receive(record, frame)
            failed = frame.error is not None and record.error is frame.error
        if chunk is not None:
            stream._take(chunk)
        if failed and frame.error is not None:
            stream._fail(frame.error)
            self._expect_terminated(record)
        if frame.terminated and record.phase.is_over:
            self._release(record)

    def _to_all(self, error: RealtimeError) -> None:
        with self._lock:
            if self._error is None:
                self._error = error
        self._on_error(error)
        self._lose_all(error)
        self.connection.expect_close(_CLOSE_AFTER_ERROR_SEC)

    def _lose_all(self, error: SonioxError) -> None:
        with self._lock:
            movable = [stream for stream in self._streams.values() if stream._drifts(error)]
            for stream in movable:
                self._table.forget(stream._record)
                del self._streams[stream.stream_id]
            doomed = list(self._table.live.values())
            for record in doomed:
                self._table.lose(record, error)
        for record in doomed:
            self._release(record)
        for stream in movable:
            stream._seek_line()

    def _release(self, record: StreamRecord) -> None:
        """Free the place of a stream that is over and tell it so. Any thread."""
        with self._lock:
            self._table.forget(record)
            grace = self._graces.pop(record, None)
            stream = self._streams.get(record.stream_id)
            mine = stream is not None and stream._record is record
            if mine:
                del self._streams[record.stream_id]
            self._changed.notify_all()
        if grace is not None:
            grace.cancel()
        if mine and stream is not None:
            stream._over(record.error)

    def _expect_terminated(self, record: StreamRecord) -> None:
        timer = self.connection.clock.call_later(
            _TERMINATED_GRACE_SEC, lambda: self._release(record)
        )
        with self._lock:
            waits = self._table.live.get(record.stream_id) is record
            if waits and record not in self._graces:
                self._graces[record] = timer
                return
        timer.cancel()

    def fail_stream(self, stream: TtsStream, error: SonioxError) -> None:
        """Fail one stream for a reason on our side, and stop it on the server without waiting."""
        record = stream._record
        if stream._give_up(error):
            return  # it is on no line
        with self._lock:
            if record.error is not None or record.phase is TtsPhase.CANCELLED:
                return
            left = self._has_left(record)
            if not left:
                record.error = error
        if left:  # for another line, just now
            stream._line.fail_stream(stream, error)
            return
        stream._fail(error)
        if record.phase.is_open:
            self.cancel(record, Deadline(0))

    def shut(self) -> None:
        """Fail what lives because the caller closes the connection."""
        error = SonioxConnectionError(
            "the connection was closed by close() before the stream was terminated", code="closed"
        )
        with self._lock:
            self._error = self._error or error
        self._lose_all(error)

    def ended(self, end: LineEnd) -> None:
        with self._lock:
            self._ended = True
            keepalive, self._keepalive = self._keepalive, None
            error = self._error or _loss(end)
            self._error = error
            had_streams = bool(self._table.live)
        if keepalive is not None:
            keepalive.cancel()
        if had_streams or end.cause is not None:
            self._on_error(error)
        self._lose_all(error)
        self._on_ended()

    def forked(self, error: SonioxError) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._error, self._ended = error, True
        self._on_forked()
        for stream in list(self._streams.values()):
            stream._forked(error)


def _loss(end: LineEnd) -> SonioxError:
    if isinstance(end.cause, SonioxError):
        return end.cause
    return SonioxConnectionError(f"{end.describe()} before the stream was terminated")
