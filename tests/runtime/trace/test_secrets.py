"""Secrets: each is planted where it could appear, and no line of a trace shows it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import hypothesis.strategies
import pytest
from hypothesis import given

from soniox_sync import SlngClient, SonioxClient
from soniox_sync.errors import SonioxError
from soniox_sync.runtime.redaction import secrets_of_proxy
from soniox_sync.runtime.trace.content import Encoder
from soniox_sync.runtime.trace.redaction import Redaction, known
from soniox_sync.runtime.trace.trace import Trace
from soniox_sync.transport.connect import Target
from tests.peers import Listener, RawPeer, Remote, close_frame, message, text
from tests.realtime.servers import RAW
from tests.runtime.pairs import text_frame
from tests.runtime.trace.lines import KEY, client_of, lines_of, of_kind, said, traced
from tests.waiting import WAIT

TEMPORARY = "temp:Ab3/xyz+99-created"
WEBHOOK = "hook-secret-Zq7/1"
PROVIDER = "provider-key-55aa77"
# each as a server may spell it
SPELLINGS = [
    KEY,
    quote(KEY, safe=""),
    quote(KEY),
    KEY.replace("/", "\\/"),
    "sk-Trace%2ftest%2bkey-0123456789",
]


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Begin each test without the secrets of the others."""
    known.secrets, headers = (), known.headers
    yield
    known.secrets, known.headers = (), headers


def shown(out: io.BytesIO) -> str:
    return out.getvalue().decode("utf-8")


