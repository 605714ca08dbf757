"""`SlngClient`: keys, headers, refused upgrades, secrets. PROTOCOL 8.1."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from soniox_sync import SlngClient, SonioxClient
from soniox_sync.errors import (
    AuthError,
    BadRequestError,
    ConfigurationError,
    InputTypeError,
    QuotaError,
    RealtimeError,
    SonioxConnectionError,
)
from soniox_sync.realtime.stt.session import SttSession
from soniox_sync.realtime.tts.handle import TtsConnection, TtsStream
from tests.peers import RawPeer, close_frame
from tests.realtime.servers import raised_by
from tests.slng.wire import (
    KEY,
    RAW,
    VOICE,
    client_for,
    connected_session,
    connected_speech,
    send_texts,
)
from tests.waiting import drain

PROVIDER_KEY = "snx-Provider0Secret1Of2The3Tests"


def test_the_classes_are_those_of_the_other_client(raw_peer: RawPeer) -> None:
    """Streams, connections and sessions have the same classes: code need not know the gateway."""
    client = client_for(raw_peer)
    assert isinstance(client.realtime, type(SonioxClient("a-key").realtime))
    with connected_speech(raw_peer) as (connection, _):
        assert type(connection) is TtsConnection
        assert type(connection.stream(**VOICE)) is TtsStream
    with connected_session(raw_peer) as (session, _, _):
        assert type(session) is SttSession


def test_base_url_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SLNG_BASE_URL` replaces the global host; `base_url=` and a region's host precede it."""
    monkeypatch.setenv("SLNG_BASE_URL", "ws://127.0.0.1:1/")
    assert SlngClient("key").base_url == "ws://127.0.0.1:1"
    assert SlngClient("key", region="eu-north-1").base_url == "ws://127.0.0.1:1"
    assert SlngClient("key", region="us-east").base_url == "wss://us-east.api.slng.ai"
    assert SlngClient("key", base_url="wss://own.invalid").base_url == "wss://own.invalid"
    monkeypatch.setenv("SLNG_BASE_URL", "https://own.invalid")
    with pytest.raises(ConfigurationError, match="SLNG_BASE_URL"):
        SlngClient("key")
    monkeypatch.setenv("SLNG_BASE_URL", "")
    assert SlngClient("key").base_url == "wss://api.slng.ai"


