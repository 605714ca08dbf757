"""Audio formats by name: bytes per sample, what transcription accepts, what speech can produce.

Transcription and speech spell the companded formats differently (`mulaw` and `pcm_mulaw`); every
lookup here accepts both. Source: PROTOCOL 6.1, 6.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Optional

from .._support.checks import integer, refused, wrong_value
from .._support.once import once

# The service detects the container itself.
AUTO_FORMAT = "auto"

STT_CONTAINERS = frozenset({"aac", "aiff", "amr", "asf", "flac", "mp3", "ogg", "wav", "webm"})

# Only the asynchronous service also reads these two.
ASYNC_CONTAINERS = STT_CONTAINERS | {"m4a", "mp4"}

# Beyond these a number is a mistake or a damaged header, and a chunk would not fit into memory. The
# highest rate that converters offer is 768 kHz; libsndfile allows as many channels.
MAX_SAMPLE_RATE, MAX_CHANNELS = 10_000_000, 1024


class RawFormat(NamedTuple):
    """Headerless format: its name in transcription, and bytes per sample.

    `encoding` is `"int"`, `"uint"`, `"float"`, `"mulaw"` or `"alaw"`; `little_endian` has no
    meaning for samples of one byte.
    """

    name: str
    sample_bytes: int
    encoding: str
    little_endian: bool = True

    @property
    def bits(self) -> int:
        """Bits per sample."""
        return self.sample_bytes * 8


def _raw_table() -> dict[str, RawFormat]:
    table = {
        "pcm_s8": RawFormat("pcm_s8", 1, "int"),
        "pcm_u8": RawFormat("pcm_u8", 1, "uint"),
        "mulaw": RawFormat("mulaw", 1, "mulaw"),
        "alaw": RawFormat("alaw", 1, "alaw"),
    }
    wide = [("s", "int", 16), ("s", "int", 24), ("s", "int", 32)]
    wide += [("u", "uint", 16), ("u", "uint", 24), ("u", "uint", 32)]
    wide += [("f", "float", 32), ("f", "float", 64)]
    for letter, encoding, bits in wide:
        for end in ("le", "be"):
            name = f"pcm_{letter}{bits}{end}"
            table[name] = RawFormat(name, bits // 8, encoding, end == "le")
    return table


# A read allocates its whole size, which a declared rate and a long chunk could make any.
_MOST_CHUNK_BYTES = 16 * 1024 * 1024

# Name in transcription -> format (PROTOCOL 6.1).
RAW_FORMATS: Mapping[str, RawFormat] = _raw_table()

# Other names of the same formats: those in speech, and those that only the JavaScript SDK lists.
_ALIASES: Mapping[str, str] = {
    "pcm_mulaw": "mulaw",
    "pcm_alaw": "alaw",
    "pcm_s8le": "pcm_s8",
    "pcm_s8be": "pcm_s8",
    "pcm_u8le": "pcm_u8",
    "pcm_u8be": "pcm_u8",
}

_TTS_NAMES: Mapping[str, str] = {"mulaw": "pcm_mulaw", "alaw": "pcm_alaw"}


def raw_format(name: str) -> Optional[RawFormat]:
    """Return a headerless format by name; `None` for containers, `auto` and unknown names."""
    return RAW_FORMATS.get(_ALIASES.get(name, name))


def is_raw(name: str) -> bool:
    """Return whether audio of this format is headerless: rate and channels must be specified."""
    return raw_format(name) is not None


def check_shape_given(
    audio_format: str, sample_rate: Optional[int], num_channels: Optional[int]
) -> None:
    """Refuse a headerless format without its rate or channels."""
    if not is_raw(audio_format):
        return
    for name, value in (("sample_rate", sample_rate), ("num_channels", num_channels)):
        if value is None:
            raise refused(name, f"an int, as audio_format {audio_format!r} is headerless", "None")


def stt_format_name(name: str) -> str:
    """Return a format's name in transcription: `pcm_mulaw` -> `mulaw`; others unchanged."""
    return _ALIASES.get(name, name)


def tts_format_name(name: str) -> str:
    """Return a format's name in speech: `mulaw` -> `pcm_mulaw`; others unchanged."""
    return _TTS_NAMES.get(name, name)


