"""Short form of a translation: `to` a language, or `between` two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..._support.checks import text, wrong_type
from ...errors import ConfigurationError
from .config import merge_config

_check_language = text()


def with_translation(
    options: Mapping[str, Any],
    to: Optional[str],
    source: Optional[str],
    between: Optional[tuple[str, str]],
) -> dict[str, Any]:
    """Return options of a transcription, with the translation added to their config.

    Language identification is turned on.

    Raises
        ConfigurationError: not exactly one of `to` and `between`, a `source` without `to`, or a
            translation among `options`.
        InputTypeError: a value of the wrong type.
    """
    if (to is None) == (between is None):
        raise ConfigurationError("give exactly one of to= and between=")
    if source is not None and to is None:
        raise ConfigurationError("source= can only be used with to=")
    if "translation" in options:
        raise ConfigurationError(
            "to= and between= are short forms of translation=: give only one of them"
        )
    fields: dict[str, Any] = {"enable_language_identification": True}
    if to is not None:
        _check_language("to", to)
        fields["translation"] = {"type": "one_way", "target_language": to}
    else:
        fields["translation"] = _two_way(between)
    if source is not None:
        _check_language("source", source)
        fields.update(language_hints=[source], language_hints_strict=True)
    return {**options, "config": merge_config(options.get("config"), **fields)}


def _two_way(between: Any) -> Mapping[str, str]:
    if not isinstance(between, (tuple, list)) or len(between) != 2:
        raise wrong_type("between", "a pair of languages, such as ('en', 'es')", between)
    for i, language in enumerate(between):
        _check_language(f"between[{i}]", language)
    return {"type": "two_way", "language_a": between[0], "language_b": between[1]}
