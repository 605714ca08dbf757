"""Crash reporters record the local variables of tracebacks: the key is in none of them."""

from __future__ import annotations

import io
from typing import Any, Callable

import pytest

from soniox_sync import SonioxClient
from soniox_sync.errors import SonioxError
from tests.frames import leaks_of
from tests.rest.raw_http import KEY, RawHttp, closing, reply

Serve = Callable[..., RawHttp]

SAID = f'{{"message": "The key {KEY} is wrong."}}'.encode()
ACTS: dict[str, Any] = {
    "401": reply(SAID, "401 Unauthorized"),
    "500": reply(b"oops", "500 Oops"),
    "redirect": reply(b"", "302 Go", {"Location": "http://127.0.0.1:9/"}),
    "not JSON": reply(b"oops", "200 OK", {"Content-Type": "application/json"}),
    "not HTTP": closing(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "truncated": closing(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    "time-out": lambda peer: peer.server.release.wait(),
    "reset": lambda peer: peer.reset(),
}
CALLS: dict[str, Callable[[SonioxClient], object]] = {
    "get": lambda client: client.files.list(),
    "request": lambda client: client.request("GET", "/files"),
    "upload": lambda client: client.files.upload(io.BytesIO(b"x" * 100), filename="a.wav"),
    "generate": lambda client: client.tts.generate(text="Hello.", voice="Adrian"),
    "stream": lambda client: list(client.tts.generate_stream(text="Hello.", voice="Adrian")),
    "save": lambda client: client.tts.generate_to_file("x.wav", text="Hello.", voice="Adrian"),
    "jobs": lambda client: client.stt.transcribe_and_wait(file=io.BytesIO(b"x"), filename="a.wav"),
}


def check(client: SonioxClient, call: str) -> None:
    """Fail if a local variable of the error that a call raises shows the key."""
    with pytest.raises((SonioxError, OSError)) as raised:
        CALLS[call](client)
    assert leaks_of(raised.value, KEY) == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", ACTS)
def test_wrong_answers(
    serve: Serve, name: str, call: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors, time-outs and lost connections: no frame of the error holds the key."""
    monkeypatch.chdir(tmp_path)
    timeout = 0.2 if name == "time-out" else 20.0
    with serve(ACTS[name]).client(max_retries=1, timeout_sec=timeout) as client:
        check(client, call)


@pytest.mark.parametrize("call", CALLS)
def test_a_dead_network(
    serve: Serve, call: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection: no frame of the error holds the key."""
    monkeypatch.chdir(tmp_path)
    server = serve(b"")
    server.close()
    with server.client(max_retries=1) as client:
        check(client, call)


@pytest.mark.parametrize("call", ["get", "generate"])
def test_other_networks(serve: Serve, call: str) -> None:
    """No TLS where it is expected, an unknown host, a dead proxy: no frame holds the key."""
    server = serve(reply(b"{}"))
    secure = server.url.replace("http:", "https:")
    options: list[dict[str, Any]] = [
        {"api_url": secure, "tts_api_url": secure},
        {"api_url": "https://does-not-exist.invalid", "tts_api_url": "https://x.invalid"},
        {"api_url": "https://192.0.2.1", "tts_api_url": "https://192.0.2.1", "proxy": server.url},
    ]
    for each in options:
        with server.client(max_retries=0, timeout_sec=0.5, **each) as client:
            check(client, call)


def test_a_source_of_the_user_that_raises(serve: Serve) -> None:
    """The exception of a file that is uploaded: no frame of the library holds the key."""

    class Broken(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise OSError("the disk is broken")

    with serve(reply(b"{}")).client() as client:
        with pytest.raises(OSError, match="broken") as raised:
            client.files.upload(Broken(b"x"), filename="a.wav")
    assert leaks_of(raised.value, KEY) == []
