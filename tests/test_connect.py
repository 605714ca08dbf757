"""Opening a line: one deadline for everything, clear errors, no key where it does not belong."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest
from peers import WAIT, Authority, Listener, RawLine, RawPeer, Request, Task, upgrade

from soniox_sync import (
    AbortError,
    AuthError,
    BadRequestError,
    CancelToken,
    ConfigurationError,
    ConnectTimeoutError,
    SonioxConnectionError,
    SonioxError,
    is_retriable,
)
from soniox_sync.connection import Connection
from soniox_sync.transport import connect as module
from soniox_sync.transport.connect import Target, open_socket
from soniox_sync.transport.deadline import Deadline

KEY = "a-secret-key-0123456789"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the machine's own proxy settings out of the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def target(url: str, **fields: Any) -> Target:
    return Target(url, headers=(f"Authorization: Bearer {KEY}",), **fields)


def attempt(goal: Target, seconds: Optional[float] = WAIT) -> socket.socket:
    return open_socket(goal, Deadline(seconds), lambda sock: None)


def refused(goal: Target, seconds: Optional[float] = WAIT) -> SonioxError:
    with pytest.raises(SonioxError) as caught:
        attempt(goal, seconds).close()
    error: Optional[BaseException] = caught.value
    while error is not None:  # the key is nowhere in the whole chain
        assert KEY not in str(error)
        assert KEY not in repr(error)
        error = error.__cause__
    return caught.value


def answering(status: str, *headers: str, body: bytes = b"") -> Any:
    def answer(line: RawLine) -> bytes:
        head = "\r\n".join((f"HTTP/1.1 {status}", *headers)).encode("latin-1")
        return head + b"\r\n\r\n" + body

    return answer


# -- going well -----------------------------------------------------------------------------------


def test_upgrade_request_is_what_a_server_expects(raw_peer: RawPeer) -> None:
    """The request carries host, key, version and our header, and no Origin."""
    opened = Task(lambda: attempt(target(raw_peer.url)))
    request = raw_peer.line().request
    sock = opened.result()
    assert request is not None
    assert request.path == "/socket"
    assert request.headers["host"] == f"127.0.0.1:{raw_peer.port}"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["sec-websocket-version"] == "13"
    assert "origin" not in request.headers
    assert "sec-websocket-protocol" not in request.headers
    assert request.raw.count(KEY.encode()) == 1
    sock.close()


def test_bytes_behind_the_answer_are_not_lost() -> None:
    """A server that speaks in the same packet as its answer is heard."""
    with RawPeer(answer=lambda line: upgrade(line) + b"\x81\x02hi") as peer:
        sock = attempt(target(peer.url))
        sock.settimeout(WAIT)
        assert sock.recv(16) == b"\x81\x02hi"
        sock.close()


def test_subprotocols_are_offered_and_checked() -> None:
    """With the key as a subprotocol the server must choose one of those offered."""
    goal = Target("", subprotocols=("soniox-api-key", KEY))

    def choose(line: RawLine) -> bytes:
        assert line.request is not None
        return line.request.accept("Sec-WebSocket-Protocol: soniox-api-key")

    with RawPeer(answer=choose) as peer:
        opened = Task(lambda: attempt(Target(peer.url, subprotocols=goal.subprotocols)))
        request = peer.line().request
        opened.result().close()
    assert request is not None
    assert request.headers["sec-websocket-protocol"] == f"soniox-api-key, {KEY}"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("chosen", [(), ("Sec-WebSocket-Protocol: chat",)])
def test_disagreement_on_subprotocols_shows_no_key(
    chosen: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """A server that ignores the subprotocol is refused, and the key is in no log line."""

    def answer(line: RawLine) -> bytes:
        assert line.request is not None
        return line.request.accept(*chosen)

    with caplog.at_level(logging.DEBUG), RawPeer(answer=answer) as peer:
        error = refused(Target(peer.url, subprotocols=("soniox-api-key", KEY)))
    assert isinstance(error, SonioxConnectionError)
    assert "subprotocol" in str(error)
    assert KEY not in caplog.text


def test_target_shows_no_key() -> None:
    """A target's repr and place hold neither headers nor subprotocols nor proxy nor user."""
    goal = Target(
        "wss://user:pass@host.invalid:8443/path?q=1",
        headers=(f"Authorization: Bearer {KEY}",),
        subprotocols=("soniox-api-key", KEY),
        proxy=f"http://me:{KEY}@proxy",
    )
    assert KEY not in repr(goal)
    assert goal.place == "host.invalid:8443/path"


