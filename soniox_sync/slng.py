"""`SlngClient`: the same speech and transcription through the SLNG gateway.

The classes are those of `SonioxClient`; the gateway's routes, headers and dialects are here.
Source: PROTOCOL 8.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Optional, Union
from urllib.parse import quote

from .client import USER_AGENT
from .config import (
    ApiKey,
    ResolvedConnectionConfig,
    SttConfig,
    SttSessionOptions,
    TtsStreamInput,
    merge_stt_config,
    merge_tts_input,
    resolve_api_key,
    safe_url,
)
from .config._urls import check_gateway_url
from .config._values import Unchosen, integer, positive_seconds
from .config.keys import check_api_key_source
from .errors import ConfigurationError, InputTypeError
from .protocol.dialects import SttDialect, TtsDialect
from .protocol.slng import (
    SLNG_STT_BRIDGE,
    SLNG_STT_PASSED,
    SLNG_STT_RT_V3,
    SLNG_STT_RT_V4,
    SLNG_TTS,
    model_of_speech,
)
from .realtime import Realtime
from .tls import TlsSettings, Verify

if TYPE_CHECKING:
    import ssl

    from .cancel import CancelToken
    from .recording_setup import RecordingOptions
    from .sources import PermissionResolver
    from .stt import SessionObserver, SttSession
    from .transport.connect import Target

__all__ = ["SlngClient"]

ENV_SLNG_API_KEY = "SLNG_API_KEY"
DEFAULT_STT_MODEL = "rt-v4"
DEFAULT_TTS_MODEL = "tts-rt-v1"

_STT_ROUTE = "/v1/stt/soniox/speech-ai:"
_TTS_ROUTE = "/v1/tts/soniox/"
_BRIDGE_ROUTE = "/v1/bridges/unmute/stt/"
_BRIDGE_MODEL = "unmute/"
_DIALECTS = {"rt-v3": SLNG_STT_RT_V3, "rt-v4": SLNG_STT_RT_V4}
_PROVIDER_KEY = "provider_key"

Places = Union[str, Sequence[str]]


class SlngClient:
    """Makes the sessions and streams of `SonioxClient`, reached through the SLNG gateway.

    `client.realtime` has `stt`, `record`, `transcribe`, `tts` (with `multi_stream` and `pool`) and
    `speak`; nothing else goes through the gateway. Cheap and thread-safe; opens nothing by itself.

    `api_key`: the gateway's key, `str` or a callable asked once per connection; default is the
    environment's `SLNG_API_KEY`, read now. `world_part`: the zone to be served in, such as `"eu"`,
    `"na"`, `"ap"` (header `X-World-Part-Override`). `region`: a datacenter such as `"eu-north-1"`,
    or several by preference; it beats `world_part` (`X-Region-Override`). `provider_key`: your own
    key of the service behind, `str` or callable (`X-Slng-Provider-Key`). `stt_ws_url`,
    `tts_ws_url`: whole URLs for routes that this release cannot derive. Everything else is as in
    `SonioxClient`.

    The transcription's `model` chooses the route, named as the gateway does or the service
    (`"stt-rt-v4"`). `"rt-v4"` (the default) and newer ones pass the service's protocol through.
    `"rt-v3"` and `"unmute/NAME"` (the bridge) speak the gateway's own: a final piece comes as one
    token without times unless the gateway tells them, `finalize()` is not answered by a
    `"finalized"` event, and recordings cannot reconnect. The model of `tts_defaults`
    (`"tts-rt-v1"` by default) chooses the route of all speech. Keepalives are not sent on it: none
    are documented.

    Raises `ConfigurationError` for anything that can be seen to be wrong now. Source: PROTOCOL 8.
    """

    def __init__(
        self,
        api_key: Optional[ApiKey] = None,
        *,
        world_part: Optional[Places] = None,
        region: Optional[Places] = None,
        provider_key: Optional[ApiKey] = None,
        base_url: str = "wss://api.slng.ai",
        stt_ws_url: Optional[str] = None,
        tts_ws_url: Optional[str] = None,
        stt_defaults: Union[SttConfig, Mapping[str, Any], None] = None,
        tts_defaults: Union[TtsStreamInput, Mapping[str, Any], None] = None,
        default_session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        buffer_queue_size: int = 1000,
        permissions: Optional[PermissionResolver] = None,
        timeout_sec: float = 30.0,
        proxy: Optional[str] = None,
        verify: Verify = True,
        ssl_context: Optional[ssl.SSLContext] = None,
    ) -> None:
        check_api_key_source(api_key, variable=ENV_SLNG_API_KEY)
        check_api_key_source(provider_key, variable="", name=_PROVIDER_KEY)
        self._api_key = api_key
        self._environ = {k: v for k, v in os.environ.items() if k == ENV_SLNG_API_KEY}
        self._provider_key = provider_key
        self._base = check_gateway_url("base_url", base_url)
        self._stt_ws_url = _own_url("stt_ws_url", stt_ws_url)
        self._tts_ws_url = _own_url("tts_ws_url", tts_ws_url)
        self._places = (
            ("X-World-Part-Override", _places("world_part", world_part)),
            ("X-Region-Override", _places("region", region)),
        )
        self._stt_defaults = merge_stt_config(stt_defaults)
        self._tts_defaults = merge_tts_input({"model": DEFAULT_TTS_MODEL}, tts_defaults)
        self._session_options = SttSessionOptions.coerce(default_session_options)
        integer(0)("buffer_queue_size", buffer_queue_size)
        self._buffer_queue_size = buffer_queue_size
        self._permissions = permissions
        positive_seconds("timeout_sec", timeout_sec)
        self._timeout = timeout_sec
        if proxy is not None and not isinstance(proxy, str):
            raise InputTypeError(f"proxy: expected a URL or None, not {type(proxy).__name__}")
        self._proxy = proxy
        self._tls = TlsSettings(verify, ssl_context)
        self._realtime = Realtime(self)

    @property
    def realtime(self) -> Realtime:
        """Give the real-time services."""
        return self._realtime

    def close(self) -> None:
        """Release what the client itself holds; what it made lives on. Idempotent."""

    def __enter__(self) -> SlngClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        places = "".join(f" {name}={value}" for name, value in self._places if value is not None)
        return f"<SlngClient {safe_url(self._base)}{places}>"

    # -- one connection's settings (RealtimeHost) --------------------------------------------------

    @property
    def _makes_new_keys(self) -> bool:
        return callable(self._api_key)

    @property
    def _tts_dialect(self) -> TtsDialect:
        return SLNG_TTS

    def _addresses(self, usage: str) -> ResolvedConnectionConfig:
        speech = self._tts_ws_url or f"{self._base}{_TTS_ROUTE}{_speech(self._tts_defaults.model)}"
        return ResolvedConnectionConfig(
            api_url="",  # the gateway has none of the service's HTTP calls
            tts_api_url="",
            stt_ws_url=self._stt_ws_url or self._base,
            tts_ws_url=speech,
            stt_defaults=self._stt_defaults,
            tts_defaults=self._tts_defaults,
        )

    def _resolve(self, usage: str) -> tuple[ResolvedConnectionConfig, str]:
        resolved = self._addresses(usage)
        return resolved, self._key_for(resolved)

    def _key_for(self, resolved: ResolvedConnectionConfig) -> str:
        return resolve_api_key(self._api_key, environ=self._environ, variable=ENV_SLNG_API_KEY)

    def _target(self, url: str, key: str) -> Target:
        from .transport.connect import Target

        headers = [f"User-Agent: {USER_AGENT}", f"Authorization: Bearer {key}"]
        headers += [f"{name}: {value}" for name, value in self._places if value is not None]
        secrets = [key]
        if self._provider_key is not None:
            provider_key = resolve_api_key(self._provider_key, variable="", name=_PROVIDER_KEY)
            headers.append(f"X-Slng-Provider-Key: {provider_key}")
            secrets.append(provider_key)
        return Target(
            url,
            headers=tuple(headers),
            proxy=self._proxy,
            ssl_context=self._tls.context,
            secrets=tuple(secrets),
            advice=_advice,
        )

    def _message_key(self, key: str) -> Optional[str]:
        return None  # the gateway's messages have no place for one

    def _session(
        self,
        config: SttConfig,
        options: SttSessionOptions,
        cancel: Optional[CancelToken],
        observer: Optional[SessionObserver] = None,
        resolution: Optional[tuple[ResolvedConnectionConfig, str]] = None,
    ) -> SttSession:
        """Make a transcription session over the route of its model, not yet connected."""
        from .stt import SttSession

        resolved, key = resolution or self._resolve("transcribe_websocket")
        path, dialect, model = _transcription(config.model)
        config = config.replace(model=model)
        dialect.start(config.to_wire())  # what the route cannot say is told before it is opened
        url = resolved.stt_ws_url if self._stt_ws_url else f"{self._base}{path}"
        return SttSession(
            self._target(url, key),
            config,
            options,
            cancel=cancel,
            observer=observer,
            dialect=dialect,
            send_timeout_sec=self._timeout,
        )

    def _recording_options(self, options: RecordingOptions, config: SttConfig) -> RecordingOptions:
        dialect = _transcription(config.model)[1]
        dialect.start(_as_if_known(config).to_wire())
        if dialect.tells_times:
            return options
        if options.auto_reconnect:
            raise ConfigurationError(
                f"model {str(config.model)!r} does not say up to where audio is final, so nothing "
                "can be sent again after a lost line: pass auto_reconnect=False, or use "
                "model='rt-v4'"
            )
        return replace(options, rotate_after_sec=None)  # that is a reconnect as well


def _as_if_known(config: SttConfig) -> SttConfig:
    """Leave out the question of the format while a source may still answer it."""
    if config.audio_format != "auto":
        return config
    return config.replace(audio_format="pcm_s16le", sample_rate=16_000, num_channels=1)


def tells_times(model: Optional[str]) -> bool:
    """Tell whether the route of a transcription's model says up to where audio is final."""
    return _transcription(model or DEFAULT_STT_MODEL)[1].tells_times


