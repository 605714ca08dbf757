"""Blocking client for the Soniox speech service: transcription and speech without an event loop.

    from soniox_sync import SonioxClient

    client = SonioxClient()  # the key is read from SONIOX_API_KEY

Importing this package opens nothing and starts nothing; each name is loaded when first used.
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
    from .protocol.states import SttSessionState, TtsStreamState
    from .protocol.tokens import Result, SttEvent, Token
    from .protocol.tts import AudioChunk
    from .stt import SttSession
    from .tts import TtsConnection
    from .tts_stream import TtsMetrics, TtsStream

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
    "protocol.states": ("SttSessionState", "TtsStreamState"),
    "protocol.tokens": ("Result", "SttEvent", "Token"),
    "protocol.tts": ("AudioChunk",),
    "stt": ("SttSession",),
    "tts": ("TtsConnection",),
    "tts_stream": ("TtsMetrics", "TtsStream"),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
