"""The official SDK's synchronous classes, used as in its own examples."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Dict, Iterator, List

from tests.bench.clients.base import TEXT, TTS_ID, Closable, Listening, Speech

if TYPE_CHECKING:
    from soniox import SonioxClient
    from soniox.realtime import (
        RealtimeSTTSession,
        RealtimeTTSConnection,
        RealtimeTTSMultiplexedConnection,
        RealtimeTTSStream,
    )
    from soniox.types.realtime import RealtimeSTTConfig, RealtimeTTSConfig


class _Speech:
    """A single-stream connection, or a stream of a shared one; both are read the same way."""

    def __init__(self, stream: RealtimeTTSConnection | RealtimeTTSStream) -> None:
        self._stream = stream

    def start(self) -> None:
        self._stream.send_text_chunk(TEXT, text_end=True)

    def chunks(self) -> Iterator[bytes]:
        return self._stream.receive_audio_chunks()


class _Listening:
    def __init__(self, session: RealtimeSTTSession) -> None:
        self._session = session

    def send(self, audio: bytes) -> None:
        self._session.send_byte_chunk(audio)

    def consume(self, every_field: bool = False) -> int:
        count, text = 0, ""
        for event in self._session.receive_events():
            for token in event.tokens:
                if token.is_final:
                    text += token.text
                count += 1
                if every_field:
                    _ = (
                        token.start_ms,
                        token.end_ms,
                        token.confidence,
                        token.speaker,
                        token.language,
                    )
            if event.finished:
                return count
        raise ConnectionError("the server disconnected before the session was finished")


class OfficialClient:
    """``soniox.SonioxClient`` pointed at the fake server."""

    def __init__(self, cafile: str) -> None:
        # the SDK has no TLS option for WebSockets, only OpenSSL's own variable works
        os.environ["SSL_CERT_FILE"] = cafile
        from soniox import SonioxClient

        self._kind = SonioxClient
        self._clients: Dict[str, SonioxClient] = {}

    def _client(self, url: str) -> SonioxClient:
        if url not in self._clients:
            self._clients[url] = self._kind(
                api_key="bench", websocket_base_url=url, tts_websocket_base_url=url
            )
        return self._clients[url]

    @contextlib.contextmanager
    def speech(self, url: str) -> Iterator[Speech]:
        tts = self._client(url).realtime.tts
        with tts.connect(config=tts_config(TTS_ID)) as connection:
            yield _Speech(connection)

    @contextlib.contextmanager
    def speeches(self, url: str, ids: List[str]) -> Iterator[List[Speech]]:
        with self._client(url).realtime.tts.connect_multi_stream() as connection:
            yield [_Speech(connection.open_stream(config=tts_config(name))) for name in ids]

    @contextlib.contextmanager
    def listening(self, url: str) -> Iterator[Listening]:
        with self._client(url).realtime.stt.connect(config=stt_config()) as session:
            yield _Listening(session)

    def tts_connection(self, url: str) -> Closable:
        connection: RealtimeTTSMultiplexedConnection
        connection = self._client(url).realtime.tts.connect_multi_stream()
        return connection.__enter__()

    def stt_connection(self, url: str) -> Closable:
        session: RealtimeSTTSession = self._client(url).realtime.stt.connect(config=stt_config())
        return session.__enter__()


def tts_config(stream_id: str) -> RealtimeTTSConfig:
    """Return the configuration of a stream."""
    from soniox.types.realtime import RealtimeTTSConfig

    return RealtimeTTSConfig(
        stream_id=stream_id,
        model="tts-rt-v2",
        language="en",
        voice="Adrian",
        audio_format="pcm_s16le",
        sample_rate=24000,
    )


def stt_config() -> RealtimeSTTConfig:
    """Return the configuration of a session."""
    from soniox.types.realtime import RealtimeSTTConfig

    return RealtimeSTTConfig(
        model="stt-rt-v6", audio_format="pcm_s16le", sample_rate=16000, num_channels=1
    )
