"""API keys: where they come from, and which are refused before they are sent anywhere.

No message here contains a key, or the text of an exception raised by a caller's key function.
Source: PROTOCOL 1.3, 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Callable, Literal, Optional, Union, cast, get_args

from .._support.checks import one_of, refuse_async, refuse_awaitable, refused, wrong_type
from ..errors import ConfigurationError
from .constants import ENV_API_KEY

ApiKey = Union[str, Callable[[], str]]
Auth = Literal["header", "subprotocol", "message"]  # where the key is sent

_SANDBOX = (
    "to try things out without a key use the sandbox: `soniox-sync --sandbox ...` or "
    "soniox_sync.sandbox.Sandbox"
)

KeyProblem = Literal["empty", "quotes", "bearer", "unexpanded", "characters"]

# what a shell would have replaced: $NAME, ${NAME}; %NAME% on Windows
_VARIABLE = re.compile(r"\$\w+|\$\{\w+\}|%\w+%")

# of current and of older temporary keys
_TEMPORARY = ("snx_temp_", "temp:")

# straight quotes, and those that word processors replace them by
_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"

# Characters allowed in a subprotocol (RFC 9110 5.6.2); old temporary keys contain a colon
_TOKEN_CHARS = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)


def obtain_key(source: Any, environ: Mapping[str, str], variable: str, name: str) -> str:
    """Return the key that `source` is or returns; for `None` that of the environment.

    `variable`, `name`: as in `resolve_api_key`.

    Raises
        ConfigurationError: no key, an unusable one, or the callable raised (chained).
        InputTypeError: not a `str`.
    """
    if source is None:
        source = environ.get(variable)
        if source is None or not source.strip():
            raise ConfigurationError(f"no API key: {_advice(name, variable)}")
    if not callable(source):
        return _checked(source, "a str", name, variable)
    refuse_async(name, source)
    try:
        key = source()
    except Exception as exc:
        raise ConfigurationError(
            f"the {name} callable raised {type(exc).__name__}: no key to connect with"
        ) from exc
    return _checked(key, "a str from the callable", name, variable)


def check_api_key_source(value: Any, *, variable: str = ENV_API_KEY, name: str = "api_key") -> None:
    """Refuse what cannot be a source of a key, without calling or reading anything.

    `variable`, `name`: as in `resolve_api_key`.

    Raises
        ConfigurationError: an unusable `str`.
        InputTypeError: neither `str`, callable nor `None`.
    """
    if callable(value):
        refuse_async(name, value)
    elif value is not None:
        _checked(value, "a str", name, variable)


def check_subprotocol_key(key: str) -> str:
    """Return the key if it can be sent as a WebSocket subprotocol.

    Raises
        ConfigurationError: it contains a character that a subprotocol must not, as old `temp:` keys
            do.
    """
    if all(ch in _TOKEN_CHARS for ch in key) and key:
        return key
    raise ConfigurationError(
        "this API key cannot be sent as a WebSocket subprotocol (old temporary keys, 'temp:...', "
        "contain a colon): use auth='header'"
    )


def problem_with(key: str) -> Optional[KeyProblem]:
    """Return why a key, without surrounding white space, cannot be sent; `None` if it can."""
    if not key:
        return "empty"
    if key[0] in _QUOTES or key[-1] in _QUOTES:
        return "quotes"
    if key[:7].lower() == "bearer ":
        return "bearer"
    if _VARIABLE.fullmatch(key):
        return "unexpanded"
    return None if all("!" <= ch <= "~" for ch in key) else "characters"


def is_temporary(key: str) -> bool:
    """Return whether a key looks like a temporary one. Source: PROTOCOL 1.3."""
    return key.startswith(_TEMPORARY)


def check_auth(auth: Any) -> Auth:
    """Return `auth` if it is a way to send the key.

    Raises
        ConfigurationError: any other value.
        InputTypeError: not a `str`.
    """
    one_of(get_args(Auth))("auth", auth)
    return cast(Auth, str(auth))


def _advice(name: str, variable: str) -> str:
    either = f"set {variable} or " if variable else ""
    return f"{either}pass {name}=...; {_SANDBOX}"


def _checked(key: Any, expected: str, name: str, variable: str) -> str:
    """Return the key without surrounding white space; no error contains the key."""
    refuse_awaitable(name, expected, key)
    if not isinstance(key, str):
        raise wrong_type(name, expected, key, _advice(name, variable))
    bare = str(key).strip()
    if not bare:
        raise refused(name, "a key", "an empty str", _advice(name, variable))
    problem = problem_with(bare)
    if problem == "quotes":
        where = f"{variable} or {name}=" if variable else f"{name}="
        raise refused(
            name,
            "the bare key",
            "one in quotes",
            f"remove the quotes in {where}; some tools keep those of an env file",
        )
    if problem == "bearer":
        raise refused(name, "the bare key", "one after the word 'Bearer'", "leave that word out")
    if problem == "unexpanded":
        advice = "set the key itself: single quotes and many tools for env files expand nothing"
        raise refused(name, "the key", "the name of a variable, not expanded", advice)
    if problem == "characters":
        raise refused(
            name,
            "a key of ASCII characters",
            "one with a blank, a control character or a character outside ASCII",
            "copy it again from the console",
        )
    return bare
