"""An HTTP exchange has a line for its request, and exactly one that ends it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from soniox_sync.runtime.trace.exchange import ExchangeTrace
from soniox_sync.runtime.trace.trace import ConnectionTrace, Trace
from soniox_sync.transport.connect import Target

KEY = "sk-test-0123456789"
URL = "https://far.invalid/v1/files"


def exchange() -> tuple[ExchangeTrace, list[Any]]:
    """Return the recorder of an exchange, and its lines."""
    lines: list[Any] = []
    trace = Trace(lines.append)
    trace.start()
    lines.clear()
    return ExchangeTrace(trace, KEY, URL), lines


@pytest.mark.parametrize("body", [None, b""])
def test_a_request_without_a_body_has_none(body: Any) -> None:
    """No body and an empty one are `null` in the trace, not an empty text."""
    recorder, lines = exchange()
    recorder.request("GET", URL, {}, body, [])
    assert lines[-1]["body"] is None


def test_a_body_of_bytes_that_are_no_text_is_binary() -> None:
    """What is no UTF-8 is recorded by length and digest, a text as it is."""
    recorder, lines = exchange()
    recorder.request("POST", URL, {}, b"\xff\xfe", [])
    recorder.request("POST", URL, {}, bytearray(b"grep"), [])
    assert lines[0]["body"]["binary"]["bytes"] == 2
    assert lines[1]["body"] == {"text": "grep"}


def test_a_body_that_is_a_str_is_recorded_as_its_utf_8() -> None:
    """JSON in it is JSON in the trace."""
    recorder, lines = exchange()
    recorder.request("POST", URL, {}, '{"name": "\u00e9"}', [])
    assert lines[0]["body"] == {"json": {"name": "\u00e9"}}


def test_what_a_request_tells_its_proxy_is_hidden_from_then_on() -> None:
    """The credentials of a proxy are redacted in what it answers."""
    recorder, lines = exchange()
    recorder.request("GET", URL, {}, None, ["http://ann:pa55-of-the-proxy@proxy.invalid:1"])
    recorder.failed(ConnectionError("pa55-of-the-proxy is wrong"))
    assert lines[-1]["error"] == "ConnectionError: *** is wrong"


def test_the_header_of_another_key_is_hidden_from_then_on() -> None:
    """A request may be sent with a key that is not the client's: the answer may repeat it."""
    recorder, lines = exchange()
    recorder.request("GET", URL, {"Authorization": "Bearer another-key-0123456789"}, None, [])
    recorder.failed(ConnectionError("another-key-0123456789 is not valid"))
    assert lines[-1]["error"] == "ConnectionError: *** is not valid"


def test_a_text_with_half_of_a_surrogate_pair_is_recorded_as_bytes() -> None:
    """It has no UTF-8, and the call that sent it goes on."""
    recorder, lines = exchange()
    recorder.request("POST", URL, {}, "\ud800", [])
    assert lines[-1]["body"]["binary"]["bytes"] == 3


def test_the_fields_of_a_form_are_recorded() -> None:
    """What is uploaded with a file is in the trace, without its secrets."""
    recorder, lines = exchange()
    recorder.request("POST", URL, {}, SimpleNamespace(parts=[{"api_key": "ab", "a": "b"}]), [])
    assert lines[-1]["body"] == {"form": [{"api_key": "***", "a": "b"}]}


@pytest.mark.parametrize(("stream", "length"), [(SimpleNamespace(len=7), 7), (object(), None)])
def test_of_a_stream_its_length_is_recorded_if_it_tells_it(
    stream: object, length: Optional[int]
) -> None:
    """Only the connection reads it."""
    recorder, lines = exchange()
    recorder.request("POST", URL, {}, stream, [])
    assert lines[-1]["body"] == {"binary": {"bytes": length, "sha256": None}}


def test_a_body_without_trailers_has_none() -> None:
    """The field is there only if something came in it."""
    recorder, lines = exchange()
    recorder.end({})
    assert "trailers" not in lines[-1]


def test_an_exchange_ends_once() -> None:
    """After the last piece of a body nothing follows, neither a failure nor another end."""
    recorder, lines = exchange()
    recorder.piece(b"RIFF")
    recorder.end({"x-tts-error-code": "500"})
    recorder.piece(b"late")
    recorder.body(b"{}", {})
    recorder.failed(ConnectionError("late"))
    assert [(line["kind"], line.get("last")) for line in lines] == [("body", False), ("body", True)]
    assert lines[-1]["trailers"] == {"x-tts-error-code": "500"}


def test_a_failed_exchange_has_its_first_failure_alone() -> None:
    """The first failure ends an exchange; what comes later is not recorded."""
    recorder, lines = exchange()
    recorder.failed(ConnectionError(f"lost {KEY}"))
    recorder.failed(ConnectionError("again"))
    recorder.body(b"{}", {})
    assert [line["error"] for line in lines] == ["ConnectionError: lost ***"]


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
def test_a_key_in_the_chosen_subprotocol_is_hidden(name: str) -> None:
    """A server that repeats the key as the subprotocol does not bring it into the trace."""
    lines: list[Any] = []
    target = Target("wss://far.invalid/", secrets=(KEY,))
    recorder = ConnectionTrace(Trace(lines.append), 1, target)
    recorder.connecting(target)
    recorder.responded(101, {name: KEY}, b"")
    assert lines[-1]["subprotocol"] == "***" and KEY not in repr(lines)
