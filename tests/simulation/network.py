"""Sockets in memory: latency, split and merged segments, full buffers, resets, silence.

A client end is a `Socket`, which the library uses; the other end is an object of `server`, which is
called when bytes arrive and never blocks. Everything on the way is a timer of the kernel.
"""

from __future__ import annotations

import errno
import select as real_select
import socket as real_socket
from typing import Any, Callable, Optional

from . import order
from .failures import Untrue
from .kernel import Kernel, Task, world


class Network:
    """Addresses and what answers there; how slow the way is."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        rng = kernel.rng
        self.latency_sec = rng.choice((0.0, 0.001, 0.02, 0.2))
        self.jitter = rng.choice((0.0, 0.5, 2.0))
        self.splits = rng.random() < 0.5
        self.buffer_bytes = rng.choice((4_000, 64_000, 1_000_000))
        # returns what is at the other end, or None to refuse, or "hang"
        self.accept: Callable[[Socket], Any] = lambda sock: None
        self.addresses = rng.choice((1, 1, 2))

    def delay(self) -> float:
        """Return how long the next segment takes."""
        return self.latency_sec * (1 + self.jitter * self._kernel.rng.random())


class Socket:
    """Stand-in for `socket.socket`."""

    def __init__(self, family: int = 2, type: int = 1, proto: int = 0, fileno: Any = None) -> None:
        kernel = world.kernel
        assert kernel is not None, "nothing is simulated"
        self.family, self.type, self.proto = family, type, proto
        self.kernel = kernel
        self.number = kernel.serial("socket")
        self.peer: Any = None
        self._timeout: Optional[float] = None
        self._received = bytearray()
        self._readers: list[Task] = []
        self._writers: list[Task] = []
        self._in_flight = 0  # bytes sent that the peer has not read
        self._arrives_there = self._arrives_here = 0.0
        self._fin = False  # the peer sends no more
        self._shut = False  # we did shutdown()
        self._error: Optional[OSError] = None
        self._closed = False
        self._connecting = False
        self.is_inherited = False  # by a forked child, whose parent has it, too
        self.opened_by = str(kernel.current)
        kernel.sockets.append(self)

    # -- opening -----------------------------------------------------------------------------------

    def connect(self, address: Any) -> None:
        """Connect, as the network has it."""
        kernel, net = self.kernel, self.kernel.net
        kernel.point("connect", self, self.number)
        self._check()
        peer = net.accept(self)
        self._connecting = True
        kernel.call_at(kernel.now + 2 * net.delay(), lambda: self._answered(peer))
        if not self._wait(self._writers, "connect", lambda: not self._connecting):
            raise real_socket.timeout("timed out")
        self._raise_error()

    def _answered(self, peer: Any) -> None:
        if not self._connecting or peer == "hang":
            return
        self._connecting = False
        if peer is None:
            self._error = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        elif self._closed:
            peer.client_gone()
        else:
            self.peer = peer
        self._wake(self._writers)

    # -- sending -----------------------------------------------------------------------------------

    def send(self, data: Any, flags: int = 0) -> int:
        """Send what fits."""
        kernel, net = self.kernel, self.kernel.net
        kernel.point("send", self, self.number)
        self._check()
        wait = not (flags & real_socket.MSG_DONTWAIT) and self._timeout != 0
        order.check_wait(kernel, kernel.current, "send", self)
        while True:
            self._raise_error()
            if self._shut or self.peer is None:
                raise BrokenPipeError(errno.EPIPE, "Broken pipe")
            room = net.buffer_bytes - self._in_flight
            if room > 0:
                break
            if not wait:
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            if not self._wait(self._writers, "send", self._can_send):
                raise real_socket.timeout("timed out")
        size = min(room, len(data))
        if net.splits and size > 1 and kernel.rng.random() < 0.2:
            size = 1 + int(kernel.rng.random() * (size - 1))
        self._transmit(bytes(data[:size]))
        if kernel.armed:
            kernel.maybe_strike()
        return size

    def _transmit(self, data: bytes) -> None:
        kernel = self.kernel
        self._in_flight += len(data)
        at = self._arrives_there = max(self._arrives_there, kernel.now + kernel.net.delay())
        peer = self.peer
        kernel.call_at(at, lambda: peer.arrived(data))

    def sendall(self, data: Any) -> None:
        """Send everything."""
        view = memoryview(data)
        while len(view):
            view = view[self.send(view) :]

    def _can_send(self) -> bool:
        room = self._in_flight < self.kernel.net.buffer_bytes
        return room or self._shut or self._error is not None

    # -- receiving ---------------------------------------------------------------------------------

    def recv_into(self, view: Any) -> int:
        """Read what has arrived, or wait for something."""
        data = self.recv(len(view))
        view[: len(data)] = data
        return len(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read up to `size` bytes; nothing at the end."""
        kernel = self.kernel
        if size > 1 or not self._received:  # the upgrade is read byte by byte
            kernel.point("recv", self, self.number)
            self._check()
            order.check_wait(kernel, kernel.current, "recv", self, ())
        if not self._can_recv():
            if self._timeout == 0:
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            if not self._wait(self._readers, "recv", self._can_recv):
                raise real_socket.timeout("timed out")
        if not self._received:
            self._raise_error()
            return b""
        if kernel.net.splits and size > 2 and kernel.rng.random() < 0.1:
            size = 1 + int(kernel.rng.random() * min(size, len(self._received)))
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _can_recv(self) -> bool:
        return bool(self._received) or self._fin or self._shut or self._error is not None

    def _wait(self, waiters: list[Task], kind: str, ready: Callable[[], bool]) -> bool:
        kernel = self.kernel
        until = None if self._timeout is None else kernel.now + self._timeout
        while not ready():
            left = None if until is None else until - kernel.now
            if left is not None and left <= 0:
                return False
            kernel.block(waiters, kind, self, left)
        return True

    # -- called by the other end -------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Bring bytes of the peer, after a while, perhaps in several segments."""
        kernel = self.kernel
        while data:
            size = len(data)
            if kernel.net.splits and size > 1 and kernel.rng.random() < 0.4:
                size = 1 + int(kernel.rng.random() * (size - 1))
            part, data = data[:size], data[size:]
            at = self._arrives_here = max(self._arrives_here, kernel.now + kernel.net.delay())
            kernel.call_at(at, lambda part=part: self._arrived(part))  # type: ignore[misc]

    def _arrived(self, data: bytes) -> None:
        if not self._shut and self._error is None:
            self._received += data
            self._wake(self._readers)

    def finish(self) -> None:
        """Bring the end of what the peer sends."""
        at = max(self._arrives_here, self.kernel.now + self.kernel.net.delay())
        self.kernel.call_at(at, self._finished)

    def _finished(self) -> None:
        self._fin = True
        self._wake(self._readers)

    def reset(self) -> None:
        """Cut the connection the hard way."""
        self.kernel.call_at(self.kernel.now + self.kernel.net.delay(), self._was_reset)

    def _was_reset(self) -> None:
        if not self._fin and not self._shut:
            self._error = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
            self._received.clear()
            self._wake(self._readers)
            self._wake(self._writers)

    def was_read(self, size: int) -> None:
        """Free room in the buffer."""
        self._in_flight -= size
        self._wake(self._writers)

    def _wake(self, waiters: list[Task]) -> None:
        for task in list(waiters):
            self.kernel.wake(task)

    # -- ending ------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """Shut both directions down, waking whoever waits."""
        self.kernel.point("shutdown", self, self.number)
        self._check()
        if self._connecting:
            self._connecting = False
            self._error = ConnectionAbortedError(errno.ECONNABORTED, "connection abort")
        elif self.peer is None or self._error is not None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        if not self._shut:
            self._shut = True
            self._goodbye()
        self._wake(self._readers)
        self._wake(self._writers)

    def close(self) -> None:
        """Close the descriptor. Does not wake a thread that waits on it, as on Linux."""
        self.kernel.point("close", self, self.number)
        if not self._closed:
            self._closed = True
            if not (self._shut or self.is_inherited):
                self._goodbye()

    def _goodbye(self) -> None:
        peer = self.peer
        if peer is not None:
            at = max(self._arrives_there, self.kernel.now + self.kernel.net.delay())
            self.kernel.call_at(at, peer.client_gone)

    @property
    def is_closed(self) -> bool:
        """Whether the descriptor was closed."""
        return self._closed

    # -- the rest ----------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._closed:
            raise OSError(errno.EBADF, "Bad file descriptor")
        if self.is_inherited:
            self.kernel.fail(Untrue(f"a forked child uses {self}, which is its parent's"))

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error.with_traceback(None)

    def fileno(self) -> int:
        """Return the descriptor, -1 once closed."""
        return -1 if self._closed else 1000 + self.number

    def settimeout(self, seconds: Optional[float]) -> None:
        """Set how long a call may wait."""
        self._timeout = seconds

    def gettimeout(self) -> Optional[float]:
        """Return how long a call may wait."""
        return self._timeout

    def setblocking(self, blocking: bool) -> None:
        """Wait without limit, or not at all."""
        self._timeout = None if blocking else 0.0

    def setsockopt(self, *_: Any) -> None:
        """Ignore an option."""

    def __repr__(self) -> str:
        return f"socket {self.number}"


