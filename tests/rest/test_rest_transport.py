"""Retries, deadlines, sessions, TLS, proxies and forks of the HTTP side."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest
import requests
import urllib3
from raw_http import FILE, KEY, PATIENCE, Peer, RawHttp, closing, reply

from soniox_sync import (
    AbortError,
    CancelToken,
    ConfigurationError,
    NotFoundError,
    RateLimitError,
    SonioxClient,
    SonioxHttpError,
    StateError,
)
from soniox_sync.rest import HttpTimeoutError

Serve = Callable[..., RawHttp]
BUSY = reply(b"{}", "503 Busy")
MISSING = reply(b"{}", "404 Not Found")


def reset(peer: Peer) -> None:
    """Cut the line after the request was read."""
    peer.reset()


@pytest.mark.parametrize(
    "act",
    [
        reply(b"{}", "408 Late"),
        reply(b"{}", "429 Slow"),
        reply(b"{}", "500 Oops"),
        reply(b"{}", "502 Bad"),
        BUSY,
        reply(b"{}", "504 Late"),
        reset,
        closing(b""),
        closing(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    ],
    ids=range(9),
)
def test_get_is_repeated_after_what_may_pass(serve: Serve, act: Any) -> None:
    """A GET that met 408, 429, 5xx, a lost line or half a body is tried again."""
    server = serve(act, reply(FILE))
    with server.client() as client:
        assert client.files.get("f1").id == "f1"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "403 No", "404 No", "409 No", "302 Go"])
def test_what_will_not_pass_is_not_repeated(serve: Serve, status: str) -> None:
    """Other statuses are final at once."""
    server = serve(reply(b"{}", status), reply(FILE))
    with server.client() as client, pytest.raises(SonioxHttpError):
        client.files.get("f1")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("most", "sent"), [(0, 1), (1, 2), (2, 3)])
def test_max_retries_bounds_the_attempts(serve: Serve, most: int, sent: int) -> None:
    """`max_retries` is the number of repetitions; then the last error is raised."""
    server = serve(BUSY)
    with server.client(max_retries=most) as client:
        with pytest.raises(SonioxHttpError) as caught:
            client.files.list()
    assert caught.value.status_code == 503 and len(server.requests) == sent


@pytest.mark.parametrize("status", ["408 Late", "429 Slow", "500 Oops", "503 Busy"])
def test_a_line_that_carried_such_an_answer_is_not_used_again(serve: Serve, status: str) -> None:
    """A server that is going down closes after its answer: what comes next has a line of its own.

    A POST, too, which could not be repeated after it was lost.
    """
    server = serve(reply(b"{}", status), reply(FILE), reply(b"{}", status), reply(FILE))
    with server.client() as client:
        client.files.get("f1")
        with pytest.raises(SonioxHttpError):
            client.files.upload(b"abc")
        client.files.upload(b"abc")
    assert [each.method for each in server.requests] == ["GET", "GET", "POST", "POST"]
    assert server.connections == 3  # the second and the third call share one


def test_a_line_survives_an_ordinary_refusal(serve: Serve) -> None:
    """A 404 costs no new connection."""
    server = serve(MISSING, reply(FILE))
    with server.client() as client:
        assert client.files.get_or_none("f1") is None
        client.files.get("f1")
    assert server.connections == 1


@pytest.mark.parametrize("lost", [reset, closing(b""), closing(b"nonsense\r\n\r\n")])
def test_an_answer_says_more_than_a_line_lost_after_it(serve: Serve, lost: Any) -> None:
    """When the last repetition loses the line, the refusal before it is what the caller gets."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": "0"}), lost)
    with server.client(max_retries=1) as client, pytest.raises(RateLimitError) as caught:
        client.files.get("f1")
    assert caught.value.retry_after_sec == 0 and len(server.requests) == 2
    after = caught.value.__context__
    assert isinstance(after, SonioxHttpError) and after.code == "network_error"


def test_the_last_answer_is_the_one_that_counts(serve: Serve) -> None:
    """Of several answers the last is raised, and a later one of another kind replaces them."""
    server = serve(BUSY, reply(b"{}", "429 Slow"), reset)
    with server.client() as client, pytest.raises(RateLimitError):
        client.files.get("f1")
    server = serve(BUSY, MISSING)
    with server.client() as client, pytest.raises(NotFoundError):
        client.files.get("f1")


