"""What is in a line is what was on the wire, and a line is copied only where that is safe."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from soniox_sync.errors import InputTypeError
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


@pytest.mark.parametrize(
    ("encoding", "shown"), [(None, "grüße"), ("UTF-8", "grüße"), ("ascii", "gr\\u00fc\\u00dfe")]
)
def test_a_text_file_gets_the_letters_it_can_encode(encoding: Optional[str], shown: str) -> None:
    """Others are escaped; a line that needs none is the same for all of them."""
    file = io.BytesIO() if encoding else io.StringIO()
    text = io.TextIOWrapper(file, encoding=encoding) if isinstance(file, io.BytesIO) else file
    ObjectOutput(text).write([{"kind": "end", "a": "grüße"}, {"kind": "end", "b": 1}])
    got = file.getvalue()
    first, second = (got.decode() if isinstance(got, bytes) else got).splitlines()
    assert shown in first
    assert second.endswith(',"kind":"end","b":1}')


def test_a_line_tells_when_it_was_written(tmp_path: Path) -> None:
    """In seconds since 1970, as the clock of the system had it when the process began."""
    lines: list[Any] = []
    before = time.time()
    output_for(lines.append).write([{"kind": "end"}])
    assert before - 600.0 < lines[0]["clock"] < time.time() + 600.0


def test_the_lines_of_a_file_are_utf_8(tmp_path: Path) -> None:
    """Letters are not escaped: a trace can be searched for what was said."""
    output = output_for(tmp_path / "trace.jsonl")
    output.open({"kind": "trace"})
    output.write([{"kind": "end", "a": "grüße"}])
    output.close()
    assert '"a":"grüße"' in (tmp_path / "trace.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize("destination", [5, None, b"trace.jsonl", object()])
def test_what_cannot_be_written_to_is_no_destination(destination: Any) -> None:
    """The error says what could be."""
    with pytest.raises(InputTypeError, match="trace: expected a path, a file object or a callable"):
        output_for(destination)


@pytest.mark.parametrize(
    ("text", "hides"),
    [("a=b", True), ("//host", True), ("a/b", False), (KEY, True), ("grep this", False)],
)
def test_what_may_hide_a_secret_is_looked_at(text: str, hides: bool) -> None:
    """Queries, URLs and known keys; any other text of a result is copied as it came."""
    assert Redaction((KEY,)).may_hide(text.encode()) is hides


def test_only_an_authorization_keeps_its_scheme() -> None:
    """It tells nothing; the first word of another header may be a part of its secret."""
    headers = {"Authorization": "Bearer swordfish", "X-Api-Key": "sword fish", "Cookie": "a b"}
    assert list(Redaction().headers(headers).values()) == ["Bearer ***", "***", "***"]


def test_the_header_that_carries_a_webhook_secret_is_hidden() -> None:
    """The user chose its name; the trace of a client that knows it hides its values."""
    lines: list[Any] = []
    Trace(lines.append, webhook_header="X-My-Hook").start()
    assert Redaction().headers({"X-My-Hook": "ab"}) == {"X-My-Hook": "***"}
    known.headers -= {"x-my-hook"}
    Trace(lines.append, webhook_header=None).start()
    assert Redaction().headers({"X-My-Hook": "ab"}) == {"X-My-Hook": "ab"}


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
