"""Every exception this library raises, and how a server's error becomes one of them.

`SonioxError` is the root. Below it: errors of the caller (`ConfigurationError`, `StateError`),
ends asked for (`AbortError`), limits reached (`SonioxTimeoutError`, `BufferOverflowError`), what
the service said over a WebSocket (`RealtimeError` and its classes), over HTTP (`SonioxHttpError`
and its classes), and what an audio source reported (`AudioSourceError`).

Names that Python has as builtins are extended, never shadowed: `SonioxConnectionError` is a
`ConnectionError`, `SonioxTimeoutError` a `TimeoutError`, `ConfigurationError` a `ValueError`.
Source of the codes: Soniox docs api-reference/errors; PROTOCOL 2.6, 3.7, 5.10.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Optional

__all__ = [
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
    "InputTypeError",
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
]


class SonioxError(Exception):
    """Is the root of all errors raised here; `code` is a stable slug to branch on.

    `audio_ms`: how much audio `speak()` had handed out before this, `None` elsewhere.
    """

    code: str = "error"
    audio_ms: Optional[int] = None

    def __init__(self, message: str = "", *, code: Optional[str] = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """Give the text without the class name."""
        return str(self)


class ConfigurationError(SonioxError, ValueError):
    """Reports an option, key, URL or value that was refused before anything was sent."""

    code = "configuration_error"


class InputTypeError(ConfigurationError, TypeError):
    """Reports a value of the wrong type, such as `str` where audio `bytes` are needed."""

    code = "configuration_error"


class StateError(SonioxError):
    """Reports a call that the object's present state does not allow."""

    code = "state_error"


class AbortError(SonioxError):
    """Ends every waiting call after a `CancelToken` was cancelled."""

    code = "aborted"


class BufferOverflowError(SonioxError):
    """Ends a stream whose events were not consumed before its documented bound was reached."""

    code = "buffer_overflow"


class SonioxTimeoutError(SonioxError, TimeoutError):
    """Reports a deadline of the caller's that passed; the object it was asked of lives on."""

    code = "timeout"


