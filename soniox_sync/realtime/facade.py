"""`client.realtime`: transcription and speech over WebSockets, for both clients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from .._support.loading import load_modules
from ..config import (
    SttConfig,
    SttSessionOptions,
    TtsConnectionOptions,
    TtsStreamInput,
    merge_stt_config,
)
from ..config._values import field_names, refuse_unknown_keywords
from ..config.conversation import ConversationOptions
from ..config.options import split_tts_options
from ..config.patience import PATIENT, Patience

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..cancel import CancelToken
    from ..config.keywords import (
        ConversationKeywords,
        RecordingKeywords,
        SpeechKeywords,
        StreamKeywords,
        SttKeywords,
        TtsConnectionKeywords,
    )
    from ..service import Service, TtsPlan
    from ..sources.base import AudioSource
    from ..sources.choose import AudioLike
    from .conversation.conversation import Conversation
    from .conversation.replies import TextFilter
    from .conversation.sinks import SinkLike
    from .pool.pool import TtsPool
    from .recording.capture import StartConfig
    from .recording.recording import Recording
    from .recording.setup import SessionConfig
    from .recording.transcription import Transcription
    from .speech import Speech
    from .stt.session import SttSession
    from .tts.connection import Input, SharedConnection
    from .tts.handle import TtsConnection, TtsStream


# What is loaded before the first thread of each kind starts (see `load_modules`): what the methods
# below import, and what a connection does on its reader thread.
_CONNECTION = (
    "websocket",
    "encodings.idna",  # by getaddrinfo()
    "urllib.request",  # for proxies of the environment
    "soniox_sync.protocol.dialects",
    "soniox_sync.runtime.connection",
    "soniox_sync.runtime.trace.trace",
    "soniox_sync.transport.connect",
    "soniox_sync.transport.upgrade",
)
_STT = (*_CONNECTION, "soniox_sync.realtime.stt.session")
_RECORDING = (
    *_STT,
    "soniox_sync.realtime.recording.setup",
    "soniox_sync.realtime.recording.transcription",
    "soniox_sync.sources.choose",
    "soniox_sync.sources.microphone",
)
_TTS = (*_CONNECTION, "soniox_sync.realtime.tts.handle")
_SPEECH = (*_TTS, "soniox_sync.realtime.speech")
_POOL = (*_SPEECH, "soniox_sync.realtime.pool.pool")
_CONVERSATION = (
    *_RECORDING,
    *_POOL,
    "soniox_sync.realtime.speech.speakable",
    "soniox_sync.realtime.conversation.opening",
)


def speak_plainly(texts: Iterable[str]) -> Iterator[str]:
    """Do what `speakable()` does, which is loaded on first use."""
    from .speech.speakable import speakable

    return speakable(texts)


class Realtime:
    """Real-time transcription and speech: `client.realtime` of both clients. Thread-safe."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tts = TtsFactory(service)

    def __repr__(self) -> str:
        return f"<client.realtime of {self._service.describe('stt_ws_url')}>"

    def stt(
        self,
        config: Union[SttConfig, Mapping[str, Any], None] = None,
        *,
        options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        cancel: Optional[CancelToken] = None,
        **fields: Unpack[SttKeywords],
    ) -> SttSession:
        """Open one transcription session; return it connected, with its configuration sent.

        `fields` are those of `SttConfig` (`model`, `audio_format`, `sample_rate`,
        `language_hints`, ...). They take precedence over `config`, which takes precedence over the
        client's `stt_defaults`. `options`: time limits and queue size, as `SttSessionOptions` or a
        mapping of its fields. `cancel`: a token that ends the session with `AbortError`.

        A refused key is reported later, by the next call or the iterator: the service accepts the
        connection and answers with an error frame (PROTOCOL 1.3).

        Raises
            ConfigurationError: a field is missing or illegal; nothing was opened.
            SonioxConnectionError: no connection could be made
                (`ConnectTimeoutError`: not within `connect_timeout_sec`).
            RealtimeError: the upgrade was refused with an HTTP status, as a gateway does.
            AbortError: `cancel` was cancelled.
        """
        load_modules(_STT)
        from ..cancel import check_cancel
        from ..service import access_for
        from .stt.session import open_session

        refuse_unknown_keywords(Realtime.stt, fields, field_names(SttConfig))
        service = self._service
        # a mapping may hold a key, which no local variable keeps
        options = chosen = service.settings.session_options_over(options, "options")
        addresses = service.addresses("transcribe_websocket")
        merged = merge_stt_config(addresses.stt_defaults, config, **fields)
        merged.validate()
        if cancel is not None:
            check_cancel("cancel", cancel)
            cancel.raise_if_cancelled()
        access = access_for(service, addresses, chosen)
        return open_session(service.stt_plan(access, merged), chosen, cancel)

    def record(
        self,
        *,
        source: Optional[AudioSource] = None,
        session_config: Optional[SessionConfig] = None,
        session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        cancel: Optional[CancelToken] = None,
        auto_reconnect: bool = False,
        **keywords: Unpack[RecordingKeywords],
    ) -> Recording:
        """Start transcribing a source over as many sessions as it takes; return the recording.

        `source`: an `AudioSource`, by default the microphone (extra `audio`). `session_config`: a
        config, or a callable that is given the resolved connection config and returns one; it
        replaces the fields of `SttConfig` among the `keywords`. `session_options`: time limits and
        queue size of each session, as `SttSessionOptions` or a mapping of its fields. `cancel`: a
        token that ends the recording with `AbortError`.

        The other `keywords`, with their defaults:

        - `auto_reconnect` (False): replace a lost connection. Nothing is lost of raw formats, WAV,
          FLAC, Ogg, WebM, mp3 and AAC; for other containers see `AudioSource.restart`.
        - `max_reconnect_attempts` (3): attempts during one outage; `None`: no limit.
        - `reconnect_base_delay_sec` (1.0): seconds before the second attempt, doubling each time
          and shortened by up to half at random. The first one is made at once; after a 429 it
          waits as long as the service asks for (`Retry-After`), else for this delay.
        - `max_reconnect_delay_sec` (30.0): the longest of these delays.
        - `give_up_after_sec` (None): seconds of an outage, `None`: no limit. Whichever limit is
          reached first ends the recording with the last error.
        - `stable_after_sec` (10.0): a session that has lived for this long, or has made 5 s of new
          audio final, ends an outage: count and time start anew.
        - `reset_transcript_on_reconnect` (False): clear the live transcript after a loss.
        - `replay_window_sec` (120.0): seconds of audio kept in memory for the next session. While
          that much is not final, a source that can wait is held back; a live source loses the
          oldest audio.
        - `rotate_after_sec` (16200.0): change to a new session, in a pause, after 270 minutes;
          `None`: never. The service ends a session at 300 minutes.
        - `translation_watchdog` (False): replace a session that has stopped translating.
        - `catch_up_speed` (2.0): how many times as fast as real time a backlog of audio is sent,
          after a burst of `catch_up_burst_sec` (10.0); `None`: no limit.
        - `buffer_queue_size` (the client's): chunks of other containers kept until they are sent.

        A later error ends the recording, and is raised by iteration, `wait()` and `stop()`.
        PROTOCOL 2.3, 2.7.

        Raises
            ConfigurationError: a wrong option or field; nothing was started.
            InputTypeError: an option or field of the wrong type.
            AudioSourceError, OSError: the source could not start.
        """
        load_modules(_RECORDING)
        from .recording.setup import given_source

        recording, _ = self._recording(
            Realtime.record,
            lambda config: given_source(source),
            session_config,
            session_options,
            cancel,
            {"auto_reconnect": auto_reconnect, **keywords},
        )
        return recording.start()

    def _recording(
        self,
        call: Callable[..., object],
        make_source: Callable[[SttConfig], AudioSource],
        session_config: Optional[SessionConfig],
        session_options: Union[SttSessionOptions, Mapping[str, Any], None],
        cancel: Optional[CancelToken],
        keywords: Mapping[str, object],
    ) -> tuple[Recording, StartConfig]:
        """Make a recording, not started yet, and the config that it starts with."""
        from .recording.setup import make_recording, split_keywords

        service = self._service
        options, fields = split_keywords(call, keywords, service.settings.buffer_queue_size)
        config = fields if session_config is None else session_config
        return make_recording(service, make_source, config, session_options, cancel, options)

    def transcribe(
        self,
        source: AudioLike,
        *,
        pace: Union[bool, float, None] = None,
        auto_reconnect: bool = True,
        cancel: Optional[CancelToken] = None,
        session_config: Optional[SessionConfig] = None,
        session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        **keywords: Unpack[RecordingKeywords],
    ) -> Transcription:
        """Transcribe any audio: iterate over the result or its `utterances()`, or `read()` it.

        It starts on first use, not in this call. The arguments are checked here, but a file is
        opened on first use: a missing one raises `OSError` then.

        `source`: path, bytes, binary file object, iterable of bytes, or `AudioSource`. `pace`: how
        fast it is sent. `True`: in real time, the default for paths, bytes and seekable files; a
        number: that many times as fast; `False` or 0: as fast as it can be read and sent, the
        default for pipes and iterables. An `AudioSource` has its own pace, and `pace` is ignored.

        The rest is as for `record()`, except that by default it reconnects (`auto_reconnect` is
        True), any number of times (`max_reconnect_attempts` is `None`), and gives up after an
        outage of a minute (`give_up_after_sec` is 60.0). Leaving the loop stops everything.

        Raises
            ConfigurationError, InputTypeError: as `record()`.
            AbortError: `cancel` was cancelled.
        """
        load_modules(_RECORDING)
        from .recording.setup import source_for
        from .recording.transcription import Transcription

        recording, config = self._recording(
            Realtime.transcribe,
            lambda config: source_for(source, pace, config),
            session_config,
            session_options,
            cancel,
            {"auto_reconnect": auto_reconnect, **PATIENT, **keywords},
        )
        return Transcription(recording, config)

    @property
    def tts(self) -> TtsFactory:
        """Speech: call it for one stream, or use its `multi_stream()` or `pool()`."""
        return self._tts

    def speak(
        self,
        text: Union[str, Iterable[Optional[str]]],
        *,
        max_quiet_sec: float = 3.0,
        timestamps: bool = False,
        **tts_input: Unpack[SpeechKeywords],
    ) -> Speech:
        """Speak a text of any length, or an iterable of text such as a language model's tokens.

        The result is continuous audio: `for chunk in speech`, `speech.read()`,
        `speech.save(path)`. Underneath, a new stream takes over before one reaches the service's
        limits (PROTOCOL 3.4, 3.5). Returns at once and connects in the background; iteration raises
        later errors. An iterable is read on a thread of its own.

        Text is sent sentence by sentence. A sentence goes out at once if more text follows it, else
        0.2 s later (0.6 s after a digit). Words without the end of a sentence go out after
        `max_quiet_sec`; the last word, which may be incomplete, after twice that.

        - `max_quiet_sec`: a stream without new text for this many seconds is ended, and another one
          follows (at most 5 s: the service ends a stream 5.2 s after its last text, PROTOCOL 3.5).
        - `timestamps`: request the times of characters. A stream that fails half way is then
          continued at the first character not yet spoken.
        - `max_reconnect_attempts` (None), `reconnect_base_delay_sec` (1.0),
          `max_reconnect_delay_sec` (30.0), `give_up_after_sec` (60.0), `stable_after_sec` (10.0):
          how long a text waits for the service during an outage, as for `record()`. 5 s of audio
          from a stream also end an outage.
        - `tts_input`: fields of `TtsStreamInput` (`voice` is needed unless it is in
          `tts_defaults`; `language` is `"en"` and `audio_format` `"wav"` by default) and of
          `TtsConnectionOptions`.

        Raises
            ConfigurationError: fields are missing or illegal; the message names all of them.
        """
        load_modules(_SPEECH)
        from .speech import open_speech

        classes = (TtsStreamInput, TtsConnectionOptions, Patience)
        known = [name for each in classes for name in field_names(each)]
        refuse_unknown_keywords(Realtime.speak, tts_input, known)
        return open_speech(
            text,
            self._service.tts_plan,
            lambda plan, options: _connection(self._service, plan, options),
            max_quiet_sec=max_quiet_sec,
            timestamps=timestamps,
            given=tts_input,
        )

    def converse(
        self,
        source: AudioLike,
        reply: Callable[[str, Conversation], Union[str, Iterable[Optional[str]], None]],
        sink: SinkLike,
        *,
        text_filter: Optional[TextFilter] = speak_plainly,
        options: Union[ConversationOptions, Mapping[str, Any], None] = None,
        stt: Union[SttConfig, Mapping[str, Any], None] = None,
        tts: Optional[Mapping[str, Any]] = None,
        cancel: Optional[CancelToken] = None,
        **keywords: Unpack[ConversationKeywords],
    ) -> Conversation:
        """Hold a spoken conversation; return it, listening. Loop over its turns.

        `source`: where the user is heard, in real time, as for `transcribe()`. `reply(text,
        conversation)`: returns the answer to a turn, a `str` or an iterable of `str` such as a
        language model's tokens; `None` or nothing to say is a silent turn. `sink`: where the agent
        is heard, such as an `audio.Player`; see `AudioSink`. `text_filter`: makes texts speakable,
        by default as `speakable()` does; `None` leaves them as they are. `stt`: fields of
        `SttConfig`. `tts`: the keywords of `speak()`, which may also be among the `keywords`.
        `cancel`: a token that ends the conversation.

        The other `keywords`, with their defaults; all may be in `options` instead:

        - `barge_in` (True): words of the user stop the agent while it is heard.
        - `min_barge_in_words` (1): how many words that takes.
        - `backchannels` (`None`: a dozen of the voice's language): words such as "mhm", which do
          not stop the agent.
        - `false_interruption_sec` (2.0): if the recogniser takes the words back, the agent goes on
          after this time; `None`: it never does.
        - `duplex` (`None`): `"half"` recognises silence while the agent speaks and 0.5 s after;
          `None`: half if the source hears the agent, as `MicrophoneSource` does.
        - `turn_end` ("endpoint"): `"manual"`: only `end_turn()` ends a turn (push to talk).
        - `patience_sec` (0.0): seconds of quiet after the endpoint before `reply` is called.
        - `max_turn_sec` (60.0): a turn without an end is answered after this time.
        - `user_silence_sec` (15.0), `agent_silence_sec` (5.0): seconds after which `"silence"`
          comes.

        Lost connections are replaced as by `transcribe()` and `speak()`, with their patience.

        Raises
            ConfigurationError: a wrong option or field; nothing was started.
            InputTypeError: an argument of the wrong type.
            AudioSourceError, OSError: the source could not start.
            AbortError: `cancel` was cancelled.
        """
        load_modules(_CONVERSATION)
        from .conversation.opening import SPEECH_FIELDS, open_conversation

        known = (*field_names(ConversationOptions), *SPEECH_FIELDS)
        refuse_unknown_keywords(Realtime.converse, keywords, known)
        return open_conversation(
            self._service,
            lambda plan, options: _connection(self._service, plan, options),
            source,
            reply,
            sink,
            text_filter=text_filter,
            options=options,
            stt=stt,
            tts=tts,
            cancel=cancel,
            keywords=keywords,
        )


