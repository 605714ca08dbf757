"""Models, languages, voices and formats of the sandbox (PROTOCOL 6, 7)."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .problems import Problem

_STT_CODES = (
    "af sq ar az eu be bn bs bg ca zh hr cs da nl en et fi fr gl de el gu he hi hu id it ja kn kk "
    "ko lv lt mk ms ml mr no fa pl pt pa ro ru sr sk sl es sw sv tl ta te th tr uk ur vi cy"
)
STT_LANGUAGES = tuple(_STT_CODES.split())
TTS_LANGUAGES = (*STT_LANGUAGES, "is", "su", "uz")

# the known voices of the current model; those of earlier models are refused
_MALE = "Adrian Bryce Daniel Owen Kenji Rafael Mateo Oliver Arthur Cooper Mason Arjun Rohan"
_FEMALE = "Nina Emma Grace Mina Lucia Isla Victoria Ruby Priya"
VOICES: dict[str, str] = {
    **dict.fromkeys(_MALE.split(), "male"),
    **dict.fromkeys(_FEMALE.split(), "female"),
}


def _served(current: str, listed: str, retired: str) -> dict[str, str]:
    """Return the model that serves each name: for every older name, too, it is the current one."""
    return dict.fromkeys([current, *listed.split(), *retired.split()], current)


# Requested name -> model that serves it. The service routes a retired name to its successor without
# saying so; some names it refuses by now are served here, so that programs run as they were written
# (PROTOCOL 7). Names that a program cannot have found in any documentation stay unknown.
STT_REALTIME = _served(
    "stt-rt-v6",
    "stt-rt-v5 stt-rt-v4",
    "stt-rt-v3 stt-rt-v3-preview stt-rt-preview-v2 stt-rt-preview",
)
STT_ASYNC = _served("stt-async-v6", "stt-async-v5 stt-async-v4", "stt-async-v3 stt-async-preview")
TTS_MODELS = _served("tts-rt-v2", "tts-rt-v1", "tts-rt-v1-preview")
# names that are listed; the retired ones are served, and not advertised
_LISTED = (*list(STT_REALTIME)[:3], *list(STT_ASYNC)[:3], *list(TTS_MODELS)[:2])
# Names that may be told what a voice agent says (PROTOCOL 2.4). Not the aliases: whether the
# service lets them is unknown, and a refusal shows a program that it names an old model.
AGENT_TEXT_MODELS = frozenset({"stt-rt-v6"})

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
    """One row of the table of output formats (PROTOCOL 6.2)."""

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
    """Return the model that serves a name.

    Raises
        Problem: 400 `model_not_available`.
    """
    if name not in models:
        raise Problem("model_not_available", f"Model {name[:50]} is not available.")
    return models[name]


def _languages(codes: tuple[str, ...]) -> list[dict[str, str]]:
    return [{"code": code, "name": _NAMES[code]} for code in sorted(codes)]


def stt_models() -> dict[str, Any]:
    """Return the body of `GET /models` (PROTOCOL 5.4)."""
    modes = {**dict.fromkeys(STT_REALTIME, "real_time"), **dict.fromkeys(STT_ASYNC, "async")}
    models = {**STT_REALTIME, **STT_ASYNC}
    listed = {name: mode for name, mode in modes.items() if name in _LISTED}
    return {"models": [_stt_model(name, models[name], mode) for name, mode in listed.items()]}


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
        "supports_agent_text_input": name in AGENT_TEXT_MODELS,
        "translation_targets": [],
        "two_way_translation_pairs": [],
        "one_way_translation": "all_languages",
        "two_way_translation": "all_languages",
    }


def tts_models() -> dict[str, Any]:
    """Return the body of `GET /tts-models` (PROTOCOL 5.5)."""
    listed = {name: real for name, real in TTS_MODELS.items() if name in _LISTED}
    return {"models": [_tts_model(name, real) for name, real in listed.items()]}


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
