"""The one way out: whole frames, one writer at a time, never half a frame.

Whoever holds the send lock writes: first what an interrupted write left over, then waiting control
frames, then its own. Pongs, pings and keepalives never wait for room: a full uplink must not stop
the reader (docs/performance.rst).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Callable, Optional, Union

from .deadline import Deadline, acquire
from .frames import PING, PONG, encode_close, encode_frame
from .sockets import LineSocket, SendTimeout

Frames = Union[bytes, Sequence[bytes]]

# how long the answer to the peer's close frame waits for a writer inside; nothing else is left
_REPLY_SEC = 0.25
# a writer leaves at once when the socket was shut, unless Ctrl-C struck between taking the lock and
# its `try`: then the lock stays taken, and the end must not wait for it
_RETIRE_SEC = 2.0


class LineClosed(Exception):
    """Reports a send on a line that is closing or closed already."""


class Sender:
    """Writes frames to one `LineSocket`. Safe from any thread.

    The callables handed in decide and encode under the caller's state lock; they run with the send
    lock held and must not block (lock order: send -> state).
    """

    def __init__(self, sock: LineSocket) -> None:
        self._sock = sock
        # Guards the socket's outgoing side and the fields below it. May be held in send(), bounded
        # by its deadline; a plain Lock, so that a handler may be interrupted while waiting for it.
        self._lock = threading.Lock()
        self._left_over = b""  # the rest of frames a write could not finish
        self._closing = False  # the close frame is out or queued; nothing may follow it
        # Guards the two slots. Leaf; held for an assignment only.
        self._slot_lock = threading.Lock()
        self._pong: Optional[bytes] = None  # latest wins (RFC 6455 5.5.3)
        self._ping: Optional[bytes] = None

    def send(self, make: Callable[[], Frames], deadline: Deadline) -> None:
        """Write what `make` returns, waiting for room until `deadline`.

        Raises `SendTimeout` or `OSError` when the line failed; it must be given up then. Raises
        `LineClosed` after a close frame. What `make` raises passes through, nothing sent.
        """
        if not (self._lock.acquire(blocking=False) or acquire(self._lock, deadline)):
            raise SendTimeout("another send did not finish before the deadline")
        try:
            if self._closing:
                raise LineClosed("the connection is closing")
            frames = make()
            if isinstance(frames, bytes):
                self._write(frames, deadline)
            else:
                for frame in frames:
                    self._write(frame, deadline)
            if self._pong is not None or self._ping is not None:
                self._write(b"", deadline)  # asked for meanwhile; here waiting for room is allowed
        finally:
            self._lock.release()
        if self._pong is not None or self._ping is not None:
            self._flush_slots()

    def try_send(self, make: Callable[[], Frames], deadline: Optional[Deadline] = None) -> bool:
        """Write what `make` returns without waiting for room; tell whether it went (or is queued).

        False when another thread is writing until `deadline` (default: now), the line is closing,
        or it takes nothing now. The line survives that, unlike a `send()` that gave up.
        """
        if not (acquire(self._lock, deadline) if deadline else self._lock.acquire(blocking=False)):
            return False
        try:
            if self._closing or not self._drain_left_over():
                return False
            frames = make()
            self._left_over = frames if isinstance(frames, bytes) else b"".join(frames)
            self._drain_left_over()
        finally:
            self._lock.release()
        self._flush_slots()
        return True

    def pong(self, payload: bytes) -> None:
        """Answer a ping as soon as the line takes it; only the latest answer counts."""
        with self._slot_lock:
            self._pong = payload
        self._flush_slots()

    def ping(self, payload: bytes) -> None:
        """Ask the peer for a sign of life as soon as the line takes it."""
        with self._slot_lock:
            self._ping = payload
        self._flush_slots()

    def send_close(self, code: int, reason: str, deadline: Deadline) -> bool:
        """Write the one close frame, once; tell whether it is out. Never raises for a dead line."""
        if not acquire(self._lock, deadline):
            return False
        try:
            if self._closing:
                return True
            self._closing = True
            self._write(encode_close(code, reason), deadline)
            return True
        except OSError:
            return False  # the line is dead: the reader finds the same and reports it
        finally:
            self._lock.release()

    def reply_close(self, code: int) -> None:
        """Answer the peer's close frame, waiting for a busy line only shortly (for the reader)."""
        if not acquire(self._lock, Deadline(_REPLY_SEC)):
            return  # the line takes nothing; the answer was a courtesy
        try:
            if not self._closing:
                self._closing = True
                self._left_over += encode_close(1000 if code == 1005 else code)
                self._drain_left_over()
        except OSError:
            pass  # the peer has gone already; the answer was a courtesy
        finally:
            self._lock.release()

    def retire(self) -> None:
        """Close the descriptor once no writer is inside. For the reader, after `shutdown()`."""
        held = acquire(self._lock, Deadline(_RETIRE_SEC))
        try:
            self._closing = True
            self._sock.close()
        finally:
            if held:
                self._lock.release()

    def renew_locks(self) -> None:
        """Replace locks that a fork may have copied in the taken state."""
        self._lock = threading.Lock()
        self._slot_lock = threading.Lock()
        self._closing = True

    def _write(self, frame: bytes, deadline: Deadline) -> None:
        waiting = self._take_slots() if self._pong or self._ping else b""
        # Ctrl-C from here on: whoever writes next finishes the frame, so the line stays whole. TLS
        # needs the very same bytes again even if it reported none of them as taken.
        self._left_over += waiting + frame
        while not self._drain_left_over():
            self._sock.await_room(deadline)

    def _drain_left_over(self) -> bool:
        """Write what is left over as far as the line takes it now; tell whether all went."""
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
            certain = True  # the line is dead; nothing more will go out
            raise
        finally:
            if not certain:  # Ctrl-C between sending and counting: the line cannot be kept whole
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
        """Write waiting control frames if the line is free; else its present holder does."""
        while (self._pong is not None or self._ping is not None) and self._lock.acquire(False):
            try:
                if self._closing or not self._drain_left_over():
                    return
                self._left_over = self._take_slots()
                self._drain_left_over()
            except OSError:
                return  # the reader meets the same failure and reports it once
            finally:
                self._lock.release()
