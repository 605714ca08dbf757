"""Traces of HTTP: each exchange as lines, complete and without secrets."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any, Callable

import pytest
import requests

from soniox_sync import AbortError, SonioxHttpError
from soniox_sync.runtime.trace.redaction import known
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import CHUNKED, KEY, RawHttp
from tests.runtime.trace.lines import lines_of, of_kind

SPEECH: dict[str, Any] = {"text": "Hi.", "voice": "Adrian"}


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Begin each test without the secrets of the others."""
    known.secrets, headers = (), known.headers
    yield
    known.secrets, known.headers = (), headers


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def without_clock(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in ("clock", "pid")} for line in lines]


def test_an_exchange_from_request_to_body(serve: Callable[..., RawHttp]) -> None:
    """A call has a request with its JSON, the response, and its body in one last line."""
    out = io.BytesIO()
    body = b'{"api_key": "temp:abcdef123", "expires_at": "2026-01-01T00:00:00Z"}'
    server = serve(response(body, "201 Created", "X-Request-Id: r1"))
    with server.client(trace=out) as client:
        client.auth.create_temporary_api_key(
            usage_type="transcribe_websocket", expires_in_seconds=60
        )
    _, request, answer, last = without_clock(lines_of(out))
    assert request["headers"].pop("User-Agent").startswith("soniox-sync/")
    assert request == {
        "kind": "request",
        "exchange": request["exchange"],
        "method": "POST",
        "url": f"{server.url}/v1/auth/temporary-api-key",
        "headers": {
            "Accept-Encoding": "gzip",
            "Accept": "application/json",
            "Connection": "keep-alive",
            "Content-Type": "application/json",
            "Content-Length": request["headers"]["Content-Length"],
            "Authorization": "Bearer ***",
        },
        "body": {"json": {"usage_type": "transcribe_websocket", "expires_in_seconds": 60}},
    }
    assert answer == {
        "kind": "response",
        "exchange": request["exchange"],
        "status": 201,
        "headers": {"Content-Length": str(len(body)), "X-Request-Id": "r1"},
    }
    assert last == {
        "kind": "body",
        "exchange": request["exchange"],
        "json": {"api_key": "***", "expires_at": "2026-01-01T00:00:00Z"},
        "last": True,
    }


def test_a_created_key_is_redacted_from_then_on(sandbox: Sandbox) -> None:
    """A temporary key appears in no line: of its response, or of the session that uses it."""
    out = io.BytesIO()
    with sandbox.client(trace=out) as client:
        made = client.auth.create_temporary_api_key(
            usage_type="transcribe_websocket", expires_in_seconds=60
        )
        key = made.api_key
        options = {"api_key": key}
        with client.realtime.stt(audio_format="auto", options=options) as session:
            session.finish()
    with sandbox.client(api_key=key, trace=out) as other, pytest.raises(SonioxHttpError):
        other.files.get(key)
    text = out.getvalue().decode()
    assert key not in text and sandbox.api_key not in text
    assert of_kind(lines_of(out), "request")[-1]["url"].endswith("/files/***")


def test_speech_has_a_line_for_each_piece(serve: Callable[..., RawHttp]) -> None:
    """Audio has a line for each piece, with length and digest, and an empty last one."""
    out = io.BytesIO()
    server = serve(CHUNKED + b"3\r\n\xff\xfbc\r\n2\r\nde\r\n0\r\n\r\n")
    with server.client(trace=out) as client:
        pieces = list(client.tts.generate_stream(**SPEECH, audio_format="mp3"))
    bodies = of_kind(lines_of(out), "body")
    assert [line["binary"] for line in bodies] == [
        {"bytes": len(piece), "sha256": hashlib.sha256(piece).hexdigest()[:16]}
        for piece in [*pieces, b""]
    ]
    assert [line["last"] for line in bodies] == [False] * len(pieces) + [True]


def test_speech_is_contained_on_demand(serve: Callable[..., RawHttp]) -> None:
    """`trace_audio=True` adds the audio in base64."""
    out = io.BytesIO()
    server = serve(CHUNKED + b"3\r\nabc\r\n0\r\n\r\n")
    with server.client(trace=out, trace_audio=True) as client:
        assert client.tts.generate(**SPEECH, audio_format="mp3") == b"abc"
    assert of_kind(lines_of(out), "body")[0]["binary"]["data"] == "YWJj"


