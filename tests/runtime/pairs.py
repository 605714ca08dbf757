"""Shared by tests of a `Connection` on a socket pair."""

from __future__ import annotations

from soniox_sync.runtime.connection import Connection
from soniox_sync.transport.frames import encode_frame
from tests.peers import TEXT, Listener, Remote
from tests.waiting import ManualClock

Pair = tuple[Connection, Remote, Listener, ManualClock]
BIG = b"x" * 4_000_000


def text_frame(content: str) -> bytes:
    return encode_frame(TEXT, content.encode())
