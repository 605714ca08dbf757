"""Opening a connection: clear errors, and no key where it does not belong."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import Any

import pytest
import websocket

from soniox_sync import (
    AuthError,
    BadRequestError,
    ConfigurationError,
    ConnectTimeoutError,
    RateLimitError,
    SonioxConnectionError,
    SonioxError,
    is_retriable,
)
from soniox_sync.transport import connect as module
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.upgrade import MaskedHeaders
from tests.peers import Authority, RawPeer, Remote, upgrade
from tests.transport.connecting import KEY, answering, attempt, refused, target
from tests.waiting import WAIT, Task

# -- success --------------------------------------------------------------------------------------


def test_upgrade_request_has_the_expected_headers(raw_peer: RawPeer) -> None:
    """The request carries host, key, version and our header, and no Origin."""
    opened = Task(lambda: attempt(target(raw_peer.url)))
    request = raw_peer.accept().request
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


def test_bytes_after_the_response_are_not_lost() -> None:
    """Frames in the same packet as the upgrade response are received."""
    with RawPeer(answer=lambda remote: upgrade(remote) + b"\x81\x02hi") as peer:
        sock = attempt(target(peer.url))
        sock.settimeout(WAIT)
        assert sock.recv(16) == b"\x81\x02hi"
        sock.close()


def test_subprotocols_are_offered_and_checked() -> None:
    """With the key as a subprotocol the server must choose one of those offered."""
    goal = Target("", subprotocols=("soniox-api-key", KEY))

    def choose(remote: Remote) -> bytes:
        assert remote.request is not None
        return remote.request.accept("Sec-WebSocket-Protocol: soniox-api-key")

    with RawPeer(answer=choose) as peer:
        opened = Task(lambda: attempt(Target(peer.url, subprotocols=goal.subprotocols)))
        request = peer.accept().request
        opened.result().close()
    assert request is not None
    assert request.headers["sec-websocket-protocol"] == f"soniox-api-key, {KEY}"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("chosen", [(), ("Sec-WebSocket-Protocol: chat",)])
def test_disagreement_on_subprotocols_shows_no_key(
    chosen: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """A server that ignores the subprotocol is refused, and no log line shows the key."""

    def answer(remote: Remote) -> bytes:
        assert remote.request is not None
        return remote.request.accept(*chosen)

    with caplog.at_level(logging.DEBUG), RawPeer(answer=answer) as peer:
        error = refused(Target(peer.url, subprotocols=("soniox-api-key", KEY)))
    assert isinstance(error, SonioxConnectionError)
    assert "subprotocol" in str(error)
    assert KEY not in caplog.text


def test_target_shows_no_key() -> None:
    """A target's repr and address contain no headers, subprotocols, proxy or user."""
    goal = Target(
        "wss://user:pass@host.invalid:8443/path?q=1",
        headers=(f"Authorization: Bearer {KEY}",),
        subprotocols=("soniox-api-key", KEY),
        proxy=f"http://me:{KEY}@proxy",
    )
    assert KEY not in repr(goal)
    assert goal.address == "host.invalid:8443/path"


def test_tls_connects_with_the_given_context(tls_peer: RawPeer, authority: Authority) -> None:
    """A wss connection uses the trust of its context."""
    opened = Task(lambda: attempt(target(tls_peer.url, ssl_context=lambda: authority.client)))
    remote = tls_peer.accept()
    sock = opened.result()
    assert isinstance(sock, ssl.SSLSocket)
    remote.send(b"\x81\x02hi")
    sock.settimeout(WAIT)
    assert sock.recv(4) == b"\x81\x02hi"
    sock.close()


