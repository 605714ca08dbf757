"""Rules of opening a connection that need no network: shares of time, proxies, refusals."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any, Optional

import pytest
import websocket

from soniox_sync import (
    AbortError,
    AuthError,
    ConnectTimeoutError,
    RateLimitError,
    SonioxConnectionError,
)
from soniox_sync.transport import connect as module
from soniox_sync.transport.connect import Target, error_fields, error_text, open_socket, open_tcp
from soniox_sync.transport.deadline import Deadline, exit_timeout
from soniox_sync.transport.proxies import Proxy, unused_variable
from tests.peers import RawPeer
from tests.transport.connecting import answering, attempt, refused, target
from tests.waiting import WAIT, ManualClock, Task

# -- addresses -----------------------------------------------------------------------------------


class Addresses:
    """Stands in for the module `socket`: each address has a script, `None` to connect."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *script: Optional[BaseException],
        takes_sec: float = 0,
    ) -> None:
        self.script = list(script)
        self.clock = ManualClock()
        self.timeouts: list[Optional[float]] = []
        self.open = 0
        addresses = self

        class Fake:
            def __init__(self, *_: object) -> None:
                addresses.open += 1

            def settimeout(self, seconds: Optional[float]) -> None:
                addresses.timeouts.append(seconds)

            def setsockopt(self, *_: int) -> None:
                """Accept every option."""

            def connect(self, address: Any) -> None:
                addresses.clock.advance(takes_sec)
                failure = addresses.script[address]
                if failure is not None:
                    raise failure

            def close(self) -> None:
                addresses.open -= 1

        found = [(0, 0, 0, "", number) for number in range(len(script))]
        monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_: found)
        monkeypatch.setattr(module.socket, "socket", Fake)
        monkeypatch.setattr("time.monotonic", self.clock.now)

    def connect(self, seconds: Optional[float]) -> None:
        open_tcp("many.invalid", 443, Deadline(seconds), lambda sock: None)


def test_an_address_may_use_half_of_the_time_and_the_last_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that hangs leaves the others a chance."""
    addresses = Addresses(monkeypatch, OSError("a"), OSError("b"), None, takes_sec=2.0)
    addresses.connect(16.0)
    assert addresses.timeouts == [8.0, 7.0, 12.0]
    assert addresses.open == 1


def test_an_only_address_may_use_all_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is waiting for it."""
    addresses = Addresses(monkeypatch, None)
    addresses.connect(16.0)
    assert addresses.timeouts == [16.0]


def test_without_a_deadline_no_address_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """`None` waits for as long as the system does."""
    addresses = Addresses(monkeypatch, OSError("a"), None)
    addresses.connect(None)
    assert addresses.timeouts == [None, None]


def test_after_the_deadline_no_other_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure of the last one tried is raised, and its socket closed."""
    addresses = Addresses(monkeypatch, OSError("a"), OSError("b"), None, takes_sec=1.0)
    with pytest.raises(OSError, match="b"):
        addresses.connect(2.0)
    assert (len(addresses.timeouts), addresses.open) == (2, 0)


def test_the_last_failure_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no address answers, and if there is none."""
    addresses = Addresses(monkeypatch, OSError("a"), OSError("b"))
    with pytest.raises(OSError, match="b"):
        addresses.connect(16.0)
    assert addresses.open == 0
    with pytest.raises(OSError, match="no address found"):
        Addresses(monkeypatch).connect(16.0)


def test_what_follows_may_use_all_of_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshakes leave no time for another address."""
    addresses = Addresses(monkeypatch, None, None, takes_sec=2.0)
    module._open_direct(target("ws://many.invalid/"), Deadline(16.0), lambda sock: None)
    assert addresses.timeouts == [8.0, 14.0]


def test_after_a_cancellation_no_other_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from `on_socket`; the socket is closed."""
    addresses = Addresses(monkeypatch, None, None)

    def cancelled(sock: Any) -> None:
        raise AbortError("enough")

    with pytest.raises(AbortError, match="enough"):
        open_tcp("many.invalid", 443, Deadline(16.0), cancelled)
    assert (addresses.timeouts, addresses.open) == ([], 0)


@pytest.mark.parametrize(
    ("error", "seconds", "when"),
    [
        (OSError("cut off"), 0.0, "within 0 s"),
        (TimeoutError(), None, "before the system gave up"),
        (TimeoutError(), 60.0, "before the system gave up"),
        (websocket.WebSocketTimeoutException("late"), None, "before the system gave up"),
    ],
)
def test_a_timeout_is_told_by_the_clock_or_by_its_error(
    error: Exception, seconds: Optional[float], when: str
) -> None:
    """At the deadline the socket may be shut down, which fails in any way.

    The message names the limit that has passed, which may be the system's own.
    """
    told = module._explain(error, None, target("ws://far.invalid/"), None, Deadline(seconds))
    assert type(told) is ConnectTimeoutError
    assert str(told).startswith(f"no connection to far.invalid/ {when}: check the network")


