"""`client.realtime`: transcription and speech over WebSockets, of either client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from .config import SttConfig, SttSessionOptions, TtsConnectionOptions, merge_stt_config

if TYPE_CHECKING:
    from .cancel import CancelToken
    from .host import RealtimeHost
    from .recording import Recording
    from .recording_setup import SessionConfig
    from .sources.base import AudioSource
    from .speech import Speech
    from .stt import SttSession
    from .transcription import Transcription
    from .tts import LinePlan, TtsConnection, TtsFactory


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
        `SonioxConnectionError` (`ConnectTimeoutError`) when no connection could be made, the
        `RealtimeError` of its HTTP status when the upgrade was refused, as a gateway does. The
        service itself tells of a refused key later: in the first call or in the iterator.
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
        format kept before they are sent, default the client's. Source: PROTOCOL 2.7.

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