def test_a_request_that_cannot_be_written_fails_without_what_it_holds() -> None:
    """The socket's error passes through, without the frames below, whose variables have the key."""

    class Broken(socket.socket):
        def sendall(self, data: Any, flags: int = 0) -> None:
            assert KEY.encode() in data
            raise BrokenPipeError("gone")

    headers = MaskedHeaders([f"Authorization: Bearer {KEY}"], [KEY])
    with Broken() as sock, pytest.raises(BrokenPipeError, match="gone") as caught:
        headers.send(sock, f"GET / HTTP/1.1\r\n{headers.shown[0]}\r\n\r\n".encode())
    assert "sendall" not in [entry.name for entry in caught.traceback]
    assert caught.value.__context__ is None or caught.value.__suppress_context__


# -- refusals -------------------------------------------------------------------------------------


def test_refused_connection_is_reported() -> None:
    """A port without a listener is a retriable connection error that names the address."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))  # bound and not listening: nothing can answer
        port = holder.getsockname()[1]
        error = refused(target(f"ws://127.0.0.1:{port}/x"))
    assert type(error) is SonioxConnectionError
    assert f"127.0.0.1:{port}/x" in str(error)
    assert is_retriable(error)


def test_unknown_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name that does not resolve is reported, with what to check."""

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
        ("429 Too Many Requests", RateLimitError, True),
        ("500 Internal Server Error", SonioxConnectionError, True),
        ("502 Bad Gateway", SonioxConnectionError, True),
        ("503 Service Unavailable", SonioxConnectionError, True),
    ],
)
def test_http_errors_are_mapped(status: str, expected: type, retriable: bool) -> None:
    """An upgrade answered with an HTTP error raises the class for its status, with its message."""
    body = b'{"error_type":"some_slug","error_message":"the reason","request_id":"r-1"}'
    answer = answering(status, f"Content-Length: {len(body)}", body=body)
    with RawPeer(answer=answer) as peer:
        error = refused(target(peer.url))
    assert isinstance(error, expected)
    assert is_retriable(error) is retriable
    assert getattr(error, "status_code", None) == int(status[:3])
    assert getattr(error, "error_type", None) == "some_slug"
    assert "the reason" in str(error)


def test_a_refused_upgrade_keeps_every_field() -> None:
    """Request id and link are kept for every status, `Retry-After` for 429."""
    body = b'{"error_type":"slug","request_id":"r-1","more_info":"https://x"}'
    for status in ("503 Service Unavailable", "429 Too Many Requests"):
        answer = answering(status, f"Content-Length: {len(body)}", "Retry-After: 7", body=body)
        with RawPeer(answer=answer) as peer:
            error: Any = refused(target(peer.url))
        assert (error.error_type, error.request_id, error.more_info) == ("slug", "r-1", "https://x")
        assert getattr(error, "retry_after_sec", 7) == 7


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail": "Not authenticated"}', "HTTP 403: Not authenticated (403"),
        (b'{"message": {"text": 5}, "error": {"message": "no"}}', "HTTP 403: no (403"),
        (b'{"message": 5}', 'HTTP 403: {"message": 5} (403'),
    ],
)
def test_a_refusal_of_another_framework_is_shown(body: bytes, said: str) -> None:
    """What a gateway says in fields of its own is in the message of a refused upgrade."""
    with RawPeer(
        answer=answering("403 Forbidden", f"Content-Length: {len(body)}", body=body)
    ) as peer:
        assert said in str(refused(target(peer.url)))


@pytest.mark.parametrize("status", [307, 308])
def test_every_version_of_websocket_client_reports_a_redirect_alike(status: int) -> None:
    """Version 1.6 raises for 307 and 308, newer ones return them: the error is the same."""
    from websocket import WebSocketBadStatusException

    raised = WebSocketBadStatusException("Handshake status", status, "Moved", {}, b"")
    error = module._explain(raised, None, target("ws://localhost/"), None, Deadline(1))
    assert type(error) is SonioxConnectionError
    assert error.status_code == status


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
def test_http_errors_are_reported_with_any_body(answer: Any) -> None:
    """An error status is reported with any body; the message stays short."""
    with RawPeer(answer=answer) as peer:
        error = refused(target(peer.url))
    assert isinstance(error, AuthError)
    assert len(str(error)) < 6000