class RealtimeError(SonioxError):
    """Is an error of a real-time connection, stream or transcription.

    `status_code` is the HTTP-like number of the error frame (`None` when the line itself failed),
    `error_type` the service's stable slug, `request_id` what support asks for, `more_info` a URL,
    `raw` the frame as received. Fields an older server left out are `None`.
    """

    code = "realtime_error"

    def __init__(
        self,
        message: str = "",
        *,
        code: Optional[str] = None,
        status_code: Optional[int] = None,
        error_type: Optional[str] = None,
        request_id: Optional[str] = None,
        more_info: Optional[str] = None,
        raw: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status_code = status_code
        self.error_type = error_type
        self.request_id = request_id
        self.more_info = more_info
        self.raw = raw


class AuthError(RealtimeError):
    """Reports a refused key (401) or a key without the right for this (403)."""

    code = "auth_error"


class BadRequestError(RealtimeError):
    """Reports a request the service will never accept as it is (400)."""

    code = "bad_request"


class QuotaError(RealtimeError):
    """Reports an exhausted budget (402) or a limit of rate or concurrency (429)."""

    code = "quota_exceeded"


class NetworkError(RealtimeError):
    """Reports a failure in the service's domain that a new attempt may survive (408, 500, 503)."""

    code = "network_error"


class DurationLimitError(RealtimeError):
    """Reports a stream that reached its longest duration (413); a new one may go on."""

    code = "duration_limit"


class SonioxConnectionError(RealtimeError, ConnectionError):
    """Reports a connection that could not be made, or ended before its work was complete."""

    code = "connection_error"


class ConnectTimeoutError(SonioxConnectionError, SonioxTimeoutError):
    """Reports a connection that did not stand within its deadline."""

    code = "connect_timeout"


class SonioxHttpError(SonioxError):
    """Is a failed HTTP call. `code`: network_error, timeout, aborted, http_error, parse_error.

    `url` is without query and user info; `headers` are those of the response; `body_text` holds at
    most 4 KB; `status_code` is `None` when no response came.
    """

    code = "http_error"

    def __init__(
        self,
        message: str = "",
        *,
        code: Optional[str] = None,
        url: Optional[str] = None,
        method: Optional[str] = None,
        status_code: Optional[int] = None,
        headers: Optional[Mapping[str, str]] = None,
        body_text: Optional[str] = None,
        error_type: Optional[str] = None,
        request_id: Optional[str] = None,
        more_info: Optional[str] = None,
        validation_errors: Optional[list[Mapping[str, Any]]] = None,
    ) -> None:
        super().__init__(message, code=code)
        self.url = url
        self.method = method
        self.status_code = status_code
        self.headers: Mapping[str, str] = headers or {}
        self.body_text = body_text
        self.error_type = error_type
        self.request_id = request_id
        self.more_info = more_info
        self.validation_errors: list[Mapping[str, Any]] = validation_errors or []


class AuthenticationError(SonioxHttpError):
    """Reports HTTP 401: the key is missing, wrong, expired or of another region."""


class PermissionDeniedError(SonioxHttpError):
    """Reports HTTP 403: the key lacks the right for this call."""


class NotFoundError(SonioxHttpError):
    """Reports HTTP 404."""


class ConflictError(SonioxHttpError):
    """Reports HTTP 409: the resource is in a state that forbids this call."""


class RateLimitError(SonioxHttpError):
    """Reports HTTP 429; `retry_after_sec` is the server's wish in seconds, `None` if unsaid."""

    retry_after_sec: Optional[float] = None


class ServerError(SonioxHttpError):
    """Reports HTTP 500 and above."""


class AudioSourceError(SonioxError):
    """Is a failure of an audio source, not of the service."""

    code = "audio_source_error"


class AudioPermissionError(AudioSourceError):
    """Reports that the system refused the microphone."""

    code = "permission_denied"


class AudioDeviceError(AudioSourceError):
    """Reports that the audio device does not exist or went away."""

    code = "device_not_found"


class AudioUnavailableError(AudioSourceError):
    """Reports that audio capture is not possible here, for instance without its library."""

    code = "audio_unavailable"


class WebhookSignatureError(SonioxError):
    """Reports a webhook whose shared secret is missing or wrong."""

    code = "webhook_signature"


# HTTP-like status -> class (PROTOCOL 2.6, 3.7); any other is a plain RealtimeError
_BY_STATUS: dict[int, type[RealtimeError]] = {
    400: BadRequestError,
    401: AuthError,
    402: QuotaError,
    403: AuthError,
    408: NetworkError,
    413: DurationLimitError,
    429: QuotaError,
    500: NetworkError,
    503: NetworkError,
}

# what an older server leaves out can be told from the number alone
_TYPE_BY_STATUS: dict[int, str] = {401: "unauthenticated", 408: "request_timeout"}

# error_type (before status) -> what the user should do next
_ADVICE: dict[str, str] = {
    "unauthenticated": (
        "check that the key is whole and not expired, that it belongs to this region's project, "
        "and that a temporary key was made for this service (usage_type) and not used up"
    ),
    "permission_denied": "give the API key the right for this service in the console",
    "temp_api_key_session_expired": "fetch a new temporary key and open a new connection",
    "organization_balance_exhausted": "add funds to the organization",
    "organization_monthly_budget_exhausted": "raise the organization's monthly budget",
    "project_monthly_budget_exhausted": "raise the project's monthly budget",
    "limit_exceeded": "wait and try again with fewer requests at once, or ask for a higher limit",
    "max_concurrent_connections_reached": "close connections that are idle",
    "max_concurrent_streams_reached": "wait for a stream of this connection to terminate",
    "max_duration_reached": "open a new connection and go on there",
    "max_audio_duration_reached": "speak long text as several streams",
    "model_not_available": "list the models and choose one of them",
    "service_unavailable": "open a new connection at once and repeat the request",
    "internal_error": "try again",
}


def error_from_frame(frame: Mapping[str, Any]) -> RealtimeError:
    """Turn an error frame of the service into the exception for it.

    Tolerates what older and hostile servers send: missing fields, numbers as strings, wrong
    types. Never raises. The message names what to do next. Source: PROTOCOL 2.6, 3.7.
    """
    status = _as_int(frame.get("error_code"))
    error_type = _as_str(frame.get("error_type"))
    request_id = _as_str(frame.get("request_id"))
    if error_type is None and status is not None:
        error_type = _TYPE_BY_STATUS.get(status)
    cls = _BY_STATUS.get(status, RealtimeError) if status is not None else RealtimeError
    said = _as_str(frame.get("error_message")) or "the service reported an error without a message"
    return cls(
        _compose(said, status, error_type, request_id),
        status_code=status,
        error_type=error_type,
        request_id=request_id,
        more_info=_as_str(frame.get("more_info")),
        raw=frame,
    )


def _compose(
    said: str, status: Optional[int], error_type: Optional[str], request_id: Optional[str]
) -> str:
    facts = [str(status)] if status is not None else []
    if error_type:
        facts.append(error_type)
    if request_id:
        facts.append(f"request {request_id}")
    text = said.rstrip(". ")
    if facts:
        text += f" ({', '.join(facts)})"
    advice = _ADVICE.get(error_type or "")
    return f"{text}: {advice}" if advice else text


def _as_int(value: object) -> Optional[int]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _as_str(value: object) -> Optional[str]:
    return value if isinstance(value, str) and value else None


# worth a new attempt on a new connection, whatever class carries them (PROTOCOL 2.6)
_RETRIABLE_TYPES = frozenset(
    {"request_timeout", "internal_error", "service_unavailable", "max_duration_reached"}
)
_RETRIABLE_HTTP = frozenset({408, 429, 500, 502, 503, 504})


def is_retriable(error: BaseException) -> bool:
    """Tell whether a new attempt with the same input may succeed.

    True for a lost or refused connection, 408, 500, 503, 413 `max_duration_reached`, and for HTTP
    network errors, time-outs, 429 and 5xx. `temp_api_key_session_expired` is False here: only a
    caller with a key callable can make it good. Unknown kinds are False.
    """
    if isinstance(error, SonioxConnectionError):
        return error.status_code is None or error.status_code >= 500
    if isinstance(error, RealtimeError):
        return isinstance(error, NetworkError) or error.error_type in _RETRIABLE_TYPES
    if isinstance(error, SonioxHttpError):
        if error.status_code is None:
            return error.code in ("network_error", "timeout")
        return error.status_code in _RETRIABLE_HTTP
    return False


def fresh(error: BaseException) -> BaseException:
    """Give each caller an exception of its own, chained to the first cause.

    One exception raised in two threads would share its traceback. An exception that is not ours
    (raised by the caller's own iterable, say) is handed back as it is: copying it could lose it.
    """
    if not isinstance(error, SonioxError):
        return error
    twin = copy.copy(error)
    twin.__cause__ = error
    twin.__suppress_context__ = True
    return twin
