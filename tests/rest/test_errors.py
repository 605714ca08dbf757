"""Every error body, documented or hostile, becomes the right exception, which shows no key."""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import traceback
from typing import Any, Callable

import pytest

from soniox_sync import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    SonioxClient,
    SonioxHttpError,
    is_retriable,
)
from soniox_sync.errors import HttpRateLimitError
from soniox_sync.sandbox import Sandbox
from tests.rest.raw_http import FILE, KEY, RawHttp, chunked, closing, reply

Serve = Callable[..., RawHttp]


def api_body(status: int, kind: str, **more: Any) -> bytes:
    """Return an error body as the api host sends it."""
    body = {
        "status_code": status,
        "error_type": kind,
        "message": "It is so.",
        "validation_errors": [],
        "request_id": "req-1",
        "more_info": "https://soniox.com/docs/api-reference/errors#x",
        **more,
    }
    return json.dumps(body).encode()


def failure(serve: Serve, act: Any, **options: Any) -> SonioxHttpError:
    """Return the error that a response causes."""
    server = serve(act)
    with server.client(max_retries=0, **options) as client:
        with pytest.raises(SonioxHttpError) as caught:
            client.files.get("f1")
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind", "cls"),
    [
        (400, "invalid_request", SonioxHttpError),
        (400, "invalid_cursor", SonioxHttpError),
        (401, "unauthenticated", AuthenticationError),
        (402, "organization_balance_exhausted", SonioxHttpError),
        (403, "permission_denied", PermissionDeniedError),
        (404, "file_not_found", NotFoundError),
        (408, "request_timeout", SonioxHttpError),
        (409, "transcription_invalid_state", ConflictError),
        (413, "max_duration_reached", SonioxHttpError),
        (418, "from_the_future", SonioxHttpError),
        (429, "limit_exceeded", HttpRateLimitError),
        (500, "internal_error", ServerError),
        (503, "service_unavailable", ServerError),
        (599, "from_the_future", ServerError),
    ],
)
def test_documented_errors_map_to_their_class(
    serve: Serve, status: int, kind: str, cls: type[SonioxHttpError]
) -> None:
    """The status decides the class; slug, request id, method and URL are kept and shown."""
    error = failure(serve, reply(api_body(status, kind), f"{status} Whatever"))
    assert type(error) is cls
    assert (error.status_code, error.error_type, error.request_id) == (status, kind, "req-1")
    assert error.code == "http_error" and error.method == "GET"
    assert error.url is not None and error.url.endswith("/v1/files/f1")
    assert error.more_info == "https://soniox.com/docs/api-reference/errors#x"
    for word in ("GET /v1/files/f1", "It is so", str(status), "req-1"):
        assert word in str(error)
    assert json.loads(error.body_text or "")["error_type"] == kind


def test_the_tts_hosts_shape_is_read_too(serve: Serve) -> None:
    """The five fields of an error frame are read as well."""
    body = {"error_code": 401, "error_type": "unauthenticated", "error_message": "Bad key."}
    error = failure(serve, reply(json.dumps(body).encode(), "401 Unauthorized"))
    assert type(error) is AuthenticationError and error.error_type == "unauthenticated"
    assert "Bad key" in str(error) and "region" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "Not authenticated"}, "Not authenticated"),
        (
            {"detail": [{"loc": ["body", "model"], "msg": "Field required", "type": "missing"}]},
            "body.model: Field required",
        ),
        ({"detail": [{"msg": "one"}, {"msg": "two"}]}, "one; two"),
        ({"detail": {"message": "in an object"}}, "in an object"),
        ({"error": "too many"}, "too many"),
        ({"error": {"message": "in an error", "code": 7}}, "in an error"),
        ({"error": "invalid_grant", "error_description": "The token is old"}, "The token is old"),
        ({"title": "Out of credit", "status": 402}, "Out of credit"),
        ({"message": {"message": "deep"}, "detail": "x"}, "deep"),
        ({"message": "ours", "detail": "theirs"}, "ours"),
        ({"detail": 5, "message": None, "error": []}, "Teapot"),
    ],
)
def test_messages_of_other_frameworks_are_shown(serve: Serve, body: Any, said: str) -> None:
    """What a proxy or a gateway says is in the message, wherever its framework puts that."""
    error = failure(serve, reply(json.dumps(body).encode(), "418 Teapot"))
    assert f"GET /v1/files/f1: {said} (418" in str(error)


def test_a_404_of_another_server_says_how_to_reach_its_root(serve: Serve) -> None:
    """A 404 without the service's error type names the URL and how to leave out `/v1`."""
    advice = "check the URL of the service (one that ends in '/.' is used without '/v1')"
    for body in (b"", b'{"detail": "Not Found"}', b"<html>"):
        assert advice in str(failure(serve, reply(body, "404 Not Found")))
    known = failure(serve, reply(api_body(404, "file_not_found"), "404 Not Found"))
    assert advice not in str(known)


