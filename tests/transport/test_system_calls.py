"""Rules of the sockets, played with scripted system calls: nothing received is lost."""

from __future__ import annotations

import select
import ssl
from typing import Any, Optional

import pytest

from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.sender import Sender
from soniox_sync.transport.sockets import DuplexSocket, PollingSocket, SendTimeout, TlsSocket
from tests.waiting import Task

RECORD = 16 * 1024
WANT_READ, WANT_WRITE = ssl.SSLWantReadError(), ssl.SSLWantWriteError()


class Calls:
    """System socket whose calls have the scripted results: numbers of bytes, or errors."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.is_blocking = True
        self.is_open = True

    def setblocking(self, flag: bool) -> None:
        self.is_blocking = flag

    def recv_into(self, view: memoryview) -> int:
        count = self._next()
        assert count <= len(view)
        view[:count] = b"x" * count
        return count

    def send(self, data: bytes, flags: int = 0) -> int:
        return self._next()

    def close(self) -> None:
        self.is_open = False

    def fileno(self) -> int:
        return -1

    def _next(self) -> int:
        result: Any = self.script.pop(0)
        if isinstance(result, BaseException):
            raise result
        return int(result)


def over(kind: type[DuplexSocket], *script: object) -> tuple[Any, list[tuple[bool, Any]], Calls]:
    """Return a socket, its waits (for reading or not, and seconds), and the calls below it."""
    waits: list[tuple[bool, Any]] = []

    class Recorded(kind):  # type: ignore[valid-type,misc]
        def _wait(self, reading: bool, seconds: Optional[float]) -> bool:
            waits.append((reading, seconds))
            return True

    calls = Calls(*script)
    return Recorded(calls), waits, calls


def read(sock: Any, room: int = 64 * 1024) -> int:
    return int(sock.recv_into(memoryview(bytearray(room))))


def test_bytes_before_a_tls_error_are_not_lost() -> None:
    """They are returned first; the error is raised by the next read, and by each one after it."""
    sock, waits, _ = over(TlsSocket, RECORD, RECORD, ConnectionResetError("reset"))
    assert read(sock) == 2 * RECORD
    for _ in range(2):
        with pytest.raises(ConnectionResetError, match="reset"):
            read(sock)
    assert waits == []


@pytest.mark.parametrize("want", [WANT_READ, WANT_WRITE])
def test_several_records_are_read_at_once(want: Exception) -> None:
    """A read of OpenSSL returns only one; what has not come yet is not waited for."""
    sock, waits, _ = over(TlsSocket, RECORD, RECORD, want)
    assert read(sock) == 2 * RECORD and waits == []
    sock, waits, _ = over(TlsSocket, RECORD, 100)
    assert read(sock) == RECORD + 100
    sock, waits, _ = over(TlsSocket, 100, RECORD)
    assert read(sock) == 100


@pytest.mark.parametrize(("more", "count"), [(4096, RECORD + 10), (4095, RECORD)])
def test_another_record_needs_four_kilobytes_of_room(more: int, count: int) -> None:
    """With less it is left for the next read."""
    sock, _, calls = over(TlsSocket, RECORD, 10)
    assert read(sock, RECORD + more) == count
    assert len(calls.script) == (0 if count > RECORD else 1)


def test_a_read_waits_for_what_tls_needs() -> None:
    """A renegotiation may need room to write."""
    sock, waits, calls = over(TlsSocket, WANT_READ, WANT_WRITE, 5)
    assert read(sock) == 5
    assert waits == [(True, None), (False, None)]
    assert not calls.is_blocking


def test_an_end_without_a_notice_is_the_end() -> None:
    """OpenSSL reports a broken pipe, after all bytes of the peer."""
    assert read(over(TlsSocket, BrokenPipeError())[0]) == 0
    assert read(over(TlsSocket, RECORD, BrokenPipeError())[0]) == RECORD


def test_a_write_waits_for_what_tls_needs() -> None:
    """For room, unless TLS has to read first; each attempt decides anew."""
    sock, waits, _ = over(TlsSocket, WANT_READ, WANT_WRITE, 3)
    assert sock.try_send(b"abc") == 0
    sock.await_room(Deadline(None))
    assert sock.try_send(b"abc") == 0
    sock.await_room(Deadline(None))
    assert sock.try_send(b"abc") == 3
    assert [reading for reading, _ in waits] == [True, False]


def test_the_main_thread_waits_for_room_in_slices() -> None:
    """There Ctrl-C is raised; another thread waits until there is room."""
    sock, waits, _ = over(DuplexSocket)
    sock.await_room(Deadline(None))
    Task(lambda: sock.await_room(Deadline(None))).result()
    assert waits == [(False, 0.2), (False, None)]


def test_a_write_waits_until_its_deadline() -> None:
    """And no longer."""
    sock, _, _ = over(TlsSocket)
    sock._wait = lambda reading, seconds: False
    with pytest.raises(SendTimeout):
        sock.await_room(Deadline(0))


@pytest.mark.parametrize("busy", [BlockingIOError(), InterruptedError()])
def test_a_polling_socket_waits_outside_of_its_calls(busy: Exception) -> None:
    """For Windows and gevent, which have no flag for one call."""
    sock, waits, calls = over(PollingSocket, busy, 5, busy)
    assert read(sock) == 5 and waits == [(True, None)]
    assert sock.try_send(b"abc") == 0 and not calls.is_blocking


@pytest.mark.parametrize("busy", [BlockingIOError(), InterruptedError()])
def test_a_full_socket_takes_nothing(busy: Exception) -> None:
    """Without waiting."""
    sock, waits, _ = over(DuplexSocket, busy, 2)
    assert (sock.try_send(b"abc"), sock.try_send(b"abc"), waits) == (0, 2, [])


@pytest.mark.parametrize("kind", [DuplexSocket, PollingSocket, TlsSocket])
def test_a_forked_child_closes_its_copy(kind: type[DuplexSocket]) -> None:
    """The parent's connection goes on."""
    sock, _, calls = over(kind)
    sock.invalidate()
    assert not calls.is_open


