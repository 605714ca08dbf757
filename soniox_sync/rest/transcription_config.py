"""`TranscriptionConfig`: what a file's transcription is told, checked before it is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from ..config import MAX_CLIENT_REFERENCE_ID_CHARS
from ..config._values import (
    Check,
    Value,
    boolean,
    check_extra,
    field_names,
    layer,
    run_checks,
    stack,
    string_list,
    text,
)
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..config.stt_context import ContextLike, Translation

_MAX_HINTS, _MAX_HINT_CHARS = 100, 10
_MAX_WEBHOOK_CHARS = 256


@dataclass(frozen=True, eq=False, repr=False)
class TranscriptionConfig(Value):
    """Says how a file is to be transcribed. `None` = not sent, the service's default holds.

    `language_hints`: at most 100 codes. `context`, `translation`: dataclasses or dicts, see
    `Context`, `OneWayTranslation`, `TwoWayTranslation`. `webhook_url`: who is called at the end,
    with the header `webhook_auth_header_name` of the value `webhook_auth_header_value`; at most
    256 characters each. `extra`: further fields for the server, sent as they are. Immutable.
    Source: PROTOCOL 5.3.
    """

    language_hints: Optional[Sequence[str]] = None
    language_hints_strict: Optional[bool] = None
    enable_speaker_diarization: Optional[bool] = None
    enable_language_identification: Optional[bool] = None
    translation: Optional[Translation] = None
    context: Optional[ContextLike] = None
    webhook_url: Optional[str] = None
    webhook_auth_header_name: Optional[str] = None
    webhook_auth_header_value: Optional[str] = None
    extra: Optional[Mapping[str, Any]] = None

    def to_wire(self) -> dict[str, Any]:
        """Give the fields to send, as a new dict without what is `None`.

        Raises `ConfigurationError` or `InputTypeError` naming the field.
        """
        run_checks(self, _CHECKS)
        check_extra(self.extra, _RESERVED)
        wire = {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}
        if "language_hints" in wire:
            wire["language_hints"] = list(wire["language_hints"])
        _write_out_objects(wire)
        wire.update(self.extra or {})
        return wire

    def _shown(self, name: str, value: object) -> str:
        return "'...'" if name == "webhook_auth_header_value" else super()._shown(name, value)


ConfigLike = Union[TranscriptionConfig, Mapping[str, Any], None]


def merge_config(config: ConfigLike, **fields: Any) -> TranscriptionConfig:
    """Lay keyword arguments over a config. Raises `ConfigurationError` for an unknown name."""
    hint = "; a field this library does not know goes through extra={...}"
    layers = (
        layer(TranscriptionConfig, config, "the transcription config", hint),
        layer(TranscriptionConfig, fields, "the transcription config", hint),
    )
    return TranscriptionConfig(**stack(layers))


def _hints(name: str, value: Any) -> None:
    hints = string_list(name, value)
    if len(hints) > _MAX_HINTS:
        raise ConfigurationError(f"{name} may hold {_MAX_HINTS} codes, not {len(hints)}")
    for hint in hints:
        text(_MAX_HINT_CHARS)(name, hint)
    if len(set(hints)) < len(hints):
        raise ConfigurationError(f"{name} must be unique")


def _url(name: str, value: Any) -> None:
    text(_MAX_WEBHOOK_CHARS)(name, value)
    if not value.lower().startswith(("https://", "http://")):
        raise ConfigurationError(f"{name} must be an http:// or https:// URL")


_CHECKS: Mapping[str, Check] = {
    "language_hints": _hints,
    "language_hints_strict": boolean,
    "enable_speaker_diarization": boolean,
    "enable_language_identification": boolean,
    "webhook_url": _url,
    "webhook_auth_header_name": text(_MAX_WEBHOOK_CHARS),
    "webhook_auth_header_value": text(_MAX_WEBHOOK_CHARS),
}
_FIELDS = tuple(name for name in field_names(TranscriptionConfig) if name != "extra")
_RESERVED = (*_FIELDS, "model", "file_id", "audio_url", "client_reference_id")

check_reference = text(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True)


def _write_out_objects(wire: dict[str, Any]) -> None:
    if "translation" not in wire and "context" not in wire:
        return
    from ..config.stt_context import context_to_wire, translation_to_wire

    if "translation" in wire:
        wire["translation"] = translation_to_wire(wire["translation"])
    if "context" in wire:
        wire["context"] = context_to_wire(wire["context"])