def test_trailers_and_a_late_failure(serve: Callable[..., RawHttp]) -> None:
    """Trailers are recorded with the last piece, without the key in them."""
    out = io.BytesIO()
    trailers = f"x-tts-error-code: 503\r\nx-tts-error-message: no {KEY}\r\n\r\n".encode()
    server = serve(CHUNKED + b"4\r\nRIFF\r\n0\r\n" + trailers)
    with server.client(trace=out, max_retries=0) as client, pytest.raises(SonioxHttpError):
        list(client.tts.generate_stream(**SPEECH))
    assert of_kind(lines_of(out), "body")[-1]["trailers"] == {
        "x-tts-error-code": "503",
        "x-tts-error-message": "no ***",
    }


def test_an_upload_is_listed_by_its_parts(serve: Callable[..., RawHttp]) -> None:
    """The parts of an upload are listed with name, file name and size, not their content."""
    out = io.BytesIO()
    server = serve(response(b'{"id": "f1", "filename": "a.wav", "size": 5, "created_at": "x"}'))
    with server.client(trace=out) as client, pytest.raises(SonioxHttpError):
        client.files.upload(b"12345", filename=f"{KEY}.wav", client_reference_id="mine")
    (request,) = of_kind(lines_of(out), "request")
    assert request["body"] == {
        "form": [
            {"name": "client_reference_id", "filename": None, "bytes": 4},
            {"name": "file", "filename": "***.wav", "bytes": 5},
        ]
    }


def test_secrets_in_requests_and_responses(serve: Callable[..., RawHttp]) -> None:
    """Keys and webhook secrets are hidden in headers, JSON, texts and redirects, sent or echoed."""
    out = io.BytesIO()
    echo = json.dumps({"error_message": f"hook-Secret-1, {KEY}", "api_key": "temp:zzz99"})
    server = serve(
        response(echo.encode(), "400 Bad", f"X-Echo: {KEY}", "Set-Cookie: a=b", "X-Hook: hs"),
        response(f"<html>{KEY} api_key=temp:zzz99</html>".encode(), "502 Bad"),
        response(b"", "302 Found", f"Location: http://u:pw1@h/?api_key={KEY}"),
    )
    with server.client(trace=out, max_retries=0) as client:
        for _ in range(3):
            with pytest.raises(SonioxHttpError):
                client.stt.create(
                    model="stt-async-v6",
                    audio_url="https://me:pw0rd@files.example/a.wav?signature=s1gn&x=1",
                    webhook_url="https://hooks.example/?token=t0k3n",
                    webhook_auth_header_name="X-Hook",
                    webhook_auth_header_value="hook-Secret-1",
                )
    lines = lines_of(out)
    sent = of_kind(lines, "request")[0]["body"]["json"]
    assert sent["webhook_auth_header_value"] == "***"
    assert sent["audio_url"] == "https://***@files.example/a.wav?signature=***&x=1"
    assert sent["webhook_url"] == "https://hooks.example/?token=***"
    first, _, moved = of_kind(lines, "response")
    assert first["headers"]["X-Echo"] == first["headers"]["Set-Cookie"] == "***"
    assert first["headers"]["X-Hook"] == "***"
    assert moved["headers"]["Location"] == "http://***@h/?api_key=***"
    bodies = of_kind(lines, "body")
    assert bodies[0]["json"] == {"error_message": "***, ***", "api_key": "***"}
    assert bodies[1]["text"] == "<html>*** api_key=***</html>"
    text = out.getvalue().decode()
    for secret in (KEY, "hook-Secret-1", "temp:zzz99", "pw0rd", "s1gn", "t0k3n", "pw1", "a=b"):
        assert secret not in text, secret


def test_credentials_of_a_sessions_own_proxy(serve: Callable[..., RawHttp]) -> None:
    """Credentials of a proxy of the user's own session are hidden when it echoes them."""
    credentials = base64.b64encode(b"me:pass-word-3").decode()
    proxy = serve(response(f"407: {credentials} me:pass-word-3".encode(), "407 Proxy"))
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"http": f"http://me:pass-word-3@127.0.0.1:{proxy.port}"}
    out = io.BytesIO()
    with (
        session,
        proxy.client(
            http_session=session, api_url="http://localhost:9/v1", trace=out, max_retries=0
        ) as client,
        pytest.raises(SonioxHttpError),
    ):
        client.models.list()
    (body,) = of_kind(lines_of(out), "body")
    assert body["text"] == "407: *** ***"


def test_each_attempt_is_an_exchange(serve: Callable[..., RawHttp]) -> None:
    """A retried call has an exchange for each attempt, with its own number."""
    out = io.BytesIO()
    server = serve(response(b"", "503 No"), response(b'{"models": []}'))
    with server.client(trace=out) as client:
        client.models.list()
    lines = lines_of(out)[1:]
    kinds = ["request", "response", "body"]
    assert [line["kind"] for line in lines] == kinds * 2
    numbers = [line["exchange"] for line in lines]
    assert numbers == [numbers[0]] * 3 + [numbers[0] + 1] * 3


