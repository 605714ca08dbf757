"""Kit for the official SDK `soniox`, used as in its documentation."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Optional, Union

import pytest
from soniox import SonioxClient
from soniox.errors import SonioxAPIError, SonioxRealtimeError
from soniox.realtime import (
    RealtimeSTTSession,
    RealtimeTTSConnection,
    RealtimeTTSMultiplexedConnection,
    RealtimeTTSStream,
)
from soniox.types import CreateTtsConfig
from soniox.types.realtime import RealtimeEvent, RealtimeSTTConfig, RealtimeTTSConfig

from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import Connection, Event, Failure, Kit, Session, Spoken, Stream

_MARKS = {"<end>": "endpoint", "<fin>": "finalized"}


class _Session(Session):
    def __init__(self, session: RealtimeSTTSession) -> None:
        super().__init__()
        self._session = session.__enter__()

    def send(self, audio: bytes) -> None:
        with suppress(SonioxRealtimeError):  # already closed by the server: `receive()` reports it
            self._session.send_byte_chunk(audio)

    def finalize(self) -> None:
        self._session.finalize()

    def keep_alive(self) -> None:
        self._session.keep_alive()

    def pause(self) -> None:
        self._session.pause()

    def resume(self) -> None:
        self._session.resume()

    def finish(self) -> None:
        with suppress(SonioxRealtimeError):
            self._session.finish()

    def close(self) -> None:
        # it drops its socket without closing it; the server's close ends its thread
        self._session.close()

    def _events(self) -> Iterator[Event]:
        for event in self._session.receive_events():
            if event.error_code is not None:
                yield Event("failure", failure=_failure(event, event.error_message or ""))
                return
            yield from _translate(event)
            if event.finished:
                return
        yield Event("failure", failure=Failure(None, None, "the connection was lost"))


def _translate(event: RealtimeEvent) -> Iterator[Event]:
    """Separate the markers from the tokens, as every application must."""
    tokens = tuple(token for token in event.tokens if token.text not in _MARKS)
    times = (event.final_audio_proc_ms or 0, event.total_audio_proc_ms or 0)
    if tokens or not event.finished:
        yield Event("result", tokens, *times)
    for token in event.tokens:
        if token.text in _MARKS:
            yield Event(_MARKS[token.text])
    if event.finished:
        yield Event("finished", (), *times)


def _failure(event: Any, message: str) -> Failure:
    extra = (event.model_extra or {}) if event is not None else {}
    code = event.error_code if event is not None else None
    return Failure(code, extra.get("error_type"), message)


class _Stream(Stream):
    """A single-stream connection, or a stream of a shared one; both are read the same way."""

    def __init__(self, stream: Union[RealtimeTTSConnection, RealtimeTTSStream]) -> None:
        self._stream = stream

    def send(self, text: str, end: bool = False) -> None:
        with suppress(SonioxRealtimeError):  # already closed by the server: `receive()` reports it
            self._stream.send_text_chunk(text, text_end=end)

    def finish(self) -> None:
        self._stream.finish()

    def cancel(self) -> None:
        self._stream.cancel()

    def receive(self, chunks: Optional[int] = None) -> Spoken:
        spoken = Spoken()
        try:
            for event in self._stream.receive_events():
                _add(spoken, event)
                if chunks is not None and len(spoken.chunks) >= chunks:
                    return spoken
        except SonioxRealtimeError as error:
            spoken.failure = _failure(self._stream.last_message, str(error))
            return spoken
        if not spoken.terminated:
            spoken.failure = Failure(None, None, "the connection was lost")
        return spoken

    def close(self) -> None:
        if isinstance(self._stream, RealtimeTTSConnection):
            self._stream.close()


def _add(spoken: Spoken, event: Any) -> None:
    audio = event.audio_bytes()
    if audio:
        spoken.chunks.append(audio)
    if event.timestamps is not None:
        spoken.characters += event.timestamps.characters
        spoken.starts += event.timestamps.character_start_times_seconds
        spoken.ends += event.timestamps.character_end_times_seconds
    spoken.ended += event.audio_end
    spoken.terminated = spoken.terminated or event.terminated


class _Connection(Connection):
    def __init__(self, connection: RealtimeTTSMultiplexedConnection) -> None:
        self._connection = connection.__enter__()

    def stream(self, stream_id: str, **config: Any) -> Stream:
        made = RealtimeTTSConfig(stream_id=stream_id, **config)
        return _Stream(self._connection.open_stream(config=made))

    def keep_alive(self) -> None:
        self._connection.keep_alive()

    def start_keepalives(self) -> None:
        self._connection.pause()

    def stop_keepalives(self) -> None:
        self._connection.resume()

    def close(self) -> None:
        self._connection.close()


class OfficialKit(Kit):
    """`soniox.SonioxClient` with its four URL options."""

    # pydantic's ValidationError is a ValueError
    refusals = (ValueError, SonioxRealtimeError)

    def __init__(self, sandbox: Sandbox, api_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        urls = sandbox.urls
        self.client = SonioxClient(
            api_key=api_key,
            api_base_url=urls.api,
            websocket_base_url=urls.stt,
            tts_api_base_url=urls.tts_api,
            tts_websocket_base_url=urls.tts,
        )

    def listen(self, **config: Any) -> Session:
        made = RealtimeSTTConfig(**{"model": "stt-rt-v6", **config})
        return _Session(self.client.realtime.stt.connect(config=made))

    def speak(self, **config: Any) -> Stream:
        made = RealtimeTTSConfig(**{"stream_id": str(uuid.uuid4()), **config})
        return _Stream(self.client.realtime.tts.connect(config=made).__enter__())

    def connect(self) -> Connection:
        return _Connection(self.client.realtime.tts.connect_multi_stream())

    def generate(self, text: str, **config: Any) -> tuple[bytes, Optional[Failure]]:
        identity = {name: config.pop(name) for name in ("voice", "model", "language")}
        try:
            audio = self.client.tts.generate(
                text=text, config=CreateTtsConfig(**config), **identity
            )
        except SonioxAPIError as error:
            kind = error.api_error.error_type if error.api_error is not None else None
            return b"", Failure(error.status_code, kind, str(error))
        return audio, None

    def models(self) -> Any:
        return self.client.models.list().models

    def tts_models(self) -> Any:
        return self.client.tts_models.list().models

    def set_keepalive_interval(self, sec: float) -> None:
        # the SDK has no option for this; its constants are 5 s and 25 s
        self._monkeypatch.setattr("soniox.realtime.stt.KEEP_ALIVE_INTERVAL_SEC", sec)
        self._monkeypatch.setattr("soniox.realtime.tts.TTS_KEEP_ALIVE_INTERVAL_SEC", sec)

    def close(self) -> None:
        self.client.close()
