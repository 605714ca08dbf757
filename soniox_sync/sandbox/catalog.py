"""The models, languages, voices and formats that the sandbox pretends to have (PROTOCOL 6, 7)."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .problems import Problem

_STT_CODES = (
    "af sq ar az eu be bn bs bg ca zh hr cs da nl en et fi fr gl de el gu he hi hu id it ja kn kk "
    "ko lv lt mk ms ml mr no fa pl pt pa ro ru sr sk sl es sw sv tl ta te th tr uk ur vi cy"
)
STT_LANGUAGES = tuple(_STT_CODES.split())
TTS_LANGUAGES = (*STT_LANGUAGES, "is", "su", "uz")

# the roster of the current model as far as it is known; those it dropped are refused
_MALE = "Adrian Bryce Daniel Owen Kenji Rafael Mateo Oliver Arthur Cooper Mason Arjun Rohan"
_FEMALE = "Nina Emma Grace Mina Lucia Isla Victoria Ruby Priya"
VOICES: dict[str, str] = {
    **dict.fromkeys(_MALE.split(), "male"),
    **dict.fromkeys(_FEMALE.split(), "female"),
}

# name asked for -> model that answers
STT_REALTIME = {"stt-rt-v5": "stt-rt-v5", "stt-rt-v4": "stt-rt-v5"}
STT_ASYNC = {"stt-async-v5": "stt-async-v5", "stt-async-v4": "stt-async-v5"}
TTS_MODELS = {
    "tts-rt-v2": "tts-rt-v2",
    "tts-rt-v1": "tts-rt-v2",
    "tts-rt-v1-preview": "tts-rt-v2",
}

_NAMES = {
    "af": "Afrikaans", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian",
    "bn": "Bengali", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "gl": "Galician", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "kk": "Kazakh", "kn": "Kannada", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian",
    "mk": "Macedonian", "ml": "Malayalam", "mr": "Marathi", "ms": "Malay", "nl": "Dutch",
    "no": "Norwegian", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian",
    "su": "Sundanese", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu",
    "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "uz": "Uzbek", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip

_RATES = (8000, 16000, 24000, 44100, 48000)
_BITRATES = (32000, 64000, 96000, 128000, 192000, 256000, 320000)


class TtsFormat(NamedTuple):
    """Is one row of the table of output formats (PROTOCOL 6.2)."""

    rates: tuple[int, ...]
    default_rate: int
    bitrates: tuple[int, ...]
    content_type: str


TTS_FORMATS: dict[str, TtsFormat] = {
    "pcm_s16le": TtsFormat(_RATES, 24000, (), "audio/pcm"),
    "pcm_f32le": TtsFormat(_RATES, 24000, (), "audio/pcm"),
    # documented as audio/wav, measured as this (PROTOCOL 10, trap 18)
    "wav": TtsFormat(_RATES, 24000, (), "application/octet-stream"),
    "pcm_mulaw": TtsFormat((8000,), 8000, (), "audio/pcm"),
    "pcm_alaw": TtsFormat((8000,), 8000, (), "audio/pcm"),
    "flac": TtsFormat((16000, 24000, 44100, 48000), 24000, (), "audio/flac"),
    "mp3": TtsFormat((16000, 24000, 32000, 44100, 48000), 24000, _BITRATES, "audio/mpeg"),
    "opus": TtsFormat(
        (8000, 16000, 24000, 48000), 24000, (16000, *_BITRATES[:4], 256000), "audio/opus"
    ),
    "aac": TtsFormat((16000, 24000, 44100, 48000), 24000, _BITRATES, "audio/aac"),
}


def find_model(name: str, models: dict[str, str]) -> str:
    """Resolve an alias. Raises `Problem` 400 `model_not_available`."""
    if name not in models:
        raise Problem("model_not_available", f"Model {name[:50]} is not available.")
    return models[name]


def _languages(codes: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"code": code, "name": _NAMES[code]} for code in sorted(codes)]


def stt_models() -> dict[str, Any]:
    """Give the body of `GET /models` (PROTOCOL 5.4)."""
    modes = {**dict.fromkeys(STT_REALTIME, "real_time"), **dict.fromkeys(STT_ASYNC, "async")}
    models = {**STT_REALTIME, **STT_ASYNC}
    return {"models": [_stt_model(name, models[name], mode) for name, mode in modes.items()]}


def _stt_model(name: str, real: str, mode: str) -> dict[str, Any]:
    live = mode == "real_time"
    return {
        "id": name,
        "aliased_model_id": real if real != name else None,
        "name": f"Speech-to-Text {'Real-time' if live else 'Async'} {name[-2:]}",
        "context_version": 2,
        "transcription_mode": mode,
        "languages": _languages(STT_LANGUAGES),
        "supports_language_hints_strict": True,
        "supports_max_endpoint_delay": live,
        "supports_endpoint_sensitivity": live,
        "supports_endpoint_latency_adjustment": live,
        "endpoint_latency_adjustment_max_level": 3 if live else 0,
        "translation_targets": [],
        "two_way_translation_pairs": [],
        "one_way_translation": "all_languages",
        "two_way_translation": "all_languages",
    }


def tts_models() -> dict[str, Any]:
    """Give the body of `GET /tts-models` (PROTOCOL 5.5)."""
    return {"models": [_tts_model(name, real) for name, real in TTS_MODELS.items()][:2]}


def _tts_model(name: str, real: str) -> dict[str, Any]:
    aliased: Optional[str] = real if real != name else None
    return {
        "id": name,
        "aliased_model_id": aliased,
        "name": f"Text-to-Speech Real-time {name[-2:]}",
        "languages": _languages(TTS_LANGUAGES),
        "voices": [
            {"id": voice, "description": f"{voice}, of the sandbox", "gender": gender}
            for voice, gender in VOICES.items()
        ],
        "supports_timestamps": True,
        "supports_voice_cloning": True,
        "voice_cloning_max_audio_duration_ms": 20000,
        "supports_speed_adjustment": True,
        "speed_min": 0.7,
        "speed_max": 1.3,
        "supports_silence_reduction": True,
    }
