"""The streams that share one WebSocket to the speech service: routing, limits, keepalive.

`TtsMultiplexer` is the receiver of one `Connection`; `TtsConnection` replaces it when it
reconnects. Source: PROTOCOL 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, Optional

from ..._support.locks import new_condition, new_lock
from ...config import TtsStreamConfig, check_tts_text
from ...errors import (
    RealtimeError,
    SonioxConnectionError,
    SonioxError,
    SonioxTimeoutError,
    StateError,
    fresh,
)
from ...protocol.dialects import TtsDialect
from ...protocol.messages import malformed
from ...protocol.states import TtsPhase
from ...protocol.tts import StreamRecord, TtsFrame, TtsStreams, read_frame
from ...runtime.clock import IdleTimer, Timer
from ...runtime.connection import Connection
from ...runtime.receiver import CloseInfo
from ...runtime.timeouts import EXPECTED_CLOSE_SEC, READER_REPORT_SEC
from ...transport.deadline import Deadline, wait_for
from ...transport.frames import TEXT, Message, encode_frame
from ...transport.sender import Frames
from .stream import SendOutcome, StreamCore

# if `terminated` is not received within this time, the id is freed: it would keep its slot forever
_TERMINATED_GRACE_SEC = 10.0


class TtsMultiplexer:
    """Router between one connection and its streams. Thread-safe."""

    def __init__(
        self,
        dialect: TtsDialect,
        *,
        message_key: Optional[str],
        keepalive_sec: float,
        on_error: Callable[[SonioxError], None],
        on_ended: Callable[[], None],
    ) -> None:
        # Immutable
        self._dialect = dialect
        self._message_key = message_key  # only with auth="message"
        self._keepalive_sec = keepalive_sec
        self._on_error = on_error
        self._on_ended = on_ended
        self.connection: Connection  # set once, before anything else happens
        # Guards the fields below. Never held across I/O. Order: send -> state.
        self._lock = new_lock()
        self._changed = new_condition(self._lock)  # a stream ended or a slot became free
        self._table = TtsStreams(dialect)
        self._streams: dict[str, StreamCore] = {}
        self._unreported: dict[StreamRecord, StreamCore] = {}  # that do not know of their end yet
        self._graces: dict[StreamRecord, Timer] = {}  # end of the wait for `terminated`
        self._unsent_cancels: list[str] = []  # not sent because the connection was busy
        self._last_sent = 0.0
        self.has_received: bool = False  # a frame was received for some stream
        self._keepalive: Optional[IdleTimer] = None
        self._error: Optional[SonioxError] = None  # why the connection carries no more streams
        self._ended = False

    # -- opening streams -------------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        """Whether a new stream may start here."""
        return self._error is None and not self._ended and self.connection.is_open

    @property
    def active(self) -> int:
        """Number of streams that hold a slot."""
        return len(self._table.live)

    def admit(self, stream: StreamCore, wait_sec: Optional[float]) -> None:
        """Admit `stream` to a slot, waiting up to `wait_sec` for one (`None`: do not wait).

        Raises
            StateError: no slot, or its id is in use.
            SonioxTimeoutError: no slot became free within `wait_sec`.
            SonioxError: what ended this connection.
        """
        config = stream.config
        deadline = Deadline(0.0 if wait_sec is None else wait_sec)
        with self._lock:
            while self._table.is_full and wait_sec is not None and self._error is None:
                if deadline.passed:
                    raise SonioxTimeoutError(
                        f"no slot of this connection became free within {wait_sec:g} s"
                    )
                # in slices, because Ctrl-C may not end a wait
                self._changed.wait(deadline.at_most(0.2))
            if self._error is not None or self._ended:
                raise self._closed_error()
            self._table.check_room(config.stream_id)  # before there is a dict with the key
            # under the lock, so that a connection that ends now reports that to this stream too
            stream.record = self._table.open(config.stream_id, self._wire(config))
            stream.carrier = self
            if stream.slot is not None:
                stream.record.unanswered = []
            self._streams[config.stream_id] = self._unreported[stream.record] = stream

    def _wire(self, config: TtsStreamConfig) -> dict[str, Any]:
        wire = config.to_wire()
        if self._message_key is not None:
            wire["api_key"] = self._message_key
        return wire

    def attach(self, stream: StreamCore) -> None:
        """Take over a stream whose connection was lost before an answer: send everything again.

        Does nothing if the stream was given up in the meantime. Raises if it cannot be carried.
        """
        self.connection.send(lambda: self._make_resend(stream))

    def _make_resend(self, stream: StreamCore) -> Frames:
        slot = stream.slot
        assert slot is not None
        with self._lock:
            if self._error is not None or self._ended:
                raise self._closed_error()
            self._table.check_room(stream.stream_id)
            if not slot.attach(self):
                return []
            messages = self._table.attach(stream.record, self._wire(stream.config))
            self._streams[stream.stream_id] = self._unreported[stream.record] = stream
            self._last_sent = self.connection.clock.now()
            frames = self._frames(messages)
        if messages:
            self.start_keepalive()
        self.connection.log("> %s again, on a new connection", stream.stream_id)
        return frames

    def _closed_error(self) -> BaseException:
        if self._error is not None:
            return fresh(self._error)
        return SonioxConnectionError("the connection is closed", code="closed")

    # -- sending ---------------------------------------------------------------------------------

    def send_text(self, record: StreamRecord, text: str, end: bool) -> SendOutcome:
        """Send text of a stream, its config before the first. Raises if it cannot be sent."""
        accepted = False

        def make() -> Frames:
            nonlocal accepted
            frames = self._make_text(record, text, end)
            accepted = True
            return frames

        try:
            self.connection.send(make)
        except SonioxConnectionError:
            if self._is_detached_after_failure(record, text, end):
                return SendOutcome.KEPT if accepted else SendOutcome.DETACHED
            raise
        if record.phase.is_over:
            self._release(record)
        return SendOutcome.SENT

    def _is_detached_after_failure(self, record: StreamRecord, text: str, end: bool) -> bool:
        """Return whether the stream detached because the connection failed.

        If the stream has an error of its own, raise that: it is more precise.
        """
        if record.phase.is_open and record.error is None and not self.connection.in_reader_thread:
            wait_for(self.connection.closed, Deadline(READER_REPORT_SEC))
        if record.error is not None:
            raise fresh(record.error)
        with self._lock:
            if self._is_detached(record):
                return True
            if not record.phase.can_send_text:
                self._table.text(record, text, end)  # raises why it cannot be sent
        return False

    def _is_detached(self, record: StreamRecord) -> bool:
        """Return whether a stream that is not over has left this connection. Under the lock."""
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
        log = self.connection.log
        if first and messages and log.is_on:
            log("> config %s", self.connection.redactor.text(messages[0]))
        log("> text %s %d chars%s", record.stream_id, len(text), " end" if end else "")
        return frames

    def _frames(self, messages: Sequence[str]) -> Frames:
        """Encode messages, after cancels that could not be sent before. Under the lock."""
        cancels, self._unsent_cancels = self._unsent_cancels, []
        return [encode_frame(TEXT, message.encode("utf-8")) for message in (*cancels, *messages)]

    def cancel(self, record: StreamRecord, deadline: Optional[Deadline] = None) -> bool:
        """Cancel a stream on the server; return False if it has left this connection.

        Does not raise if the connection is lost. With a `deadline` it waits no longer for a
        connection that is busy or full: the cancel is then sent with the next message, at the
        latest a keepalive.
        """

        def make() -> Frames:
            with self._lock:
                messages = self._table.cancel(record)
                self._last_sent = self.connection.clock.now()
                frames = self._frames(messages)
            self.connection.log("> cancel %s", record.stream_id)
            return frames

        try:
            if deadline is None:
                self.connection.send(make)
            else:
                self.connection.try_send(make, deadline)
        except SonioxError as error:
            # the connection is lost, and the stream with it
            self.connection.log("! cancel %s: %s", record.stream_id, error)
        with self._lock:
            if self._is_detached(record):
                return False
            if record.phase.is_open:
                self._unsent_cancels.extend(self._table.cancel(record))
        if record.phase.is_over:
            self._release(record)
        else:
            self._expect_terminated(record)
        return True

    def keep_alive(self) -> None:
        """Send a keepalive now.

        Raises
            StateError: the dialect has none.
        """
        message = self._dialect.keep_alive
        if message is None:
            raise StateError("cannot send a keepalive: the gateway has none for speech")
        self.connection.send(lambda: self._make_keep_alive(message))

    def _make_keep_alive(self, message: str) -> Frames:
        with self._lock:
            self._last_sent = self.connection.clock.now()
            frames = self._frames([message])
        self.connection.log("%% keepalive")
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
            self._keepalive.start()

    def _keep_alive_idle(self, message: str) -> None:
        self.connection.try_send(lambda: self._make_keep_alive(message))

    # -- the reader's side -----------------------------------------------------------------------

    def messages_received(self, messages: list[Message]) -> None:
        for opcode, payload in messages:
            if opcode != TEXT:
                raise malformed("a binary message where only text is expected", payload)
            frame = read_frame(payload, self._dialect)
            if frame is None:
                continue
            if frame.error is not None:
                self.connection.redactor.error(frame.error)
            if frame.stream_id:
                self._to_stream(frame)
            elif frame.error is not None:
                self._to_all(frame.error)

    def _to_stream(self, frame: TtsFrame) -> None:
        with self._lock:
            record = self._table.live.get(frame.stream_id)
            if record is None:
                self.connection.log("< late frame for %s ignored: %s", frame.stream_id, frame.error)
                return  # sent before the server knew that the stream is over (PROTOCOL 3.3.6)
            stream = self._streams[frame.stream_id]
            self.has_received = True
            chunk = self._table.receive(record, frame)
            failed = frame.error is not None and record.error is frame.error
        if self.connection.log.is_on:
            self._log_frame(frame)
        if chunk is not None:
            stream.received(chunk)
        if failed and frame.error is not None:
            stream.failed(frame.error)
            self._expect_terminated(record)
        if frame.terminated and record.phase.is_over:
            self._release(record)

    def _log_frame(self, frame: TtsFrame) -> None:
        log, stream_id = self.connection.log, frame.stream_id
        if frame.chunk is not None:
            end = " end" if frame.chunk.audio_end else ""
            log("< audio %s %d bytes%s", stream_id, frame.chunk.weight, end)
        if frame.error is not None:
            log("< error %s %s", stream_id, frame.error)
        if frame.terminated:
            log("< terminated %s", stream_id)

    def _to_all(self, error: RealtimeError) -> None:
        self.connection.log("< error %s", error)
        with self._lock:
            if self._error is None:
                self._error = error
        self._on_error(error)
        self._lose_all(error)
        self.connection.expect_close(EXPECTED_CLOSE_SEC)

    def _lose_all(self, error: SonioxError) -> None:
        with self._lock:
            movable = [stream for stream in self._streams.values() if stream.detach(error)]
            for stream in movable:
                self._table.free(stream.record)
                del self._streams[stream.stream_id]
            lost = list(self._table.live.values())
            for record in lost:
                self._table.connection_lost(record, error)
        for record in lost:
            self._release(record)
        for stream in movable:
            stream.request_connection()
            self._reported(stream)

    def _reported(self, stream: StreamCore) -> None:
        with self._lock:
            self._unreported.pop(stream.record, None)

    def _report_ends(self) -> None:
        """Report what a thread was about to report when Ctrl-C struck it. Reader only, at its end.

        Another thread may be about to do it just now: that both do has no effect.
        """
        with self._lock:
            left, self._unreported = list(self._unreported.values()), {}
        for stream in left:
            if stream.record.phase.is_over:
                stream.released(stream.record.error)
            else:
                stream.request_connection()

    def _release(self, record: StreamRecord) -> None:
        """Free the slot of a stream that is over, and report that to the stream. Thread-safe."""
        with self._lock:
            self._table.free(record)
            grace = self._graces.pop(record, None)
            stream = self._streams.get(record.stream_id)
            mine = stream is not None and stream.record is record
            if mine:
                del self._streams[record.stream_id]
            self._changed.notify_all()
        if grace is not None:
            grace.cancel()
        if mine and stream is not None:
            stream.released(record.error)
            self._reported(stream)

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

    def fail_stream(self, stream: StreamCore, error: SonioxError) -> bool:
        """Fail one stream for a reason on our side, and cancel it on the server without waiting.

        Returns False if it has left this connection.
        """
        record = stream.record
        with self._lock:
            if record.error is not None or record.phase is TtsPhase.CANCELLED:
                return True
            if self._is_detached(record):
                return False
            record.error = error
        stream.failed(error)
        if record.phase.is_open:
            self.cancel(record, Deadline(0))
        return True

    def close_streams(self) -> None:
        """Fail the live streams because the caller closes the connection."""
        error = SonioxConnectionError(
            "the connection was closed by close() before the stream was terminated", code="closed"
        )
        with self._lock:
            self._error = self._error or error
        self._lose_all(error)

    def connection_ended(self, end: CloseInfo) -> None:
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
        self._report_ends()
        self._on_ended()

    def connection_forked(self, error: SonioxError) -> None:
        self._error, self._ended = error, True


def _loss(end: CloseInfo) -> SonioxError:
    if isinstance(end.cause, SonioxError):
        return end.cause
    return SonioxConnectionError(f"{end.describe()} before the stream was terminated")
