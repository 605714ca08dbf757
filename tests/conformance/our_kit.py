"""Kit for this library, used as in its README."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Optional

import pytest

from soniox_sync import (
    ConfigurationError,
    RealtimeError,
    SonioxHttpError,
    SttSession,
    TtsConnection,
    TtsStream,
)
from soniox_sync.errors import StateError
from soniox_sync.sandbox import Sandbox
from tests.conformance.kit import (
    TIMEOUT_SEC,
    Connection,
    Event,
    Failure,
    Kit,
    Session,
    Spoken,
    Stream,
)


def _failure(error: RealtimeError) -> Failure:
    return Failure(error.status_code, error.error_type, str(error))


class _Session(Session):
    def __init__(self, session: SttSession) -> None:
        super().__init__()
        self._session = session

    def send(self, audio: bytes) -> None:
        with suppress(RealtimeError):  # the session has failed: the iterator raises it
            self._session.send_audio(audio)

    def finalize(self) -> None:
        self._session.finalize()

    def keep_alive(self) -> None:
        self._session.keep_alive()

    def pause(self) -> None:
        self._session.pause()

    def resume(self) -> None:
        self._session.resume()

    def finish(self) -> None:
        with suppress(RealtimeError):  # the iterator raises it as well
            self._session.finish(TIMEOUT_SEC)

    def close(self) -> None:
        self._session.close()

    def _events(self) -> Iterator[Event]:
        try:
            for event in self._session:
                result = event.result
                times = (result.final_audio_proc_ms, result.total_audio_proc_ms)
                has_tokens = event.kind in ("result", "finished")
                yield Event(event.kind, tuple(result.tokens) if has_tokens else (), *times)
        except RealtimeError as error:
            yield Event("failure", failure=_failure(error))


class _Stream(Stream):
    def __init__(self, stream: TtsStream) -> None:
        self._stream = stream

    def send(self, text: str, end: bool = False) -> None:
        with suppress(RealtimeError):  # the stream has failed: the iterator raises it
            self._stream.send_text(text, end=end)

    def finish(self) -> None:
        self._stream.finish()

    def cancel(self) -> None:
        self._stream.cancel()

    def receive(self, chunks: Optional[int] = None) -> Spoken:
        spoken = Spoken()
        try:
            for chunk in self._stream.events():
                _add(spoken, chunk)
                if chunks is not None and len(spoken.chunks) >= chunks:
                    return spoken
            self._stream.wait(TIMEOUT_SEC)
            spoken.terminated = True
        except RealtimeError as error:
            spoken.failure = _failure(error)
        return spoken

    def close(self) -> None:
        self._stream.close()


def _add(spoken: Spoken, chunk: Any) -> None:
    if chunk.audio:
        spoken.chunks.append(chunk.audio)
    if chunk.timestamps is not None:
        spoken.characters += chunk.timestamps.characters
        spoken.starts += chunk.timestamps.character_start_times_seconds
        spoken.ends += chunk.timestamps.character_end_times_seconds
    spoken.ended += chunk.audio_end


class _Connection(Connection):
    def __init__(self, connection: TtsConnection) -> None:
        self._connection = connection

    def stream(self, stream_id: str, **config: Any) -> Stream:
        return _Stream(self._connection.stream(stream_id=stream_id, **config))

    def keep_alive(self) -> None:
        self._connection.keep_alive()

    def start_keepalives(self) -> None:
        """Do nothing: keepalives are automatic."""

    def stop_keepalives(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        self._connection.close()


class OurKit(Kit):
    """`soniox_sync.SonioxClient`."""

    # ConfigurationError is also a ValueError
    refusals = (ConfigurationError, StateError)

    def __init__(self, sandbox: Sandbox, api_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = sandbox.client(api_key=api_key)
        self._interval = 5.0

    def listen(self, **config: Any) -> Session:
        options = {"keepalive_interval_sec": self._interval}
        return _Session(self.client.realtime.stt(options=options, **config))

    def speak(self, **config: Any) -> Stream:
        return _Stream(self.client.realtime.tts(**config))

    def connect(self) -> Connection:
        return _Connection(
            self.client.realtime.tts.multi_stream(keepalive_interval_sec=self._interval)
        )

    def generate(self, text: str, **config: Any) -> tuple[bytes, Optional[Failure]]:
        try:
            return self._namespace("tts").generate(text=text, **config), None
        except SonioxHttpError as error:
            return b"", Failure(error.status_code, error.error_type, str(error))

    def models(self) -> Any:
        return self._listed("models")

    def tts_models(self) -> Any:
        return self._listed("tts_models")

    def _listed(self, name: str) -> Any:
        found = self._namespace(name).list()
        return getattr(found, "models", found)

    def _namespace(self, name: str) -> Any:
        if not hasattr(self.client, name):
            pytest.skip(f"this version of the library has no client.{name}")
        return getattr(self.client, name)

    def set_keepalive_interval(self, sec: float) -> None:
        self._interval = sec

    def close(self) -> None:
        self.client.close()