def test_a_mock_at_the_root_is_reached(serve: Serve) -> None:
    """With an `api_url` that ends in `/.` no `/v1` is added."""
    server = serve(reply(b'{"files": [], "next_page_cursor": null}'))
    with SonioxClient(KEY, api_url=f"{server.url}/.") as client:
        assert client.files.list().files == ()
    assert server.requests[0].path.partition("?")[0] == "/files"


def test_validation_errors_are_kept_and_shown(serve: Serve) -> None:
    """Each field's error is in an attribute and in the message."""
    problem = {"error_type": "missing", "location": "body.payload.model", "message": "Required."}
    body = api_body(400, "invalid_request", validation_errors=[problem, "odd", 7])
    error = failure(serve, reply(body, "400 Bad Request"))
    assert error.validation_errors == [problem]
    assert "body.payload.model: Required." in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html><body>Bad gateway</body></html>",
        b'{"status_code": 502, "mess',
        b"null",
        b"[1, 2]",
        b'"text"',
        b"\xff\xfe\x00",
        b"[" * 30_000,
        b'{"message":' * 900 + b"1" + b"}" * 900,
        b'{"validation_errors":[' * 2_900 + b"]}" * 2_900,
        json.dumps(
            {
                "status_code": "x",
                "error_type": 5,
                "message": ["no"],
                "validation_errors": {"a": 1},
                "request_id": {},
                "more_info": 3,
            }
        ).encode(),
        b'{"message": null, "error_message": 12}',
        b"x" * 200_000,
        b'{"message": "' + b"y" * 200_000 + b'"}',
    ],
    ids=range(14),
)
def test_malformed_bodies_raise_the_class_of_the_status(serve: Serve, body: bytes) -> None:
    """With HTML, nothing or a truncated object, status, method, URL and id are still correct."""
    error = failure(serve, reply(body, "502 Bad Gateway", {"X-Request-Id": "from-header"}))
    assert type(error) is ServerError and error.status_code == 502
    assert error.request_id == "from-header" and error.method == "GET"
    assert error.error_type is None and error.validation_errors == []
    assert len((error.body_text or "").encode()) <= 4096
    assert len(str(error)) < 1000 and "<html" not in str(error)


def test_an_error_with_a_truncated_body_is_still_that_error(serve: Serve) -> None:
    """The status of a response counts even if its body is lost."""
    wire = b"HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n{"
    assert type(failure(serve, closing(wire))) is NotFoundError


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"<html>hello</html>", "JSON"),
        (b'{"id": "f1"', "JSON"),
        (b"[" * 30_000, "JSON"),
        (b"[]", "expected an object"),
        (b'{"id": "f1"}', "filename: missing"),
        (FILE.replace(b'"size":3', b'"size":"big"'), "size: expected a whole number"),
        (FILE.replace(b'"size":3', b'"size":true'), "size: expected a whole number"),
        (FILE.replace(b'"size":3', b'"size":NaN'), "size: expected a whole number"),
        (FILE.replace(b"2026-01-31T12", b"2026-31-01T12"), "created_at"),
        (FILE.replace(b'"f1"', b"17"), "id: expected a string"),
    ],
)
def test_an_unreadable_success_is_a_parse_error(serve: Serve, body: bytes, why: str) -> None:
    """The error of an unreadable 200 says what is wrong with it, and where."""
    error = failure(serve, reply(body, headers={"X-Request-Id": "r2"}))
    assert error.code == "parse_error" and why in str(error)
    assert (error.status_code, error.request_id, error.method) == (200, "r2", "GET")
    assert not is_retriable(error)


def test_unknown_fields_are_kept_in_raw(serve: Serve) -> None:
    """Unknown fields are in `.raw`, and are not an error."""
    with serve(reply(FILE)).client() as client:
        file = client.files.get("f1")
    assert file.raw["from_the_future"] == {"x": 1}
    assert (file.id, file.size, file.created_at.isoformat()) == (
        "f1",
        3,
        "2026-01-31T12:00:00+00:00",
    )
    with pytest.raises(AttributeError):
        file.size = 4  # type: ignore[misc]


