"""Argument checks: one set, so that every entry point refuses wrong values in the same way.

A wrong type raises `InputTypeError`, a wrong value (including one that is not finite)
`ConfigurationError`, both in the call with the argument and in one form: `name: expected ..., got
...`, then a semicolon and advice. Of a value of the wrong type only the type is shown: it may be
anything, even a key.

A *check* takes the name of an argument and its value, and returns nothing. `None` is refused like
any other value; `run_checks` skips fields that are `None` unless they are required.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, TypeVar, Union, cast

from ..errors import ConfigurationError, InputTypeError
from .reprs import shortened

Check = Callable[[str, Any], None]
F = TypeVar("F", bound=Callable[..., Any])

# 11 days. `poll()`, which does the waiting, has milliseconds in a C int, which 24 days overflow.
MAX_SECONDS = 1_000_000

# encoding of file names, and what is done with their undecodable bytes
_FILE_NAMES = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())

# as on Linux; nothing longer is a path
_LONGEST_PATH = 4096

# what servers read as an integer, and what a float can still hold
_MAX_INT = 2**63 - 1

# a longer value would bury the rest of the message
_SHOWN_CHARS = 60


def wrong_type(name: str, expected: str, value: object, advice: str = "") -> InputTypeError:
    """Return the error for a value of the wrong type; `expected` as in "an int"."""
    return InputTypeError(_message(name, expected, kind_of(value), advice))


def wrong_value(name: str, expected: str, value: object, advice: str = "") -> ConfigurationError:
    """Return the error for a value of the right type that cannot be used."""
    try:
        shown = repr(value)
    except ValueError:  # Python refuses to print an int of more than 4300 digits
        shown = f"a huge {kind_of(value)}"
    return refused(name, expected, shortened(shown, _SHOWN_CHARS), advice)


def refused(name: str, expected: str, got: str, advice: str = "") -> ConfigurationError:
    """Return the error for a value that must not be shown, or whose repr would not help."""
    return ConfigurationError(_message(name, expected, got, advice))


def _message(name: str, expected: str, got: str, advice: str) -> str:
    return f"{name}: expected {expected}, got {got}" + (f"; {advice}" if advice else "")


def kind_of(value: object) -> str:
    """Return the name of a value's type, `None` for `None`."""
    return "None" if value is None else type(value).__name__


# -- types ----------------------------------------------------------------------------------------


def boolean(name: str, value: Any) -> None:
    """Refuse anything but `True` and `False`: 0, 1 and "false" are usually mistakes."""
    if not isinstance(value, bool):
        raise wrong_type(name, "True or False", value)


def function(name: str, value: Any) -> None:
    """Refuse what is not callable, and what only an event loop can call."""
    if not callable(value):
        raise wrong_type(name, "a callable", value)
    refuse_async(name, value)


def refuse_async(name: str, value: Any) -> None:
    """Refuse an `async def`: calling it would only create a coroutine that nobody awaits."""
    import inspect  # dataclasses load it anyway

    call = getattr(value, "__call__", None)  # noqa: B004 - of an object, not of its class
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    if any(is_kind(each) for is_kind in kinds for each in (value, call)):
        raise InputTypeError(
            _message(
                name,
                "a plain function",
                "an async def",
                "there is no event loop here: "
                "pass a function that returns the value, if need be by asyncio.run(...)",
            )
        )


def takes(*parameters: str) -> Check:
    """Return a check for a function that can be called with so many positional arguments.

    One whose signature is unknown, as of some builtins, is believed.
    """
    import inspect

    def check(name: str, value: Any) -> None:
        function(name, value)
        try:
            signature = inspect.signature(value)
        except (TypeError, ValueError):
            return
        try:
            signature.bind(*parameters)
        except TypeError:
            called = f"({', '.join(parameters)})"
            got = f"one with the parameters {shortened(str(signature), _SHOWN_CHARS)}"
            advice = f"it is called as {name}{called}"
            raise InputTypeError(
                _message(name, f"a callable with the parameters {called}", got, advice)
            ) from None

    return check


