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

from soniox_sync import (
    AbortError,
    CancelToken,
    NotFoundError,
    RateLimitError,
    ServerError,
    SonioxClient,
    SonioxHttpError,
    StateError,
)
from soniox_sync.rest import HttpTimeoutError
from tests.rest.raw_http import FILE, KEY, PATIENCE, Peer, RawHttp, closing, reply

Serve = Callable[..., RawHttp]
BUSY = reply(b"{}", "503 Busy")
MISSING = reply(b"{}", "404 Not Found")


def reset(peer: Peer) -> None:
    """Reset the connection after the request was read."""
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
def test_get_is_retried_after_transient_errors(serve: Serve, act: Any) -> None:
    """A GET is retried after 408, 429, 5xx, a lost connection or a truncated body."""
    server = serve(act, reply(FILE))
    with server.client() as client:
        assert client.files.get("f1").id == "f1"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "403 No", "404 No", "409 No", "302 Go"])
def test_other_errors_are_not_retried(serve: Serve, status: str) -> None:
    """Other statuses are raised at once."""
    server = serve(reply(b"{}", status), reply(FILE))
    with server.client() as client, pytest.raises(SonioxHttpError):
        client.files.get("f1")
    assert len(server.requests) == 1


@pytest.mark.parametrize(("most", "sent"), [(0, 1), (1, 2), (2, 3)])
def test_max_retries_bounds_the_attempts(serve: Serve, most: int, sent: int) -> None:
    """`max_retries` is the number of retries; then the last error is raised."""
    server = serve(BUSY)
    with server.client(max_retries=most) as client:
        with pytest.raises(SonioxHttpError) as caught:
            client.files.list()
    assert caught.value.status_code == 503 and len(server.requests) == sent


@pytest.mark.parametrize("status", ["408 Late", "429 Slow", "500 Oops", "503 Busy"])
def test_a_connection_is_dropped_after_a_transient_error(serve: Serve, status: str) -> None:
    """A server that shuts down closes after its response, so the next call opens a new connection.

    That includes a POST, which could not be repeated if it was lost.
    """
    server = serve(reply(b"{}", status), reply(FILE), reply(b"{}", status), reply(FILE))
    with server.client() as client:
        client.files.get("f1")
        with pytest.raises(SonioxHttpError):
            client.files.upload(b"abc")
        client.files.upload(b"abc")
    assert [each.method for each in server.requests] == ["GET", "GET", "POST", "POST"]
    assert server.connections == 3  # the second and the third call share one


def test_a_connection_is_kept_after_other_errors(serve: Serve) -> None:
    """After a 404 the connection is reused."""
    server = serve(MISSING, reply(FILE))
    with server.client() as client:
        assert client.files.get_or_none("f1") is None
        client.files.get("f1")
    assert server.connections == 1


@pytest.mark.parametrize("lost", [reset, closing(b""), closing(b"nonsense\r\n\r\n")])
def test_a_status_is_raised_rather_than_a_later_loss(serve: Serve, lost: Any) -> None:
    """When the last retry loses its connection, the caller gets the status before it."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": "0"}), lost)
    with server.client(max_retries=1) as client, pytest.raises(RateLimitError) as caught:
        client.files.get("f1")
    assert caught.value.retry_after_sec == 0 and len(server.requests) == 2
    after = caught.value.__context__
    assert isinstance(after, SonioxHttpError) and after.code == "network_error"


def test_the_last_status_is_raised(serve: Serve) -> None:
    """Of several statuses the last one is raised."""
    server = serve(BUSY, reply(b"{}", "429 Slow"), reset)
    with server.client() as client, pytest.raises(RateLimitError):
        client.files.get("f1")
    server = serve(BUSY, MISSING)
    with server.client() as client, pytest.raises(NotFoundError):
        client.files.get("f1")


def test_a_cancel_or_timeout_takes_precedence_over_a_status(serve: Serve) -> None:
    """A cancel or timeout is raised rather than an earlier status."""
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
def test_post_is_never_retried_once_it_was_sent(serve: Serve, act: Any) -> None:
    """A POST with an unknown outcome is not repeated: no second job, file, voice or key."""
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


def test_post_is_retried_when_no_connection_could_be_made() -> None:
    """If no connection could be made nothing was sent, so a POST or an upload may be retried."""
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


def test_a_repeated_delete_ignores_404(serve: Serve) -> None:
    """A 404 to a repeated DELETE means that the first one succeeded, to the first an error."""
    server = serve(reset, MISSING, MISSING)
    with server.client() as client:
        client.files.delete("f1")
        with pytest.raises(NotFoundError):
            client.files.delete("f1")
    assert [each.method for each in server.requests] == ["DELETE"] * 3


def test_retry_after_is_respected(serve: Serve) -> None:
    """The next attempt waits as long as the server requests."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": "1"}), reply(FILE))
    with server.client() as client:
        began = time.monotonic()
        client.files.get("f1")
    assert time.monotonic() - began >= 0.9