def test_tls_connects_with_the_given_context(tls_peer: RawPeer, authority: Authority) -> None:
    """A wss line trusts exactly what its context trusts."""
    opened = Task(lambda: attempt(target(tls_peer.url, ssl_context=lambda: authority.client)))
    line = tls_peer.line()
    sock = opened.result()
    assert isinstance(sock, ssl.SSLSocket)
    line.send(b"\x81\x02hi")
    sock.settimeout(WAIT)
    assert sock.recv(4) == b"\x81\x02hi"
    sock.close()


# -- refusals -------------------------------------------------------------------------------------


def test_refused_connection_is_told() -> None:
    """A port where nobody listens gives a retriable connection error naming the place."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # taken and not listening: nobody else can answer
        port = holder.getsockname()[1]
        error = refused(target(f"ws://127.0.0.1:{port}/x"))
    assert type(error) is SonioxConnectionError
    assert f"127.0.0.1:{port}/x" in str(error)
    assert is_retriable(error)


def test_unknown_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve says so, and what to check."""

    def fail(*_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(module.socket, "getaddrinfo", fail)
    error = refused(target("wss://no-such-host.invalid/"))
    assert isinstance(error, SonioxConnectionError)
    assert "could not be resolved" in str(error)


@pytest.mark.parametrize(
    ("status", "expected", "retriable"),
    [
        ("400 Bad Request", BadRequestError, False),
        ("401 Unauthorized", AuthError, False),
        ("403 Forbidden", AuthError, False),
        ("429 Too Many Requests", SonioxError, False),
        ("500 Internal Server Error", SonioxConnectionError, True),
        ("502 Bad Gateway", SonioxConnectionError, True),
        ("503 Service Unavailable", SonioxConnectionError, True),
    ],
)
def test_http_errors_are_mapped(status: str, expected: type, retriable: bool) -> None:
    """An upgrade answered with an HTTP error gives the error of its kind and its words."""
    body = b'{"error_type":"some_slug","error_message":"the reason","request_id":"r-1"}'
    answer = answering(status, f"Content-Length: {len(body)}", body=body)
    with RawPeer(answer=answer) as peer:
        error = refused(target(peer.url))
    assert isinstance(error, expected)
    assert is_retriable(error) is retriable
    assert getattr(error, "status_code", None) == int(status[:3])
    assert getattr(error, "error_type", None) == "some_slug"
    assert "the reason" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        answering("403 Forbidden"),
        answering("403 Forbidden", "Content-Length: 6", body=b"\xff\xfe<<>>"),
        answering("403 Forbidden", "Content-Length: 100000", body=b"x" * 100_000),
        answering("403 Forbidden", "Content-Length: 4", body=b"[{]}"),
        answering("403 Forbidden", "Content-Length: 2", body=b"[]"),
    ],
)
def test_http_error_bodies_of_any_kind_are_survived(answer: Any) -> None:
    """An error status counts, whatever its body is; the message stays short."""
    with RawPeer(answer=answer) as peer:
        error = refused(target(peer.url))
    assert isinstance(error, AuthError)
    assert len(str(error)) < 6000


@pytest.mark.parametrize(
    "answer",
    [
        lambda line: b"",
        lambda line: b"\r\n\r\n",
        lambda line: b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
        lambda line: b"HTTP/1.1 abc Odd\r\n\r\n",
        lambda line: b"HTTP/1.1\r\n\r\n",
        lambda line: b"HTTP/1.1 101 Switching\r\nno colon here\r\n\r\n",
        lambda line: b"HTTP/1.1 101 Switching\r\n\xff\xfe: x\r\n\r\n",
        lambda line: b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        lambda line: upgrade(line).replace(b"Accept: ", b"Accept: x"),
        lambda line: upgrade(line).replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        answering("200 OK", "Content-Length: 5", body=b"hello"),
        answering("403 Forbidden", "Content-Length: abc"),
        answering("403 Forbidden", "Content-Length: -5"),
        bytes,
    ],
)
def test_answers_that_are_none_are_the_servers_fault(answer: Any) -> None:
    """An answer that is no upgrade is an error of the connection or the service, not of the URL."""

    def and_end(line: RawLine) -> bytes:
        line.send(answer(line) if answer is not bytes else b"\x16\x03\x01" * 50)
        line.fin()
        return b""

    with RawPeer(answer=and_end) as peer:
        error = refused(target(peer.url))
    assert not isinstance(error, (ConfigurationError, ConnectTimeoutError))
    assert isinstance(error, (SonioxConnectionError, AuthError, SonioxError))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(status: int) -> None:
    """A redirect is refused: following it would carry the key to another place."""
    with RawPeer() as other:
        answer = answering(f"{status} Moved", f"Location: {other.url}", "Content-Length: 0")
        with RawPeer(answer=answer) as peer:
            error = refused(target(peer.url))
        assert other.idle
    assert isinstance(error, SonioxConnectionError)
    assert getattr(error, "status_code", None) == status
    assert not is_retriable(error)


