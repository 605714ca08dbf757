"""Speech without I/O: the streams of one connection, what may be sent, what a frame means.

Source: PROTOCOL 3. The caller holds its state lock round every call; nothing here waits.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Optional, Union

from .._accel import b64decode, json_loads
from ..errors import NetworkError, RealtimeError, SonioxError, StateError
from .dialects import NATIVE_TTS, TtsDialect
from .messages import find_error, malformed, parse_object
from .states import TTS, TtsPhase, TtsStep, step

MAX_STREAMS = 5  # per connection, fixed by the service (PROTOCOL 3.4)

Timestamps = Mapping[str, Any]


class AudioChunk:
    """Is a piece of speech: `audio` bytes, perhaps character `timestamps`, perhaps the last one.

    The base64 text is decoded where the audio is used, in the consumer's thread, once
    (docs/performance.rst).
    `timestamps` holds `characters`, `character_start_times_seconds` and
    `character_end_times_seconds`, parallel lists over the spoken (normalised) text of this piece,
    in seconds from the start of the stream; `None` when none came. Source: PROTOCOL 3.2.
    """

    __slots__ = ("_audio", "_encoded", "audio_end", "timestamps", "told", "weight")

    def __init__(
        self,
        audio: Optional[bytes] = None,
        timestamps: Optional[Timestamps] = None,
        audio_end: bool = False,
        *,
        encoded: Union[bytes, memoryview] = b"",
    ) -> None:
        self._audio = audio
        self._encoded = encoded
        self.timestamps = timestamps
        self.audio_end = audio_end
        self.told = False  # its audio_end event went out while it was still queued
        self.weight = len(audio) if audio is not None else _decoded_size(encoded)

    @property
    def audio(self) -> bytes:
        """Give the audio bytes. Raises `SonioxConnectionError` if they are not valid base64."""
        if self._audio is None:
            self.decode()
        return self._audio  # type: ignore[return-value]

    def decode(self) -> None:
        """Decode now and let the base64 text go."""
        if self._audio is not None:
            return
        try:
            self._audio = b64decode(self._encoded)
        except ValueError:
            raise malformed("audio that is not base64", bytes(self._encoded[:60])) from None
        self._encoded = b""

    def __repr__(self) -> str:
        return f"<AudioChunk {self.weight} bytes{' end' if self.audio_end else ''}>"


def _decoded_size(encoded: Union[bytes, memoryview]) -> int:
    size = len(encoded)
    if not size:
        return 0
    padding = 2 if encoded[-2:] == b"==" else 1 if encoded[-1:] == b"=" else 0
    # never 0: an empty piece is passed over, and text too short for base64 must not pass as one
    return max(1, size // 4 * 3 - padding)


class TtsFrame:
    """Is what one received frame says; one frame may say several things (PROTOCOL 10.46)."""

    __slots__ = ("chunk", "error", "stream_id", "terminated")

    def __init__(
        self,
        stream_id: str,
        chunk: Optional[AudioChunk],
        error: Optional[RealtimeError],
        terminated: bool,
    ) -> None:
        self.stream_id = stream_id  # "" concerns the whole connection
        self.chunk = chunk
        self.error = error
        self.terminated = terminated


# stands for the audio while the rest is parsed; random, so that no server can mean it
_PLACEHOLDER = b"~" + secrets.token_hex(8).encode() + b"~"
_PLACEHOLDER_TEXT = _PLACEHOLDER.decode()
_KEY = b'"audio"'
_WORTH_SLICING = 512  # below this many bytes the plain parser is as fast


def read_frame(payload: bytes, dialect: TtsDialect = NATIVE_TTS) -> Optional[TtsFrame]:
    """Read one message; `None` for one that the dialect ignores.

    Long base64 is sliced out before the JSON parser sees it; whatever is unusual goes through the
    plain parser, and both paths agree (tests/test_protocol_tts.py). Raises
    `SonioxConnectionError` (`code="protocol_error"`).
    """
    sliced = _slice_audio(payload) if len(payload) >= _WORTH_SLICING else None
    if sliced is None:
        frame, encoded = parse_object(payload), None
    else:
        frame, encoded = sliced
    native = dialect.read(frame)
    if native is None:
        return None
    return _understand(native, encoded, payload)


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


def _understand(
    frame: Mapping[str, Any], encoded: Optional[memoryview], payload: bytes
) -> TtsFrame:
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
        chunk = AudioChunk(None, _times(timestamps), audio_end, encoded=encoded)
    elif audio_end or timestamps is not None or get("audio") is not None:
        audio = get("audio") or ""
        if type(audio) is not str:
            raise malformed("a frame whose audio is not a string", payload)
        text = audio.encode("utf-8", "surrogatepass")
        chunk = AudioChunk(None, _times(timestamps), audio_end, encoded=text)
    return TtsFrame(stream_id, chunk, find_error(frame), get("terminated") is True)


def _times(value: object) -> Optional[Timestamps]:
    return value if isinstance(value, dict) else None


class StreamRecord:
    """Is what the protocol knows of one stream. Changed only by `TtsStreams`."""

    __slots__ = ("audio_ended", "config", "error", "phase", "stream_id", "text_bytes", "unheard")

    def __init__(self, stream_id: str, config: Mapping[str, Any]) -> None:
        self.stream_id = stream_id
        self.config = config  # as it goes on the wire
        self.phase = TtsPhase.NEW
        self.audio_ended = False
        self.text_bytes = 0
        self.error: Optional[SonioxError] = None
        # the text sent while no frame came for it, and whether it ended there; `None`: not kept
        self.unheard: Optional[list[tuple[str, bool]]] = None


class TtsStreams:
    """Is the table of live streams of one connection: at most five, each id once."""

    def __init__(self, dialect: TtsDialect = NATIVE_TTS, max_streams: int = MAX_STREAMS) -> None:
        self._dialect = dialect
        self._max = max_streams
        self.live: dict[str, StreamRecord] = {}

    @property
    def is_full(self) -> bool:
        """Tell whether another stream would be refused."""
        return len(self.live) >= self._max

    def open(self, stream_id: str, config: Mapping[str, Any]) -> StreamRecord:
        """Take a place for a new stream. Raises `StateError` for a sixth, or an id that lives."""
        self.check_room(stream_id)
        record = self.live[stream_id] = StreamRecord(stream_id, config)
        return record

    def check_room(self, stream_id: str) -> None:
        """Raise `StateError` when a stream of this name cannot be added."""
        if stream_id in self.live:
            raise StateError(
                f"stream_id {stream_id!r} is in use on this connection until it is terminated"
            )
        if self.is_full:
            raise StateError(
                f"this connection has {self._max} live streams, the most the service allows: "
                "wait for one to terminate (wait_sec=), or open another connection"
            )

    def adopt(self, record: StreamRecord, config: Mapping[str, Any]) -> list[str]:
        """Add a stream whose connection was lost unheard; give its messages, to be sent again.

        `check_room()` comes before.
        """
        self.live[record.stream_id] = record
        record.config = config
        if record.phase is TtsPhase.NEW:
            return []
        unheard = record.unheard or ()
        texts = [self._dialect.text(record.stream_id, text, end) for text, end in unheard]
        return [self._dialect.config(config), *texts]

    def text(self, record: StreamRecord, text: str, end: bool) -> list[str]:
        """Give the messages that carry `text`; the config goes with the first (PROTOCOL 3.3.10)."""
        whose = f"stream {record.stream_id!r}"
        before = record.phase
        if not text and end and before is TtsPhase.NEW:
            self._move(record, TtsStep.END, whose)
            return []
        after = step(TTS, before, TtsStep.TEXT, whose)
        size = len(text.encode("utf-8"))  # before anything changes: half a surrogate pair raises
        record.phase = step(TTS, after, TtsStep.END, whose) if end else after
        record.text_bytes += size
        if record.unheard is not None:
            record.unheard.append((text, end))
        messages = [self._dialect.config(record.config)] if before is TtsPhase.NEW else []
        messages.append(self._dialect.text(record.stream_id, text, end))
        return messages

    def cancel(self, record: StreamRecord) -> list[str]:
        """Give the cancel message, none if the server does not know or no longer has the stream."""
        tell = record.phase in (TtsPhase.ACTIVE, TtsPhase.FINISHING)
        self._move(record, TtsStep.CANCEL, f"stream {record.stream_id!r}")
        return [self._dialect.cancel(record.stream_id)] if tell else []

    def receive(self, record: StreamRecord, frame: TtsFrame) -> Optional[AudioChunk]:
        """Apply one frame; give the audio if it is the user's. Sets `record.error` once."""
        if record.phase is TtsPhase.NEW or record.phase.is_over:
            return None  # it speaks of an earlier stream of this name (PROTOCOL 3.3.6)
        whose = f"stream {record.stream_id!r}"
        record.unheard = None  # whatever the frame says: the server has the stream
        chunk = frame.chunk if record.phase.wants_audio else None
        if chunk is not None and (chunk.audio_end or chunk.weight):
            record.audio_ended = chunk.audio_end  # with more audio behind it, it was not the end
        if frame.error is not None:
            if record.phase.is_open:
                record.error = frame.error
            self._move(record, TtsStep.GOT_ERROR, whose)
        if frame.terminated:
            if record.phase.is_open and not record.audio_ended:
                record.error = _aborted(record.stream_id)
            self._move(record, TtsStep.GOT_TERMINATED, whose)
            if record.error is not None:
                record.phase = TtsPhase.DEAD
            elif record.phase is TtsPhase.DEAD:
                record.phase = TtsPhase.ENDED  # whole audio before our text_end: complete
        return chunk

    def lose(self, record: StreamRecord, error: SonioxError) -> None:
        """Note that the connection ended; an open stream fails with `error`."""
        if record.phase.is_open and record.error is None:
            record.error = error
        self._move(record, TtsStep.LOST, f"stream {record.stream_id!r}")

    def forget(self, record: StreamRecord) -> None:
        """Free the id and its place, whatever the server may still say of it."""
        if self.live.get(record.stream_id) is record:
            del self.live[record.stream_id]

    def _move(self, record: StreamRecord, what: TtsStep, whose: str) -> None:
        record.phase = step(TTS, record.phase, what, whose)
        if record.phase.is_over:
            self.forget(record)


def abandon(record: StreamRecord, error: Optional[SonioxError]) -> None:
    """End a stream that is on no connection: cancelled, or failed with `error`."""
    whose = f"stream {record.stream_id!r}"
    if error is None:
        record.phase = step(TTS, record.phase, TtsStep.CANCEL, whose)
    else:
        record.error = error
    record.phase = step(TTS, record.phase, TtsStep.LOST, whose)


def _aborted(stream_id: str) -> NetworkError:
    return NetworkError(
        f"stream {stream_id!r} was terminated by the server before its audio was complete: "
        "speak the text again on a new stream",
        error_type="terminated_early",
    )
