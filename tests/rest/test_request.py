"""`client.request()`: any path, with the keys, retries and errors of all calls."""

from __future__ import annotations

import array
import gc
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Callable

import pytest
from urllib3 import encode_multipart_formdata

from soniox_sync import (
    AbortError,
    CancelToken,
    ConfigurationError,
    NotFoundError,
    SlngClient,
    SonioxClient,
    SonioxHttpError,
    StateError,
)
from soniox_sync.errors import InputTypeError
from soniox_sync.rest import HttpTimeoutError
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import CHUNKED, KEY, Peer, RawHttp, chunked, closing, reply

Serve = Callable[..., RawHttp]
JSON = {"Content-Type": "application/json; charset=utf-8"}
BUSY = reply(b"{}", "503 Busy")


# -- against the sandbox --------------------------------------------------------------------------


def test_known_paths_answer_as_documented(client: SonioxClient) -> None:
    """Paths are relative to the versioned base; JSON is parsed, and an empty answer is `None`."""
    file = client.files.upload(b"abc", filename="a.wav")
    assert client.request("GET", f"/files/{file.id}")["filename"] == "a.wav"
    page = client.request("get", "/files", params={"limit": 1, "cursor": None})
    assert [each["id"] for each in page["files"]] == [file.id]
    assert client.request("DELETE", f"/files/{file.id}") is None
    key = client.request(
        "POST",
        "/auth/temporary-api-key",
        json={"usage_type": "tts_rt", "expires_in_seconds": 60},
    )
    assert key["api_key"].startswith("snx_temp_")


def test_the_speech_host_answers_with_audio(client: SonioxClient) -> None:
    """`service="tts"` is the speech host, whose answer is bytes; its errors are those of `tts`."""
    fields = {"text": "Hi.", "voice": "Adrian", "language": "en", "audio_format": "wav"}
    audio = client.request("POST", "/tts", json={**fields, "model": "tts-rt-v2"}, service="tts")
    assert isinstance(audio, bytes) and audio[:4] == b"RIFF"
    with pytest.raises(SonioxHttpError) as caught:
        client.request("POST", "/tts", json={"text": "Hi."}, service="tts")
    assert caught.value.status_code == 400 and caught.value.error_type == "invalid_request"


def test_errors_are_those_of_other_calls(client: SonioxClient) -> None:
    """A status becomes the error of its class, with type and request id; it shows no key."""
    with pytest.raises(NotFoundError) as caught:
        client.request("GET", "/files/00000000-0000-4000-8000-000000000000")
    assert caught.value.error_type == "file_not_found" and caught.value.request_id
    assert caught.value.method == "GET"


def test_after_close_it_raises(sandbox: Sandbox) -> None:
    """A closed client makes no calls."""
    client = sandbox.client()
    client.close()
    with pytest.raises(StateError):
        client.request("GET", "/files")


def test_the_gateway_s_client_has_no_http() -> None:
    """The gateway does not pass on the service's HTTP calls, so its client has no `request`."""
    assert not hasattr(SlngClient("slng-key"), "request")


# -- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_the_request_is_what_was_asked_for(serve: Serve, method: Any) -> None:
    """Method, path, query and key are sent, and no body and no type of one."""
    server = serve(reply(b"", "204 No Content"))
    with server.client() as client:
        assert client.request(method, "/newer/things", params={"a": 1}) is None
    (got,) = server.requests
    assert (got.method, got.path, got.body) == (method, "/v1/newer/things?a=1", b"")
    assert got.headers["authorization"] == f"Bearer {KEY}"
    assert "content-type" not in got.headers


QUERIES: list[tuple[dict[str, Any], str]] = [
    ({"a": "x y&z", "b": None}, "?a=x+y%26z"),
    ({"on": True, "off": False}, "?on=true&off=false"),
    ({"n": 5, "x": 0.5}, "?n=5&x=0.5"),
    ({"each": ["a", 1, None, True]}, "?each=a&each=1&each=true"),
    ({}, ""),
]