class TtsFactory:
    """Real-time speech: `client.realtime.tts`. Call it for one stream, or share a connection."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __repr__(self) -> str:
        return f"<client.realtime.tts of {self._service.describe('tts_ws_url')}>"

    def __call__(
        self, input: Optional[Input] = None, **fields: Unpack[StreamKeywords]
    ) -> TtsStream:
        """Open a connection for one stream, which owns it: closing the stream closes both.

        Takes the fields of `TtsConnection.stream` and those of `TtsConnectionOptions`. Raises what
        `TtsConnection.stream` raises.
        """
        load_modules(_TTS)
        from .tts.handle import TtsStream

        options, rest = split_tts_options(fields)
        connection = self._open(options)
        try:
            return TtsStream(connection.start(input, rest, None), owned=connection)
        except BaseException:
            connection.close(0.0)
            raise

    def multi_stream(self, **options: Unpack[TtsConnectionKeywords]) -> TtsConnection:
        """Open a connection for up to five streams at once; return it connected.

        `options`, with their defaults:

        - `connect_timeout_sec` (20.0): for address, TCP, TLS and upgrade together.
        - `keepalive_interval_sec` (5.0): idle time before a keepalive is sent, at least 1 s. The
          server closes a silent connection after 40 s (PROTOCOL 3.6).
        - `ping_interval_sec` (20.0), `ping_timeout_sec` (20.0): a dead peer is noticed within their
          sum; `None` switches that off.

        Raises
            ConfigurationError: an option is illegal.
            SonioxConnectionError: no connection could be made
                (`ConnectTimeoutError`: not within `connect_timeout_sec`).
        """
        load_modules(_TTS)
        from .tts.handle import TtsConnection

        connection = TtsConnection(self._open(TtsConnectionOptions.coerce(options)))
        try:
            return connection.connect()
        except BaseException:
            connection.close()
            raise

    def pool(
        self,
        *,
        max_connections: int = 3,
        max_streams: Optional[int] = None,
        **options: Unpack[TtsConnectionKeywords],
    ) -> TtsPool:
        """Return a pool of connections for many threads; nothing is opened yet.

        It opens at most `max_connections`, with five streams each. `max_streams` limits the total
        of the streams (an account has 3 by default, PROTOCOL 3.4; `None`: no further limit).
        `options`: those of `multi_stream()`.

        Raises
            ConfigurationError: an option is illegal.
        """
        load_modules(_POOL)
        from .pool.pool import TtsPool

        chosen = TtsConnectionOptions.coerce(options)
        return TtsPool(
            lambda: self._open(chosen),
            max_connections=max_connections,
            max_streams=max_streams,
        )

    def _open(self, options: TtsConnectionOptions) -> SharedConnection:
        return _connection(self._service, self._service.tts_plan, options)


def _connection(
    service: Service, plan: Callable[[], TtsPlan], options: TtsConnectionOptions
) -> SharedConnection:
    from .tts.connection import SharedConnection

    return SharedConnection(
        plan,
        options,
        dialect=service.tts_dialect,
        send_timeout_sec=service.settings.timeout_sec,
    )
