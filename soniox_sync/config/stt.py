"""`SttConfig`: the start message of a transcription, checked before it is sent.

Only what the service is documented to refuse is refused here; unknown formats, models and
languages pass, the service decides. Source: PROTOCOL 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from ..audio.formats import AUTO_FORMAT, RawAudio, is_raw, stt_format_name
from ..errors import ConfigurationError
from ._values import (
    Check,
    Unchosen,
    Value,
    boolean,
    check_extra,
    field_names,
    integer,
    layer,
    number,
    run_checks,
    stack,
    string_list,
    text,
)
from .constants import (
    DEFAULT_STT_MODEL,
    ENDPOINT_DELAY_MAX_MS,
    ENDPOINT_DELAY_MIN_MS,
    ENDPOINT_LATENCY_LEVEL_MAX,
    ENDPOINT_SENSITIVITY_MAX,
    ENDPOINT_SENSITIVITY_MIN,
    MAX_CLIENT_REFERENCE_ID_CHARS,
    MAX_NAME_CHARS,
)

if TYPE_CHECKING:
    from .stt_context import ContextLike, Translation

_MODEL = Unchosen(DEFAULT_STT_MODEL)
_FORMAT = Unchosen(AUTO_FORMAT)


@dataclass(frozen=True, eq=False, repr=False)
class SttConfig(Value):
    """Says how audio is to be transcribed. `None` = not sent, the service's default holds.

    `audio_format`: `"auto"` finds containers by itself; raw formats need `sample_rate` (Hz) and
    `num_channels`. `language_hints`: two-letter codes. `max_endpoint_delay_ms`: 500 to 3000
    (default 2000). `endpoint_sensitivity`: -1.0 to 1.0 (default 0.0).
    `endpoint_latency_adjustment_level`: 0 to 3 (default 0). `client_reference_id`: at most 256
    characters. `context`, `translation`: dataclasses or dicts, see `Context`, `OneWayTranslation`,
    `TwoWayTranslation`. `extra`: further fields for the server, sent as they are.
    Immutable; checked by `validate()` and `to_wire()`. Source: PROTOCOL 2.2.
    """

    model: str = _MODEL
    audio_format: str = _FORMAT
    sample_rate: Optional[int] = None
    num_channels: Optional[int] = None
    language_hints: Optional[Sequence[str]] = None
    language_hints_strict: Optional[bool] = None
    context: Optional[ContextLike] = None
    enable_speaker_diarization: Optional[bool] = None
    enable_language_identification: Optional[bool] = None
    enable_endpoint_detection: Optional[bool] = None
    max_endpoint_delay_ms: Optional[int] = None
    endpoint_sensitivity: Optional[float] = None
    endpoint_latency_adjustment_level: Optional[int] = None
    translation: Optional[Translation] = None
    client_reference_id: Optional[str] = None
    extra: Optional[Mapping[str, Any]] = None

    @property
    def raw_audio(self) -> Optional[RawAudio]:
        """Give the shape of headerless audio, for times and pacing; `None` for containers.

        Raises
            ConfigurationError: a raw format without rate or channels.
        """
        if not is_raw(self.audio_format):
            return None
        _check_raw(self)
        return RawAudio(self.audio_format, self.sample_rate or 0, self.num_channels or 0)

    def validate(self) -> SttConfig:
        """Check every field and give the object back.

        Raises
            ConfigurationError: a value the service would refuse; names field and limit.
            InputTypeError: a value of the wrong type.
        """
        _checked_wire(self)
        return self

    def to_wire(self) -> dict[str, Any]:
        """Give the start message as a new dict, without key and without what is `None`.

        Raises
            ConfigurationError, InputTypeError: as `validate()`.
        """
        return _checked_wire(self)


def _unique_hints(name: str, value: Any) -> None:
    hints = string_list(name, value)
    doubles = sorted({hint for hint in hints if hints.count(hint) > 1})
    if doubles:
        raise ConfigurationError(f"{name} must be unique, {doubles[0]!r} stands there twice")


_CHECKS: Mapping[str, Check] = {
    "model": text(MAX_NAME_CHARS),
    "audio_format": text(MAX_NAME_CHARS),
    "sample_rate": integer(1, unit="Hz"),
    "num_channels": integer(1),
    "language_hints": _unique_hints,
    "language_hints_strict": boolean,
    "enable_speaker_diarization": boolean,
    "enable_language_identification": boolean,
    "enable_endpoint_detection": boolean,
    "max_endpoint_delay_ms": integer(ENDPOINT_DELAY_MIN_MS, ENDPOINT_DELAY_MAX_MS, "ms"),
    "endpoint_sensitivity": number(ENDPOINT_SENSITIVITY_MIN, ENDPOINT_SENSITIVITY_MAX),
    "endpoint_latency_adjustment_level": integer(0, ENDPOINT_LATENCY_LEVEL_MAX),
    "client_reference_id": text(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True),
}

_FIELDS = tuple(name for name in field_names(SttConfig) if name != "extra")

_HINT = "; a field this library does not know goes through extra={...}"


def _check_raw(config: SttConfig) -> None:
    if not is_raw(config.audio_format):
        return
    for name in ("sample_rate", "num_channels"):
        if getattr(config, name) is None:
            raise ConfigurationError(
                f"audio_format {config.audio_format!r} is headerless: {name} is needed"
            )


def _checked_wire(config: SttConfig) -> dict[str, Any]:
    for name in ("model", "audio_format"):
        _CHECKS[name](name, getattr(config, name))  # these two are required: None is refused
    run_checks(config, _CHECKS)
    _check_raw(config)
    check_extra(config.extra, _FIELDS)
    wire = {name: value for name in _FIELDS if (value := getattr(config, name)) is not None}
    for name in ("model", "audio_format"):
        wire[name] = str(wire[name])  # a plain str, whatever subclass it was
    wire["audio_format"] = stt_format_name(wire["audio_format"])
    if "language_hints" in wire:
        wire["language_hints"] = list(wire["language_hints"])
    if "context" in wire or "translation" in wire:
        _write_out_objects(wire)
    wire.update(config.extra or {})
    return wire


def _write_out_objects(wire: dict[str, Any]) -> None:
    from .stt_context import context_to_wire, translation_to_wire  # most sessions have neither

    if "context" in wire:
        wire["context"] = context_to_wire(wire["context"])
    if "translation" in wire:
        wire["translation"] = translation_to_wire(wire["translation"])


def merge_stt_config(
    defaults: Union[SttConfig, Mapping[str, Any], None] = None,
    kwargs: Union[SttConfig, Mapping[str, Any], None] = None,
    **overrides: Any,
) -> SttConfig:
    """Lay `kwargs`, then keyword arguments, over the defaults.

    In an `SttConfig` only fields that were set count. In a mapping every name counts, and `None`
    switches a default off (`model` and `audio_format` fall back to their own). `extra` dicts are
    joined. Field values are not checked here: `validate()` does that once the audio is known.

    Raises
        ConfigurationError: an unknown name, with the nearest known one.
        InputTypeError: neither an `SttConfig` nor a mapping.
    """
    merged = stack(
        (
            layer(SttConfig, defaults, "stt_defaults", _HINT),
            layer(SttConfig, kwargs, "the transcription config", _HINT),
            layer(SttConfig, overrides, "the transcription config", _HINT),
        )
    )
    for name in ("model", "audio_format"):
        if merged.get(name, "") is None:
            del merged[name]
    return SttConfig(**merged)
