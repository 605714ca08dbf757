"""A wrapped socket serves one reader and one writer at once: plain, polling, over TLS."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.sockets import DuplexSocket, PollingSocket, SendTimeout, TlsSocket, wrap
from tests.peers import Authority
from tests.waiting import WAIT, Task

KINDS = ["plain", "polling", "tls"]


@pytest.fixture(params=KINDS)
def ends(
    request: pytest.FixtureRequest, authority: Authority
) -> Iterator[tuple[DuplexSocket, Any]]:
    """Provide our end, wrapped, and the other end, a blocking socket."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.settimeout(WAIT)
    if request.param == "tls":
        shake = Task(lambda: authority.server.wrap_socket(theirs, server_side=True))
        sock = wrap(authority.client.wrap_socket(ours, server_hostname="localhost"))
        theirs = shake.result()
        assert type(sock) is TlsSocket
    elif request.param == "polling":
        sock = PollingSocket(ours)
    else:
        sock = wrap(ours)
        assert type(sock) is DuplexSocket
    yield sock, theirs
    sock.close()
    theirs.close()


def fill(sock: DuplexSocket) -> bytes:
    """Send until the socket is full; return what a TLS socket must be passed again."""
    data = bytes(range(256)) * 64
    for _ in range(10_000):
        if sock.try_send(data) == 0:
            return data
    raise AssertionError("the socket was never full")


def read_until_done(theirs: Any, writer: Task) -> None:
    """Read at the other end until the writer is done."""
    theirs.settimeout(0.05)  # after the last read: check the writer again
    while not writer.done:
        try:
            theirs.recv(65536)
        except (TimeoutError, socket.timeout):
            continue


def test_bytes_travel_both_ways(ends: tuple[DuplexSocket, Any]) -> None:
    """What one end sends the other receives; a read returns what is available."""
    sock, theirs = ends
    theirs.sendall(b"hello")
    buffer = bytearray(64)
    assert sock.recv_into(memoryview(buffer)) == 5
    assert buffer[:5] == b"hello"
    assert sock.try_send(b"there") == 5
    assert theirs.recv(64) == b"there"


def test_read_waits_for_bytes(ends: tuple[DuplexSocket, Any]) -> None:
    """A read blocks until something arrives."""
    sock, theirs = ends
    buffer = bytearray(64)
    reader = Task(lambda: sock.recv_into(memoryview(buffer)))
    theirs.sendall(b"late")
    assert reader.result() == 4


def test_end_of_file_reads_as_zero(ends: tuple[DuplexSocket, Any]) -> None:
    """When the peer has closed, a read returns 0, with or without a TLS close_notify."""
    sock, theirs = ends
    socket.socket.close(theirs) if not isinstance(theirs, ssl.SSLSocket) else theirs.close()
    assert sock.recv_into(memoryview(bytearray(64))) == 0


def test_broken_pipe_while_reading_is_the_end_of_file() -> None:
    """OpenSSL 3.6 reports its unsendable alert as a broken pipe: read as end, after all bytes."""

    class Ended:
        """TLS socket with one full record left, then the end of file as OpenSSL 3.6 reports it."""

        def __init__(self) -> None:
            self.records = [b"x" * 16384]

        def setblocking(self, flag: bool) -> None:
            """Accept what the wrapper sets."""

        def recv_into(self, view: memoryview) -> int:
            if not self.records:
                raise BrokenPipeError(32, "Broken pipe")
            record = self.records.pop()
            view[: len(record)] = record
            return len(record)

    sock = TlsSocket(cast(socket.socket, Ended()))
    view = memoryview(bytearray(65536))
    assert [sock.recv_into(view) for _ in range(3)] == [16384, 0, 0]


def test_full_socket_accepts_nothing_and_times_out(ends: tuple[DuplexSocket, Any]) -> None:
    """A full socket accepts 0 bytes without waiting; waiting for space ends at the deadline."""
    sock, _ = ends
    data = fill(sock)
    assert sock.try_send(data) == 0
    for seconds in (0, 0.05):
        with pytest.raises(SendTimeout):
            sock.await_room(Deadline(seconds))


def test_waiting_writer_continues_when_there_is_space(ends: tuple[DuplexSocket, Any]) -> None:
    """A writer that waits for space continues as soon as the peer reads."""
    sock, theirs = ends
    data = fill(sock)

    def write() -> int:
        while True:
            sock.await_room(Deadline(WAIT))
            count = sock.try_send(data)
            if count:
                return count

    writer = Task(write)
    read_until_done(theirs, writer)
    assert writer.result() > 0


