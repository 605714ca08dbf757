"""`StreamCore`: one stream of speech, between the user's handle and the connection.

Users hold a `handle.TtsStream`; a multiplexer carries the stream. A pool's stream may move to
another connection when its own is lost before the server has answered.
"""

from __future__ import annotations

import enum
import logging
from typing import Callable, Optional, Protocol

from ...config import TtsStreamConfig
from ...errors import SonioxError, fresh
from ...protocol.states import TtsPhase, TtsStreamState
from ...protocol.tts import AudioChunk, StreamRecord
from ...runtime import forks
from ...runtime.delivery import CallbackWorker
from ...runtime.log import harmless
from ...runtime.outlet import Outlet
from ...transport.deadline import Deadline
from ...transport.latch import Latch
from .metrics import StreamTimer
from .observers import StreamObserver

_log = logging.getLogger("soniox_sync")

# memory of audio that waits for the consumer; if there is more, it has stopped consuming
MAX_WAITING_AUDIO_BYTES = 64 * 1024 * 1024
# a chunk counts with the objects around its audio, so that the limit is one of memory, also for
# endless small or empty frames. 600 were measured; the rest is the read buffer, and the base64 of
# the first MiB.
_CHUNK_BYTES = 768
# of an id in the name of a thread; the first part of a UUID is enough to distinguish streams
_SHOWN_ID_CHARS = 20
# a longer backlog is kept as bytes instead of base64, which would exceed the limit by a third
_KEEP_ENCODED_BYTES = 1024 * 1024


class SendOutcome(enum.Enum):
    """Result of sending text on a carrier."""

    SENT = "sent"
    DETACHED = "detached"  # the stream has left this connection; the text was not accepted
    KEPT = "kept"  # the stream has left this connection with the text, and sends it on the next


class Carrier(Protocol):
    """Carries streams over one connection; see `multiplexer.TtsMultiplexer`. Thread-safe.

    Methods return False, or `DETACHED` or `KEPT`, if the stream has left the connection.
    """

    has_received: bool  # a frame was received for some stream

    def send_text(self, record: StreamRecord, text: str, end: bool) -> SendOutcome:
        """Send text, the stream's config before the first. Raises if it cannot be sent."""

    def cancel(self, record: StreamRecord, deadline: Optional[Deadline]) -> bool:
        """Cancel the stream on the server. Does not raise if the connection is lost.

        With a `deadline` it waits no longer for a connection that is busy or full.
        """

    def fail_stream(self, stream: StreamCore, error: SonioxError) -> bool:
        """Fail the stream for a reason on our side, and cancel it on the server."""


class StreamSlot(StreamObserver, Protocol):
    """Seat of a stream in a pool. Finds another connection when the stream's own is lost.

    `detach` and `attach` are called under the carrier's lock. All but `await_connection` must not
    block.
    """

    def detach(self, error: SonioxError) -> bool:
        """Detach the stream if it can survive `error`; return whether it was detached."""

    def request_connection(self) -> None:
        """Request another connection, which is opened on a separate thread."""

    def await_connection(self) -> None:
        """Wait until the stream is attached again, or over; request a connection if necessary."""

    def attach(self, carrier: Carrier) -> bool:
        """Attach the stream to `carrier`; return False if it was given up in the meantime."""

    def give_up(self, error: Optional[SonioxError]) -> bool:
        """End a detached stream, cancelled or failed with `error`; return False if attached."""