@dataclass(frozen=True)
class RawAudio:
    """Format, rate and channels of headerless audio; converts exactly between bytes and time.

    A *frame* is one sample of every channel. All results are whole frames: `ms_to_bytes` rounds
    down to a frame (up with `up=True`), `bytes_to_ms` down to a millisecond.
    `bytes_to_ms(ms_to_bytes(ms, up=True)) == ms` at every rate of 1000 Hz and more. Integers
    throughout, so that no error accumulates over hours of audio.

    Raises
        ConfigurationError: `format` is not headerless, or rate or channels are below 1 or absurd.
        InputTypeError: rate or channels are not `int`.
    """

    format: str
    sample_rate: int
    num_channels: int = 1

    def __post_init__(self) -> None:
        if raw_format(self.format) is None:
            raise wrong_value("audio_format", "a headerless format", self.format)
        integer(1, MAX_SAMPLE_RATE, "Hz")("sample_rate", self.sample_rate)
        integer(1, MAX_CHANNELS)("num_channels", self.num_channels)

    @once  # asked several times for each chunk of a recording
    def bytes_per_frame(self) -> int:
        """Bytes of one sample of every channel."""
        return self._format.sample_bytes * self.num_channels

    @once
    def bytes_per_second(self) -> int:
        """Bytes of one second of audio."""
        return self.bytes_per_frame * self.sample_rate

    @property
    def _format(self) -> RawFormat:
        found = raw_format(self.format)
        assert found is not None  # __post_init__ refused everything else
        return found

    def align_down(self, num_bytes: int) -> int:
        """Round a number of bytes down to whole frames."""
        return num_bytes - num_bytes % self.bytes_per_frame

    def bytes_to_ms(self, num_bytes: int) -> int:
        """Convert bytes to whole milliseconds, rounded down; an incomplete frame does not count."""
        return num_bytes // self.bytes_per_frame * 1000 // self.sample_rate

    def bytes_to_sec(self, num_bytes: int) -> float:
        """Convert bytes to seconds, for display and pacing; use milliseconds for arithmetic."""
        return num_bytes / self.bytes_per_second

    def ms_to_bytes(self, ms: int, *, up: bool = False) -> int:
        """Convert milliseconds to bytes of whole frames, rounded down, or up with `up`."""
        frames, rest = divmod(ms * self.sample_rate, 1000)
        return (frames + (1 if up and rest else 0)) * self.bytes_per_frame


def chunk_bytes(audio: RawAudio, ms: int) -> int:
    """Return the size of a chunk of `ms` milliseconds: at least a frame, at most 16 MiB."""
    most = audio.align_down(_MOST_CHUNK_BYTES)
    return max(audio.bytes_per_frame, min(audio.ms_to_bytes(ms), most))


class TtsFormat(NamedTuple):
    """Format that speech can produce; with empty `bitrates` it has no bit rate."""

    name: str
    sample_rates: tuple[int, ...]
    bitrates: tuple[int, ...] = ()
    default_sample_rate: int = 24000


_PCM_RATES = (8000, 16000, 24000, 44100, 48000)
_BITRATES = (32000, 64000, 96000, 128000, 192000, 256000, 320000)
_OPUS_BITRATES = (16000, 32000, 64000, 96000, 128000, 256000)
_COMPANDED_RATE = 8000

# Name -> the documented sample rates and bit rates (PROTOCOL 6.2). Unknown names are passed on.
TTS_FORMATS: Mapping[str, TtsFormat] = {
    known.name: known
    for known in (
        TtsFormat("pcm_s16le", _PCM_RATES),
        TtsFormat("pcm_f32le", _PCM_RATES),
        TtsFormat("wav", _PCM_RATES),
        TtsFormat("pcm_mulaw", (_COMPANDED_RATE,), default_sample_rate=_COMPANDED_RATE),
        TtsFormat("pcm_alaw", (_COMPANDED_RATE,), default_sample_rate=_COMPANDED_RATE),
        TtsFormat("flac", (16000, 24000, 44100, 48000)),
        TtsFormat("mp3", (16000, 24000, 32000, 44100, 48000), _BITRATES),
        TtsFormat("opus", (8000, 16000, 24000, 48000), _OPUS_BITRATES),
        TtsFormat("aac", (16000, 24000, 44100, 48000), _BITRATES),
    )
}


def default_tts_sample_rate(name: str) -> int:
    """Return the sample rate, in Hz, of speech when none is specified: 24000, companded 8000."""
    known = TTS_FORMATS.get(tts_format_name(name))
    return known.default_sample_rate if known else 24000
