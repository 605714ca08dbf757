"""Clients of the gateway whose far end is in a test's hands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from peers import WAIT, RawLine, RawPeer, Task, text

from soniox_sync import SlngClient

KEY = "slng-Secret0Key1Of2The3Tests"
VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": 24000}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
READY = '{"type":"ready","session_id":"5f0c"}'


def base_of(peer: RawPeer) -> str:
    """Give the base URL of a peer."""
    return f"ws://127.0.0.1:{peer.port}"


def client_for(peer: RawPeer, **options: Any) -> SlngClient:
    """Make a client whose gateway is `peer`."""
    return SlngClient(**{"api_key": KEY, "base_url": base_of(peer), **options})


def says(line: RawLine, *messages: str) -> None:
    """Send texts, byte for byte."""
    line.send(*(text(message) for message in messages))


def hears(line: RawLine) -> str:
    """Receive the next text message as it is."""
    got = line.recv_message()
    assert got.opcode == 1, got
    return got.text


@contextmanager
def speech_line(peer: RawPeer, **options: Any) -> Iterator[tuple[Any, RawLine]]:
    """Give a `TtsConnection` and the far end of its line."""
    connection = client_for(peer, **options).realtime.tts.multi_stream()
    line = peer.line()
    try:
        yield connection, line
    finally:
        line.close()
        connection.close()


@contextmanager
def session_line(
    peer: RawPeer,
    *,
    greeting: Optional[str] = None,
    client: Optional[SlngClient] = None,
    **config: Any,
) -> Iterator[tuple[Any, RawLine, str]]:
    """Give an `SttSession`, the far end of its line, and its start message as it was sent.

    `greeting` answers the start, for routes that wait for one.
    """
    maker = client or client_for(peer)
    opening = Task(lambda: maker.realtime.stt(**{**RAW, **config}))
    line = peer.line()
    start = hears(line)
    if greeting is not None:
        says(line, greeting)
    session = opening.result(WAIT)
    try:
        yield session, line, start
    finally:
        line.close()
        session.close()


def parsed(message: str) -> Any:
    """Read a message."""
    return json.loads(message)
