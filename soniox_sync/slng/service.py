"""The SLNG gateway as configured: addresses, headers and dialects of its connections."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from .._support.checks import wrong_value
from ..config import (
    ApiKey,
    ResolvedConnectionConfig,
    SttConfig,
    TtsStreamConfig,
    TtsStreamInput,
    merge_tts_input,
    resolve_api_key,
    safe_url,
)
from ..config._values import Unchosen, chosen
from ..config.constants import Usage
from ..config.keys import check_api_key_source
from ..protocol.dialects import SttDialect
from ..protocol.slng.dialects import SLNG_TTS, model_of_speech
from ..service import USER_AGENT, Access, Settings, SttPlan, TtsPlan
from .headers import GLOBAL_URL, REGIONS, tracking_headers
from .routes import (
    DEFAULT_TTS_MODEL,
    speech_model_in,
    speech_route,
    transcription_model_in,
    transcription_route,
)

if TYPE_CHECKING:
    from ..transport.connect import Target

ENV_SLNG_API_KEY = "SLNG_API_KEY"

_PROVIDER_KEY = "provider_key"
_KEY_ADVICE = (
    "set the header 'Authorization: Bearer <key>' to the gateway's own key (api_key= or "
    f"{ENV_SLNG_API_KEY}); your key for the service behind it belongs in "
    "'X-Slng-Provider-Key' (provider_key=)"
)
# HTTP status of a refused upgrade -> advice; 400 and 503 are for those like them
_ZONE_ADVICE = (
    "a region with a host of its own (region=), or at the global host a zone with the header "
    "'X-World-Part-Override' (world_part=) or a data center with 'X-Region-Override' (region=)"
)
_ADVICE = {
    400: f"if the gateway does not serve this route in your region, choose another: {_ZONE_ADVICE}",
    404: (
        "the path names the model: check model= (for transcription the gateway is known to serve "
        "'rt-v5', 'rt-v4', 'rt-v3' and 'unmute/soniox/speech-ai:rt-v4', for speech 'tts-rt-v1'); "
        f"or choose another region, as not every one serves every model: {_ZONE_ADVICE}"
    ),
    401: _KEY_ADVICE,
    402: "check the balance of your account at the gateway",
    403: _KEY_ADVICE,
    429: "try again later",
    503: "try again later",
}


class SlngService:
    """The gateway, as configured by a `SlngClient`. Immutable; see `service.Service`."""

    tts_dialect = SLNG_TTS

    def __init__(
        self,
        api_key: Optional[ApiKey],
        provider_key: Optional[ApiKey],
        *,
        base_url: str,
        stt_ws_url: Optional[str],
        tts_ws_url: Optional[str],
        zones: Mapping[str, str],
        tracking: Mapping[str, str],
        stt_defaults: SttConfig,
        tts_defaults: TtsStreamInput,
        settings: Settings,
    ) -> None:
        check_api_key_source(api_key, variable=ENV_SLNG_API_KEY)
        check_api_key_source(provider_key, variable="", name=_PROVIDER_KEY)
        self._api_key = api_key
        self._environ = {k: v for k, v in os.environ.items() if k == ENV_SLNG_API_KEY}
        self._provider_key = provider_key
        self._base_url = base_url
        self._stt_ws_url = stt_ws_url
        self._zones = zones
        self._tracking = tracking
        self._speech_model = _speech_model(tts_ws_url, tts_defaults)
        tts_defaults = merge_tts_input(
            {"model": self._speech_model or DEFAULT_TTS_MODEL}, tts_defaults
        )
        speech = tts_ws_url or f"{base_url}{speech_route(tts_defaults.model)}"
        self._addresses = ResolvedConnectionConfig(
            api_url="",  # the gateway does not support the service's HTTP calls
            tts_api_url="",
            stt_ws_url=stt_ws_url or base_url,
            tts_ws_url=speech,
            stt_defaults=stt_defaults,
            tts_defaults=tts_defaults,
        )
        self.settings = settings

    @property
    def zones(self) -> list[str]:
        """Requested zones, as headers, for a repr."""
        return [f"{name}={value}" for name, value in self._zones.items()]

    def tracked(self, agent_id: Optional[str], session_id: Optional[str]) -> SlngService:
        """Return this service with the ids of one call, `None` for those of the client.

        Raises
            ConfigurationError: an id that the gateway would refuse.
            InputTypeError: not a `str`.
        """
        given = tracking_headers(agent_id, session_id)
        if not given:
            return self
        tracked = copy.copy(self)
        tracked._tracking = {**self._tracking, **given}
        return tracked

    def describe(self, url: str) -> str:
        """Return one URL by the name of its field, for a repr, without parts that may be secret."""
        return safe_url(self._base_url if url == "base_url" else getattr(self._addresses, url))

    @property
    def can_renew_key(self) -> bool:
        """Whether another connection may get another key."""
        return callable(self._api_key)

    def addresses(self, usage: Usage) -> ResolvedConnectionConfig:
        """Return the gateway's addresses; that of a transcription also depends on its model."""
        return self._addresses

    def access(self, addresses: ResolvedConnectionConfig) -> Access:
        """Add the gateway's key; its callable is called once."""
        key = resolve_api_key(self._api_key, environ=self._environ, variable=ENV_SLNG_API_KEY)
        return Access(addresses, key)

    def why_not_resumable(self, config: SttConfig) -> Optional[str]:
        """Return why audio cannot be sent again after a loss, `None` if it can.

        Raises
            ConfigurationError: the model's route cannot express the config.
        """
        dialect = self._route(config.model)[1]
        dialect.start(_as_if_known(config).to_wire())
        if dialect.has_times:
            return None
        return (
            f"model {str(config.model)!r} does not report up to where audio is final, so nothing "
            "can be sent again after a lost connection (model='rt-v4' does)"
        )

    def stt_plan(self, access: Access, config: SttConfig) -> SttPlan:
        """Return what a session needs to connect by the route of its model."""
        path, dialect, model = self._route(config.model)
        config = config.replace(model=model)
        dialect.start(config.to_wire())  # refuses, before connecting, what the route cannot express
        url = access.config.stt_ws_url if self._stt_ws_url else f"{self._base_url}{path}"
        target = self._target(url, access.key)
        return SttPlan(
            target,
            config,
            dialect,
            send_timeout_sec=self.settings.timeout_sec,
            trace=self.settings.trace,
        )

    def tts_plan(self) -> TtsPlan:
        """Return what a speech connection needs."""
        access = self.access(self._addresses)
        target = self._target(access.config.tts_ws_url, access.key)
        return TtsPlan(
            target,
            defaults=access.config.tts_defaults,
            check=self._check_speech_model,
            trace=self.settings.trace,
        )

    def _check_speech_model(self, config: TtsStreamConfig) -> None:
        """Refuse a model that is not served by this client's route for speech."""
        route = self._speech_model
        if route is not None and model_of_speech(config.model) != model_of_speech(route):
            raise wrong_value(
                "model",
                f"{str(route)!r}, the model of this client's route",
                config.model,
                "for another one set tts_defaults={'model': ...} of a SlngClient",
            )

    def _route(self, model: str) -> tuple[str, SttDialect, str]:
        """Return path, dialect and wire name of a model, or of the model in `stt_ws_url`.

        Raises
            ConfigurationError: the model contradicts the URL.
        """
        route = transcription_model_in(self._stt_ws_url or "")
        if route is None:
            return transcription_route(model)
        found = transcription_route(route)
        if not isinstance(model, Unchosen) and transcription_route(model)[2] != found[2]:
            raise wrong_value("model", f"{route!r}, the model in stt_ws_url", model)
        return found

    def _target(self, url: str, key: str) -> Target:
        from ..transport.connect import Target

        headers = [f"User-Agent: {USER_AGENT}", f"Authorization: Bearer {key}"]
        placed = {**self._zones, **self._tracking}
        headers += [f"{name}: {value}" for name, value in placed.items()]
        secrets = [key]
        if self._provider_key is not None:
            provider_key = resolve_api_key(self._provider_key, variable="", name=_PROVIDER_KEY)
            headers.append(f"X-Slng-Provider-Key: {provider_key}")
            secrets.append(provider_key)
        return Target(
            url,
            headers=tuple(headers),
            proxy=self.settings.proxy,
            ssl_context=self.settings.tls.context,
            secrets=tuple(secrets),
            advice=self._advice,
            name_advice="check region, base_url and DNS",
        )

    def _advice(self, status: Optional[int]) -> str:
        """Return advice for an upgrade that the gateway refused with an HTTP status."""
        advice = _ADVICE.get(status or 503, _ADVICE[503 if (status or 503) >= 500 else 400])
        if self._base_url != GLOBAL_URL:
            return advice
        return (
            f"{advice}; or name a region, because the gateway may no longer support its global "
            f"host: region= one of {', '.join(REGIONS)}"
        )


def _as_if_known(config: SttConfig) -> SttConfig:
    """Return a config with some raw format if the source's format is not known yet."""
    if config.audio_format != "auto":
        return config
    return config.replace(audio_format="pcm_s16le", sample_rate=16_000, num_channels=1)


def _speech_model(url: Optional[str], defaults: TtsStreamInput) -> Optional[str]:
    """Return the only model of speech that a client can use, `None` for any.

    Raises
        ConfigurationError: the model of the defaults contradicts the URL.
    """
    given: Optional[str] = chosen(defaults).get("model")
    if url is None:
        return given or DEFAULT_TTS_MODEL
    model = speech_model_in(url)
    if model is not None and given is not None and model_of_speech(given) != model:
        raise wrong_value("tts_defaults.model", f"{model!r}, the model in tts_ws_url", given)
    return model
