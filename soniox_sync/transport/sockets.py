"""Sockets for one reading and one writing thread at once.

A plain TCP socket supports that. A TLS socket does not: with one thread in `recv` and one in `send`
CPython crashes or drops the connection (docs/architecture.rst). There the socket is non-blocking,
a lock guards each single OpenSSL call, and all waiting happens in `poll`, outside the lock.
"""

from __future__ import annotations

import select
import socket
import ssl
from typing import Optional, Union

from .._support.locks import new_lock
from .deadline import Deadline, slice_sec

_READ, _WRITE = True, False
# the most that one TLS record carries (RFC 8446 5.1) and one call of OpenSSL returns
_TLS_RECORD = 16 * 1024
# with less room than this another record is left for the next read
_WORTH_READING = 4 * 1024
# poll() counts milliseconds in 32 bits
_POLL_MAX = 2_000_000.0


class SendTimeout(OSError):
    """The peer did not read, so the socket had no room before the deadline."""


def shut_down(sock: socket.socket) -> None:
    """Shut down both directions of a socket, whatever its state. Never blocks, never raises."""
    try:
        # the TLS object's own shutdown() would hand its reader ciphertext as data
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        pass  # closed already, or never connected


class DuplexSocket:
    """Connected socket with blocking reads and non-blocking sends that can be shut down.

    `recv_into` belongs to the reader thread, `try_send` and `await_room` to the holder of the send
    lock, `shutdown` to any thread. `close` is for the reader, under the send lock, at the very end.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Guards the descriptor against a shutdown that races with close. Leaf, never waits.
        self._fd_lock = new_lock()
        # Under the send lock
        self._send_needs = _WRITE

    def recv_into(self, view: memoryview) -> int:
        """Wait for bytes, read them into `view` and return their number; 0 is the end of file."""
        return self._sock.recv_into(view)

    def try_send(self, data: Union[bytes, memoryview]) -> int:
        """Send what fits without waiting; return the number of bytes sent, perhaps 0."""
        try:
            return self._sock.send(data, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return 0

    def await_room(self, deadline: Deadline) -> None:
        """Wait, after a `try_send` that sent nothing, until it may send again.

        Raises
            SendTimeout: it may not before `deadline`.
        """
        slice_ = slice_sec()
        while True:
            wait_sec = deadline.remaining() if slice_ is None else deadline.at_most(slice_)
            if self._wait(self._send_needs, wait_sec):
                return
            if deadline.passed:
                raise SendTimeout(f"the peer did not read {deadline.within}")

    def _wait(self, reading: bool, seconds: Optional[float]) -> bool:
        """Wait until the socket can be read or written; return False after `seconds`."""
        fd = self._sock.fileno()
        if fd < 0:
            raise OSError("the socket is closed")
        if hasattr(select, "poll"):  # looked up each time: gevent may have replaced it
            poller = select.poll()
            poller.register(fd, select.POLLIN if reading else select.POLLOUT)
            return bool(poller.poll(None if seconds is None else min(seconds, _POLL_MAX) * 1000))
        readers, writers = ([fd], []) if reading else ([], [fd])
        return any(select.select(readers, writers, [], seconds))

    def shutdown(self) -> None:
        """Shut down both directions at once, waking the reader and the writer. Never raises."""
        with self._fd_lock:
            shut_down(self._sock)

    def close(self) -> None:
        """Close the descriptor."""
        with self._fd_lock:
            self._sock.close()

    def invalidate(self) -> None:
        """Close a forked child's copy of the descriptor, leaving the parent's connection alone."""
        try:
            self._sock.close()
        except OSError:
            pass  # closing was all that this copy was for


class PollingSocket(DuplexSocket):
    """`DuplexSocket` over a non-blocking socket: for Windows and for gevent's sockets."""

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


class TlsSocket(DuplexSocket):
    """`DuplexSocket` over TLS: a lock around each OpenSSL call, and never around a wait."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        # Guards one OpenSSL call. Never held while waiting. Leaf.
        self._tls_lock = new_lock()
        self._late_error: Optional[OSError] = None  # reader only: raised after bytes were read

    def recv_into(self, view: memoryview) -> int:
        if self._late_error is not None:
            raise self._late_error
        while True:
            try:
                count = self._read(view)
            except ssl.SSLWantReadError:
                direction = _READ
            except ssl.SSLWantWriteError:
                direction = _WRITE
            else:
                return count if count != _TLS_RECORD else self._recv_more(view, count)
            self._wait(direction, None)

    def _read(self, view: memoryview) -> int:
        try:
            with self._tls_lock:
                return self._sock.recv_into(view)
        except BrokenPipeError:
            # at an end of file without close_notify OpenSSL 3.6 sends an alert and reports that it
            # could not. All bytes of the peer have been read by then.
            return 0

    def _recv_more(self, view: memoryview, count: int) -> int:
        """Read on after a full record: a read returns only one, and waiting for each is slower."""
        while len(view) - count >= _WORTH_READING:
            try:
                more = self._read(view[count:])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                self._late_error = error  # raised by the next read, after these bytes
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


def wrap(sock: socket.socket) -> DuplexSocket:
    """Return the right wrapper for a connected socket, and turn off Nagle's algorithm."""
    try:
        # a socket handed to websocket-client keeps Nagle's algorithm: first audio came 42 ms late
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        pass  # not TCP, such as the socket pair of a test
    if isinstance(sock, ssl.SSLSocket):
        return TlsSocket(sock)
    if hasattr(socket, "MSG_DONTWAIT") and type(sock).__module__ == "socket":
        sock.setblocking(True)
        return DuplexSocket(sock)
    return PollingSocket(sock)
