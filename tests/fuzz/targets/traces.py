"""Traces as they are written: whatever is received is recorded, and tracing goes on."""

from __future__ import annotations

import json
from typing import Any

from soniox_sync.runtime.trace.redaction import known
from soniox_sync.runtime.trace.trace import ConnectionTrace, Trace
from soniox_sync.transport.connect import Target
from soniox_sync.transport.frames import BINARY, CLOSE, PING, PONG, TEXT, encode_frame

IS_TEXT = True
TOKENS = (
    *(
        b'{"tokens":[{"text":"a","is_final":true}]}',
        b'"api_key":"',
        b"secret+key/0123",
        b"secret%2Bkey",
    ),
    *(b"Authorization: Bearer ", b"https://u:p@h.example/x?token=abc&sig=d", b'"audio":"AAAA"'),
    *(
        b'"stream_id":"a"',
        b'"webhook_auth_header_value":"w"',
        b"\\u0073ecret",
        b"\n",
        b"\r",
        b"\xff",
    ),
    *(b'"audio_url":"https://x/?X-Amz-Signature=1"', b'"binary":', b'"text":', b'"json":', b"***"),
)
KEY = "secret+key/0123"
_OPCODES = (TEXT, TEXT, TEXT, BINARY, CLOSE, PING, PONG)


class _Lines:
    """File whose lines are checked as they come."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def write(self, data: Any) -> int:
        """Take in lines."""
        self.lines += (data.encode() if isinstance(data, str) else bytes(data)).splitlines()
        return len(data)

    def flush(self) -> None:
        """Do nothing: they are here."""


def check(data: bytes) -> None:
    """Record messages that were received and sent: each in a line of JSON, without the key."""
    known.secrets = ()
    out = _Lines()
    trace = Trace(out, bool(data and data[0] & 1), secrets=[KEY])
    recorder = ConnectionTrace(trace, 1, Target("wss://x.example/y", secrets=(KEY,)))
    recorder.connecting(Target("wss://x.example/y", secrets=(KEY,)))
    messages = [
        (_OPCODES[line[0] % len(_OPCODES)], line[1:]) for line in data[1:].split(b"\x1e") if line
    ]
    received = [each for batch in recorder.received(messages) for each in batch]
    assert [(opcode, bytes(payload)) for opcode, payload in received] == messages
    for opcode, payload in messages:
        recorder.sent(encode_frame(opcode, payload))
    assert not trace.stopped, "tracing stopped"
    assert len(out.lines) == 2 + 2 * len(messages), "not one line for each message"
    for line in out.lines:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        assert KEY not in text, "the key is in the trace"