@pytest.mark.parametrize(
    "url",
    [
        "http://host.invalid/",
        "wss:///path",
        "wss://",
        "host.invalid/path",
        "ws://host.invalid:99999/",
        "ws://host.invalid:abc/",
        "ws://[::1/",
        f"ws://{'a' * 64}.invalid/",
        "ws://a..invalid/",
    ],
)
def test_unusable_urls_are_the_callers_fault(url: str) -> None:
    """A URL that nobody could connect to is a configuration error, before any connecting."""
    assert isinstance(refused(target(url)), ConfigurationError)


def test_untrusted_certificate_is_refused(tls_peer: RawPeer) -> None:
    """A certificate nobody vouches for is refused, and the way out named."""
    error = refused(target(tls_peer.url, ssl_context=ssl.create_default_context))
    assert isinstance(error, SonioxConnectionError)
    assert "certificate was refused" in str(error)
    with pytest.raises((OSError, ssl.SSLError)):
        tls_peer.line()


def test_certificate_of_another_host_is_refused(authority: Authority) -> None:
    """A trusted certificate for another name is refused."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("elsewhere.invalid").configure_cert(server)
    with RawPeer(tls=server) as peer:
        error = refused(target(peer.url, ssl_context=lambda: authority.client))
        assert "certificate was refused" in str(error)


def test_plain_server_on_a_tls_url_is_told(raw_peer: RawPeer, authority: Authority) -> None:
    """Speaking TLS to a server that does not is an error, not a hang."""

    def reject(line: RawLine) -> bytes:
        raise AssertionError("no request can come")

    with RawPeer(raw=True) as peer:
        opened = Task(
            lambda: refused(
                target(f"wss://localhost:{peer.port}/", ssl_context=lambda: authority.client)
            )
        )
        with peer.line() as line:
            line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            line.fin()
            assert isinstance(opened.result(), SonioxConnectionError)


# -- the deadline ---------------------------------------------------------------------------------


def test_silent_server_meets_the_deadline() -> None:
    """A server that accepts and says nothing costs the deadline, not more."""
    with RawPeer(answer=lambda line: None) as peer:
        error = refused(target(peer.url), 0.2)
    assert isinstance(error, ConnectTimeoutError)
    assert isinstance(error, TimeoutError)
    assert isinstance(error, ConnectionError)
    assert is_retriable(error)


def test_silent_tls_server_meets_the_deadline(authority: Authority) -> None:
    """A server that never answers the TLS handshake costs the deadline, not more."""
    with RawPeer(raw=True) as peer:
        url = f"wss://localhost:{peer.port}/"
        error = refused(target(url, ssl_context=lambda: authority.client), 0.2)
    assert isinstance(error, ConnectTimeoutError)


def connection_to(goal: Target, listener: Optional[Listener] = None) -> Connection:
    return Connection(goal, listener or Listener())


def drip(sock: socket.socket, piece: bytes, stop: threading.Event) -> None:
    """Send a piece again and again until told to stop or cut off."""
    try:
        while not stop.wait(0.01):
            sock.sendall(piece)
    except OSError:
        return


@pytest.mark.parametrize("phase", ["upgrade", "headers", "tls"])
def test_dripping_server_does_not_stretch_the_deadline(phase: str, authority: Authority) -> None:
    """A server that always sends one byte more is cut off at the deadline, thread and all."""
    stop = threading.Event()
    with RawPeer(raw=True) as peer:
        scheme = "wss" if phase == "tls" else "ws"
        goal = target(f"{scheme}://localhost:{peer.port}/", ssl_context=lambda: authority.client)
        connection = connection_to(goal)

        def serve() -> None:
            line = peer.line()
            if phase == "tls":
                # a handshake record of 16 KB that never becomes whole
                line.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
                drip(line.sock, b"\x00", stop)
            else:
                line.send(b"HTTP/1.1 101 Switching Protocols\r\n")
                drip(line.sock, b"x" if phase == "upgrade" else b"X-A: b\r\n", stop)

        server = Task(serve)
        with pytest.raises(ConnectTimeoutError):
            connection.open(0.3)
        assert connection.done.wait(WAIT), "the reader thread outlived its deadline"
        stop.set()
        server.result()


def addresses(*places: tuple[str, int]) -> Any:
    def resolve(*_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    return resolve


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """Give an address that takes no connection and refuses none: its backlog is full."""
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
    """A first address that does not answer uses a part of the deadline; the second is reached."""
    good = ("127.0.0.1", raw_peer.port)
    monkeypatch.setattr(module.socket, "getaddrinfo", addresses(black_hole, good))
    sock = attempt(target("ws://two.invalid/"), 2.0)
    assert sock.getpeername() == good
    sock.close()


def test_all_addresses_hanging_meet_the_deadline(
    black_hole: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no address answers, the whole costs the deadline."""
    monkeypatch.setattr(module.socket, "getaddrinfo", addresses(black_hole, black_hole))
    assert isinstance(refused(target("ws://two.invalid/"), 0.3), ConnectTimeoutError)


