"""The numbers the sandbox enforces: timers, sizes, counts and the pace of its audio.

Defaults are the service's documented or measured values (PROTOCOL 2.7, 3.4 - 3.6). Limits of an
account (requests per minute, concurrency, open connections) are off by default, so that a test
suite does not trip over them; `Limits.documented()` switches them on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional, Union

from ..errors import ConfigurationError

__all__ = ["Limits"]


@dataclasses.dataclass(frozen=True)
class Limits:
    """Holds every limit of a sandbox; `None` switches one off.

    Fields ending in `_sec` are seconds. Those that are timers are multiplied by `time_scale`, so
    `Limits(time_scale=0.01)` plays a 40 s rule in 0.4 s. Amounts of audio are never scaled.
    """

    # --- all WebSockets
    time_scale: float = 1.0
    # a connection that brought no key at all must send one in a message (PROTOCOL 3.6)
    unauthenticated_sec: Optional[float] = 10.0
    # the deprecated `api_key` in messages; False plays the service after 15 January 2027
    allow_message_auth: bool = True
    # a refused key is told at the first message or, without one, this much (real) time after the
    # upgrade: 0.23 s was measured, and a client whose first send races our close would fail there
    auth_error_delay_sec: float = 0.23
    # how long a peer may take to answer our close frame
    close_timeout_sec: float = 2.0
    max_message_bytes: int = 16 * 1024 * 1024

    # --- STT (PROTOCOL 2.2, 2.6, 2.7)
    # the service's number for a socket authenticated by header is not published
    stt_start_timeout_sec: Optional[float] = 60.0
    stt_first_audio_timeout_sec: Optional[float] = 20.0
    stt_gap_timeout_sec: Optional[float] = 20.0
    stt_decode_timeout_sec: Optional[float] = 10.0
    stt_max_duration_sec: Optional[float] = 300 * 60.0
    stt_max_context_chars: Optional[int] = 10_000
    stt_max_streams: Optional[int] = None
    stt_max_connections: Optional[int] = None
    stt_requests_per_minute: Optional[int] = None
    # every response leaves this much later; real time, not scaled
    stt_lag_sec: float = 0.0

    # --- TTS (PROTOCOL 3.4 - 3.6)
    tts_writer_quiet_sec: Optional[float] = 5.2
    tts_no_audio_start_sec: Optional[float] = 11.0
    tts_min_rate: Optional[float] = 0.8
    tts_min_rate_after_sec: float = 11.0
    tts_max_audio_sec: Optional[float] = 120.0
    tts_max_text_bytes: Optional[int] = 5000
    tts_streams_per_connection: Optional[int] = 5
    tts_idle_sec: Optional[float] = 40.0
    tts_no_audio_close_sec: Optional[float] = 180.0
    tts_max_streams: Optional[int] = None
    tts_max_connections: Optional[int] = None
    tts_requests_per_minute: Optional[int] = None
    # audio seconds produced per second of real time; None = as fast as possible
    tts_pace: Optional[float] = 20.0
    tts_first_audio_delay_sec: float = 0.0
    tts_chunk_ms: int = 100

    # --- REST (PROTOCOL 5.2, 5.3)
    rest_requests_per_minute: Optional[int] = None
    rest_max_upload_bytes: int = 1_073_741_824
    rest_max_files: int = 1000
    # the service stores 10 GB; here it is memory
    rest_max_stored_bytes: int = 512 * 1024 * 1024
    rest_max_pending: int = 100
    rest_max_transcriptions: int = 2000
    rest_max_voices: int = 100
    # how much longer a transcription takes than hearing does, and how long a voice is prepared
    rest_job_sec: float = 0.0
    rest_voice_sec: float = 0.2

    @classmethod
    def documented(cls, **overrides: Any) -> Limits:
        """Give the defaults plus the documented limits of a new account (PROTOCOL 2.7, 3.4)."""
        account: dict[str, Any] = {
            "stt_max_streams": 10,
            "stt_requests_per_minute": 100,
            "tts_max_streams": 3,
            "tts_requests_per_minute": 100,
        }
        account.update(overrides)
        return cls(**account)

    @classmethod
    def of(cls, value: Optional[Union[Limits, Mapping[str, Any]]]) -> Limits:
        """Read limits given as an object, as a mapping of overrides, or not at all.

        Raises `ConfigurationError` for a name that is no limit.
        """
        if value is None:
            return cls()
        if isinstance(value, Limits):
            return value
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(value) - known)
        if unknown:
            raise ConfigurationError(f"unknown sandbox limits: {', '.join(unknown)}")
        return cls(**value)

    def __post_init__(self) -> None:
        if self.time_scale <= 0:
            raise ConfigurationError("time_scale must be above 0")
        if self.tts_chunk_ms < 1:
            raise ConfigurationError("tts_chunk_ms must be at least 1")
        if self.tts_pace is not None and self.tts_pace <= 0:
            raise ConfigurationError("tts_pace must be above 0, or None for no pace")