def test_the_key_has_its_own_variable(raw_peer: RawPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SLNG_API_KEY` is read when the client is created; the service's own variable never is."""
    monkeypatch.setenv("SLNG_API_KEY", "slng-from-the-environment")
    monkeypatch.setenv("SONIOX_API_KEY", "snx-not-this-one")
    client = SlngClient(base_url=f"ws://127.0.0.1:{raw_peer.port}/")
    monkeypatch.delenv("SLNG_API_KEY")
    with connected_session(raw_peer, client=client) as (_, remote, _):
        assert remote.request.headers["authorization"] == "Bearer slng-from-the-environment"


def test_a_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the first use raises, naming the variable and the sandbox."""
    monkeypatch.delenv("SLNG_API_KEY", raising=False)
    monkeypatch.setenv("SONIOX_API_KEY", "snx-not-this-one")
    for use in (lambda c: c.realtime.stt(), lambda c: c.realtime.tts(**VOICE)):
        error = raised_by(lambda use=use: use(SlngClient()))
        assert isinstance(error, ConfigurationError)
        assert "SLNG_API_KEY" in str(error)
        assert "sandbox" in str(error)


def test_an_empty_provider_key_names_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's key is only read from the argument, so the error names no variable."""
    monkeypatch.setenv("SONIOX_API_KEY", "snx-not-this-one")
    with pytest.raises(ConfigurationError, match="pass provider_key=") as caught:
        SlngClient(KEY, provider_key=" ")
    assert "API_KEY" not in str(caught.value)


@pytest.mark.parametrize("service", ["speech", "transcription"])
def test_options_are_sent_as_headers(raw_peer: RawPeer, service: str) -> None:
    """World part, datacenters and provider key each have their header, on every route."""
    options: dict[str, Any] = {
        "world_part": "eu",
        "region": ["eu-north-1", "us-east-1"],
        "provider_key": lambda: PROVIDER_KEY,
    }
    client = client_for(raw_peer, **options)
    opened = (
        connected_speech(raw_peer, **options)
        if service == "speech"
        else connected_session(raw_peer, client=client)
    )
    with opened as given:
        headers = given[1].request.headers
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["x-world-part-override"] == "eu"
        assert headers["x-region-override"] == "eu-north-1, us-east-1"
        assert headers["x-slng-provider-key"] == PROVIDER_KEY
        assert "sec-websocket-protocol" not in headers


def test_no_headers_are_sent_by_default(raw_peer: RawPeer) -> None:
    """Without options no header is sent: the gateway chooses."""
    with connected_session(raw_peer) as (_, remote, _):
        assert not [name for name in remote.request.headers if name.startswith("x-")]


def test_a_key_callable_is_called_for_each_connection(raw_peer: RawPeer) -> None:
    """Both keys may be callables; each is called once per connection."""
    keys, providers = iter("ab"), iter("cd")
    client = client_for(
        raw_peer,
        api_key=lambda: f"key-{next(keys)}",
        provider_key=lambda: f"provider-{next(providers)}",
    )
    for one, other in (("a", "c"), ("b", "d")):
        with connected_session(raw_peer, client=client) as (_, remote, _):
            assert remote.request.headers["authorization"] == f"Bearer key-{one}"
            assert remote.request.headers["x-slng-provider-key"] == f"provider-{other}"


@pytest.mark.parametrize(
    ("options", "kind", "named"),
    [
        ({"api_key": ""}, ConfigurationError, "SLNG_API_KEY"),
        ({"api_key": "Bearer x"}, ConfigurationError, "api_key"),
        ({"provider_key": "a key"}, ConfigurationError, "provider_key"),
        ({"provider_key": 17}, InputTypeError, "provider_key"),
        ({"base_url": "https://api.slng.ai"}, ConfigurationError, "base_url"),
        ({"base_url": "ws://api.slng.ai"}, ConfigurationError, "unencrypted"),
        ({"base_url": "wss://user:pass@api.slng.ai"}, ConfigurationError, "credentials"),
        ({"tts_ws_url": "nowhere"}, ConfigurationError, "tts_ws_url"),
        ({"world_part": ""}, ConfigurationError, "world_part"),
        ({"world_part": "eu\r\nX-Evil: 1"}, ConfigurationError, "world_part"),
        ({"region": ["eu", 1]}, InputTypeError, "region"),
        ({"region": []}, ConfigurationError, "region"),
        ({"timeout_sec": 0}, ConfigurationError, "timeout_sec"),
        ({"buffer_queue_size": -1}, ConfigurationError, "buffer_queue_size"),
        ({"proxy": 1}, InputTypeError, "proxy"),
        ({"stt_defaults": {"modell": "x"}}, ConfigurationError, "model"),
        ({"tts_defaults": {"voize": "x"}}, ConfigurationError, "voice"),
    ],
)
def test_wrong_options_raise_at_once(
    options: dict[str, Any], kind: type[Exception], named: str
) -> None:
    """The constructor raises for a wrong option and names it."""
    with pytest.raises(kind, match=named) as caught:
        SlngClient(**{"api_key": KEY, **options})
    assert KEY not in str(caught.value)


def test_a_url_with_a_route_decides_the_model(raw_peer: RawPeer) -> None:
    """A `stt_ws_url` that ends in a route decides the protocol; a model against it is refused."""
    url = f"{raw_peer.url.rstrip('/')}/v1/stt/soniox/speech-ai:rt-v5"
    client = SlngClient(KEY, stt_ws_url=url)
    for model in ("rt-v4", "stt-rt-v3", "unmute/x"):
        with pytest.raises(ConfigurationError) as caught:
            client.realtime.stt(**RAW, model=model)
        assert str(caught.value) == (
            f"model: expected 'rt-v5', the model in stt_ws_url, got {model!r}"
        )
        with pytest.raises(ConfigurationError, match="the model in stt_ws_url"):
            client.realtime.transcribe(b"\1\0", **RAW, model=model)
    for fields in ({}, {"model": "stt-rt-v5"}, {"model": "soniox/speech-ai:rt-v5"}):
        session = client.realtime.stt(**RAW, **fields)
        with raw_peer.accept() as remote:
            assert remote.recv_message().json["model"] == "stt-rt-v5"
            remote.answer_close()
            session.close()


KEY_HEADER = "Authorization: Bearer"
ZONE_HEADER = "X-World-Part-Override"
# status, class, what to do
REFUSALS: list[tuple[int, type[Exception], str]] = [
    (401, AuthError, KEY_HEADER),
    (403, AuthError, "X-Slng-Provider-Key"),
    (400, BadRequestError, ZONE_HEADER),
    (402, QuotaError, "balance"),
    (404, RealtimeError, ZONE_HEADER),
    (404, RealtimeError, "X-Region-Override"),
    (426, RealtimeError, ZONE_HEADER),
    (429, QuotaError, "try again later"),
    (500, SonioxConnectionError, "try again later"),
    (503, SonioxConnectionError, "try again later"),
]
BODIES = {
    "text": b"The gateway says no, for reason 17.",
    "json message": b'{"message":"The gateway says no, for reason 17."}',
    "json error": b'{"error":"The gateway says no, for reason 17."}',
    "json nested": b'{"error":{"code":"denied","message":"The gateway says no, for reason 17."}}',
    "json detail": b'{"detail":["The gateway says no, for reason 17."]}',
    "not UTF-8": b"The gateway says no \xff, for reason 17.",
}


USES: dict[str, Callable[[SlngClient], Any]] = {
    "tts": lambda client: client.realtime.tts.multi_stream(),
    "stt": lambda client: client.realtime.stt(**RAW),
    "rt-v3": lambda client: client.realtime.stt(model="rt-v3", **RAW),
}


def refusal(status: int, body: bytes, kind: str = "text/plain") -> bytes:
    """Return the response that refuses an upgrade."""
    head = f"HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def refused(status: int, body: bytes, use: str) -> BaseException:
    """Return the error of a client's use if the upgrade is refused."""
    with RawPeer(answer=lambda remote: refusal(status, body)) as peer:
        error = raised_by(lambda: USES[use](client_for(peer)))
        peer.accept().close()
    return error


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("status", "kind", "advice"), REFUSALS)
def test_a_refused_upgrade_shows_the_gateway_s_text_and_the_header(
    status: int, kind: type[Exception], advice: str, use: str
) -> None:
    """The error of a refused upgrade has the gateway's text, then which header to set."""
    error = refused(status, BODIES["text"], use)
    assert isinstance(error, kind)
    assert "The gateway says no, for reason 17: " in str(error)
    assert f"HTTP {status}" in str(error)
    assert advice in str(error)
    assert "region's project" not in str(error)  # the service's own advice would be misleading


@pytest.mark.parametrize("status", [401, 404, 503])
@pytest.mark.parametrize("body", BODIES)
def test_the_text_of_a_refusal_is_shown_in_any_shape(body: str, status: int) -> None:
    """With text or JSON of any shape the error has the gateway's text and our advice."""
    error = refused(status, BODIES[body], "tts")
    assert isinstance(error, RealtimeError)
    assert error.status_code == status
    assert "for reason 17" in str(error)
    assert {401: KEY_HEADER, 404: ZONE_HEADER, 503: "try again later"}[status] in str(error)


@pytest.mark.parametrize("body", [b"", b"<html><body>Bad Gateway</body></html>", b"[1,2]"])
def test_a_refusal_without_text_still_has_advice(body: bytes) -> None:
    """With an empty or unexpected body the error has the status and our advice."""
    error = refused(401, body, "stt")
    assert isinstance(error, AuthError)
    assert "HTTP 401" in str(error)
    assert KEY_HEADER in str(error)


def test_speak_raises_the_refusal_too() -> None:
    """`speak()` connects in the background; its reader gets the same error."""
    with RawPeer(answer=lambda remote: refusal(401, b"No such key.")) as peer:
        error = raised_by(lambda: client_for(peer).realtime.speak("Hello.", **VOICE).read())
        assert isinstance(error, AuthError)
        assert "No such key" in str(error)
        assert "Authorization: Bearer" in str(error)


def everything_about(error: BaseException) -> str:
    """Return everything that a program might print of an exception."""
    chain = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return f"{chain} {error!r} {vars(error)!r}"


def test_keys_are_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """No key is in a repr, a log line or an exception, even if the gateway echoes it."""
    echo = f"{KEY} and {PROVIDER_KEY}"
    shown = ""
    with caplog.at_level(logging.DEBUG):
        with RawPeer(answer=lambda remote: refusal(403, echo.encode())) as peer:
            client = client_for(peer, provider_key=PROVIDER_KEY, world_part="eu")
            shown += repr(client) + repr(vars(client).get("_realtime"))
            shown += everything_about(raised_by(lambda: client.realtime.stt(**RAW)))
            shown += everything_about(raised_by(client.realtime.tts.multi_stream))
        with RawPeer() as peer:
            with connected_speech(peer, provider_key=PROVIDER_KEY) as (connection, remote):
                stream = connection.stream(**VOICE)
                stream.send_text("Hello.")
                send_texts(remote, f'{{"type":"error","code":"auth_error","message":"{echo}"}}')
                shown += everything_about(drain(stream)[-1]) + repr(stream) + repr(connection)
            client = client_for(peer, provider_key=PROVIDER_KEY)
            with connected_session(peer, client=client) as (session, remote, _):
                remote.send(close_frame(1008, echo))
                shown += everything_about(drain(session)[-1]) + repr(session)
    shown += caplog.text
    assert "***" in shown
    assert KEY not in shown
    assert PROVIDER_KEY not in shown


def test_the_repr_shows_the_url_and_the_region(raw_peer: RawPeer) -> None:
    """The repr shows the base URL, the world part and the datacenters."""
    shown = repr(SlngClient(KEY, world_part="eu", region=["eu-north-1", "us-east-1"]))
    assert shown == (
        "<SlngClient wss://api.slng.ai X-World-Part-Override=eu "
        "X-Region-Override=eu-north-1, us-east-1>"
    )


def test_complete_urls_replace_the_routes(raw_peer: RawPeer) -> None:
    """`stt_ws_url` and `tts_ws_url` allow routes that this release does not know."""
    url = f"ws://127.0.0.1:{raw_peer.port}/v2/new"
    client = client_for(raw_peer, base_url="wss://elsewhere.invalid", stt_ws_url=url)
    with connected_session(raw_peer, client=client) as (_, remote, _):
        assert remote.request.path == "/v2/new"
    with connected_speech(raw_peer, base_url="wss://elsewhere.invalid", tts_ws_url=url) as (
        _,
        remote,
    ):
        assert remote.request.path == "/v2/new"


def test_a_client_is_a_context_manager() -> None:
    """Leaving the block closes the client, and closing again does nothing."""
    with SlngClient(KEY) as client:
        assert client.realtime is client.realtime
    client.close()
