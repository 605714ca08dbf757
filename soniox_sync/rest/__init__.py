"""The service over HTTP: speech in one request, transcription of files, and account data.

Reached through `SonioxClient`: `client.tts`, `client.stt`, `client.files` and so on. `requests` is
imported with the first call, not before. The names here are the types of what the calls return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._support.lazy import lazy_names

if TYPE_CHECKING:
    from .auth import TemporaryApiKey
    from .catalog import SttModel, TtsModel
    from .errors import HttpAbortError, HttpTimeoutError
    from .files import File, FilePage
    from .records import Count
    from .stt.config import TranscriptionConfig
    from .stt.types import JobTranscript, TranscriptionFailedError, TranscriptionJob
    from .tts import SpeechBody
    from .usage import UsageLog, UsageSummary
    from .voices import SharedVoice, Voice, VoicePage
    from .webhooks import WebhookEvent

__all__ = [
    "Count",
    "File",
    "FilePage",
    "HttpAbortError",
    "HttpTimeoutError",
    "JobTranscript",
    "SharedVoice",
    "SpeechBody",
    "SttModel",
    "TemporaryApiKey",
    "TranscriptionConfig",
    "TranscriptionFailedError",
    "TranscriptionJob",
    "TtsModel",
    "UsageLog",
    "UsageSummary",
    "Voice",
    "VoicePage",
    "WebhookEvent",
]

lazy_names(
    globals(),
    {
        "auth": "TemporaryApiKey",
        "catalog": "SttModel TtsModel",
        "errors": "HttpAbortError HttpTimeoutError",
        "files": "File FilePage",
        "records": "Count",
        "stt.types": "JobTranscript TranscriptionFailedError TranscriptionJob",
        "stt.config": "TranscriptionConfig",
        "tts": "SpeechBody",
        "usage": "UsageLog UsageSummary",
        "voices": "SharedVoice Voice VoicePage",
        "webhooks": "WebhookEvent",
    },
)
