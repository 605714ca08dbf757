"""Keywords of the sandbox's calls, for editors and type checkers; never imported at run time.

Each class repeats parameters or fields, for `**keywords: Unpack[...]`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Optional, TypedDict, Union

if TYPE_CHECKING:
    import ssl

    import requests

    from .._support.types import TraceTo, Verify
    from ..config import ApiKey, ConfigSource, SttConfig, SttSessionOptions, TtsStreamInput
    from ..config.keys import Auth
    from ..slng.headers import Zones
    from ..sources import PermissionResolver

Kind = Literal["stt", "tts", "rest"]


class FaultKeywords(TypedDict, total=False):
    """Which connections a fault hits, and when; see `Faults`."""

    kind: Optional[Kind]
    path: Optional[str]
    skip: int
    times: int
    after_sec: Optional[float]
    after_bytes_in: Optional[int]
    after_bytes_out: Optional[int]
    after_frames_in: Optional[int]
    after_frames_out: Optional[int]
    after_audio_ms: Optional[float]
    after_body_bytes: Optional[int]


class ScriptKeywords(TypedDict, total=False):
    """Parameters of `Script` but for its words."""

    ms_per_word: int
    final_lag_ms: int
    speaker: str
    language: Optional[str]
    repeat: bool


class ClientKeywords(TypedDict, total=False):
    """Parameters of `SonioxClient`."""

    api_key: Optional[ApiKey]
    config: ConfigSource
    region: Optional[str]
    base_domain: Optional[str]
    api_url: Optional[str]
    stt_ws_url: Optional[str]
    tts_api_url: Optional[str]
    tts_ws_url: Optional[str]
    stt_defaults: Union[SttConfig, Mapping[str, Any], None]
    tts_defaults: Union[TtsStreamInput, Mapping[str, Any], None]
    default_session_options: Union[SttSessionOptions, Mapping[str, Any], None]
    buffer_queue_size: int
    permissions: Optional[PermissionResolver]
    auth: Auth
    timeout_sec: float
    max_retries: int
    proxy: Optional[str]
    verify: Verify
    ssl_context: Optional[ssl.SSLContext]
    http_session: Optional[requests.Session]
    trace: TraceTo
    trace_audio: bool


class SlngClientKeywords(TypedDict, total=False):
    """Parameters of `SlngClient`."""

    api_key: Optional[ApiKey]
    world_part: Optional[Zones]
    region: Optional[Zones]
    provider_key: Optional[ApiKey]
    base_url: str
    agent_id: Optional[str]
    session_id: Optional[str]
    stt_ws_url: Optional[str]
    tts_ws_url: Optional[str]
    stt_defaults: Union[SttConfig, Mapping[str, Any], None]
    tts_defaults: Union[TtsStreamInput, Mapping[str, Any], None]
    default_session_options: Union[SttSessionOptions, Mapping[str, Any], None]
    buffer_queue_size: int
    permissions: Optional[PermissionResolver]
    timeout_sec: float
    proxy: Optional[str]
    verify: Verify
    ssl_context: Optional[ssl.SSLContext]
    trace: TraceTo
    trace_audio: bool


class LimitsKeywords(TypedDict, total=False):
    """Fields of `Limits`."""

    time_scale: float
    unauthenticated_sec: Optional[float]
    allow_message_auth: bool
    auth_error_delay_sec: float
    close_timeout_sec: float
    max_message_bytes: int
    stt_start_timeout_sec: Optional[float]
    stt_first_audio_timeout_sec: Optional[float]
    stt_gap_timeout_sec: Optional[float]
    stt_decode_timeout_sec: Optional[float]
    stt_max_duration_sec: Optional[float]
    stt_max_context_chars: Optional[int]
    stt_max_streams: Optional[int]
    stt_max_connections: Optional[int]
    stt_requests_per_minute: Optional[int]
    stt_lag_sec: float
    tts_writer_quiet_sec: Optional[float]
    tts_no_audio_start_sec: Optional[float]
    tts_min_rate: Optional[float]
    tts_min_rate_after_sec: float
    tts_max_audio_sec: Optional[float]
    tts_max_text_bytes: Optional[int]
    tts_streams_per_connection: Optional[int]
    tts_idle_sec: Optional[float]
    tts_no_audio_close_sec: Optional[float]
    tts_max_streams: Optional[int]
    tts_max_connections: Optional[int]
    tts_requests_per_minute: Optional[int]
    tts_pace: Optional[float]
    tts_first_audio_delay_sec: float
    tts_chunk_ms: int
    bridge_binary_audio: Optional[bool]
    rest_requests_per_minute: Optional[int]
    rest_max_upload_bytes: int
    rest_max_files: int
    rest_max_stored_bytes: int
    rest_max_pending: int
    rest_max_transcriptions: int
    rest_max_voices: int
    rest_job_sec: float
    rest_voice_sec: float
