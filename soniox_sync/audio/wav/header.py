"""WAV headers as bytes: parsing, from chunks of any size, and building. No I/O.

Reads RIFF, RF64 and BW64, plain and extensible formats, and any chunks before `data`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional

from ..._support.reprs import audio_shape, counted, summary
from ...errors import ConfigurationError, StateError
from ..formats import MAX_CHANNELS, MAX_SAMPLE_RATE, RawAudio, raw_format
from ..signatures import container_of, unreadable_container

UNKNOWN_SIZE = 0xFFFFFFFF
_UNKNOWN_SIZE_64 = 0xFFFFFFFFFFFFFFFF

# What programs that cannot seek write for "unknown", besides 0: the greatest number of 31 or 32
# bits, often rounded to a page, or less the header (espeak-ng, SoX, arecord).
_PLACEHOLDERS = (range(0x7FFFF000, 0x80000100), range(0xFFFFF000, UNKNOWN_SIZE + 1))

# More than this before `data` is not a header; even album art is far smaller.
_MAX_HEADER_BYTES = 16 * 1024 * 1024

# names before which a byte other than 0 may be the padding of the chunk before
_USUAL_CHUNKS = frozenset({b"data", b"fmt ", b"fact", b"LIST", b"bext", b"JUNK", b"PEAK", b"cue "})

_TAG_PCM, _TAG_FLOAT, _TAG_ALAW, _TAG_MULAW, _TAG_EXTENSIBLE = 1, 3, 6, 7, 0xFFFE

# (format tag, bytes per sample) -> name in transcription
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

# The last 14 bytes of an extensible format's GUID; its first two are the plain format tag. The
# second is that of Ambisonics, whose samples are stored the same way.
_GUID_TAILS = (
    bytes.fromhex("000000001000800000aa00389b71"),
    bytes.fromhex("00002107d3118644c8c1ca000000"),
)

# format tags of mmreg.h, by the name that users know the encoding by
_COMPRESSED = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0040: "G.721 ADPCM",
    0x0045: "G.726 ADPCM",
    0x0050: "MPEG audio",
    0x0055: "mp3",
    0x00FF: "AAC",
    0x0161: "Windows Media Audio",
    0xF1AC: "FLAC",
}


@dataclass(frozen=True)
class WavHeader:
    """Header of a WAV: `audio_format` by its name in transcription, rate in Hz, channels.

    `data_offset`: bytes before the first sample. `data_bytes`: length of the samples according to
    the header, `None` if it has none (they then extend to the end).
    """

    audio_format: str
    sample_rate: int
    num_channels: int
    data_offset: int
    data_bytes: Optional[int] = None

    def describe(self) -> str:
        """Return the format for a repr: `pcm_s16le 16000 Hz`."""
        return audio_shape(self.audio_format, self.sample_rate, self.num_channels)

    @property
    def raw_audio(self) -> RawAudio:
        """Format of the samples, for times and pacing."""
        return RawAudio(self.audio_format, self.sample_rate, self.num_channels)

    @property
    def duration_ms(self) -> Optional[int]:
        """Length in whole milliseconds, `None` if the header does not contain it."""
        return None if self.data_bytes is None else self.raw_audio.bytes_to_ms(self.data_bytes)


class WavParser:
    """Incremental parser for the header of a stream, fed in chunks of any size. Not thread-safe.

    Call `feed()` until it returns a header; samples that were fed along with it are then in `rest`.
    At the end of a stream call `finish()`. Skipped RIFF chunks are not kept in memory.
    """

    def __init__(self) -> None:
        self.header: Optional[WavHeader] = None
        self.rest: bytes = b""
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in the stream
        self._skip = 0  # bytes still to come of a RIFF chunk that is skipped
        self._is_odd = False  # the chunk before had an odd length: a padding byte may follow
        self._started = False
        self._ended = False
        self._format: Optional[tuple[str, int, int]] = None
        self._size_64: Optional[int] = None
        self._riff_size = 0

    def __repr__(self) -> str:
        if self.header is None:
            parsed = counted(self._offset + len(self._buffer), "byte")
            return summary(self, f"header incomplete after {parsed}")
        return summary(self, self.header.describe())

    def feed(self, data: bytes) -> Optional[WavHeader]:
        """Parse the next bytes; return the header once it is complete, `None` before that.

        Raises
            ConfigurationError: not a WAV, or one that the service cannot read.
            StateError: the header was already returned.
        """
        if self.header is not None:
            raise StateError("cannot feed: the WAV header is complete, the samples start in `rest`")
        self._buffer += data
        return self._parse()

    def finish(self) -> Optional[WavHeader]:
        """Return the header of a stream that has ended, `None` if it is incomplete.

        A header whose `data` chunk has no length is complete only with the eight bytes after it:
        they show whether samples follow or another chunk.

        Raises
            ConfigurationError: as for `feed()`.
        """
        self._ended = True
        return self._parse()

    def _parse(self) -> Optional[WavHeader]:
        while self.header is None and self._step():
            pass
        return self.header

    def _step(self) -> bool:
        """Consume one element of the header; return False if that needs more bytes."""
        if self._skip:
            return self._skip_bytes()
        if not self._started:
            return self._parse_riff()
        if self._is_odd:
            return self._skip_padding()
        if len(self._buffer) < 8:
            return False
        name, size = struct.unpack_from("<4sI", self._buffer)
        if name == b"data":
            return self._parse_data(size)
        if name in (b"fmt ", b"ds64"):
            return self._parse_chunk(name, size)
        if not _is_chunk_name(name):
            raise ConfigurationError(
                f"malformed WAV: no chunk starts at byte {self._offset}; convert it to a new WAV"
            )
        self._take(8)
        self._skip, self._is_odd = size, size % 2 == 1
        if self._offset + size > _MAX_HEADER_BYTES:
            raise ConfigurationError(
                f"malformed WAV: its {name.decode()!r} chunk has {size} bytes, and there are no "
                "samples within the first 16 MiB"
            )
        return True

    def _parse_riff(self) -> bool:
        head = bytes(self._buffer[:12])
        magic, form = head[:4], head[8:]
        if head.startswith(b"RIFX"):
            raise ConfigurationError(
                "this WAV is big-endian (RIFX), which cannot be streamed: convert it to 16-bit PCM"
            )
        known = any(name.startswith(magic) for name in (b"RIFF", b"RF64", b"BW64"))
        if not known or not b"WAVE".startswith(form):
            found = container_of(head) or unreadable_container(head)
            but = f", but like {found}" if found else ""
            raise ConfigurationError(f"not a WAV: it does not start with RIFF....WAVE{but}")
        if len(head) < 12:
            return False
        self._riff_size = int.from_bytes(head[4:8], "little")
        self._take(12)
        self._started = True
        return True

    def _skip_padding(self) -> bool:
        """Skip the byte that pads an odd chunk, which some programs leave out.

        It should be 0, and no name starts with that. Worked example, after an odd chunk:

            00 d a t a    padding, then a name
            d a t a ..    a name: the padding is missing
            78 d a t a    padding that is not 0: a usual name follows it
        """
        if len(self._buffer) < 5:
            return False
        is_name = bytes(self._buffer[:4]) in _USUAL_CHUNKS
        if not self._buffer[0] or (not is_name and bytes(self._buffer[1:5]) in _USUAL_CHUNKS):
            self._take(1)
        self._is_odd = False
        return True

    def _parse_chunk(self, name: bytes, size: int) -> bool:
        if size > 4096:
            raise ConfigurationError(f"malformed WAV: its {name.decode()!r} chunk has {size} bytes")
        if len(self._buffer) < 8 + size:
            return False
        body = self._take(8 + size)[8:]
        self._is_odd = size % 2 == 1
        if name == b"fmt ":
            self._format = _parse_format(body)
        elif len(body) >= 16:
            self._size_64 = int(struct.unpack_from("<Q", body, 8)[0])
        return True

    def _parse_data(self, size: int) -> bool:
        if self._format is None:
            raise ConfigurationError("malformed WAV: the samples come before their format")
        # bytes after this chunk's header, if the length of the file is to be believed
        left = -1 if _is_placeholder(self._riff_size) else self._riff_size - self._offset
        is_empty = size == 0 and left >= 0
        if is_empty and left > 0 and len(self._buffer) < 16 and not self._ended:
            return False  # what follows decides
        self._take(8)
        name, rate, channels = self._format
        length = _known_length(size, self._size_64)
        if is_empty and self._starts_with_chunk(left):
            length = 0
        self.header = WavHeader(name, rate, channels, self._offset, length)
        self.rest = bytes(self._buffer)
        self._buffer.clear()
        return True

    def _starts_with_chunk(self, left: int) -> bool:
        """Return whether a chunk starts here that fits into the `left` bytes of the file."""
        if len(self._buffer) < 8:
            return False
        name, size = struct.unpack_from("<4sI", self._buffer)
        return _is_chunk_name(name) and size + 8 <= left

    def _skip_bytes(self) -> bool:
        count = min(self._skip, len(self._buffer))
        self._take(count)
        self._skip -= count
        return count > 0

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._offset += count
        return taken


def _is_chunk_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in name)


def _parse_format(body: bytes) -> tuple[str, int, int]:
    """Return name, rate and channels from the body of a `fmt ` chunk."""
    if len(body) < 16:
        raise ConfigurationError("malformed WAV: its 'fmt ' chunk is too short")
    tag, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _TAG_EXTENSIBLE and body[26:40] in _GUID_TAILS:
        tag = struct.unpack_from("<H", body, 24)[0]
    if not 0 < channels <= MAX_CHANNELS or not 0 < rate <= MAX_SAMPLE_RATE:
        raise _absurd(channels, rate)
    sample_bytes = _sample_bytes(tag, channels, align, bits)
    name = _NAMES.get((tag, sample_bytes))
    if name is None:
        encoding = f" ({_COMPRESSED[tag]})" if tag in _COMPRESSED else f" with {bits} bits"
        raise ConfigurationError(
            f"WAV format {tag:#06x}{encoding} cannot be streamed as samples: convert it to 16-bit "
            "PCM, for instance with ffmpeg -i INPUT -ac 1 -ar 16000 output.wav"
        )
    if channels * sample_bytes * rate > 0xFFFFFFFF:  # the field for it has 32 bits
        raise _absurd(channels, rate)
    return name, rate, channels


def _absurd(channels: int, rate: int) -> ConfigurationError:
    return ConfigurationError(
        f"malformed WAV: it has {counted(channels, 'channel')} and a sample rate of {rate} Hz; "
        "convert it to a new WAV"
    )


def _sample_bytes(tag: int, channels: int, align: int, bits: int) -> int:
    """Return the size of a stored sample.

    Its bits decide: many recorders write a wrong block alignment, which players ignore. A sample of
    12 or 20 bits is stored in more; only then the alignment has the size.
    """
    if tag in (_TAG_ALAW, _TAG_MULAW):
        return 1  # some programs write the 16 bits of the decoded sample
    least = (bits + 7) // 8
    if bits and bits % 8 == 0:
        return least
    return align // channels if align % channels == 0 and align >= least * channels else least


def _is_placeholder(size: int) -> bool:
    """Return whether a length stands for one that was not known when it was written."""
    return size == 0 or any(size in each for each in _PLACEHOLDERS)


def _known_length(size: int, size_64: Optional[int]) -> Optional[int]:
    """Return the length of the samples, `None` when both fields are placeholders.

    RF64 and BW64 files have the length in their `ds64` chunk, and UNKNOWN_SIZE in the 32-bit field.
    """
    if size == UNKNOWN_SIZE and size_64 not in (None, 0, _UNKNOWN_SIZE_64):
        return size_64
    return None if _is_placeholder(size) else size


def wav_header(
    audio_format: str = "pcm_s16le",
    *,
    sample_rate: int,
    num_channels: int = 1,
    data_bytes: Optional[int] = None,
) -> bytes:
    """Return a WAV header for `data_bytes` of samples, `None` for a stream of unknown length.

    `audio_format` may have either spelling (`mulaw`, `pcm_mulaw`), `sample_rate` is in Hz. PCM
    headers have 44 bytes, others 58, because they must contain a sample count.

    Raises
        ConfigurationError: WAV has no such format (big-endian, signed 8 bit), or an illegal rate.
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
    """Return the RIFF and data lengths; both unknown if either would not fit into 32 bits."""
    if data_bytes is None:
        return UNKNOWN_SIZE, UNKNOWN_SIZE
    riff = data_offset - 8 + data_bytes + data_bytes % 2
    return (riff, data_bytes) if riff < UNKNOWN_SIZE else (UNKNOWN_SIZE, UNKNOWN_SIZE)
