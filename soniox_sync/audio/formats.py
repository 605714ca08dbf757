"""Audio formats by name: what one sample weighs, what the service takes and what it speaks.

Transcription and speech spell the companded formats differently (`mulaw` and `pcm_mulaw`); every
lookup here takes either spelling. Source: PROTOCOL 6.1, 6.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Optional

from ..errors import ConfigurationError, InputTypeError

__all__ = [
    "ASYNC_CONTAINERS",
    "AUTO_FORMAT",
    "RAW_FORMATS",
    "STT_CONTAINERS",
    "TTS_FORMATS",
    "RawAudio",
    "RawFormat",
    "TtsFormat",
    "default_tts_sample_rate",
    "is_raw",
    "raw_format",
    "stt_format_name",
    "tts_format_name",
]

# The service finds the container by itself.
AUTO_FORMAT = "auto"

STT_CONTAINERS = frozenset({"aac", "aiff", "amr", "asf", "flac", "mp3", "ogg", "wav", "webm"})

# Only the asynchronous service reads these two more.
ASYNC_CONTAINERS = STT_CONTAINERS | {"m4a", "mp4"}


class RawFormat(NamedTuple):
    """Describes one headerless format: `name` as transcription spells it, bytes per sample.

    `encoding` is `"int"`, `"uint"`, `"float"`, `"mulaw"` or `"alaw"`; `little_endian` means
    nothing for samples of one byte.
    """

    name: str
    sample_bytes: int
    encoding: str
    little_endian: bool = True

    @property
    def bits(self) -> int:
        """Give the bits of one sample."""
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


# Name as transcription spells it -> what it is (PROTOCOL 6.1).
RAW_FORMATS: Mapping[str, RawFormat] = _raw_table()

# Other spellings of the same bytes: those of speech, and those only the JavaScript SDK lists.
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
    """Look up a headerless format; `None` for containers, `auto` and names unknown here."""
    return RAW_FORMATS.get(_ALIASES.get(name, name))


def is_raw(name: str) -> bool:
    """Tell whether audio of this format is headerless, so that rate and channels must be said."""
    return raw_format(name) is not None


def stt_format_name(name: str) -> str:
    """Spell a format as transcription wants it: `pcm_mulaw` -> `mulaw`; others unchanged."""
    return _ALIASES.get(name, name)


def tts_format_name(name: str) -> str:
    """Spell a format as speech wants it: `mulaw` -> `pcm_mulaw`; others unchanged."""
    return _TTS_NAMES.get(name, name)


@dataclass(frozen=True)
class RawAudio:
    """Knows the shape of headerless audio and converts between bytes, frames and time, exactly.

    A *frame* is one sample of every channel. All results are whole frames: `ms_to_bytes` rounds
    to the frame at or before the moment (with `up=True` at or after it), `bytes_to_ms` to the
    millisecond at or before. `bytes_to_ms(ms_to_bytes(ms, up=True)) == ms` at every rate of
    1000 Hz and more. Integers throughout, so that hours of audio do not drift.

    Raises
        ConfigurationError: `format` is not headerless, or rate or channels are not positive.
        InputTypeError: rate or channels are not `int`.
    """

    format: str
    sample_rate: int
    num_channels: int = 1

    def __post_init__(self) -> None:
        if raw_format(self.format) is None:
            raise ConfigurationError(
                f"audio_format {self.format!r} is not headerless, its bytes have no fixed length"
            )
        _check_count("sample_rate", self.sample_rate)
        _check_count("num_channels", self.num_channels)

    @property
    def bytes_per_frame(self) -> int:
        """Give the bytes of one sample of every channel."""
        return self._format.sample_bytes * self.num_channels

    @property
    def bytes_per_second(self) -> int:
        """Give the bytes of one second of audio."""
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
        """Convert bytes to whole milliseconds, rounded down; a split frame counts nothing."""
        return num_bytes // self.bytes_per_frame * 1000 // self.sample_rate

    def bytes_to_sec(self, num_bytes: int) -> float:
        """Convert bytes to seconds; for display and pacing, use milliseconds for arithmetic."""
        return num_bytes / self.bytes_per_second

    def ms_to_bytes(self, ms: int, *, up: bool = False) -> int:
        """Convert milliseconds to the bytes of whole frames; `up` rounds to the next frame."""
        frames, rest = divmod(ms * self.sample_rate, 1000)
        return (frames + (1 if up and rest else 0)) * self.bytes_per_frame


def _check_count(field: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{field} must be an int, not {type(value).__name__}")
    if value < 1:
        raise ConfigurationError(f"{field} must be positive, not {value}")


class TtsFormat(NamedTuple):
    """Describes what speech can be asked for; empty `bitrates` means the format takes none."""

    name: str
    sample_rates: tuple[int, ...]
    bitrates: tuple[int, ...] = ()
    default_sample_rate: int = 24000


_PCM_RATES = (8000, 16000, 24000, 44100, 48000)
_BITRATES = (32000, 64000, 96000, 128000, 192000, 256000, 320000)
_OPUS_BITRATES = (16000, 32000, 64000, 96000, 128000, 256000)
_COMPANDED_RATE = 8000

# Name -> rates and bitrates the service documents (PROTOCOL 6.2). Others may exist: pass them on.
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
    """Give the rate the service speaks at when none is asked for: 24000, companded 8000."""
    known = TTS_FORMATS.get(tts_format_name(name))
    return known.default_sample_rate if known else 24000
