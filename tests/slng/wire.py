"""The gateway's end of a connection, controlled by the test, and clients for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

from soniox_sync import SlngClient
from tests.peers import TEXT, RawPeer, Remote, text
from tests.waiting import WAIT, Task

KEY = "slng-Secret0Key1Of2The3Tests"
VOICE = {"language": "en", "voice": "Adrian", "audio_format": "pcm_s16le", "sample_rate": 24000}
RAW = {"audio_format": "pcm_s16le", "sample_rate": 16000, "num_channels": 1}
READY = '{"type":"ready","session_id":"5f0c"}'
SPEECH_PATH = "/v1/tts/soniox/tts-rt:v1"
# model -> path of its route
STT_PATHS = {
    "rt-v4": "/v1/stt/soniox/speech-ai:rt-v4",
    "rt-v5": "/v1/stt/soniox/speech-ai:rt-v5",
    "rt-v3": "/v1/stt/soniox/speech-ai:rt-v3",
    "unmute/soniox/speech-ai:rt-v3": "/v1/bridges/unmute/stt/soniox/speech-ai:rt-v3",
}


def client_for(peer: RawPeer, **options: Any) -> SlngClient:
    """Return a client whose gateway is `peer`."""
    return SlngClient(**{"api_key": KEY, "base_url": f"ws://127.0.0.1:{peer.port}", **options})


def send_texts(remote: Remote, *messages: str) -> None:
    """Send text messages to the client, byte for byte."""
    remote.send(*(text(message) for message in messages))


def recv_text(remote: Remote) -> str:
    """Return the next message of the client, which must be a text, byte for byte."""
    got = remote.recv_message()
    assert got.opcode == TEXT, got
    return got.text


@contextmanager
def connected_speech(peer: RawPeer, **options: Any) -> Iterator[tuple[Any, Remote]]:
    """Provide a `TtsConnection` and the gateway's end of it."""
    connection = client_for(peer, **options).realtime.tts.multi_stream()
    remote = peer.accept()
    try:
        yield connection, remote
    finally:
        remote.close()
        connection.close()


@contextmanager
def connected_session(
    peer: RawPeer,
    *,
    greeting: Optional[str] = None,
    client: Optional[SlngClient] = None,
    **config: Any,
) -> Iterator[tuple[Any, Remote, str]]:
    """Provide an `SttSession`, the gateway's end of it, and its start message byte for byte.

    `greeting` answers the start, on routes whose clients wait for one.
    """
    client = client or client_for(peer)
    opening = Task(lambda: client.realtime.stt(**{**RAW, **config}))
    remote = peer.accept()
    start = recv_text(remote)
    if greeting is not None:
        send_texts(remote, greeting)
    session = opening.result(WAIT)
    try:
        yield session, remote, start
    finally:
        remote.close()
        session.close()
