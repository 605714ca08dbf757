"""WAV headers as bytes: parsed from any chunking, and made. No files here, see `wav`.

Reads RIFF, RF64 and BW64, plain and extensible formats, any chunks before `data`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional

from ..errors import ConfigurationError, StateError
from .formats import RawAudio, raw_format

UNKNOWN_SIZE = 0xFFFFFFFF
_UNKNOWN_SIZE_64 = 0xFFFFFFFFFFFFFFFF

# What programs that cannot seek write for "unknown": the first two are usual, the others come
# from espeak-ng, SoX and older encoders.
_PLACEHOLDERS = frozenset({0, UNKNOWN_SIZE, 0x7FFFF000, 0x7FFFFFFF, 0x80000000})

# A header with more than this before `data` is no header; album art stays far below.
_MAX_HEADER_BYTES = 16 * 1024 * 1024

_TAG_PCM, _TAG_FLOAT, _TAG_ALAW, _TAG_MULAW, _TAG_EXTENSIBLE = 1, 3, 6, 7, 0xFFFE

# (format tag, bytes per sample) -> name as transcription spells it
_NAMES = {
    (_TAG_PCM, 1): "pcm_u8",
    (_TAG_PCM, 2): "pcm_s16le",
    (_TAG_PCM, 3): "pcm_s24le",
    (_TAG_PCM, 4): "pcm_s32le",
    (_TAG_FLOAT, 4): "pcm_f32le",
    (_TAG_FLOAT, 8): "pcm_f64le",
    (_TAG_ALAW, 1): "alaw",
    (_TAG_MULAW, 1): "mulaw",
}
_TAGS = {name: tag for (tag, _), name in _NAMES.items()}

# The last 14 bytes of an extensible format's GUID; its first two are the plain format tag.
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


@dataclass(frozen=True)
class WavHeader:
    """Says what a WAV holds: `audio_format` as transcription spells it, rate, channels.

    `data_offset`: bytes before the first sample. `data_bytes`: length of the samples as the
    header says it, `None` when it does not know (then they go to the end).
    """

    audio_format: str
    sample_rate: int
    num_channels: int
    data_offset: int
    data_bytes: Optional[int] = None

    @property
    def raw_audio(self) -> RawAudio:
        """Give the shape of the samples, for times and pacing."""
        return RawAudio(self.audio_format, self.sample_rate, self.num_channels)

    @property
    def duration_ms(self) -> Optional[int]:
        """Give the length in whole milliseconds, `None` when the header does not know it."""
        return None if self.data_bytes is None else self.raw_audio.bytes_to_ms(self.data_bytes)


class WavParser:
    """Finds the header in a stream that comes in chunks of any size. Not thread-safe.

    `feed()` until it returns a header; samples that came along are then in `rest`. Skipped chunks
    are not kept in memory.
    """

    def __init__(self) -> None:
        self.header: Optional[WavHeader] = None
        self.rest = b""
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in the stream
        self._skip = 0  # bytes of an uninteresting chunk still to come
        self._started = False
        self._format: Optional[tuple[str, int, int]] = None
        self._size_64: Optional[int] = None
        self._riff_size = 0

    def feed(self, data: bytes) -> Optional[WavHeader]:
        """Take the next bytes; give the header once it is complete, before that `None`.

        Raises
            ConfigurationError: this is no WAV, or one of a kind the service cannot read.
            StateError: the header was already given.
        """
        if self.header is not None:
            raise StateError("the WAV header was already read: the samples begin in `rest`")
        self._buffer += data
        while self.header is None and self._step():
            pass
        return self.header

    def _step(self) -> bool:
        """Consume one piece of the header; False when more bytes are needed."""
        if self._skip:
            return self._drop()
        if not self._started:
            return self._start()
        if len(self._buffer) < 8:
            return False
        name, size = struct.unpack_from("<4sI", self._buffer)
        if name == b"data":
            self._found_data(size)
            return True
        if name in (b"fmt ", b"ds64"):
            return self._read_chunk(name, size)
        self._take(8)
        self._skip = size + size % 2  # chunks are padded to even lengths
        self._check_length()
        return True

    def _start(self) -> bool:
        head = bytes(self._buffer[:12])
        magic, form = head[:4], head[8:]
        known = any(name.startswith(magic) for name in (b"RIFF", b"RF64", b"BW64"))
        if not known or not b"WAVE".startswith(form):
            raise ConfigurationError("not a WAV: it does not begin with RIFF....WAVE")
        if len(head) < 12:
            return False
        self._riff_size = int.from_bytes(head[4:8], "little")
        self._take(12)
        self._started = True
        return True

    def _read_chunk(self, name: bytes, size: int) -> bool:
        if size > 4096:
            raise ConfigurationError(f"malformed WAV: its {name.decode()!r} chunk has {size} bytes")
        padded = size + size % 2
        if len(self._buffer) < 8 + padded:
            return False
        body = self._take(8 + padded)[8 : 8 + size]
        if name == b"fmt ":
            self._format = _parse_format(body)
        elif len(body) >= 16:
            self._size_64 = int(struct.unpack_from("<Q", body, 8)[0])
        return True

    def _found_data(self, size: int) -> None:
        if self._format is None:
            raise ConfigurationError("malformed WAV: its samples come before their format")
        self._take(8)
        name, rate, channels = self._format
        length = _known_length(size, self._size_64)
        if size == 0 and self._riff_size != UNKNOWN_SIZE and self._riff_size + 8 > self._offset:
            length = 0  # a whole file without samples: what follows is another chunk
        self.header = WavHeader(name, rate, channels, self._offset, length)
        self.rest = bytes(self._buffer)
        self._buffer.clear()

    def _drop(self) -> bool:
        gone = min(self._skip, len(self._buffer))
        self._take(gone)
        self._skip -= gone
        return gone > 0

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._offset += count
        return taken

    def _check_length(self) -> None:
        if self._offset + self._skip > _MAX_HEADER_BYTES:
            raise ConfigurationError("malformed WAV: no samples within its first 16 MiB")


def _parse_format(body: bytes) -> tuple[str, int, int]:
    """Give name, rate and channels from the body of a `fmt ` chunk."""
    if len(body) < 16:
        raise ConfigurationError("malformed WAV: its 'fmt ' chunk is too short")
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _TAG_EXTENSIBLE and len(body) >= 40 and body[26:40] == _GUID_TAIL:
        tag = struct.unpack_from("<H", body, 24)[0]
    if not channels or not rate:
        raise ConfigurationError("malformed WAV: it has no channels or no sample rate")
    # 20-bit samples lie in 3 bytes: what counts is the place one takes, not its precision
    exact = align and align % channels == 0
    sample_bytes = align // channels if exact else (bits + 7) // 8
    name = _NAMES.get((tag, sample_bytes))
    if name is None:
        raise ConfigurationError(
            f"WAV format {tag:#06x} with {bits} bits cannot be streamed as samples: "
            "convert it to 16-bit PCM"
        )
    return name, rate, channels


def _known_length(size: int, size_64: Optional[int]) -> Optional[int]:
    if size == UNKNOWN_SIZE and size_64 not in (None, 0, _UNKNOWN_SIZE_64):
        return size_64
    return None if size in _PLACEHOLDERS else size


def wav_header(
    audio_format: str = "pcm_s16le",
    *,
    sample_rate: int,
    num_channels: int = 1,
    data_bytes: Optional[int] = None,
) -> bytes:
    """Make a WAV header for so many bytes of samples, `None` for a stream of unknown length.

    `audio_format` is spelled either way (`mulaw`, `pcm_mulaw`), `sample_rate` is in Hz. PCM headers
    have 44 bytes, others 58 (they carry a sample count, as the format's definition asks).

    Raises
        ConfigurationError: WAV has no such format (big-endian, signed 8 bit), or a refused rate.
    """
    shape = RawAudio(audio_format, sample_rate, num_channels)
    described = raw_format(audio_format)
    if described is None or described.name not in _TAGS:
        raise ConfigurationError(f"WAV cannot hold {audio_format!r}")
    frame = shape.bytes_per_frame
    if num_channels > 0xFFFF or frame > 0xFFFF or shape.bytes_per_second > 0xFFFFFFFF:
        raise ConfigurationError("WAV cannot hold that many channels or samples per second")
    tag = _TAGS[described.name]
    fmt = struct.pack(
        "<HHIIHH", tag, num_channels, sample_rate, shape.bytes_per_second, frame, described.bits
    )
    if tag != _TAG_PCM:
        frames = UNKNOWN_SIZE if data_bytes is None else min(data_bytes // frame, UNKNOWN_SIZE)
        fmt += struct.pack("<H", 0)
        return _assemble(fmt, struct.pack("<4sII", b"fact", 4, frames), data_bytes)
    return _assemble(fmt, b"", data_bytes)


def _assemble(fmt: bytes, fact: bytes, data_bytes: Optional[int]) -> bytes:
    chunks = struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + fact
    header_bytes = 12 + len(chunks) + 8
    riff, data = wav_sizes(header_bytes, data_bytes)
    return (
        struct.pack("<4sI4s", b"RIFF", riff, b"WAVE") + chunks + struct.pack("<4sI", b"data", data)
    )


def wav_sizes(data_offset: int, data_bytes: Optional[int]) -> tuple[int, int]:
    """Give the two length fields; both unknown when either would not fit into 32 bits."""
    if data_bytes is None:
        return UNKNOWN_SIZE, UNKNOWN_SIZE
    riff = data_offset - 8 + data_bytes + data_bytes % 2
    return (riff, data_bytes) if riff < UNKNOWN_SIZE else (UNKNOWN_SIZE, UNKNOWN_SIZE)
