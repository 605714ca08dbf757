"""Where to connect and with which key: `ConnectionConfig` and its resolved form.

Explicit arguments take precedence over the environment; within each the order is
URL > `base_domain` > `region`; the default is the US region. So `region="eu"` in the code overrides
`SONIOX_WS_URL` in the environment. Source: PROTOCOL 1.1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Optional, Union

from .._support.checks import encoded, one_of, refuse_async, refuse_awaitable, wrong_type
from ..errors import ConfigurationError
from ._urls import URL_KINDS, check_base_domain, check_url, derived_url, domain_of_region, safe_url
from ._values import Value, coerce, names_only
from .constants import DEFAULT_REGION, ENV_API_KEY, USAGES, Usage
from .keys import ApiKey, check_api_key_source, obtain_key
from .stt import SttConfig, merge_stt_config
from .tts import TtsStreamInput, merge_tts_input

_ENV_OF_URL = {
    "api_url": "SONIOX_API_BASE_URL",
    "stt_ws_url": "SONIOX_WS_URL",
    "tts_api_url": "SONIOX_TTS_API_URL",
    "tts_ws_url": "SONIOX_TTS_WS_URL",
}
_ENV_DOMAIN, _ENV_REGION = "SONIOX_BASE_DOMAIN", "SONIOX_REGION"


class Region(str, Enum):
    """Known regions; a plain string is also accepted."""

    US = "us"
    EU = "eu"
    JP = "jp"
    IN = "in"


class _Connection(Value):
    """Base of both configs: shows URLs without credentials, mappings without values, no key."""

    api_key: Optional[ApiKey]

    def _shown(self, name: str, value: object) -> str:
        if name in URL_KINDS:
            return repr(safe_url(value))
        if name == "base_domain":
            return repr(str(value).rpartition("@")[2])
        return names_only(value)


@dataclass(frozen=True, eq=False, repr=False)
class ConnectionConfig(_Connection):
    """Where to connect, and with which key. Every field is optional; `None`: not set.

    `api_key`: `str`, or a callable that returns one, called once per session; by default
    `SONIOX_API_KEY`. `region`: `"us"`, `"eu"`, `"jp"` or `"in"`; another one only together with a
    URL. `base_domain`: all four hosts are `{service}.{base_domain}`. `api_url`, `stt_ws_url`,
    `tts_api_url`, `tts_ws_url`: the URL of each service; the service's usual path is added to one
    without a path, and one that ends in `/.` is used without it (`http://localhost:8000/.`, a mock
    at the root). `stt_defaults`, `tts_defaults`: defaults of each session and stream
    (`SttConfig`, `TtsStreamInput` or mappings). Immutable; URLs, region and defaults are checked by
    `resolve_connection_config`, because only there it is known which of them are used.

    Raises
        InputTypeError: a field of the wrong type.
    """

    api_key: Optional[ApiKey] = field(default=None, repr=False)
    region: Optional[str] = None
    base_domain: Optional[str] = None
    api_url: Optional[str] = None
    stt_ws_url: Optional[str] = None
    tts_api_url: Optional[str] = None
    tts_ws_url: Optional[str] = None
    stt_defaults: Union[SttConfig, Mapping[str, Any], None] = None
    tts_defaults: Union[TtsStreamInput, Mapping[str, Any], None] = None

    def __post_init__(self) -> None:
        refuse_awaitable("api_key", "a str", self.api_key)
        if callable(self.api_key):
            refuse_async("api_key", self.api_key)
        elif not isinstance(self.api_key, (str, type(None))):
            raise wrong_type("api_key", "a str or a callable that returns one", self.api_key)
        for name in ("region", "base_domain", *URL_KINDS):
            value = getattr(self, name)
            if not isinstance(value, (str, type(None))):
                raise wrong_type(name, "a str", value)
            encoded(name, value or "")
        if not isinstance(self.stt_defaults, (SttConfig, Mapping, type(None))):
            raise wrong_type("stt_defaults", "SttConfig or a mapping", self.stt_defaults)
        if not isinstance(self.tts_defaults, (TtsStreamInput, Mapping, type(None))):
            raise wrong_type("tts_defaults", "TtsStreamInput or a mapping", self.tts_defaults)


@dataclass(frozen=True, eq=False, repr=False)
class ResolvedConnectionConfig(_Connection):
    """Connection config with every URL derived and checked.

    Paths such as `/files` are added to `api_url`, `/tts` to `tts_api_url`, both without a trailing
    slash; the WebSocket URLs are complete. `api_key` is the key, the callable (not called yet), or
    `None`, for which `resolve_api_key` raises an error with advice.
    """

    api_url: str
    stt_ws_url: str
    tts_api_url: str
    tts_ws_url: str
    api_key: Optional[ApiKey] = field(default=None, repr=False)
    stt_defaults: SttConfig = field(default_factory=SttConfig)
    tts_defaults: TtsStreamInput = field(default_factory=TtsStreamInput)


@dataclass(frozen=True, eq=False, repr=False)
class ConfigContext(Value):
    """Purpose of a connection; passed to a config callable.

    `usage` is `"transcribe_websocket"` or `"tts_rt"`: the `usage_type` that a temporary key needs
    (PROTOCOL 1.5).

    Raises
        ConfigurationError: any other `usage`.
        InputTypeError: not a `str`.
    """

    usage: Usage

    def __post_init__(self) -> None:
        one_of(USAGES)("usage", self.usage)


ConfigSource = Union[
    ConnectionConfig, Mapping[str, Any], Callable[[ConfigContext], ConnectionConfig], None
]


def obtain_connection_config(config: ConfigSource, context: ConfigContext) -> ConnectionConfig:
    """Return the config for one connection; a callable is called with `context`.

    Raises
        ConfigurationError: the callable raised (chained), or an unknown field.
        InputTypeError: neither a config nor a mapping, also if returned by the callable.
    """
    if callable(config):
        refuse_async("config", config)
        try:
            config = config(context)
        except Exception as exc:
            raise ConfigurationError(f"the config callable raised {type(exc).__name__}") from exc
        refuse_awaitable("config", "ConnectionConfig from the callable", config)
        if config is None:
            raise wrong_type("config", "ConnectionConfig from the callable", None)
    return coerce(ConnectionConfig, config, "config")


def resolve_connection_config(
    config: Union[ConnectionConfig, Mapping[str, Any], None] = None,
    *,
    environ: Optional[Mapping[str, str]] = None,
) -> ResolvedConnectionConfig:
    """Derive and check every URL; what the config does not set is taken from the environment.

    `environ` defaults to that of the process. Blank variables count as unset. Does no I/O and does
    not call a key callable. Thread-safe.

    Raises
        ConfigurationError: an unknown field, or an invalid URL, region, domain or key.
        InputTypeError: a value of the wrong type.
    """
    given = coerce(ConnectionConfig, config, "config")
    env = os.environ if environ is None else environ
    urls = {name: _url(name, given, env) for name in URL_KINDS}
    api_key = given.api_key if given.api_key is not None else _env(env, ENV_API_KEY)
    check_api_key_source(api_key)
    return ResolvedConnectionConfig(
        api_key=api_key,
        stt_defaults=merge_stt_config(given.stt_defaults),
        tts_defaults=merge_tts_input(given.tts_defaults),
        **urls,
    )


def resolve_api_key(
    cfg: Union[ApiKey, ConnectionConfig, ResolvedConnectionConfig, None] = None,
    *,
    environ: Optional[Mapping[str, str]] = None,
    variable: str = ENV_API_KEY,
    name: str = "api_key",
) -> str:
    """Return the key as a string, without surrounding white space.

    `cfg` is a `str`, a callable that returns one (called once), a connection config (its `api_key`
    is used), or `None` for `variable` in `environ` (default: that of the process; `""` for a key
    that has no variable). `name` is used in errors. Blocks for as long as the callable does.

    Raises
        ConfigurationError: no key, an empty one, one with spaces or control characters, or the
            callable raised (chained).
        InputTypeError: not a `str`.
    """
    source = cfg.api_key if isinstance(cfg, _Connection) else cfg
    return obtain_key(source, os.environ if environ is None else environ, variable, name)


def _url(name: str, given: ConnectionConfig, env: Mapping[str, str]) -> str:
    """Return the URL from the first of the six sources that sets it."""
    explicit = getattr(given, name)
    if explicit is not None:
        return check_url(name, explicit)
    # with an explicit URL the region may be one that we do not know
    any_name = any(getattr(given, each) is not None for each in URL_KINDS)
    if given.base_domain is not None:
        return derived_url(name, check_base_domain(given.base_domain))
    if given.region is not None:
        return derived_url(name, domain_of_region(given.region, any_name=any_name))
    from_env = _env(env, _ENV_OF_URL[name])
    if from_env is not None:
        return check_url(name, from_env, _ENV_OF_URL[name])
    base_domain = _env(env, _ENV_DOMAIN)
    if base_domain is not None:
        return derived_url(name, check_base_domain(base_domain, _ENV_DOMAIN))
    any_name = any_name or any(_env(env, each) is not None for each in _ENV_OF_URL.values())
    region = _env(env, _ENV_REGION) or DEFAULT_REGION
    return derived_url(name, domain_of_region(region, _ENV_REGION, any_name=any_name))


def _env(env: Mapping[str, str], name: str) -> Optional[str]:
    value = env.get(name)
    return value if value is not None and value.strip() else None