def hides(text: str, *secrets: str) -> bool:
    """Return whether a text has none of these in any spelling."""
    spellings = {
        spelling
        for secret in secrets
        for spelling in (
            secret,
            quote(secret, safe=""),
            quote(secret, safe="").lower(),
            secret.replace("/", "\\/"),
            base64.b64encode(secret.encode()).decode(),
        )
    }
    return not any(spelling in text for spelling in spellings)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_that_the_server_echoes_in_frames(raw_peer: RawPeer, spelling: str) -> None:
    """A key echoed in a result, an error frame, a text, a name of a field or a close reason."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    remote.send(
        message(tokens=[{"text": f"said {spelling}"}]),
        message(tokens=[], error_code=401, error_message=f"bad key {spelling}!"),
        message(tokens=[], **{spelling: [spelling]}),
        message(stream_id=spelling, terminated=True),
        text(f"no JSON: {spelling}"),
        text(f'{{"tokens": [{{"text": "{escaped}"}}]}}'),
        close_frame(1008, f"key {spelling} expired"),
    )
    listener.end()
    lines = lines_of(out)
    assert said(lines, "received") == [
        {"tokens": [{"text": "said ***"}]},
        {"tokens": [], "error_code": 401, "error_message": "bad key ***!"},
        {"tokens": [], "***": ["***"]},
        {"stream_id": "***", "terminated": True},
        "no JSON: ***",
        {"tokens": [{"text": "***"}]},
    ]
    assert of_kind(lines, "message")[3]["stream"] == "***"
    closes = of_kind(lines, "close")
    assert [line["reason"] for line in closes if line["direction"] == "received"] == [
        "key *** expired"
    ]
    assert hides(shown(out), KEY)


def test_a_key_that_the_server_echoes_while_connecting() -> None:
    """A key echoed in the headers and the body of a refusal and of a redirect."""

    def refuse(remote: Remote) -> bytes:
        body = f'{{"error_message": "no {KEY}"}}'.encode()
        return (
            f"HTTP/1.1 401 No {KEY}\r\nX-Echo: {KEY}\r\nSet-Cookie: id=s3cret\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def redirect(remote: Remote) -> bytes:
        where = f"wss://u:pw@other.example/?key={quote(KEY)}&token=abc123&lang=en"
        return f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()

    out = io.BytesIO()
    for answer in (refuse, redirect):
        with RawPeer(answer=answer) as peer:
            connection = traced(out, peer.url)
            with pytest.raises(SonioxError):
                connection.open(WAIT)
            assert connection.closed.wait(WAIT)
    refused, moved = of_kind(lines_of(out), "refused")
    assert refused["headers"]["x-echo"] == "***" and refused["headers"]["set-cookie"] == "***"
    assert json.loads(refused["body"]) == {"error_message": "no ***"}
    place = "wss://***@other.example/?key=***&token=***&lang=en"
    assert moved["status"] == 302 and moved["headers"]["location"] == place
    assert hides(shown(out), KEY, "s3cret", "u:pw", "abc123")


def test_a_key_in_an_error_of_the_connection() -> None:
    """An error that ends a connection is recorded without the key in it."""

    def fail(*_: Any) -> Any:
        raise ConnectionError(f"proxy says {KEY}")

    out = io.BytesIO()
    connection = traced(out, "ws://127.0.0.1:9/", opener=fail)
    with pytest.raises(SonioxError):
        connection.open(WAIT)
    assert connection.closed.wait(WAIT)
    assert "proxy says ***" in of_kind(lines_of(out), "end")[0]["error"]
    assert hides(shown(out), KEY)


@pytest.mark.parametrize("auth", ["header", "subprotocol", "message"])
def test_a_key_wherever_it_is_sent(raw_peer: RawPeer, auth: Any) -> None:
    """The key is redacted in the header, the subprotocol and the first message that carry it."""
    key = "temp-key_0123.456"

    def accept(remote: Remote) -> bytes:
        assert remote.request is not None
        offered = remote.request.headers.get("sec-websocket-protocol", "").split(", ")
        return remote.request.accept(*[f"Sec-WebSocket-Protocol: {p}" for p in offered[-1:] if p])

    out = io.BytesIO()
    with RawPeer(answer=accept) as peer:
        client = client_of(peer.url, out, api_key=key, auth=auth)
        session = client.realtime.stt(**RAW)
        first = peer.accept().recv_message()
        session.close()
    assert (key in first.text) == (auth == "message")
    assert hides(shown(out), key) and "***" in shown(out)


def test_a_short_key_is_redacted_where_it_belongs(raw_peer: RawPeer) -> None:
    """A key of three characters is redacted in its header and its field, and words stay."""
    out = io.BytesIO()
    client = client_of(raw_peer.url, out, api_key="abc", auth="message")
    session = client.realtime.stt(**RAW)
    remote = raw_peer.accept()
    remote.recv_message()
    remote.send(message(tokens=[{"text": "abc", "is_final": True}]))
    next(iter(session.results()))
    session.close()
    lines = lines_of(out)
    assert said(lines, "sent")[0]["api_key"] == "***"
    assert said(lines, "received") == [{"tokens": [{"text": "abc", "is_final": True}]}]


def test_keys_of_gateways(raw_peer: RawPeer) -> None:
    """The gateway's key and that of the provider behind it are redacted, also when echoed."""
    out = io.BytesIO()
    client = SlngClient(
        "slng-key-0123456", provider_key=PROVIDER, stt_ws_url=raw_peer.url, trace=out
    )
    session = client.realtime.stt(**RAW)
    remote = raw_peer.accept()
    remote.send(message(type="error", message=f"{PROVIDER} and slng-key-0123456"))
    with pytest.raises(SonioxError):
        list(session.results())
    session.close()
    (connect,) = of_kind(lines_of(out), "connect")
    assert connect["headers"]["X-Slng-Provider-Key"] == "***"
    assert connect["headers"]["Authorization"] == "Bearer ***"
    assert said(lines_of(out), "received")[0]["message"] == "*** and ***"
    assert hides(shown(out), PROVIDER, "slng-key-0123456")


