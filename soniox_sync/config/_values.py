"""What the option objects of this package share: repr, replace, coercion, checks by table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar, cast

from ..errors import ConfigurationError, InputTypeError

V = TypeVar("V", bound="Value")
T = TypeVar("T")

# Longer values (a context of ten pages) would bury the rest of a repr.
_REPR_LIMIT = 80


class Value:
    """Is the base of the option objects: equality, a short repr without secrets, `replace()`.

    Its subclasses are dataclasses with `eq=False, repr=False`: methods written once here save a
    third of the time that importing them takes.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _contents(self) == _contents(other)

    def __hash__(self) -> int:
        return hash(_contents(self))

    def replace(self: V, **changes: Any) -> V:
        """Make a copy with some fields changed.

        Raises
            ConfigurationError: a name is not a field.
        """
        refuse_unknown(changes, field_names(type(self)), type(self).__name__)
        return cast(V, dataclasses.replace(cast(Any, self), **changes))

    def __repr__(self) -> str:
        shown = [
            f"{field.name}={_shortened(self._shown(field.name, value))}"
            for field in dataclasses.fields(cast(Any, self))
            if field.repr and (value := getattr(self, field.name)) is not None
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown(self, name: str, value: object) -> str:
        """Give one field's part of the repr; of `extra` only names, a value may be a secret."""
        return names_only(value) if name == "extra" else repr(value)


def _contents(value: object) -> tuple[Any, ...]:
    return tuple(getattr(value, name) for name in field_names(type(value)))


def names_only(value: object) -> str:
    """Show a mapping by its names; anything else by its repr."""
    return f"<{', '.join(map(str, value))}>" if isinstance(value, Mapping) else repr(value)


def _shortened(text: str) -> str:
    return text if len(text) <= _REPR_LIMIT else text[: _REPR_LIMIT - 3] + "..."


class Unchosen(str):
    """Is a field's default that the caller did not choose, so that any other layer beats it.

    Equal to the plain string in every way; only `chosen()` tells them apart.
    """

    __slots__ = ()


def field_names(cls: type) -> tuple[str, ...]:
    """List the fields of an option class in order."""
    return tuple(field.name for field in dataclasses.fields(cls))


def chosen(value: object) -> dict[str, Any]:
    """Give the fields that the object's maker set: neither `None` nor a built-in default."""
    fields = {name: getattr(value, name) for name in field_names(type(value))}
    return {k: v for k, v in fields.items() if v is not None and not isinstance(v, Unchosen)}


def layer(cls: type[T], value: object, what: str, hint: str = "") -> dict[str, Any]:
    """Turn `None`, an option object or a mapping into the fields it sets.

    A mapping keeps its `None`s: they switch off what a lower layer set.

    Raises
        ConfigurationError: unknown name. InputTypeError: neither of the three.
    """
    if value is None:
        return {}
    if isinstance(value, cls):
        return chosen(value)
    if not isinstance(value, Mapping):
        raise InputTypeError(
            f"{what} must be a {cls.__name__} or a mapping, not {type(value).__name__}"
        )
    refuse_unknown(value, field_names(cls), what, hint)
    return dict(value)


def stack(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay later layers over earlier ones; the dicts in `extra` are joined, not replaced."""
    merged: dict[str, Any] = {}
    for fields in layers:
        joined = merge_extra(merged.get("extra"), fields.get("extra"))
        switched_off = "extra" in fields and fields["extra"] is None
        merged.update(fields)
        if joined is not None and not switched_off:
            merged["extra"] = joined
    return merged


def merge_extra(lower: object, upper: object) -> Optional[dict[str, Any]]:
    """Join two `extra` dicts, the upper one winning; `None` when there is neither.

    Raises
        InputTypeError: one of them is not a mapping.
    """
    parts = [part for part in (lower, upper) if part is not None]
    for part in parts:
        if not isinstance(part, Mapping):
            raise InputTypeError(f"extra must be a mapping, not {type(part).__name__}")
    return {k: v for part in parts for k, v in cast(Mapping[str, Any], part).items()} or None


def coerce(cls: type[T], value: object, what: str) -> T:
    """Turn `None` (all defaults), an option object or a mapping into an option object.

    Raises
        ConfigurationError: unknown name or refused value. InputTypeError: another type.
    """
    if isinstance(value, cls):
        return value
    return cls(**layer(cls, value, what))


def refuse_unknown(
    given: Iterable[object], known: Iterable[str], what: str, hint: str = ""
) -> None:
    """Refuse names that are not fields, with the nearest field as a suggestion.

    Raises
        ConfigurationError: at least one name is unknown.
    """
    known = tuple(known)
    for name in given:
        if name in known:
            continue
        raise ConfigurationError(f"{what} has no field {name!r}{_nearest(str(name), known)}{hint}")


def _nearest(name: str, known: tuple[str, ...]) -> str:
    import difflib  # only on the way to an error

    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"


# A check takes the field's name and its value (never None) and raises or returns.
Check = Callable[[str, Any], None]


def run_checks(value: object, checks: Mapping[str, Check]) -> None:
    """Run the check of every field that is not `None`."""
    for name, check in checks.items():
        field = getattr(value, name)
        if field is not None:
            check(name, field)


def boolean(name: str, value: Any) -> None:
    """Refuse what is not `True` or `False`: 0, 1 and "false" are more often mistakes."""
    if not isinstance(value, bool):
        raise InputTypeError(f"{name} must be True or False, not {_kind(value)}")


def text(max_chars: Optional[int] = None, *, empty: bool = False) -> Check:
    """Make a check for strings of at most `max_chars` code points, not empty unless allowed."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise InputTypeError(f"{name} must be a str, not {_kind(value)}")
        if not value and not empty:
            raise ConfigurationError(f"{name} must not be empty")
        if max_chars is not None and len(value) > max_chars:
            raise ConfigurationError(
                f"{name} is too long: {len(value)} characters, the limit is {max_chars}"
            )

    return check


def integer(low: Optional[int] = None, high: Optional[int] = None, unit: str = "") -> Check:
    """Make a check for whole numbers from `low` to `high`, both included."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputTypeError(f"{name} must be an int, not {_kind(value)}")
        _check_range(name, value, low, high, unit)

    return check


def number(low: Optional[float] = None, high: Optional[float] = None, unit: str = "") -> Check:
    """Make a check for finite numbers from `low` to `high`, both included."""

    def check(name: str, value: Any) -> None:
        _check_number(name, value)
        _check_range(name, value, low, high, unit)

    return check


def positive_seconds(name: str, value: Any) -> None:
    """Refuse what is not a finite number above 0."""
    _check_number(name, value)
    if value <= 0:
        raise ConfigurationError(f"{name} must be more than 0 seconds, not {value}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputTypeError(f"{name} must be a number, not {_kind(value)}")
    if value != value or value in (float("inf"), float("-inf")):
        raise ConfigurationError(f"{name} must be a finite number, not {value}")


def _check_range(
    name: str, value: float, low: Optional[float], high: Optional[float], unit: str
) -> None:
    if (low is None or value >= low) and (high is None or value <= high):
        return
    unit = f" {unit}" if unit else ""
    bounds = f"at least {low}{unit}" if high is None else f"from {low} to {high}{unit}"
    raise ConfigurationError(f"{name} must be {bounds}, not {value}")


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def string_list(name: str, value: Any) -> list[str]:
    """Check a list of strings, none of them empty, and copy it.

    Raises
        ConfigurationError: an empty string. InputTypeError: a plain `str`, or another type.
    """
    if isinstance(value, str):
        raise InputTypeError(f"{name} must be a list of str: write [{value[:20]!r}]")
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Sequence):
        raise InputTypeError(f"{name} must be a list of str, not {type(value).__name__}")
    check_item = text()
    for i, item in enumerate(value):
        check_item(f"{name}[{i}]", item)
    return list(value)


def check_extra(extra: Any, known: Iterable[str]) -> None:
    """Refuse an `extra` that would overwrite a field of its own or smuggle in a key.

    Raises
        ConfigurationError: such a name. InputTypeError: not a mapping with `str` names.
    """
    if extra is None:
        return
    if not isinstance(extra, Mapping):
        raise InputTypeError(f"extra must be a mapping, not {type(extra).__name__}")
    known = frozenset(known)
    for name in extra:
        if not isinstance(name, str):
            raise InputTypeError(f"extra must have str names, not {type(name).__name__}")
        if name == "api_key":
            raise ConfigurationError(
                "extra must not hold 'api_key': give the key to the client, it is sent in one place"
            )
        if name in known:
            raise ConfigurationError(f"extra must not hold {name!r}: it is a field, set it there")