# the library asks whether a socket is a plain one, by the module of its class
Socket.__module__ = "socket"


class Poll:
    """Stand-in for `select.poll`."""

    def __init__(self) -> None:
        self._watched: list[tuple[Socket, int]] = []

    def register(self, fd: int, events: int = real_select.POLLIN) -> None:
        """Watch a descriptor."""
        kernel = world.kernel
        assert kernel is not None
        self._watched.append((kernel.sockets[fd - 1001], events))

    def poll(self, timeout: Optional[float] = None) -> list[tuple[int, int]]:
        """Wait for one of them, at most `timeout` milliseconds."""
        kernel = world.kernel
        assert kernel is not None
        ((sock, events),) = self._watched
        writing = events == real_select.POLLOUT
        kernel.point("poll", sock, sock.number)
        order.check_wait(kernel, kernel.current, "poll", sock)
        ready = sock._can_send if writing else sock._can_recv
        until = None if timeout is None else kernel.now + timeout / 1000
        while not ready():
            left = None if until is None else until - kernel.now
            if left is not None and left <= 0:
                return []
            kernel.block(sock._writers if writing else sock._readers, "poll", sock, left)
        return [(sock.fileno(), events)]


def getaddrinfo(host: str, port: int, *_: Any) -> list[Any]:
    """Return the addresses of a name, after a while."""
    kernel = world.kernel
    assert kernel is not None
    kernel.point("resolve", host)
    delay = kernel.net.delay()
    if delay:
        kernel.block(None, "resolve", host, delay)
    family = real_socket.AF_INET
    address = [(family, real_socket.SOCK_STREAM, 6, "", (f"10.0.0.{n}", port)) for n in (1, 2)]
    return address[: kernel.net.addresses]
