"""`SttConfig`: the start message of a transcription, checked before it is sent.

Only what the service is documented to refuse is refused here; unknown formats, models and languages
are accepted, and the service decides. Source: PROTOCOL 2.2.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from .._support.checks import (
    Check,
    boolean,
    integer,
    number,
    run_checks,
    string_list,
    text,
    wrong_value,
)
from ..audio.formats import (
    AUTO_FORMAT,
    MAX_CHANNELS,
    MAX_SAMPLE_RATE,
    RawAudio,
    check_shape_given,
    is_raw,
    stt_format_name,
)
from ._values import Unchosen, Value, check_extra, field_names, merge
from .constants import DEFAULT_STT_MODEL, MAX_CLIENT_REFERENCE_ID_CHARS, MAX_NAME_CHARS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .context import ContextLike, Translation
    from .keywords import SttKeywords

_MODEL = Unchosen(DEFAULT_STT_MODEL)
_FORMAT = Unchosen(AUTO_FORMAT)


@dataclass(frozen=True, eq=False, repr=False)
class SttConfig(Value):
    """Options of a transcription. `None`: not sent, so the service's default applies.

    `audio_format`: `"auto"` detects containers; raw formats need `sample_rate` (Hz) and
    `num_channels`. `language_hints`: two-letter codes. `max_endpoint_delay_ms`: 500 to 3000
    (default 2000). `endpoint_sensitivity`: -1.0 to 1.0 (default 0.0).
    `endpoint_latency_adjustment_level`: 0 to 3 (default 0). `enable_agent_text_input`: whether the
    model may be told what a voice agent says; only for models with `supports_agent_text_input` in
    `client.models.list()`. `client_reference_id`: at most 256 characters. `context`, `translation`:
    dataclasses or dicts, see `Context`, `OneWayTranslation`, `TwoWayTranslation`. `extra`: further
    fields for the server, sent unchanged. Immutable. Source: PROTOCOL 2.2.

    Raises
        ConfigurationError: a value that the service would refuse.
        InputTypeError: a value of the wrong type.
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
    enable_agent_text_input: Optional[bool] = None
    translation: Optional[Translation] = None
    client_reference_id: Optional[str] = None
    extra: Optional[Mapping[str, Any]] = None

    if TYPE_CHECKING:

        def replace(  # type: ignore[override]
            self, **changes: Unpack[SttKeywords]
        ) -> SttConfig:
            """Return a copy with some fields changed."""

    def __post_init__(self) -> None:
        self._checked()

    @property
    def raw_audio(self) -> Optional[RawAudio]:
        """Format of headerless audio, for times and pacing; `None` for containers.

        Raises
            ConfigurationError: a raw format without rate or channels.
        """
        if not is_raw(self.audio_format):
            return None
        check_shape_given(self.audio_format, self.sample_rate, self.num_channels)
        return RawAudio(self.audio_format, self.sample_rate or 0, self.num_channels or 0)

    def validate(self) -> SttConfig:
        """Check that this config can be sent, and return it.

        Raises
            ConfigurationError: a raw format without rate or channels, or a list or mapping has
                been changed to something that the service would refuse.
            InputTypeError: a list or mapping has been changed to a value of the wrong type.
        """
        self.to_wire()
        return self

    def to_wire(self) -> dict[str, Any]:
        """Return the start message as a new dict, without the key and without `None`s.

        Raises
            ConfigurationError: as `validate()`.
            InputTypeError: as `validate()`.
        """
        wire = self._checked()
        check_shape_given(self.audio_format, self.sample_rate, self.num_channels)
        wire["model"] = str(self.model)  # a plain str, whatever subclass it was
        wire["audio_format"] = stt_format_name(str(self.audio_format))
        return {**wire, **(self.extra or {})}

    def _checked(self) -> dict[str, Any]:
        return checked_fields(self, _CHECKS, _FIELDS, required=("model", "audio_format"))


def unique_languages(most: Optional[int] = None, max_chars: Optional[int] = None) -> Check:
    """Return a check for a list of unique language codes."""

    def check(name: str, value: Any) -> None:
        hints = string_list(name, value, most=most, max_chars=max_chars, what="codes")
        if len(set(hints)) < len(hints):
            raise wrong_value(name, "unique languages", hints)

    return check


_CHECKS: Mapping[str, Check] = {
    "model": text(MAX_NAME_CHARS),
    "audio_format": text(MAX_NAME_CHARS),
    "sample_rate": integer(1, MAX_SAMPLE_RATE, "Hz"),
    "num_channels": integer(1, MAX_CHANNELS),
    "language_hints": unique_languages(),
    "language_hints_strict": boolean,
    "enable_speaker_diarization": boolean,
    "enable_language_identification": boolean,
    "enable_endpoint_detection": boolean,
    "enable_agent_text_input": boolean,
    "max_endpoint_delay_ms": integer(500, 3000, "ms"),
    "endpoint_sensitivity": number(-1.0, 1.0),
    "endpoint_latency_adjustment_level": integer(0, 3),
    "client_reference_id": text(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True),
}

_FIELDS = tuple(name for name in field_names(SttConfig) if name != "extra")


def checked_fields(
    config: Value,
    checks: Mapping[str, Check],
    reserved: Container[str],
    required: Container[str] = (),
) -> dict[str, Any]:
    """Check the config of a transcription; return its fields as they are sent, without `extra`.

    `reserved`: names that `extra` must not have. `required`: fields that must not be `None`.

    Raises
        ConfigurationError: a value that the service would refuse.
        InputTypeError: a value of the wrong type.
    """
    run_checks(vars(config), checks, required)
    wire = {name: value for name, value in vars(config).items() if value is not None}
    check_extra(wire.pop("extra", None), reserved)
    if "language_hints" in wire:
        wire["language_hints"] = list(wire["language_hints"])
    if "context" in wire or "translation" in wire:
        from .context import context_to_wire, translation_to_wire  # most sessions have neither

        if "context" in wire:
            wire["context"] = context_to_wire(wire["context"])
        if "translation" in wire:
            wire["translation"] = translation_to_wire(wire["translation"])
    return wire


def merge_stt_config(
    defaults: Union[SttConfig, Mapping[str, Any], None] = None,
    kwargs: Union[SttConfig, Mapping[str, Any], None] = None,
    **overrides: Unpack[SttKeywords],
) -> SttConfig:
    """Return the defaults, overridden by `kwargs` and then by keyword arguments.

    In an `SttConfig` only fields that were set count. In a mapping every name counts, and `None`
    turns a default off (`model` and `audio_format` then have their own defaults). `extra` dicts are
    merged. Whether raw audio has a rate and channels is not checked: `validate()` does that once
    the audio is known.

    Raises
        ConfigurationError: an unknown name, with the nearest known one, or an invalid value.
        InputTypeError: neither an `SttConfig` nor a mapping, or a value of the wrong type.
    """
    merged = merge(
        SttConfig, ("stt_defaults", defaults), ("config", kwargs), ("a transcription", overrides)
    )
    for name in ("model", "audio_format"):
        if merged.get(name, "") is None:
            del merged[name]
    return SttConfig(**merged)
