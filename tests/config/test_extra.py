"""`extra`: fields newer than this library, at the top and inside `context` and `translation`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Callable

import pytest

from soniox_sync import SonioxClient
from soniox_sync.config import Context, OneWayTranslation, SttConfig, TwoWayTranslation
from soniox_sync.errors import ConfigurationError, InputTypeError, SonioxHttpError
from soniox_sync.rest import TranscriptionConfig
from tests.peers import RawPeer
from tests.realtime.servers import RAW
from tests.rest.raw_http import RawHttp, reply

NEW = {"newer": [1, None, {"deep": True}]}
ONE = {"type": "one_way", "target_language": "es"}
TWO = {"type": "two_way", "language_a": "en", "language_b": "es"}

CONTEXTS: dict[str, Any] = {
    "mapping": {"terms": ["x"], "extra": NEW},
    "dataclass": Context(terms=["x"], extra=NEW),
}
TRANSLATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "one way, mapping": ({**ONE, "extra": NEW}, ONE),
    "one way, dataclass": (OneWayTranslation("es", extra=NEW), ONE),
    "two way, mapping": ({**TWO, "extra": NEW}, TWO),
    "two way, dataclass": (TwoWayTranslation("en", "es", extra=NEW), TWO),
    "newer type": ({"type": "newer_way", "a": 1, "extra": NEW}, {"type": "newer_way", "a": 1}),
}


def job(**fields: Any) -> dict[str, Any]:
    """Return the body of the request that creates a job with these fields."""
    with RawHttp(reply(b"{}")) as server:
        with server.client() as client, suppress(SonioxHttpError):  # no job is returned
            client.stt.create(file_id="f1", **fields)
        return dict(json.loads(server.requests[0].body))


def session(**fields: Any) -> dict[str, Any]:
    """Return the start message of a session with these fields."""
    with RawPeer() as peer:
        client = SonioxClient("a-key", stt_ws_url=peer.url)
        opened = client.realtime.stt(**RAW, **fields)
        with peer.accept() as remote:
            start = remote.recv_message().json
        opened.close()
        return dict(start)


SENT: dict[str, Callable[..., dict[str, Any]]] = {"session": session, "job": job}


@pytest.mark.parametrize("way", SENT)
@pytest.mark.parametrize("form", CONTEXTS)
def test_inside_a_context_it_is_sent_beside_its_fields(way: str, form: str) -> None:
    """A session and a job send the extra fields of a context among its own, and no `extra`."""
    assert SENT[way](context=CONTEXTS[form])["context"] == {"terms": ["x"], **NEW}


@pytest.mark.parametrize("way", SENT)
@pytest.mark.parametrize("form", TRANSLATIONS)
def test_inside_a_translation_it_is_sent_beside_its_fields(way: str, form: str) -> None:
    """A session and a job send the extra fields of a translation among its own, of any type."""
    given, plain = TRANSLATIONS[form]
    assert SENT[way](translation=given)["translation"] == {**plain, **NEW}


@pytest.mark.parametrize("way", SENT)
def test_at_the_top_it_is_sent_beside_the_fields(way: str) -> None:
    """Extra fields at the top are sent as fields, whatever is inside context and translation."""
    wire = SENT[way](context=CONTEXTS["mapping"], translation=ONE, extra={"top": NEW})
    assert wire["top"] == NEW and "extra" not in wire
    assert wire["translation"] == ONE


def test_through_a_session_s_connection_nothing_is_lost(raw_peer: RawPeer) -> None:
    """Of defaults and a call both extras at the top are sent; a context is that of the call."""
    defaults = {"extra": {"a": 1, "b": 1}, "context": {"extra": {"of": "defaults"}}}
    client = SonioxClient("a-key", stt_ws_url=raw_peer.url, stt_defaults=defaults)
    opened = client.realtime.stt(**RAW, extra={"b": 2}, context={"extra": {"of": "call"}})
    with raw_peer.accept() as remote:
        start = remote.recv_message().json
    opened.close()
    assert (start["a"], start["b"], start["context"]) == (1, 2, {"of": "call"})


@pytest.mark.parametrize("make", [SttConfig, TranscriptionConfig])
@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {"api_key": "snx-secret"}},
        {"extra": {"newer": [{"api_key": "snx-secret"}]}},
        {"context": {"extra": {"api_key": "snx-secret"}}},
        {"translation": {**ONE, "extra": {"api_key": "snx-secret"}}},
        {"translation": {"type": "newer_way", "api_key": "snx-secret"}},
        {"translation": {"type": "newer_way", "a": {"api_key": "snx-secret"}}},
    ],
)
def test_a_key_is_refused_wherever_it_is(make: Callable[..., Any], fields: Any) -> None:
    """A key goes into the handshake: no extra field may carry one, and no error shows it."""
    with pytest.raises(ConfigurationError, match="got 'api_key'; pass the key to the client") as no:
        make(**fields)
    assert "snx-secret" not in str(no.value)


@pytest.mark.parametrize("make", [SttConfig, TranscriptionConfig])
@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"context": {"trems": ["x"]}}, ConfigurationError, "did you mean 'terms'"),
        ({"translation": {**ONE, "target": "es"}}, ConfigurationError, "mean 'target_language'"),
        ({"context": {"extra": [1]}}, InputTypeError, "context.extra: expected a mapping"),
        ({"context": {"extra": {5: 1}}}, InputTypeError, "context.extra: expected names that"),
        ({"context": {"extra": {"a": object()}}}, InputTypeError, "context.extra: expected values"),
        ({"context": {"extra": {"terms": []}}}, ConfigurationError, "context.extra: .* 'terms'"),
        ({"translation": {**ONE, "extra": 5}}, InputTypeError, "translation.extra: expected a"),
        ({"extra": {"context": {}}}, ConfigurationError, "extra: .* got 'context'; set the field"),
    ],
)
def test_what_is_no_newer_field_is_refused(
    make: Callable[..., Any], fields: Any, error: type[Exception], said: str
) -> None:
    """A mistyped name is answered with the right one; `extra` cannot replace a field."""
    with pytest.raises(error, match=said):
        make(**fields)
