"""Connections go through HTTP proxies, chosen by argument or environment."""

from __future__ import annotations

import socket
from typing import Optional

import pytest

from soniox_sync import ConfigurationError, ConnectTimeoutError, SonioxConnectionError
from soniox_sync.errors import is_retriable
from soniox_sync.transport import connect as module
from soniox_sync.transport import proxies
from soniox_sync.transport.connect import Target
from soniox_sync.transport.deadline import Deadline
from soniox_sync.transport.proxies import Proxy
from tests.peers import Authority, RawPeer, Request
from tests.transport.connecting import KEY, attempt, refused, target
from tests.waiting import WAIT, Task


class TinyProxy:
    """Proxy that answers one CONNECT as set, then passes bytes both ways until either side ends."""

    def __init__(self, answer: Optional[bytes] = None) -> None:
        self.peer = RawPeer(raw=True)
        self._answer = answer
        self._pipes: list[Task] = []
        self._sockets: list[socket.socket] = []
        self.request: Optional[Request] = None
        self._task = Task(self._serve)

    def _serve(self) -> None:
        remote = self.peer.accept()
        self.request = Request.parse(remote.recv_until(b"\r\n\r\n"))
        if self._answer is not None:
            remote.send(self._answer)
            remote.fin()
            return
        port = self.request.path.rpartition(":")[2]
        far = socket.create_connection(("127.0.0.1", int(port)), timeout=WAIT)
        self._sockets.append(far)
        remote.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._pipes = [
            Task(lambda: self._pipe(remote.sock, far)),
            Task(lambda: self._pipe(far, remote.sock)),
        ]

    @staticmethod
    def _pipe(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other direction ended the connection

    def __enter__(self) -> TinyProxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._task.result()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
            except OSError:
                pass  # the other end closed first
        self.peer.close()
        for pipe in self._pipes:
            pipe.result()
        for sock in self._sockets:
            sock.close()


@pytest.mark.parametrize("secure", [False, True])
def test_proxy_tunnels_both_kinds(secure: bool, authority: Authority) -> None:
    """Both ws and wss connections go through an HTTP proxy, with the proxy's own credentials."""
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
        remote = peer.accept()
        sock = opened.result()
        assert proxy.request is not None
        assert proxy.request.raw.startswith(b"CONNECT ")
        assert proxy.request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert KEY.encode() not in proxy.request.raw
        assert remote.request is not None
        assert remote.request.headers["authorization"] == f"Bearer {KEY}"
        assert "proxy-authorization" not in remote.request.headers
        remote.send(b"\x81\x02hi")
        sock.settimeout(WAIT)
        assert sock.recv(4) == b"\x81\x02hi"
        sock.close()


def test_proxy_that_refuses_is_reported() -> None:
    """A proxy that refuses the credentials is named in the error, without the credentials."""
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    with TinyProxy(answer) as proxy:
        place = f"127.0.0.1:{proxy.peer.port}"
        error = refused(target("wss://far.invalid/", proxy=f"http://me:{KEY}@{place}"))
    assert isinstance(error, SonioxConnectionError)
    assert "407" in str(error)
    assert "proxy" in str(error)


@pytest.mark.parametrize("proxy", ["ftp://host:1", "http://", "https://host:1"])
def test_unusable_proxies_are_the_callers_fault(proxy: str) -> None:
    """A proxy URL that cannot be used is a configuration error."""
    assert isinstance(refused(target("ws://far.invalid/", proxy=proxy)), ConfigurationError)


def test_environment_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used for its scheme, but not for loopback or with proxy=""."""
    monkeypatch.setenv("https_proxy", "http://secure:1")
    monkeypatch.setenv("http_proxy", "http://plain:2")
    monkeypatch.setenv("no_proxy", "skipped.invalid")
    find = module.proxy_for
    assert find(Target("wss://far.invalid/")) == Proxy("http://secure:1", "https_proxy")
    assert find(Target("ws://far.invalid/")) == Proxy("http://plain:2", "http_proxy")
    assert find(Target("wss://skipped.invalid/")) is None
    assert find(Target("wss://localhost:1/")) is None
    assert find(Target("ws://127.0.0.1:1/")) is None
    assert find(Target("ws://[::1]:1/")) is None
    assert find(Target("wss://far.invalid/", proxy="")) is None
    own = find(Target("wss://far.invalid/", proxy="http://own:3"))
    assert own == Proxy("http://own:3", "proxy=")
    monkeypatch.delenv("https_proxy")
    monkeypatch.delenv("http_proxy")
    monkeypatch.setenv("all_proxy", "socks5://all:4")
    assert find(Target("wss://far.invalid/")) == Proxy("socks5://all:4", "all_proxy")
    monkeypatch.delenv("all_proxy")
    monkeypatch.setenv("HTTPS_PROXY", "http://upper:5")
    assert find(Target("wss://far.invalid/")) == Proxy("http://upper:5", "HTTPS_PROXY")


# -- what errors say of a proxy -------------------------------------------------------------------


def closed_place() -> str:
    """Return host and port where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.mark.parametrize("way", ["variable", "argument"])
def test_unreachable_proxy_is_named(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A proxy that does not listen is named, with where it is set, and without credentials."""
    place = closed_place()
    url = f"http://me:{KEY}@{place}"
    if way == "variable":
        monkeypatch.setenv("HTTPS_PROXY", url)
        error = refused(target("wss://far.invalid/"))
    else:
        error = refused(target("wss://far.invalid/", proxy=url))
    source = "HTTPS_PROXY" if way == "variable" else "proxy="
    assert isinstance(error, SonioxConnectionError)
    assert f"the proxy {place} (from {source}) cannot be reached: " in str(error)
    assert source in str(error).rpartition(": ")[2] and KEY not in str(error)


def test_proxy_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy whose name cannot be resolved is blamed, not the name of the service."""
    monkeypatch.setenv("ALL_PROXY", "nonsense.invalid")
    error = refused(target("wss://far.invalid/"))
    assert "the host name of the proxy nonsense.invalid (from ALL_PROXY)" in str(error)
    assert "correct or unset ALL_PROXY" in str(error) and "base_domain" not in str(error)


def test_silent_proxy_is_named() -> None:
    """A proxy that accepts connections and never answers is named in the timeout."""
    with RawPeer(raw=True) as proxy:
        place = f"127.0.0.1:{proxy.port}"
        error = refused(target("wss://far.invalid/", proxy=f"http://{place}"), 0.2)
    assert isinstance(error, ConnectTimeoutError)
    assert f"through the proxy {place} (from proxy=)" in str(error)


def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package for SOCKS the error is not retried, and has the command to install it."""
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)
    error = refused(target("wss://far.invalid/", proxy="socks5://127.0.0.1"))
    assert isinstance(error, ConfigurationError) and not is_retriable(error)
    assert "the proxy 127.0.0.1:1080 (from proxy=)" in str(error)
    assert "python -m pip install python-socks 'requests[socks]'" in str(error)


def test_a_socks_proxy_that_is_not_known_is_named_by_its_kind() -> None:
    """Whoever only hears that packages are missing does not know which proxy needs them."""
    assert str(proxies.missing_socks(None)).startswith("proxy: a SOCKS proxy needs packages")


@pytest.mark.parametrize("scheme", ["http", "socks4", "socks4a", "socks5", "socks5h"])
def test_proxies_that_can_be_used(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """HTTP, and every version of SOCKS once its package is installed."""
    monkeypatch.setattr(proxies, "find_spec", lambda name: object())
    assert Proxy(f"{scheme}://127.0.0.1:9", "proxy=").check_usable().port == 9


class ProxyConnectionError(OSError):
    """Error of python-socks, which need not be installed."""


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (None, "the proxy 127.0.0.1:9 (from proxy=) cannot be reached: no way"),
        (socket.gaierror(-2, "unknown"), "the host name of the proxy 127.0.0.1:9 (from proxy=)"),
    ],
)
def test_errors_of_python_socks(cause: Optional[Exception], message: str) -> None:
    """A SOCKS proxy that cannot be reached or resolved is named as an HTTP proxy is."""
    error = ProxyConnectionError(1, "no way")
    error.__cause__ = cause
    proxy = Proxy("socks5://127.0.0.1:9", "proxy=")
    told = module._explain(error, None, target("wss://far.invalid/"), proxy, Deadline(1))
    assert message in str(told)


def test_the_repr_of_a_proxy_has_no_credentials() -> None:
    """Nor its text, which is in messages."""
    proxy = Proxy(f"http://me:{KEY}@127.0.0.1:9", "proxy=")
    assert KEY not in repr(proxy) and KEY not in str(proxy)


class ProxyError(Exception):
    """Error of python-socks for a proxy that opens no connection."""


def test_a_socks_proxy_that_refuses_is_named() -> None:
    """As an HTTP proxy is."""
    proxy = Proxy("socks5://127.0.0.1:9", "proxy=")
    refusal = ProxyError("not allowed")
    told = module._explain(refusal, None, target("wss://far.invalid/"), proxy, Deadline(1))
    assert "the proxy 127.0.0.1:9 (from proxy=) refused the connection (not allowed)" in str(told)


@pytest.mark.parametrize("url", [f"http://me:{KEY}@[::1", f"http://me:{KEY}@127.0.0.1:99999"])
def test_malformed_proxy(url: str) -> None:
    """A malformed URL of a proxy is reported without what it contains."""
    error = refused(target("wss://far.invalid/", proxy=url))
    assert isinstance(error, ConfigurationError) and "from proxy= is malformed" in str(error)
    assert KEY not in str(error)