# -- sockets -------------------------------------------------------------------------------------


def test_a_socket_that_websocket_client_did_not_take_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may fail before it looks at it."""

    def connect(self: object, url: str, **options: Any) -> None:
        raise websocket.WebSocketException("early")

    monkeypatch.setattr(websocket.WebSocket, "connect", connect)
    made: list[socket.socket] = []
    with RawPeer(raw=True) as peer:
        with pytest.raises(SonioxConnectionError, match="early"):
            open_socket(target(f"ws://127.0.0.1:{peer.port}/"), Deadline(WAIT), made.append)
    assert made and all(sock.fileno() == -1 for sock in made)


def test_a_socket_that_websocket_client_made_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy they are its own."""
    made, other = socket.socketpair()

    def connect(self: websocket.WebSocket, url: str, **options: Any) -> None:
        self.sock = made
        raise websocket.WebSocketException("late")

    monkeypatch.setattr(websocket.WebSocket, "connect", connect)
    refused(target("ws://far.invalid/", proxy="http://proxy.invalid"))
    assert made.fileno() == -1
    other.close()


@pytest.mark.parametrize(
    ("url", "port"),
    [("ws://far.invalid/", 80), ("wss://far.invalid/", 443), ("wss://far.invalid:8443/", 8443)],
)
def test_a_url_without_a_port_has_that_of_its_scheme(
    monkeypatch: pytest.MonkeyPatch, url: str, port: int
) -> None:
    """80, or 443 with TLS."""
    seen: list[tuple[str, int]] = []

    def resolve(host: str, port: int, *_: Any) -> Any:
        seen.append((host, port))
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(module.socket, "getaddrinfo", resolve)
    refused(target(url))
    assert seen == [("far.invalid", port)]


# -- proxies -------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what websocket-client is asked for; it then fails with what is under `raises`."""
    given: dict[str, Any] = {}

    def connect(self: object, url: str, **options: Any) -> None:
        raises = given.pop("raises", OSError("asked"))
        given.update(options)
        raise raises

    monkeypatch.setattr(websocket.WebSocket, "connect", connect)
    monkeypatch.setattr(Proxy, "check_usable", Proxy.check_url)  # SOCKS needs no package here
    return given


@pytest.mark.parametrize(
    ("url", "host", "port", "auth", "kind"),
    [
        ("http://proxy.invalid", "proxy.invalid", 80, None, "http"),
        ("http://proxy.invalid:8080", "proxy.invalid", 8080, None, "http"),
        ("proxy.invalid:8080", "proxy.invalid", 8080, None, "http"),
        ("socks5h://proxy.invalid", "proxy.invalid", 1080, None, "socks5h"),
        ("socks4://proxy.invalid:99", "proxy.invalid", 99, None, "socks4"),
        ("http://me:p%40ss@proxy.invalid", "proxy.invalid", 80, ("me", "p@ss"), "http"),
        ("http://me@proxy.invalid", "proxy.invalid", 80, ("me", ""), "http"),
    ],
)
def test_a_proxy_is_reached_as_its_url_says(
    asked: dict[str, Any], url: str, host: str, port: int, auth: object, kind: str
) -> None:
    """With the port of its scheme, 80 or 1080, and with its credentials decoded."""
    refused(target("ws://far.invalid/", proxy=url))
    assert asked["http_proxy_host"] == host
    assert asked["http_proxy_port"] == port
    assert asked["http_proxy_auth"] == auth
    assert asked["proxy_type"] == kind
    assert asked["http_proxy_timeout"] == pytest.approx(asked["timeout"], abs=1)
    assert asked["redirect_limit"] == 0 and asked["suppress_origin"] is True
    assert asked["http_no_proxy"] == ["proxy-already-chosen.invalid"]
    assert "socket" not in asked


