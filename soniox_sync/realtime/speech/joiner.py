"""Joining the audio of several streams, one after another, as if it came from one.

Raw samples and WAV are cut to whole samples, and a WAV gets one header. MP3 and AAC are sequences
of frames: only whole frames are kept, without tags that hold the frame count. Opus is in Ogg pages,
which are renumbered. What cannot be joined (FLAC: its header contains the length of one stream) is
passed on unchanged, and must come from one stream.

An example with `pcm_s16le`, two bytes per sample:

    feed(b"aab")    -> b"aa"       "b" waits for its second byte
    feed(b"bc")     -> b"bb"
    begin()                        another stream: the half sample "c" is dropped, or every sample
    feed(b"dd")     -> b"dd"       of that stream would be shifted by one byte, which is noise
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Protocol

from ...audio.formats import RawAudio, is_raw, stt_format_name, tts_format_name
from ...audio.wav.header import WavHeader, WavParser, wav_header
from ...errors import ConfigurationError, SonioxConnectionError
from .ogg import OggJoiner

__all__ = ["Joiner", "is_joinable", "open_joiner"]

_MP3_KBPS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MP3_KBPS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_MP3_RATES = (44100, 48000, 32000)
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


class Joiner(Protocol):
    """Joins the bytes of one stream after another. Not thread-safe."""

    @property
    def seconds(self) -> Optional[float]:
        """Duration of the audio returned; `None` for formats in which it cannot be known."""

    def begin(self) -> None:
        """Start another stream; incomplete data of the previous one is dropped."""

    def feed(self, data: bytes) -> bytes:
        """Return what is complete: whole samples, frames or pages; keep the rest for later."""

    def finish(self) -> bytes:
        """Return what follows the audio of all streams."""


def is_joinable(audio_format: str) -> bool:
    """Return whether audio of this format may come from several streams."""
    return is_raw(audio_format) or tts_format_name(audio_format) in ("wav", "mp3", "aac", "opus")


def open_joiner(audio_format: str, sample_rate: Optional[int]) -> Joiner:
    """Return a joiner for a format."""
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
    """Joiner of headerless audio: whole samples."""

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
    """Joiner of WAV: one header without a length, then the samples of all streams."""

    def __init__(self) -> None:
        self._samples: Optional[RawJoiner] = None
        self._shape: Optional[RawAudio] = None
        self._parser: Optional[WavParser] = WavParser()
        self._left: Optional[int] = None  # bytes of samples still to come, if the header has a size

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
                    f"the service sent a WAV that cannot be read: {error}", code="protocol_error"
                ) from error
            if header is None:
                return b""
            head, data, self._parser = self._start(header), parser.rest, None
        if self._left is not None:  # other RIFF chunks may follow the samples
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
    """One compressed frame: its bytes, its seconds, and whether it is a tag without sound."""

    size: int
    seconds: float
    is_tag: bool = False


# returns the frame at the start of some bytes, or None if there is none
FrameReader = Callable[[bytes], Optional[Frame]]


class FrameJoiner:
    """Joiner of MP3 and AAC: whole frames. If it meets other bytes, it passes on all from there."""

    def __init__(self, read: FrameReader) -> None:
        self._read = read
        self._rest = b""
        self._passing_on = False
        self._seconds: Optional[float] = 0.0

    @property
    def seconds(self) -> Optional[float]:
        return self._seconds

    def begin(self) -> None:
        self._rest = b""
        self._passing_on = False

    def feed(self, data: bytes) -> bytes:
        data = self._rest + data
        self._rest = b""
        if self._passing_on:
            return data
        taken: list[bytes] = []
        at = 0
        while len(data) - at >= _HEAD_BYTES:
            frame = self._read(data[at : at + _TAG_BYTES])
            if frame is None:
                self._passing_on, self._seconds = True, None
                return b"".join((*taken, data[at:]))
            if at + frame.size > len(data):
                break
            if not frame.is_tag:
                taken.append(data[at : at + frame.size])
                self._add(frame.seconds)
            at += frame.size
        self._rest = data[at:]
        if not _may_begin_frame(self._rest):
            self._passing_on, self._seconds = True, None
            taken.append(self._rest)
            self._rest = b""
        return b"".join(taken)

    def _add(self, seconds: float) -> None:
        if self._seconds is not None:
            self._seconds += seconds

    def finish(self) -> bytes:
        return b""


# how many bytes identify a frame, and how many distinguish a frame with sound from a tag
_HEAD_BYTES, _TAG_BYTES = 10, 48


def _may_begin_frame(data: bytes) -> bool:
    """Return whether bytes without a complete frame may be the start of a frame or tag."""
    return not data or data[0] == 0xFF or b"ID3".startswith(data[:3]) or data[:3] == b"TAG"


def _read_mp3(data: bytes) -> Optional[Frame]:
    if data[:3] == b"ID3":  # ID3v2, before the frames: 4 bytes of size with 7 bits each
        size = data[6] << 21 | data[7] << 14 | data[8] << 7 | data[9]
        return Frame(10 + size, 0.0, True)
    if data[:3] == b"TAG":  # ID3v1, after the frames: always 128 bytes
        return Frame(128, 0.0, True)
    # the header of a frame: 11 bits sync, 2 version, 2 layer, 1 CRC; 4 bit rate, 2 sample rate,
    # 1 padding, 1 private; 2 channels, ...
    if data[0] != 0xFF or data[1] & 0xE6 != 0xE2:  # layer III
        return None
    version, rate_index = data[1] >> 3 & 3, data[2] >> 2 & 3
    if version == 1 or rate_index == 3:  # reserved
        return None
    mpeg1 = version == 3  # 2 is MPEG-2, 0 is MPEG-2.5: half and a quarter of the sample rates
    kbps = (_MP3_KBPS_1 if mpeg1 else _MP3_KBPS_2)[data[2] >> 4]
    if not kbps:
        return None
    rate = _MP3_RATES[rate_index] >> (0 if mpeg1 else 1 if version == 2 else 2)
    size = (144 if mpeg1 else 72) * kbps * 1000 // rate + (data[2] >> 1 & 1)
    return Frame(size, (1152 if mpeg1 else 576) / rate, _holds_frame_count(data, mpeg1))


def _holds_frame_count(data: bytes, mpeg1: bool) -> bool:
    """Return whether a frame holds, instead of sound, the number of frames of its stream.

    Encoders write such a first frame, with "Xing", "Info" or "VBRI" after the side information.
    In joined audio each would count only the frames of its own stream.
    """
    mono = data[3] >> 6 == 3
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    return data[4 + side : 8 + side] in (b"Xing", b"Info") or data[36:40] == b"VBRI"


def _read_adts(data: bytes) -> Optional[Frame]:
    if data[:3] == b"ID3":
        return _read_mp3(data)
    # 12 bits sync, 1 version, 2 layer (always 0), 1 CRC; then profile, sample rate, channels, and
    # 13 bits of length, which counts the header
    if data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return None
    rate_index = data[2] >> 2 & 15
    size = (data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5
    if rate_index >= len(_AAC_RATES) or size < 7:
        return None
    # the last two bits are the number of further blocks of 1024 samples
    return Frame(size, 1024 * ((data[6] & 3) + 1) / _AAC_RATES[rate_index])


_FRAMED = {"mp3": _read_mp3, "aac": _read_adts}


class PlainJoiner:
    """Joiner of formats that cannot be joined: bytes are passed on."""

    @property
    def seconds(self) -> Optional[float]:
        return None

    def begin(self) -> None:
        """Do nothing: there is only one stream."""

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""
