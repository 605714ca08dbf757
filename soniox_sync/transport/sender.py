"""Writing frames: one writer at a time, and never half a frame.

The thread that holds the send lock writes: first what an interrupted write left over, then waiting
control frames, then its own. Pongs, pings and keepalives never wait for room: a full uplink must
not stop the reader (docs/performance.rst).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Optional, Protocol, Union

from .._support.locks import new_lock
from .deadline import Deadline, acquire
from .frames import PING, PONG, encode_close, encode_frame
from .sockets import DuplexSocket, SendTimeout

Frames = Union[bytes, Sequence[bytes]]

# how long the answer to the peer's close frame may wait for another writer
_REPLY_SEC = 0.25
# writers return at once when the socket is shut down, unless Ctrl-C struck between acquiring the
# lock and its `try`: then it is never released, and the end must not wait for it
_RETIRE_SEC = 2.0


class SendAfterClose(Exception):
    """The connection is closing or closed: nothing may follow a close frame."""


class SendObserver(Protocol):
    """Object that sees everything that is sent, in order."""

    def sent(self, frames: bytes) -> object:
        """Handle whole frames before they are written. Called under the send lock; never raises."""


class Sender:
    """Writer of frames to one `DuplexSocket`. Thread-safe.

    `make` callables decide and encode under the caller's state lock; they run with the send lock
    held and must not block (lock order: send -> state).
    """

    def __init__(self, sock: DuplexSocket, observer: Optional[SendObserver] = None) -> None:
        self._sock = sock
        self._observer = observer
        # Guards the sending side of the socket and the fields below. send() holds it while waiting
        # for room, bounded by its deadline.
        self._lock = new_lock()
        self._left_over = b""  # rest of the frames that a write could not finish
        self._closing = False  # the close frame is sent or queued; nothing may follow it
        # Guards writes to the two slots below. Leaf.
        self._slot_lock = new_lock()
        self._pong: Optional[bytes] = None  # the latest one counts (RFC 6455 5.5.3)
        self._ping: Optional[bytes] = None

    def send(self, make: Callable[[], Frames], deadline: Deadline) -> None:
        """Write what `make` returns, waiting for room until `deadline`.

        What `make` raises passes through, and nothing is sent.

        Raises
            SendTimeout, OSError: the connection failed and cannot be used any longer.
            SendAfterClose: the close frame was sent.
        """
        if not (self._lock.acquire(blocking=False) or acquire(self._lock, deadline)):
            raise SendTimeout(f"another send did not end {deadline.within}")
        try:
            if self._closing:
                raise SendAfterClose("the connection is closing")
            frames = make()
            if isinstance(frames, bytes):
                self._write(frames, deadline)
            else:
                for frame in frames:
                    self._write(frame, deadline)
            if self._pong is not None or self._ping is not None:
                self._write(b"", deadline)  # queued in the meantime; here waiting is allowed
        finally:
            self._lock.release()
        if self._pong is not None or self._ping is not None:
            self._flush_slots()

    def try_send(self, make: Callable[[], Frames], deadline: Optional[Deadline] = None) -> bool:
        """Write what `make` returns without waiting for room; return whether it was accepted.

        What was accepted and did not fit is written by the next writer. Nothing is accepted, and
        the connection goes on, when another thread is still writing at `deadline` (default: now),
        the connection is closing, or the socket is full.
        """
        if not (acquire(self._lock, deadline) if deadline else self._lock.acquire(blocking=False)):
            return False
        try:
            if self._closing or (self._left_over and not self._drain_left_over()):
                return False
            frames = make()
            self._accept(frames if isinstance(frames, bytes) else b"".join(frames))
            self._drain_left_over()
        finally:
            self._lock.release()
        if self._pong is not None or self._ping is not None:
            self._flush_slots()
        return True

    @property
    def is_behind(self) -> bool:
        """Whether a part of what was accepted waits for the next writer."""
        return bool(self._left_over)

    def pong(self, payload: bytes) -> None:
        """Answer a ping as soon as there is room; only the latest answer counts."""
        with self._slot_lock:
            self._pong = payload
        self._flush_slots()

    def ping(self, payload: bytes) -> None:
        """Send a ping as soon as there is room."""
        with self._slot_lock:
            self._ping = payload
        self._flush_slots()

    def send_close(self, code: int, deadline: Deadline) -> bool:
        """Write the close frame, once; return whether it was sent. Never raises `OSError`."""
        if not acquire(self._lock, deadline):
            return False
        try:
            if self._closing:
                return True
            self._closing = True
            self._write(encode_close(code), deadline)
            return True
        except OSError:
            return False  # the reader gets the same error and reports it
        finally:
            self._lock.release()

    def reply_close(self, code: int) -> None:
        """Answer the peer's close frame, waiting only briefly for another writer. Reader only."""
        if not acquire(self._lock, Deadline(_REPLY_SEC)):
            return  # the socket is full; the answer was a courtesy
        try:
            if not self._closing:
                self._closing = True
                self._accept(encode_close(1000 if code == 1005 else code))
                self._drain_left_over()
        except OSError:
            pass  # the peer is gone; the answer was a courtesy
        finally:
            self._lock.release()

    def retire(self) -> None:
        """Close the descriptor once no writer uses it. For the reader, after `shutdown()`."""
        held = acquire(self._lock, Deadline(_RETIRE_SEC))
        try:
            self._closing = True
            self._sock.close()
        finally:
            if held:
                self._lock.release()

    def invalidate(self) -> None:
        """Refuse everything from now on. For a forked child."""
        self._closing = True

    def _write(self, frame: bytes, deadline: Deadline) -> None:
        waiting = self._take_slots() if self._pong or self._ping else b""
        # if Ctrl-C interrupts what follows, the next writer finishes the frame. TLS must be given
        # the same bytes again, even if it reported none of them as sent
        self._accept(waiting + frame)
        while not self._drain_left_over():
            self._sock.await_room(deadline)

    def _accept(self, frames: bytes) -> None:
        """Have frames written after what is left over. Under the lock."""
        if self._observer is not None:
            self._observer.sent(frames)
        self._left_over += frames

    def _drain_left_over(self) -> bool:
        """Write as much of what is left over as fits now; return whether that was all."""
        certain = True
        try:
            while self._left_over:
                certain = False
                count = self._sock.try_send(self._left_over)
                self._left_over = self._left_over[count:]
                certain = True
                if count == 0:
                    return False
        except OSError:
            certain = True  # nothing more can be sent
            raise
        finally:
            if not certain:  # Ctrl-C between sending and counting: how much was sent is unknown
                self._closing = True
                self._sock.shutdown()
        return True

    def _take_slots(self) -> bytes:
        with self._slot_lock:
            pong, self._pong = self._pong, None
            ping, self._ping = self._ping, None
        frames = b"" if pong is None else encode_frame(PONG, pong)
        return frames if ping is None else frames + encode_frame(PING, ping)

    def _flush_slots(self) -> None:
        """Write waiting control frames unless another thread is writing, which then does it."""
        while (self._pong is not None or self._ping is not None) and self._lock.acquire(False):
            try:
                if self._closing or not self._drain_left_over():
                    return
                self._accept(self._take_slots())
                self._drain_left_over()
            except OSError:
                return  # the reader gets the same error and reports it once
            finally:
                self._lock.release()