@pytest.mark.parametrize(("scheme", "count"), [("ws", 0), ("wss", 1)])
def test_only_tls_needs_a_context(asked: dict[str, Any], scheme: str, count: int) -> None:
    """Through a proxy, too: making one takes longer than all of the rest."""
    made: list[ssl.SSLContext] = []

    def context() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    proxy = "http://proxy.invalid"
    refused(target(f"{scheme}://far.invalid/", proxy=proxy, ssl_context=context))
    assert len(made) == count


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            websocket.WebSocketProxyException("no entry"),
            "the proxy proxy.invalid (from proxy=) refused the connection (no entry)",
        ),
        (
            ConnectionRefusedError(111, "Connection refused"),
            "the proxy proxy.invalid (from proxy=) cannot be reached: Connection refused",
        ),
        (
            websocket.WebSocketAddressException("unknown"),
            "the host name of the proxy proxy.invalid (from proxy=) could not be resolved",
        ),
        (
            ConnectionResetError(104, "reset"),
            "reset, through the proxy proxy.invalid (from proxy=)",
        ),
        (OSError(), "OSError, through the proxy proxy.invalid (from proxy=)"),
    ],
)
def test_a_failure_on_the_way_through_a_proxy_says_whose_it_is(
    asked: dict[str, Any], error: Exception, said: str
) -> None:
    """A proxy that refuses, one that is not there, and one that loses the connection differ."""
    asked["raises"] = error
    message = str(refused(target("ws://far.invalid/", proxy="http://proxy.invalid")))
    assert message.startswith(f"could not connect to far.invalid/: {said}")