def _transcription(model: str) -> tuple[str, SttDialect, str]:
    """Give path, dialect and the model's name on the wire."""
    name = DEFAULT_STT_MODEL if isinstance(model, Unchosen) else model
    if name.startswith(_BRIDGE_MODEL):
        behind = quote(name[len(_BRIDGE_MODEL) :], safe="/:")
        return f"{_BRIDGE_ROUTE}{behind}", SLNG_STT_BRIDGE, name
    variant = name
    for prefix in ("soniox/", "speech-ai:", "stt-"):  # as the gateway names it, or the service
        variant = variant[len(prefix) :] if variant.startswith(prefix) else variant
    path = f"{_STT_ROUTE}{quote(variant, safe='')}"
    return path, _DIALECTS.get(variant, SLNG_STT_PASSED), f"stt-{variant}"


def _speech(model: str) -> str:
    """Give the route's name of a speech model: `tts-rt-v1` is `tts-rt:v1`."""
    family, _, version = quote(model_of_speech(model), safe="").rpartition("-")
    return f"{family}:{version}" if family else version


def _own_url(name: str, url: Optional[str]) -> Optional[str]:
    return None if url is None else check_gateway_url(name, url)


def _places(name: str, value: Optional[Places]) -> Optional[str]:
    """Check one place, or several by preference, and give the header's value."""
    if value is None:
        return None
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Sequence) or not all(isinstance(each, str) for each in given):
        raise InputTypeError(f"{name}: expected a str or a list of str")
    places = [each.strip() for each in given]
    if not places or not all(each and all("!" <= ch <= "~" for ch in each) for each in places):
        raise ConfigurationError(f"{name}: expected a name such as 'eu' or 'eu-north-1'")
    return ", ".join(places)


def _advice(status: Optional[int]) -> str:
    """Say what to do about an upgrade that the gateway refused with an HTTP status."""
    if status in (401, 403):
        return (
            "set the header 'Authorization: Bearer <key>' to the gateway's own key (api_key= or "
            f"{ENV_SLNG_API_KEY}); your key of the service behind goes into 'X-Slng-Provider-Key' "
            "(provider_key=)"
        )
    if status == 402:
        return "check the balance of your account at the gateway"
    if status is None or status == 429 or status >= 500:
        return "try again later"
    return (
        "if it does not serve this route there, choose another zone with the header "
        "'X-World-Part-Override' (world_part=), or a datacenter with 'X-Region-Override' (region=)"
    )