def test_compressed_responses_are_unpacked(serve: Serve) -> None:
    """gzip is unpacked; truncated or invalid data is an error."""
    packed = gzip.compress(FILE)
    headers = {"Content-Encoding": "gzip"}
    with serve(reply(packed, headers=headers)).client() as client:
        assert client.files.get("f1").size == 3
    for wrong in (packed[:-9], b"not gzip at all"):
        assert failure(serve, reply(wrong, headers=headers)).code == "network_error"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
    ids=range(6),
)
def test_invalid_http_is_a_network_error(serve: Serve, wire: bytes) -> None:
    """A response that is not HTTP, or truncated, never looks like a result."""
    error = failure(serve, closing(wire))
    assert error.code == "network_error" and error.status_code is None and is_retriable(error)


def test_redirects_are_not_followed(serve: Serve) -> None:
    """A redirect is an error that names the other host, to which the key is not sent."""
    other = serve(reply(FILE))
    for status in ("301 Moved", "302 Found", "307 Temporary", "308 Permanent"):
        error = failure(serve, reply(b"", status, {"Location": f"{other.url}/v1/files/f1?x=1"}))
        assert error.status_code == int(status[:3])
        assert "127.0.0.1" in str(error) and "redirected" in str(error)
    assert other.connections == 0


@pytest.mark.parametrize("count", [1, 3])
def test_interim_responses_are_skipped(serve: Serve, count: int) -> None:
    """Responses as 102 and 103 come before the one that counts; the connection stays usable."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
    early += b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    server = serve(early * count + reply(FILE))
    with server.client() as client:
        for _ in range(2):
            assert client.files.get("f1").id == "f1"
    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        ("304 Not Modified", {}, ": Not Modified (304)"),
        ("300 Multiple Choices", {}, ": Multiple Choices (300)"),
        ("300 Multiple Choices", {"Location": "http://a.example/"}, "redirected to a.example"),
        ("301 Moved", {}, "redirected to another URL"),
    ],
)
def test_not_every_3xx_is_a_redirect(
    serve: Serve, status: str, headers: dict[str, str], told: str
) -> None:
    """A status that sends nobody elsewhere is said plainly."""
    error = failure(serve, reply(b"", status, headers))
    assert error.status_code == int(status[:3])
    assert told in str(error)


ECHO = (
    b'{"message": "Wrong key sk-test/secret+key", "error_type": "sk-test/secret+key", '
    b'"request_id": "sk-test/secret+key", "validation_errors": '
    b'[{"location": "sk-test/secret+key", "message": "sk-test%2Fsecret%2Bkey"}], '
    b'"more_info": "sk-test\\/secret+key"}'
)


@pytest.mark.parametrize(
    "act",
    [
        reply(ECHO, "401 Unauthorized", {"X-Echo": f"Bearer {KEY}"}),
        reply(f"<p>{KEY}</p>".encode(), "403 Forbidden", {"X-Request-Id": KEY}),
        reply(f"no JSON {KEY}".encode()),
        reply(b"x" * 4090 + KEY.encode(), "400 Bad"),
        reply(b"", "302 Found", {"Location": f"https://{KEY.replace('/', '')}.example/{KEY}"}),
        closing(b""),
        closing(f"HTTP/1.1 200 {KEY}\r\nContent-Length: 9\r\n\r\n{{".encode()),
        closing(f"HTTP/1.1 {KEY} OK\r\n\r\n".encode()),
        closing(f"HTTP/1.1 {KEY}\r\n\r\n".encode()),
        closing(f"HTTP/{KEY} 200 OK\r\n\r\n".encode()),
        closing(f"{KEY}\r\n\r\n".encode()),
        reply(b"", f"400 {KEY}"),
        reply(b"{}", f"500 {KEY}", {f"X-{KEY}": "1"}),
        reply(b"{}", "429 Slow", {"Retry-After": KEY, "Content-Encoding": KEY}),
        reply(FILE, headers={"Content-Encoding": KEY}),
        closing(f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n{{".encode()),
        closing(f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{KEY}\r\nX: y\r\n\r\n{{".encode()),
        closing(chunked(FILE, end=f"{KEY}\r\n\r\n".encode())),
        closing(chunked(FILE, end=f"5;{KEY}\r\n{KEY}\r\n".encode())),
        closing(chunked(FILE, end=f"0\r\nX: {KEY}\r\n".encode())),
    ],
    ids=range(20),
)
def test_an_echoed_key_is_hidden(serve: Serve, act: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A key echoed by a server is in no message, attribute, chain or log line."""
    caplog.set_level(logging.DEBUG)
    error = failure(serve, act)
    facts = [str(error), repr(error), repr(vars(error)), caplog.text]
    facts += traceback.format_exception(type(error), error, error.__traceback__)
    chain: list[Any] = [error]
    for link in chain:
        facts.append(f"{link} {link!r} {link.args} {vars(link)}")
        assert getattr(link, "request", None) is None, "the request holds the key"
        chain += [each for each in (link.__cause__, link.__context__) if each is not None]
    for each in facts:
        assert KEY.lower() not in each.lower() and "sk-test%2f" not in each.lower()


