"""`client.models` and `client.tts_models`: models and what they can do (PROTOCOL 5.4, 5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .http import Api, Call
from .records import (
    Listing,
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


@dataclass(frozen=True, repr=False)
class Language(Record):
    """Language: its two-letter code and its English name."""

    code: str = needed(text)
    name: str = optional(text, "")


@dataclass(frozen=True, repr=False)
class TranslationTarget(Record):
    """Language that a model translates into, and the languages it translates from."""

    target_language: str = needed(text)
    source_languages: tuple[str, ...] = optional(tuple_of(text), ())
    exclude_source_languages: tuple[str, ...] = optional(tuple_of(text), ())


@dataclass(frozen=True, repr=False)
class SttModel(Record):
    """Transcription model. `transcription_mode`: `"real_time"` or `"async"`.

    Translation: if the lists are empty, see `one_way_translation` and `two_way_translation`, which
    are `"all_languages"` or `None`.
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
    supports_agent_text_input: bool = optional(flag, False)
    translation_targets: tuple[TranslationTarget, ...] = optional(
        tuple_of(record(TranslationTarget)), ()
    )
    two_way_translation_pairs: tuple[str, ...] = optional(tuple_of(text), ())
    one_way_translation: Optional[str] = optional(text)
    two_way_translation: Optional[str] = optional(text)


@dataclass(frozen=True, repr=False)
class ModelVoice(Record):
    """Voice built into a model; its `id` is the `voice` of a request."""

    id: str = needed(text)
    description: str = optional(text, "")
    gender: Optional[str] = optional(text)


@dataclass(frozen=True, repr=False)
class TtsModel(Record):
    """Speech model. `speed_min`, `speed_max`: factors, `None` if the speed is fixed."""

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


@dataclass(frozen=True, repr=False)
class SttModels(Listing[SttModel]):
    """List of transcription models; iterate over it, or use `models`."""

    models: tuple[SttModel, ...] = needed(tuple_of(record(SttModel)))


@dataclass(frozen=True, repr=False)
class TtsModels(Listing[TtsModel]):
    """List of speech models; iterate over it, or use `models`."""

    models: tuple[TtsModel, ...] = needed(tuple_of(record(TtsModel)))


class ModelsApi(Api):
    """Transcription models: `client.models`. Thread-safe."""

    _name = "models"

    def list(self) -> SttModels:
        """Return all transcription models, real-time and async.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._http.json(Call("GET", "/models"), SttModels.from_raw)


class TtsModelsApi(Api):
    """Speech models: `client.tts_models`. Thread-safe."""

    _name = "tts_models"

    def list(self) -> TtsModels:
        """Return all speech models with their voices.

        Raises
            SonioxHttpError: the call failed.
        """
        return self._http.json(Call("GET", "/tts-models"), TtsModels.from_raw)