def test_every_failure_of_an_address_leads_to_the_next(
    raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal, and an address family this machine lacks, both lead to the next address."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        places = addresses(holder.getsockname(), ("127.0.0.1", raw_peer.port))()
        odd = (9999, socket.SOCK_STREAM, 0, "", ("::1", raw_peer.port))
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: [odd, *places])
        attempt(target("ws://many.invalid/")).close()
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: [odd])
        assert isinstance(refused(target("ws://one.invalid/")), SonioxConnectionError)
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: [])
        assert isinstance(refused(target("ws://none.invalid/")), SonioxConnectionError)


def test_hanging_name_lookup_does_not_hold_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that never answers costs the caller the deadline, and a cancel nothing."""
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
        assert connection.done.wait(WAIT)


# -- ends asked for while connecting --------------------------------------------------------------


@pytest.mark.parametrize("where", ["tcp", "tls", "upgrade"])
def test_cancel_cuts_every_phase(
    where: str,
    authority: Authority,
    black_hole: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cancel ends connecting at once, whatever it waits for, and no thread is left."""
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
            peer.line().recv_exactly(5)  # it waits for our answer now
        token.cancel()
        with pytest.raises(AbortError):
            opened.result()
        assert connection.done.wait(WAIT), "the reader thread went on connecting"


def test_cancelled_token_opens_nothing(raw_peer: RawPeer) -> None:
    """A token cancelled before ends connecting before it has begun to matter."""
    token = CancelToken()
    token.cancel()
    connection = connection_to(target(raw_peer.url))
    with pytest.raises(AbortError):
        connection.open(WAIT, token)
    assert connection.done.wait(WAIT)


