"""The service over HTTP: speech in one request, transcription of files, and what an account holds.

Reached through `SonioxClient`: `client.tts`, `client.stt`, `client.files` and so on. `requests` is
imported with the first call, not before. The names here are the types of what the calls give.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .auth import TemporaryApiKey
    from .catalog import SttModel, TtsModel
    from .failures import HttpAbortError, HttpTimeoutError
    from .files import File, FilePage
    from .records import Count
    from .stt_types import JobTranscript, TranscriptionFailedError, TranscriptionJob
    from .transcription_config import TranscriptionConfig
    from .tts import SpeechBody
    from .usage import UsageLog, UsageSummary
    from .voices import SharedVoice, Voice, VoicePage
    from .webhooks import WebhookEvent

_WHERE = {
    "auth": ("TemporaryApiKey",),
    "catalog": ("SttModel", "TtsModel"),
    "failures": ("HttpAbortError", "HttpTimeoutError"),
    "files": ("File", "FilePage"),
    "records": ("Count",),
    "stt_types": ("JobTranscript", "TranscriptionFailedError", "TranscriptionJob"),
    "transcription_config": ("TranscriptionConfig",),
    "tts": ("SpeechBody",),
    "usage": ("UsageLog", "UsageSummary"),
    "voices": ("SharedVoice", "Voice", "VoicePage"),
    "webhooks": ("WebhookEvent",),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}

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


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value
