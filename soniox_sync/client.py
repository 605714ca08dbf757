"""`SonioxClient`: settings, and the way to everything else. What it creates owns the sockets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ._support.checks import integer, object_with, suggests_keywords
from ._support.loading import load_modules
from ._support.reprs import summary
from ._support.types import TraceTo, Verify
from .config import (
    ApiKey,
    ConfigSource,
    ConnectionConfig,
    SttConfig,
    SttSessionOptions,
    TtsStreamInput,
    check_auth,
)
from .realtime.facade import Realtime
from .rest.namespaces import Namespaces
from .runtime.tls import TlsSettings
from .service import NativeService, Settings, make_trace

if TYPE_CHECKING:
    import ssl

    import requests

    from .cancel import CancelToken
    from .config.keys import Auth
    from .rest.http import Http
    from .rest.raw import Data, Method, Params, ServiceName
    from .sources import PermissionResolver


_check_session = object_with("a requests.Session", "prepare_request", "send")


class SonioxClient(Namespaces):
    """Client of the Soniox speech service: key, region, defaults, and what is created with them.

    Creating one is cheap: it opens and starts nothing. Share it; it is thread-safe, and everything
    that it creates has a connection of its own.

    - `api_key`: a `str`, or a callable that is called once per connection (for temporary keys); by
      default the environment's `SONIOX_API_KEY`, read when the client is created.
    - `config`: a `ConnectionConfig`, a mapping, or a callable that is called once per connection;
      anything that it does not set is taken from the other arguments.
    - `region` (`"us"`, `"eu"`, `"jp"`, `"in"`), `base_domain`, `api_url`, `stt_ws_url`,
      `tts_api_url`, `tts_ws_url`: where the service is. The order of precedence is: a URL,
      `base_domain`, `region`, the environment, US. The service's path, such as `/v1`, is added to a
      URL without a path; to have none, end the URL in `/.` (`"http://host/."`).
    - `stt_defaults`, `tts_defaults`, `default_session_options`: used for what a call does not set.
    - `buffer_queue_size`: chunks that a recording keeps before its connection is open.
    - `permissions`: a `PermissionResolver` that is asked before a recording opens the microphone;
      `None` asks nobody.
    - `auth`: where the key is sent: `"header"`, `"subprotocol"`, or `"message"` (for old gateways;
      the service drops it on 2027-01-15).
    - `timeout_sec`: seconds that one HTTP call or one blocked send may take.
    - `max_retries`: how often an HTTP call is repeated, if that is safe.
    - `proxy`: a URL (`http://`, `socks5://`), `None` for the environment's, `""` for none.
    - `verify`: True, a CA file, or False (only for tests); `ssl_context` overrides it. Both apply
      to WebSockets and HTTP.
    - `http_session`: a `requests.Session` to use.
    - `trace`: records every WebSocket frame and HTTP exchange (docs: Traces): a path, to which
      lines of JSON are appended; a file object, text or binary; or a callable that gets each line
      as a `dict`. `None`: the path in the environment's `SONIOX_SYNC_TRACE`, if any; `""`: nothing.
      Keys and other secrets are replaced by `***`. A callable runs on the threads that send,
      receive or make HTTP calls, on several at once: it must be quick and must not use the client.
    - `trace_audio`: whether a trace contains the audio, or only its length and digest. Needs a
      trace.

    Source: Soniox docs get-started/authentication, PROTOCOL 1, 9.

    Raises
        ConfigurationError: an invalid argument, or an invalid value in the environment.
    """

    @suggests_keywords(
        # names of the official SDKs
        ws_base_url="stt_ws_url",
        websocket_base_url="stt_ws_url",
        api_base_url="api_url",
        tts_websocket_base_url="tts_ws_url",
        tts_api_base_url="tts_api_url",
    )
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
        auth: Auth = "header",
        timeout_sec: float = 30.0,
        max_retries: int = 2,
        proxy: Optional[str] = None,
        verify: Verify = True,
        ssl_context: Optional[ssl.SSLContext] = None,
        http_session: Optional[requests.Session] = None,
        trace: TraceTo = None,
        trace_audio: bool = False,
    ) -> None:
        integer(0)("max_retries", max_retries)
        settings = Settings(
            SttSessionOptions.coerce(default_session_options, "default_session_options"),
            buffer_queue_size,
            timeout_sec,
            permissions,
            proxy,
            TlsSettings(verify, ssl_context),
            make_trace(trace, trace_audio, api_key, proxy),
        )
        flat = ConnectionConfig(
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
        self._environ = {k: v for k, v in os.environ.items() if k.startswith("SONIOX_")}
        self._service = NativeService(flat, config, self._environ, check_auth(auth), settings)
        self._max_retries = max_retries
        if http_session is not None:
            _check_session("http_session", http_session)
        self._http_session = http_session
        self._realtime = Realtime(self._service)

    @property
    def realtime(self) -> Realtime:
        """Real-time services."""
        return self._realtime

    def request(
        self,
        method: Method,
        path: str,
        *,
        json: Any = None,
        params: Optional[Params] = None,
        data: Optional[Data] = None,
        headers: Optional[Mapping[str, str]] = None,
        service: ServiceName = "api",
        timeout_sec: Optional[float] = None,
        cancel: Optional[CancelToken] = None,
    ) -> Any:
        """Make any HTTP call, also one that is newer than this library, and return its answer.

        The answer is parsed JSON; `bytes` if the response is something else, such as audio; `None`
        if it has no content. Keys, retries and errors are those of all calls: GET, HEAD, PUT and
        DELETE are repeated after transient errors, POST and PATCH only if nothing was sent.

        - `method`: `"GET"`, `"HEAD"`, `"POST"`, `"PUT"`, `"PATCH"` or `"DELETE"`, in any case.
        - `path`: follows the service's base URL, which ends with the version: `"/files"` is
          `https://api.soniox.com/v1/files`. Without a query; quote parts that need it.
        - `json`: a body of anything that JSON can represent; `None` sends none.
        - `params`: the query. Values that are `None` are left out, `True` is sent as `true`, a list
          repeats its name.
        - `data`: a body of `bytes`, a `str` (sent in UTF-8) or a binary file object, which is read
          from its position while it is sent and left open. It has no `Content-Type` of its own.
        - `headers`: additional headers, such as the `Content-Type` of `data`. They may replace
          "Accept" and "User-Agent", but not headers of the client, such as "Authorization" or
          "Host".
        - `service`: `"api"`, or `"tts"` for the speech host (`"/tts"` is speech in one request).
        - `timeout_sec`: seconds for the whole call, retries included. `None`: the client's
          `timeout_sec`; for speech, and for a file in `data`, that limits each wait, not the whole.
        - `cancel`: a token that ends the call with `AbortError`.

        The key is sent to the configured host only; redirects are not followed.

        Raises
            ConfigurationError: a wrong argument; nothing was sent.
            InputTypeError: an argument of the wrong type.
            SonioxHttpError: the call failed.
            AbortError: after a cancel.
            StateError: after `close()`.
        """
        load_modules(("soniox_sync.rest.raw",))
        from .rest.raw import request

        return request(
            self._http_layer,
            method,
            path,
            json=json,
            params=params,
            data=data,
            headers=headers,
            service=service,
            timeout_sec=timeout_sec,
            cancel=cancel,
        )

    def close(self) -> None:
        """Close the client's HTTP connections; its sessions and streams stay open.

        Running HTTP calls end with `AbortError`, later ones raise `StateError`. Idempotent;
        thread-safe.
        """
        self._http_layer.close()
        if self._service.settings.trace is not None:
            self._service.settings.trace.close()

    def __enter__(self) -> SonioxClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "closed" if self._is_closed else ""
        return summary(self, self._service.describe("stt_ws_url"), closed)

    def _make_http(self) -> Http:
        load_modules(("soniox_sync.rest.http",))
        from .rest.http import Http

        return Http(self._service, self._max_retries, self._http_session)
