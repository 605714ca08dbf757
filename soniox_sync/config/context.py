"""Translation and context of a transcription.

Each is a small dataclass; plain dicts in the service's own format are also accepted. Source:
PROTOCOL 2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from .._support.checks import (
    json_values,
    refuse_unknown,
    refused,
    string_list,
    text,
    wrong_type,
)
from ._values import EXTRA_HINT, Value, refuse_key, with_extra

_check_name = text()
_check_text = text(empty=True)


@dataclass(frozen=True, eq=False, repr=False)
class OneWayTranslation(Value):
    """Translation of everything spoken into `target_language`, such as `"es"`.

    `extra`: further fields for the server, sent unchanged.

    Raises
        ConfigurationError: an empty language.
        InputTypeError: a value of the wrong type.
    """

    target_language: str
    extra: Optional[Mapping[str, Any]] = None

    def __post_init__(self) -> None:
        _check_name("target_language", self.target_language)
        self.to_wire()

    def to_wire(self) -> dict[str, Any]:
        """Return the object that the service expects."""
        return _translation_wire({"type": "one_way", **vars(self)}, "")


@dataclass(frozen=True, eq=False, repr=False)
class TwoWayTranslation(Value):
    """Translation of each of two languages into the other.

    `extra`: further fields for the server, sent unchanged.

    Raises
        ConfigurationError: an empty language.
        InputTypeError: a value of the wrong type.
    """

    language_a: str
    language_b: str
    extra: Optional[Mapping[str, Any]] = None

    def __post_init__(self) -> None:
        _check_name("language_a", self.language_a)
        _check_name("language_b", self.language_b)
        self.to_wire()

    def to_wire(self) -> dict[str, Any]:
        """Return the object that the service expects."""
        return _translation_wire({"type": "two_way", **vars(self)}, "")


@dataclass(frozen=True, eq=False, repr=False)
class ContextEntry(Value):
    """One fact about the conversation, such as `domain` = `Healthcare`.

    Raises
        InputTypeError: not a `str`.
    """

    key: str
    value: str

    def __post_init__(self) -> None:
        _check_text("key", self.key)
        _check_text("value", self.value)


@dataclass(frozen=True, eq=False, repr=False)
class TranslationTerm(Value):
    """Translation of one term.

    Raises
        InputTypeError: not a `str`.
    """

    source: str
    target: str

    def __post_init__(self) -> None:
        _check_text("source", self.source)
        _check_text("target", self.target)


GeneralEntries = Union[Sequence[Union[ContextEntry, Mapping[str, Any]]], Mapping[str, Any], None]
TermEntries = Union[Sequence[Union[TranslationTerm, Mapping[str, Any]]], Mapping[str, Any], None]


@dataclass(frozen=True, eq=False, repr=False)
class Context(Value):
    """Subject of the audio, to help the recogniser. Every part is optional.

    `general`: facts, as `ContextEntry` objects, as `{"key": ..., "value": ...}` dicts or as one
    plain dict of names to values. `text`: prose of any length. `terms`: words to spell correctly.
    `translation_terms`: `TranslationTerm` objects, `{"source": ..., "target": ...}` dicts, or one
    plain dict. `extra`: further fields for the server, sent unchanged. The service accepts about
    8,000 tokens in total, which only the service checks.

    Raises
        ConfigurationError: an entry without its two parts.
        InputTypeError: a value of the wrong type.
    """

    general: GeneralEntries = None
    text: Optional[str] = None
    terms: Optional[Sequence[str]] = None
    translation_terms: TermEntries = None
    extra: Optional[Mapping[str, Any]] = None

    def __post_init__(self) -> None:
        _context_to_wire(vars(self))

    def to_wire(self) -> dict[str, Any]:
        """Return the object that the service expects, without the parts that are `None`.

        Raises
            ConfigurationError, InputTypeError: a list has been changed to invalid contents.
        """
        return _context_to_wire(vars(self))


Translation = Union[OneWayTranslation, TwoWayTranslation, Mapping[str, Any]]
ContextLike = Union[Context, str, Mapping[str, Any]]

# type -> the languages it needs
_TRANSLATION_FIELDS = {
    "one_way": ("target_language",),
    "two_way": ("language_a", "language_b"),
}
_ALL_LANGUAGES = ("target_language", "language_a", "language_b")
_CONTEXT_FIELDS = ("general", "text", "terms", "translation_terms")


def translation_to_wire(value: Any) -> dict[str, Any]:
    """Return the object that the service expects for a translation.

    A mapping with an unknown `type` is passed on unchanged, with its `extra` merged into it.

    Raises
        ConfigurationError: no type, a language is missing, or an unknown name.
        InputTypeError: another type.
    """
    if isinstance(value, (OneWayTranslation, TwoWayTranslation)):
        return value.to_wire()
    if not isinstance(value, Mapping):
        raise wrong_type("translation", "OneWayTranslation, TwoWayTranslation or a mapping", value)
    return _translation_wire(value, "translation.")


def _translation_wire(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Check a translation and return what to send; `prefix` is the prefix of its names."""
    kind = given.get("type")
    languages = _TRANSLATION_FIELDS.get(kind) if isinstance(kind, str) else _ALL_LANGUAGES
    if languages is None:  # a future type
        json_values("translation", given)
        refuse_key("translation", given)
        return with_extra(dict(given), given, "translation")
    known = ("type", *languages)
    refuse_unknown(given, (*known, "extra"), "translation", EXTRA_HINT)
    if kind is None:
        raise refused("translation", "a mapping with a type, 'one_way' or 'two_way'", "none")
    _check_name("translation.type", kind)
    for name in languages:
        if given.get(name) is None:
            raise refused("translation", f"{name!r}, as its type is {kind!r}", "none")
        _check_name(f"{prefix}{name}", given[name])
    return with_extra(dict(given), known, "translation")


