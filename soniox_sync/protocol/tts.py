"""Speech without I/O: the streams of one connection, what may be sent, how frames are parsed.

The caller holds its state lock during every call; nothing here blocks. Source: PROTOCOL 3.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional, Union

from .._support.accel import b64decode, json_loads
from .._support.reprs import byte_size, quoted, summary
from ..errors import NetworkError, RealtimeError, SonioxError, StateError, advised
from .dialects import NATIVE_TTS, TtsDialect
from .messages import find_error, malformed, parse_object
from .states import TTS, TtsPhase, TtsStep, step

# the service ends a stream after about 5 s without a text (PROTOCOL 3.5)
_NOT_ENDED = (
    "No text came in time, and the text was not ended: pass end=True or call finish(). Where text "
    "comes with pauses, speak() ends it in time."
)

MAX_STREAMS = 5  # per connection, fixed by the service (PROTOCOL 3.4)


@dataclass(frozen=True, repr=False)
class Timestamps:
    """Times of the characters of a chunk, as three tuples of the same length.

    Characters of the spoken (normalised) text; seconds from the start of the stream, or with
    `speak()` of the whole speech. Source: PROTOCOL 3.2.
    """

    characters: tuple[str, ...]
    character_start_times_seconds: tuple[float, ...]
    character_end_times_seconds: tuple[float, ...]

    @classmethod
    def from_wire(cls, value: object) -> Optional[Timestamps]:
        """Return the timestamps of a frame; `None` unless it has three matching lists."""
        if not isinstance(value, dict):
            return None
        texts = value.get("characters")
        starts = _seconds(value.get("character_start_times_seconds"))
        ends = _seconds(value.get("character_end_times_seconds"))
        if not isinstance(texts, list) or starts is None or ends is None:
            return None
        if not len(texts) == len(starts) == len(ends):
            return None
        return cls(tuple(texts), starts, ends) if all(type(t) is str for t in texts) else None

    def shifted(self, by_sec: float) -> Timestamps:
        """Return the same characters, spoken `by_sec` seconds later."""
        return Timestamps(
            self.characters,
            tuple(round(at + by_sec, 4) for at in self.character_start_times_seconds),
            tuple(round(at + by_sec, 4) for at in self.character_end_times_seconds),
        )

    def __repr__(self) -> str:
        if not self.characters:
            return "<Timestamps of nothing>"
        begin, end = self.character_start_times_seconds[0], self.character_end_times_seconds[-1]
        return summary(self, quoted("".join(self.characters)), f"{begin:.2f} to {end:.2f} s")


def _seconds(value: object) -> Optional[tuple[float, ...]]:
    """Return a list of times as floats; `None` for anything else."""
    if not isinstance(value, list):
        return None
    for at in value:
        # an int outside of the range of a float would raise below
        if not ((type(at) is float and math.isfinite(at)) or (type(at) is int and abs(at) < 1e9)):
            return None
    return tuple(map(float, value))


class AudioChunk:
    """Chunk of speech: `audio` bytes, `timestamps` or `None`; `audio_end`: it is the last.

    What was received is decoded once, on first use, in the consumer's thread
    (docs/performance.rst). Source: PROTOCOL 3.2.
    """

    __slots__ = (
        "_audio",
        "_encoded",
        "_timestamps",
        "_wire_times",
        "audio_end",
        "dispatched",
        "weight",
    )

    def __init__(
        self,
        audio: Optional[bytes] = None,
        timestamps: Optional[Timestamps] = None,
        audio_end: bool = False,
        *,
        encoded: Union[bytes, memoryview] = b"",
        wire_times: object = None,
    ) -> None:
        self._audio = audio
        self._encoded = encoded
        self._timestamps = timestamps
        self._wire_times = wire_times
        self.audio_end: bool = audio_end
        self.dispatched: bool = False  # "audio_end" was emitted while it was queued for a puller
        self.weight: int = len(audio) if audio is not None else _decoded_size(encoded)

    @property
    def timestamps(self) -> Optional[Timestamps]:
        """Times of its characters; `None` if there are none, or they are malformed."""
        if self._wire_times is not None:
            self._timestamps = Timestamps.from_wire(self._wire_times)
            self._wire_times = None  # afterwards: another thread may be here too
        return self._timestamps

    @property
    def audio(self) -> bytes:
        """Audio bytes.

        Raises
            SonioxConnectionError: the base64 that was received is invalid.
        """
        if self._audio is None:
            self.decode()
        return self._audio  # type: ignore[return-value]

    def decode(self) -> None:
        """Decode now and free the base64 text."""
        if self._audio is not None:
            return
        try:
            self._audio = b64decode(self._encoded)
        except ValueError:
            raise malformed("audio that is not base64", bytes(self._encoded)) from None
        self._encoded = b""

    def __repr__(self) -> str:
        return summary(self, byte_size(self.weight), "end" if self.audio_end else "")


def _decoded_size(encoded: Union[bytes, memoryview]) -> int:
    size = len(encoded)
    if not size:
        return 0
    padding = 2 if encoded[-2:] == b"==" else 1 if encoded[-1:] == b"=" else 0
    # never 0: an empty chunk is skipped, but malformed base64 must not count as empty
    return max(1, size // 4 * 3 - padding)


class TtsFrame:
    """Contents of one received frame, which may have several meanings (PROTOCOL 10.46)."""

    __slots__ = ("chunk", "error", "stream_id", "terminated")

    def __init__(
        self,
        stream_id: str,
        chunk: Optional[AudioChunk],
        error: Optional[RealtimeError],
        terminated: bool,
    ) -> None:
        self.stream_id: str = stream_id  # "": about the whole connection
        self.chunk: Optional[AudioChunk] = chunk
        self.error: Optional[RealtimeError] = error
        self.terminated: bool = terminated


# replaces the audio while the rest is parsed; random, so that no server sends it
_PLACEHOLDER = b"~" + secrets.token_hex(8).encode() + b"~"
_PLACEHOLDER_TEXT = _PLACEHOLDER.decode()
_KEY = b'"audio"'
_WORTH_SLICING = 512  # below this many bytes the plain parser is as fast


def read_frame(payload: bytes, dialect: TtsDialect = NATIVE_TTS) -> Optional[TtsFrame]:
    """Return one message as a frame, `None` if the dialect ignores it.

    Long base64 is removed before JSON is parsed. An unusual message is parsed as a whole; both ways
    have the same result (tests/protocol/test_tts.py).

    Raises
        SonioxConnectionError: the message violates the protocol (`code="protocol_error"`).
    """
    sliced = _slice_audio(payload) if len(payload) >= _WORTH_SLICING else None
    if sliced is None:
        frame, encoded = parse_object(payload), None
    else:
        frame, encoded = sliced
    native = dialect.read(frame)
    if native is None:
        return None
    return _to_frame(native, encoded, payload)


def _slice_audio(payload: bytes) -> Optional[tuple[dict[str, Any], memoryview]]:
    key = payload.find(_KEY)
    if key < 0:
        return None
    start = key + len(_KEY)
    quote = payload.find(b'"', start, start + 8) + 1
    if not quote or payload[start : quote - 1].strip(b" \t\r\n") != b":":
        return None
    end = payload.find(b'"', quote)
    if end < 0 or payload.find(b"\\", quote, end) >= 0:
        return None
    rest = b"".join((payload[:quote], _PLACEHOLDER, payload[end:]))
    try:
        frame = json_loads(rest)
    except ValueError:
        return None
    if type(frame) is not dict or frame.get("audio") != _PLACEHOLDER_TEXT:
        return None
    return frame, memoryview(payload)[quote:end]


def _to_frame(frame: Mapping[str, Any], encoded: Optional[memoryview], payload: bytes) -> TtsFrame:
    get = frame.get
    stream_id = get("stream_id")
    if stream_id is None:
        stream_id = ""
    elif type(stream_id) is not str:
        raise malformed("a frame whose stream_id is not a string", payload)
    chunk: Optional[AudioChunk] = None
    audio_end = get("audio_end") is True
    timestamps = get("timestamps")
    if encoded is not None:
        chunk = AudioChunk(None, None, audio_end, encoded=encoded, wire_times=timestamps)
    elif audio_end or timestamps is not None or get("audio") is not None:
        audio = get("audio") or ""
        if type(audio) is not str:
            raise malformed("a frame whose audio is not a string", payload)
        text = audio.encode("utf-8", "surrogatepass")
        chunk = AudioChunk(None, None, audio_end, encoded=text, wire_times=timestamps)
    return TtsFrame(stream_id, chunk, find_error(frame), get("terminated") is True)


class StreamRecord:
    """Protocol state of one stream. Changed only by `TtsStreams` and `end_detached()`."""

    __slots__ = ("audio_ended", "config", "error", "phase", "stream_id", "text_bytes", "unanswered")

    def __init__(self, stream_id: str, config: Mapping[str, Any]) -> None:
        self.stream_id: str = stream_id
        self.config: Mapping[str, Any] = config  # as it is sent
        self.phase: TtsPhase = TtsPhase.NEW
        self.audio_ended: bool = False
        self.text_bytes: int = 0
        self.error: Optional[SonioxError] = None
        # (text, end) sent before the first frame for the stream was received; `None`: not kept
        self.unanswered: Optional[list[tuple[str, bool]]] = None


class TtsStreams:
    """Live streams of one connection: at most five, each id once."""

    def __init__(self, dialect: TtsDialect = NATIVE_TTS) -> None:
        self._dialect = dialect
        self.live: dict[str, StreamRecord] = {}

    @property
    def is_full(self) -> bool:
        """Whether another stream would be refused."""
        return len(self.live) >= MAX_STREAMS

    def open(self, stream_id: str, config: Mapping[str, Any]) -> StreamRecord:
        """Add a new stream.

        Raises
            StateError: it would be the sixth, or its id is in use.
        """
        self.check_room(stream_id)
        record = self.live[stream_id] = StreamRecord(stream_id, config)
        return record

    def check_room(self, stream_id: str) -> None:
        """Raise `StateError` if a stream with this id cannot be added."""
        if stream_id in self.live:
            raise StateError(
                f"stream_id {stream_id!r} is in use on this connection until it is terminated"
            )
        if self.is_full:
            raise StateError(
                f"this connection has {MAX_STREAMS} live streams, the most the service allows: "
                "wait for one to terminate (wait_sec=), or open another connection"
            )

    def attach(self, record: StreamRecord, config: Mapping[str, Any]) -> list[str]:
        """Add a stream whose connection was lost before an answer; return its messages to resend.

        Call `check_room()` first.
        """
        self.live[record.stream_id] = record
        record.config = config
        if record.phase is TtsPhase.NEW:
            return []
        unanswered = record.unanswered or ()
        texts = [self._dialect.text(record.stream_id, text, end) for text, end in unanswered]
        return [self._dialect.config(config), *texts]

    def text(self, record: StreamRecord, text: str, end: bool) -> list[str]:
        """Return the messages for `text`, with the config before the first (PROTOCOL 3.3.10)."""
        whose = f"stream {record.stream_id!r}"
        before = record.phase
        if not text and end and before is TtsPhase.NEW:
            self._move(record, TtsStep.END, whose)
            return []
        after = step(TTS, before, TtsStep.TEXT, whose)
        size = len(text.encode("utf-8"))  # before anything changes: half a surrogate pair raises
        record.phase = step(TTS, after, TtsStep.END, whose) if end else after
        record.text_bytes += size
        if record.unanswered is not None:
            record.unanswered.append((text, end))
        messages = [self._dialect.config(record.config)] if before is TtsPhase.NEW else []
        messages.append(self._dialect.text(record.stream_id, text, end))
        return messages

    def cancel(self, record: StreamRecord) -> list[str]:
        """Return the cancel message; none if the server does not know the stream."""
        known = record.phase in (TtsPhase.ACTIVE, TtsPhase.FINISHING)
        self._move(record, TtsStep.CANCEL, f"stream {record.stream_id!r}")
        return [self._dialect.cancel(record.stream_id)] if known else []

    def receive(self, record: StreamRecord, frame: TtsFrame) -> Optional[AudioChunk]:
        """Apply one frame; return its audio if it goes to the user. Sets `record.error` once."""
        if record.phase is TtsPhase.NEW or record.phase.is_over:
            return None  # for an earlier stream with this id (PROTOCOL 3.3.6)
        whose = f"stream {record.stream_id!r}"
        record.unanswered = None  # whatever the frame is, the server knows the stream
        chunk = frame.chunk if record.phase.wants_audio else None
        if chunk is not None and (chunk.audio_end or chunk.weight):
            record.audio_ended = chunk.audio_end  # False again if more audio follows
        if frame.error is not None:
            if record.phase is TtsPhase.ACTIVE and frame.error.status_code == 408:
                frame.error = advised(frame.error, _NOT_ENDED)
            if record.phase.is_open:
                record.error = frame.error
            self._move(record, TtsStep.GOT_ERROR, whose)
        if frame.terminated:
            if record.phase.is_open and not record.audio_ended:
                record.error = NetworkError(
                    f"{whose} was terminated by the server before its audio was complete: speak "
                    "the text again on a new stream",
                    error_type="terminated_early",
                )
            is_whole = record.error is None
            self._move(record, TtsStep.GOT_TERMINATED if is_whole else TtsStep.GOT_CUT_OFF, whose)
        return chunk

    def connection_lost(self, record: StreamRecord, error: SonioxError) -> None:
        """Record that the connection ended; an open stream fails with `error`."""
        if record.phase.is_open and record.error is None:
            record.error = error
        self._move(record, TtsStep.LOST, f"stream {record.stream_id!r}")

    def free(self, record: StreamRecord) -> None:
        """Remove a stream and free its id, whatever the server may still send for it."""
        if self.live.get(record.stream_id) is record:
            del self.live[record.stream_id]

    def _move(self, record: StreamRecord, what: TtsStep, whose: str) -> None:
        record.phase = step(TTS, record.phase, what, whose)
        if record.phase.is_over:
            self.free(record)


def end_detached(record: StreamRecord, error: Optional[SonioxError]) -> None:
    """End a detached stream: cancelled, or failed with `error`."""
    whose = f"stream {record.stream_id!r}"
    if error is None:
        record.phase = step(TTS, record.phase, TtsStep.CANCEL, whose)
    else:
        record.error = error
    record.phase = step(TTS, record.phase, TtsStep.LOST, whose)