def refuse_awaitable(name: str, expected: str, value: Any) -> None:
    """Refuse what a call of an `async def` returned, instead of a value; close a coroutine."""
    if not (hasattr(value, "__await__") or hasattr(value, "__anext__")):
        return
    if callable(getattr(value, "close", None)):
        value.close()  # or Python would warn later that nobody awaited it
    raise wrong_type(
        name,
        expected,
        value,
        "there is no event loop here: use a plain function, if need be with asyncio.run(...)",
    )


def mapping(name: str, value: Any) -> None:
    """Refuse what is not a mapping, such as a list of pairs."""
    if not isinstance(value, Mapping):
        raise wrong_type(name, "a mapping", value)


def instance_of(cls: type) -> Check:
    """Return a check for objects of one class."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, cls):
            raise wrong_type(name, cls.__name__, value)

    return check


def object_with(what: str, *methods: str) -> Check:
    """Return a check for objects that have certain methods; `what` is what is expected."""

    def check(name: str, value: Any) -> None:
        if not all(callable(getattr(value, each, None)) for each in methods):
            raise wrong_type(name, what, value)

    return check


def output_file(name: str, value: Any) -> None:
    """Refuse what is neither a path nor a binary file object to write to."""
    if hasattr(value, "encoding"):
        raise wrong_type(name, "a binary file object", value, "open it with mode 'wb'")
    if isinstance(value, str) or hasattr(value, "__fspath__"):
        path(name, value)
    elif not callable(getattr(value, "write", None)):
        raise wrong_type(name, "a path or a binary file object", value)


def input_path(name: str, value: Any) -> None:
    """Refuse a path to read that is empty, that `open()` could not pass on, or a URL."""
    path(name, value)
    given = value.__fspath__() if hasattr(value, "__fspath__") else value
    shown = given.decode(*_FILE_NAMES) if isinstance(given, bytes) else given
    if not shown:
        raise wrong_value(name, "a path", shown)
    scheme, _, rest = shown.partition(":")
    scheme = scheme.strip().lower()
    advice = _URL_ADVICE.get(scheme, _URL_ADVICE["https"])
    if scheme == "data":
        is_url = ";base64," in rest
    elif scheme in _URL_ADVICE:
        is_url = rest.startswith("/")  # pathlib makes one slash of two
    else:  # a drive letter is no scheme
        letters = scheme.replace("+", "").replace("-", "").replace(".", "")
        is_url = len(scheme) > 1 and letters.isalnum() and rest.startswith("//")
    if is_url:
        raise refused(name, "a path or a binary file object", "a URL", advice)


_URL_ADVICE = {
    "https": "download it, or let the service do so: client.stt.transcribe_and_wait(audio_url=...)",
    "file": "pass the path alone",
    "data": "decode it: base64.b64decode(url.partition(',')[2])",
}
_URL_ADVICE["http"] = _URL_ADVICE["https"]


def not_a_path(name: str, expected: str, data: bytes) -> None:
    """Refuse bytes that are a path or a URL: short, printable, with a separator or an extension."""
    if len(data) > _LONGEST_PATH:
        return
    try:
        shown = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    _, dot, suffix = shown.rpartition(".")
    has_suffix = dot and len(suffix) in (2, 3, 4) and suffix.isalnum()
    if shown.isprintable() and ("/" in shown or "\\" in shown or has_suffix):
        raise refused(name, expected, "a path or URL as bytes", "pass a path as str")


def path(name: str, value: Any) -> None:
    """Refuse a path that `open()` could not pass to the system."""
    given = value.__fspath__() if hasattr(value, "__fspath__") else value
    try:
        # os.fsencode(), without os: the checks of decisions do no I/O
        encoded = given if isinstance(given, bytes) else given.encode(*_FILE_NAMES)
    except UnicodeEncodeError as error:
        raise _half_a_pair(name, error) from None
    if not encoded:
        raise wrong_value(name, "a path", given)
    if b"\0" in encoded:
        raise refused(name, "a path", "one with a null character")


# -- texts and choices ----------------------------------------------------------------------------


def text(max_chars: Optional[int] = None, *, empty: bool = False) -> Check:
    """Return a check for strings of at most `max_chars` code points, not empty unless allowed."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise wrong_type(name, "a str", value)
        if not value and not empty:
            raise wrong_value(name, "a str that is not empty", value)
        if max_chars is not None and len(value) > max_chars:
            raise refused(name, f"at most {max_chars} characters", str(len(value)))
        encoded(name, value)

    return check


