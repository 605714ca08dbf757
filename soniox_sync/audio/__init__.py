"""Audio as bytes: format names and sizes (`formats`), WAV files and streams (`wav`).

Depends on `errors` and the standard library alone. Names are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .formats import (
        ASYNC_CONTAINERS,
        AUTO_FORMAT,
        RAW_FORMATS,
        STT_CONTAINERS,
        TTS_FORMATS,
        RawAudio,
        RawFormat,
        TtsFormat,
        default_tts_sample_rate,
        is_raw,
        raw_format,
        stt_format_name,
        tts_format_name,
    )
    from .playing import Played, Player, play
    from .wav import (
        WavHeader,
        WavParser,
        WavReader,
        WavSaver,
        WavWriter,
        save_audio,
        wav_header,
    )

__all__ = [
    "ASYNC_CONTAINERS",
    "AUTO_FORMAT",
    "Played",
    "Player",
    "RAW_FORMATS",
    "STT_CONTAINERS",
    "TTS_FORMATS",
    "RawAudio",
    "RawFormat",
    "TtsFormat",
    "WavHeader",
    "WavParser",
    "WavReader",
    "WavSaver",
    "WavWriter",
    "default_tts_sample_rate",
    "is_raw",
    "play",
    "raw_format",
    "save_audio",
    "stt_format_name",
    "tts_format_name",
    "wav_header",
]

_FROM_WAV = frozenset(
    {"WavHeader", "WavParser", "WavReader", "WavSaver", "WavWriter", "save_audio", "wav_header"}
)

_FROM_PLAYING = frozenset({"Played", "Player", "play"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    where = ".wav" if name in _FROM_WAV else ".playing" if name in _FROM_PLAYING else ".formats"
    module = import_module(where, __name__)
    value = globals()[name] = getattr(module, name)
    return value
