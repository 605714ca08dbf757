"""Slots of a pool: one for each stream, on one of the pool's connections.

The server closes idle connections (PROTOCOL 3.6), and its close frame may be on its way when a
stream starts: then the stream's connection is lost before the server has answered. Such a stream
detaches, with the text sent so far, and is attached to a new connection that its `PooledConnection`
opens. That does not happen on a reader thread, but on a separate one for each pooled connection
that lost streams.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable, Optional, Protocol

from ..._support.locks import new_lock
from ...errors import QuotaError, SonioxConnectionError, SonioxError, StateError
from ...protocol.states import TtsPhase
from ...protocol.tts import AudioChunk, end_detached
from ...runtime.timeouts import READER_REPORT_SEC
from ...transport.deadline import Deadline, wait_for
from ...transport.latch import Latch
from ..tts.connection import Input, SharedConnection
from ..tts.multiplexer import TtsMultiplexer
from ..tts.stream import Carrier, StreamCore

_log = logging.getLogger("soniox_sync")

# the connection was lost or the server closed it; with any other code it would happen again
_LOST_CODES = frozenset({"connection_error", "ping_timeout", "send_timeout"})
# a stream that is lost again after this many moves fails
_MAX_MOVES = 2
# a writer who has been silent for this long will not end the text: the server ends the stream after
# 5.2 s (PROTOCOL 3.5), and speak() after 3 s
_SILENT_SEC = 3.0


class SlotOwner(Protocol):
    """Object that counts the slots of a pool. Thread-safe; called without a lock held."""

    def release(self, slot: Slot, connection: PooledConnection, received: bool) -> None:
        """Free a slot; `received`: the server had answered its stream."""

    def limit_exceeded(self) -> None:
        """Record that the account allows no more streams than there are."""


class PooledConnection:
    """One connection of a pool and the slots on it."""

    def __init__(self, shared: SharedConnection, now: Callable[[], float]) -> None:
        # Immutable
        self.shared = shared
        self._now = now
        # Under the pool's lock
        self.taken = 0
        # Assigned by any thread: one float
        self.fresh_at: float = now()  # opened, or last received from
        # Guards the fields below. Leaf.
        self._lock = new_lock()
        self._detached: list[Slot] = []
        self._is_reattaching = False

    def used(self) -> None:
        """Record that it was reopened, or that something was received."""
        self.fresh_at = self._now()

    def reattach(self, slot: Slot) -> None:
        """Open a new connection for a detached stream, on a thread of its own. Never blocks."""
        with self._lock:
            self._detached.append(slot)
            running, self._is_reattaching = self._is_reattaching, True
        if running:
            return
        try:
            threading.Thread(target=self._run, name="soniox-pool-move", daemon=True).start()
        except RuntimeError as error:  # no more threads: the streams are lost
            lost = SonioxConnectionError(
                f"the connection was lost, and a new one could not be opened: {error}"
            )
            while slots := self._take():
                _give_up_all(slots, lost)

    def _take(self) -> list[Slot]:
        """Return the slots that are waiting; if there are none, the thread ends."""
        with self._lock:
            slots, self._detached = self._detached, []
            self._is_reattaching = bool(slots)
        return slots

    def _run(self) -> None:
        while slots := self._take():
            try:
                self._reattach_all(slots)
            except StateError:
                _give_up_all(slots, closed_error())
            except SonioxError as error:
                _give_up_all(slots, error)
            except Exception as error:  # noqa: BLE001 - top of a thread: reported
                _log.exception("! moving to another connection failed")
                lost = SonioxConnectionError(
                    f"the connection was lost, and a new one could not be opened: {error!r}"
                )
                lost.__cause__ = error
                _give_up_all(slots, lost)

    def _reattach_all(self, slots: list[Slot]) -> None:
        known = self.shared.current
        multiplexer, _ = self.shared.ready()
        if multiplexer is not known:
            self.used()
        for slot in slots:
            slot.known = known
            try:
                multiplexer.attach(slot.stream)
            except SonioxError as error:
                if multiplexer is known and isinstance(error, SonioxConnectionError):
                    # it is just ending: try once more, with a new one
                    wait_for(multiplexer.connection.closed, Deadline(READER_REPORT_SEC))
                    with self._lock:
                        self._detached.append(slot)
                else:
                    slot.give_up(error)  # without effect if it was attached, which then reports


class Slot:
    """Seat of one stream, which it moves if necessary; freed once.

    Implements `StreamSlot`.
    """

    def __init__(self, owner: SlotOwner, connection: PooledConnection) -> None:
        # Immutable
        self._owner = owner
        self._connection = connection
        self.stream: StreamCore  # set once by open(), before anything is reported
        # Reader only
        self._received = False
        # Guards the fields below, and the record of a detached stream. Taken under the
        # multiplexer's state lock. Leaf.
        self._lock = new_lock()
        self.is_free: bool = False
        self._detached = False
        self._requested = False
        self._waiting = 0  # threads that wait for a connection, with a text
        self._moves = 0  # with text
        # Written by the thread that opens or reattaches the stream. A connection that was open
        # before the stream, so it may have been idle
        self.known: Optional[TtsMultiplexer] = None
        # The thread in close() only
        self._text_bytes = -1
        self._silence = Deadline(None)
        # Set while the stream is attached, or over
        self._settled = Latch()
        self._settled.set()

    def open(
        self, input: Optional[Input], fields: Mapping[str, Any], connect_sec: Optional[float]
    ) -> StreamCore:
        """Start the stream on the slot's connection; raise if that is not possible."""
        shared = self._connection.shared
        known = self.known = shared.current
        was_usable = known is not None and known.is_usable
        start = partial(shared.start, input, fields, 0.0, self, self._bind, connect_sec=connect_sec)
        try:
            stream = start()
        except SonioxConnectionError as error:
            if not (was_usable and _is_loss(error)):
                raise
            stream = start()  # it was lost after the check above
        if stream.carrier is not known:
            self._connection.used()
        return stream

    def _bind(self, stream: StreamCore) -> None:
        self.stream = stream

    # -- what the stream reports -----------------------------------------------------------------

    def received(self, chunk: AudioChunk) -> None:
        """Record that the server answered. Reader only."""
        self._received = True
        self._connection.used()

    def failed(self, error: SonioxError) -> None:
        """Record a refusal; the slot is free once the server has terminated the stream."""
        if isinstance(error, QuotaError) and error.error_type == "limit_exceeded":
            self._owner.limit_exceeded()

    def released(self, error: Optional[SonioxError] = None) -> None:
        """Free the slot. Idempotent."""
        with self._lock:
            was_free, self.is_free = self.is_free, True
        if not was_free:
            self._owner.release(self, self._connection, self._received)

    # -- moving ----------------------------------------------------------------------------------

    def detach(self, error: SonioxError) -> bool:
        """Detach the stream if it can survive `error`; return whether it was detached."""
        record = self.stream.record
        if not _is_loss(error) or record.unanswered is None or not record.phase.is_open:
            return False
        if record.phase is not TtsPhase.NEW and not self._may_move():
            return False
        with self._lock:
            self._detached, self._requested = True, False
            self._settled.clear()
        return True

    def _may_move(self) -> bool:
        """Return whether another connection is likely to work: this one may have been idle."""
        carrier = self.stream.carrier
        was_open = carrier is self.known or carrier.has_received
        return was_open and self._moves < _MAX_MOVES

    def request_connection(self) -> None:
        """Request a connection for a stream with text; one without text does not need it yet."""
        # until then it would be idle, and closed
        if self.stream.record.phase is not TtsPhase.NEW or self._waiting:
            self._request()

    def _request(self) -> None:
        with self._lock:
            begin = self._detached and not self._requested
            self._requested = True
        if begin:
            self._connection.reattach(self)

    def await_connection(self) -> None:
        """Wait until the stream is attached again, or over."""
        with self._lock:
            self._waiting += 1  # if it is lost again before this thread goes on
        try:
            self._request()
            wait_for(self._settled, Deadline(None))
        finally:
            with self._lock:
                self._waiting -= 1

    def attach(self, carrier: Carrier) -> bool:
        """Attach the stream to `carrier`; return False if it was given up in the meantime."""
        with self._lock:
            if not self._detached or self.stream.record.phase.is_over:
                return False
            self._detached = False
            self._moves += self.stream.record.phase is not TtsPhase.NEW
            self.stream.carrier = carrier
        self._settled.set()
        return True

    def give_up(self, error: Optional[SonioxError]) -> bool:
        """End a detached stream, cancelled or failed with `error`; return False if attached."""
        with self._lock:
            if not self._detached:
                return False
            if not self.stream.record.phase.is_over:
                end_detached(self.stream.record, error)
        self._settled.set()
        self.stream.released(error)
        with self._lock:
            self._detached = False  # last: what Ctrl-C interrupts is done by the next call
        return True

    # -- while the pool closes -------------------------------------------------------------------

    def cancel_unused(self) -> None:
        """Cancel a stream that never sent text."""
        if self.stream.record.phase is TtsPhase.NEW:
            self.stream.cancel(Deadline(0))

    def is_worth_waiting(self) -> bool:
        """Return whether the stream may still end by itself. Polled by the thread in `close()`."""
        record = self.stream.record
        if not record.phase.is_open or self.stream.is_handling:
            return False
        if record.phase is TtsPhase.ACTIVE and record.text_bytes != self._text_bytes:
            self._text_bytes, self._silence = record.text_bytes, Deadline(_SILENT_SEC)
        return record.phase is TtsPhase.FINISHING or not self._silence.passed


def closed_error() -> SonioxConnectionError:
    """Return the error of a stream that did not end before its pool was closed."""
    return SonioxConnectionError(
        "the pool was closed by close() before the stream was terminated", code="closed"
    )


def _give_up_all(slots: list[Slot], error: SonioxError) -> None:
    for slot in slots:
        slot.give_up(error)


def _is_loss(error: SonioxError) -> bool:
    return isinstance(error, SonioxConnectionError) and error.code in _LOST_CODES