@pytest.mark.parametrize(("params", "query"), QUERIES)
def test_a_query(serve: Serve, params: Any, query: str) -> None:
    """`None`s are left out, bools are those of JSON, a list repeats its name."""
    server = serve(reply(b"{}"))
    with server.client() as client:
        client.request("GET", "/x", params=params)
    assert server.requests[0].path == f"/v1/x{query}"


@pytest.mark.parametrize(
    "value",
    [{"text": "Zoë", "none": None}, MappingProxyType({"a": 1}), [1, 2], "text", 5, False, {}],
    ids=repr,
)
def test_a_json_body(serve: Serve, value: Any) -> None:
    """Anything that JSON can represent is sent in UTF-8, with its type."""
    server = serve(reply(b"{}"))
    with server.client() as client:
        client.request("POST", "/x", json=value)
    (got,) = server.requests
    assert got.headers["content-type"] == "application/json"
    assert json.loads(got.body) == value or json.loads(got.body) == dict(value)


class Pipe(io.RawIOBase):
    """Binary file object that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(size)


BODIES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"\1\2\3",
    "bytearray": lambda: bytearray(b"\1\2\3"),
    "memoryview": lambda: memoryview(b"\1\2\3"),
    "array": lambda: array.array("B", [1, 2, 3]),
    "str": lambda: "\1\2\3",
    "file": lambda: io.BytesIO(b"\1\2\3"),
    "pipe": lambda: Pipe(b"\1\2\3"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_other_bodies_are_sent_as_they_are(serve: Serve, kind: str) -> None:
    """Bytes, text and files are sent unchanged, with a length and without a type."""
    server = serve(reply(b"{}"))
    with server.client() as client:
        client.request("PUT", "/x", data=BODIES[kind]())
    (got,) = server.requests
    assert got.body == b"\1\2\3"
    assert "content-type" not in got.headers and "transfer-encoding" not in got.headers


def test_an_upload_to_a_newer_endpoint(client: SonioxClient) -> None:
    """With its type in `headers`, a form that another library encoded is an upload."""
    body, kind = encode_multipart_formdata({"file": ("a.wav", b"RIFF", "audio/wav")})
    file = client.request("POST", "/files", data=body, headers={"Content-Type": kind})
    assert client.files.get(file["id"]).filename == "a.wav"
    again = client.request("POST", "/files", data=io.BytesIO(body), headers={"content-type": kind})
    assert client.files.get(again["id"]).size == 4


def test_headers_replace_those_of_the_request(serve: Serve) -> None:
    """Given headers are sent, in place of equal ones in any case; the key stays."""
    server = serve(reply(b"{}"))
    with server.client() as client:
        client.request(
            "POST", "/x", json={}, headers={"content-type": "application/merge+json", "X-A": "b c"}
        )
    (got,) = server.requests
    assert got.headers["content-type"] == "application/merge+json"
    assert got.headers["x-a"] == "b c" and got.headers["accept"] == "*/*"
    assert got.headers["authorization"] == f"Bearer {KEY}"


def test_the_version_is_part_of_a_path_behind_a_url_without_one(serve: Serve) -> None:
    """Where the base URL ends with no version, a path may begin with it."""
    server = serve(reply(b"{}"))
    with server.client(api_url=f"http://127.0.0.1:{server.port}/.") as client:
        assert client.request("GET", "/v1/files") == {}
        assert client.request("GET", "/v1") == {}
    assert [got.path for got in server.requests] == ["/v1/files", "/v1"]


def test_speech_at_the_other_host_is_advised(client: SonioxClient) -> None:
    """A 404 of the speech call at the API host names the service to ask."""
    with pytest.raises(NotFoundError, match='the host of speech is another one: service="tts"'):
        client.request("POST", "/tts", json={"text": "Hi."})


def test_the_sandbox_answers_a_head_as_a_get(client: SonioxClient) -> None:
    """A HEAD of what GET knows has no answer, of anything else it is an error."""
    assert client.request("HEAD", "/files") is None
    with pytest.raises(NotFoundError):
        client.request("HEAD", "/files/00000000-0000-4000-8000-000000000000")
    assert client.request("GET", "/files")["files"] == []


def test_a_file_is_sent_from_its_position_and_again_from_there(serve: Serve) -> None:
    """A repeated call sends the same bytes of a file, which stays open."""
    server = serve(BUSY, reply(b"{}"))
    with tempfile.TemporaryFile() as file, server.client() as client:
        file.write(b"head" + b"x" * 600_000)
        file.seek(4)
        client.request("PUT", "/x", data=file)
        assert not file.closed
    assert [got.body for got in server.requests] == [b"x" * 600_000] * 2


def test_an_error_of_the_file_is_raised_as_it_is(serve: Serve) -> None:
    """What a file object raises while it is read is no network error."""

    class Broken(io.BytesIO):
        def read(self, size: Any = -1) -> bytes:
            raise LookupError("the disk went away")

    server = serve(reply(b"{}"))
    with server.client() as client, pytest.raises(LookupError, match="the disk went away"):
        client.request("PUT", "/x", data=Broken(b"abc"))


# -- what is answered -----------------------------------------------------------------------------


ANSWERS: list[tuple[dict[str, str], bytes, Any]] = [
    (JSON, b'{"a":[1,null]}', {"a": [1, None]}),
    ({"Content-Type": "application/problem+json"}, b"[]", []),
    (JSON, b"null", None),
    ({}, b'{"a":1}', {"a": 1}),  # as some stand-ins for servers send it
    ({}, b"RIFF\xff", b"RIFF\xff"),
    ({"Content-Type": "application/octet-stream"}, b"123", b"123"),
    ({"Content-Type": "text/plain"}, b"{}", b"{}"),
    (JSON, b"", None),
]


@pytest.mark.parametrize(("headers", "body", "value"), ANSWERS)
def test_the_type_of_the_answer_decides(
    serve: Serve, headers: dict[str, str], body: bytes, value: Any
) -> None:
    """JSON is parsed where it is announced, or where nothing is announced; all else is bytes."""
    with serve(reply(body, headers=headers)).client() as client:
        assert client.request("GET", "/x") == value


def test_broken_json_is_an_error(serve: Serve) -> None:
    """An answer that is announced as JSON and is not is an error with its text."""
    with serve(reply(b"<html>", headers=JSON)).client() as client:
        with pytest.raises(SonioxHttpError) as caught:
            client.request("GET", "/x")
    assert caught.value.code == "parse_error" and caught.value.body_text == "<html>"


def test_a_head_has_no_answer(serve: Serve) -> None:
    """Whatever a HEAD announces, nothing follows, and its connection serves the next call."""
    server = serve(CHUNKED, reply(b"{}"))
    with server.client() as client:
        assert client.request("HEAD", "/x") is None
        assert client.request("GET", "/x") == {}
    assert server.connections == 1


def test_audio_that_fails_later_is_an_error(serve: Serve) -> None:
    """An error in the trailers is raised: truncated audio never looks complete."""
    late = b"0\r\nX-Tts-Error-Code: 503\r\nX-Tts-Error-Message: No more.\r\n\r\n"
    with serve(chunked(b"RIFF", end=late)).client() as client:
        with pytest.raises(SonioxHttpError, match="No more") as caught:
            client.request("POST", "/tts", service="tts")
    assert caught.value.status_code == 503


# -- retries, time, cancel ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_calls_that_do_no_harm_are_repeated(serve: Serve, method: Any) -> None:
    """After a transient error they are made again."""
    server = serve(BUSY, reply(b"", "204 No Content"))
    with server.client() as client:
        assert client.request(method, "/x") is None
    assert len(server.requests) == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_other_calls_are_not_repeated(serve: Serve, method: Any) -> None:
    """A call with an unknown outcome is made once."""
    server = serve(BUSY, reply(b"{}"))
    with server.client() as client, pytest.raises(SonioxHttpError):
        client.request(method, "/x", json={})
    assert len(server.requests) == 1


def test_a_truncated_answer_is_repeated(serve: Serve) -> None:
    """A connection that is lost inside the answer to a GET counts as lost."""
    server = serve(closing(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"), reply(b"[1]"))
    with server.client() as client:
        assert client.request("GET", "/x") == [1]


def hang(peer: Peer) -> None:
    """Answer nothing until the client is gone."""
    peer.wait_closed()


def test_a_time_limit_of_its_own(serve: Serve) -> None:
    """`timeout_sec` replaces the client's, whether it is shorter or longer."""
    with serve(hang).client(timeout_sec=20) as client:
        with pytest.raises(HttpTimeoutError, match=r"within 0\.3 s"):
            client.request("GET", "/x", timeout_sec=0.3)

    def late(peer: Peer) -> None:
        peer.sock.settimeout(0.6)
        with pytest.raises(OSError):
            peer.sock.recv(1)
        peer.send(reply(b"[1]"))

    with serve(late).client(timeout_sec=0.2) as client:
        assert client.request("GET", "/x", timeout_sec=20) == [1]


