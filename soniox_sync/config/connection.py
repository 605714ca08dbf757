"""Where to connect and with which key: `ConnectionConfig` and its resolved form.

Precedence, explicit arguments first and the environment after them, each in the order
URL > `base_domain` > `region`; the US region last. So `region="eu"` in the code beats
`SONIOX_WS_URL` in the environment. Source: PROTOCOL 1.1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Optional, Union

from ..errors import ConfigurationError, InputTypeError
from ._urls import URL_KINDS, check_base_domain, check_url, derived_url, domain_of_region, safe_url
from ._values import Value, coerce, names_only
from .constants import (
    DEFAULT_REGION,
    ENV_API_KEY,
    ENV_API_URL,
    ENV_BASE_DOMAIN,
    ENV_REGION,
    ENV_STT_WS_URL,
    ENV_TTS_API_URL,
    ENV_TTS_WS_URL,
)
from .keys import ApiKey, check_api_key_source
from .stt import SttConfig, merge_stt_config
from .tts import TtsStreamInput, merge_tts_input

USAGES = ("transcribe_websocket", "tts_rt")

_ENV_OF_URL = {
    "api_url": ENV_API_URL,
    "stt_ws_url": ENV_STT_WS_URL,
    "tts_api_url": ENV_TTS_API_URL,
    "tts_ws_url": ENV_TTS_WS_URL,
}


class Region(str, Enum):
    """Names the known regions; a plain string does as well, known or not."""

    US = "us"
    EU = "eu"
    JP = "jp"
    IN = "in"


class _Connection(Value):
    """Shows URLs without credentials, unchecked mappings without values, and no key."""

    def _shown(self, name: str, value: object) -> str:
        if name in URL_KINDS:
            return repr(safe_url(value))
        if name == "base_domain":
            return repr(str(value).rpartition("@")[2])
        return names_only(value)


@dataclass(frozen=True, eq=False, repr=False)
class ConnectionConfig(_Connection):
    """Says where to connect and with which key. Every field is optional; `None` = not said.

    `api_key`: `str`, or a callable asked once per session; else `SONIOX_API_KEY`. `region`:
    `"us"`, `"eu"`, `"jp"`, `"in"` or another the service has. `base_domain`: all four hosts are
    `{service}.{base_domain}`. `api_url`, `stt_ws_url`, `tts_api_url`, `tts_ws_url`: each service's
    own URL, without path the service's usual one is added. `stt_defaults`, `tts_defaults`: lie
    under what each session or stream is given (`SttConfig`, `TtsStreamInput` or mappings).
    Immutable; nothing is checked before `resolve_connection_config`.
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


@dataclass(frozen=True, eq=False, repr=False)
class ResolvedConnectionConfig(_Connection):
    """Says the same with nothing left open, except that a key callable was not called yet.

    `api_url` ends in `/v1`, `tts_api_url` is the host to which `/tts` is added, both without
    trailing slash; the WebSocket URLs are complete. `api_key` is the key, the callable, or `None`
    when there is none so far: `resolve_api_key` says so in words.
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
    """Tells a config callable what the connection is for.

    `usage` is `"transcribe_websocket"` or `"tts_rt"`: the word a temporary key's `usage_type`
    needs (PROTOCOL 1.5).
    """

    usage: str

    def __post_init__(self) -> None:
        if self.usage not in USAGES:
            raise ConfigurationError(f"usage must be one of {', '.join(map(repr, USAGES))}")


ConfigSource = Union[
    ConnectionConfig, Mapping[str, Any], Callable[[ConfigContext], ConnectionConfig], None
]


def obtain_connection_config(config: ConfigSource, context: ConfigContext) -> ConnectionConfig:
    """Get the config for one connection, asking the callable if it is one.

    Raises
        ConfigurationError: the callable raised (chained), or an unknown field.
        InputTypeError: neither a config nor a mapping came out.
    """
    if callable(config):
        try:
            config = config(context)
        except Exception as exc:
            raise ConfigurationError(f"the config callable raised {type(exc).__name__}") from exc
        if config is None:
            raise InputTypeError("the config callable returned None, not a ConnectionConfig")
    return coerce(ConnectionConfig, config, "config")


def resolve_connection_config(
    config: Union[ConnectionConfig, Mapping[str, Any], None] = None,
    *,
    environ: Optional[Mapping[str, str]] = None,
) -> ResolvedConnectionConfig:
    """Derive every URL and check it; read the environment where the config is silent.

    `environ` defaults to the process's. Blank variables count as unset. Does no I/O and does not
    call a key callable. Thread-safe.

    Raises
        ConfigurationError: an unknown field, a refused URL, region, domain or key.
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


def _url(name: str, given: ConnectionConfig, env: Mapping[str, str]) -> str:
    """Take the first of the six places that says anything."""
    explicit = getattr(given, name)
    if explicit is not None:
        return check_url(name, explicit)
    domain = _domain(given.base_domain, given.region, "base_domain", "region")
    if domain is not None:
        return derived_url(name, domain)
    from_env = _env(env, _ENV_OF_URL[name])
    if from_env is not None:
        return check_url(name, from_env, _ENV_OF_URL[name])
    domain = _domain(_env(env, ENV_BASE_DOMAIN), _env(env, ENV_REGION), ENV_BASE_DOMAIN, ENV_REGION)
    return derived_url(name, domain or domain_of_region(DEFAULT_REGION))


def _domain(
    base_domain: Optional[str], region: Optional[str], domain_name: str, region_name: str
) -> Optional[str]:
    if base_domain is not None:
        return check_base_domain(base_domain, domain_name)
    return None if region is None else domain_of_region(region, region_name)


def _env(env: Mapping[str, str], name: str) -> Optional[str]:
    value = env.get(name)
    return value if value is not None and value.strip() else None
