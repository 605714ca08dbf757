"""Blocking client for the Soniox speech service: transcription and speech without an event loop.

Begin with::

    from soniox_sync import SonioxClient

    client = SonioxClient()  # the key is read from SONIOX_API_KEY

Importing this package opens nothing and starts nothing; each name is loaded when first used. Where
a docstring cites `PROTOCOL 3.5`, it means section 3.5 of docs/protocol.rst, the notes on the
service that the code relies on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .cancel import CancelToken
    from .client import SonioxClient
    from .config import (
        ConfigContext,
        ConnectionConfig,
        Context,
        ContextEntry,
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
    from .pool import TtsPool
    from .protocol.recorder_actions import RecordingState
    from .protocol.states import SttSessionState, TtsStreamState
    from .protocol.tokens import Result, SttEvent, Token
    from .protocol.tts import AudioChunk
    from .recording import ReconnectingEvent, Recording
    from .rest.failures import HttpAbortError, HttpTimeoutError
    from .rest.stt_types import JobTranscript, TranscriptionFailedError, TranscriptionJob
    from .rest.transcription_config import TranscriptionConfig
    from .rest.webhooks import WebhookEvent
    from .slng import SlngClient
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
    from .speech import Speech, SpeechMetrics
    from .stt import SttSession
    from .transcript import Transcript
    from .transcription import Transcription
    from .tts import TtsConnection
    from .tts_metrics import TtsMetrics
    from .tts_stream import TtsStream

_WHERE = {
    "cancel": ("CancelToken",),
    "client": ("SonioxClient",),
    "config": (
        "ConfigContext",
        "ConnectionConfig",
        "Context",
        "ContextEntry",
        "OneWayTranslation",
        "ResolvedConnectionConfig",
        "SttConfig",
        "SttSessionOptions",
        "TranslationTerm",
        "TtsConnectionOptions",
        "TtsStreamConfig",
        "TtsStreamInput",
        "TwoWayTranslation",
        "resolve_api_key",
        "resolve_connection_config",
    ),
    "errors": (
        "AbortError",
        "AudioDeviceError",
        "AudioPermissionError",
        "AudioSourceError",
        "AudioUnavailableError",
        "AuthError",
        "AuthenticationError",
        "BadRequestError",
        "BufferOverflowError",
        "ConfigurationError",
        "ConflictError",
        "ConnectTimeoutError",
        "DurationLimitError",
        "NetworkError",
        "NotFoundError",
        "PermissionDeniedError",
        "QuotaError",
        "RateLimitError",
        "RealtimeError",
        "ServerError",
        "SonioxConnectionError",
        "SonioxError",
        "SonioxHttpError",
        "SonioxTimeoutError",
        "StateError",
        "WebhookSignatureError",
        "error_from_frame",
        "is_retriable",
    ),
    "pool": ("TtsPool",),
    "protocol.recorder_actions": ("RecordingState",),
    "protocol.states": (
        "SttSessionState",
        "TtsStreamState",
    ),
    "protocol.tokens": (
        "Result",
        "SttEvent",
        "Token",
    ),
    "protocol.tts": ("AudioChunk",),
    "recording": (
        "ReconnectingEvent",
        "Recording",
    ),
    "rest.failures": ("HttpAbortError", "HttpTimeoutError"),
    "rest.stt_types": ("JobTranscript", "TranscriptionFailedError", "TranscriptionJob"),
    "rest.transcription_config": ("TranscriptionConfig",),
    "rest.webhooks": ("WebhookEvent",),
    "sources": (
        "AudioSource",
        "AudioSourceHandlers",
        "DevicePermissionResolver",
        "FileSource",
        "IterableSource",
        "MicrophoneSource",
        "PermissionResolver",
        "PermissionResult",
        "PipeSource",
    ),
    "slng": ("SlngClient",),
    "speech": (
        "Speech",
        "SpeechMetrics",
    ),
    "stt": ("SttSession",),
    "transcript": ("Transcript",),
    "transcription": ("Transcription",),
    "tts": ("TtsConnection",),
    "tts_stream": (
        "TtsMetrics",
        "TtsStream",
    ),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = [
    "__version__",
    "AbortError",
    "AudioChunk",
    "AudioDeviceError",
    "AudioPermissionError",
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
    "DevicePermissionResolver",
    "DurationLimitError",
    "FileSource",
    "HttpAbortError",
    "HttpTimeoutError",
    "IterableSource",
    "JobTranscript",
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
    "ReconnectingEvent",
    "Recording",
    "RecordingState",
    "ResolvedConnectionConfig",
    "Result",
    "ServerError",
    "SlngClient",
    "SonioxClient",
    "SonioxConnectionError",
    "SonioxError",
    "SonioxHttpError",
    "SonioxTimeoutError",
    "Speech",
    "SpeechMetrics",
    "StateError",
    "SttConfig",
    "SttEvent",
    "SttSession",
    "SttSessionOptions",
    "SttSessionState",
    "Token",
    "Transcript",
    "Transcription",
    "TranscriptionConfig",
    "TranscriptionFailedError",
    "TranscriptionJob",
    "TranslationTerm",
    "TtsConnection",
    "TtsConnectionOptions",
    "TtsMetrics",
    "TtsPool",
    "TtsStream",
    "TtsStreamConfig",
    "TtsStreamInput",
    "TtsStreamState",
    "TwoWayTranslation",
    "WebhookEvent",
    "WebhookSignatureError",
    "error_from_frame",
    "is_retriable",
    "resolve_api_key",
    "resolve_connection_config",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