def encoded(name: str, value: str) -> bytes:
    """Return a text in UTF-8, as it is sent.

    Raises
        ConfigurationError: it contains half of a surrogate pair, which cannot be encoded.
    """
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise _half_a_pair(name, error) from None


def _half_a_pair(name: str, error: UnicodeEncodeError) -> ConfigurationError:
    return refused(
        name,
        "whole characters",
        f"half of a surrogate pair at character {error.start}",
        "the text was cut or decoded incorrectly",
    )


def json_values(name: str, value: Any) -> None:
    """Refuse what cannot be sent as JSON: an object, NaN, half of a surrogate pair."""
    import json  # few calls have such a mapping

    expected = "values that JSON can represent"
    try:
        plain = dict(value) if isinstance(value, Mapping) else value
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except TypeError as error:
        raise InputTypeError(
            _message(name, expected, f"one that it cannot ({error})", "")
        ) from None
    except (ValueError, RecursionError) as error:
        raise refused(name, expected, f"one that it cannot ({error})") from None


def one_of(choices: Union[Sequence[str], Sequence[int]], note: str = "") -> Check:
    """Return a check for one of `choices`, which are all `str` or all `int`.

    `note` is added to the expectation in an error, as in "one of 1, 2 for mp3".
    """
    kind = type(choices[0])
    expected = f"one of {', '.join(map(repr, choices))} {note}".rstrip()

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, kind):
            raise wrong_type(name, expected, value)
        if value not in choices:
            near = nearest(str(value), map(str, choices)) if kind is str else None
            raise wrong_value(name, expected, value, f"did you mean {near!r}?" if near else "")

    return check


def string_list(
    name: str,
    value: Any,
    *,
    most: Optional[int] = None,
    max_chars: Optional[int] = None,
    what: str = "items",
) -> list[str]:
    """Return a copy of a list of strings: at most `most`, of 1 to `max_chars` code points.

    `what` is their name in errors.

    Raises
        ConfigurationError: an empty or too long string, or too many.
        InputTypeError: a plain `str`, or another type.
    """
    if isinstance(value, str):
        raise wrong_type(name, "a list of str", value, f"write [{value[:20]!r}]")
    if isinstance(value, (bytes, Mapping)) or not isinstance(value, Sequence):
        raise wrong_type(name, "a list of str", value)
    check_item = text(max_chars)
    for i, item in enumerate(value):
        check_item(f"{name}[{i}]", item)
    if most is not None and len(value) > most:
        raise refused(name, f"at most {most} {what}", str(len(value)))
    return list(value)


# -- numbers --------------------------------------------------------------------------------------