def test_a_cancelled_call_ends_at_once(serve: Serve) -> None:
    """A token that is cancelled during the call ends it with `AbortError`."""
    token = CancelToken()

    def act(peer: Peer) -> None:
        token.cancel("no longer wanted")
        peer.wait_closed()

    with serve(act).client() as client, pytest.raises(AbortError, match="no longer wanted"):
        client.request("GET", "/x", cancel=token)


# -- what is refused ------------------------------------------------------------------------------

PATHS = [
    ("files", "a path that starts with one '/', got 'files'"),
    ("//evil.example/files", "a path that starts with one '/'"),
    ("https://evil.example/files", "got 'https://evil.example/files'; the host is the client's"),
    ("https://u:secret@evil.example/?api_key=secret", "the host is the client's"),
    ("@evil.example/", "a path that starts with one '/'"),
    ("/../tts", "a path without '.' and '..'"),
    ("/files/..", "a path without '.' and '..'"),
    ("/files/./x", "a path without '.' and '..'"),
    ("/files/%2e%2E/x", "a path without '.' and '..'"),
    ("/files/..%2fx", "a path without '.' and '..'"),
    ("/files/%2e%2e%5cx", "a path without '.' and '..'"),
    ("/files\\..\\x", "control characters"),
    ("/files?limit=5", r"got one with '\?'; pass the query as params="),
    ("/files#top", "a path without a fragment"),
    ("/files\r\nHost: evil.example", "control characters"),
    ("/my files", "one with blanks"),
    ("", "a str that is not empty"),
]


