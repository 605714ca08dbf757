"""The TCP side of one connection, where faults act on bytes.

One thread reads (the connection's own), one writes. The socket is non-blocking; each waits for
its own direction with `poll`, so that a fault can wake one without disturbing the other. The
reading thread's owner closes the descriptor, nobody else.
"""

from __future__ import annotations

import io
import logging
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Optional, Union

if TYPE_CHECKING:
    from .tripwire import Tripwire

__all__ = ["Link", "LinkDown", "LinkReader", "LinkWriter"]

log = logging.getLogger(__name__)

# seconds between two looks at `_mode` while the peer does not take our bytes: SHUT_RD wakes a
# reader only, and SHUT_WR would send the FIN that a reset must not send
_LOOK = 0.05


class LinkDown(Exception):
    """Ends a writer whose connection was cut."""


class Link:
    """Is one TCP connection with faults in it.

    `mode`: `"open"`, `"reset"` (RST follows), `"fin"` (FIN sent, reading on), `"frozen"` (alive
    to TCP, dead to the peer), `"gone"`. Only `read` may be called by the reader and `write` by
    the writer; every other method is legal from any thread.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._sock = sock
        self._gone = threading.Event()
        # Guards _mode. Leaf.
        self._lock = threading.Lock()
        self._mode = "open"
        # set when a fault is attached; counts bytes
        self.trip: Optional[Tripwire] = None
        # bytes in one TCP write, and the real seconds between two of them
        self.split_bytes: Optional[int] = None
        self.split_pause_sec = 0.0
        # bytes read per second of real time
        self.read_rate: Optional[float] = None

    @property
    def mode(self) -> str:
        """Tell what is left of the connection."""
        return self._mode

    def wait_gone(self, sec: Optional[float]) -> bool:
        """Sleep for real seconds; True at once when the connection went away."""
        return self._gone.wait(sec)

    # --- reader

    def read(self, size: int) -> bytes:
        """Give the next bytes, at most `size`; `b""` at the end, whatever ended it."""
        while True:
            if self._mode == "frozen":
                self._gone.wait()
            if self._mode in ("reset", "gone"):
                return b""
            size = self._allowed(size)
            try:
                data = self._sock.recv(size)
            except (BlockingIOError, InterruptedError):
                self._wait(write=False, sec=None)
                continue
            except OSError as error:
                log.debug("! recv failed: %s", error)
                return b""
            if self._mode in ("frozen", "reset", "gone"):
                continue
            return self._took(data)

    def _allowed(self, size: int) -> int:
        if self.trip is not None:
            size = self.trip.room("bytes_in", size)
        if self.read_rate is not None:
            # 20 reads a second: fine enough to be a slow reader, cheap enough for two cores
            size = min(size, max(1, int(self.read_rate / 20)))
        return size

    def _took(self, data: bytes) -> bytes:
        if self.read_rate is not None:
            self._gone.wait(len(data) / self.read_rate)
        if self.trip is not None and data:
            self.trip.advance("bytes_in", len(data))
        return data

    # --- writer

    def write(self, data: Union[bytes, memoryview]) -> None:
        """Send all of `data`; blocks while the peer does not read.

        Raises `LinkDown` when the connection was or gets cut; a fault that is due after n bytes
        lets exactly n bytes out.
        """
        view = memoryview(data)
        while view:
            size = len(view)
            if self.split_bytes is not None:
                size = min(size, self.split_bytes)
            if self.trip is not None:
                size = self.trip.room("bytes_out", size)
            self._send_all(view[:size])
            view = view[size:]
            if self.trip is not None:
                self.trip.advance("bytes_out", size)
            if self.split_bytes is not None and self.split_pause_sec and view:
                self._gone.wait(self.split_pause_sec)

    def _send_all(self, view: memoryview) -> None:
        while view:
            self._check_writable()
            try:
                view = view[self._sock.send(view) :]
            except (BlockingIOError, InterruptedError):
                self._wait(write=True, sec=_LOOK)
            except OSError as error:
                raise LinkDown(str(error)) from error

    def _check_writable(self) -> None:
        if self._mode == "frozen":
            self._gone.wait()
        if self._mode != "open":
            raise LinkDown(self._mode)

    # --- cuts

    def reset(self) -> None:
        """Cut with a TCP RST, losing what is in flight."""
        if self._become("reset"):
            linger = struct.pack("ii", 1, 0)
            self._quietly(self._sock.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._quietly(self._sock.shutdown, socket.SHUT_RD)
            self._gone.set()

    def fin(self) -> None:
        """End our direction cleanly (TCP FIN); what the peer still sends is read and dropped."""
        if self._become("fin"):
            self._quietly(self._sock.shutdown, socket.SHUT_WR)

    def freeze(self) -> None:
        """Stop reading and writing but keep the socket: a half-open peer."""
        self._become("frozen")

    def abort(self) -> None:
        """End both directions now and wake both threads."""
        with self._lock:
            first = self._mode != "gone" and self._mode != "reset"
            if first:
                self._mode = "gone"
        if first:
            self._quietly(self._sock.shutdown, socket.SHUT_RDWR)
        self._gone.set()

    def close(self) -> None:
        """Give the descriptor back; only the connection's own thread calls it, last."""
        self._become("gone")
        self._gone.set()
        self._sock.close()

    def heal(self) -> None:
        """Take back the faults that leave the connection standing."""
        self.trip = None
        self.split_bytes = None
        self.read_rate = None

    def shrink_buffers(self) -> None:
        """Ask for small receive buffers, so that a slow reader is felt soon."""
        self._quietly(self._sock.setsockopt, socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def _become(self, mode: str) -> bool:
        with self._lock:
            if self._mode in ("reset", "gone", mode):
                return False
            self._mode = mode
            return True

    @staticmethod
    def _quietly(call: Any, *args: Any) -> None:
        try:
            call(*args)
        except OSError as error:
            # the peer was faster: the connection is already down, which is what was wanted
            log.debug("! %s: %s", getattr(call, "__name__", "socket call"), error)

    def _wait(self, *, write: bool, sec: Optional[float]) -> None:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self._sock, select.POLLOUT if write else select.POLLIN)
            poll.poll(None if sec is None else sec * 1000)
            return
        mine = [self._sock]
        # a platform without poll does not wake select() on shutdown everywhere: look again
        select.select([] if write else mine, mine if write else [], [], sec or _LOOK)


class LinkReader(io.RawIOBase):
    """Shows a link as a raw stream, for `io.BufferedReader` over it."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what comes first."""
        data = self._link.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class LinkWriter(io.RawIOBase):
    """Shows a link as a stream to write to, unbuffered."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: Any) -> int:
        """Send all of `data`."""
        self._link.write(data)
        return len(data)
