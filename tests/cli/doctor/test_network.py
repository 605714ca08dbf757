"""The doctor finds what is wrong between here and the service, without sending the key there."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.cli.doctor.plan import Limits
from soniox_sync.sandbox import Sandbox
from tests.cli.doctor.helpers import (
    AMPLE,
    BRIEF,
    KEY,
    dated,
    examine,
    failed,
    skipped,
    use_proxy,
    use_urls,
)
from tests.cli.doctor.tunnels import Tunnels
from tests.cli.helpers import environment
from tests.peers import Authority, RawPeer, Remote
from tests.servers.tls_front import TlsFront
from tests.waiting import WAIT

AFTER_DNS = ["proxy", "tls", "clock", "http", "stt-websocket", "transcription"]
AFTER_DNS += ["tts-websocket", "speech", "speech-http"]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Start a sandbox that the environment names; it serves a name like `api.far.invalid` too."""
    with Sandbox(engines="tones", limits={"tts_pace": None}, allow_origins=["*"]) as sandbox:
        for name, value in environment(sandbox).items():
            monkeypatch.setenv(name, value)
        yield sandbox


# -- region and names -----------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["option", "environment"])
def test_unknown_region(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """An unknown region is found wherever it was set, and the known ones are named."""
    if way == "environment":
        monkeypatch.setenv("SONIOX_REGION", "mars")
    results = examine(region="mars" if way == "option" else None)
    assert failed(results) == {"region": "region"}
    assert "mars" in results["region"].detail
    assert "us, eu, jp or in" in str(results["region"].advice)
    assert set(skipped(results).values()) == {"region"} and results["key"].status == "passed"


def test_unusable_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL of the environment that cannot be used is named by its variable."""
    monkeypatch.setenv("SONIOX_WS_URL", "https://stt.example/")
    results = examine()
    assert failed(results) == {"region": "url"}
    assert results["region"].detail.startswith("SONIOX_WS_URL: ")


@pytest.mark.parametrize("answer", ["Name or service not known", "no address"])
def test_no_name_resolution(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """A name that cannot be resolved is named, and all that needs it is skipped for that."""

    def fail(*_: Any) -> Any:
        if answer == "no address":
            return []
        raise socket.gaierror(socket.EAI_NONAME, answer)

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    results = examine(region="eu")
    assert failed(results) == {"dns": "dns"}
    assert results["dns"].detail == f"api.eu.soniox.com: {answer}"
    assert "DNS" in str(results["dns"].advice)
    assert skipped(results) == dict.fromkeys(AFTER_DNS, "dns")


def test_hanging_name_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that never answers costs one time limit, however many names there are."""
    release = threading.Event()
    asked = []

    def hang(host: str, *_: Any) -> Any:
        asked.append(host)
        release.wait(WAIT)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        results = examine(Limits(0.3, 0.3))
    finally:
        release.set()
    assert failed(results) == {"dns": "dns_silent"}
    assert set(asked) == {f"{each}.soniox.com" for each in ("api", "stt-rt", "tts-rt")}
    assert results["dns"].sec < AMPLE.check_sec
    assert "DNS server" in str(results["dns"].advice)
    assert skipped(results) == dict.fromkeys(AFTER_DNS, "dns")


def test_name_resolution_that_hangs_later(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up that hangs inside a connection, where nothing can end it, is left behind."""
    release = threading.Event()
    first: list[Any] = []
    look_up = socket.getaddrinfo

    def hang(*args: Any) -> Any:
        if first:
            release.wait(WAIT)
        first.append(args)
        return look_up(*args)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        results = examine(Limits(0.5, 0.3))
    finally:
        release.set()
    assert failed(results) == {"tls": "unreachable"}


# -- proxies --------------------------------------------------------------------------------------


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
    return port


def test_key_is_not_sent_before_the_network_is_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Requests that only check the network have no credentials, not even those of a netrc file."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden-password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with dated(minutes=0) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        examine()
        first, *others = requests_of(peer)
    assert first.startswith(b"GET / ")
    assert b"authorization" not in first.lower()
    assert others and all(f"Bearer {KEY}".encode() in each for each in others)


def check_dead_proxy(results: Any, words: str) -> None:
    """Check that the proxy is the one failure, with advice and without its password."""
    assert failed(results) == {"proxy": "proxy"}
    assert words in results["proxy"].detail
    assert "HTTPS_PROXY" in str(results["proxy"].advice)
    assert "api.far.invalid" in str(results["proxy"].advice)
    assert skipped(results) == dict.fromkeys(AFTER_DNS[1:], "proxy")
    assert "hidden-password" not in repr(results)


def test_proxy_that_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on a closed port is found before any host is blamed."""
    use_proxy(monkeypatch, f"http://me:hidden-password@127.0.0.1:{closed_port()}")
    check_dead_proxy(examine(), "Connection refused")


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("407 Proxy Authentication Required", "407 Proxy Authentication Required"),
        ("403 Forbidden", "403 Forbidden"),
        ("407 Not hidden-password", "407 Not ***"),
    ],
)
def test_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, status: str, shown: str) -> None:
    """A proxy that asks for a password, or forbids the host, is found by what it answers."""

    def refuse(remote: Remote) -> bytes:
        return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()

    with RawPeer(answer=refuse) as proxy:
        use_proxy(monkeypatch, f"http://me:hidden-password@127.0.0.1:{proxy.port}")
        check_dead_proxy(examine(), shown)
        assert KEY.encode() not in b"".join(requests_of(proxy))


