"""An HTTP exchange has a line for its request, and exactly one that ends it."""

from __future__ import annotations

from typing import Any

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
