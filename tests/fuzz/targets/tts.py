"""Messages of speech: the service's own and those of the gateway, until what users hold."""

from __future__ import annotations

from soniox_sync.errors import SonioxConnectionError, SonioxError
from soniox_sync.protocol.dialects import NATIVE_TTS
from soniox_sync.protocol.slng.dialects import SLNG_TTS
from soniox_sync.protocol.states import TtsPhase
from soniox_sync.protocol.tts import StreamRecord, Timestamps, TtsFrame, TtsStreams, read_frame

IS_TEXT = True
TOKENS = (
    *(
        b'"stream_id":"a"',
        b'"stream_id":"b"',
        b'"audio":"AAAA"',
        b'"audio" : "' + b"QUJD" * 150 + b'"',
    ),
    *(b'"audio_end":true', b'"terminated":true', b'"timestamps":{', b'"characters":["a"]', b"\n{"),
    *(b'"character_start_times_seconds":[0.1]', b'"character_end_times_seconds":[1]', b"==", b"\\"),
    *(b'"error_code":408', b'"error_code":"429"', b'"error_message":"x"', b'"type":"audio_chunk"'),
    *(b'"data":"AAAA"', b'"type":"audio_end"', b'"type":"terminated"', b'"type":"error"', b"}"),
)
_CONFIG = {"model": "m", "voice": "v", "language": "en", "audio_format": "wav"}


def check(data: bytes) -> None:
    """Read frames, one a line, until one is malformed, and apply them to two streams."""
    dialect = SLNG_TTS if data and data[0] % 2 else NATIVE_TTS
    streams = TtsStreams(dialect)
    records = {name: streams.open(name, {**_CONFIG, "stream_id": name}) for name in ("a", "b")}
    for record in records.values():
        streams.text(record, "Hello.", record.stream_id == "a")
    for line in data[1:].split(b"\n"):
        try:
            frame = read_frame(line, dialect)
        except SonioxConnectionError as error:
            assert error.code == "protocol_error"
            break
        if frame is not None:
            _apply(streams, records, frame)
    for record in records.values():
        streams.connection_lost(record, SonioxConnectionError("lost"))
        assert record.phase.is_over
        assert record.error is None or isinstance(record.error, SonioxError)
    assert not streams.live


def _apply(streams: TtsStreams, records: dict[str, StreamRecord], frame: TtsFrame) -> None:
    record = records.get(frame.stream_id)
    chunk = frame.chunk
    if record is not None:
        was_over = record.phase.is_over
        chunk = streams.receive(record, frame)
        assert not (was_over and chunk is not None)
        if frame.terminated and not was_over:
            assert record.phase in (TtsPhase.ENDED, TtsPhase.DEAD, TtsPhase.NEW)
    if chunk is None:
        return
    repr(chunk)
    times = chunk.timestamps
    if isinstance(times, Timestamps):
        repr(times.shifted(1.5))
    try:
        assert isinstance(chunk.audio, bytes)
    except SonioxConnectionError as error:
        assert error.code == "protocol_error"
