"""A speech service controlled by the test, and a pool that uses it."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any, Optional

from soniox_sync import SonioxClient, TtsPool, TtsStream
from tests.peers import TEXT, RawPeer, Remote, close_frame, message, upgrade
from tests.waiting import WAIT, eventually

VOICE = {"voice": "Adrian", "language": "en", "audio_format": "pcm_s16le", "sample_rate": 8000}
AUDIO = b"\1\2" * 100


class Service:
    """Speech service whose every message and close is sent by the test."""

    def __init__(self) -> None:
        self.may_connect = threading.Event()
        self.may_connect.set()
        self.refuses = False
        self.peer = RawPeer(answer=self._answer)

    def _answer(self, remote: Remote) -> Optional[bytes]:
        self.may_connect.wait(WAIT)
        if self.refuses:
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        return upgrade(remote)

    def pool(self, **options: Any) -> TtsPool:
        client = SonioxClient("key", tts_ws_url=self.peer.url, tts_defaults=VOICE)
        pool = client.realtime.tts.pool(**options)
        assert isinstance(pool, TtsPool)
        return pool

    def close(self) -> None:
        self.may_connect.set()
        self.peer.close()


def leave(pool: TtsPool) -> None:
    """Close a pool without waiting for streams and close frames, which these servers never send."""
    pool._table.close(0.0, 0.0)


def next_message(remote: Remote) -> dict[str, Any]:
    """Return the next message of the client, skipping keepalives."""
    while True:
        got = remote.recv_message()
        assert got.opcode == TEXT, got
        fields = json.loads(got.payload)
        if "keep_alive" not in fields:
            assert isinstance(fields, dict)
            return fields


def messages_until_end(remote: Remote) -> list[dict[str, Any]]:
    """Return the client's messages until it disconnects, without keepalives."""
    fields = [json.loads(got.payload) for got in remote.frames_to_end() if got.opcode == TEXT]
    return [each for each in fields if "keep_alive" not in each]


def text_of(stream: TtsStream, text: str, end: bool = False) -> dict[str, Any]:
    return {"stream_id": stream.stream_id, "text": text, "text_end": end}


def expect(remote: Remote, stream: TtsStream, *texts: tuple[str, bool]) -> None:
    """Receive a stream's config and exactly these texts."""
    config = next_message(remote)
    assert config["stream_id"] == stream.stream_id
    assert config["voice"] == "Adrian"
    for text, end in texts:
        assert next_message(remote) == text_of(stream, text, end)


def speak(remote: Remote, stream: TtsStream) -> None:
    """Send all audio of a stream and terminate it."""
    audio = base64.b64encode(AUDIO).decode()
    remote.send(message(stream_id=stream.stream_id, audio=audio, audio_end=True))
    remote.send(message(stream_id=stream.stream_id, terminated=True))


def used_connection(service: Service, pool: TtsPool) -> Remote:
    """Return an open connection of the pool that has carried a stream."""
    with pool.stream() as stream:
        stream.send_text("First.", end=True)
        remote = service.peer.accept()
        expect(remote, stream, ("First.", True))
        speak(remote, stream)
        assert stream.read(WAIT) == AUDIO
    return remote


def lose(remote: Remote, how: str) -> None:
    """End a connection as a server does."""
    if how == "close":
        remote.send(close_frame(1001, "Timeout"))
    if how == "reset":
        remote.reset()
    else:
        remote.fin()


class Answer:
    """Events of a stream, in order."""

    def __init__(self, stream: TtsStream, *events: str) -> None:
        self.events: list[str] = []
        self.over = threading.Event()
        for event in events:
            stream.on(event, lambda *_, event=event: self.events.append(event))
        stream.on("terminated", self.over.set)


def start_moving(service: Service, pool: TtsPool, text: str = "Second.") -> TtsStream:
    """Return a stream with text whose connection is lost; the new one is not open yet."""
    remote = used_connection(service, pool)
    stream = pool.stream()
    stream.send_text(text)
    expect(remote, stream, (text, False))
    service.may_connect.clear()
    lose(remote, "close")
    eventually(lambda: pool.connections == 0)
    return stream
