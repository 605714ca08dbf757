"""The audio of several streams, one behind the other, as if it were of one.

Raw samples and WAV are cut to whole samples, and a WAV gets one header. MP3 and AAC are sequences
of frames that may follow each other: whole frames only, without the tags that count them. Opus
comes in Ogg pages, which are renumbered. What cannot be joined (FLAC: its header holds the length
of one stream) is passed on as it is, and must come from one stream.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Protocol

from ..audio._wav_header import WavHeader, WavParser, wav_header
from ..audio.formats import RawAudio, is_raw, stt_format_name, tts_format_name
from ..errors import ConfigurationError, SonioxConnectionError
from .ogg import OggJoiner

__all__ = ["Joiner", "is_joinable", "open_joiner"]

_MP3_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MP3_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MP3_RATES = (44100, 48000, 32000)
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


class Joiner(Protocol):
    """Takes the bytes of one stream after the other. Not thread-safe."""

    @property
    def seconds(self) -> Optional[float]:
        """Give the duration of the audio handed out; `None` for formats that do not tell."""

    def begin(self) -> None:
        """Learn that another stream's bytes follow; what was incomplete is dropped."""

    def feed(self, data: bytes) -> bytes:
        """Give the bytes to hand out; some may be held back until their sample is complete."""

    def finish(self) -> bytes:
        """Give what belongs behind all audio."""


def is_joinable(audio_format: str) -> bool:
    """Tell whether audio of this format may come from several streams."""
    return is_raw(audio_format) or tts_format_name(audio_format) in ("wav", "mp3", "aac", "opus")


def open_joiner(audio_format: str, sample_rate: Optional[int]) -> Joiner:
    """Make the joiner for a format."""
    name = tts_format_name(audio_format)
    if is_raw(name):
        return RawJoiner(RawAudio(stt_format_name(name), sample_rate or 24000, 1))
    if name == "wav":
        return WavJoiner()
    if name == "opus":
        return OggJoiner()
    if name in _FRAMED:
        return FrameJoiner(_FRAMED[name])
    return PlainJoiner()


