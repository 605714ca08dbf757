"""What is in a line is what was on the wire, and a line is copied only where that is safe."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from soniox_sync.runtime.trace.content import Encoder
from soniox_sync.runtime.trace.output import ObjectOutput, output_for
from soniox_sync.runtime.trace.redaction import Redaction, known
from soniox_sync.runtime.trace.results import is_plain
from soniox_sync.runtime.trace.trace import ConnectionTrace, Trace
from soniox_sync.transport.connect import Target
from soniox_sync.transport.frames import BINARY, TEXT
from tests.runtime.trace.lines import lines_of

KEY = "sk-test-0123456789"


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Begin each test without the secrets of the others."""
    known.secrets, headers = (), known.headers
    yield
    known.secrets, known.headers = (), headers


def test_a_sent_text_that_is_not_utf_8_is_recorded_with_marks() -> None:
    """Bytes that are no UTF-8 are replaced in the line; the rest is there, and nothing fails."""
    assert Encoder(Redaction(), False).sent(b"\xffabc") == {"text": "\ufffdabc"}


def test_a_body_keeps_its_letters() -> None:
    """The text of a JSON body is readable: letters of other scripts are not escaped."""
    assert Encoder(Redaction(), False).text('{"a": "grüße"}'.encode()) == '{"a": "grüße"}'


def test_an_object_with_an_encoding_gets_text() -> None:
    """A file object that names its encoding takes str, whatever it is derived from."""

    class Console:
        encoding = "utf-8"

        def __init__(self) -> None:
            self.written: list[Any] = []

        def write(self, text: Any) -> None:
            self.written.append(text)

    console = Console()
    ObjectOutput(console).write([{"kind": "end"}])
    assert [type(each) for each in console.written] == [str]


@pytest.mark.skipif(not hasattr(os, "get_blocking"), reason="descriptors block always")
def test_a_file_waits_for_its_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is opened without waiting, but written to with: a line is never half written."""
    opened: list[int] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *how: opened.append(real(*how)) or opened[-1])
    output = output_for(tmp_path / "trace.jsonl")
    output.open({"kind": "trace"})
    assert [os.get_blocking(descriptor) for descriptor in opened] == [True]
    output.close()


@pytest.mark.parametrize("tokens", [{}, "a", [1], [{}, None], None])
def test_a_result_whose_tokens_are_no_objects_is_not_copied(tokens: Any) -> None:
    """Only a list of objects is known to hold nothing to redact."""
    assert not is_plain([{"tokens": tokens}], b"{}")
    assert is_plain([{"tokens": [{"text": "a"}]}], b'{"tokens": [{"text": "a"}]}')


def test_escapes_may_spell_a_secret() -> None:
    """An escaped ASCII letter, or any escape where a secret is not ASCII, is looked at closely."""
    quote = b'{"text": "a \\" b"}'
    plain = Redaction((KEY,))
    assert not plain.may_hide(quote)
    assert plain.may_hide(b'{"text": "\\u0073k"}') and plain.may_hide(b'{"text": "a\\/b"}')
    assert Redaction(("schlüssel-0123456789",)).may_hide(quote)


def test_a_refusal_is_recorded_up_to_4096_characters() -> None:
    """The body of a refused upgrade is in the trace, but no more of it than its first 4,096."""
    lines: list[Any] = []
    target = Target("wss://far.invalid/")
    recorder = ConnectionTrace(Trace(lines.append), 1, target)
    recorder.connecting(target)
    for size in (4096, 4097, 9000):
        recorder.responded(502, {}, b"x" * size)
    refused = [line["body"] for line in lines if line["kind"] == "refused"]
    assert refused == ["x" * 4096] * 3


@pytest.mark.parametrize(
    "name", ["api_key", "apiKey", "webhook_auth_header_value", "provider_key", "Authorization"]
)
def test_a_field_that_is_named_like_a_secret_is_one(name: str) -> None:
    """Its value is hidden in a message that is received, whatever spelling the name has."""
    message = Encoder(Redaction(), False).message(f'{{"{name}": "swordfish"}}'.encode())
    assert message == {"json": {name: "***"}}


def test_prose_that_is_sent_makes_no_word_a_secret() -> None:
    """A text that explains the field `api_key` is content, and its words are, too."""
    encoder = Encoder(Redaction(), False)
    encoder.sent(b'{"text": "api_key: required"}')
    assert encoder.message(b'{"text": "required"}') == {"json": {"text": "required"}}


@pytest.mark.parametrize("box", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_fifty_levels_are_looked_at(box: Callable[[Any], Any]) -> None:
    """What is nested deeper is masked, in lists and in objects, received or sent."""
    value: Any = "deep"
    for _ in range(3000):
        value = box(value)
    redaction = Redaction()
    redaction.learn(value)
    got = redaction.value(value)
    levels = 0
    while got != "***":
        (got,) = got.values() if isinstance(got, dict) else got
        levels += 1
    assert levels == 50


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "proxy-authorization", "cookie", "set-cookie"),
        *("x-slng-provider-key", "x-api-key", "api-key"),
    ],
)
def test_a_header_that_is_named_like_a_secret_is_one(name: str) -> None:
    """Its value is hidden, however short, whatever case the name has."""
    headers = {name: "ab", name.title(): "cd", "x-request-id": "ef"}
    got = Redaction().headers(headers)
    assert got == {name: "***", name.title(): "***", "x-request-id": "ef"}


@pytest.mark.parametrize("field", ["audio", "data"])
def test_audio_beside_tokens_is_no_part_of_a_copy(field: str) -> None:
    """A message with a field that may hold audio is encoded, never copied as it was received."""
    file = io.BytesIO()
    recorder = ConnectionTrace(Trace(file), 1, Target("wss://far.invalid/"))
    recorder.connecting(Target("wss://far.invalid/"))
    message = b'{"type":"audio","tokens":[],"%s":"UklGRgAA"}' % field.encode()
    for _ in recorder.received([(TEXT, message)]):
        pass
    (line,) = (each for each in lines_of(file) if each["kind"] == "message")
    assert line["json"][field]["bytes"] == 6
    assert b"UklGRg" not in file.getvalue()


@pytest.mark.parametrize(
    ("opcode", "payload", "name"),
    [
        (BINARY, b'{"tokens":[]}', "binary"),
        (TEXT, b'["tokens"]', "json"),
        (TEXT, b'"tokens"', "json"),
    ],
)
def test_what_only_looks_like_a_result_is_recorded_as_what_it_is(
    opcode: int, payload: bytes, name: str
) -> None:
    """It is passed on as it came, and tracing goes on."""
    file = io.BytesIO()
    trace = Trace(file)
    recorder = ConnectionTrace(trace, 1, Target("wss://far.invalid/"))
    recorder.connecting(Target("wss://far.invalid/"))
    assert list(recorder.received([(opcode, payload)])) == [[(opcode, payload)]]
    (line,) = (each for each in lines_of(file) if each["kind"] == "message")
    assert name in line
    assert not trace.stopped


def test_a_message_of_a_stream_names_it_beside_its_content() -> None:
    """Also one with tokens, which is not copied for that reason."""
    file = io.BytesIO()
    recorder = ConnectionTrace(Trace(file), 1, Target("wss://far.invalid/"))
    recorder.connecting(Target("wss://far.invalid/"))
    for _ in recorder.received([(TEXT, b'{"stream_id":"s1","tokens":[]}')]):
        pass
    (line,) = (each for each in lines_of(file) if each["kind"] == "message")
    assert line["stream"] == "s1"
