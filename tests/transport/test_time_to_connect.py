"""Opening a connection ends at its deadline, or at once on cancel, in every phase."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from soniox_sync import (
    AbortError,
    CancelToken,
    ConnectTimeoutError,
    SonioxConnectionError,
    is_retriable,
)
from soniox_sync.runtime.connection import Connection
from soniox_sync.transport import connect as module
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from tests.peers import Authority, Listener, RawPeer
from tests.transport.connecting import attempt, refused, target
from tests.waiting import WAIT, Task

# -- the deadline ---------------------------------------------------------------------------------


def test_silent_server_meets_the_deadline() -> None:
    """Connecting to a server that accepts and sends nothing ends at the deadline."""
    with RawPeer(answer=lambda remote: None) as peer:
        error = refused(target(peer.url), 0.2)
    assert isinstance(error, ConnectTimeoutError)
    assert "within 0.2 s: check the network" in str(error)
    assert isinstance(error, TimeoutError)
    assert isinstance(error, ConnectionError)
    assert is_retriable(error)


def test_silent_tls_server_meets_the_deadline(authority: Authority) -> None:
    """Connecting to a server that never answers the TLS handshake ends at the deadline."""
    with RawPeer(raw=True) as peer:
        url = f"wss://localhost:{peer.port}/"
        error = refused(target(url, ssl_context=lambda: authority.client), 0.2)
    assert isinstance(error, ConnectTimeoutError)


def connection_to(goal: Target, listener: Optional[Listener] = None) -> Connection:
    return Connection(goal, listener or Listener())


def drip(sock: socket.socket, piece: bytes, stop: threading.Event) -> None:
    """Send a piece again and again until `stop` is set or the connection ends."""
    try:
        while not stop.wait(0.01):
            sock.sendall(piece)
    except OSError:
        return


@pytest.mark.parametrize("phase", ["upgrade", "headers", "tls"])
def test_dripping_server_does_not_stretch_the_deadline(phase: str, authority: Authority) -> None:
    """Connecting to a server that sends byte by byte ends at the deadline; no thread is left."""
    stop = threading.Event()
    with RawPeer(raw=True) as peer:
        scheme = "wss" if phase == "tls" else "ws"
        goal = target(f"{scheme}://localhost:{peer.port}/", ssl_context=lambda: authority.client)
        connection = connection_to(goal)

        def serve() -> None:
            remote = peer.accept()
            if phase == "tls":
                # a handshake record of 16 KB that is never complete
                remote.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
                drip(remote.sock, b"\x00", stop)
            else:
                remote.send(b"HTTP/1.1 101 Switching Protocols\r\n")
                drip(remote.sock, b"x" if phase == "upgrade" else b"X-A: b\r\n", stop)

        server = Task(serve)
        with pytest.raises(ConnectTimeoutError):
            connection.open(0.3)
        assert connection.closed.wait(WAIT), "the reader thread outlived its deadline"
        stop.set()
        server.result()


def addresses(*pairs: tuple[str, int]) -> Any:
    def resolve(*_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in pairs]

    return resolve


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """Provide an address that neither accepts nor refuses a connection: its backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(place)
            fillers.append(filler)
        probe = socket.socket()
        probe.settimeout(0.1)
        try:
            probe.connect(place)
        except (TimeoutError, socket.timeout):
            pass
        else:
            pytest.skip("this system has no full backlog")
        finally:
            probe.close()
        yield place
        for filler in fillers:
            filler.close()


