"""A line socket serves one reader and one writer at once, plain, polling and over TLS."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from peers import WAIT, Authority, Task

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.sockets import (
    LineSocket,
    PollingSocket,
    SendTimeout,
    TlsSocket,
    wrap,
)

KINDS = ["plain", "polling", "tls"]


@pytest.fixture(params=KINDS)
def ends(request: pytest.FixtureRequest, authority: Authority) -> Iterator[tuple[LineSocket, Any]]:
    """Give our end, wrapped, and the other end, a blocking socket."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    theirs.settimeout(WAIT)
    if request.param == "tls":
        shake = Task(lambda: authority.server.wrap_socket(theirs, server_side=True))
        line = wrap(authority.client.wrap_socket(ours, server_hostname="localhost"))
        theirs = shake.result()
        assert type(line) is TlsSocket
    elif request.param == "polling":
        line = PollingSocket(ours)
    else:
        line = wrap(ours)
        assert type(line) is LineSocket
    yield line, theirs
    line.close()
    theirs.close()


def fill(line: LineSocket) -> bytes:
    """Send until the line takes no more; give what a TLS line wants to have repeated."""
    data = bytes(range(256)) * 64
    for _ in range(10_000):
        if line.try_send(data) == 0:
            return data
    raise AssertionError("the line was never full")


def read_until_done(theirs: Any, writer: Task) -> None:
    """Read at the far end until the writer has got through."""
    theirs.settimeout(0.05)  # the last read finds nothing more: then the writer is asked again
    while not writer.done:
        try:
            theirs.recv(65536)
        except (TimeoutError, socket.timeout):
            continue


def test_bytes_go_both_ways(ends: tuple[LineSocket, Any]) -> None:
    """What one end sends the other receives; a read gives what is there, not more."""
    line, theirs = ends
    theirs.sendall(b"hello")
    buffer = bytearray(64)
    assert line.recv_into(memoryview(buffer)) == 5
    assert buffer[:5] == b"hello"
    assert line.try_send(b"there") == 5
    assert theirs.recv(64) == b"there"


def test_read_waits_for_bytes(ends: tuple[LineSocket, Any]) -> None:
    """A read blocks until something arrives."""
    line, theirs = ends
    buffer = bytearray(64)
    reader = Task(lambda: line.recv_into(memoryview(buffer)))
    theirs.sendall(b"late")
    assert reader.result() == 4


def test_end_of_line_reads_as_zero(ends: tuple[LineSocket, Any]) -> None:
    """When the peer is gone a read gives 0, with or without a TLS goodbye."""
    line, theirs = ends
    socket.socket.close(theirs) if not isinstance(theirs, ssl.SSLSocket) else theirs.close()
    assert line.recv_into(memoryview(bytearray(64))) == 0


def test_full_line_takes_nothing_and_times_out(ends: tuple[LineSocket, Any]) -> None:
    """A full line takes 0 bytes without waiting, and waiting for room ends at the deadline."""
    line, _ = ends
    data = fill(line)
    assert line.try_send(data) == 0
    for seconds in (0, 0.05):
        with pytest.raises(SendTimeout):
            line.await_room(Deadline(seconds))


def test_waiting_writer_goes_on_when_there_is_room(ends: tuple[LineSocket, Any]) -> None:
    """A writer that waits for room finds it as soon as the peer reads."""
    line, theirs = ends
    data = fill(line)

    def write() -> int:
        while True:
            line.await_room(Deadline(WAIT))
            count = line.try_send(data)
            if count:
                return count

    writer = Task(write)
    read_until_done(theirs, writer)
    assert writer.result() > 0


def test_shutdown_wakes_the_reader(ends: tuple[LineSocket, Any]) -> None:
    """Cutting the line ends a blocked read at once, as the end of the line or an error of it."""
    line, _ = ends
    reading = threading.Event()

    def read() -> int:
        reading.set()
        try:
            return line.recv_into(memoryview(bytearray(64)))
        except OSError:
            return 0

    reader = Task(read)
    assert reading.wait(WAIT)
    line.shutdown()
    assert reader.result() == 0


