"""Keywords of calls over HTTP, for editors and type checkers; never imported at run time.

Each class repeats the fields of an option class, for `**keywords: Unpack[...]`; a test compares
the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypedDict

if TYPE_CHECKING:
    from ..cancel import CancelToken
    from ..config.context import ContextLike, Translation
    from .multipart import OnProgress, Upload
    from .stt.config import ConfigLike, WebhookAuth
    from .stt.jobs import OnJob


class _Spoken(TypedDict):
    text: str
    voice: str


class GenerateKeywords(_Spoken, total=False):
    """Text, and the fields of `TtsStreamConfig` that a request has."""

    model: str
    language: str
    audio_format: str
    sample_rate: Optional[int]
    bitrate: Optional[int]
    speed: Optional[float]
    reduce_silence: Optional[bool]
    client_reference_id: Optional[str]
    extra: Optional[Mapping[str, Any]]
    cancel: Optional[CancelToken]


class _Recognised(TypedDict, total=False):
    language_hints: Optional[Sequence[str]]
    language_hints_strict: Optional[bool]
    enable_speaker_diarization: Optional[bool]
    enable_language_identification: Optional[bool]
    translation: Optional[Translation]
    context: Optional[ContextLike]
    extra: Optional[Mapping[str, Any]]
    model: str
    client_reference_id: Optional[str]
    config: ConfigLike
    cancel: Optional[CancelToken]


class CreateKeywords(_Recognised, total=False):
    """Fields of `TranscriptionConfig`, and of a job whose audio the service has or downloads."""

    webhook_url: Optional[str]
    webhook_auth_header_name: Optional[str]
    webhook_auth_header_value: Optional[str]
    file_id: Optional[str]
    audio_url: Optional[str]


class TranscribeKeywords(CreateKeywords, total=False):
    """`CreateKeywords`, and a file to upload."""

    file: Optional[Upload]
    filename: Optional[str]
    on_upload_progress: Optional[OnProgress]


class TranscribeAndWaitKeywords(TranscribeKeywords, total=False):
    """`TranscribeKeywords`, and how to wait."""

    delete_after: bool
    wait_interval_sec: float
    wait_timeout_sec: Optional[float]
    on_progress: Optional[OnJob]


class WebhookFields(TypedDict, total=False):
    """Return value of `client.webhooks.fields()`, for `client.stt.create(**fields)`."""

    webhook_url: str
    webhook_auth_header_name: str
    webhook_auth_header_value: str


class _Called(TypedDict):
    file: Upload
    webhook_url: str


class WebhookKeywords(_Recognised, _Called, total=False):
    """The part of `TranscribeKeywords` for a file with a webhook."""

    webhook_auth: WebhookAuth
    filename: Optional[str]
    on_upload_progress: Optional[OnProgress]
