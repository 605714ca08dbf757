"""Keywords of public calls, for editors and type checkers; never imported at run time.

Each class repeats the fields of an option class, for `**keywords: Unpack[...]`; a test compares
the two. Defaults and checks are only in the option class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Optional, TypedDict

from .context import ContextLike, Translation


class SttKeywords(TypedDict, total=False):
    """Fields of `SttConfig`."""

    model: Optional[str]
    audio_format: Optional[str]
    sample_rate: Optional[int]
    num_channels: Optional[int]
    language_hints: Optional[Sequence[str]]
    language_hints_strict: Optional[bool]
    context: Optional[ContextLike]
    enable_speaker_diarization: Optional[bool]
    enable_language_identification: Optional[bool]
    enable_endpoint_detection: Optional[bool]
    max_endpoint_delay_ms: Optional[int]
    endpoint_sensitivity: Optional[float]
    endpoint_latency_adjustment_level: Optional[int]
    enable_agent_text_input: Optional[bool]
    translation: Optional[Translation]
    client_reference_id: Optional[str]
    extra: Optional[Mapping[str, Any]]


class PatienceKeywords(TypedDict, total=False):
    """Fields of `Patience`."""

    max_reconnect_attempts: Optional[int]
    reconnect_base_delay_sec: float
    max_reconnect_delay_sec: float
    give_up_after_sec: Optional[float]
    stable_after_sec: float


class RecordingKeywords(SttKeywords, PatienceKeywords, total=False):
    """Fields of `SttConfig`, and of `RecordingOptions` except for `auto_reconnect`.

    The default of that one depends on the call, so it is in the signatures. `buffer_queue_size`
    defaults to the client's, also for `None`.
    """

    reset_transcript_on_reconnect: bool
    replay_window_sec: float
    rotate_after_sec: Optional[float]
    translation_watchdog: bool
    catch_up_speed: Optional[float]
    catch_up_burst_sec: float
    buffer_queue_size: Optional[int]


class TtsKeywords(TypedDict, total=False):
    """Fields of `TtsStreamInput`."""

    model: Optional[str]
    language: Optional[str]
    voice: Optional[str]
    audio_format: Optional[str]
    sample_rate: Optional[int]
    bitrate: Optional[int]
    speed: Optional[float]
    reduce_silence: Optional[bool]
    return_timestamps: Optional[bool]
    client_reference_id: Optional[str]
    stream_id: Optional[str]
    extra: Optional[Mapping[str, Any]]


class TtsConnectionKeywords(TypedDict, total=False):
    """Fields of `TtsConnectionOptions`."""

    connect_timeout_sec: float
    keepalive_interval_sec: float
    ping_interval_sec: Optional[float]
    ping_timeout_sec: Optional[float]


class StreamKeywords(TtsKeywords, TtsConnectionKeywords, total=False):
    """Fields of `TtsStreamInput` and of `TtsConnectionOptions`."""


class SpeechKeywords(StreamKeywords, PatienceKeywords, total=False):
    """Fields of `TtsStreamInput`, of `TtsConnectionOptions` and of `Patience`."""


class PooledSpeechKeywords(TtsKeywords, PatienceKeywords, total=False):
    """Fields of `TtsStreamInput` and of `Patience`."""


class VoiceKeywords(TypedDict, total=False):
    """Fields of `TtsStreamInput` that may change between two sentences."""

    model: Optional[str]
    language: Optional[str]
    voice: Optional[str]
    speed: Optional[float]
    reduce_silence: Optional[bool]
    client_reference_id: Optional[str]
    extra: Optional[Mapping[str, Any]]


class ConversationOptionKeywords(TypedDict, total=False):
    """Fields of `ConversationOptions`."""

    barge_in: bool
    min_barge_in_words: int
    backchannels: Optional[Sequence[str]]
    false_interruption_sec: Optional[float]
    duplex: Optional[Literal["full", "half"]]
    turn_end: Literal["endpoint", "manual"]
    patience_sec: float
    max_turn_sec: float
    user_silence_sec: float
    agent_silence_sec: float


class ConversationKeywords(ConversationOptionKeywords, SpeechKeywords, total=False):
    """Fields of `ConversationOptions`, of `TtsStreamInput`, and the others of `speak()`."""

    max_quiet_sec: float
    timestamps: bool