@pytest.mark.parametrize("wish", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT", "1e400"])
def test_a_retry_after_beyond_the_deadline_is_not_waited_for(serve: Serve, wish: str) -> None:
    """A pause longer than the call may take raises at once, with the pause as an attribute."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": wish}), reply(b"{}", "429 Slow"))
    with server.client() as client, pytest.raises(RateLimitError) as caught:
        client.files.get("f1")
    pause = caught.value.retry_after_sec
    assert pause is None if wish == "1e400" else pause is not None and pause >= 86400 - 60


def test_a_call_without_a_deadline_does_not_wait_for_days(serve: Serve) -> None:
    """A call to the speech host has no deadline: no pause is longer than its `timeout_sec`."""
    server = serve(reply(b"{}", "503 Busy", {"Retry-After": "86400"}), reply(b"{}"))
    with server.client() as client, pytest.raises(ServerError):
        client.request("GET", "/x", service="tts")
    assert len(server.requests) == 1


def test_fractions_of_a_second_are_waited_for(serve: Serve) -> None:
    """`Retry-After: 0.7` waits for so long."""
    server = serve(reply(b"{}", "429 Slow", {"Retry-After": "0.7"}), reply(FILE))
    with server.client() as client:
        began = time.monotonic()
        client.files.get("f1")
    assert time.monotonic() - began >= 0.65


@pytest.mark.parametrize(
    "wish", ["soon", "-5", "", "Wed, 21 Oct 2026 07:28:00 +99999999999999", "9" * 400]
)
def test_an_unreadable_retry_after_is_ignored(serve: Serve, wish: str) -> None:
    """An invalid `Retry-After` does not prevent the retry."""
    server = serve(reply(b"{}", "503 Busy", {"Retry-After": wish}), reply(FILE))
    with server.client() as client:
        assert client.files.get("f1").size == 3


def test_the_whole_call_ends_at_the_deadline(serve: Serve) -> None:
    """A server that hangs or drips its response cannot delay a call beyond `timeout_sec`."""

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


def test_a_closed_client_refuses_calls(serve: Serve) -> None:
    """After `close()` calls raise `StateError`; closing again is legal."""
    client = serve(reply(FILE)).client()
    client.files.get("f1")
    client.close()
    client.close()
    with pytest.raises(StateError, match="closed"):
        client.files.get("f1")


def test_connections_are_kept_and_shared(serve: Serve) -> None:
    """Consecutive calls use one connection, POST, GET and DELETE alike."""
    server = serve(reply(FILE), reply(b"", "204 No Content"), reply(FILE), reply(FILE))
    with server.client() as client:
        client.files.upload(b"abc")
        client.files.delete("f1")
        client.files.get("f1")
        client.files.get("f1")
    assert server.connections == 1


def test_a_late_cancel_does_not_affect_the_next_call(serve: Serve) -> None:
    """A token cancelled after its call does not close the kept connection."""
    server = serve(reply(FILE), reply(FILE))
    token = CancelToken()
    with server.client() as client:
        client.files.upload(b"abc", cancel=token)
        token.cancel()
        client.files.get("f1")
    assert server.connections == 1


def test_threads_share_a_client(serve: Serve) -> None:
    """Many threads call at once, each gets its response."""
    server = serve(reply(FILE))
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert client.files.get("f1").id == "f1"
        except BaseException as error:  # noqa: BLE001 - asserted below
            failed.append(error)

    with server.client() as client:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed and len(server.requests) == 40


def test_more_threads_than_kept_connections_log_nothing(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections beyond those kept are closed without a warning in the user's log."""
    most = 40
    gate = threading.Barrier(most)

    def act(peer: Peer) -> None:
        gate.wait(PATIENCE)  # all are in use at once
        peer.send(reply(FILE))
        peer.wait_closed()

    server = serve(act)
    with server.client() as client:
        threads = [threading.Thread(target=client.files.get, args=("f1",)) for _ in range(most)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        kept = client.models._http.open_session().get_adapter(server.url).poolmanager.pools
        assert [kept[key].pool.qsize() for key in kept.keys()] == [32]  # noqa: SIM118
    assert server.connections == most
    assert [each for each in caplog.records if each.levelname != "DEBUG"] == []


def test_cookies_and_netrc_are_ignored(
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
    """`http_session` is used, with its own headers, and not closed with the client."""
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
    """A cancel ends a read over the caller's own session, keep-alive or not."""
    token = CancelToken()

    def act(peer: Peer) -> None:
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n{head}\r\nRIFF".encode())
        threading.Thread(target=token.cancel).start()
        peer.wait_closed()

    server = serve(act)
    with requests.Session() as session, server.client(http_session=session) as client:
        with pytest.raises(AbortError):
            list(client.tts.generate_stream(text="x", voice="Adrian", cancel=token))


def test_adapters_of_other_libraries_work() -> None:
    """Sessions with adapters that invent responses, as mock libraries have, work."""

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
    """HTTP uses the client's TLS context; another authority is refused."""
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
    """With the caller's own context, CA variables of the environment are ignored."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/does/not/exist.pem")
    server = serve(reply(FILE), tls=authority.server)
    with server.client(ssl_context=authority.client) as client:
        assert client.files.get("f1").id == "f1"


def test_a_dripping_handshake_can_be_cancelled(serve: Serve, authority: Any) -> None:
    """A peer that never finishes its TLS handshake does not block a cancelled call."""
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_its_own_session(serve: Serve) -> None:
    """Parent and child share a client, but neither connections nor locks."""
    server = serve(reply(FILE))
    with server.client() as client:
        client.files.get("f1")
        child = os.fork()
        if child == 0:
            try:
                client.files.get("f1")
                os._exit(0)
            except BaseException:  # noqa: BLE001 - the exit code shows it
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
