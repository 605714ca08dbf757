"""Blocking client for the Soniox speech service: transcription and speech without an event loop.

Begin with::

    from soniox_sync import SonioxClient

    client = SonioxClient()  # the key is read from SONIOX_API_KEY

Importing this package opens nothing and starts nothing; each name is loaded on first use. In
docstrings `PROTOCOL 3.5` means section 3.5 of docs/protocol.rst, the notes on the service that the
code relies on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._support.lazy import lazy_names
from ._version import __version__

if TYPE_CHECKING:
    from .cancel import CancelToken
    from .client import SonioxClient
    from .config import (
        ConfigContext,
        ConnectionConfig,
        Context,
        ContextEntry,
        ConversationOptions,
        OneWayTranslation,
        ResolvedConnectionConfig,
        SttConfig,
        SttSessionOptions,
        TranslationTerm,
        TtsConnectionOptions,
        TtsStreamConfig,
        TtsStreamInput,
        TwoWayTranslation,
        resolve_api_key,
        resolve_connection_config,
    )
    from .config.keywords import (
        ConversationKeywords,
        RecordingKeywords,
        SpeechKeywords,
        SttKeywords,
        TtsKeywords,
        VoiceKeywords,
    )
    from .conversation.states import ConversationState
    from .conversation.turns import ConversationMetrics, Dtmf, Latency, Silence, Turn
    from .errors import (
        AbortError,
        AudioDeviceError,
        AudioPermissionError,
        AudioSourceError,
        AudioUnavailableError,
        AuthenticationError,
        AuthError,
        BadRequestError,
        BufferOverflowError,
        ConfigurationError,
        ConflictError,
        ConnectTimeoutError,
        DurationLimitError,
        NetworkError,
        NotFoundError,
        PermissionDeniedError,
        QuotaError,
        RateLimitError,
        RealtimeError,
        ServerError,
        SonioxConnectionError,
        SonioxError,
        SonioxHttpError,
        SonioxTimeoutError,
        StateError,
        WebhookSignatureError,
        error_from_frame,
        is_retriable,
    )
    from .protocol.states import StateChange, SttSessionState, TtsStreamState
    from .protocol.tokens import Result, SttEvent, Token
    from .protocol.tts import AudioChunk, Timestamps
    from .realtime.conversation.conversation import Conversation
    from .realtime.conversation.sinks import AudioSink
    from .realtime.pool.pool import TtsPool
    from .realtime.recording.events import Reconnecting
    from .realtime.recording.recording import Recording
    from .realtime.recording.transcription import Transcription
    from .realtime.speech import Speech, SpeechMetrics
    from .realtime.speech.speakable import speakable
    from .realtime.stt.session import SttSession
    from .realtime.tts.handle import TtsConnection, TtsStream
    from .realtime.tts.metrics import TtsMetrics
    from .recorder.actions import Reconnected, RecordingState, SessionRestart
    from .rest.errors import HttpAbortError, HttpTimeoutError
    from .rest.stt.config import TranscriptionConfig
    from .rest.stt.types import JobTranscript, TranscriptionFailedError, TranscriptionJob
    from .rest.webhooks import WebhookEvent
    from .slng.client import SlngClient
    from .sources import (
        AudioSource,
        AudioSourceHandlers,
        DevicePermissionResolver,
        FileSource,
        IterableSource,
        MicrophoneSource,
        PermissionResolver,
        PermissionResult,
        PipeSource,
    )
    from .transcript import Transcript

__all__ = [
    "__version__",
    "AbortError",
    "AudioChunk",
    "AudioDeviceError",
    "AudioPermissionError",
    "AudioSink",
    "AudioSource",
    "AudioSourceError",
    "AudioSourceHandlers",
    "AudioUnavailableError",
    "AuthError",
    "AuthenticationError",
    "BadRequestError",
    "BufferOverflowError",
    "CancelToken",
    "ConfigContext",
    "ConfigurationError",
    "ConflictError",
    "ConnectTimeoutError",
    "ConnectionConfig",
    "Context",
    "ContextEntry",
    "Conversation",
    "ConversationKeywords",
    "ConversationMetrics",
    "ConversationOptions",
    "ConversationState",
    "DevicePermissionResolver",
    "Dtmf",
    "DurationLimitError",
    "FileSource",
    "HttpAbortError",
    "HttpTimeoutError",
    "IterableSource",
    "JobTranscript",
    "Latency",
    "MicrophoneSource",
    "NetworkError",
    "NotFoundError",
    "OneWayTranslation",
    "PermissionDeniedError",
    "PermissionResolver",
    "PermissionResult",
    "PipeSource",
    "QuotaError",
    "RateLimitError",
    "RealtimeError",
    "Reconnected",
    "Reconnecting",
    "Recording",
    "RecordingKeywords",
    "RecordingState",
    "ResolvedConnectionConfig",
    "Result",
    "ServerError",
    "SessionRestart",
    "Silence",
    "SlngClient",
    "SonioxClient",
    "SonioxConnectionError",
    "SonioxError",
    "SonioxHttpError",
    "SonioxTimeoutError",
    "Speech",
    "SpeechKeywords",
    "SpeechMetrics",
    "StateChange",
    "StateError",
    "SttConfig",
    "SttEvent",
    "SttKeywords",
    "SttSession",
    "SttSessionOptions",
    "SttSessionState",
    "Timestamps",
    "Token",
    "Transcript",
    "Transcription",
    "TranscriptionConfig",
    "TranscriptionFailedError",
    "TranscriptionJob",
    "TranslationTerm",
    "TtsConnection",
    "TtsConnectionOptions",
    "TtsKeywords",
    "TtsMetrics",
    "TtsPool",
    "TtsStream",
    "TtsStreamConfig",
    "TtsStreamInput",
    "TtsStreamState",
    "Turn",
    "TwoWayTranslation",
    "VoiceKeywords",
    "WebhookEvent",
    "WebhookSignatureError",
    "error_from_frame",
    "is_retriable",
    "resolve_api_key",
    "resolve_connection_config",
    "speakable",
]

lazy_names(
    globals(),
    {
        "cancel": "CancelToken",
        "client": "SonioxClient",
        "config": """
            ConfigContext ConnectionConfig Context ContextEntry ConversationOptions
            OneWayTranslation resolve_api_key resolve_connection_config ResolvedConnectionConfig
            SttConfig SttSessionOptions TranslationTerm TtsConnectionOptions TtsStreamConfig
            TtsStreamInput TwoWayTranslation
        """,
        "config.keywords": """
            ConversationKeywords RecordingKeywords SpeechKeywords SttKeywords TtsKeywords
            VoiceKeywords
        """,
        "conversation.states": "ConversationState",
        "conversation.turns": "ConversationMetrics Dtmf Latency Silence Turn",
        "errors": """
            AbortError AudioDeviceError AudioPermissionError AudioSourceError
            AudioUnavailableError AuthenticationError AuthError BadRequestError
            BufferOverflowError ConfigurationError ConflictError ConnectTimeoutError
            DurationLimitError error_from_frame is_retriable NetworkError NotFoundError
            PermissionDeniedError QuotaError RateLimitError RealtimeError ServerError
            SonioxConnectionError SonioxError SonioxHttpError SonioxTimeoutError StateError
            WebhookSignatureError
        """,
        "protocol.states": "StateChange SttSessionState TtsStreamState",
        "protocol.tokens": "Result SttEvent Token",
        "protocol.tts": "AudioChunk Timestamps",
        "realtime.conversation.conversation": "Conversation",
        "realtime.conversation.sinks": "AudioSink",
        "realtime.pool.pool": "TtsPool",
        "realtime.recording.events": "Reconnecting",
        "realtime.recording.recording": "Recording",
        "realtime.recording.transcription": "Transcription",
        "realtime.speech": "Speech SpeechMetrics",
        "realtime.speech.speakable": "speakable",
        "realtime.stt.session": "SttSession",
        "realtime.tts.handle": "TtsConnection TtsStream",
        "realtime.tts.metrics": "TtsMetrics",
        "recorder.actions": "Reconnected RecordingState SessionRestart",
        "rest.errors": "HttpAbortError HttpTimeoutError",
        "rest.stt.config": "TranscriptionConfig",
        "rest.stt.types": "JobTranscript TranscriptionFailedError TranscriptionJob",
        "rest.webhooks": "WebhookEvent",
        "slng.client": "SlngClient",
        "sources": """
            AudioSource AudioSourceHandlers DevicePermissionResolver FileSource IterableSource
            MicrophoneSource PermissionResolver PermissionResult PipeSource
        """,
        "transcript": "Transcript",
    },
)
