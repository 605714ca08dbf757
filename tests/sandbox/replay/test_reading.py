"""Traces are read from what users have; what is wrong with one is said with file and line."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sandbox import Sandbox
from tests.sandbox.client import Client
from tests.sandbox.replay.lines import STT, Trace, audio
from tests.traces.make import FOLDER

READY = {"ready": True}


def as_text(lines: list[dict[str, Any]]) -> str:
    """Return lines as a file has them."""
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize("form", ["path", "str", "text file", "binary file", "lines", "mappings"])
def test_a_trace_may_be_a_path_a_file_or_lines(form: str, tmp_path: Path) -> None:
    """A path, a file object, lines and mappings are the same trace."""
    trace = Trace()
    trace.socket(STT).received(READY)
    text = as_text(trace.lines)
    path = tmp_path / "t.jsonl"
    path.write_text(text, encoding="utf-8")
    sources: dict[str, Any] = {
        "path": path,
        "str": str(path),
        "text file": io.StringIO(text),
        "binary file": io.BytesIO(text.encode()),
        "lines": text.splitlines(),
        "mappings": iter(trace.lines),
    }
    with Sandbox(replay=sources[form]) as sandbox, Client(sandbox.urls.stt) as client:
        assert client.receive() == READY
        assert sandbox.replay.name == (str(path) if form in ("path", "str") else "replay")


def test_what_is_newer_is_ignored() -> None:
    """Unknown kinds and keys, and empty lines, are ignored."""
    trace = Trace()
    trace.socket(STT).add("weather", sun=True).received(READY)
    trace.lines[-1]["mood"] = "good"
    text = as_text(trace.lines).replace("\n", "\n\n")
    with Sandbox(replay=text.splitlines()) as sandbox, Client(sandbox.urls.stt) as client:
        assert client.receive() == READY


def test_the_end_of_an_inherited_connection_is_ignored() -> None:
    """A forked child may write how a connection of its parent ended for it."""
    trace = Trace()
    socket = trace.socket(STT)
    trace.process()
    socket.close("sent").end("StateError: forked")
    trace.pid -= 1
    socket.received(READY)
    with trace.sandbox() as sandbox, Client(sandbox.urls.stt) as client:
        assert client.receive() == READY


def nested(levels: int) -> Any:
    """Return a JSON value of so many levels."""
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


HEAD = {"kind": "trace", "version": 1, "clock": 1.0, "pid": 1}
CONNECT = {"kind": "connect", "connection": 1, "url": "wss://x/y", "clock": 1.0, "pid": 1}
MESSAGE = {"kind": "message", "connection": 1, "direction": "sent", "clock": 1.0, "pid": 1}
REQUEST = {"kind": "request", "exchange": 1, "method": "GET", "url": "/x", "clock": 1.0, "pid": 1}


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([], "t.jsonl: expected a trace, got an empty file"),
        (['{"kind": "tra'], "line 1: expected JSON, got something else; was the line cut off"),
        (["[1]"], "line 1: expected a JSON object, got list"),
        ([{"a": 1}], "line 1: 'kind' is missing: is this a trace"),
        ([CONNECT], "line 1: a trace begins with a line of kind 'trace'"),
        (
            [{**HEAD, "version": 2}],
            "line 1: the trace is of version 2, this release reads version 1",
        ),
        ([HEAD, {**HEAD, "version": None}], "line 2: the trace is of version None"),
        ([{**HEAD, "version": True}], "line 1: the trace is of version True"),
        ([{**HEAD, "version": 1.0}], "line 1: the trace is of version 1.0"),
        ([HEAD, {**CONNECT, "clock": 1e12}], "line 2: expected 'clock' from -4000000000 to"),
        ([HEAD, {**CONNECT, "clock": -1e12}], "line 2: expected 'clock' from"),
        ([HEAD, {**CONNECT, "clock": 10**400}], "line 2: expected 'clock' from"),
        ([HEAD, {**CONNECT, "clock": math.inf}], "line 2: expected 'clock' from"),
        ([HEAD, {**CONNECT, "clock": math.nan}], "line 2: expected 'clock' from"),
        ([HEAD, CONNECT, {**MESSAGE, "json": nested(600)}], "line 3: 'message' is nested deeper"),
        ([HEAD, {**REQUEST, "body": {"json": nested(100)}}], "line 2: 'request' is nested deeper"),
        ([HEAD, {**CONNECT, "clock": "now"}], "line 2: 'connect' needs 'clock'"),
        ([HEAD, {**CONNECT, "url": 5}], "line 2: 'connect' needs 'url', a str"),
        ([HEAD, {**CONNECT, "url": "http://[x"}], "line 2: 'url' is no URL"),
        ([HEAD, {**CONNECT, "connection": "1"}], "line 2: 'connect' needs 'connection', an int"),
        ([HEAD, {**MESSAGE, "json": 1}], "line 2: connection 1 of process 1 has no 'connect' line"),
        ([HEAD, CONNECT, MESSAGE], "line 3: a message has exactly one of 'json', 'text' and"),
        ([HEAD, CONNECT, {**MESSAGE, "json": 1, "text": ""}], "line 3: a message has exactly one"),
        ([HEAD, CONNECT, {**MESSAGE, "text": 5}], "line 3: 'text' is a str"),
        ([HEAD, CONNECT, {**MESSAGE, "binary": {}}], "line 3: 'binary' is an audio object"),
        (
            [HEAD, CONNECT, {**MESSAGE, "binary": {**audio(b"abc"), "bytes": 4}}],
            "line 3: the 'data' of an audio object has 3 bytes, not 4",
        ),
        (
            [HEAD, CONNECT, {**MESSAGE, "json": {"audio": {**audio(b"abc"), "data": "?"}}}],
            "line 3: the 'data' of an audio object is not base64",
        ),
        (
            [HEAD, CONNECT, {**MESSAGE, "binary": {"bytes": "3", "sha256": ""}}],
            "line 3: the 'bytes' of an audio object are not a count",
        ),
        ([HEAD, CONNECT, {**MESSAGE, "direction": "up", "json": 1}], "got 'up'"),
        ([HEAD, {**CONNECT, "pid": []}], "line 2: 'connect' needs 'pid', an int"),
        ([HEAD, CONNECT, {**MESSAGE, "kind": "close", "code": 99}], "got 99"),
        ([HEAD, CONNECT, {**MESSAGE, "kind": "close", "code": "1000"}], "line 3: a 'close' has a"),
        ([HEAD, {**REQUEST, "body": {"form": [1]}}], "line 2: 'form' is a list of objects"),
        ([HEAD, {**REQUEST, "body": []}], "line 2: 'body' of a request is an object or null"),
        ([HEAD, {**REQUEST, "kind": "response", "status": 200}], "exchange 1 of process 1 has no"),
        (
            [HEAD, REQUEST, {**REQUEST, "kind": "response", "status": 200, "headers": [1]}],
            "line 3: 'headers' is an object",
        ),
    ],
)
def test_a_malformed_trace_is_refused(lines: list[Any], wrong: str, tmp_path: Path) -> None:
    """The error names the file, the line and what is wrong with it."""
    path = tmp_path / "t.jsonl"
    written = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(written), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Sandbox(replay=path)
    assert str(path) in str(caught.value)
    assert wrong in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(st.data())
def test_a_damaged_trace_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever stands in a field, the trace is read, or a `ConfigurationError` names the line."""
    lines = [json.loads(text) for text in GOLDEN]
    for _ in range(data.draw(st.integers(1, 3))):
        line = lines[data.draw(st.integers(0, len(lines) - 1))]
        line[data.draw(st.sampled_from(sorted(line)))] = data.draw(JSON)
    try:
        Sandbox(replay=lines)
    except ConfigurationError as error:
        assert re.match(r"replay, line \d+: ", str(error))


