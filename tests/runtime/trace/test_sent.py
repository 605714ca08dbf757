"""Secrets that are sent, and copied results: no line shows what the slow path would redact."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import hypothesis.strategies
import pytest
from hypothesis import given

from soniox_sync.runtime.trace.content import Encoder
from soniox_sync.runtime.trace.redaction import Redaction, known
from soniox_sync.runtime.trace.results import is_plain
from soniox_sync.runtime.trace.trace import ConnectionTrace, Trace
from soniox_sync.transport.connect import Target
from soniox_sync.transport.frames import TEXT
from tests.runtime.trace.lines import KEY, lines_of

SENT = "Sent/secret+0123"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Begin each test without the secrets of the others."""
    known.secrets, headers = (), known.headers
    yield
    known.secrets, known.headers = (), headers


@pytest.mark.parametrize(
    "sent",
    [
        {"api_key": SENT},
        {"api_key": [SENT]},
        {"api_key": {"value": SENT}},
        {"audio_url": f"https://b.example/x.wav?X-Amz-Signature={quote(SENT, safe='')}"},
        {"audio_url": f"https://user:{quote(SENT, safe='')}@b.example/x.wav"},
        {"next": f"https://b.example/#access_token={SENT}"},
        f"api_key={quote(SENT, safe='')}",
        f"a=1&config[api_key]={SENT}",
        f"Authorization: Bearer {SENT}",
    ],
)
def test_a_secret_that_was_sent_is_hidden_when_it_is_repeated(sent: Any) -> None:
    """A secret in a field, a form, a URL or a header that was sent is redacted from then on."""
    encoder = Encoder(Redaction(), False)
    body = sent if isinstance(sent, str) else json.dumps(sent)
    assert SENT not in unquote(json.dumps(encoder.sent(body.encode())))
    echo = json.dumps({"message": f"bad key {SENT}"}).encode()
    assert encoder.message(echo) == {"json": {"message": "bad key ***"}}


def test_a_webhook_secret_of_letters() -> None:
    """A secret that is sent may be a word: it is redacted when the server repeats it."""
    encoder = Encoder(Redaction(), False)
    encoder.sent(b'{"webhook_auth_header_value": "swordfish"}')
    echo = b'{"message": "swordfish is not accepted"}'
    assert encoder.message(echo) == {"json": {"message": "*** is not accepted"}}


@pytest.mark.parametrize("word", ["is required", "required", "must-not-be-empty", "max 64 letters"])
def test_what_a_response_says_of_a_key_is_no_key(word: str) -> None:
    """A response that explains the field `api_key` makes none of its words a secret."""
    encoder = Encoder(Redaction(), False)
    encoder.message(json.dumps({"details": {"api_key": word}, "Authorization": word}).encode())
    said = {"tokens": [{"text": f"Payment {word} now"}]}
    assert encoder.message(json.dumps(said).encode()) == {"json": said}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("//u:secret@evil/", "//***@evil/"),
        ("https://evil/#access_token=abc", "https://evil/#access_token=***"),
        ("https://evil/?a=1#b=2&token=abc", "https://evil/?a=1#b=2&token=***"),
    ],
)
def test_secrets_in_locations(given: str, expected: str) -> None:
    """A URL without a scheme and a fragment lose their secrets, too."""
    assert Redaction().headers({"Location": given}) == {"Location": expected}


PLANTED = [
    f'"{name}": "temp:Planted-1234567"'
    for name in ("api_key", "apiKey", "API_KEY", "api-key", "provider_key", "AUTHORIZATION", "Pass")
] + [
    '"webhook_auth_header_value": "temp:Planted-1234567"',
    '"text": "/x?token=temp:Planted-1234567"',
    '"text": "Authorization: Bearer temp:Planted-1234567"',
    '"text": "//me:temp:Planted-1234567@host"',
    '"text": "api_key : temp:Planted-1234567"',
    '"x": {"api_key": "temp:Planted-1234567"}',
    '"x": [{"api-key": "temp:Planted-1234567"}]',
    '"x": "a", "x": {"apikey": "temp:Planted-1234567"}',
    f'"text": "{KEY}"',
    '"text": "a b"',
    '"text": "10:30"',
    '"new_field": 5',
    '"text": "C:\\\\u0061pi_key"',
]


@given(
    planted=hypothesis.strategies.lists(
        hypothesis.strategies.sampled_from(PLANTED), min_size=1, max_size=3
    ),
    at_top=hypothesis.strategies.booleans(),
    text=hypothesis.strategies.text('aeyk:=/{[_@ "\\', max_size=12),
)
def test_a_file_and_a_callable_get_the_same(planted: list[str], at_top: bool, text: str) -> None:
    """A result that is copied says what it says when each field of it is looked at."""
    inside = ", ".join(planted)
    token = json.dumps({"text": text, "is_final": True, "speaker": "1"})
    if at_top:
        payload = f'{{"tokens": [{token}], "final_audio_proc_ms": 1, {inside}}}'
    else:
        payload = f'{{"tokens": [{token}, {{"text": "a", {inside}}}, {token}]}}'
    out: list[Any] = []
    file = io.BytesIO()
    for destination in (file, out.append):
        known.secrets = ()
        connection = ConnectionTrace(Trace(destination), 1, Target("ws://h/", secrets=(KEY,)))
        list(connection.received([(TEXT, payload.encode())]))
    (line,) = lines_of(file)
    assert line["json"] == out[0]["json"]
    assert "Planted" not in json.dumps(line) and KEY not in json.dumps(line)


def test_usual_results_are_copied() -> None:
    """Results with speakers, languages and times are copied; a colon in a text is looked at."""
    tokens = [
        {"text": " key", "start_ms": n, "is_final": True, "speaker": "1", "language": "en"}
        for n in range(20)
    ]
    results = [{"tokens": tokens, "final_audio_proc_ms": 1}, {"tokens": [], "finished": True}]
    assert is_plain(results, json.dumps(results).encode())
    results[1]["tokens"] = [{"text": "10:30"}]
    assert not is_plain(results, json.dumps(results).encode())