@pytest.mark.parametrize(
    "end",
    [
        f"0\r\nX-Tts-Error-Code: 500\r\nX-Tts-Error-Message: no {KEY}\r\n\r\n",
        f"0\r\nX-Tts-Error-Code: {KEY}\r\n\r\n",
        f"0\r\nX-Tts-Error-Code: 500\r\nX-{KEY}: {KEY}\r\n\r\n",
        f"{KEY}\r\n",
    ],
)
def test_a_key_in_trailers_is_hidden(serve: Serve, end: str) -> None:
    """A key in trailers or broken chunks is in no message, attribute or traceback."""
    server = serve(closing(chunked(b"audio", end=end.encode(), head=f"X-Request-Id: {KEY}\r\n")))
    with server.client() as client, client.tts.generate_stream(text="x", voice="A") as body:
        with pytest.raises(SonioxHttpError) as caught:
            list(body)
        assert KEY not in f"{body.request_id} {body!r}"
    error = caught.value
    shown = traceback.format_exception(type(error), error, error.__traceback__)
    assert KEY not in "".join([*shown, repr(error), repr(vars(error))])


def test_the_cause_of_a_lost_connection_is_kept(serve: Serve) -> None:
    """After redaction the exception of `http.client` is still the cause."""
    error = failure(serve, closing(f"HTTP/1.1 {KEY} OK\r\n\r\n".encode()))
    assert type(error.__cause__).__name__ == "BadStatusLine" and "***" in str(error.__cause__)


def test_a_url_in_an_error_has_no_query(serve: Serve) -> None:
    """The URL of an error contains no cursors or user info."""
    server = serve(reply(b"{}", "500 Oops"))
    with server.client(max_retries=0) as client, pytest.raises(ServerError) as caught:
        client.files.list(cursor="secret-cursor")
    assert caught.value.url == f"{server.url}/v1/files"
    assert "secret-cursor" not in str(caught.value)


def test_a_refused_connection_is_a_network_error() -> None:
    """A refused connection is reported; the cause is the system's error."""
    with RawHttp(reply()) as server:
        url = server.url
    with SonioxClient(KEY, api_url=f"{url}/v1", max_retries=0) as client:
        with pytest.raises(SonioxHttpError, match="could not connect") as caught:
            client.models.list()
    assert caught.value.code == "network_error" and caught.value.__cause__ is not None


def test_errors_can_be_pickled(serve: Serve) -> None:
    """An error keeps its message and status in another process."""
    error = failure(serve, reply(api_body(429, "limit_exceeded"), "429 Slow"))
    twin = pickle.loads(pickle.dumps(error))
    assert str(twin) == str(error) and twin.status_code == 429


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../x", "a/b", "a?b", "a#b", "a%2Fb", "a b", "a\nb", "é", "x" * 300]
)
def test_ids_cannot_change_the_path(serve: Serve, bad: str) -> None:
    """An id that would change the path is refused before anything is sent."""
    server = serve(reply(FILE))
    with server.client() as client:
        for call in (
            client.files.get,
            client.files.delete,
            client.files.get_or_none,
            client.files.delete_if_exists,
            client.stt.get,
            client.stt.get_transcript,
            client.stt.delete,
            client.stt.destroy,
            client.stt.wait,
            client.voices.get,
            client.voices.delete,
            client.voices.recompute,
        ):
            with pytest.raises(ConfigurationError):
                call(bad)
        with pytest.raises(ConfigurationError):
            client.stt.create(file_id=bad)
        with pytest.raises(TypeError):
            client.files.get(7)  # type: ignore[arg-type]
    assert server.connections == 0


def test_a_refused_key_is_an_authentication_error(make_sandbox: Callable[..., Sandbox]) -> None:
    """A wrong key is an `AuthenticationError` on both hosts, with what to check."""
    sandbox = make_sandbox()
    with sandbox.client(api_key="invalid-key") as client:
        for call in (client.models.list, lambda: client.tts.generate(text="x", voice="Adrian")):
            with pytest.raises(AuthenticationError, match="region"):
                call()


def test_a_key_callable_is_called_for_each_call(serve: Serve) -> None:
    """A key callable is called once per call, retries included."""
    keys = iter(["one", "two", "three"])
    server = serve(reply(b"{}", "503 No"), reply(FILE))
    with SonioxClient(lambda: next(keys), api_url=f"{server.url}/v1") as client:
        client.files.get("f1")
        client.files.get("f1")
    sent = [each.headers["authorization"] for each in server.requests]
    assert sent == ["Bearer one", "Bearer one", "Bearer two"]
