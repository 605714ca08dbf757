"""Socket of one connection, with the faults that act on bytes.

One thread reads (the connection's own), one writes. The socket is non-blocking; each thread waits
for its own direction with `poll`, so that a fault can wake one without disturbing the other. Only
the connection's own thread closes the descriptor.
"""

from __future__ import annotations

import io
import logging
import select
import socket
import struct
import threading
from typing import Any, Optional, Protocol, Union

from ..._support.locks import new_lock

__all__ = ["Link", "LinkDown", "LinkReader", "LinkWriter", "Meter"]

log: logging.Logger = logging.getLogger(__name__)

# interval at which `_mode` is checked while the peer does not read: SHUT_RD wakes only a reader,
# and SHUT_WR would send a FIN, which must not precede a reset
_POLL_SEC = 0.05
# reads per second of a slow reader: enough to be smooth, cheap enough for two cores
_SLOW_READS_PER_SEC = 20


class LinkDown(Exception):
    """Ends a writer whose connection was cut."""


class Meter(Protocol):
    """Counter of bytes that may act at exact counts: the tripwire of a connection with faults."""

    def room(self, name: str, size: int) -> int:
        """Return how many of `size` bytes may pass before the next action; at least 1."""

    def advance(self, name: str, amount: float) -> None:
        """Add to the counter `"bytes_in"` or `"bytes_out"`, and act on what is due."""


class Link:
    """One TCP connection with faults.

    `mode`: `"open"`, `"reset"` (RST follows), `"fin"` (FIN sent, still reading), `"frozen"` (the
    socket stays open, but nothing is read or written) or `"gone"`. Only the reader may call `read`,
    only the writer `write`; every other method is thread-safe.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._sock = sock
        self._gone = threading.Event()
        # Guards _mode. Leaf.
        self._lock = new_lock()
        self._mode = "open"
        self.trip: Optional[Meter] = None
        # bytes in one TCP write, and the real seconds between two of them
        self._split_bytes: Optional[int] = None
        self._split_pause_sec = 0.0
        # bytes read per second of real time
        self._read_rate: Optional[float] = None

    @property
    def mode(self) -> str:
        """State of the connection."""
        return self._mode

    def wait_gone(self, sec: Optional[float]) -> bool:
        """Sleep for `sec` real seconds (`None`: forever); return True once the connection is gone.

        It is gone after `reset()`, `abort()` or `close()`.
        """
        return self._gone.wait(sec)

    # --- reader

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size`; `b""` at the end, whatever ended it."""
        while True:
            if self._mode == "frozen":
                self._gone.wait()
            if self._mode in ("reset", "gone"):
                return b""
            try:
                data = self._sock.recv(self._readable_size(size))
            except (BlockingIOError, InterruptedError):
                self._wait(write=False, sec=None)
                continue
            except OSError as error:
                log.debug("! recv failed: %s", error)
                return b""
            if self._mode in ("frozen", "reset", "gone"):
                continue
            if self._read_rate is not None:
                self._gone.wait(len(data) / self._read_rate)
            if self.trip is not None and data:
                self.trip.advance("bytes_in", len(data))
            return data

    def _readable_size(self, size: int) -> int:
        if self.trip is not None:
            size = self.trip.room("bytes_in", size)
        if self._read_rate is not None:
            size = min(size, max(1, int(self._read_rate / _SLOW_READS_PER_SEC)))
        return size

    # --- writer

    def write(self, data: Union[bytes, memoryview]) -> None:
        """Send all of `data`; blocks while the peer does not read.

        A fault that is due after n bytes acts after exactly n bytes.

        Raises
            LinkDown: the connection was cut.
        """
        view = memoryview(data)
        while view:
            size = len(view)
            if self._split_bytes is not None:
                size = min(size, self._split_bytes)
            if self.trip is not None:
                size = self.trip.room("bytes_out", size)
            self._send_all(view[:size])
            view = view[size:]
            if self.trip is not None:
                self.trip.advance("bytes_out", size)
            if self._split_bytes is not None and self._split_pause_sec and view:
                self._gone.wait(self._split_pause_sec)

    def _send_all(self, view: memoryview) -> None:
        while view:
            if self._mode == "frozen":
                self._gone.wait()
            if self._mode != "open":
                raise LinkDown(self._mode)
            try:
                view = view[self._sock.send(view) :]
            except (BlockingIOError, InterruptedError):
                self._wait(write=True, sec=_POLL_SEC)
            except OSError as error:
                raise LinkDown(str(error)) from error

    # --- cuts

    def reset(self) -> None:
        """Cut with a TCP RST, losing what is in flight."""
        if self._enter("reset"):
            linger = struct.pack("ii", 1, 0)
            self._try(self._sock.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._try(self._sock.shutdown, socket.SHUT_RD)
            self._gone.set()

    def fin(self) -> None:
        """End our direction cleanly (TCP FIN); further data from the peer is read and dropped."""
        if self._enter("fin"):
            self._try(self._sock.shutdown, socket.SHUT_WR)

    def freeze(self) -> None:
        """Stop reading and writing but keep the socket: a half-open peer."""
        self._enter("frozen")

    def abort(self) -> None:
        """End both directions now and wake both threads."""
        if self._enter("gone"):
            self._try(self._sock.shutdown, socket.SHUT_RDWR)
        self._gone.set()

    def close(self) -> None:
        """Close the descriptor; called last, by the connection's own thread."""
        self._enter("gone")
        self._gone.set()
        self._sock.close()

    # --- faults that leave the connection open

    def split(self, size: int, pause_sec: float) -> None:
        """Write at most `size` bytes at a time from now on, `pause_sec` real seconds apart."""
        self._split_bytes = size
        self._split_pause_sec = pause_sec

    def read_slowly(self, bytes_per_sec: float) -> None:
        """Read at most `bytes_per_sec` bytes per real second from now on."""
        self._read_rate = bytes_per_sec
        # with a small receive buffer the peer is soon affected
        self._try(self._sock.setsockopt, socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def heal(self) -> None:
        """Remove these faults, and the meter."""
        self.trip = None
        self._split_bytes = None
        self._read_rate = None

    # --- helpers

    def _enter(self, mode: str) -> bool:
        """Change the mode; return False if it is the current one, or the connection was cut."""
        with self._lock:
            if self._mode in ("reset", "gone", mode):
                return False
            self._mode = mode
            return True

    @staticmethod
    def _try(call: Any, *args: Any) -> None:
        try:
            call(*args)
        except OSError as error:
            # the peer came first: the connection is down already, as intended
            log.debug("! %s: %s", getattr(call, "__name__", "socket call"), error)

    def _wait(self, *, write: bool, sec: Optional[float]) -> None:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._sock, select.POLLOUT if write else select.POLLIN)
            poll.poll(None if sec is None else sec * 1000)
            return
        ours = [self._sock]
        # without poll, shutdown may not wake select() on some platforms: check again
        select.select([] if write else ours, ours if write else [], [], sec or _POLL_SEC)


class LinkReader(io.RawIOBase):
    """Raw stream over a link, for an `io.BufferedReader`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with the next bytes, and return how many."""
        data = self._link.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class LinkWriter(io.RawIOBase):
    """Unbuffered stream that writes to a link."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Send all of `data`."""
        self._link.write(data)
        return len(data)
