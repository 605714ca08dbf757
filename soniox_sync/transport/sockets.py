"""Sockets for one reading and one writing thread at once.

A plain TCP socket stands that by itself. A TLS socket does not: with one thread in `recv` and one
in `send` CPython crashes or drops the line (docs/architecture.rst). There the socket is
non-blocking, a lock guards each single OpenSSL call, and all waiting happens in `poll`, outside the
lock.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from typing import Optional, Union

from .deadline import Deadline, slice_sec

_READ, _WRITE = True, False
# the most that one TLS record carries (RFC 8446 5.1), and so one call of OpenSSL gives
_TLS_RECORD = 16 * 1024
# room below this is left for the next read
_WORTH_READING = 4 * 1024
# poll() counts milliseconds in 32 bits
_POLL_MAX = 2_000_000.0


class SendTimeout(OSError):
    """Reports that the peer took no more bytes before the deadline."""


class LineSocket:
    """Wraps a connected socket: blocking reads, sends with a deadline, safe to cut off.

    `recv_into` belongs to the reader thread, `try_send` and `await_room` to the send lock's holder,
    `shutdown` to anyone. `close` is for the reader, under the send lock, at the very end.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Guards the descriptor against a shutdown that races with close. Leaf, never waits.
        self._fd_lock = threading.Lock()
        # Under the send lock
        self._send_needs = _WRITE

    def recv_into(self, view: memoryview) -> int:
        """Wait for bytes and read them into `view`; 0 is the end of the line."""
        return self._sock.recv_into(view)

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        """Send what fits without waiting; give the number of bytes taken, perhaps 0."""
        try:
            return self._sock.send(data, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return 0

    def await_room(self, deadline: Deadline) -> None:
        """Wait, after a `try_send` that took nothing, for the next. Raises `SendTimeout`."""
        slice_ = slice_sec()
        while True:
            wait_sec = deadline.remaining() if slice_ is None else deadline.at_most(slice_)
            if self._wait(self._send_needs, wait_sec):
                return
            if deadline.passed:
                raise SendTimeout("the peer took no more data before the deadline")

    def _wait(self, reading: bool, seconds: Optional[float]) -> bool:
        """Wait outside any lock until the socket may be read or written; False on time-out."""
        fd = self._sock.fileno()
        if fd < 0:
            raise OSError("the socket is closed")
        if hasattr(select, "poll"):  # looked up each time: gevent puts its own in place
            poller = select.poll()
            poller.register(fd, select.POLLIN if reading else select.POLLOUT)
            return bool(poller.poll(None if seconds is None else min(seconds, _POLL_MAX) * 1000))
        readers, writers = ([fd], []) if reading else ([], [fd])
        return any(select.select(readers, writers, [], seconds))

    def shutdown(self) -> None:
        """Cut the line at once, both ways; wakes the reader and the writer. Never raises."""
        with self._fd_lock:
            try:
                # the TLS object's own shutdown would hand the reader ciphertext as data
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
            except OSError:
                pass  # closed already, or never connected: nothing left to cut

    def close(self) -> None:
        """Give the descriptor back."""
        with self._fd_lock:
            self._sock.close()

    def abandon(self) -> None:
        """Give back the descriptor a forked child inherited, leaving the parent's line alone."""
        self._fd_lock = threading.Lock()
        try:
            self._sock.close()
        except OSError:
            pass  # the parent owns the line; the child only wants its copy gone


class PollingSocket(LineSocket):
    """Is the same over a non-blocking socket: for Windows and for gevent's patched sockets."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.setblocking(False)

    def recv_into(self, view: memoryview) -> int:
        while True:
            try:
                return self._sock.recv_into(view)
            except (BlockingIOError, InterruptedError):
                self._wait(_READ, None)

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0


class TlsSocket(LineSocket):
    """Is the same over TLS, one lock round each OpenSSL call and never round a wait."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        # Guards one OpenSSL call. Never held while waiting. Leaf.
        self._tls_lock = threading.Lock()
        self._late_error: Optional[OSError] = None  # the reader's: met behind bytes that came

    def recv_into(self, view: memoryview) -> int:
        if self._late_error is not None:
            raise self._late_error
        while True:
            try:
                with self._tls_lock:
                    count = self._sock.recv_into(view)
            except ssl.SSLWantReadError:
                direction = _READ
            except ssl.SSLWantWriteError:
                direction = _WRITE
            else:
                return count if count != _TLS_RECORD else self._recv_more(view, count)
            self._wait(direction, None)

    def _recv_more(self, view: memoryview, count: int) -> int:
        """Read on after a full record: each read gives one, and each costs a turn of the reader."""
        while len(view) - count >= _WORTH_READING:
            try:
                with self._tls_lock:
                    more = self._sock.recv_into(view[count:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                self._late_error = error  # what came before it is delivered first
                break
            count += more
            if more != _TLS_RECORD:
                break
        return count

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        try:
            with self._tls_lock:
                return self._sock.send(data)
        except ssl.SSLWantWriteError:
            self._send_needs = _WRITE
        except ssl.SSLWantReadError:
            self._send_needs = _READ
        return 0

    def abandon(self) -> None:
        self._tls_lock = threading.Lock()
        super().abandon()


def wrap(sock: socket.socket) -> LineSocket:
    """Choose the wrapper for a connected socket and set the options that first audio needs."""
    try:
        # a socket handed to websocket-client has Nagle on: first audio came 42 ms late
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        pass  # not TCP, such as a socket pair under test
    if isinstance(sock, ssl.SSLSocket):
        return TlsSocket(sock)
    if hasattr(socket, "MSG_DONTWAIT") and type(sock).__module__ == "socket":
        sock.setblocking(True)
        return LineSocket(sock)
    return PollingSocket(sock)