@pytest.mark.parametrize(
    "answer",
    [
        lambda peer: peer.reset(),
        lambda peer: (peer.send(response(b"12345")[:-2]), peer.close()),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
    ],
    ids=["reset", "cut", "not gzip"],
)
def test_a_failed_exchange(serve: Callable[..., RawHttp], answer: Any) -> None:
    """An exchange that fails ends with one line that says why."""
    out = io.BytesIO()
    server = serve(answer, lambda peer: peer.close())
    with server.client(trace=out, max_retries=0) as client, pytest.raises(SonioxHttpError):
        client.models.list()
    failed = of_kind(lines_of(out), "failed")
    assert len(failed) == 1 and lines_of(out)[-1] == failed[0]
    assert "Error: " in failed[0]["error"]


def test_a_body_that_is_not_read_to_its_end(serve: Callable[..., RawHttp]) -> None:
    """Speech that is closed early ends with a line that says so; nothing comes after it."""
    out = io.BytesIO()
    server = serve(lambda peer: (peer.send(CHUNKED + b"4\r\nRIFF\r\n"), peer.wait_closed())[0])
    with server.client(trace=out) as client:
        body = client.tts.generate_stream(**SPEECH)
        assert next(body) == b"RIFF"
        body.close()
        body.close()
    last = lines_of(out)[-1]
    assert last["kind"] == "failed" and "closed before its end" in last["error"]
    assert AbortError.__name__ in last["error"]


def test_a_callable_that_raises_does_not_break_a_call(serve: Callable[..., RawHttp]) -> None:
    """A trace that fails in the middle of an exchange leaves the call alone."""
    calls: list[Any] = []

    def fail(line: Any) -> None:
        calls.append(line)
        if len(calls) == 2:
            raise ValueError("no")

    server = serve(response(b'{"models": []}'))
    with server.client(trace=fail) as client:
        assert len(client.models.list().models) == 0
    assert len(calls) == 2


def test_other_bodies(serve: Callable[..., RawHttp]) -> None:
    """Bodies that are no JSON are recorded as text, or as bytes if they are no text."""
    out = io.BytesIO()
    server = serve(response(b"\xff\xfe"), response(b""), response(b"plain"))
    with server.client(trace=out) as client:
        for _ in range(3):
            client.request("POST", "/x", data=b"\xff\x00")
    bodies = of_kind(lines_of(out), "body")
    assert bodies[0]["binary"]["bytes"] == 2
    assert [body.get("text") for body in bodies[1:]] == ["", "plain"]
    sent = of_kind(lines_of(out), "request")[0]["body"]
    assert sent["binary"]["bytes"] == 2


def test_nothing_without_the_option(
    serve: Callable[..., RawHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a trace no recorder is made for a call."""
    made: list[Any] = []
    monkeypatch.setattr(
        "soniox_sync.runtime.trace.exchange.ExchangeTrace.__init__",
        lambda *a, **k: made.append(a),
    )
    monkeypatch.delenv("SONIOX_SYNC_TRACE", raising=False)
    with serve(response(b'{"models": []}')).client() as client:
        client.models.list()
    assert made == []


@pytest.mark.parametrize(
    "how",
    [
        {"params": {"api_key": "Second+key/0123"}},
        {"data": "api_key=Second%2Bkey%2F0123"},
        {"headers": {"X-Api-Key": "Second+key/0123"}},
        {"json": {"api_key": ["Second+key/0123"]}},
        {"json": {"audio_url": "https://b.example/a.wav?signature=Second%2Bkey%2F0123"}},
        {"json": {"audio_url": "https://me:Second%2Bkey%2F0123@b.example/a.wav"}},
    ],
)
def test_a_secret_of_a_request_that_its_response_repeats(
    serve: Callable[..., RawHttp], how: dict[str, Any]
) -> None:
    """A secret in the query, the form or the JSON of a request is not shown by its response."""
    out = io.BytesIO()
    server = serve(response(b'{"message": "bad key Second+key/0123"}', "401 Unauthorized"))
    with server.client(trace=out) as client, pytest.raises(SonioxHttpError):
        client.request("POST", "/x", **how)
    assert of_kind(lines_of(out), "body")[0]["json"] == {"message": "bad key ***"}
    assert "Second" not in out.getvalue().decode()