def test_shutdown_wakes_the_reader(ends: tuple[DuplexSocket, Any]) -> None:
    """A shutdown ends a blocked read at once, as the end of file or an error."""
    sock, _ = ends
    reading = threading.Event()

    def read() -> int:
        reading.set()
        try:
            return sock.recv_into(memoryview(bytearray(64)))
        except OSError:
            return 0

    reader = Task(read)
    assert reading.wait(WAIT)
    sock.shutdown()
    assert reader.result() == 0


def test_shutdown_wakes_the_writer(ends: tuple[DuplexSocket, Any]) -> None:
    """A shutdown ends a blocked wait for space at once."""
    sock, _ = ends
    data = fill(sock)

    def write() -> str:
        try:
            while True:
                sock.await_room(Deadline(WAIT * 10))
                sock.try_send(data)
        except SendTimeout:
            return "timeout"
        except OSError:
            return "lost"

    writer = Task(write)
    sock.shutdown()
    assert writer.result() == "lost"


def test_shutdown_is_legal_at_any_time(ends: tuple[DuplexSocket, Any]) -> None:
    """Shutting down twice or after the close, and closing twice, raise nothing."""
    sock, _ = ends
    sock.shutdown()
    sock.shutdown()
    sock.close()
    sock.shutdown()
    sock.close()


def test_waiting_on_a_closed_socket_is_an_error(ends: tuple[DuplexSocket, Any]) -> None:
    """Waiting on a closed descriptor raises instead of watching one that reuses its number."""
    sock, _ = ends
    sock.close()
    with pytest.raises(OSError):
        sock.await_room(Deadline(1))


def test_invalidate_closes_only_the_descriptor(
    ends: tuple[DuplexSocket, Any],
) -> None:
    """A forked child's copy is closed without a byte or an EOF for the peer."""
    sock, theirs = ends
    kept = os.dup(sock._sock.fileno())
    try:
        sock.invalidate()
        theirs.settimeout(0.05)
        with pytest.raises((TimeoutError, socket.timeout)):
            theirs.recv(1)
    finally:
        os.close(kept)


def test_wrap_turns_nagle_off_and_waits_without_limit() -> None:
    """A wrapped TCP socket sends small frames at once and has no timeout of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tcp = socket.create_connection(listener.getsockname(), timeout=WAIT)
        remote, _ = listener.accept()
        with remote:
            tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            sock = wrap(tcp)
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert tcp.gettimeout() is None
            sock.close()


def test_foreign_sockets_are_polled() -> None:
    """A socket of another class, such as gevent's, is never used in blocking mode."""

    class Foreign(socket.socket):
        pass

    ours, theirs = socket.socketpair()
    foreign = Foreign(fileno=ours.detach())
    sock = wrap(foreign)
    assert type(sock) is PollingSocket
    assert foreign.gettimeout() == 0
    sock.close()
    theirs.close()


def test_select_replaces_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without poll(), select() gives the same results."""
    import select

    ours, theirs = socket.socketpair()
    monkeypatch.delattr(select, "poll")
    sock = PollingSocket(ours)
    sock.await_room(Deadline(0))
    theirs.sendall(b"x")
    assert sock.recv_into(memoryview(bytearray(4))) == 1
    data = fill(sock)
    assert sock.try_send(data) == 0
    with pytest.raises(SendTimeout):
        sock.await_room(Deadline(0.02))
    sock.close()
    theirs.close()


def test_tls_lock_is_free_while_waiting(authority: Authority) -> None:
    """A waiting reader does not block the writer, nor a full uplink the reader."""
    ours, theirs = socket.socketpair()
    shake = Task(lambda: authority.server.wrap_socket(theirs, server_side=True))
    sock = wrap(authority.client.wrap_socket(ours, server_hostname="localhost"))
    server = shake.result()
    assert isinstance(sock, TlsSocket)
    got = bytearray(64)
    reader = Task(lambda: sock.recv_into(memoryview(got)))
    assert sock.try_send(b"while it waits") == 14
    assert server.recv(64) == b"while it waits"
    data = fill(sock)
    writer = Task(lambda: sock.await_room(Deadline(WAIT)))
    server.sendall(b"down")
    assert reader.result() == 4
    read_until_done(server, writer)
    writer.result()
    assert len(data)
    sock.close()
    server.close()


def test_tls_read_does_not_poll_for_what_is_decrypted(authority: Authority) -> None:
    """The rest of a TLS record is read without waiting for more data."""
    ours, theirs = socket.socketpair()
    shake = Task(lambda: authority.server.wrap_socket(theirs, server_side=True))
    sock = wrap(authority.client.wrap_socket(ours, server_hostname="localhost"))
    server = shake.result()
    server.sendall(b"0123456789")
    parts = []
    started = time.monotonic()
    for _ in range(10):
        one = bytearray(1)
        assert sock.recv_into(memoryview(one)) == 1
        parts.append(bytes(one))
    assert b"".join(parts) == b"0123456789"
    assert time.monotonic() - started < WAIT
    sock.close()
    server.close()
