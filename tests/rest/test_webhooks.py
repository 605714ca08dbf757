"""`client.webhooks`: which requests are accepted, and how they are read (PROTOCOL 5.9)."""

from __future__ import annotations

import hmac
import http.client
import io
import threading
import urllib.request
from collections import UserDict
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from soniox_sync import ConfigurationError, SonioxClient, SonioxHttpError, WebhookSignatureError
from soniox_sync.errors import InputTypeError
from soniox_sync.rest.webhooks import DEFAULT_HEADER, MissingWebhookSecretError, WebhooksApi

BODY = b'{"id": "8f0c", "status": "completed", "new": 1}'
SECRET = "correct horse, battery"


@pytest.fixture
def webhooks() -> WebhooksApi:
    """Provide a receiver with the secret in its environment."""
    return WebhooksApi({"SONIOX_API_WEBHOOK_SECRET": f" {SECRET}\n"})


@pytest.fixture
def unset() -> WebhooksApi:
    """Provide a receiver without a secret."""
    return WebhooksApi({"SONIOX_API_WEBHOOK_SECRET": "  "})


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Soniox-Webhook-Secret": SECRET},
        {"x-soniox-webhook-secret": SECRET},
        {"X-SONIOX-WEBHOOK-SECRET": SECRET, "Host": "x"},
        {"X-Soniox-Webhook-Secret": f" {SECRET} "},
        {"X-Soniox-Webhook-Secret": SECRET.encode()},
        {b"x-soniox-webhook-secret": SECRET.encode()},
        {"X-Soniox-Webhook-Secret": [SECRET]},
        [("Host", "x"), ("X-Soniox-Webhook-Secret", SECRET)],
        [(b"host", b"x"), (b"x-soniox-webhook-secret", SECRET.encode())],
    ],
    ids=range(9),
)
def test_the_right_secret_is_accepted(webhooks: WebhooksApi, headers: Any) -> None:
    """The secret is found in any case of its header, in str, bytes, lists or pairs."""
    webhooks.verify(headers)
    event = webhooks.unwrap(BODY, headers)
    assert (event.id, event.status, event.raw["new"]) == ("8f0c", "completed", 1)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "x"},
        {"X-Soniox-Webhook-Secret": "wrong"},
        {"X-Soniox-Webhook-Secret": ""},
        {"X-Soniox-Webhook-Secret": SECRET[:-1]},
        {"X-Soniox-Webhook-Secret": SECRET + "x"},
        {"X-Soniox-Webhook-Secret": SECRET.upper()},
        {"X-Soniox-Webhook-Secret": []},
        {"X-Other-Secret": SECRET},
        {"X-Soniox-Webhook-Secret": [SECRET, "wrong"]},
        [("X-Soniox-Webhook-Secret", "wrong"), ("x-soniox-webhook-secret", SECRET)],
        {"X-Soniox-Webhook-Secret": "\udc80"},
    ],
    ids=range(12),
)
def test_anything_else_is_refused(webhooks: WebhooksApi, headers: Any) -> None:
    """A missing, wrong, shortened, lengthened or repeated value raises, and shows no secret."""
    for call in (webhooks.verify, lambda given: webhooks.unwrap(BODY, given)):
        with pytest.raises(WebhookSignatureError) as caught:
            call(headers)  # type: ignore[no-untyped-call]
        assert SECRET not in str(caught.value) and "wrong" not in str(caught.value)


