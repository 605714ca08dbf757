"""Redaction: no text, value or exception shows a key, in any spelling."""

from __future__ import annotations

import json
from typing import Any, Callable, Optional

import pytest

from soniox_sync.runtime.connection import Connection
from soniox_sync.runtime.redaction import Redactor, secrets_of_proxy
from soniox_sync.transport.connect import Target
from tests.peers import Listener

KEY = "sk-test/secret+key"


@pytest.mark.parametrize("spelling", [KEY, "sk-test%2Fsecret%2Bkey", "sk-test\\/secret+key"])
def test_every_spelling_is_redacted(spelling: str) -> None:
    """A key is replaced in plain form, quoted for a URL, and escaped for JSON."""
    assert Redactor([KEY]).text(f"no {spelling}!") == "no ***!"


def test_the_longest_secret_is_replaced_first() -> None:
    """A secret that contains another one is replaced as a whole."""
    assert Redactor(["12345678", "12345678-tail"]).text("12345678-tail 12345678") == "*** ***"


def test_values_are_redacted_at_every_level() -> None:
    """Keys, values, bytes and items of sequences are redacted; a clean value is returned itself."""
    redactor = Redactor([KEY])
    dirty = {KEY: [KEY.encode(), (1, KEY), {"a": KEY}], "n": None}
    assert redactor.value(dirty) == {"***": [b"***", (1, "***"), {"a": "***"}], "n": None}
    clean = {"a": [1, "b"]}
    assert redactor.value(clean) is clean


def test_too_deeply_nested_values_are_replaced() -> None:
    """A hostile frame of a thousand levels is masked, without a `RecursionError`."""
    nested: list[object] = [KEY]
    for _ in range(1000):
        nested = [nested]
    assert KEY not in repr(Redactor([KEY]).value(nested))


@pytest.mark.parametrize("box", [lambda inner: [inner], lambda inner: {"a": inner}])
@pytest.mark.parametrize(("levels", "shown"), [(20, "clean"), (21, "***")])
def test_twenty_levels_are_searched(box: Callable[[Any], Any], levels: int, shown: str) -> None:
    """In lists and in mappings; what is nested deeper is masked as a whole."""
    value: Any = "clean"
    for _ in range(levels):
        value = box(value)
    got = Redactor([KEY]).value(value)
    for _ in range(20):
        (got,) = got.values() if isinstance(got, dict) else got
    assert got == shown


@pytest.mark.parametrize("given", ['sk-é"secret', "sk-é\\u00e9"])
def test_a_key_that_is_not_ascii_is_redacted_however_json_escapes_it(given: str) -> None:
    """JSON may keep its letters, and has to escape its quotes."""
    for spelling in (json.dumps(given), json.dumps(given, ensure_ascii=False)):
        assert Redactor([given]).text(spelling) == '"***"'


@pytest.mark.parametrize("hidden", [True, False])
def test_a_context_is_as_visible_as_before(hidden: bool) -> None:
    """`raise ... from None` stays one, and a context that a traceback shows is still shown."""
    error = ValueError(KEY)
    error.__context__, error.__suppress_context__ = KeyError(KEY), hidden
    Redactor([KEY]).error(error)
    assert error.__suppress_context__ is hidden


@pytest.mark.parametrize("url", [None, "", "http://proxy.example:3128", "http://[::1:3128"])
def test_a_proxy_without_credentials_has_no_secrets(url: Optional[str]) -> None:
    """Nor has one whose URL cannot be parsed: connecting refuses it."""
    assert list(secrets_of_proxy(url)) == []


def test_causes_that_cannot_be_redacted_are_cut_off() -> None:
    """An exception that computes its message anew, with the key in it, is replaced."""

    class Stubborn(Exception):
        def __str__(self) -> str:
            return f"no {KEY}"

    redactor = Redactor([KEY])
    clean, dirty, below = ValueError("clean"), Stubborn(), OSError(5, f"io {KEY}", KEY)
    clean.__cause__, clean.__context__, dirty.__cause__ = dirty, below, KeyError("k")
    assert redactor.cause(clean) is clean
    assert clean.__cause__ is None and KEY not in repr(clean.__context__)
    assert KEY not in str(clean.__context__)
    stand_in = redactor.cause(dirty)
    assert type(stand_in) is ConnectionError and str(stand_in) == "Stubborn: no ***"


def test_cyclic_causes_are_walked_once() -> None:
    """A chain of causes that contains a cycle is walked once."""
    one, two = ValueError(KEY), ValueError(KEY)
    one.__context__, two.__context__ = two, one
    for error in (one, two):
        assert KEY not in repr(Redactor([KEY]).cause(error))


def test_two_links_to_one_cause_are_walked_once() -> None:
    """An exception that is both cause and context of another is visited once."""
    error: Exception = ValueError(KEY)
    for _ in range(30):
        outer = ValueError(KEY)
        outer.__cause__ = outer.__context__ = error
        error = outer
    Redactor([KEY]).error(error)
    seen: list[BaseException] = []
    link = error.__cause__
    while link is not None:
        seen.append(link)
        link = link.__cause__
    assert len(seen) == 30 and all(KEY not in repr(each) for each in seen)


@pytest.mark.parametrize("length", [31, 32])
def test_a_circular_chain_as_long_as_is_followed_stays_whole(length: int) -> None:
    """32 errors of a chain are redacted; the last one may refer to one that was, and still does."""
    errors = [ValueError(f"{number} {KEY}") for number in range(length)]
    for error, cause in zip(errors, [*errors[1:], errors[0]]):
        error.__cause__ = cause
    Redactor([KEY]).error(errors[0])
    assert errors[-1].__cause__ is errors[0]
    assert all(KEY not in str(each) for each in errors)


def test_what_follows_the_32nd_error_is_cut_off() -> None:
    """No library produces as many: nobody has looked at what is left."""
    errors = [ValueError(f"{number} {KEY}") for number in range(34)]
    for error, cause in zip(errors, errors[1:]):
        error.__cause__ = cause
    Redactor([KEY]).error(errors[0])
    assert errors[30].__cause__ is errors[31]
    assert errors[31].__cause__ is None


@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY", None])
def test_a_connection_redacts_the_credentials_of_proxies(
    monkeypatch: pytest.MonkeyPatch, variable: Optional[str]
) -> None:
    """What a proxy could repeat, its password or the header with it, is no longer there."""
    url = "http://me:hunter2%2Fhunter2@proxy.example:3128"
    if variable is not None:
        monkeypatch.setenv(variable, url)
    given = url if variable is None else None
    redactor = Connection(Target("wss://far.invalid", proxy=given), Listener()).redactor
    said = "407 hunter2/hunter2 hunter2%2Fhunter2 bWU6aHVudGVyMi9odW50ZXIy"
    assert redactor.text(said) == "407 *** *** ***"
