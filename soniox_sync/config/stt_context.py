"""What a transcription is told besides audio: translation wishes and context.

Each is a small dataclass; plain dicts in the service's own shape do as well. Source: PROTOCOL 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from ..errors import ConfigurationError, InputTypeError
from ._values import Value, string_list, text

_some_text = text()


@dataclass(frozen=True, eq=False, repr=False)
class OneWayTranslation(Value):
    """Asks for everything spoken to be translated into `target_language`, such as `"es"`."""

    target_language: str

    def to_wire(self) -> dict[str, Any]:
        """Give the object the service expects."""
        return {"type": "one_way", "target_language": self.target_language}


@dataclass(frozen=True, eq=False, repr=False)
class TwoWayTranslation(Value):
    """Asks for each of two languages to be translated into the other."""

    language_a: str
    language_b: str

    def to_wire(self) -> dict[str, Any]:
        """Give the object the service expects."""
        return {
            "type": "two_way",
            "language_a": self.language_a,
            "language_b": self.language_b,
        }


@dataclass(frozen=True, eq=False, repr=False)
class ContextEntry(Value):
    """Is one fact about the conversation, such as `domain` = `Healthcare`."""

    key: str
    value: str


@dataclass(frozen=True, eq=False, repr=False)
class TranslationTerm(Value):
    """Says how one term is to be translated."""

    source: str
    target: str


GeneralEntries = Union[Sequence[Union[ContextEntry, Mapping[str, Any]]], Mapping[str, Any], None]
TermEntries = Union[Sequence[Union[TranslationTerm, Mapping[str, Any]]], Mapping[str, Any], None]


@dataclass(frozen=True, eq=False, repr=False)
class Context(Value):
    """Tells the recogniser what the audio is about. Every part is optional.

    `general`: facts, as `ContextEntry` objects, as `{"key": ..., "value": ...}` dicts or as one
    plain dict of names to values. `text`: any length of prose. `terms`: words to spell rightly.
    `translation_terms`: `TranslationTerm` objects, `{"source": ..., "target": ...}` dicts, or one
    plain dict. The service takes about 8,000 tokens in all and is the judge of that.
    """

    general: GeneralEntries = None
    text: Optional[str] = None
    terms: Optional[Sequence[str]] = None
    translation_terms: TermEntries = None

    def to_wire(self) -> dict[str, Any]:
        """Give the object the service expects, without the parts that are `None`.

        Raises
            ConfigurationError: an entry without its two parts. InputTypeError: a wrong type.
        """
        return _context_to_wire(
            {
                "general": self.general,
                "text": self.text,
                "terms": self.terms,
                "translation_terms": self.translation_terms,
            }
        )


Translation = Union[OneWayTranslation, TwoWayTranslation, Mapping[str, Any]]
ContextLike = Union[Context, str, Mapping[str, Any]]

# type -> the languages it needs
_TRANSLATION_FIELDS = {
    "one_way": ("target_language",),
    "two_way": ("language_a", "language_b"),
}


def translation_to_wire(value: Any) -> dict[str, Any]:
    """Check a translation wish and give the object the service expects.

    A mapping of a `type` unknown here passes as it is.

    Raises
        ConfigurationError: no type, or a language is missing. InputTypeError: another type.
    """
    if isinstance(value, (OneWayTranslation, TwoWayTranslation)):
        value = value.to_wire()
    if not isinstance(value, Mapping):
        raise InputTypeError(
            "translation must be a OneWayTranslation, a TwoWayTranslation or a mapping, "
            f"not {type(value).__name__}"
        )
    wire = dict(value)
    if not isinstance(wire.get("type"), str):
        raise ConfigurationError("translation must have a type: 'one_way' or 'two_way'")
    for name in _TRANSLATION_FIELDS.get(wire["type"], ()):
        if wire.get(name) is None:
            raise ConfigurationError(f"translation of type {wire['type']!r} needs {name!r}")
        _some_text(f"translation.{name}", wire[name])
    return wire


def context_to_wire(value: Any) -> Union[str, dict[str, Any]]:
    """Check a context and give what the service expects; a `str` passes as it is.

    Names unknown here pass, the service decides.

    Raises
        ConfigurationError: an entry without its two parts. InputTypeError: a wrong type.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Context):
        return value.to_wire()
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"context must be a Context, a mapping or a str, not {type(value).__name__}"
        )
    return _context_to_wire(value)


def _context_to_wire(parts: Mapping[str, Any]) -> dict[str, Any]:
    wire = {name: value for name, value in parts.items() if value is not None}
    if "general" in wire:
        wire["general"] = _entries("context.general", wire["general"], "key", "value")
    if "translation_terms" in wire:
        wire["translation_terms"] = _entries(
            "context.translation_terms", wire["translation_terms"], "source", "target"
        )
    if "terms" in wire:
        wire["terms"] = string_list("context.terms", wire["terms"])
    if "text" in wire:
        text(empty=True)("context.text", wire["text"])
    return wire


def _entries(name: str, value: Any, left: str, right: str) -> list[dict[str, Any]]:
    """Write out entries; one plain dict is taken as names to values."""
    if isinstance(value, Mapping):
        pair = set(value) == {left, right}  # one entry, not a dict of entries
        value = [value] if pair else [{left: k, right: v} for k, v in value.items()]
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise InputTypeError(f"{name} must be a list of entries, not {type(value).__name__}")
    return [_entry(f"{name}[{i}]", item, left, right) for i, item in enumerate(value)]


def _entry(name: str, item: Any, left: str, right: str) -> dict[str, Any]:
    if isinstance(item, (ContextEntry, TranslationTerm)):
        item = {left: getattr(item, left, None), right: getattr(item, right, None)}
    if not isinstance(item, Mapping):
        raise InputTypeError(f"{name} must be a mapping, not {type(item).__name__}")
    for part in (left, right):
        if item.get(part) is None:
            raise ConfigurationError(f"{name} needs {left!r} and {right!r}")
        text(empty=True)(f"{name}.{part}", item[part])
    return dict(item)