def test_shutdown_wakes_the_writer(ends: tuple[LineSocket, Any]) -> None:
    """Cutting the line ends a blocked wait for room at once."""
    line, _ = ends
    data = fill(line)

    def write() -> str:
        try:
            while True:
                line.await_room(Deadline(WAIT * 10))
                line.try_send(data)
        except SendTimeout:
            return "timeout"
        except OSError:
            return "lost"

    writer = Task(write)
    line.shutdown()
    assert writer.result() == "lost"


def test_shutdown_is_legal_at_any_time(ends: tuple[LineSocket, Any]) -> None:
    """Cutting twice, after the close, and closing twice raise nothing."""
    line, _ = ends
    line.shutdown()
    line.shutdown()
    line.close()
    line.shutdown()
    line.close()


def test_waiting_on_a_closed_socket_is_an_error(ends: tuple[LineSocket, Any]) -> None:
    """A wait on a descriptor given back raises instead of watching somebody else's."""
    line, _ = ends
    line.close()
    with pytest.raises(OSError):
        line.await_room(Deadline(1))


def test_abandon_gives_the_descriptor_back_and_leaves_the_line(
    ends: tuple[LineSocket, Any],
) -> None:
    """A forked child's copy is closed without a byte or an end reaching the peer."""
    line, theirs = ends
    kept = os.dup(line._sock.fileno())
    try:
        line.abandon()
        theirs.settimeout(0.05)
        with pytest.raises((TimeoutError, socket.timeout)):
            theirs.recv(1)
    finally:
        os.close(kept)


def test_wrap_turns_nagle_off_and_waits_without_limit() -> None:
    """A wrapped TCP socket sends small frames at once and has no time-out of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname(), timeout=WAIT)
        far, _ = listener.accept()
        with far:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            line = wrap(sock)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.gettimeout() is None
            line.close()


def test_foreign_sockets_are_polled() -> None:
    """A socket class that is not the standard one, such as gevent's, is never blocked in."""

    class Foreign(socket.socket):
        pass

    ours, theirs = socket.socketpair()
    foreign = Foreign(fileno=ours.detach())
    line = wrap(foreign)
    assert type(line) is PollingSocket
    assert foreign.gettimeout() == 0
    line.close()
    theirs.close()


def test_select_stands_in_for_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no poll(), select() gives the same answers."""
    import select

    ours, theirs = socket.socketpair()
    monkeypatch.delattr(select, "poll")
    line = PollingSocket(ours)
    line.await_room(Deadline(0))
    theirs.sendall(b"x")
    assert line.recv_into(memoryview(bytearray(4))) == 1
    data = fill(line)
    assert line.try_send(data) == 0
    with pytest.raises(SendTimeout):
        line.await_room(Deadline(0.02))
    line.close()
    theirs.close()


def test_tls_lock_is_free_while_waiting(authority: Authority) -> None:
    """A reader that waits does not keep the writer out, nor a full uplink the reader."""
    ours, theirs = socket.socketpair()
    shake = Task(lambda: authority.server.wrap_socket(theirs, server_side=True))
    line = wrap(authority.client.wrap_socket(ours, server_hostname="localhost"))
    server = shake.result()
    assert isinstance(line, TlsSocket)
    got = bytearray(64)
    reader = Task(lambda: line.recv_into(memoryview(got)))
    assert line.try_send(b"while it waits") == 14
    assert server.recv(64) == b"while it waits"
    data = fill(line)
    writer = Task(lambda: line.await_room(Deadline(WAIT)))
    server.sendall(b"down")
    assert reader.result() == 4
    read_until_done(server, writer)
    writer.result()
    assert len(data)
    line.close()
    server.close()


def test_tls_read_does_not_poll_for_what_is_decrypted(authority: Authority) -> None:
    """The rest of a TLS record is read without waiting for more from the wire."""
    ours, theirs = socket.socketpair()
    shake = Task(lambda: authority.server.wrap_socket(theirs, server_side=True))
    line = wrap(authority.client.wrap_socket(ours, server_hostname="localhost"))
    server = shake.result()
    server.sendall(b"0123456789")
    parts = []
    started = time.monotonic()
    for _ in range(10):
        one = bytearray(1)
        assert line.recv_into(memoryview(one)) == 1
        parts.append(bytes(one))
    assert b"".join(parts) == b"0123456789"
    assert time.monotonic() - started < WAIT
    line.close()
    server.close()
