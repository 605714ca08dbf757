"""The short way to say what to translate: `to` a language, or `between` two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..errors import ConfigurationError
from .transcription_config import ConfigLike, TranscriptionConfig, merge_config


def translated(
    config: ConfigLike,
    options: Mapping[str, Any],
    to: Optional[str],
    source: Optional[str],
    between: Optional[tuple[str, str]],
) -> TranscriptionConfig:
    """Give `config` with the translation filled in, and the languages told apart.

    Raises `ConfigurationError` unless exactly one of `to` and `between` is given, for a `source`
    without `to`, and for a translation among `options`.
    """
    if (to is None) == (between is None):
        raise ConfigurationError("give exactly one of to= and between=")
    if source is not None and to is None:
        raise ConfigurationError("source= goes with to= only")
    if "translation" in options:
        raise ConfigurationError(
            "translation= is what to= and between= stand for: give one of them"
        )
    fields: dict[str, Any] = {"enable_language_identification": True}
    if between is not None:
        fields["translation"] = _two_way(between)
    else:
        fields["translation"] = {"type": "one_way", "target_language": to}
    if source is not None:
        fields.update(language_hints=[source], language_hints_strict=True)
    return merge_config(config, **fields)


def _two_way(between: Any) -> Mapping[str, str]:
    if isinstance(between, (tuple, list)) and len(between) == 2:
        return {"type": "two_way", "language_a": between[0], "language_b": between[1]}
    raise ConfigurationError("between= must be a pair of languages, such as ('en', 'es')")