def test_a_cancel_or_a_timeout_is_told_whatever_was_answered_before(serve: Serve) -> None:
    """What the caller asked for, an end or a limit, is not hidden behind an earlier refusal."""
    token = CancelToken()

    def hang(peer: Peer) -> None:
        token.cancel()
        peer.wait_closed()

    with serve(BUSY, hang).client() as client, pytest.raises(AbortError):
        client.stt.wait("j1", cancel=token)
    server = serve(BUSY, lambda peer: peer.wait_closed() and None)
    with server.client(timeout_sec=0.5) as client, pytest.raises(HttpTimeoutError):
        client.files.get("f1")


@pytest.mark.parametrize("act", [reset, BUSY, reply(b"{}", "429 Slow"), closing(b"")])
def test_post_is_never_repeated_once_it_was_sent(serve: Serve, act: Any) -> None:
    """A POST whose fate is unknown is not sent twice: no second job, file, voice or key."""
    server = serve(act)
    with server.client() as client:
        for call in (
            lambda: client.stt.create(file_id="f1"),
            lambda: client.files.upload(b"abc"),
            lambda: client.voices.create(b"abc", name="n"),
            lambda: client.auth.create_temporary_api_key(),
        ):
            before = len(server.requests)
            with pytest.raises(SonioxHttpError):
                call()
            assert len(server.requests) == before + 1


def test_post_is_repeated_when_no_connection_could_be_made() -> None:
    """While nobody listens nothing was sent, so a POST, an upload too, may be tried again."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    progress: list[int] = []
    seen: list[float] = []

    def key() -> str:
        seen.append(time.monotonic())
        return KEY

    with SonioxClient(key, api_url=f"http://127.0.0.1:{port}/v1", max_retries=2) as client:
        with pytest.raises(SonioxHttpError) as caught:
            client.files.upload(b"abc", on_progress=lambda sent, total: progress.append(sent))
    assert caught.value.code == "network_error" and getattr(caught.value, "nothing_sent", False)
    assert progress == [] and len(seen) == 1


def test_a_delete_that_was_lost_and_done_counts_as_done(serve: Serve) -> None:
    """A 404 to a repeated DELETE means that the first did it; to a first one it is an error."""
    server = serve(reset, MISSING, MISSING)
    with server.client() as client:
        client.files.delete("f1")
        with pytest.raises(NotFoundError):
            client.files.delete("f1")
    assert [each.method for each in server.requests] == ["DELETE"] * 3


def test_retry_after_is_honoured(serve: Serve) -> None:
    """The server's wish for a pause is followed."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": "1"}), reply(FILE))
    with server.client() as client:
        began = time.monotonic()
        client.files.get("f1")
    assert time.monotonic() - began >= 0.9


