"""Traces as they are read and replayed: a script, or an error that names the line."""

from __future__ import annotations

from soniox_sync.errors import ConfigurationError
from soniox_sync.sandbox.replay.client import Mismatch
from soniox_sync.sandbox.replay.script import Script
from soniox_sync.sandbox.replay.trace import Connection, Exchange, read_trace

IS_TEXT = True
TOKENS = (
    *(b'{"kind":"trace","version":1}\n', b'"kind":"connect"', b'"kind":"message"', b'"kind":"end"'),
    *(b'"connection":1', b'"connection":2', b'"clock":1.5', b'"direction":"sent"', b'"pid":7'),
    *(b'"direction":"received"', b'"url":"wss://x/y?z=1"', b'"kind":"open"', b'"kind":"close"'),
    *(
        b'"json":{"stream_id":"a"}',
        b'"text":"a"',
        b'"binary":{"bytes":4,"sha256":"x"}',
        b'"code":1000',
    ),
    *(
        b'"kind":"request","exchange":1',
        b'"kind":"response"',
        b'"kind":"body","exchange":1',
        b"\n{",
    ),
    *(
        b'"data":"AAAA"',
        b'"audio":{"bytes":3,"sha256":"y","data":"AAAA"}',
        b'"method":"GET"',
        b"}\n",
    ),
    *(
        b'"error":"SonioxConnectionError: timed out"',
        b'"status":200',
        b'"kind":"refused"',
        b"http://[",
    ),
)
# what the made-up silence of one trace may take, in bytes: an upload of a gigabyte is legal there
_MOST_SILENCE = 1_000_000


def check(data: bytes) -> None:
    """Read a trace, then play its connections with a client that does what the trace says."""
    try:
        trace = read_trace(data.split(b"\n"))
    except ConfigurationError as error:
        assert "replay" in str(error)
        return
    for exchange in trace.exchanges:
        _use(exchange)
    siblings: dict[str, list[Script]] = {}
    for connection in trace.connections:
        _play(connection, siblings.setdefault(connection.path, []))


def _use(exchange: Exchange) -> None:
    assert exchange.name and exchange.asked is not None
    repr(exchange)


def _play(connection: Connection, siblings: list[Script]) -> None:
    script = Script(connection, siblings)
    for line in connection.lines:
        if line.kind == "sent":
            try:
                script.take(line.content)
            except Mismatch as mismatch:
                repr(mismatch)
    for _ in range(len(connection.lines) + 2):
        ready = [cue for cue in script.heads() if cue.ready]
        if not ready:
            break
        for cue in ready:
            if cue.act == "send" and _silence(cue.line.content) < _MOST_SILENCE:
                script.message(cue)
            script.played(cue)
    for cue in script.heads():
        repr(cue.missing)


def _silence(content: object) -> int:
    from soniox_sync.sandbox.replay.content import Audio, audio_objects

    found = [content] if isinstance(content, Audio) else audio_objects(content)
    return sum(audio.size for audio in found)
