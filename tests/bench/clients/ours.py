"""soniox_sync, used only through its public names."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Dict, Iterator, List

from tests.bench.clients.base import TEXT, TTS_ID, Closable, Listening, Speech

if TYPE_CHECKING:
    from soniox_sync import SonioxClient, SttSession, TtsStream

TTS: Dict[str, Any] = {
    "model": "tts-rt-v2",
    "language": "en",
    "voice": "Adrian",
    "audio_format": "pcm_s16le",
    "sample_rate": 24000,
}
STT: Dict[str, Any] = {
    "model": "stt-rt-v6",
    "audio_format": "pcm_s16le",
    "sample_rate": 16000,
    "num_channels": 1,
}


class _Speech:
    def __init__(self, stream: TtsStream) -> None:
        self._stream = stream

    def start(self) -> None:
        self._stream.send_text(TEXT, end=True)

    def chunks(self) -> Iterator[bytes]:
        return iter(self._stream)


class _Listening:
    def __init__(self, session: SttSession) -> None:
        self._session = session

    def send(self, audio: bytes) -> None:
        self._session.send_audio(audio)

    def consume(self, every_field: bool = False) -> int:
        count, text = 0, ""
        for result in self._session.results():
            for token in result.tokens:
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
        return count


class OurClient:
    """``soniox_sync.SonioxClient`` pointed at the fake server."""

    def __init__(self, cafile: str) -> None:
        from soniox_sync import SonioxClient

        self._kind = SonioxClient
        self._cafile = cafile
        self._clients: Dict[str, SonioxClient] = {}

    def _client(self, url: str, trace: str = "") -> SonioxClient:
        # one cached client per URL, so that its TLS context is created once and shared
        key = f"{url} {trace}"
        if key not in self._clients:
            self._clients[key] = self._kind(
                api_key="bench-key-0123456789",
                stt_ws_url=url,
                tts_ws_url=url,
                verify=self._cafile,
                trace=trace,
            )
        return self._clients[key]

    @contextlib.contextmanager
    def speech(self, url: str) -> Iterator[Speech]:
        with self._client(url).realtime.tts(stream_id=TTS_ID, **TTS) as stream:
            yield _Speech(stream)

    @contextlib.contextmanager
    def speeches(self, url: str, ids: List[str]) -> Iterator[List[Speech]]:
        with self._client(url).realtime.tts.multi_stream() as connection:
            yield [_Speech(connection.stream(stream_id=name, **TTS)) for name in ids]

    @contextlib.contextmanager
    def listening(self, url: str, trace: str = "") -> Iterator[Listening]:
        with self._client(url, trace).realtime.stt(**STT) as session:
            yield _Listening(session)

    def tts_connection(self, url: str) -> Closable:
        connection = self._client(url).realtime.tts.multi_stream()
        connection.connect()
        return connection

    def stt_connection(self, url: str) -> Closable:
        return self._client(url).realtime.stt(**STT)
