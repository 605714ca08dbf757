"""`client.realtime` of a `SlngClient`: each call may have its own ids for the gateway's reports.

Everything else is as in `facade`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

from ..config import SttConfig, SttSessionOptions
from ..service import Service
from .facade import Realtime, TtsFactory, speak_plainly

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..cancel import CancelToken
    from ..config.conversation import ConversationOptions
    from ..config.keywords import (
        ConversationKeywords,
        RecordingKeywords,
        SpeechKeywords,
        StreamKeywords,
        SttKeywords,
        TtsConnectionKeywords,
    )
    from ..sources.base import AudioSource
    from ..sources.choose import AudioLike
    from .conversation.conversation import Conversation
    from .conversation.replies import TextFilter
    from .conversation.sinks import SinkLike
    from .pool.pool import TtsPool
    from .recording.recording import Recording
    from .recording.setup import SessionConfig
    from .recording.transcription import Transcription
    from .speech import Speech
    from .stt.session import SttSession
    from .tts.connection import Input
    from .tts.handle import TtsConnection, TtsStream


class TrackedService(Service, Protocol):
    """Service that takes ids of the user's for its reports."""

    def tracked(self, agent_id: Optional[str], session_id: Optional[str]) -> Service:
        """Return the service with the ids of one call, `None` for those of the client."""


class SlngRealtime(Realtime):
    """Real-time transcription and speech through the SLNG gateway. Thread-safe.

    The calls are those of `Realtime`, with two more keywords: `agent_id` and `session_id` are your
    own ids for the gateway's usage reports, by default (`None`) those of the client. They are sent
    with every connection that the call opens, as `X-SLNG-Agent-Id` and `X-SLNG-Session-Id`: 1 to
    128 characters without commas and control characters; blanks around them are dropped.
    """

    def __init__(self, service: TrackedService) -> None:
        super().__init__(service)
        self._tracked = service.tracked
        self._slng_tts = SlngTtsFactory(service)

    def stt(
        self,
        config: Union[SttConfig, Mapping[str, Any], None] = None,
        *,
        options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        cancel: Optional[CancelToken] = None,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **fields: Unpack[SttKeywords],
    ) -> SttSession:
        """Open one transcription session, as `Realtime.stt` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that `Realtime.stt`
                raises.
        """
        realtime = Realtime(self._tracked(agent_id, session_id))
        return realtime.stt(config, options=options, cancel=cancel, **fields)

    def record(
        self,
        *,
        source: Optional[AudioSource] = None,
        session_config: Optional[SessionConfig] = None,
        session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        cancel: Optional[CancelToken] = None,
        auto_reconnect: bool = False,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **keywords: Unpack[RecordingKeywords],
    ) -> Recording:
        """Start transcribing a source, as `Realtime.record` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that `Realtime.record`
                raises.
        """
        return Realtime(self._tracked(agent_id, session_id)).record(
            source=source,
            session_config=session_config,
            session_options=session_options,
            cancel=cancel,
            auto_reconnect=auto_reconnect,
            **keywords,
        )

    def transcribe(
        self,
        source: AudioLike,
        *,
        pace: Union[bool, float, None] = None,
        auto_reconnect: bool = True,
        cancel: Optional[CancelToken] = None,
        session_config: Optional[SessionConfig] = None,
        session_options: Union[SttSessionOptions, Mapping[str, Any], None] = None,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **keywords: Unpack[RecordingKeywords],
    ) -> Transcription:
        """Transcribe any audio, as `Realtime.transcribe` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that
                `Realtime.transcribe` raises.
        """
        return Realtime(self._tracked(agent_id, session_id)).transcribe(
            source,
            pace=pace,
            auto_reconnect=auto_reconnect,
            cancel=cancel,
            session_config=session_config,
            session_options=session_options,
            **keywords,
        )

    @property
    def tts(self) -> SlngTtsFactory:
        """Speech: call it for one stream, or use its `multi_stream()` or `pool()`."""
        return self._slng_tts

    def speak(
        self,
        text: Union[str, Iterable[Optional[str]]],
        *,
        max_quiet_sec: float = 3.0,
        timestamps: bool = False,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **tts_input: Unpack[SpeechKeywords],
    ) -> Speech:
        """Speak a text of any length, as `Realtime.speak` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that `Realtime.speak`
                raises.
        """
        realtime = Realtime(self._tracked(agent_id, session_id))
        return realtime.speak(text, max_quiet_sec=max_quiet_sec, timestamps=timestamps, **tts_input)

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
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **keywords: Unpack[ConversationKeywords],
    ) -> Conversation:
        """Hold a spoken conversation, as `Realtime.converse` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that
                `Realtime.converse` raises.
        """
        return Realtime(self._tracked(agent_id, session_id)).converse(
            source,
            reply,
            sink,
            text_filter=text_filter,
            options=options,
            stt=stt,
            tts=tts,
            cancel=cancel,
            **keywords,
        )


class SlngTtsFactory(TtsFactory):
    """Real-time speech through the SLNG gateway: call it for one stream, or share a connection.

    `agent_id` and `session_id` as in `SlngRealtime`.
    """

    def __init__(self, service: TrackedService) -> None:
        super().__init__(service)
        self._tracked = service.tracked

    def __call__(
        self,
        input: Optional[Input] = None,
        *,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **fields: Unpack[StreamKeywords],
    ) -> TtsStream:
        """Open a connection for one stream, as `TtsFactory.__call__` does."""
        return TtsFactory(self._tracked(agent_id, session_id))(input, **fields)

    def multi_stream(
        self,
        *,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **options: Unpack[TtsConnectionKeywords],
    ) -> TtsConnection:
        """Open a connection for up to five streams at once, as `TtsFactory.multi_stream` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that
                `TtsFactory.multi_stream` raises.
        """
        return TtsFactory(self._tracked(agent_id, session_id)).multi_stream(**options)

    def pool(
        self,
        *,
        max_connections: int = 3,
        max_streams: Optional[int] = None,
        agent_id: Optional[str] = None,
        session_id: Optional[str] = None,
        **options: Unpack[TtsConnectionKeywords],
    ) -> TtsPool:
        """Return a pool of connections for many threads, as `TtsFactory.pool` does.

        Raises
            ConfigurationError: an id that the gateway would refuse; and all that `TtsFactory.pool`
                raises.
        """
        factory = TtsFactory(self._tracked(agent_id, session_id))
        return factory.pool(max_connections=max_connections, max_streams=max_streams, **options)