def test_hanging_address_leaves_time_for_the_next(
    raw_peer: RawPeer, black_hole: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first address that does not answer uses part of the deadline; the second is reached."""
    good = ("127.0.0.1", raw_peer.port)
    monkeypatch.setattr(module.socket, "getaddrinfo", addresses(black_hole, good))
    sock = attempt(target("ws://two.invalid/"), 2.0)
    assert sock.getpeername() == good
    sock.close()


def test_all_addresses_hanging_meet_the_deadline(
    black_hole: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no address answers, connecting ends at the deadline."""
    monkeypatch.setattr(module.socket, "getaddrinfo", addresses(black_hole, black_hole))
    assert isinstance(refused(target("ws://two.invalid/"), 0.3), ConnectTimeoutError)


def test_every_failure_of_an_address_leads_to_the_next(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal, and an address family this machine lacks, both lead to the next address."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        pairs = addresses(holder.getsockname(), ("127.0.0.1", raw_peer.port))()
        odd = (9999, socket.SOCK_STREAM, 0, "", ("::1", raw_peer.port))
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: [odd, *pairs])
        attempt(target("ws://many.invalid/")).close()
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: [odd])
        assert isinstance(refused(target("ws://one.invalid/")), SonioxConnectionError)
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: [])
        assert isinstance(refused(target("ws://none.invalid/")), SonioxConnectionError)


def test_hanging_name_lookup_does_not_block_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a name look-up hangs, the call ends at the deadline, or at once on cancel."""
    go = threading.Event()

    def hang(*_: Any) -> Any:
        assert go.wait(WAIT)
        raise socket.gaierror(socket.EAI_AGAIN, "again")

    monkeypatch.setattr(module.socket, "getaddrinfo", hang)
    late = connection_to(target("ws://slow.invalid/"))
    with pytest.raises(ConnectTimeoutError, match=r"0\.05 s"):
        late.open(0.05)
    token = CancelToken()
    cancelled = connection_to(target("ws://slow.invalid/"))
    opened = Task(lambda: cancelled.open(WAIT, token))
    token.cancel("enough")
    with pytest.raises(AbortError, match="enough"):
        opened.result()
    closed = connection_to(target("ws://slow.invalid/"))
    opened = Task(lambda: closed.open(WAIT))
    closed.close()
    with pytest.raises(SonioxConnectionError, match="clos"):
        opened.result()
    go.set()
    for connection in (late, cancelled, closed):
        assert connection.closed.wait(WAIT)


# -- cancelled and closed while connecting --------------------------------------------------------


@pytest.mark.parametrize("where", ["tcp", "tls", "upgrade"])
def test_cancel_ends_every_phase(
    where: str,
    authority: Authority,
    black_hole: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cancel ends connecting at once in every phase; no thread is left."""
    token = CancelToken()
    with RawPeer(raw=True) as peer:
        place = black_hole if where == "tcp" else ("127.0.0.1", peer.port)
        monkeypatch.setattr(module.socket, "getaddrinfo", addresses(place, place))
        scheme = "wss" if where == "tls" else "ws"
        connection = connection_to(
            target(f"{scheme}://localhost:{place[1]}/", ssl_context=lambda: authority.client)
        )
        opened = Task(lambda: connection.open(60.0, token))
        if where != "tcp":
            peer.accept().recv_exactly(5)  # the client now waits for our answer
        token.cancel()
        with pytest.raises(AbortError):
            opened.result()
        assert connection.closed.wait(WAIT), "the reader thread went on connecting"


def test_cancelled_token_opens_nothing(raw_peer: RawPeer) -> None:
    """With a token that is already cancelled, connecting ends at once."""
    token = CancelToken()
    token.cancel()
    connection = connection_to(target(raw_peer.url))
    with pytest.raises(AbortError):
        connection.open(WAIT, token)
    assert connection.closed.wait(WAIT)


def test_interrupt_while_connecting_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the caller passes through, and the connection attempt ends."""
    from soniox_sync.runtime import connection as connection_module

    def interrupted(event: threading.Event, deadline: Deadline) -> bool:
        raise KeyboardInterrupt

    with RawPeer(answer=lambda remote: None) as peer:
        connection = connection_to(target(peer.url))
        with monkeypatch.context() as patch:
            patch.setattr(connection_module, "wait_for", interrupted)
            with pytest.raises(KeyboardInterrupt):
                connection.open(WAIT)
        assert connection.closed.wait(WAIT)
        assert not connection.is_open


def test_closed_connection_does_not_open(raw_peer: RawPeer) -> None:
    """A connection closed before it was opened stays closed."""
    connection = connection_to(target(raw_peer.url))
    connection.close()
    with pytest.raises(SonioxConnectionError):
        connection.open(WAIT)
    assert raw_peer.idle