def test_proxy_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that accepts connections and then is silent costs one time limit."""
    with RawPeer(raw=True) as proxy:
        use_proxy(monkeypatch, f"http://me:hidden-password@127.0.0.1:{proxy.port}")
        results = examine(BRIEF)
    assert failed(results) == {"proxy": "proxy"}
    assert results["proxy"].sec < AMPLE.check_sec


def test_proxy_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy whose name does not resolve is named as such, with its variable."""
    use_proxy(monkeypatch, "http://me:hidden-password@proxy.invalid:1")
    results = examine()
    assert failed(results) == {"dns": "proxy"}
    assert results["dns"].detail.startswith("the proxy proxy.invalid:1 (from HTTPS_PROXY): ")


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_proxy_that_is_not_used(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A proxy that is set, but not used for these hosts, is mentioned."""
    monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port()}")
    results = examine()
    assert failed(results) == {}
    assert results["proxy"].detail.startswith(
        f"none: {variable} is set, but not used for 127.0.0.1"
    )
    assert results["dns"].detail == "127.0.0.1"
    assert results["clock"].detail != "right within 0 s"


@pytest.mark.parametrize("url", ["http://[::1", "http://proxy.example:port"])
def test_malformed_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """A proxy whose URL is malformed is found without a look-up."""
    use_proxy(monkeypatch, url)
    assert failed(examine()) == {"dns": "proxy"}


def test_only_the_name_of_the_proxy_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the names of the service need not resolve here."""
    use_proxy(monkeypatch, f"http://127.0.0.1:{closed_port()}")
    results = examine()
    assert results["dns"].status == "passed"
    assert results["dns"].detail == "127.0.0.1"


@contextmanager
def proxied_service(
    service: Sandbox, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tunnels]:
    """Have a proxy lead to the sandbox, whose names do not resolve here."""
    for name in ("API_BASE_URL", "WS_URL", "TTS_API_URL", "TTS_WS_URL"):
        monkeypatch.delenv(f"SONIOX_{name}")
    with TlsFront(service.port, context) as front, Tunnels(front.port) as proxy:
        use_proxy(monkeypatch, f"http://me:hidden-password@127.0.0.1:{proxy.port}")
        yield proxy


def test_service_behind_a_proxy(
    service: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Through a proxy that works everything passes, over HTTP and WebSockets."""
    trust(authority, monkeypatch, tmp_path)
    context = context_with(authority, "*.far.invalid")
    with proxied_service(service, context, monkeypatch) as proxy:
        results = examine()
        asked = {request.path for request in proxy.requests}
    assert (failed(results), skipped(results)) == ({}, {})
    assert asked == {f"{name}.far.invalid:443" for name in ("api", "stt-rt", "tts-rt")}
    assert results["proxy"].detail.startswith(f"127.0.0.1:{proxy.port} (from ")


def test_proxy_that_re_signs(
    service: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy whose CA is not trusted passes as a proxy, and fails in TLS with the settings."""
    with proxied_service(service, context_with(authority, "*.far.invalid"), monkeypatch):
        results = examine()
    assert failed(results) == {"tls": "untrusted"}
    assert "REQUESTS_CA_BUNDLE" in str(results["tls"].advice)


def requests_of(peer: RawPeer) -> list[bytes]:
    """Return the requests received so far."""
    found = []
    while not peer.idle:
        remote = peer.accept()
        assert remote.request is not None
        found.append(remote.request.raw)
    return found


# -- TLS ------------------------------------------------------------------------------------------


@contextmanager
def tls_service(
    service: Sandbox, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Put TLS in front of the sandbox."""
    with TlsFront(service.port, context) as front:
        use_urls(monkeypatch, f"localhost:{front.port}", secure=True)
        yield


def context_with(authority: Authority, *names: str, **dates: Any) -> ssl.SSLContext:
    """Return a server's context with a certificate for `names`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    authority.ca.issue_cert(*names, **dates).configure_cert(context)
    return context


def trust(authority: Authority, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Trust the authority as a user does whose proxy re-signs traffic."""
    path = folder / "ca.pem"
    authority.ca.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))


def test_wrong_ca(service: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrusted certificate is told with the reason of OpenSSL and the settings that help."""
    with tls_service(service, authority.server, monkeypatch):
        results = examine()
    assert failed(results) == {"tls": "untrusted"}
    assert "unable to get local issuer certificate" in results["tls"].detail
    for setting in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "verify="):
        assert setting in str(results["tls"].advice)
    assert skipped(results) == dict.fromkeys(AFTER_DNS[2:], "tls")


def test_trusted_ca(
    service: Sandbox,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With the advice followed everything passes over TLS."""
    trust(authority, monkeypatch, tmp_path)
    with tls_service(service, authority.server, monkeypatch):
        results = examine()
    assert (failed(results), skipped(results)) == ({}, {})
    assert results["tls"].detail == "verified"


def test_missing_ca_file(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA file that does not exist is found, and the variables that may name it are told."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    use_urls(monkeypatch, f"localhost:{service.port}", secure=True)
    results = examine()
    assert failed(results) == {"tls": "ca_file"}
    assert "the CA file cannot be used" in results["tls"].detail
    assert "/nowhere/ca.pem" in results["tls"].detail
    assert "REQUESTS_CA_BUNDLE" in str(results["tls"].advice)


def test_missing_ca_file_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a CA file that does not exist a proxy cannot pass: nothing was tried."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    use_proxy(monkeypatch, f"http://127.0.0.1:{closed_port()}")
    assert failed(examine()) == {"proxy": "ca_file"}


def test_certificate_of_another_host(
    service: Sandbox, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A certificate for another name is not a matter of CAs."""
    trust(authority, monkeypatch, tmp_path)
    with tls_service(service, context_with(authority, "other.example"), monkeypatch):
        results = examine()
    assert failed(results) == {"tls": "hostname"}
    assert "localhost" in results["tls"].detail


def test_server_without_tls(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not speak TLS is found."""
    use_urls(monkeypatch, f"localhost:{service.port}", secure=True)
    results = examine()
    assert failed(results) == {"tls": "no_tls"}
    assert "port" in str(results["tls"].advice)


def test_service_that_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection names the host, and a firewall as the cause."""
    port = closed_port()
    use_urls(monkeypatch, f"127.0.0.1:{port}")
    results = examine()
    assert failed(results) == {"tls": "unreachable"}
    assert results["tls"].detail == f"127.0.0.1:{port}: Connection refused"
    assert "firewall" in str(results["tls"].advice)


def test_tls_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing costs one time limit."""
    with RawPeer(raw=True) as peer:
        use_urls(monkeypatch, f"localhost:{peer.port}", secure=True)
        results = examine(BRIEF)
    assert failed(results) == {"tls": "unreachable"}
    assert results["tls"].sec < AMPLE.check_sec


# -- clock ----------------------------------------------------------------------------------------


def test_wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that differs from the date of a response by more than 5 minutes is wrong."""
    with dated(minutes=12) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        results = examine()
    assert results["clock"].kind == "clock"
    assert results["clock"].detail == "12 minutes ahead of the service's"
    assert "NTP" in str(results["clock"].advice)


@pytest.mark.parametrize(
    ("ago", "detail"),
    [
        ({"minutes": -7}, "7 minutes behind the service's"),
        ({"hours": 3}, "3 hours ahead of the service's"),
        ({"days": -400}, "400 days behind the service's"),
    ],
)
def test_error_of_the_clock(
    monkeypatch: pytest.MonkeyPatch, ago: dict[str, int], detail: str
) -> None:
    """The error of the clock is told in days, hours or minutes, with its direction."""
    with dated(**ago) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        assert examine()["clock"].detail == detail


def test_clock_within_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is off by four minutes passes."""
    with dated(minutes=4) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        assert examine()["clock"].status == "passed"


@pytest.mark.parametrize("date", ["", "Date: yesterday\r\n"])
def test_response_without_a_date(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    """Without a date that can be read the clock is not compared, which is no failure."""

    def answer(remote: Remote) -> bytes:
        head = f"HTTP/1.1 404 Not Found\r\n{date}Content-Length: 0\r\n"
        return f"{head}Connection: close\r\n\r\n".encode()

    with RawPeer(answer=answer) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        results = examine()
    assert results["clock"].detail == "not compared: no response had a date"


@pytest.mark.parametrize(("first", "last"), [(-30, -2), (2, 30)])
def test_certificate_out_of_date(
    service: Sandbox,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    first: int,
    last: int,
) -> None:
    """With a right clock, a certificate that has expired or is not valid yet is the server's."""
    trust(authority, monkeypatch, tmp_path)
    now = datetime.now(timezone.utc)
    dates = {"not_before": now + timedelta(days=first), "not_after": now + timedelta(days=last)}
    with tls_service(service, context_with(authority, "localhost", **dates), monkeypatch):
        results = examine()
    assert failed(results) == {"tls": "validity"}
    assert "clock" in str(results["tls"].advice)
    assert results["clock"].detail.startswith("right")
    assert skipped(results) == dict.fromkeys(AFTER_DNS[3:], "tls")


def test_clock_outside_of_the_certificate(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A clock outside of a certificate's dates fails TLS and the clock, and the key is not sent."""
    trust(authority, monkeypatch, tmp_path)
    now = datetime.now(timezone.utc)
    dates = {"not_before": now - timedelta(days=60), "not_after": now - timedelta(days=30)}
    with dated(days=40) as plain:
        with TlsFront(plain.port, context_with(authority, "localhost", **dates)) as front:
            use_urls(monkeypatch, f"localhost:{front.port}", secure=True)
            results = examine()
        assert failed(results) == {"tls": "validity", "clock": "clock"}
        assert results["clock"].detail == "40 days ahead of the service's"
        received = requests_of(plain)
    assert len(received) == 1 and b"authorization" not in received[0].lower()


# -- time -----------------------------------------------------------------------------------------


def test_silent_service_ends_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts every connection and never answers costs a time limit a check."""
    with RawPeer(raw=True) as peer:
        use_urls(monkeypatch, f"127.0.0.1:{peer.port}")
        results = examine(BRIEF)
    assert failed(results) == {
        "http": "late",
        "stt-websocket": "late",
        "tts-websocket": "late",
        "speech-http": "late",
    }
    assert "HTTP works" not in repr(results)  # which is said where only upgrades fail
    assert "_sec" not in repr([each.detail for each in results.values()])
    assert all(each.sec < AMPLE.check_sec for each in results.values())
