"""`TranscriptionConfig`: options for the transcription of a file, checked before they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from ..._support.checks import Check, boolean, refused, text
from ...config import safe_url
from ...config._values import Value, field_names, merge
from ...config.stt import checked_fields, unique_languages
from ..arguments import check_header_name, check_header_secret

if TYPE_CHECKING:
    from ...config.context import ContextLike, Translation

_MAX_HINTS, _MAX_HINT_CHARS = 100, 10
_MAX_WEBHOOK_CHARS = 256


@dataclass(frozen=True, eq=False, repr=False)
class TranscriptionConfig(Value):
    """Options for the transcription of a file. `None`: not sent, so the service's default applies.

    `language_hints`: at most 100 codes. `context`, `translation`: dataclasses or dicts, see
    `Context`, `OneWayTranslation`, `TwoWayTranslation`. `webhook_url`: called at the end, with the
    header `webhook_auth_header_name` and its value `webhook_auth_header_value`; at most 256
    characters each. `extra`: further fields for the server, sent unchanged. Immutable.
    Source: PROTOCOL 5.3.

    Raises
        ConfigurationError: a value that the service would refuse.
        InputTypeError: a value of the wrong type.
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

    def __post_init__(self) -> None:
        self._checked()

    def to_wire(self) -> dict[str, Any]:
        """Return the fields to send, as a new dict without those that are `None`.

        Raises
            ConfigurationError: a list or mapping was changed to something the service refuses.
            InputTypeError: a list or mapping was changed to a value of the wrong type.
        """
        return {**self._checked(), **(self.extra or {})}

    def _checked(self) -> dict[str, Any]:
        return checked_fields(self, _CHECKS, _RESERVED)

    def _shown(self, name: str, value: object) -> str:
        if name == "webhook_url":
            return repr(safe_url(value))
        return "'...'" if name == "webhook_auth_header_value" else super()._shown(name, value)


ConfigLike = Union[TranscriptionConfig, Mapping[str, Any], None]
WebhookAuth = Union[tuple[str, str], Mapping[str, str], None]  # name and value of a header


def merge_config(config: ConfigLike, **fields: Any) -> TranscriptionConfig:
    """Return a config with keyword arguments merged into it."""
    layers = ("config", config), ("a transcription", fields)
    return TranscriptionConfig(**merge(TranscriptionConfig, *layers))


def web_url(max_chars: int) -> Check:
    """Return a check for `http://` and `https://` URLs; its errors do not contain the URL."""

    def check(name: str, value: Any) -> None:
        text(max_chars)(name, value)
        if not value.lower().startswith(("https://", "http://")):
            raise refused(name, "a URL with http:// or https://", "one without")

    return check


_CHECKS: Mapping[str, Check] = {
    "language_hints": unique_languages(_MAX_HINTS, _MAX_HINT_CHARS),
    "language_hints_strict": boolean,
    "enable_speaker_diarization": boolean,
    "enable_language_identification": boolean,
    "webhook_url": web_url(_MAX_WEBHOOK_CHARS),
    "webhook_auth_header_name": check_header_name,
    "webhook_auth_header_value": check_header_secret,
}
_RESERVED = (
    *(name for name in field_names(TranscriptionConfig) if name != "extra"),
    *("model", "file_id", "audio_url", "client_reference_id"),
)