def test_a_closed_socket_is_not_waited_for() -> None:
    """Its descriptor may be another's by now."""
    with pytest.raises(OSError, match="closed"):
        DuplexSocket(Calls())._wait(True, None)  # type: ignore[arg-type]


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what poll() is asked: descriptor, then milliseconds."""
    seen: list[Any] = []

    class Poll:
        def register(self, fd: int, events: int) -> None:
            seen.append(fd)

        def poll(self, timeout: Optional[float]) -> list[Any]:
            seen.append(timeout)
            return []

    monkeypatch.setattr(select, "poll", Poll, raising=False)
    return seen


@pytest.mark.parametrize("fd", [7, 0])
@pytest.mark.parametrize(("seconds", "asked"), [(1.5, 1500.0), (0.0, 0.0), (None, None)])
def test_a_wait_is_asked_for_in_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
    polled: list[Any],
    fd: int,
    seconds: Optional[float],
    asked: Optional[float],
) -> None:
    """`None` has no limit. In a process without a standard input a socket may have number 0."""
    monkeypatch.setattr(Calls, "fileno", lambda self: fd)
    assert DuplexSocket(Calls())._wait(True, seconds) is False  # type: ignore[arg-type]
    assert polled == [fd, asked]


def test_a_wait_of_months_fits_into_what_poll_can_count(
    monkeypatch: pytest.MonkeyPatch, polled: list[Any]
) -> None:
    """Milliseconds in 32 bits, which are 24 days: after them the wait goes on."""
    monkeypatch.setattr(Calls, "fileno", lambda self: 7)
    DuplexSocket(Calls())._wait(True, 1e9)  # type: ignore[arg-type]
    assert 23 * 86_400_000 < polled[1] < 2**31


def test_an_observer_sees_what_is_sent() -> None:
    """Whole frames, in order, before they are written."""
    seen: list[bytes] = []

    class Observer:
        def sent(self, frames: bytes) -> None:
            seen.append(frames)

    sender = Sender(over(DuplexSocket, 3, 3)[0], Observer())
    sender.send(lambda: b"one", Deadline(None))
    assert sender.try_send(lambda: [b"t", b"wo"])
    assert seen == [b"one", b"two"]