GOLDEN = [
    line
    for name in ("cancelled", "temporary_key")
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("source", [5, b"x", {"kind": "trace"}, object()])
def test_what_is_no_source_is_refused(source: Any) -> None:
    """A value of another type is refused by name."""
    with pytest.raises(InputTypeError, match="replay: expected a path, a file object or an iter"):
        Sandbox(replay=source)


def test_lines_of_another_type_are_refused() -> None:
    """An iterable of something else names the place and the type."""
    with pytest.raises(
        ConfigurationError, match="replay, line 1: expected a line of JSON or a map"
    ):
        Sandbox(replay=[5])  # type: ignore[list-item]


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """A file that does not exist is an `OSError`, when the sandbox is made."""
    with pytest.raises(FileNotFoundError):
        Sandbox(replay=tmp_path / "none.jsonl")


@pytest.mark.parametrize("speed", ["1", True, 0, -1, float("nan"), float("inf")])
def test_a_wrong_speed_is_refused(speed: Any) -> None:
    """A speed is a number above 0, or `None`."""
    with pytest.raises(ConfigurationError, match="replay_speed: expected"):
        Sandbox(replay=Trace().lines, replay_speed=speed)


def test_audio_of_the_client_is_not_missed() -> None:
    """Only audio of the service has to be made up, and only once is it said."""
    trace = Trace()
    socket = trace.socket(STT)
    trace.add("message", connection=1, direction="sent", binary=audio(b"abc", False))
    assert Sandbox(replay=trace.lines).replay.notes == ()
    for _ in range(2):
        socket.add("message", direction="received", json={"audio": audio(b"abc", False)})
    (note,) = Sandbox(replay=trace.lines).replay.notes
    assert "2 pieces of it will be silence of the same length" in note


def test_a_replay_loads_no_engines() -> None:
    """A sandbox that replays starts without engines, even those that it must have otherwise."""
    trace = Trace()
    with Sandbox(replay=trace.lines, engines="speech") as sandbox:
        assert repr(sandbox) == f"<Sandbox 127.0.0.1:{sandbox.port} replays replay>"
        assert repr(sandbox.replay) == "<Replay replay 0 differences>"
