"""`client.models` and `client.tts_models`: what the service can do (PROTOCOL 5.4, 5.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from .http import Call, Http
from .records import (
    Record,
    flag,
    integer,
    needed,
    number,
    optional,
    record,
    text,
    tuple_of,
)


@dataclass(frozen=True)
class Language(Record):
    """Is a language: its two-letter code and its English name."""

    code: str = needed(text)
    name: str = optional(text, "")


@dataclass(frozen=True)
class TranslationTarget(Record):
    """Says into which language a model translates, and from which."""

    target_language: str = needed(text)
    source_languages: tuple[str, ...] = optional(tuple_of(text), ())
    exclude_source_languages: tuple[str, ...] = optional(tuple_of(text), ())


@dataclass(frozen=True)
class SttModel(Record):
    """Is a transcription model. `transcription_mode`: `"real_time"` or `"async"`.

    Translation: where the lists are empty look at `one_way_translation` and
    `two_way_translation`, which are `"all_languages"` or `None`.
    """

    id: str = needed(text)
    name: str = needed(text)
    transcription_mode: str = needed(text)
    languages: tuple[Language, ...] = needed(tuple_of(record(Language)))
    aliased_model_id: Optional[str] = optional(text)
    context_version: Optional[int] = optional(integer)
    supports_language_hints_strict: bool = optional(flag, False)
    supports_max_endpoint_delay: bool = optional(flag, False)
    supports_endpoint_sensitivity: bool = optional(flag, False)
    supports_endpoint_latency_adjustment: bool = optional(flag, False)
    endpoint_latency_adjustment_max_level: int = optional(integer, 0)
    translation_targets: tuple[TranslationTarget, ...] = optional(
        tuple_of(record(TranslationTarget)), ()
    )
    two_way_translation_pairs: tuple[str, ...] = optional(tuple_of(text), ())
    one_way_translation: Optional[str] = optional(text)
    two_way_translation: Optional[str] = optional(text)


@dataclass(frozen=True)
class ModelVoice(Record):
    """Is a voice built into a model; `id` is the name to ask for."""

    id: str = needed(text)
    description: str = optional(text, "")
    gender: Optional[str] = optional(text)


@dataclass(frozen=True)
class TtsModel(Record):
    """Is a speech model. `speed_min`, `speed_max`: factors, `None` where speed is fixed."""

    id: str = needed(text)
    name: str = needed(text)
    languages: tuple[Language, ...] = needed(tuple_of(record(Language)))
    voices: tuple[ModelVoice, ...] = needed(tuple_of(record(ModelVoice)))
    aliased_model_id: Optional[str] = optional(text)
    supports_timestamps: bool = optional(flag, False)
    supports_voice_cloning: bool = optional(flag, False)
    voice_cloning_max_audio_duration_ms: Optional[int] = optional(integer)
    supports_speed_adjustment: bool = optional(flag, False)
    speed_min: Optional[float] = optional(number)
    speed_max: Optional[float] = optional(number)
    supports_silence_reduction: bool = optional(flag, False)


@dataclass(frozen=True)
class SttModels(Record):
    """Is the list of transcription models; iterate it, or look at `models`."""

    models: tuple[SttModel, ...] = needed(tuple_of(record(SttModel)))

    def __iter__(self) -> Iterator[SttModel]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)


@dataclass(frozen=True)
class TtsModels(Record):
    """Is the list of speech models; iterate it, or look at `models`."""

    models: tuple[TtsModel, ...] = needed(tuple_of(record(TtsModel)))

    def __iter__(self) -> Iterator[TtsModel]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)


class ModelsApi:
    """Is `client.models`. Thread-safe."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> SttModels:
        """Give all transcription models, real-time and async. Raises a `SonioxHttpError`."""
        return self._http.json(Call("GET", "/models"), SttModels.from_raw)


class TtsModelsApi:
    """Is `client.tts_models`. Thread-safe."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self) -> TtsModels:
        """Give all speech models with their voices. Raises a `SonioxHttpError`."""
        return self._http.json(Call("GET", "/tts-models"), TtsModels.from_raw)