class Bag:
    """Has `items()`, but is not a `Mapping`."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self._pairs = pairs

    def items(self) -> Any:
        """Return the pairs."""
        return iter(self._pairs)


def received(*lines: str) -> http.client.HTTPMessage:
    """Read headers as the servers of the standard library do."""
    text = "".join(f"{line}\r\n" for line in lines)
    return http.client.parse_headers(io.BytesIO(f"{text}\r\n".encode("latin-1")))


@pytest.mark.parametrize(
    "headers",
    [
        received("Host: x", "x-soniox-webhook-secret: plain", "Content-Type: a/b"),
        Bag(("Host", "x"), ("X-Soniox-Webhook-Secret", b"plain")),
        UserDict({"X-Soniox-Webhook-Secret": "plain"}),
        iter([("X-Soniox-Webhook-Secret", "plain")]),
        {"X-Soniox-Webhook-Secret": ("plain",), "X-Empty": None, "X-Number": 5, 7: "x", None: 1},
        {"X-Soniox-Webhook-Secret": [None, "plain"]},
        {"REQUEST_METHOD": "POST", "HTTP_X_SONIOX_WEBHOOK_SECRET": "plain", "wsgi.version": (1, 0)},
    ],
    ids=["stdlib", "items", "userdict", "iterator", "odd-others", "none-in-list", "environ"],
)
def test_headers_may_have_any_shape(unset: WebhooksApi, headers: Any) -> None:
    """Anything with `items()`, or pairs, works, a WSGI environ too; other headers are ignored."""
    unset.verify(headers, secret="plain")


@pytest.mark.parametrize(
    "headers",
    [
        received("X-Soniox-Webhook-Secret: plain", "x-soniox-webhook-secret: plain"),
        Bag(("X-Soniox-Webhook-Secret", "plain"), ("X-SONIOX-WEBHOOK-SECRET", "wrong")),
        received("Host: x"),
        {"X-Soniox-Webhook-Secret": None},
        {"X-Soniox-Webhook-Secret": [None]},
        {"X-Soniox-Webhook-Secret": 5},
        {"X-Soniox-Webhook-Secret": {"plain": "plain"}},
        {"X-Soniox-Webhook-Secret": ["plain", 5]},
        {"X-Soniox-Webhook-Secret": True},
        {"HTTP_X_SONIOX_WEBHOOK_SECRET": "wrong"},
        {5: "plain", None: "plain", ("a",): "plain"},
        [],
    ],
    ids=range(12),
)
def test_unusable_values_are_refused(unset: WebhooksApi, headers: Any) -> None:
    """A header that is repeated, `None` or not text is refused, never with another exception."""
    with pytest.raises(WebhookSignatureError):
        unset.unwrap(BODY, headers, secret="plain")


@pytest.mark.parametrize(
    "headers",
    [None, 5, "abc", b"abc", "", [("a",)], [("a", "b", "c")], [1, 2], object(), dict, True],
)
def test_other_types_are_refused(webhooks: WebhooksApi, headers: Any) -> None:
    """An object that cannot contain headers raises `InputTypeError`."""
    for call in (webhooks.verify, lambda given: webhooks.unwrap(BODY, given)):
        with pytest.raises(InputTypeError, match="headers: expected a mapping or pairs"):
            call(headers)  # type: ignore[no-untyped-call]


def test_a_header_name_must_be_text(webhooks: WebhooksApi) -> None:
    """`header=` of another type is refused."""
    with pytest.raises(InputTypeError, match="header: expected a str, got int"):
        webhooks.verify({}, header=5)  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="header: expected a str, got int"):
        webhooks.fields("https://x/y", header=5)  # type: ignore[arg-type]


def test_a_receiver_of_the_standard_library_works(webhooks: WebhooksApi) -> None:
    """A webhook received by an `http.server` is read from its headers."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Receive the webhook."""
            try:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append(webhooks.unwrap(body, self.headers, secret="plain"))
            except Exception as error:  # noqa: BLE001 - asserted below
                got.append(error)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        helper = threading.Thread(target=server.handle_request)
        helper.start()
        url = f"http://127.0.0.1:{server.server_port}/hook"
        request = urllib.request.Request(url, BODY, {"x-soniox-webhook-secret": "plain"})
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20)
        helper.join()
    assert getattr(got[0], "id", got[0]) == "8f0c"


def test_secrets_are_compared_in_constant_time(
    webhooks: WebhooksApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets are compared by `hmac.compare_digest`, as bytes."""
    seen: list[tuple[Any, Any]] = []

    def compare(a: Any, b: Any) -> bool:
        seen.append((a, b))
        return bool(a == b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    webhooks.verify({DEFAULT_HEADER: SECRET})
    assert seen == [(SECRET.encode(), SECRET.encode())]


def test_an_unset_secret_is_an_error(unset: WebhooksApi) -> None:
    """Without a secret nothing is accepted, whatever is sent; the message says what to set."""
    for headers in ({}, {DEFAULT_HEADER: ""}, {DEFAULT_HEADER: "anything"}):
        with pytest.raises(MissingWebhookSecretError, match="SONIOX_API_WEBHOOK_SECRET") as caught:
            unset.unwrap(BODY, headers)
        assert isinstance(caught.value, WebhookSignatureError)
        assert isinstance(caught.value, ConfigurationError)
    with pytest.raises(MissingWebhookSecretError):
        unset.verify({}, secret="")
    with pytest.raises(InputTypeError, match="allow_unsigned: expected True or False"):
        unset.verify({}, allow_unsigned=1)  # type: ignore[arg-type]


def test_unsigned_is_accepted_only_if_allowed(unset: WebhooksApi, webhooks: WebhooksApi) -> None:
    """`allow_unsigned=True` matters only if no secret is set; a secret that is set is checked."""
    unset.verify({}, allow_unsigned=True)
    assert unset.unwrap(BODY, {}, allow_unsigned=True).id == "8f0c"
    with pytest.raises(WebhookSignatureError):
        webhooks.verify({}, allow_unsigned=True)


def test_arguments_override_the_environment(webhooks: WebhooksApi, unset: WebhooksApi) -> None:
    """`secret=` and `header=` replace the values of the environment."""
    webhooks.verify({"x-mine": "other"}, secret="other", header="X-Mine")
    unset.verify({DEFAULT_HEADER: "other"}, secret="other")
    with pytest.raises(WebhookSignatureError):
        webhooks.verify({"X-Mine": SECRET}, secret="other", header="X-Mine")
    with pytest.raises(TypeError):
        webhooks.verify({}, secret=7)  # type: ignore[arg-type]


def test_the_environment_is_read_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Header and secret are read when the client is made."""
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", "then")
    monkeypatch.setenv("SONIOX_API_WEBHOOK_HEADER", "X-Then")
    with SonioxClient("key") as client:
        monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", "now")
        client.webhooks.verify({"x-then": "then"})
        assert client.webhooks.fields("https://x/y") == {
            "webhook_url": "https://x/y",
            "webhook_auth_header_name": "X-Then",
            "webhook_auth_header_value": "then",
        }
        assert "'then'" not in repr(client.webhooks)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"id": "x"',
        b'{"status": "completed"}',
        b'{"id": "", "status": "completed"}',
        b'{"id": 7, "status": "completed"}',
        b'{"id": "x"}',
        b'{"id": "x", "status": null}',
        b"\xff\xfe",
        b"[" * 30_000,
    ],
    ids=range(12),
)
def test_an_unreadable_body_is_a_parse_error(webhooks: WebhooksApi, body: bytes) -> None:
    """An unreadable body raises another error than a wrong secret."""
    with pytest.raises(SonioxHttpError) as caught:
        webhooks.unwrap(body, {DEFAULT_HEADER: SECRET})
    assert caught.value.code == "parse_error"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