@pytest.mark.parametrize(
    "answer",
    [
        lambda remote: b"",
        lambda remote: b"\r\n\r\n",
        lambda remote: b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
        lambda remote: b"HTTP/1.1 abc Odd\r\n\r\n",
        lambda remote: b"HTTP/1.1\r\n\r\n",
        lambda remote: b"HTTP/1.1 101 Switching\r\nno colon here\r\n\r\n",
        lambda remote: b"HTTP/1.1 101 Switching\r\n\xff\xfe: x\r\n\r\n",
        lambda remote: b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        lambda remote: upgrade(remote).replace(b"Accept: ", b"Accept: x"),
        lambda remote: upgrade(remote).replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        answering("200 OK", "Content-Length: 5", body=b"hello"),
        answering("403 Forbidden", "Content-Length: abc"),
        answering("403 Forbidden", "Content-Length: -5"),
        bytes,
    ],
)
def test_malformed_responses_are_the_servers_fault(answer: Any) -> None:
    """A response that is not an upgrade is an error of connection or service, not of the URL."""

    def and_end(remote: Remote) -> bytes:
        remote.send(answer(remote) if answer is not bytes else b"\x16\x03\x01" * 50)
        remote.fin()
        return b""

    with RawPeer(answer=and_end) as peer:
        error = refused(target(peer.url))
    assert not isinstance(error, (ConfigurationError, ConnectTimeoutError))
    assert isinstance(error, (SonioxConnectionError, AuthError, SonioxError))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(status: int) -> None:
    """A redirect is refused: following it would send the key to another host."""
    with RawPeer() as other:
        answer = answering(f"{status} Moved", f"Location: {other.url}", "Content-Length: 0")
        with RawPeer(answer=answer) as peer:
            error = refused(target(peer.url))
        assert other.idle
    assert isinstance(error, SonioxConnectionError)
    assert getattr(error, "status_code", None) == status
    assert "configure the final URL" in str(error)
    assert not is_retriable(error)


@pytest.mark.parametrize("status", [307, 308])
def test_redirects_that_websocket_client_refuses(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where websocket-client (1.6.0) raises for a redirect as for a 403, the error is the same."""

    def connect(*args: object, **options: object) -> None:
        raise websocket.WebSocketBadStatusException("Handshake status %s", status)

    monkeypatch.setattr(websocket.WebSocket, "connect", connect)
    with RawPeer() as peer:
        error = refused(target(peer.url))
    assert type(error) is SonioxConnectionError
    assert error.status_code == status
    assert "configure the final URL" in str(error)


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
    """A URL that cannot be connected to is a configuration error, before any attempt."""
    assert isinstance(refused(target(url)), ConfigurationError)


def test_untrusted_certificate_is_refused(tls_peer: RawPeer) -> None:
    """An untrusted certificate is refused, and the message says what to do."""
    error = refused(target(tls_peer.url, ssl_context=ssl.create_default_context))
    assert isinstance(error, SonioxConnectionError)
    assert "certificate was refused" in str(error)
    with pytest.raises((OSError, ssl.SSLError)):
        tls_peer.accept()


def test_certificate_of_another_host_is_refused(authority: Authority) -> None:
    """A trusted certificate for another name is refused."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.ca.issue_cert("elsewhere.invalid").configure_cert(server)
    with RawPeer(tls=server) as peer:
        error = refused(target(peer.url, ssl_context=lambda: authority.client))
        assert "certificate was refused" in str(error)


def test_plain_server_on_a_tls_url_is_an_error(raw_peer: RawPeer, authority: Authority) -> None:
    """TLS with a server that does not support it is an error, not a hang."""

    def reject(remote: Remote) -> bytes:
        raise AssertionError("no request can come")

    with RawPeer(raw=True) as peer:
        opened = Task(
            lambda: refused(
                target(f"wss://localhost:{peer.port}/", ssl_context=lambda: authority.client)
            )
        )
        with peer.accept() as remote:
            remote.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            remote.fin()
            assert isinstance(opened.result(), SonioxConnectionError)