@pytest.mark.parametrize(("path", "said"), PATHS)
def test_a_path_stays_below_the_base(serve: Serve, path: str, said: str) -> None:
    """A path that names a host, leaves the base or hides a query is refused; nothing is sent."""
    server = serve(reply(b"{}"))
    with server.client() as client, pytest.raises(ConfigurationError, match=said) as caught:
        client.request("GET", path)
    assert str(caught.value).startswith("path: expected ")
    assert "secret" not in str(caught.value)
    assert server.requests == []


def test_a_redirect_does_not_take_the_key_along(serve: Serve) -> None:
    """A redirect to another host is an error, and that host hears nothing."""
    other = serve(reply(b"{}"))
    to = {"Location": f"http://localhost:{other.port}/v1/x"}
    with serve(reply(b"", "302 Found", to)).client() as client:
        with pytest.raises(SonioxHttpError, match="redirects are not followed"):
            client.request("GET", "/x")
    assert other.requests == []


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"json": {}, "data": b"x"}, ConfigurationError, "data: expected None, as json is given"),
        ({"data": {"a": 1}}, InputTypeError, "data: .* got dict; send an object with json="),
        ({"data": io.StringIO("x")}, InputTypeError, "data: .* open it with mode 'rb'"),
        ({"data": io.BytesIO()}, ConfigurationError, "data: expected a file with content"),
        ({"params": {"a": b"x"}}, InputTypeError, r"params\['a'\]: expected a str, a number"),
        ({"params": {"a": [{}]}}, InputTypeError, r"params\['a'\]: expected a str, a number"),
        ({"params": {5: "x"}}, InputTypeError, "params: expected names that are str"),
        ({"params": {"a": float("nan")}}, ConfigurationError, r"params\['a'\]: .* finite"),
        ({"method": "TRACE"}, ConfigurationError, "method: expected one of 'GET', 'HEAD'"),
        ({"method": "/files", "path": "GET"}, ConfigurationError, "method: .* got '/files'"),
        (
            {"json": {"a": object()}},
            InputTypeError,
            r"json: expected values that JSON can represent, got one that it cannot \(Object of",
        ),
        (
            {"path": "/v1/files"},
            ConfigurationError,
            "path: .* got '/v1/files'; the base URL already ends with '/v1', so pass '/files'",
        ),
        ({"service": "stt"}, ConfigurationError, "'stt'; 'tts' is the host of speech, 'api' of"),
        ({"service": 5}, InputTypeError, "service: expected 'api' or 'tts', got int"),
        ({"headers": [("A", "b")]}, InputTypeError, "headers: expected a mapping, got list"),
        ({"headers": {5: "b"}}, InputTypeError, "headers: expected names that are str"),
        ({"headers": {"A": 5}}, InputTypeError, r"headers\['A'\]: expected a str, got int"),
        ({"headers": {"A b": "c"}}, ConfigurationError, "headers: expected names of headers"),
        ({"headers": {"": "c"}}, ConfigurationError, "headers: expected names of headers"),
        ({"headers": {"A": "b\r\nX-Evil: 1"}}, ConfigurationError, r"headers\['A'\]: .* printable"),
        ({"headers": {"A": "b\n"}}, ConfigurationError, r"headers\['A'\]: .* printable"),
        ({"headers": {"A": "Zoë"}}, ConfigurationError, r"headers\['A'\]: .* printable"),
        ({"headers": {"authorization": "x"}}, ConfigurationError, "got 'authorization'"),
        ({"headers": {"HOST": "evil.example"}}, ConfigurationError, "got 'HOST'"),
        ({"headers": {"Content-Length": "1"}}, ConfigurationError, "got 'Content-Length'"),
        ({"json": {"a": float("nan")}}, ConfigurationError, "json: expected values that JSON"),
    ],
)
def test_wrong_arguments_send_nothing(
    serve: Serve, arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    """A wrong argument is named before anything is sent."""
    server = serve(reply(b"{}"))
    with server.client() as client, pytest.raises(error, match=said):
        client.request(**{"method": "POST", "path": "/x", **arguments})
    assert server.requests == []


def test_a_path_that_is_no_text_file_is_not_opened(serve: Serve, tmp_path: Path) -> None:
    """A `str` in `data` is a text, never the name of a file."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    server = serve(reply(b"{}"))
    with server.client() as client:
        client.request("POST", "/x", data=str(secret))
        with pytest.raises(InputTypeError, match="data: expected bytes"):
            client.request("POST", "/x", data=secret)  # type: ignore[arg-type]
    assert server.requests[0].body == str(secret).encode()


@pytest.fixture(scope="module", autouse=True)
def little_to_collect() -> None:
    """Spare what was imported since the run began every collection after a test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def everything_is_closed() -> Iterator[None]:
    """Copies of pipes are closed with their call; a leaked one would warn here."""
    yield
    gc.collect()
