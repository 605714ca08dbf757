"""How a service is reached: addresses, keys, dialects.

A client has a `Service`, from which the real-time side gets what one connection needs. There are
two: `NativeService` here, and the gateway's in `slng`. Creating one imports neither sockets nor
TLS.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, Protocol, TypeVar, Union

from ._support.checks import (
    boolean,
    encoded,
    integer,
    object_with,
    positive_seconds,
    refuse_async,
    wrong_type,
)
from ._support.types import TraceTo
from ._version import __version__
from .config import (
    ApiKey,
    ConfigContext,
    ConfigSource,
    ConnectionConfig,
    ResolvedConnectionConfig,
    SttConfig,
    SttSessionOptions,
    TtsStreamConfig,
    TtsStreamInput,
    check_subprotocol_key,
    merge_tts_input,
    obtain_connection_config,
    resolve_api_key,
    resolve_connection_config,
    resolve_tts_config,
    safe_url,
)
from .config._values import chosen
from .config.constants import Usage
from .errors import ConfigurationError, SonioxError

if TYPE_CHECKING:
    from .protocol.dialects import SttDialect, TtsDialect
    from .runtime.tls import TlsSettings
    from .runtime.trace.trace import Trace
    from .sources import PermissionResolver
    from .transport.connect import Target

USER_AGENT = "soniox-sync/{} python/{}.{}.{}".format(__version__, *sys.version_info[:3])

ENV_TRACE = "SONIOX_SYNC_TRACE"  # a path, unless `trace=` says otherwise
# variables whose values no trace contains
_SECRETS = ("SONIOX_API_KEY", "SONIOX_API_WEBHOOK_SECRET", "SLNG_API_KEY")

Defaults = Optional[Union[TtsStreamInput, Mapping[str, Any]]]
T = TypeVar("T")


_check_permissions = object_with(
    "a PermissionResolver, with check() and request()", "check", "request"
)


@dataclass(frozen=True)
class Access:
    """Addresses, defaults and key, as resolved for one connection."""

    config: ResolvedConnectionConfig
    key: str = field(repr=False)


@dataclass(frozen=True)
class SttPlan:
    """Everything that one transcription session needs to connect.

    `message_key` is the key to send in messages (`auth="message"`), `None` otherwise.
    """

    target: Target
    config: SttConfig
    dialect: SttDialect
    message_key: Optional[str] = field(default=None, repr=False)
    send_timeout_sec: float = 30.0
    trace: Optional[Trace] = None


@dataclass(frozen=True)
class TtsPlan:
    """Everything that one speech connection needs; `message_key` as in `SttPlan`.

    `check` refuses the config of a stream that the address cannot serve.
    """

    target: Target
    message_key: Optional[str] = field(default=None, repr=False)
    defaults: Defaults = None
    check: Callable[[TtsStreamConfig], object] = bool
    trace: Optional[Trace] = None

    def resolve(
        self,
        input: Union[TtsStreamInput, Mapping[str, Any], None],
        fields: Mapping[str, Any],
        *,
        under: Defaults = None,
    ) -> TtsStreamConfig:
        """Return the complete config of one stream; the client's defaults override `under`.

        Raises
            ConfigurationError: fields are missing or invalid, or the address cannot serve them.
            InputTypeError: a value of the wrong type.
        """
        config = resolve_tts_config(merge_tts_input(under, self.defaults), input, **fields)
        self.check(config)
        return config


class FirstMade(Generic[T]):
    """Factory that makes its first object at once, so that errors are raised early.

    Later calls make new objects. Thread-safe.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self.first = make()
        self._unused = [self.first]

    def __call__(self) -> T:
        """Return the first object, then a new one each time."""
        try:
            return self._unused.pop()
        except IndexError:
            return self._make()


@dataclass(frozen=True)
class Settings:
    """Options of a client for all its connections, checked.

    `timeout_sec`: seconds that one blocked send, or one HTTP call, may take. `trace`: `None`, or
    what records connections and HTTP calls.
    """

    session_options: SttSessionOptions
    buffer_queue_size: int
    timeout_sec: float
    permissions: Optional[PermissionResolver]
    proxy: Optional[str] = field(repr=False)
    tls: TlsSettings
    trace: Optional[Trace] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        integer(1)("buffer_queue_size", self.buffer_queue_size)
        positive_seconds("timeout_sec", self.timeout_sec)
        if self.proxy is not None and not isinstance(self.proxy, str):
            raise wrong_type("proxy", "a URL or None", self.proxy)
        encoded("proxy", self.proxy or "")
        if self.permissions is not None:
            _check_permissions("permissions", self.permissions)

    def session_options_over(
        self, given: Union[SttSessionOptions, Mapping[str, Any], None], name: str
    ) -> SttSessionOptions:
        """Return the options of a session, or the client's if it has none; `name` is for errors."""
        return self.session_options if given is None else SttSessionOptions.coerce(given, name)


def make_trace(
    destination: TraceTo, audio: bool, api_key: Optional[ApiKey], proxy: Optional[str]
) -> Optional[Trace]:
    """Return what records the connections and calls of a client, `None` for nothing.

    The environment names the file unless `destination` does, and holds secrets.

    Raises
        ConfigurationError: a wrong path, or audio for no trace.
        InputTypeError: a value of the wrong type.
    """
    boolean("trace_audio", audio)
    if destination is None:
        destination = os.environ.get(ENV_TRACE)
    if audio and destination is None:
        raise ConfigurationError(
            f'trace_audio needs trace=: pass a path, set {ENV_TRACE}, or trace="" for no trace'
        )
    if destination is None or destination == "":
        return None
    from .runtime.trace.trace import Trace  # most clients record nothing

    secrets = [os.environ[name].strip() for name in _SECRETS if name in os.environ]
    if isinstance(api_key, str):
        secrets.append(api_key.strip())
    header = os.environ.get("SONIOX_API_WEBHOOK_HEADER")
    return Trace(destination, audio, secrets=secrets, proxy=proxy, webhook_header=header)