def test_a_variable_that_is_not_used_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one for the scheme, before the one for all; lower case before upper case."""
    assert unused_variable(True) is None
    monkeypatch.setenv("ALL_PROXY", "http://a")
    assert unused_variable(True) == unused_variable(False) == "ALL_PROXY"
    monkeypatch.setenv("all_proxy", "http://a")
    assert unused_variable(True) == "all_proxy"
    monkeypatch.setenv("HTTPS_PROXY", "http://a")
    assert (unused_variable(True), unused_variable(False)) == ("HTTPS_PROXY", "all_proxy")
    monkeypatch.setenv("http_proxy", "http://a")
    assert unused_variable(False) == "http_proxy"


# -- refusals ------------------------------------------------------------------------------------


def test_an_answer_without_a_status_is_no_response() -> None:
    """It is refused in words, and `on_response` is not called with nothing."""
    seen: list[Any] = []
    with RawPeer(answer=lambda remote: b"\r\n\r\n") as peer:
        error = refused(target(peer.url, on_response=lambda *told: seen.append(told)))
    assert "HTTP None" not in str(error)
    assert seen == []


def test_an_upgrade_is_reported_without_a_body(raw_peer: RawPeer) -> None:
    """`on_response` gets it as well."""
    seen: list[Any] = []
    goal = target(raw_peer.url, on_response=lambda *told: seen.append(told))
    opened = Task(lambda: attempt(goal))
    raw_peer.accept()
    opened.result().close()
    ((status, headers, body),) = seen
    assert (status, headers["upgrade"].lower(), body) == (101, "websocket", b"")


def test_a_response_without_headers_has_none(asked: dict[str, Any]) -> None:
    """An empty mapping rather than nothing."""
    seen: list[Any] = []
    asked["raises"] = websocket.WebSocketBadStatusException("no %s", 403, None, None, "text")
    on_response = lambda *told: seen.append(told)  # noqa: E731
    refused(target("ws://far.invalid/", proxy="http://p.invalid", on_response=on_response))
    assert seen == [(403, {}, b"")]


def test_a_refusal_is_reported_with_its_body() -> None:
    """`on_response` gets status, headers and body, also of what is refused."""
    seen: list[tuple[int, Mapping[str, str], bytes]] = []
    answer = answering("403 Forbidden", "X-Why: no", "Content-Length: 4", body=b"nope")
    with RawPeer(answer=answer) as peer:
        refused(target(peer.url, on_response=lambda *told: seen.append(told)))
    ((status, headers, body),) = seen
    assert (status, headers["x-why"], body) == (403, "no", b"nope")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(499, None), (500, SonioxConnectionError), (401, AuthError), (429, RateLimitError)],
)
def test_only_what_is_below_500_is_the_callers(status: int, kind: Optional[type]) -> None:
    """From 500 on it is a failed connection, which is retried."""
    with RawPeer(answer=answering(f"{status} Odd", "Retry-After: 7")) as peer:
        error = refused(target(peer.url))
    assert isinstance(error, kind or object)
    assert isinstance(error, SonioxConnectionError) is (status >= 500)
    assert getattr(error, "status_code", None) == status
    assert f"refused the connection with HTTP {status}: no explanation" in str(error)
    # only who asks too often is told when to come again
    assert getattr(error, "retry_after_sec", None) == (7.0 if status == 429 else None)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error_message": "No credit."}', "HTTP 403: No credit"),
        (b"Go away", "HTTP 403: Go away"),
        (b"x" * 5000, "HTTP 403: " + "x" * 4096),
        (b"", "HTTP 403: no explanation"),
        ("as text", "HTTP 403: as text"),
        (None, "HTTP 403: no explanation"),
    ],
)
@pytest.mark.parametrize("advised", [False, True])
def test_the_server_s_words_are_in_the_error(
    asked: dict[str, Any], body: Any, said: str, advised: bool
) -> None:
    """Those of its JSON, or the first 4096 bytes of its text; then what to do."""
    refusal = websocket.WebSocketBadStatusException("refused %s", 403, None, {}, body)
    asked["raises"] = refusal
    advice = (lambda status: f"ask for {status}") if advised else None
    error = refused(target("ws://far.invalid/", proxy="http://proxy.invalid", advice=advice))
    assert f"far.invalid/ refused the connection with {said}" in str(error)
    assert str(error).endswith(f"{said[10:].rstrip('.')}: ask for 403") is advised


@pytest.mark.parametrize(("status", "is_redirect"), [(299, False), (300, True), (399, True)])
def test_a_redirect_is_one_however_it_is_raised(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, status: int, is_redirect: bool
) -> None:
    """Newer versions of websocket-client raise for it with words of their own."""
    monkeypatch.setattr(websocket.WebSocket, "getstatus", lambda self: status)
    monkeypatch.setattr(websocket.WebSocket, "getheaders", lambda self: {})
    asked["raises"] = websocket.WebSocketException("too many of them")
    error = refused(target("ws://far.invalid/", proxy="http://proxy.invalid"))
    assert ("configure the final URL" in str(error)) is is_redirect
    assert (getattr(error, "status_code", None) == status) is is_redirect


def test_a_redirect_is_refused_where_websocket_client_accepts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Older versions return as if the connection were open."""
    made, other = socket.socketpair()

    def connect(self: websocket.WebSocket, url: str, **options: Any) -> None:
        self.sock = made

    monkeypatch.setattr(websocket.WebSocket, "connect", connect)
    monkeypatch.setattr(websocket.WebSocket, "getstatus", lambda self: 302)
    monkeypatch.setattr(websocket.WebSocket, "getheaders", lambda self: {})
    error = refused(target("ws://far.invalid/", proxy="http://proxy.invalid"))
    assert "configure the final URL" in str(error) and made.fileno() == -1
    other.close()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"error_message": "a", "message": "b"}', "a"),
        ('{"message": "b", "detail": "c"}', "b"),
        ('{"detail": "c", "error_description": "d"}', "c"),
        ('{"error_description": "d", "error": "e"}', "d"),
        ('{"error": "e", "title": "f"}', "e"),
        ('{"title": "f"}', "f"),
        ('{"error_message": "", "title": "f"}', "f"),
        (
            '{"detail": [{"loc": ["body", "model"], "msg": "Field required"}, {"msg": "Late"}]}',
            "body.model: Field required; Late",
        ),
        ('{"error": {"message": "deep"}}', "deep"),
        ('{"error": {"loc": ["body"]}}', ""),
        ('{"detail": ["1", "2", "3", "4", "5", "6"]}', "1; 2; 3; 4; 5"),
        ('{"error": 7}', ""),
        ("[]", ""),
        ("no JSON", ""),
    ],
)
def test_the_words_of_an_error_response_are_found(body: str, text: str) -> None:
    """The service's own field first, then those of frameworks; the first five of a list."""
    assert error_text(error_fields(body)) == text


# -- small things --------------------------------------------------------------------------------


def test_leaving_after_an_interrupt_takes_no_time() -> None:
    """After Ctrl-C nobody wants to wait; an ordinary exception changes nothing."""
    assert exit_timeout(None, 5.0) == 5.0
    assert exit_timeout(ValueError, 5.0) == 5.0
    assert exit_timeout(KeyboardInterrupt, 5.0) == 0.0


def test_an_address_for_messages_has_no_credentials() -> None:
    """Host, port and path, and nothing else."""
    assert Target("wss://me:secret@far.invalid:8443/path?x=1").address == "far.invalid:8443/path"


def test_the_repr_of_a_target_is_where_and_not_how() -> None:
    """Neither secrets nor functions, which would show the client that they belong to."""
    goal = Target("wss://far.invalid/")
    shown = repr(goal)
    assert goal.address in shown
    for name in ("headers", "subprotocols", "proxy", "secrets"):
        assert f" {name}=" not in shown
    for name in ("ssl_context", "advice", "on_response"):
        assert f" {name}=" not in shown