def context_to_wire(value: Any) -> Union[str, dict[str, Any]]:
    """Return what the service expects for a context; a `str` is passed on unchanged.

    Raises
        ConfigurationError: an unknown name, or an entry without its two parts.
        InputTypeError: a value of the wrong type.
    """
    if isinstance(value, str):
        _check_text("context", value)
        return value
    if isinstance(value, Context):
        return value.to_wire()
    if not isinstance(value, Mapping):
        raise wrong_type("context", "Context, a mapping or a str", value)
    return _context_to_wire(value)


def _context_to_wire(parts: Mapping[str, Any]) -> dict[str, Any]:
    refuse_unknown(parts, (*_CONTEXT_FIELDS, "extra"), "context", EXTRA_HINT)
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
        _check_text("context.text", wire["text"])
    return with_extra(wire, _CONTEXT_FIELDS, "context")


def _entries(name: str, value: Any, left: str, right: str) -> list[dict[str, Any]]:
    """Return entries as dicts; one plain dict is read as names and values."""
    if isinstance(value, Mapping):
        pair = set(value) == {left, right}  # one entry, not a dict of entries
        value = [value] if pair else [{left: k, right: v} for k, v in value.items()]
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise wrong_type(name, "a list of entries", value)
    return [_entry(f"{name}[{i}]", item, left, right) for i, item in enumerate(value)]


def _entry(name: str, item: Any, left: str, right: str) -> dict[str, Any]:
    if isinstance(item, (ContextEntry, TranslationTerm)):
        item = {left: getattr(item, left, None), right: getattr(item, right, None)}
    if not isinstance(item, Mapping):
        raise wrong_type(name, "a mapping", item)
    refuse_unknown(item, (left, right), name)
    for part in (left, right):
        if item.get(part) is None:
            raise refused(name, f"an entry with {left!r} and {right!r}", f"no {part!r}")
        _check_text(f"{name}.{part}", item[part])
    return dict(item)