class RawJoiner:
    """Hands out whole samples."""

    def __init__(self, shape: RawAudio) -> None:
        self._shape = shape
        self._rest = b""
        self._bytes = 0

    @property
    def seconds(self) -> Optional[float]:
        return self._shape.bytes_to_sec(self._bytes)

    def begin(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._rest:
            data = self._rest + data
        whole = self._shape.align_down(len(data))
        self._bytes += whole
        if whole == len(data):
            self._rest = b""
            return data
        self._rest = data[whole:]
        return data[:whole]

    def finish(self) -> bytes:
        return b""


class WavJoiner:
    """Hands out one header that knows no length, then the samples of all streams."""

    def __init__(self) -> None:
        self._samples: Optional[RawJoiner] = None
        self._shape: Optional[RawAudio] = None
        self._parser: Optional[WavParser] = WavParser()
        self._left: Optional[int] = None  # samples still to come, if the header said so

    @property
    def seconds(self) -> Optional[float]:
        return 0.0 if self._samples is None else self._samples.seconds

    def begin(self) -> None:
        self._parser = WavParser()
        if self._samples is not None:
            self._samples.begin()

    def feed(self, data: bytes) -> bytes:
        head = b""
        if self._parser is not None:
            parser = self._parser
            try:
                header = parser.feed(data)
            except ConfigurationError as error:
                raise SonioxConnectionError(
                    f"the service sent a WAV that is none: {error}", code="protocol_error"
                ) from error
            if header is None:
                return b""
            head, data, self._parser = self._start(header), parser.rest, None
        if self._left is not None:  # behind the samples there may be other chunks
            data = data[: self._left]
            self._left -= len(data)
        assert self._samples is not None  # _start made it
        return head + self._samples.feed(data)

    def _start(self, header: WavHeader) -> bytes:
        self._left = header.data_bytes
        if self._samples is None:
            self._shape = header.raw_audio
            self._samples = RawJoiner(self._shape)
            return wav_header(
                header.audio_format,
                sample_rate=header.sample_rate,
                num_channels=header.num_channels,
            )
        if header.raw_audio != self._shape:
            raise SonioxConnectionError(
                f"the service changed the audio from {self._shape} to {header.raw_audio}",
                code="protocol_error",
            )
        return b""

    def finish(self) -> bytes:
        return b""


class Frame(NamedTuple):
    """Describes one compressed frame: its length in bytes, its seconds, whether it only counts."""

    size: int
    seconds: float
    is_tag: bool = False


# looks at the start of some bytes and describes the frame that begins there; None: there is none
FrameReader = Callable[[bytes], Optional[Frame]]


class FrameJoiner:
    """Hands out whole frames; bytes that are no frames are passed on as they are."""

    def __init__(self, read: FrameReader) -> None:
        self._read = read
        self._rest = b""
        self._lost = False
        self._seconds: Optional[float] = 0.0

    @property
    def seconds(self) -> Optional[float]:
        return self._seconds

    def begin(self) -> None:
        self._rest = b""
        self._lost = False

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        self._rest = b""
        if self._lost:
            return data
        taken: list[bytes] = []
        at = 0
        while len(data) - at >= _HEAD_BYTES:
            frame = self._read(data[at : at + _TAG_BYTES])
            if frame is None:
                self._lost, self._seconds = True, None
                return b"".join((*taken, data[at:]))
            if at + frame.size > len(data):
                break
            if not frame.is_tag:
                taken.append(data[at : at + frame.size])
                self._add(frame.seconds)
            at += frame.size
        self._rest = data[at:]
        if not _may_begin(self._rest):
            self._lost, self._seconds = True, None
            taken.append(self._rest)
            self._rest = b""
        return b"".join(taken)

    def _add(self, seconds: float) -> None:
        if self._seconds is not None:
            self._seconds += seconds

    def finish(self) -> bytes:
        return b""


# a frame is recognised in so many bytes, and when it is whole, whether it is a tag in so many
_HEAD_BYTES, _TAG_BYTES = 10, 48


def _may_begin(data: bytes) -> bool:
    """Tell whether bytes too few to judge may be the start of a frame or tag."""
    return not data or data[0] == 0xFF or b"ID3".startswith(data[:3]) or data[:3] == b"TAG"


def _read_mp3(data: bytes) -> Optional[Frame]:
    if data[:3] == b"ID3":
        size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]  # 7 bits each
        return Frame(10 + size, 0.0, True)
    if data[:3] == b"TAG":
        return Frame(128, 0.0, True)
    if data[0] != 0xFF or data[1] & 0xE6 != 0xE2:  # sync, layer III
        return None
    version, rate_index = data[1] >> 3 & 3, data[2] >> 2 & 3
    if version == 1 or rate_index == 3:
        return None
    first = version == 3  # MPEG-1; 2 is MPEG-2, 0 is MPEG-2.5
    kbps = (_MP3_KBPS_1 if first else _MP3_KBPS_2)[data[2] >> 4]
    if not kbps:
        return None
    rate = _MP3_RATES[rate_index] >> (0 if first else 1 if version == 2 else 2)
    size = (144 if first else 72) * kbps * 1000 // rate + (data[2] >> 1 & 1)
    return Frame(size, (1152 if first else 576) / rate, _is_xing(data, first))


def _is_xing(data: bytes, first: bool) -> bool:
    """Tell whether the frame holds no sound but the number of frames of its stream."""
    mono = data[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return data[4 + side : 8 + side] in (b"Xing", b"Info") or data[36:40] == b"VBRI"


def _read_adts(data: bytes) -> Optional[Frame]:
    if data[:3] == b"ID3":
        return _read_mp3(data)
    if data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return None
    rate_index = data[2] >> 2 & 15
    size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    if rate_index >= len(_AAC_RATES) or size < 7:
        return None
    return Frame(size, 1024 * ((data[6] & 3) + 1) / _AAC_RATES[rate_index])


_FRAMED = {"mp3": _read_mp3, "aac": _read_adts}


class PlainJoiner:
    """Passes bytes on."""

    @property
    def seconds(self) -> Optional[float]:
        return None

    def begin(self) -> None:
        """Do nothing: only one stream may come."""

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""