def test_bodies_may_be_bytes_or_text(webhooks: WebhooksApi, kind: Any) -> None:
    """Bytes-like and str bodies are read; other types are refused."""
    assert webhooks.unwrap(kind(BODY), {DEFAULT_HEADER: SECRET}).status == "completed"
    with pytest.raises(TypeError):
        webhooks.unwrap({"id": "x"}, {DEFAULT_HEADER: SECRET})  # type: ignore[arg-type]


def test_an_untrusted_body_is_not_read(webhooks: WebhooksApi) -> None:
    """The secret is checked first."""
    with pytest.raises(WebhookSignatureError):
        webhooks.unwrap(b"not json", {DEFAULT_HEADER: "wrong"})


def test_an_unknown_status_is_kept(webhooks: WebhooksApi) -> None:
    """An unknown status is a plain str; known ones print as their value."""
    headers = {DEFAULT_HEADER: SECRET}
    assert webhooks.unwrap(b'{"id": "x", "status": "paused"}', headers).status == "paused"
    assert f"{webhooks.unwrap(BODY, headers).status}" == "completed"


@pytest.mark.parametrize(
    "secret", ["pässwort", "秘密", "a\x00b", "a\r\nX-Evil: 1", "a\x7fb", "\u2019"]
)
def test_a_secret_that_no_header_can_have_is_refused(
    unset: WebhooksApi, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """A secret that is not ASCII would never match; the error names its option, and not it."""
    calls = {
        "secret": [
            lambda: unset.verify({DEFAULT_HEADER: secret}, secret=secret),
            lambda: unset.unwrap(BODY, {DEFAULT_HEADER: secret}, secret=secret),
            lambda: unset.fields("https://x.example", secret=secret),
        ]
    }
    if "\x00" not in secret:
        monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", secret)
        made = SonioxClient("a-key").webhooks
        calls["SONIOX_API_WEBHOOK_SECRET"] = [
            lambda: made.verify({DEFAULT_HEADER: secret}),
            lambda: made.fields("https://x.example"),
        ]
    with SonioxClient("a-key") as client:
        calls["webhook_auth_header_value"] = [
            lambda: client.stt.create(
                audio_url="https://x.example/a.wav",
                webhook_url="https://x.example",
                webhook_auth_header_name="X-Mine",
                webhook_auth_header_value=secret,
            )
        ]
        for option, each in calls.items():
            for call in each:
                with pytest.raises(
                    ConfigurationError, match=f"{option}: .*printable ASCII"
                ) as caught:
                    call()
                assert "token_urlsafe" in str(caught.value) and secret not in str(caught.value)


@pytest.mark.parametrize("name", ["X Mine", "X-Größe", "X:", "X\r\nY"])
def test_a_name_that_no_header_can_have_is_refused(unset: WebhooksApi, name: str) -> None:
    """So is the name of a header with blanks, colons, or letters that are not ASCII."""
    for call in (
        lambda: unset.verify({name: "plain"}, secret="plain", header=name),
        lambda: unset.fields("https://x.example", secret="plain", header=name),
    ):
        with pytest.raises(ConfigurationError, match="header: expected the name of a header"):
            call()
