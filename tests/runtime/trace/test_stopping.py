"""A trace that cannot be written stops, unnoticed by the connection; results are parsed once."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from soniox_sync.protocol.messages import ParsedText
from soniox_sync.runtime.trace.trace import ConnectionTrace, Trace
from soniox_sync.transport.connect import Target
from soniox_sync.transport.frames import TEXT, encode_frame

TARGET = Target("wss://far.invalid/")
RESULT = b'{"tokens":[{"text":"a","is_final":true}],"final_audio_proc_ms":5}'


def test_a_trace_that_failed_writes_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    """After the first failure no line is written, and messages pass on as they came."""
    kinds: list[str] = []

    def full(line: Any) -> None:
        kinds.append(line["kind"])
        if line["kind"] == "connect":
            raise OSError("no space left")

    trace = Trace(full)
    recorder = ConnectionTrace(trace, 1, TARGET)
    recorder.connecting(TARGET)
    assert trace.stopped and "tracing stopped" in caplog.text
    recorder.sent(encode_frame(TEXT, b"{}"))
    assert list(recorder.received([(TEXT, b"{}")])) == [[(TEXT, b"{}")]]
    trace.write({"kind": "end"})
    assert kinds == ["trace", "connect"]


def test_a_trace_stops_once(caplog: pytest.LogCaptureFixture) -> None:
    """Threads that fail at the same moment are one failure, of which the log tells once."""
    trace = Trace(lambda line: None)
    trace.stop(OSError("no space left"))
    trace.stop(OSError("again"))
    assert [record.message.count("no space left") for record in caplog.records] == [1]


def test_a_trace_that_failed_holds_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its descriptor is given back at once, not when the client is."""
    opened: list[int] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *how: opened.append(real(*how)) or opened[-1])
    trace = Trace(tmp_path / "trace.jsonl")
    trace.start()
    (descriptor,) = opened
    os.fstat(descriptor)
    trace.stop(OSError("no space left"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_what_is_recorded_before_a_failure_stays(caplog: pytest.LogCaptureFixture) -> None:
    """Until it fails every message has its line, sent and received."""
    kinds: list[str] = []
    recorder = ConnectionTrace(Trace(lambda line: kinds.append(line["kind"])), 1, TARGET)
    recorder.connecting(TARGET)
    recorder.sent(encode_frame(TEXT, b"{}"))
    list(recorder.received([(TEXT, b"{}")]))
    assert kinds == ["trace", "connect", "message", "message"] and caplog.text == ""


def test_a_result_is_parsed_once() -> None:
    """A result copied into a file was parsed for that; the receiver gets what came of it."""
    file = io.BytesIO()
    recorder = ConnectionTrace(Trace(file), 1, TARGET)
    recorder.connecting(TARGET)
    ((message,),) = recorder.received([(TEXT, RESULT)])
    payload = message[1]
    assert isinstance(payload, ParsedText) and payload == RESULT
    assert payload.value["final_audio_proc_ms"] == 5
    assert RESULT in file.getvalue()