def access_for(
    service: Service, addresses: ResolvedConnectionConfig, options: SttSessionOptions
) -> Access:
    """Add the key of one session to its addresses: from its options, else from the service."""
    if options.api_key is None:
        return service.access(addresses)
    return Access(addresses, resolve_api_key(options.api_key, environ={}, variable=""))


class Service(Protocol):
    """Remote side as configured. Thread-safe; opens nothing."""

    settings: Settings

    @property
    def tts_dialect(self) -> TtsDialect:
        """Dialect for speech."""

    @property
    def can_renew_key(self) -> bool:
        """Whether another connection may have another key."""

    def describe(self, url: str) -> str:
        """Return one URL by the name of its field, for a repr: without secrets or callables."""

    def addresses(self, usage: Usage) -> ResolvedConnectionConfig:
        """Return addresses and defaults; the config callable is called once, the key's is not."""

    def access(self, addresses: ResolvedConnectionConfig) -> Access:
        """Add the key for a connection to `addresses`; the key callable is called once."""

    def why_not_resumable(self, config: SttConfig) -> Optional[str]:
        """Return why audio cannot be sent again after a loss, `None` if it can.

        Raises
            ConfigurationError: the service does not support this transcription at all.
        """

    def stt_plan(self, access: Access, config: SttConfig) -> SttPlan:
        """Return what a session with `config` needs to connect."""

    def tts_plan(self) -> TtsPlan:
        """Resolve addresses and key, and return what a speech connection needs."""


class NativeService:
    """The service itself, as configured by a `SonioxClient`. Immutable."""

    def __init__(
        self,
        flat: ConnectionConfig,
        config: ConfigSource,
        environ: Mapping[str, str],
        auth: str,
        settings: Settings,
    ) -> None:
        self._flat = flat  # the client's own arguments, which `config` overrides
        self._config = config
        self._environ = environ
        self._auth = auth
        self.settings = settings
        if callable(config):
            refuse_async("config", config)
        else:  # a wrong region or URL is an error now, not in the first session
            self.addresses("tts_rt")

    @property
    def tts_dialect(self) -> TtsDialect:
        """Dialect for speech."""
        from .protocol.dialects import NATIVE_TTS

        return NATIVE_TTS

    @property
    def can_renew_key(self) -> bool:
        """Whether another connection may have another key."""
        return callable(self._config) or callable(self._flat.api_key)

    def describe(self, url: str) -> str:
        """Return one URL by the name of its field, for a repr: without secrets or callables."""
        if callable(self._config):
            return "config callable"
        try:
            return safe_url(getattr(self.addresses("tts_rt"), url))
        except SonioxError:  # the mapping that was passed to the client has been changed
            return "unusable config"

    def addresses(self, usage: Usage) -> ResolvedConnectionConfig:
        """Return addresses and defaults; the config callable is called once."""
        config = self._flat
        if self._config is not None:
            given = obtain_connection_config(self._config, ConfigContext(usage))
            config = config.replace(**chosen(given))
        return resolve_connection_config(config, environ=self._environ)

    def access(self, addresses: ResolvedConnectionConfig) -> Access:
        """Add the key; its callable is called once."""
        return Access(addresses, resolve_api_key(addresses, environ=self._environ))

    def resolve(self, usage: Usage) -> Access:
        """Resolve addresses, defaults and key for one connection or batch of requests."""
        return self.access(self.addresses(usage))

    def why_not_resumable(self, config: SttConfig) -> Optional[str]:
        """Return `None`: the service reports up to where audio is final."""
        return None

    def stt_plan(self, access: Access, config: SttConfig) -> SttPlan:
        """Return what a session needs to connect."""
        from .protocol.dialects import NATIVE_STT

        return SttPlan(
            self._target(access.config.stt_ws_url, access.key),
            config,
            NATIVE_STT,
            message_key=self._message_key(access.key),
            send_timeout_sec=self.settings.timeout_sec,
            trace=self.settings.trace,
        )

    def tts_plan(self) -> TtsPlan:
        """Resolve addresses and key, and return what a speech connection needs."""
        access = self.resolve("tts_rt")
        return TtsPlan(
            self._target(access.config.tts_ws_url, access.key),
            self._message_key(access.key),
            access.config.tts_defaults,
            trace=self.settings.trace,
        )

    def _message_key(self, key: str) -> Optional[str]:
        return key if self._auth == "message" else None

    def _target(self, url: str, key: str) -> Target:
        from .transport.connect import Target

        headers = [f"User-Agent: {USER_AGENT}"]
        subprotocols: tuple[str, ...] = ()
        if self._auth == "header":
            headers.append(f"Authorization: Bearer {key}")
        elif self._auth == "subprotocol":
            subprotocols = ("soniox-api-key", check_subprotocol_key(key))
        return Target(
            url,
            headers=tuple(headers),
            subprotocols=subprotocols,
            proxy=self.settings.proxy,
            ssl_context=self.settings.tls.context,
            secrets=(key,),
        )