def test_interrupt_while_connecting_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C in the caller passes through, and the attempt behind it is given up."""
    from soniox_sync import connection as connection_module

    def interrupted(event: threading.Event, deadline: Deadline) -> bool:
        raise KeyboardInterrupt

    with RawPeer(answer=lambda line: None) as peer:
        connection = connection_to(target(peer.url))
        with monkeypatch.context() as patch:
            patch.setattr(connection_module, "wait_for", interrupted)
            with pytest.raises(KeyboardInterrupt):
                connection.open(WAIT)
        assert connection.done.wait(WAIT)
        assert not connection.is_open


def test_closed_connection_does_not_open(raw_peer: RawPeer) -> None:
    """A connection closed before it was opened stays closed."""
    connection = connection_to(target(raw_peer.url))
    connection.close()
    with pytest.raises(SonioxConnectionError):
        connection.open(WAIT)
    assert raw_peer.idle


# -- proxies --------------------------------------------------------------------------------------


class TinyProxy:
    """Answers one CONNECT as told, then passes bytes both ways until either side ends."""

    def __init__(self, answer: Optional[bytes] = None) -> None:
        self.peer = RawPeer(raw=True)
        self._answer = answer
        self._pipes: list[Task] = []
        self._sockets: list[socket.socket] = []
        self.request: Optional[Request] = None
        self._task = Task(self._serve)

    def _serve(self) -> None:
        line = self.peer.line()
        self.request = Request.parse(line.recv_until(b"\r\n\r\n"))
        if self._answer is not None:
            line.send(self._answer)
            line.fin()
            return
        port = self.request.path.rpartition(":")[2]
        far = socket.create_connection(("127.0.0.1", int(port)), timeout=WAIT)
        self._sockets.append(far)
        line.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._pipes = [
            Task(lambda: self._pipe(line.sock, far)),
            Task(lambda: self._pipe(far, line.sock)),
        ]

    @staticmethod
    def _pipe(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other direction ended the line

    def __enter__(self) -> TinyProxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._task.result()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes the pipe that waits for it
            except OSError:
                pass  # the far end was first
        self.peer.close()
        for pipe in self._pipes:
            pipe.result()
        for sock in self._sockets:
            sock.close()


@pytest.mark.parametrize("secure", [False, True])
def test_proxy_tunnels_both_kinds(secure: bool, authority: Authority) -> None:
    """Through an HTTP proxy both ws and wss lines stand, with the proxy's own credentials."""
    with RawPeer(tls=authority.server if secure else None) as peer, TinyProxy() as proxy:
        url = peer.url
        opened = Task(
            lambda: attempt(
                target(
                    url,
                    proxy=f"http://me:p%40ss@127.0.0.1:{proxy.peer.port}",
                    ssl_context=lambda: authority.client,
                )
            )
        )
        line = peer.line()
        sock = opened.result()
        assert proxy.request is not None
        assert proxy.request.raw.startswith(b"CONNECT ")
        assert proxy.request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert KEY.encode() not in proxy.request.raw
        assert line.request is not None
        assert line.request.headers["authorization"] == f"Bearer {KEY}"
        assert "proxy-authorization" not in line.request.headers
        line.send(b"\x81\x02hi")
        sock.settimeout(WAIT)
        assert sock.recv(4) == b"\x81\x02hi"
        sock.close()


def test_proxy_that_refuses_is_told() -> None:
    """A proxy that wants other credentials is named as the cause, without any."""
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    with TinyProxy(answer) as proxy:
        place = f"127.0.0.1:{proxy.peer.port}"
        error = refused(target("wss://far.invalid/", proxy=f"http://me:{KEY}@{place}"))
    assert isinstance(error, SonioxConnectionError)
    assert "407" in str(error)
    assert "proxy" in str(error)


def test_proxy_that_is_not_there_is_told() -> None:
    """A proxy nobody listens at gives a connection error."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        place = f"http://127.0.0.1:{holder.getsockname()[1]}"
        error = refused(target("ws://far.invalid/", proxy=place))
    assert isinstance(error, SonioxConnectionError)


@pytest.mark.parametrize("proxy", ["ftp://host:1", "http://", "https://host:1"])
def test_unusable_proxies_are_the_callers_fault(proxy: str) -> None:
    """A proxy URL that cannot be used is a configuration error."""
    assert isinstance(refused(target("ws://far.invalid/", proxy=proxy)), ConfigurationError)


def test_environment_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used for its scheme, never for loopback, never against ""."""
    monkeypatch.setenv("https_proxy", "http://secure:1")
    monkeypatch.setenv("http_proxy", "http://plain:2")
    monkeypatch.setenv("no_proxy", "skipped.invalid")
    find = module._proxy_for
    assert find(Target("wss://far.invalid/")) == "http://secure:1"
    assert find(Target("ws://far.invalid/")) == "http://plain:2"
    assert find(Target("wss://skipped.invalid/")) is None
    assert find(Target("wss://localhost:1/")) is None
    assert find(Target("ws://127.0.0.1:1/")) is None
    assert find(Target("ws://[::1]:1/")) is None
    assert find(Target("wss://far.invalid/", proxy="")) is None
    assert find(Target("wss://far.invalid/", proxy="http://own:3")) == "http://own:3"
    monkeypatch.delenv("https_proxy")
    monkeypatch.delenv("http_proxy")
    monkeypatch.setenv("all_proxy", "socks5://all:4")
    assert find(Target("wss://far.invalid/")) == "socks5://all:4"