def test_the_clients_key_on_a_connection_with_another(raw_peer: RawPeer) -> None:
    """A session with a key of its own does not show the client's, nor that of the environment."""
    out = io.BytesIO()
    client = client_of(raw_peer.url, out)
    session = client.realtime.stt(**RAW, options={"api_key": "session-key-777"})
    remote = raw_peer.accept()
    remote.recv_message()
    remote.send(message(tokens=[{"text": f"{KEY} session-key-777"}]))
    next(iter(session.results()))
    session.close()
    assert said(lines_of(out), "received") == [{"tokens": [{"text": "*** ***"}]}]


def test_secrets_of_the_environment(raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's key, webhook secret and proxy credentials are redacted when echoed."""
    monkeypatch.setenv("SONIOX_API_KEY", "environment-key-1")
    monkeypatch.setenv("SONIOX_API_WEBHOOK_SECRET", WEBHOOK)
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pass-word-1@proxy.example:3128")
    pair = base64.b64encode(b"me:pass-word-1").decode()
    out, listener = io.BytesIO(), Listener()
    client = client_of(raw_peer.url, out, api_key=None)
    session = client.realtime.stt(**RAW)
    remote = raw_peer.accept()
    remote.recv_message()
    echoes = f"environment-key-1 {WEBHOOK} {pair} me:pass-word-1 pass-word-1"
    remote.send(message(tokens=[{"text": echoes}]))
    next(iter(session.results()))
    session.close()
    assert said(lines_of(out), "received") == [{"tokens": [{"text": "*** *** *** *** ***"}]}]
    del listener


def test_credentials_of_a_proxy(raw_peer: RawPeer) -> None:
    """Credentials in proxy= are redacted as they are, decoded, and as the header sends them."""
    proxy = "http://user:p%40ss-word@127.0.0.1:9"
    assert set(secrets_of_proxy(proxy)) >= {"p%40ss-word", "p@ss-word", "user:p@ss-word"}
    header = base64.b64encode(b"user:p@ss-word").decode()
    assert header in set(secrets_of_proxy(proxy))
    out, listener = io.BytesIO(), Listener()
    target = Target(raw_peer.url, proxy="", secrets=(KEY,))
    connection = traced(Trace(out, proxy=proxy), raw_peer.url, listener, target=target)
    connection.open(WAIT)
    remote = raw_peer.accept()
    remote.send(message(tokens=[], note=f"407 Basic {header} user:p@ss-word p%40ss-word"))
    listener.take()
    connection.close(0.0)
    assert said(lines_of(out), "received") == [{"tokens": [], "note": "407 Basic *** *** ***"}]


def test_a_refusing_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that echoes its credentials in its refusal shows none in the trace."""
    credentials = base64.b64encode(b"user:pass-word-9").decode()

    def refuse(remote: Remote) -> bytes:
        return f"HTTP/1.1 407 no {credentials}\r\nContent-Length: 0\r\n\r\n".encode()

    out = io.BytesIO()
    with RawPeer(answer=refuse) as proxy:
        client = SonioxClient(
            KEY,
            stt_ws_url="wss://service.invalid/",
            proxy=f"http://user:pass-word-9@127.0.0.1:{proxy.port}",
            trace=out,
        )
        with pytest.raises(SonioxError):
            client.realtime.stt(**RAW)
    assert [line["kind"] for line in lines_of(out)] == ["trace", "connect", "end"]
    assert hides(shown(out), "pass-word-9", "user:pass-word-9")


def test_a_key_that_a_response_creates(raw_peer: RawPeer) -> None:
    """The value of any field `api_key` is redacted, and from then on wherever it appears."""
    out, listener = io.BytesIO(), Listener()
    connection = traced(out, raw_peer.url, listener)
    connection.open(WAIT)
    remote = raw_peer.accept()
    remote.send(
        message(tokens=[{"api_key": TEMPORARY, "note": f"use {TEMPORARY}"}]),
        message(tokens=[{"text": f"{TEMPORARY}, {quote(TEMPORARY, safe='')}"}]),
        message(session={"apiKey": ["a", "b"], "api_key": None, "API-Key": "short"}),
        text(f'"{TEMPORARY}"'),
    )
    for _ in range(4):
        listener.take()
    connection.send(lambda: text_frame(json.dumps({"api_key": "x", "again": TEMPORARY})))
    connection.close(0.0)
    assert said(lines_of(out), "received") == [
        {"tokens": [{"api_key": "***", "note": "use ***"}]},
        {"tokens": [{"text": "***, ***"}]},
        {"session": {"apiKey": "***", "api_key": None, "API-Key": "***"}},
        "***",
    ]
    assert said(lines_of(out), "sent") == [{"api_key": "***", "again": "***"}]
    # another client of the process hides it, too
    assert Redaction().text(TEMPORARY) == "***"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('{"api_key": "temp:abc", "n": 1} tail', '{"api_key": "***", "n": 1} tail'),
        ("echo api_key=abc&model=x", "echo api_key=***&model=x"),
        ('inner {\\"api_key\\": \\"abc\\"}', 'inner {\\"api_key\\": \\"***\\"}'),
        ("Authorization: Bearer abcdef", "Authorization: Bearer ***"),
        ("webhook_auth_header_value='abc'", "webhook_auth_header_value='***'"),
        ("api_key: required", "api_key: required"),
        ("the key is a keyword; authors=3", "the key is a keyword; authors=3"),
        ("https://me:pw@host/a?sig=1&lang=de#x", "https://***@host/a?sig=***&lang=de#x"),
        (
            "http://host/?X-Amz-Signature=1;access_token=2",
            "http://host/?X-Amz-Signature=***;access_token=***",
        ),
        (
            "http://host/?pass=1&user_pass=2&PWD=3&compass=north&passenger=me",
            "http://host/?pass=***&user_pass=***&PWD=***&compass=north&passenger=me",
        ),
    ],
)
def test_secrets_in_texts(given: str, expected: str) -> None:
    """Fields, headers and URLs inside a text lose their secrets; prose stays."""
    assert Redaction().text(given) == expected


def test_a_word_in_an_api_key_field_is_no_secret() -> None:
    """A server that says `{"api_key": "required"}` does not make that word a secret."""
    encoder = Encoder(Redaction(), False)
    assert encoder.message(b'{"api_key": "required"}') == {"json": {"api_key": "***"}}
    assert Redaction().text("required") == "required"


NAMES = [
    *("secret", "client_secret", "clientSecret", "secret-key", "password", "Passwd", "pass", "pwd"),
    *("passphrase", "token", "access_token", "refresh_token", "signature", "credentials"),
    *("webhook_secret", "private_key", "access_key", "id_token", "auth_token", "session_token"),
    *("sig", "credential", "provider_key", "api-key"),
]


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_known_by_their_names(name: str) -> None:
    """The same names are redacted in JSON and in queries; the value is redacted later, too."""
    value = "Planted-77/secret"
    encoder = Encoder(Redaction(), False)
    got = encoder.message(json.dumps({"type": "login", "with": [{name: value}]}).encode())
    assert got == {"json": {"type": "login", "with": [{name: "***"}]}}
    assert Redaction().text(f"refused {value}") == "refused ***"
    url = f"http://host/?{name}="
    assert Redaction().text(f"{url}other&lang=de") == f"{url}***&lang=de"


@pytest.mark.parametrize(
    "content",
    [
        {"tokens": [{"text": "a password"}], "token": {"text": "secret"}, "text_tokens": 5},
        {"context": {"general": [{"key": "domain", "value": "Healthcare"}]}},
        {"secret": None, "password": False, "token": 7, "token_count": "12", "passport": "x"},
    ],
)
def test_what_only_looks_like_a_secret_stays(content: dict[str, Any]) -> None:
    """Tokens of a transcript, counts, keys of a context and other names are content."""
    payload = json.dumps(content).encode()
    assert Encoder(Redaction(), False).message(payload) == {"json": content}


def test_webhook_secrets_are_learned_when_they_are_sent() -> None:
    """A webhook secret is redacted in its field, and later in the header that carries it."""
    encoder = Encoder(Redaction(), False)
    sent = {"webhook_auth_header_name": "X-Mine", "webhook_auth_header_value": f"Token {WEBHOOK}"}
    got = encoder.message(json.dumps(sent).encode())["json"]
    assert got == {"webhook_auth_header_name": "X-Mine", "webhook_auth_header_value": "***"}
    assert Redaction().headers({"x-mine": "any", "Other": WEBHOOK}) == {
        "x-mine": "***",
        "Other": "***",
    }


def test_deep_and_hostile_values_are_redacted() -> None:
    """A value nested beyond reason is masked, without a `RecursionError`."""
    value: Any = KEY
    for _ in range(200):
        value = [value, {"a": value}] if not isinstance(value, list) else [value]
    got = Encoder(Redaction([KEY]), False).message(json.dumps(value).encode())
    assert KEY not in json.dumps(got)


def test_secrets_that_are_not_ascii() -> None:
    """A secret with other letters is found as it is and as JSON escapes it."""
    redaction = Redaction(["пароль-пароль"])
    payload = json.dumps({"tokens": [{"text": "пароль-пароль"}]}).encode()
    assert b"\\u043f" in payload and redaction.may_hide(payload)
    assert redaction.value(json.loads(payload)) == {"tokens": [{"text": "***"}]}


def test_binary_data_with_a_key_in_it() -> None:
    """A key in a binary message or body, which need be no audio, is not contained either."""
    data = Encoder(Redaction([KEY]), True).body(b"\xff" + KEY.encode())["binary"]["data"]
    assert base64.b64decode(data) == b"\xff***"


def test_the_latest_keys_are_remembered() -> None:
    """Of very many keys the latest 256 are looked for, and a connection's own always."""
    own = Redaction(["own-key-12345678"])
    for number in range(300):
        known.learn([f"created-key-{number:04d}"])
    assert len(known.secrets) == 256
    assert own.text("own-key-12345678 created-key-0299 created-key-0000") == (
        "*** *** created-key-0000"
    )


def test_a_url_with_secrets_in_it(raw_peer: RawPeer) -> None:
    """The secret values of a URL's query are redacted in it and when the server repeats them."""
    out, listener = io.BytesIO(), Listener()
    target = Target(f"{raw_peer.url}?token=qu3ry-tok")
    connection = traced(out, raw_peer.url, listener, target=target)
    connection.open(WAIT)
    raw_peer.accept().send(message(tokens=[], echo="qu3ry-tok"))
    listener.take()
    connection.close(0.0)
    assert of_kind(lines_of(out), "connect")[0]["url"].endswith("?token=***")
    assert said(lines_of(out), "received") == [{"tokens": [], "echo": "***"}]


@given(
    text=hypothesis.strategies.text("yzk-_eapi", max_size=60),
    secret=hypothesis.strategies.text("yzk-_eapi", min_size=8, max_size=12),
    at=hypothesis.strategies.integers(0, 60),
    planted=hypothesis.strategies.booleans(),
)
def test_the_quick_look_finds_what_a_plain_search_finds(
    text: str, secret: str, at: int, planted: bool
) -> None:
    """Looking for the rarest byte of each secret misses none and invents none."""
    if planted:
        text = text[:at] + secret + text[at:]
    known.secrets = ()
    may_hide = Redaction([secret]).may_hide
    assert may_hide(text.encode()) == (secret in text)


@pytest.mark.parametrize("secret", ["0123456789abcdef" * 4, "tensofsecrets", "Zürich-é-key", KEY])
def test_a_secret_is_found_at_every_place(secret: str) -> None:
    """A secret of common letters, of rare ones and of others is found first, last and between."""
    may_hide = Redaction([secret]).may_hide
    data = secret.encode()
    for payload in (data, b"x" + data, data + b"x", data[:-1] + data, data[1:] + b" " + data):
        assert may_hide(payload)
    assert not may_hide(data[:-1]) and not may_hide(data[1:]) and not may_hide(b"")
