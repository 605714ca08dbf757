"""Limits that the sandbox enforces: timers, sizes, counts and the pace of its audio.

Defaults are the service's documented or measured values (PROTOCOL 2.7, 3.4 - 3.6). Limits of an
account (requests per minute, concurrency, open connections) are off by default, so that a test
suite does not trip over them; `Limits.documented()` switches them on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

from .._support import checks as _checks

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .keywords import LimitsKeywords

__all__ = ["Limits", "read_limits"]


@dataclasses.dataclass(frozen=True, repr=False)
class Limits:
    """Limits of a sandbox; `None` switches one off.

    Fields ending in `_sec` are seconds of the service's time, which `time_scale` multiplies: with
    `Limits(time_scale=0.01)` a limit of 40 s takes 0.4 s. "Real seconds" and amounts of audio are
    not scaled.

    Raises
        ConfigurationError: a value out of its range.
        InputTypeError: a value of the wrong type.
    """

    # --- all WebSockets
    time_scale: float = 1.0
    """Real seconds per second of the service's time; more than 0."""
    unauthenticated_sec: Optional[float] = 10.0
    """Time in which a connection without a key must send one in a message (PROTOCOL 3.6)."""
    allow_message_auth: bool = True
    """Whether the deprecated `api_key` in messages is accepted; not after 15 January 2027."""
    # 0.23 s was measured; with less, the first send of a client would race with our close
    auth_error_delay_sec: float = 0.23
    """Real seconds from the upgrade until a refused key is reported, if there is no message."""
    close_timeout_sec: float = 2.0
    """Real seconds that the client may take to answer a close frame."""
    max_message_bytes: int = 16 * 1024 * 1024
    """Largest message accepted; a larger one closes with 1009."""

    # --- STT (PROTOCOL 2.2, 2.6, 2.7)
    # the service's number for a connection authenticated by header is not published
    stt_start_timeout_sec: Optional[float] = 60.0
    """Time from the upgrade to the start request."""
    stt_first_audio_timeout_sec: Optional[float] = 20.0
    """Time from the start request, or a keepalive, to the first audio."""
    stt_gap_timeout_sec: Optional[float] = 20.0
    """Time from audio, or a keepalive, to the next of either."""
    stt_decode_timeout_sec: Optional[float] = 10.0
    """Time in which the format of audio must be recognised when it is `auto`."""
    stt_max_duration_sec: Optional[float] = 300 * 60.0
    """Maximum duration of a session, and (not scaled) of its audio."""
    stt_max_context_chars: Optional[int] = 10_000
    """Maximum characters of the context."""
    stt_max_streams: Optional[int] = None
    """Maximum concurrent sessions; the documented limit is 10."""
    stt_max_connections: Optional[int] = None
    """Maximum open connections."""
    stt_requests_per_minute: Optional[int] = None
    """Maximum sessions started per minute; the documented limit is 100."""
    stt_lag_sec: float = 0.0
    """Real seconds by which every response is delayed."""

    # --- TTS (PROTOCOL 3.4 - 3.6)
    tts_writer_quiet_sec: Optional[float] = 5.2
    """Time from one text of a stream to the next, or to its end."""
    tts_no_audio_start_sec: Optional[float] = 11.0
    """Time from a stream's config to its first audio."""
    tts_min_rate: Optional[float] = 0.8
    """Minimum audio of a stream, in seconds per second of real time."""
    tts_min_rate_after_sec: float = 11.0
    """Time from a stream's config until `tts_min_rate` is enforced."""
    tts_max_audio_sec: Optional[float] = 120.0
    """Maximum audio of a stream, in seconds (not scaled)."""
    tts_max_text_bytes: Optional[int] = 5000
    """Maximum text of a stream, in UTF-8 bytes."""
    tts_streams_per_connection: Optional[int] = 5
    """Maximum concurrent streams on one connection."""
    tts_idle_sec: Optional[float] = 40.0
    """Time without a message until the connection is closed."""
    tts_no_audio_close_sec: Optional[float] = 180.0
    """Time without audio until the connection is closed, whatever is sent."""
    tts_max_streams: Optional[int] = None
    """Maximum concurrent streams, including `POST /tts`; the documented limit is 3."""
    tts_max_connections: Optional[int] = None
    """Maximum open connections."""
    tts_requests_per_minute: Optional[int] = None
    """Maximum streams started per minute; the documented limit is 100."""
    tts_pace: Optional[float] = 20.0
    """Seconds of audio sent per second of real time, more than 0; `None`: as fast as possible."""
    tts_first_audio_delay_sec: float = 0.0
    """Real seconds from the start of a stream to its first audio."""
    tts_chunk_ms: int = 100
    """Milliseconds of audio in one message."""

    # --- the gateway (PROTOCOL 8.3)
    bridge_binary_audio: Optional[bool] = None
    """Whether the bridge sends speech in binary messages rather than as base64; `None`: to clients
    that read nothing else, whose `init` has a config but no model."""

    # --- REST (PROTOCOL 5.2, 5.3)
    rest_requests_per_minute: Optional[int] = None
    """Maximum requests to the `/v1` endpoints per minute."""
    rest_max_upload_bytes: int = 1_073_741_824
    """Maximum bytes of one file."""
    rest_max_files: int = 1000
    """Maximum stored files."""
    # the service stores 10 GB; the sandbox keeps files in memory
    rest_max_stored_bytes: int = 512 * 1024 * 1024
    """Maximum bytes of all stored files together."""
    rest_max_pending: int = 100
    """Maximum transcriptions that are queued or in progress."""
    rest_max_transcriptions: int = 2000
    """Maximum stored transcriptions."""
    rest_max_voices: int = 100
    """Maximum cloned voices."""
    rest_job_sec: float = 0.0
    """Time that a transcription takes in addition to the recognition itself."""
    rest_voice_sec: float = 0.2
    """Time that it takes to prepare a cloned voice."""

    @classmethod
    def documented(cls, **overrides: Unpack[LimitsKeywords]) -> Limits:
        """Return the defaults plus the documented limits of a new account (PROTOCOL 2.7, 3.4).

        `overrides` are fields of this class.
        """
        account: dict[str, Any] = {
            "stt_max_streams": 10,
            "stt_requests_per_minute": 100,
            "tts_max_streams": 3,
            "tts_requests_per_minute": 100,
        }
        return cls(**{**account, **overrides})

    def __repr__(self) -> str:
        fields = {each.name: each.default for each in dataclasses.fields(self)}
        changed = {name: value for name, value in vars(self).items() if value != fields[name]}
        return f"Limits({', '.join(f'{name}={value}' for name, value in changed.items())})"

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # annotations are strings here: "Optional[float]"
            kind = str(field.type)
            if value is not None or not kind.startswith("Optional"):
                _CHECKS[kind.replace("Optional[", "").rstrip("]")](field.name, value)
        for name in ("time_scale", "tts_pace", "tts_chunk_ms"):
            if getattr(self, name) == 0:
                raise _checks.wrong_value(name, "more than 0", 0)


_CHECKS = {"float": _checks.number(0), "int": _checks.integer(0), "bool": _checks.boolean}


def read_limits(value: Optional[Union[Limits, Mapping[str, Any]]]) -> Limits:
    """Return limits given as an object, as a mapping of overrides, or not at all.

    Raises
        ConfigurationError: an unknown name, or a value out of its range.
        InputTypeError: a value of the wrong type.
    """
    if isinstance(value, Limits):
        return value
    if value is None:
        return Limits()
    _checks.mapping("limits", value)
    known = [field.name for field in dataclasses.fields(Limits)]
    _checks.refuse_unknown(value, known, "limits")
    return Limits(**value)
