"""Base class and helpers of the option objects: equality, repr, `replace()`, coercion."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, cast

from .._support.checks import (
    json_values,
    mapping,
    refuse_unknown,
    refused,
    wrong_type,
    wrong_value,
)
from .._support.reprs import shortened

V = TypeVar("V", bound="Value")
T = TypeVar("T")

EXTRA_HINT = "A field that this library does not know goes through extra={...}"


class Value:
    """Base of the option objects: equality, a short repr without secrets, `replace()`.

    Subclasses are dataclasses with `eq=False, repr=False`: with methods written once, here, they
    are a third faster to import than with methods generated for each.
    """

    if not TYPE_CHECKING:  # type checkers know the fields; dataclasses only raise TypeError

        def __new__(cls, *args, **fields):
            refuse_unknown(fields, field_names(cls), cls.__name__)
            return super().__new__(cls)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _contents(self) == _contents(other)

    def __hash__(self) -> int:
        return hash(_contents(self))

    def replace(self: V, **changes: Any) -> V:
        """Return a copy with some fields changed.

        Raises
            ConfigurationError: a name is not a field, or a value is invalid.
            InputTypeError: a value of the wrong type.
        """
        refuse_unknown(changes, field_names(type(self)), type(self).__name__)
        return cast(V, dataclasses.replace(cast(Any, self), **changes))

    def __repr__(self) -> str:
        shown = [
            f"{field.name}={shortened(self._shown(field.name, value))}"
            for field in dataclasses.fields(cast(Any, self))
            if field.repr and (value := getattr(self, field.name)) is not None
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, value: object) -> str:
        """Return one field for the repr; for `extra` only names, as a value may be a secret."""
        return names_only(value) if name == "extra" else repr(value)


def _contents(value: object) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in field_names(type(value)))


def names_only(value: object) -> str:
    """Return the names of a mapping, or the repr of anything else."""
    return f"<{', '.join(map(str, value))}>" if isinstance(value, Mapping) else repr(value)


class Unchosen(str):
    """Default of a field that the caller did not set: any other layer overrides it.

    Behaves exactly like the plain string; only `chosen()` distinguishes them.
    """

    __slots__ = ()


def field_names(cls: type) -> tuple[str, ...]:
    """Return the names of an option class's fields, in order."""
    return tuple(field.name for field in dataclasses.fields(cls))


def chosen(value: object) -> dict[str, Any]:
    """Return the fields that the caller set: neither `None` nor a built-in default."""
    fields = {name: getattr(value, name) for name in field_names(type(value))}
    return {k: v for k, v in fields.items() if v is not None and not isinstance(v, Unchosen)}


def layer(cls: type[T], value: object, name: str, hint: str = "") -> Mapping[str, Any]:
    """Return the fields that an option object or a mapping sets; none for `None`.

    A mapping keeps its `None`s: they switch off what a lower layer sets. `name` is used in errors,
    `hint` is a sentence added for an unknown field.

    Raises
        ConfigurationError: an unknown name.
        InputTypeError: another type.
    """
    if value is None:
        return {}
    if isinstance(value, cls):
        return chosen(value)
    if not isinstance(value, Mapping):
        raise wrong_type(name, f"{cls.__name__} or a mapping", value)
    refuse_unknown(value, field_names(cls), name, hint)
    return value


def refuse_unknown_keywords(
    call: Callable[..., object], given: Iterable[str], fields: Iterable[str]
) -> None:
    """Refuse keywords of a call that are not `fields`; parameters of its own are suggested, too.

    Raises
        ConfigurationError: an unknown name.
    """
    if unknown := set(given).difference(fields):
        code = call.__code__
        own = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
        refuse_unknown(sorted(unknown), (*own, *fields), f"{call.__name__}()", EXTRA_HINT)


def merge(cls: type, *layers: tuple[str, object]) -> dict[str, Any]:
    """Return the fields of option objects or mappings; later ones override earlier ones.

    Each is passed with a name for errors. The dicts in `extra` are merged, not replaced.

    Raises
        ConfigurationError: an unknown name.
        InputTypeError: neither such an object nor a mapping.
    """
    merged: dict[str, Any] = {}
    for name, value in layers:
        fields = layer(cls, value, name, EXTRA_HINT)
        joined = merge_extra(merged.get("extra"), fields.get("extra"))
        switched_off = "extra" in fields and fields["extra"] is None
        merged.update(fields)
        if joined is not None and not switched_off:
            merged["extra"] = joined
    return merged


def merge_extra(lower: object, upper: object) -> Optional[dict[str, Any]]:
    """Merge two `extra` dicts; `upper` overrides `lower`. Return `None` if both are empty.

    Raises
        InputTypeError: one of them is not a mapping.
    """
    parts = [part for part in (lower, upper) if part is not None]
    for part in parts:
        mapping("extra", part)
    return {k: v for part in parts for k, v in cast(Mapping[str, Any], part).items()} or None


def coerce(cls: type[T], value: object, name: str) -> T:
    """Return an option object unchanged, or one made from a mapping, or the defaults for `None`.

    Raises
        ConfigurationError: an unknown name or an invalid value.
        InputTypeError: another type, or a field of the wrong type.
    """
    return value if isinstance(value, cls) else cls(**layer(cls, value, name))


def check_extra(extra: Any, known: Container[str], what: str = "extra") -> None:
    """Refuse an `extra` that would override a field, contains a key, or cannot be sent.

    `what` is used in errors.

    Raises
        ConfigurationError: it contains such a name, or a value that JSON cannot represent.
        InputTypeError: not a mapping with `str` names, or a value of such a type.
    """
    if extra is None:
        return
    mapping(what, extra)
    for name in extra:
        if not isinstance(name, str):
            raise wrong_type(what, "names that are str", name)
        if name in known and name != "api_key":
            raise wrong_value(what, "names that are not fields", name, "set the field itself")
    json_values(what, extra)
    refuse_key(what, extra)


def refuse_key(what: str, value: Any) -> None:
    """Refuse an `api_key`, in any spelling, anywhere inside a value: no message contains a key.

    `value`: one that JSON can represent, so that it has an end.

    Raises
        ConfigurationError: there is one.
    """
    if isinstance(value, Mapping):
        for name in value:
            # servers may read other spellings of it as the same field
            if str(name).replace("-", "").replace("_", "").lower() == "apikey":
                raise refused(
                    what, "fields without a key", repr(name), "pass the key to the client"
                )
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for item in value:
        refuse_key(what, item)


def with_extra(wire: dict[str, Any], known: Container[str], what: str) -> dict[str, Any]:
    """Return `wire` with the contents of its `"extra"` merged into it.

    Raises
        ConfigurationError: a name in it is a field.
        InputTypeError: not a mapping with `str` names.
    """
    extra = wire.pop("extra", None)
    check_extra(extra, known, f"{what}.extra")
    wire.update(extra or {})
    return wire
