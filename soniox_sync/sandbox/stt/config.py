"""Validation of an STT start request (PROTOCOL 2.2, 2.6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..audio.containers import CONTAINERS, AutoDecoder, Decoder
from ..audio.pcm import RAW_FORMATS, RawDecoder
from ..catalog import AGENT_TEXT_MODELS, STT_LANGUAGES, STT_REALTIME, find_model
from ..limits import Limits
from ..problems import Problem, bad_request

__all__ = [
    "SttConfig",
    "Translation",
    "check_context",
    "read_hints",
    "read_start",
    "read_translation",
]

_MAX_CHANNELS = 8
_RATES = range(8000, 96001)
_FLAGS = (
    "language_hints_strict",
    "enable_speaker_diarization",
    "enable_language_identification",
    "enable_endpoint_detection",
    "enable_agent_text_input",
)
# number -> (lowest, highest, may be fractional)
_RANGES: dict[str, tuple[float, float, bool]] = {
    "max_endpoint_delay_ms": (500, 3000, False),
    "endpoint_sensitivity": (-1.0, 1.0, True),
    "endpoint_latency_adjustment_level": (0, 3, False),
}


@dataclass(frozen=True)
class Translation:
    """Checked `translation`: one way to `target`, or both ways between two languages."""

    target: Optional[str]
    pair: Optional[tuple[str, str]]

    def target_of(self, language: str) -> Optional[str]:
        """Return the language that speech in `language` is translated into, or `None`."""
        if self.pair is not None:
            first, second = self.pair
            return {first: second, second: first}.get(language)
        return self.target if language != self.target else None


@dataclass(frozen=True)
class SttConfig:
    """Checked start request, with the defaults filled in.

    `model`: the one that runs; `is_alias`: it was asked for under another name.
    `agent_text`: the client may say what a voice agent says.
    """

    model: str
    is_alias: bool
    audio_format: str
    sample_rate: Optional[int]
    num_channels: Optional[int]
    language_hints: tuple[str, ...]
    diarization: bool
    language_identification: bool
    endpoint_detection: bool
    endpoint_delay_ms: int
    translation: Optional[Translation]
    agent_text: bool = False

    @property
    def is_raw(self) -> bool:
        """Whether the audio has no header."""
        return self.audio_format in RAW_FORMATS

    def open_decoder(self) -> Decoder:
        """Return a decoder for this audio."""
        if self.is_raw:
            return RawDecoder(self.audio_format, self.sample_rate or 0, self.num_channels or 0)
        return AutoDecoder(None if self.audio_format == "auto" else self.audio_format)


def read_start(message: Any, limits: Limits) -> SttConfig:
    """Check a start request.

    Raises
        Problem: 400 for the first error.
    """
    if not isinstance(message, dict):
        raise _malformed()
    model = message.get("model")
    if not isinstance(model, str) or not model:
        raise _malformed("missing model")
    real = find_model(model, STT_REALTIME)
    _check_fields(message)
    # whatever its value: a model without it does not know the field
    if message.get("enable_agent_text_input") is not None and model not in AGENT_TEXT_MODELS:
        raise bad_request(f"enable_agent_text_input is not supported by model {model}.")
    check_context(message.get("context"), limits)
    audio_format, rate, channels = _read_audio(message)
    return SttConfig(
        model=real,
        is_alias=real != model,
        audio_format=audio_format,
        sample_rate=rate,
        num_channels=channels,
        language_hints=read_hints(message.get("language_hints")),
        diarization=bool(message.get("enable_speaker_diarization")),
        language_identification=bool(message.get("enable_language_identification")),
        endpoint_detection=bool(message.get("enable_endpoint_detection")),
        endpoint_delay_ms=message.get("max_endpoint_delay_ms") or 2000,
        translation=read_translation(message.get("translation")),
        agent_text=bool(message.get("enable_agent_text_input")),
    )


def _malformed(detail: str = "") -> Problem:
    return bad_request(f"Start request is malformed{detail and ': '}{detail}.")


def _check_fields(message: Mapping[str, Any]) -> None:
    reference = message.get("client_reference_id")
    if reference is not None and not isinstance(reference, str):
        raise _malformed("client_reference_id must be a string")
    if reference is not None and len(reference) > 256:
        raise bad_request("Client reference ID is too long (max length 256).")
    key = message.get("api_key")
    if key is not None and (not isinstance(key, str) or len(key) > 250):
        raise bad_request("API key is too long (max length 250).")
    for name in _FLAGS:
        if not isinstance(message.get(name), (bool, type(None))):
            raise _malformed(f"{name} must be true or false")
    for name, (low, high, fractional) in _RANGES.items():
        _check_range(name, message.get(name), low, high, fractional)


def _check_range(name: str, value: Any, low: float, high: float, fractional: bool) -> None:
    if value is None:
        return
    kinds = (int, float) if fractional else (int,)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise _malformed(f"{name} must be from {low} to {high}")


def check_context(context: Any, limits: Limits) -> None:
    """Check a context.

    Raises
        Problem: 400.
    """
    if context is None:
        return
    if isinstance(context, str):
        size = len(context)
    elif isinstance(context, dict):
        _check_context_parts(context)
        size = len(json.dumps(context, ensure_ascii=False))
    else:
        raise _malformed("context must be an object")
    if limits.stt_max_context_chars is not None and size > limits.stt_max_context_chars:
        raise bad_request(f"Context is too long (max {limits.stt_max_context_chars} characters).")


def _check_context_parts(context: Mapping[str, Any]) -> None:
    shapes = {"general": ("key", "value"), "translation_terms": ("source", "target")}
    for name, fields in shapes.items():
        rows = context.get(name)
        if rows is not None and not (
            isinstance(rows, list)
            and all(isinstance(row, dict) and all(f in row for f in fields) for row in rows)
        ):
            raise _malformed(f"context.{name}")
    if not isinstance(context.get("text"), (str, type(None))):
        raise _malformed("context.text")
    terms = context.get("terms")
    if terms is not None and not (
        isinstance(terms, list) and all(isinstance(term, str) for term in terms)
    ):
        raise _malformed("context.terms")


def _read_audio(message: Mapping[str, Any]) -> tuple[str, Optional[int], Optional[int]]:
    name = message.get("audio_format")
    if name is None:
        raise bad_request("Missing audio format.")
    if not isinstance(name, str):
        raise _malformed("audio_format must be a string")
    rate, channels = message.get("sample_rate"), message.get("num_channels")
    if name in RAW_FORMATS:
        _check_raw(name, rate, channels)
        return name, rate, channels
    if name != "auto" and name not in CONTAINERS:
        raise bad_request(f"Invalid audio data format: {str(name)[:50]}.")
    return name, None, None


def _check_raw(name: str, rate: Any, channels: Any) -> None:
    if rate is None or channels is None:
        raise bad_request(f"Audio format {name} requires sample_rate and num_channels.")
    if isinstance(rate, bool) or not isinstance(rate, int) or rate not in _RATES:
        raise bad_request("Invalid sample_rate: must be from 8000 to 96000.")
    if isinstance(channels, bool) or not isinstance(channels, int):
        raise bad_request("Invalid num_channels.")
    if not 1 <= channels <= _MAX_CHANNELS:
        raise bad_request(f"Invalid num_channels: must be from 1 to {_MAX_CHANNELS}.")


def read_hints(hints: Any) -> tuple[str, ...]:
    """Check language hints.

    Raises
        Problem: 400.
    """
    if hints is None:
        return ()
    if not isinstance(hints, list):
        raise _malformed("language_hints must be a list")
    for hint in hints:
        if hint not in STT_LANGUAGES:
            raise bad_request(f"Invalid language hint: {str(hint)[:10]}.")
    if len(set(hints)) != len(hints):
        raise bad_request("Language hints must be unique.")
    return tuple(hints)


def read_translation(value: Any) -> Optional[Translation]:
    """Check a translation request.

    Raises
        Problem: 400.
    """
    if value is None:
        return None
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "one_way":
        return Translation(_target(value.get("target_language")), None)
    if kind == "two_way":
        pair = (_target(value.get("language_a")), _target(value.get("language_b")))
        if pair[0] == pair[1]:
            raise bad_request("Invalid translation target: the languages must differ.")
        return Translation(None, pair)
    raise _malformed("translation type")


def _target(language: Any) -> str:
    if language not in STT_LANGUAGES:
        raise bad_request(f"Invalid translation target: {str(language)[:10]}.")
    return str(language)
