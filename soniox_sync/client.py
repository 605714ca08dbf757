"""`SonioxClient`: where everything starts. It holds settings; sockets belong to what it makes."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from ._version import __version__
from .cancel import CancelToken
from .config import (
    KEY_SUBPROTOCOL,
    ApiKey,
    ConfigContext,
    ConfigSource,
    ConnectionConfig,
    ResolvedConnectionConfig,
    SttConfig,
    SttSessionOptions,
    TtsConnectionOptions,
    TtsStreamInput,
    check_auth,
    check_subprotocol_key,
    merge_stt_config,
    obtain_connection_config,
    resolve_api_key,
    resolve_connection_config,
    safe_url,
)
from .errors import ConfigurationError, InputTypeError
from .rest.namespaces import Namespaces
from .tls import TlsSettings, Verify

if TYPE_CHECKING:
    import ssl

    import requests

    from .host import RealtimeHost
    from .protocol.dialects import TtsDialect
    from .recording import Recording
    from .recording_setup import RecordingOptions, SessionConfig
    from .rest.http import HttpSettings
    from .sources.base import AudioSource
    from .speech import Speech
    from .stt import SessionObserver, SttSession
    from .transcription import Transcription
    from .transport.connect import Target
    from .tts import LinePlan, TtsConnection, TtsFactory

USER_AGENT = f"soniox-sync/{__version__} python/{platform.python_version()}"

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
    `buffer_queue_size`: chunks a recording keeps before its connection stands. `permissions`: who
    is asked for the microphone. `auth`: where the key travels, in exactly one place: `"header"`,
    `"subprotocol"`, or `"message"` (for old gateways; the service drops it on 2027-01-15).
    `timeout_sec`: the longest that one HTTP call or one blocked send may take. `max_retries`: of
    HTTP calls that are safe to repeat. `proxy`: URL (`http://`, `socks5://`), `None` for the
    environment's, `""` for none. `verify`: True, a CA file, or False (tests only); `ssl_context`
    overrides it; both hold for WebSockets and HTTP. `http_session`: a `requests.Session` to use.

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
        permissions: Optional[Any] = None,
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
        return resolved, resolve_api_key(resolved, environ=self._environ)

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


class Realtime:
    """Is `client.realtime`: transcription and speech over WebSockets."""

    def __init__(self, client: RealtimeHost) -> None:
        self._client = client
        self._tts: Optional[TtsFactory] = None

    def stt(
        self,
        config: Union[SttConfig, Mapping[str, Any], None] = None,
        *,
        options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        cancel: Optional[CancelToken] = None,
        **fields: Any,
    ) -> SttSession:
        """Open one transcription; gives it connected, its configuration sent.

        `fields` are those of `SttConfig` (`model`, `audio_format`, `sample_rate`,
        `language_hints`, ...), over `config`, over the client's `stt_defaults`. `options`:
        deadlines and bounds. `cancel`: ends it from elsewhere with `AbortError`.

        Raises `ConfigurationError` naming a missing or illegal field before anything is opened,
        `SonioxConnectionError` (`ConnectTimeoutError`) when no connection could be made. A refused
        key shows up in the first call or in the iterator.
        """
        client = self._client
        resolution = client._resolve("transcribe_websocket")
        merged = merge_stt_config(resolution[0].stt_defaults, config, **fields)
        merged.validate()
        chosen = client._session_options if options is None else SttSessionOptions.coerce(options)
        if cancel is not None:
            cancel.raise_if_cancelled()
        return client._session(merged, chosen, cancel, None, resolution).connect()

    def record(
        self,
        *,
        source: Optional[AudioSource] = None,
        session_config: Optional[SessionConfig] = None,
        session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        cancel: Optional[CancelToken] = None,
        buffer_queue_size: Optional[int] = None,
        auto_reconnect: bool = False,
        max_reconnect_attempts: int = 3,
        reconnect_base_delay_sec: float = 1.0,
        reset_transcript_on_reconnect: bool = False,
        replay_window_sec: float = 120.0,
        rotate_after_sec: Optional[float] = 270 * 60.0,
        translation_watchdog: bool = False,
        catch_up_speed: Optional[float] = 2.0,
        catch_up_burst_sec: float = 10.0,
        **stt_config: Any,
    ) -> Recording:
        """Start transcribing a source over as many connections as it takes; gives it started.

        `source`: an `AudioSource`, default the microphone (extra `audio`). `session_config`: a
        config, or a callable that makes one of the resolved connection config; it replaces
        `stt_config`, whose fields are those of `SttConfig`. `cancel` ends it from elsewhere with
        `AbortError`.

        With `auto_reconnect` a lost line is replaced and the audio that was not final is heard
        again: raw formats and WAV lose nothing, up to `replay_window_sec` of audio kept in memory.
        Up to `max_reconnect_attempts` in a row without progress, the first at once where the
        service allows it, then after `reconnect_base_delay_sec`, doubling. `rotate_after_sec`:
        change to a new connection in a pause after this long (the service ends one at 300
        minutes; `None` never). `translation_watchdog`: replace a session that stopped translating.
        `catch_up_speed`: how many times faster than real time audio may be sent after a burst of
        `catch_up_burst_sec` (`None`: without limit). `buffer_queue_size`: pieces of a container
        format kept before they are sent, default the client's.

        Raises `ConfigurationError` for a wrong option, what the source raises when it cannot
        start. Everything later ends the recording and surfaces where it is iterated or awaited.
        """
        from .recording_setup import RecordingOptions, make_recording

        options = RecordingOptions(
            auto_reconnect=auto_reconnect,
            max_reconnect_attempts=max_reconnect_attempts,
            reconnect_base_delay_sec=reconnect_base_delay_sec,
            reset_transcript_on_reconnect=reset_transcript_on_reconnect,
            replay_window_sec=replay_window_sec,
            rotate_after_sec=rotate_after_sec,
            translation_watchdog=translation_watchdog,
            catch_up_speed=catch_up_speed,
            catch_up_burst_sec=catch_up_burst_sec,
            buffer_queue_size=(
                self._client._buffer_queue_size if buffer_queue_size is None else buffer_queue_size
            ),
        )
        recording = make_recording(
            self._client, source, session_config or stt_config, session_options, cancel, options
        )
        return recording.start()

    def transcribe(
        self,
        source: Any,
        *,
        pace: Union[bool, float, None] = None,
        auto_reconnect: bool = True,
        cancel: Optional[CancelToken] = None,
        session_config: Optional[SessionConfig] = None,
        session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        **options: Any,
    ) -> Transcription:
        """Transcribe anything that holds audio; loop over the `SttEvent`s of what it gives.

        `source`: path, bytes, binary file object, iterable of bytes, or `AudioSource`. `pace`: how
        fast a file is sent: `True` (the default for files) as fast as it was spoken, a number so
        many times faster, `False` as fast as the service takes it. `options`: those of `record()`
        and the fields of `SttConfig`. Leaving the loop stops everything.

        Raises like `record()`.
        """
        from .recording_setup import source_for
        from .transcription import Transcription

        recording = self.record(
            source=source_for(source, pace, options),
            auto_reconnect=auto_reconnect,
            cancel=cancel,
            session_config=session_config,
            session_options=session_options,
            **options,
        )
        return Transcription(recording)

    @property
    def tts(self) -> TtsFactory:
        """Give the speech side: call it for one stream, or use its `multi_stream()`."""
        from .tts import TtsFactory

        if self._tts is None:
            self._tts = TtsFactory(self._tts_connection)
        return self._tts

    def speak(
        self,
        text: Union[str, Iterable[str]],
        *,
        max_quiet_sec: float = 3.0,
        timestamps: bool = False,
        **tts_input: Any,
    ) -> Speech:
        """Speak a text of any length, or an iterable of text such as a language model's tokens.

        Gives the audio as one: `for chunk in speech`, `speech.read()`, `speech.save(path)`.
        Streams are rolled underneath before the service's limits are met (PROTOCOL 3.4, 3.5). An
        iterable is read in a thread of its own. Text goes out sentence by sentence, a complete
        one at once; one that ends the text at hand 0.2 s later (0.6 s after a digit); words that
        end no sentence after `max_quiet_sec`, and the last word, which may go on, after twice
        that. `max_quiet_sec`: after so long without text for it a stream is ended, to go on with
        another (at most 5; the service kills after 5.2 s). `timestamps`: ask for the characters'
        times; a stream that fails half way then goes on where it stopped. `tts_input`: fields of
        `TtsStreamInput` (`voice` is needed unless it is in `tts_defaults`; `language` is `"en"`
        and `audio_format` `"wav"` otherwise) and of `TtsConnectionOptions`.

        Returns at once, connecting in the background. Raises `ConfigurationError` for missing or
        illegal fields. Iteration raises what happens later.
        """
        from .speech import open_speech

        return open_speech(
            text,
            self._tts_plan,
            self._tts_line,
            max_quiet_sec=max_quiet_sec,
            timestamps=timestamps,
            given=tts_input,
        )

    def _tts_connection(self, options: TtsConnectionOptions) -> TtsConnection:
        return self._tts_line(self._tts_plan, options)

    def _tts_line(
        self, plan: Callable[[], LinePlan], options: TtsConnectionOptions
    ) -> TtsConnection:
        from .tts import TtsConnection

        client = self._client
        return TtsConnection(
            plan, options, dialect=client._tts_dialect, send_timeout_sec=client._timeout
        )

    def _tts_plan(self) -> LinePlan:
        from .tts import LinePlan

        client = self._client
        resolved, key = client._resolve("tts_rt")
        return LinePlan(
            client._target(resolved.tts_ws_url, key),
            client._message_key(key),
            resolved.tts_defaults,
        )


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e9:
        raise ConfigurationError(f"{name}: expected a positive number of seconds")
    return float(value)


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name}: expected an int of 0 or more")
    return value