class StreamCore:
    """State of one stream: its record, its queue of audio, its handlers. Thread-safe."""

    def __init__(
        self,
        config: TtsStreamConfig,
        now: Callable[[], float],
        slot: Optional[StreamSlot] = None,
    ) -> None:
        # Immutable
        self.config = config
        # a thread of its own, so that a slow handler delays no other stream
        name = f"soniox-callback-{config.stream_id[:_SHOWN_ID_CHARS]}"
        self.worker: CallbackWorker = CallbackWorker(name)
        self.timer: StreamTimer = StreamTimer(now)
        self.outlet: Outlet[AudioChunk] = Outlet(
            ("audio", "audio_end", "terminated", "error"),
            final=("terminated", "error"),
            data_events=("audio",),
            push=self._run_handlers,
            limit=MAX_WAITING_AUDIO_BYTES,
            what="bytes",
            worker=self.worker,
        )
        self._delivery = self.outlet.delivery
        self._events = self.outlet.events
        self.done: Latch = Latch()  # terminated or failed: nothing more is received
        self.slot = slot  # in a pool
        self._observers: tuple[StreamObserver, ...] = () if slot is None else (slot,)
        # Callback thread only
        self._handling = False  # an audio handler is running
        # Set once, by whoever cancels
        self.is_cancelled: bool = False
        # Set by the carrier that admits the stream; changed under its lock
        self.record: StreamRecord
        # Set with the record; then by the slot, when the stream is attached to another connection
        self.carrier: Carrier
        forks.register(self._invalidate)

    @property
    def stream_id(self) -> str:
        """Id of the stream on its connection."""
        return self.config.stream_id

    @property
    def state(self) -> TtsStreamState:
        """Current state as users see it."""
        if self.record.error is not None:
            return TtsStreamState.ERROR
        return self.record.phase.public

    # -- the user's side -------------------------------------------------------------------------

    def send_text(self, text: str, end: bool = False) -> None:
        """Send text, unless it is empty and without `end`. Raises if it cannot be sent."""
        if not (text or end) and self.record.phase.can_send_text:
            return  # the service may turn an empty text into noise
        started = self.timer.now()  # before sending: audio may be received before this thread runs
        self._send(text, end)
        if text:
            self.timer.text_sent(started)

    def finish(self) -> None:
        """End the text. Idempotent. Raises the stream's error."""
        if self.record.phase.can_send_text or self.record.error is not None:
            self._send("", True)

    def _send(self, text: str, end: bool) -> None:
        """Send on the carrier; wait while the stream is detached."""
        record = self.record
        while True:
            outcome = self.carrier.send_text(record, text, end)
            if outcome is SendOutcome.SENT:
                return
            if not text and record.phase is TtsPhase.NEW and self._give_up(None):
                return  # nothing was ever sent: there is nothing to move
            if self.slot is not None:
                self.slot.await_connection()
            if outcome is SendOutcome.KEPT:
                if record.error is not None:
                    raise fresh(record.error)
                return

    def cancel(self, deadline: Optional[Deadline] = None) -> bool:
        """Drop the audio, end iteration, cancel on the server; return False if it was over.

        With a `deadline` it waits no longer for a connection that is busy.
        """
        if not self.record.phase.is_open:
            return False
        self.is_cancelled = True
        self._delivery.drop()
        while not (self._give_up(None) or self.carrier.cancel(self.record, deadline)):
            pass  # it was attached to another connection in between: try again
        return True

    def fail(self, error: SonioxError) -> None:
        """Fail the stream for a reason on our side, and cancel it on the server without waiting."""
        while not (self._give_up(error) or self.carrier.fail_stream(self, error)):
            pass  # as in cancel()

    def _give_up(self, error: Optional[SonioxError]) -> bool:
        """End the stream if it is detached; return whether it was."""
        return self.slot is not None and self.slot.give_up(error)

    def next_chunk(self, deadline: Deadline, what: str = "next audio") -> Optional[AudioChunk]:
        """Wait for the next chunk and decode it; `None` at the end. Raises the stream's error."""
        chunk = self._delivery.take(deadline, what)
        if chunk is not None:
            self._decode(chunk)
        return chunk

    def _decode(self, chunk: AudioChunk) -> bytes:
        try:
            return chunk.audio
        except SonioxError as error:  # a chunk is missing: end here rather than hide the gap
            self._delivery.drop(error)
            self.fail(error)
            raise

    def observe(self, observer: StreamObserver) -> None:
        """Report to `observer` from now on; if the stream is over, report that at once."""
        self._observers += (observer,)
        if self.record.phase.is_over:
            observer.released(self.record.error)

    # -- handlers --------------------------------------------------------------------------------

    @property
    def is_handling(self) -> bool:
        """Whether the caller is an audio handler of this stream."""
        return self._handling and self.worker.is_current

    def _run_handlers(self, chunk: AudioChunk) -> None:
        """Run the handlers for one chunk, on the callback thread."""
        try:
            audio = self._decode(chunk)
        except SonioxError:
            return  # reported by the stream's "error" event
        self._handling = True
        try:
            if audio or chunk.timestamps is not None:
                self._events.run("audio", audio, chunk.timestamps)
            if chunk.audio_end and not chunk.dispatched:
                self._events.run("audio_end")
        finally:
            self._handling = False

    # -- the carrier's side ----------------------------------------------------------------------

    def received(self, chunk: AudioChunk) -> None:
        """Queue received audio. Reader only."""
        self.timer.audio_received(chunk.weight)
        if self._delivery.waiting > _KEEP_ENCODED_BYTES:
            try:
                chunk.decode()
            except SonioxError as error:
                _log.debug(
                    "! %s", harmless(str(error))
                )  # raised when the consumer gets to this chunk
        live = chunk.audio_end and not self._delivery.is_pushed
        chunk.dispatched = live and self._events.has("audio_end")
        if not self._delivery.put(chunk, chunk.weight + _CHUNK_BYTES):
            self.fail(self._delivery.overflow())
        elif chunk.dispatched:  # in the queue first: what had no room there has not happened
            self._events.emit("audio_end")
        for observer in self._observers:
            observer.received(chunk)

    def failed(self, error: SonioxError) -> None:
        """Raise `error` to every waiter and, after the audio before it, to the iterator."""
        for observer in self._observers:  # first: a pool has acted when the user sees the error
            observer.failed(error)
        self._delivery.end(error)
        self._events.emit("error", error)
        self.done.set()

    def released(self, error: Optional[SonioxError]) -> None:
        """Handle the end of the stream: its id is free. Thread-safe; only the first call counts."""
        self.timer.ended()
        try:
            for observer in self._observers:  # first: the slot is free when the user sees the end
                observer.released(error)
            failed_before = self.done.is_set()
            self._delivery.end(error)
            if error is not None and not failed_before:
                self._events.emit("error", error)
            self._events.emit("terminated")
        finally:  # also after Ctrl-C: whoever waits for the stream must not wait for ever
            self.worker.stop()  # its thread ends after what was posted
            self._delivery.end(error)
            self.outlet.release()
            self.done.set()

    def detach(self, error: SonioxError) -> bool:
        """Detach from a connection that ended with `error` if possible; return whether it was."""
        return self.slot is not None and self.slot.detach(error)

    def request_connection(self) -> None:
        """Request another connection after `detach()`."""
        if self.slot is not None:
            self.slot.request_connection()

    def _invalidate(self) -> None:
        """End this copy of the stream in a forked child, unless it was over before."""
        if self.done.is_set() or not hasattr(self, "record"):  # over, or nobody's yet
            return
        error = forks.fork_error("stream")
        self.record.phase = TtsPhase.DEAD
        self.record.error = error
        self._delivery.end(error)
        self.done.set()
        self.outlet.release()
        self._observers, self.slot = (), None
