"""Audio as bytes: formats and sizes (`formats`), WAV (`wav`), saving and playback.

Depends on `errors` and the standard library only; `Player` needs the extra `audio`. Names are
loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import lazy_names

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
    from .saving import save_audio
    from .wav.header import WavHeader, WavParser, wav_header
    from .wav.reader import WavReader
    from .wav.writer import WavSaver, WavWriter

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

lazy_names(
    globals(),
    {
        "formats": """
            ASYNC_CONTAINERS AUTO_FORMAT RAW_FORMATS STT_CONTAINERS TTS_FORMATS RawAudio RawFormat
            TtsFormat default_tts_sample_rate is_raw raw_format stt_format_name tts_format_name
        """,
        "playing": "Played Player play",
        "saving": "save_audio",
        "wav.header": "WavHeader WavParser wav_header",
        "wav.reader": "WavReader",
        "wav.writer": "WavSaver WavWriter",
    },
)
