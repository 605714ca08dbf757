"""Validation of a TTS config or a `POST /tts` body (PROTOCOL 3.1, 4, 6.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..catalog import TTS_FORMATS, TTS_LANGUAGES, TTS_MODELS, VOICES, TtsFormat, find_model
from ..problems import Problem, bad_request

__all__ = ["TtsConfig", "check_lengths", "read_config", "text_too_long"]

# field -> longest allowed (PROTOCOL 3.4)
_LENGTHS = {
    "stream_id": 256,
    "model": 50,
    "language": 50,
    "voice": 50,
    "audio_format": 50,
    "client_reference_id": 256,
    "api_key": 250,
}
_REQUIRED = ("model", "language", "voice", "audio_format")


@dataclass(frozen=True)
class TtsConfig:
    """Checked request for speech, with the defaults filled in."""

    model: str
    language: str
    voice: str
    audio_format: str
    sample_rate: int
    bitrate: Optional[int]
    speed: float
    reduce_silence: bool
    timestamps: bool

    @property
    def row(self) -> TtsFormat:
        """Row of the audio format in the format table."""
        return TTS_FORMATS[self.audio_format]


def read_config(message: Mapping[str, Any], voices: Collection[str]) -> TtsConfig:
    """Check a config and fill in its defaults. `voices` are accepted besides the built-in ones.

    Raises
        Problem: 400 for the first error, in the order of PROTOCOL 3.1.
    """
    for name in _REQUIRED:
        if message.get(name) in (None, ""):
            raise bad_request(f"Missing required field: {name}")
    check_lengths(message)
    model = find_model(message["model"], TTS_MODELS)
    if message["language"] not in TTS_LANGUAGES:
        raise bad_request(f"Invalid language for model: {message['language']}")
    if message["voice"] not in VOICES and message["voice"] not in voices:
        known = ", ".join(VOICES)
        raise bad_request(f"Invalid voice for model: {message['voice']}. Voices: {known}.")
    return _read_audio(message, model)


def check_lengths(message: Mapping[str, Any]) -> None:
    """Check the type and length of every string field that is present.

    Raises
        Problem: 400.
    """
    for name, longest in _LENGTHS.items():
        value = message.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise bad_request("Invalid message format")
        if len(value) > longest:
            raise bad_request(f"{name} is too long (max length {longest})")


def _read_audio(message: Mapping[str, Any], model: str) -> TtsConfig:
    name = message["audio_format"]
    row = TTS_FORMATS.get(name)
    if row is None:
        raise bad_request(f"Unsupported audio format: {name}")
    rate = _number(message, "sample_rate", int)
    if rate is not None and rate not in row.rates:
        raise bad_request(f"Unsupported sample rate {rate} for audio format {name}")
    bitrate = _number(message, "bitrate", int)
    if bitrate is not None and bitrate not in row.bitrates:
        raise bad_request(f"Unsupported bitrate {bitrate} for audio format {name}")
    speed = _number(message, "speed", (int, float))
    if speed is not None and not 0.7 <= speed <= 1.3:
        raise bad_request("speed must be between 0.7 and 1.3")
    return TtsConfig(
        model=model,
        language=message["language"],
        voice=message["voice"],
        audio_format=name,
        sample_rate=row.default_rate if rate is None else rate,
        bitrate=bitrate,
        speed=1.0 if speed is None else float(speed),
        reduce_silence=_flag(message, "reduce_silence"),
        timestamps=_flag(message, "return_timestamps"),
    )


def _number(message: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = message.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
        raise bad_request(f"{name} must be a number")
    return value


def _flag(message: Mapping[str, Any], name: str) -> bool:
    value = message.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name} must be true or false")
    return bool(value)


def text_too_long(limit: int) -> Problem:
    """Return the error for too much text in one stream (PROTOCOL 3.4)."""
    return bad_request(f"input text too long (limit: {limit} bytes)")
