"""`SlngClient`: the same speech and transcription through the SLNG gateway.

The classes are those of `SonioxClient`; only the gateway's routes, headers and dialects differ.
Source: PROTOCOL 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from .._support.checks import suggests_keywords
from .._support.reprs import summary
from .._support.types import TraceTo, Verify
from ..config import (
    ApiKey,
    SttConfig,
    SttSessionOptions,
    TtsStreamInput,
    merge_stt_config,
    merge_tts_input,
)
from ..config._urls import check_gateway_url
from ..config._values import Unchosen
from ..realtime.slng import SlngRealtime
from ..runtime.tls import TlsSettings
from ..service import Settings, make_trace
from .headers import GLOBAL_URL, Zones, placed, tracking_headers
from .service import SlngService

if TYPE_CHECKING:
    import ssl

    from ..sources import PermissionResolver


class SlngClient:
    """Client of the same speech service through the SLNG gateway.

    `client.realtime` has `stt`, `record`, `transcribe`, `tts` (with `multi_stream` and `pool`) and
    `speak`; the gateway supports nothing else. Cheap and thread-safe; creating one opens nothing.

    - `api_key`: the gateway's key, `str` or a callable that is called once per connection; by
      default the environment's `SLNG_API_KEY`, read when the client is made.
    - `region`: one of the gateway's regions, which have hosts of their own: `"eu-north"`,
      `"eu-west"`, `"us-east"`, `"us-west"`, `"au"`, `"br"`, `"gb"`, `"id"`, `"il"`, `"in"`, `"jp"`,
      `"sg"`, `"za"`. Or a data center such as `"eu-north-1"`, or several in order of preference,
      which the older global host is asked for (header `X-Region-Override`); any name of that form
      is passed on. `None`: the global host, `api.slng.ai`, which newer clients of the gateway's
      own no longer use.
    - `world_part`: a zone that the global host is asked for, such as `"eu"` or `"us-east"` (header
      `X-World-Part-Override`), also together with data centers, which take precedence there. Not
      with a region that has a host of its own, which would ignore it.
    - `base_url`: another gateway; takes precedence over the host of a `region`. By default the
      environment's `SLNG_BASE_URL` is used in place of the global host.
    - `agent_id`, `session_id`: your own ids, for the gateway's usage reports (headers
      `X-SLNG-Agent-Id`, `X-SLNG-Session-Id`): 1 to 128 characters without commas and control
      characters. Each call of `client.realtime` takes them as well, and overrides these.
    - `provider_key`: your own key of the service behind the gateway, `str` or callable (header
      `X-Slng-Provider-Key`).
    - `stt_ws_url`, `tts_ws_url`: complete URLs, for routes that this release does not know.

    Everything else is as in `SonioxClient`.

    The `model` of a transcription selects the route, by the gateway's name or the service's
    (`"stt-rt-v4"`). `"rt-v4"` (the default) and `"rt-v5"` pass the service's protocol through, and
    so is any other model tried, which the gateway answers with HTTP 404 if it does not have it.
    `"rt-v3"` and `"unmute/NAME"` (the bridge; `NAME` as in `"soniox/speech-ai:rt-v4"`) use the
    gateway's own protocol: a final result is one token, without times unless the gateway sends
    them, `finalize()` is not answered by a `"finalized"` event, and recordings cannot reconnect.
    The model of `tts_defaults` (`"tts-rt-v1"` by default) selects the route of all speech, and
    another model in a call is refused. No keepalives are sent for speech, and `keep_alive()` raises
    `StateError`, because the gateway documents none. Source: PROTOCOL 8.

    Raises
        ConfigurationError: an invalid argument, or an invalid value in the environment.
    """

    @suggests_keywords()
    def __init__(
        self,
        api_key: Optional[ApiKey] = None,
        *,
        world_part: Optional[Zones] = None,
        region: Optional[Zones] = None,
        provider_key: Optional[ApiKey] = None,
        base_url: str = Unchosen(GLOBAL_URL),
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
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
        trace: TraceTo = None,
        trace_audio: bool = False,
    ) -> None:
        settings = Settings(
            SttSessionOptions.coerce(default_session_options, "default_session_options"),
            buffer_queue_size,
            timeout_sec,
            permissions,
            proxy,
            TlsSettings(verify, ssl_context),
            make_trace(trace, trace_audio, api_key, proxy),
        )
        url, zones = placed(base_url, world_part, region)
        self._service = SlngService(
            api_key,
            provider_key,
            base_url=url,
            stt_ws_url=_own_url("stt_ws_url", stt_ws_url),
            tts_ws_url=_own_url("tts_ws_url", tts_ws_url),
            zones=zones,
            tracking=tracking_headers(agent_id, session_id),
            stt_defaults=merge_stt_config(stt_defaults),
            tts_defaults=merge_tts_input(tts_defaults),
            settings=settings,
        )
        self._realtime = SlngRealtime(self._service)

    @property
    def base_url(self) -> str:
        """URL of the gateway: of `base_url=`, the region, `SLNG_BASE_URL`, or the global one."""
        return self._service.describe("base_url")

    @property
    def realtime(self) -> SlngRealtime:
        """Real-time services."""
        return self._realtime

    def close(self) -> None:
        """Close the file of a trace: the client holds no connection; sessions and streams go on."""
        if self._service.settings.trace is not None:
            self._service.settings.trace.close()

    def __enter__(self) -> SlngClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return summary(self, self._service.describe("base_url"), *self._service.zones)


def _own_url(name: str, url: Optional[str]) -> Optional[str]:
    return None if url is None else check_gateway_url(name, url)
