"""`SonioxClient`: where everything starts. It holds settings; sockets belong to what it makes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ._version import __version__
from .config import (
    KEY_SUBPROTOCOL,
    ApiKey,
    ConfigContext,
    ConfigSource,
    ConnectionConfig,
    ResolvedConnectionConfig,
    SttConfig,
    SttSessionOptions,
    TtsStreamInput,
    check_auth,
    check_subprotocol_key,
    obtain_connection_config,
    resolve_api_key,
    resolve_connection_config,
    safe_url,
)
from .errors import ConfigurationError, InputTypeError
from .realtime import Realtime
from .rest.namespaces import Namespaces
from .tls import TlsSettings, Verify

if TYPE_CHECKING:
    import ssl

    import requests

    from .cancel import CancelToken
    from .protocol.dialects import TtsDialect
    from .recording_setup import RecordingOptions
    from .rest.http import HttpSettings
    from .sources import PermissionResolver
    from .stt import SessionObserver, SttSession
    from .transport.connect import Target

USER_AGENT = "soniox-sync/{} python/{}.{}.{}".format(__version__, *sys.version_info[:3])

_FLAT = (
    "region",
    "base_domain",
    "api_url",
    "stt_ws_url",
    "tts_api_url",
    "tts_ws_url",
    "stt_defaults",
    "tts_defaults",
)


class SonioxClient(Namespaces):
    """Holds key, region and defaults, and makes sessions and streams. Cheap; share one.

    Opens and starts nothing by itself. Thread-safe: everything it makes has its own connection.

    `api_key`: `str`, or a callable asked once per connection (for temporary keys); default is the
    environment's `SONIOX_API_KEY`, read now. `config`: a `ConnectionConfig`, a mapping, or a
    callable asked once per connection; what it leaves out is taken from the other arguments.
    `region` (`"us"`, `"eu"`, `"jp"`, `"in"`), `base_domain` and the URLs say where to; an explicit
    URL beats `base_domain` beats `region` beats the environment beats US. `stt_defaults`,
    `tts_defaults`, `default_session_options` lie under what each call is given.
    `buffer_queue_size`: chunks a recording keeps before its connection stands. `permissions`: a
    `PermissionResolver` that is asked before a recording opens the microphone (`None`: nobody is).
    `auth`: where the key travels, in exactly one place: `"header"`, `"subprotocol"`, or `"message"`
    (for old gateways; the service drops it on 2027-01-15). `timeout_sec`: the longest that one
    HTTP call or one blocked send may take. `max_retries`: of HTTP calls that are safe to repeat.
    `proxy`: URL (`http://`, `socks5://`), `None` for the environment's, `""` for none. `verify`:
    True, a CA file, or False (tests only); `ssl_context` overrides it; both hold for WebSockets
    and HTTP. `http_session`: a `requests.Session` to use.

    Raises `ConfigurationError` for anything that can be seen to be wrong now.
    Source: Soniox docs get-started/authentication, PROTOCOL 1, 9.
    """

    def __init__(
        self,
        api_key: Optional[ApiKey] = None,
        *,
        config: ConfigSource = None,
        region: Optional[str] = None,
        base_domain: Optional[str] = None,
        api_url: Optional[str] = None,
        stt_ws_url: Optional[str] = None,
        tts_api_url: Optional[str] = None,
        tts_ws_url: Optional[str] = None,
        stt_defaults: Union[SttConfig, Mapping[str, Any], None] = None,
        tts_defaults: Union[TtsStreamInput, Mapping[str, Any], None] = None,
        default_session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        buffer_queue_size: int = 1000,
        permissions: Optional[PermissionResolver] = None,
        auth: str = "header",
        timeout_sec: float = 30.0,
        max_retries: int = 2,
        proxy: Optional[str] = None,
        verify: Verify = True,
        ssl_context: Optional[ssl.SSLContext] = None,
        http_session: Optional[requests.Session] = None,
    ) -> None:
        self._flat = ConnectionConfig(
            api_key=api_key,
            region=region,
            base_domain=base_domain,
            api_url=api_url,
            stt_ws_url=stt_ws_url,
            tts_api_url=tts_api_url,
            tts_ws_url=tts_ws_url,
            stt_defaults=stt_defaults,
            tts_defaults=tts_defaults,
        )
        self._config = config
        self._environ = {k: v for k, v in os.environ.items() if k.startswith("SONIOX_")}
        self._auth = check_auth(auth)
        self._session_options = SttSessionOptions.coerce(default_session_options)
        self._timeout = _positive("timeout_sec", timeout_sec)
        self._max_retries = _count("max_retries", max_retries)
        self._buffer_queue_size = _count("buffer_queue_size", buffer_queue_size)
        self._permissions = permissions
        if proxy is not None and not isinstance(proxy, str):
            raise InputTypeError(f"proxy: expected a URL or None, not {type(proxy).__name__}")
        self._proxy = proxy
        self._tls = TlsSettings(verify, ssl_context)
        self._http_session = http_session
        if not callable(config):  # a wrong region or URL is told now, not in the first session
            resolve_connection_config(self._filled(config), environ=self._environ)
        self._realtime = Realtime(self)

    @property
    def realtime(self) -> Realtime:
        """Give the real-time services."""
        return self._realtime

    def close(self) -> None:
        """Release what the client itself holds, its HTTP connections; what it made lives on.

        HTTP calls under way end with `AbortError`, later ones raise `StateError`. Idempotent,
        legal from any thread.
        """
        self._http_layer.close()

    def __enter__(self) -> SonioxClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "config callable" if callable(self._config) else self._resolved_static().stt_ws_url
        return f"<SonioxClient {safe_url(where)}>"

    def _http_settings(self) -> HttpSettings:
        from .rest.http import HttpSettings

        return HttpSettings(
            self._resolve,
            self._tls,
            USER_AGENT,
            timeout_sec=self._timeout,
            max_retries=self._max_retries,
            proxy=self._proxy,
            session=self._http_session,
        )

    # -- one connection's settings ---------------------------------------------------------------

    def _resolved_static(self) -> ResolvedConnectionConfig:
        assert not callable(self._config)
        return resolve_connection_config(self._filled(self._config), environ=self._environ)

    def _filled(self, config: Union[ConnectionConfig, Mapping[str, Any], None]) -> ConnectionConfig:
        """Fill what `config` leaves out with the client's own arguments."""
        if config is None:
            return self._flat
        given = obtain_connection_config(config, ConfigContext("tts_rt"))
        fields = {name: getattr(given, name) for name in (*_FLAT, "api_key")}
        for name, value in fields.items():
            if value is None:
                fields[name] = getattr(self._flat, name)
        return ConnectionConfig(**fields)

    def _addresses(self, usage: str) -> ResolvedConnectionConfig:
        """Ask the config callable, if it is one, and give addresses and defaults."""
        config = self._config
        if callable(config):
            config = obtain_connection_config(config, ConfigContext(usage))
        return resolve_connection_config(self._filled(config), environ=self._environ)

    def _resolve(self, usage: str) -> tuple[ResolvedConnectionConfig, str]:
        """Ask the callables, once, and give addresses, defaults and key for one connection."""
        resolved = self._addresses(usage)
        return resolved, self._key_for(resolved)

    def _key_for(self, resolved: ResolvedConnectionConfig) -> str:
        return resolve_api_key(resolved, environ=self._environ)

    @property
    def _makes_new_keys(self) -> bool:
        return callable(self._config) or callable(self._flat.api_key)

    def _session(
        self,
        config: SttConfig,
        options: SttSessionOptions,
        cancel: Optional[CancelToken],
        observer: Optional[SessionObserver] = None,
        resolution: Optional[tuple[ResolvedConnectionConfig, str]] = None,
    ) -> SttSession:
        """Make a transcription session, not yet connected."""
        from .stt import SttSession

        resolved, key = resolution or self._resolve("transcribe_websocket")
        return SttSession(
            self._target(resolved.stt_ws_url, key),
            config,
            options,
            message_key=self._message_key(key),
            cancel=cancel,
            observer=observer,
            send_timeout_sec=self._timeout,
        )

    def _target(self, url: str, key: str) -> Target:
        from .transport.connect import Target

        headers = [f"User-Agent: {USER_AGENT}"]
        subprotocols: tuple[str, ...] = ()
        if self._auth == "header":
            headers.append(f"Authorization: Bearer {key}")
        elif self._auth == "subprotocol":
            subprotocols = (KEY_SUBPROTOCOL, check_subprotocol_key(key))
        return Target(
            url,
            headers=tuple(headers),
            subprotocols=subprotocols,
            proxy=self._proxy,
            ssl_context=self._tls.context,
            secrets=(key,),
        )

    def _message_key(self, key: str) -> Optional[str]:
        return key if self._auth == "message" else None

    @property
    def _tts_dialect(self) -> TtsDialect:
        from .protocol.dialects import NATIVE_TTS

        return NATIVE_TTS

    def _recording_options(self, options: RecordingOptions, config: SttConfig) -> RecordingOptions:
        return options  # the service itself can do all of them


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise ConfigurationError(f"{name}: expected a positive number of seconds")
    return float(value)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name}: expected an int of 0 or more")
    return value