def integer(low: Optional[int] = None, high: Optional[int] = None, unit: str = "") -> Check:
    """Return a check for whole numbers from `low` to `high`, both included."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(name, "an int", value)
        _check_range(name, "an int", value, low, high, unit)
        if not -_MAX_INT <= value <= _MAX_INT:
            raise wrong_value(name, "an int of at most 64 bits", value)

    return check


def number(low: Optional[float] = None, high: Optional[float] = None, unit: str = "") -> Check:
    """Return a check for finite numbers from `low` to `high`, both included."""

    def check(name: str, value: Any) -> None:
        _check_finite(name, value)
        _check_range(name, "a number", value, low, high, unit)

    return check


# -- times ----------------------------------------------------------------------------------------


def seconds(name: str, value: Any) -> None:
    """Refuse what is not a number of seconds from 0 to `MAX_SECONDS`."""
    _check_finite(name, value)
    _check_range(name, "a number", value, 0, MAX_SECONDS, "seconds")


def positive_seconds(name: str, value: Any) -> None:
    """Refuse what is not a number of seconds above 0, at most `MAX_SECONDS`."""
    _check_finite(name, value)
    if not 0 < value <= MAX_SECONDS:
        raise wrong_value(name, f"more than 0 and at most {MAX_SECONDS} seconds", value)


def timeout(name: str, value: Any) -> None:
    """Refuse a time limit that is neither `None` (no limit) nor a number of seconds from 0 up."""
    if value is not None:
        seconds(name, value)


def _check_finite(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(name, "a number", value)
    # math.isfinite() would raise OverflowError for an int that no float can hold
    if not -sys.float_info.max <= value <= sys.float_info.max:
        raise wrong_value(name, "a finite number", value)


def _check_range(
    name: str, what: str, value: float, low: Optional[float], high: Optional[float], unit: str
) -> None:
    if (low is None or value >= low) and (high is None or value <= high):
        return
    unit = f" {unit}" if unit else ""
    bounds = f"of at least {low}{unit}" if high is None else f"from {low} to {high}{unit}"
    raise wrong_value(name, f"{what} {bounds}", value)


# -- fields ---------------------------------------------------------------------------------------


def run_checks(
    fields: Mapping[str, Any], checks: Mapping[str, Check], required: Container[str] = ()
) -> None:
    """Run the check of every field that is required or not `None`."""
    for name, check in checks.items():
        value = fields.get(name)
        if value is not None or name in required:
            check(name, value)


def by_name(name: str, positional: Sequence[object]) -> None:
    """Refuse positional arguments of a call that takes keywords only, with the likely keyword.

    Raises
        InputTypeError: there is one.
    """
    if positional:
        got = f"a positional {kind_of(positional[0])}"
        raise InputTypeError(_message(name, "a keyword", got, f"write {name}=..."))


def suggests_keywords(**renamed: str) -> Callable[[F], F]:
    """Decorate a constructor or method: an unknown keyword is answered with the nearest one.

    The message names the class of the object: that of a method may be an internal base of it.

    `renamed`: names from elsewhere, and what they are called here.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            try:
                return function(*args, **keywords)
            except TypeError:
                import inspect  # only on the way to an error

                known = tuple(inspect.signature(function).parameters)[1:]
                what = type(args[0]).__name__
                if function.__name__ != "__init__":
                    what = f"{what}.{function.__name__}()"
                for name in keywords:
                    if name in renamed:
                        raise _unknown(what, name, renamed[name]) from None
                refuse_unknown(keywords, known, what)
                raise

        return cast(F, call)

    return decorate


def refuse_unknown(
    given: Iterable[object], known: Iterable[str], what: str, hint: str = ""
) -> None:
    """Refuse names that are not fields, with the nearest field as a suggestion.

    `what` has these fields; `hint` is a further sentence.

    Raises
        ConfigurationError: at least one name is unknown.
    """
    known = tuple(known)
    for name in given:
        if name not in known:
            near = nearest(str(name), known)
            advice = f"did you mean {near!r}?" if near else f"it has {', '.join(known)}."
            said = f"{what} has no field {name!r}; {advice} {hint}"
            raise ConfigurationError(said.rstrip(". "))


def _unknown(what: str, name: str, here: str) -> ConfigurationError:
    return ConfigurationError(f"{what} has no field {name!r}; here it is {here!r}")


def nearest(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the known name that `name` may be a misspelling of, `None` if there is none."""
    import difflib  # only on the way to an error

    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    if not near and len(name) > 3:  # a part of a name, such as "rate" for "sample_rate"
        near = [each for each in known if name in each]
    return near[0] if near else None
