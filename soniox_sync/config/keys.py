"""API keys: where they come from, and what is refused before one is sent anywhere.

No message here ever holds a key, nor the text of an exception raised by a caller's key function.
Source: PROTOCOL 1.3, 1.5.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

from ..errors import ConfigurationError, InputTypeError
from .constants import AUTH_MODES, ENV_API_KEY

ApiKey = Union[str, Callable[[], str]]

_SANDBOX = (
    "to try things out without a key use the sandbox: `soniox-sync --sandbox ...` or "
    "soniox_sync.sandbox.Sandbox"
)

# What may stand in a subprotocol (RFC 9110 5.6.2); a key of the old kind holds a colon
_TOKEN_CHARS = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)


def resolve_api_key(
    cfg: Any = None,
    *,
    environ: Optional[Mapping[str, str]] = None,
    variable: str = ENV_API_KEY,
    name: str = "api_key",
) -> str:
    """Get the key itself, without surrounding blanks and newlines.

    `cfg` is a `str`, a callable returning one (called once per call of this function), a
    connection config (its `api_key` is taken), or `None` for `variable` in `environ` (default: the
    process's; `""` for a key that has no variable). `name` is what an error calls the key. Blocks
    for as long as the callable does.

    Raises
        ConfigurationError: no key, an empty one, one with blanks or control characters inside,
            or the callable raised (chained). InputTypeError: not a `str`.
    """
    source = _source_of(cfg)
    if source is None:
        source = (os.environ if environ is None else environ).get(variable)
        if source is None or not source.strip():
            raise ConfigurationError(f"no API key: {_where(name, variable)}")
    elif callable(source):
        returned = _called(source, name)
        return _checked(returned, f"what the {name} callable returned is", name, variable)
    return _checked(source, f"{name} is", name, variable)


def check_api_key_source(value: Any, *, variable: str = ENV_API_KEY, name: str = "api_key") -> None:
    """Refuse what can never become a key, without calling or reading anything.

    `variable`, `name`: as in `resolve_api_key`.

    Raises
        ConfigurationError: an unusable `str`. InputTypeError: neither `str`, callable nor `None`.
    """
    if value is not None and not callable(value):
        _checked(value, f"{name} is", name, variable)


def check_subprotocol_key(key: str) -> str:
    """Give the key back if it may travel as a WebSocket subprotocol.

    Raises
        ConfigurationError: it holds a character a subprotocol may not, as old `temp:` keys do.
    """
    if all(ch in _TOKEN_CHARS for ch in key) and key:
        return key
    raise ConfigurationError(
        "this API key cannot travel as a WebSocket subprotocol (temporary keys of the old kind, "
        "'temp:...', hold a colon): use auth='header'"
    )


def check_auth(auth: Any) -> str:
    """Give back the way of authenticating: `"header"`, `"subprotocol"` or `"message"`.

    Raises
        ConfigurationError: anything else.
    """
    if isinstance(auth, str) and auth in AUTH_MODES:
        return auth
    raise ConfigurationError(f"auth must be one of {', '.join(map(repr, AUTH_MODES))}")


def _source_of(cfg: Any) -> Any:
    from .connection import ConnectionConfig, ResolvedConnectionConfig  # they name this module

    if isinstance(cfg, (ConnectionConfig, ResolvedConnectionConfig)):
        return cfg.api_key
    return cfg


def _where(name: str, variable: str) -> str:
    place = f"set {variable} or " if variable else ""
    return f"{place}pass {name}=...; {_SANDBOX}"


def _called(source: Callable[[], Any], name: str) -> Any:
    try:
        return source()
    except Exception as exc:
        raise ConfigurationError(
            f"the {name} callable raised {type(exc).__name__}: no key to connect with"
        ) from exc


def _checked(key: Any, who: str, name: str, variable: str) -> str:
    if not isinstance(key, str):
        _discard(key)
        raise InputTypeError(f"{who} {_kind(key)}, not a str: {_where(name, variable)}")
    bare = str(key).strip()
    if not bare:
        raise ConfigurationError(f"{who} an empty string: {_where(name, variable)}")
    if bare[:7].lower() == "bearer ":
        raise ConfigurationError(f"{name} is the bare key: leave out the word 'Bearer'")
    if not all("!" <= ch <= "~" for ch in bare):
        raise ConfigurationError(
            f"{name} holds a blank, a control character or a character outside ASCII: "
            "copy it again from the console"
        )
    return bare


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _discard(value: Any) -> None:
    # an async function hands out a coroutine: closed here, it does not warn from elsewhere later
    close = getattr(value, "close", None)
    if hasattr(value, "__await__") and callable(close):
        close()