@pytest.mark.parametrize("wish", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT", "1e400"])
def test_a_wish_beyond_the_deadline_is_told_not_waited_for(serve: Serve, wish: str) -> None:
    """A pause longer than the call may take raises at once, with the wish as an attribute."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": wish}), reply(b"{}", "429 Slow"))
    with server.client() as client, pytest.raises(RateLimitError) as caught:
        client.files.get("f1")
    told = caught.value.retry_after_sec
    assert told is None if wish == "1e400" else told is not None and told >= 86400 - 60


@pytest.mark.parametrize("wish", ["soon", "-5", ""])
def test_a_senseless_wish_is_ignored(serve: Serve, wish: str) -> None:
    """A `Retry-After` that is no time does not stop the retry."""
    server = serve(reply(b"{}", "503 Busy", {"Retry-After": wish}), reply(FILE))
    with server.client() as client:
        assert client.files.get("f1").size == 3


def test_the_whole_call_ends_at_the_deadline(serve: Serve) -> None:
    """A server that hangs, or drips its answer, cannot hold a call beyond `timeout_sec`."""

    def drip(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not peer.server.release.wait(0.05):
            peer.send(b" ")

    for act in (drip, lambda peer: peer.server.release.wait(PATIENCE)):
        server = serve(act)
        with server.client(timeout_sec=0.5) as client:
            with pytest.raises(HttpTimeoutError, match=r"0\.5 s") as caught:
                client.files.list()
        assert caught.value.code == "timeout" and isinstance(caught.value, TimeoutError)
        server.release.set()


def test_a_cancel_ends_the_pause_between_attempts(serve: Serve) -> None:
    """A wait for the next attempt is woken by a cancel and by `close()`."""
    slow = reply(b"{}", "503 Busy", {"Retry-After": "15"})
    token = CancelToken()
    server = serve(slow)
    with server.client() as client:
        helper = threading.Timer(0.1, token.cancel)
        helper.start()
        with pytest.raises(AbortError):
            client.stt.wait("j1", cancel=token)
        helper.join()
        closer = threading.Timer(0.1, client.close)
        closer.start()
        with pytest.raises(StateError):
            client.files.list()
        closer.join()


def test_a_closed_client_says_so(serve: Serve) -> None:
    """After `close()` calls raise `StateError`; closing again is harmless."""
    client = serve(reply(FILE)).client()
    client.files.get("f1")
    client.close()
    client.close()
    with pytest.raises(StateError, match="closed"):
        client.files.get("f1")


def test_connections_are_kept_and_shared(serve: Serve) -> None:
    """Calls one after the other use one connection, POST, GET and DELETE alike."""
    server = serve(reply(FILE), reply(b"", "204 No Content"), reply(FILE), reply(FILE))
    with server.client() as client:
        client.files.upload(b"abc")
        client.files.delete("f1")
        client.files.get("f1")
        client.files.get("f1")
    assert server.connections == 1


def test_a_late_cancel_does_not_hit_the_next_user_of_the_line(serve: Serve) -> None:
    """A token cancelled after its call is over leaves the kept connection alone."""
    server = serve(reply(FILE), reply(FILE))
    token = CancelToken()
    with server.client() as client:
        client.files.upload(b"abc", cancel=token)
        token.cancel()
        client.files.get("f1")
    assert server.connections == 1


def test_threads_share_a_client(serve: Serve) -> None:
    """Many threads call at once, each gets its answer."""
    server = serve(reply(FILE))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert client.files.get("f1").id == "f1"
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    with server.client() as client:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed and len(server.requests) == 40


def test_cookies_and_netrc_are_left_alone(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cookie is sent back, and a netrc entry does not replace the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password wrong\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(reply(FILE, headers={"Set-Cookie": "a=b; Path=/"}))
    with server.client() as client:
        client.files.get("f1")
        client.files.get("f1")
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert "cookie" not in request.headers
        assert request.headers["user-agent"].startswith("soniox-sync/")


def test_a_session_of_the_callers_is_used_and_left_open(serve: Serve) -> None:
    """`http_session` carries the calls with its own headers; closing the client leaves it alone."""
    server = serve(reply(FILE))
    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        with server.client(http_session=session) as client:
            client.files.get("f1")
        assert session.get(f"{server.url}/mine", timeout=PATIENCE).status_code == 200
    assert [each.headers.get("x-mine") for each in server.requests] == ["yes", "yes"]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in server.requests[1].headers


@pytest.mark.parametrize("head", ["", "Connection: close\r\n"])
def test_a_session_of_the_callers_can_be_woken(serve: Serve, head: str) -> None:
    """A cancel wakes a body that comes over somebody else's session, kept or to be closed."""
    token = CancelToken()

    def act(peer: Peer) -> None:
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n{head}\r\nxx".encode())
        threading.Thread(target=token.cancel).start()
        peer.wait_closed()

    server = serve(act)
    with requests.Session() as session, server.client(http_session=session) as client:
        with pytest.raises(AbortError):
            list(client.tts.generate_stream(text="x", voice="Adrian", cancel=token))


def test_adapters_of_other_libraries_work() -> None:
    """A session whose adapter makes its answers up, as test libraries do, is understood."""

    class Made(requests.adapters.BaseAdapter):
        def send(self, request: Any, **options: Any) -> requests.Response:
            raw = urllib3.HTTPResponse(io.BytesIO(FILE), status=200, preload_content=False)
            return requests.adapters.HTTPAdapter().build_response(request, raw)

        def close(self) -> None:
            """Hold nothing."""

    with requests.Session() as session:
        session.mount("https://", Made())
        with SonioxClient(KEY, http_session=session) as client:
            assert client.files.get("f1").filename == "a.wav"


def test_tls_uses_the_clients_one_context(serve: Serve, authority: Any) -> None:
    """The context given to the client decides whom HTTP trusts; a foreign authority is refused."""
    server = serve(reply(FILE), tls=authority.server)
    context = authority.client
    authorities = len(context.get_ca_certs())
    with server.client(ssl_context=context) as client:
        assert client.files.get("f1").id == "f1"
    assert len(context.get_ca_certs()) == authorities, "requests added its own"
    with server.client() as client, pytest.raises(SonioxHttpError, match="verify=") as caught:
        client.files.get("f1")
    assert caught.value.code == "network_error" and len(server.requests) == 1


def test_environment_does_not_change_the_context(
    serve: Serve, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a context of the caller's, CA variables of the environment mean nothing."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/does/not/exist.pem")
    server = serve(reply(FILE), tls=authority.server)
    with server.client(ssl_context=authority.client) as client:
        assert client.files.get("f1").id == "f1"


def test_a_dripping_handshake_can_be_cancelled(serve: Serve, authority: Any) -> None:
    """A peer that never finishes its TLS handshake does not hold a cancelled call."""
    listener = socket.create_server(("127.0.0.1", 0))
    token = CancelToken()

    def accept() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(100)
            token.cancel()
            while sock.recv(65536):
                continue

    helper = threading.Thread(target=accept)
    helper.start()
    url = f"https://localhost:{listener.getsockname()[1]}"
    with SonioxClient(KEY, tts_api_url=url, ssl_context=authority.client) as client:
        with pytest.raises(AbortError):
            client.tts.generate(text="x", voice="Adrian", cancel=token)
    helper.join(PATIENCE)
    listener.close()
    assert not helper.is_alive()


def test_a_proxy_of_the_clients_is_used(serve: Serve) -> None:
    """`proxy=` sends the request there, whole URL and all; its password is in no error."""
    proxy = serve(reply(FILE), reply(b"{}", "500 Oops"))
    there = proxy.url.replace("http://", "http://me:pa55word@")
    options = {"api_url": "http://localhost:1/v1", "proxy": there, "max_retries": 0}
    with SonioxClient(KEY, **options) as client:  # type: ignore[arg-type]
        assert client.files.get("f1").id == "f1"
        with pytest.raises(SonioxHttpError) as caught:
            client.files.get("f1")
    assert proxy.requests[0].path == "http://localhost:1/v1/files/f1"
    assert "pa55word" not in repr(vars(caught.value)) + str(caught.value)


def test_environment_proxies_spare_loopback(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment is not asked for this machine's own addresses."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serve(reply(FILE)).client() as client:
        assert client.files.get("f1").id == "f1"


def test_socks_without_its_package_is_a_configuration_error() -> None:
    """A SOCKS proxy needs a package; its absence is told with the command to install it."""
    try:
        import socks  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        with SonioxClient(KEY, proxy="socks5://127.0.0.1:1") as client:
            with pytest.raises(ConfigurationError, match=r"requests\[socks\]"):
                client.models.list()
    else:
        pytest.skip("the package is installed")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_session_of_its_own(serve: Serve) -> None:
    """Parent and child share a client and never a connection; locks do not survive the fork."""
    server = serve(reply(FILE))
    with server.client() as client:
        client.files.get("f1")
        child = os.fork()
        if child == 0:
            try:
                client.files.get("f1")
                os._exit(0)
            except BaseException:  # noqa: BLE001 - the exit code tells
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        client.files.get("f1")
    assert server.connections == 2 and len(server.requests) == 3


def test_namespaces_load_no_requests() -> None:
    """`requests` is imported by the first call, not by construction or by a namespace."""
    script = """
        import sys
        from soniox_sync import SonioxClient
        import soniox_sync.rest
        with SonioxClient("key") as client:
            for name in ("tts", "stt", "files", "models", "tts_models", "voices", "auth", "usage",
                         "usage_logs", "concurrency_limits", "webhooks"):
                assert getattr(client, name) is getattr(client, name), name
        assert "requests" not in sys.modules and "urllib3" not in sys.modules
        for name in soniox_sync.rest.__all__:
            getattr(soniox_sync.rest, name)
        assert "requests" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)
