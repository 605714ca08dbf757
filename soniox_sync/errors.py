"""Every exception this library raises, and how a server's error becomes one of them.

`SonioxError` is the root. Below it: mistakes of the caller (`ConfigurationError`, `StateError`),
cancelled calls (`AbortError`), limits (`SonioxTimeoutError`, `BufferOverflowError`), failures over
a WebSocket (`RealtimeError` and its classes) and over HTTP (`SonioxHttpError` and its classes), and
failures of an audio source (`AudioSourceError`). `AuthError` and `RateLimitError` are for both
transports: `except AuthError` catches a refused key wherever it shows.

Builtin exceptions are extended, never shadowed: `SonioxConnectionError` is a `ConnectionError`,
`SonioxTimeoutError` a `TimeoutError`, `ConfigurationError` a `ValueError`.
Source of the codes: Soniox docs api-reference/errors; PROTOCOL 2.6, 3.7, 5.10.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional, TypeVar

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
    "HttpRateLimitError",
    "InputTypeError",
    "NetworkError",
    "NotFoundError",
    "PermissionDeniedError",
    "QuotaError",
    "RateLimitError",
    "RealtimeAuthError",
    "RealtimeError",
    "RealtimeRateLimitError",
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
    """Base of all errors of this library; `code` is a stable slug to branch on.

    `audio_ms`: milliseconds of audio that `speak()` had handed out before it failed, `None` for
    everything else.
    """

    code: str = "error"
    audio_ms: Optional[int] = None

    def __init__(self, message: str = "", *, code: Optional[str] = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code

    @property
    def message(self) -> str:
        """Message without the class name."""
        return str(self)


class ConfigurationError(SonioxError, ValueError):
    """Wrong option, key, URL or value, refused before anything was sent."""

    code = "configuration_error"


class InputTypeError(ConfigurationError, TypeError):
    """Value of the wrong type, such as `str` where audio `bytes` are needed."""

    code = "configuration_error"


class StateError(SonioxError):
    """Call that the object's current state does not allow."""

    code = "state_error"


class AbortError(SonioxError):
    """End of a call that was cancelled, by a `CancelToken` or by closing what it waited for."""

    code = "aborted"


class BufferOverflowError(SonioxError):
    """End of a session or stream whose events were not consumed: its buffer reached its bound."""

    code = "buffer_overflow"


class SonioxTimeoutError(SonioxError, TimeoutError):
    """Time limit of a call that passed; the object itself can still be used."""

    code = "timeout"


class _ServiceError(SonioxError):
    """What the service's errors have in common, whatever the transport.

    `raw` is a frame, so `None` over HTTP.
    """

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


class AuthError(_ServiceError):
    """Key that was refused (401) or lacks the permission (403), over either transport.

    What is raised is a `RealtimeAuthError`, an `AuthenticationError` (HTTP 401) or a
    `PermissionDeniedError` (HTTP 403). `status_code`, `error_type`, `request_id` and `more_info`
    are as in `RealtimeError`.
    """

    code = "auth_error"


class RateLimitError(_ServiceError):
    """Too many requests at once or a minute (429), over either transport.

    What is raised is a `RealtimeRateLimitError` or an `HttpRateLimitError`. `retry_after_sec`:
    seconds after which the server asks to retry, `None` if it did not say. The other facts are as
    in `RealtimeError`.
    """

    code = "rate_limited"
    retry_after_sec: Optional[float] = None


class RealtimeError(_ServiceError):
    """Failure of a real-time connection, stream or transcription.

    `status_code`: the HTTP-like number of the error frame (`None` when the connection itself
    failed). `error_type`: the service's stable slug. `request_id`: quote it to the service's
    support. `more_info`: a URL. `raw`: the frame as received. Fields that an older server leaves
    out are `None`.
    """

    code = "realtime_error"


class RealtimeAuthError(RealtimeError, AuthError):
    """Key that was refused (401) or lacks the permission (403), over a WebSocket."""

    code = "auth_error"


class BadRequestError(RealtimeError):
    """Request that the service will not accept as it is (400)."""

    code = "bad_request"


class QuotaError(RealtimeError):
    """Exhausted budget (402), or a limit of rate or concurrency (429)."""

    code = "quota_exceeded"


class RealtimeRateLimitError(QuotaError, RateLimitError):
    """Too many requests, streams or connections (429), over a WebSocket."""

    code = "quota_exceeded"


class NetworkError(RealtimeError):
    """Failure of the service after which a new attempt may succeed (408, 500, 503)."""

    code = "network_error"


class DurationLimitError(RealtimeError):
    """Maximum duration of a stream or session reached (413); continue with a new one."""

    code = "duration_limit"


class SonioxConnectionError(RealtimeError, ConnectionError):
    """Connection that could not be made, or ended before all results had come."""

    code = "connection_error"


class ConnectTimeoutError(SonioxConnectionError, SonioxTimeoutError):
    """Connection that was not established within its time limit."""

    code = "connect_timeout"


class SonioxHttpError(_ServiceError):
    """Failed HTTP call. `code`: network_error, timeout, aborted, http_error, parse_error.

    `url`: without query and user info. `status_code`: `None` when no response came. `headers`:
    those of the response. `body_text`: the response's body, at most 4 KB of it. `error_type`,
    `request_id`, `more_info`: as in `RealtimeError`. `validation_errors`: what the service says
    about single fields. `nothing_sent`: whether no connection could be made, so that the call can
    be repeated without harm.
    """

    code = "http_error"
    nothing_sent: bool = False

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
        super().__init__(
            message,
            code=code,
            status_code=status_code,
            error_type=error_type,
            request_id=request_id,
            more_info=more_info,
        )
        self.url = url
        self.method = method
        self.headers: Mapping[str, str] = headers or {}
        self.body_text = body_text
        self.validation_errors: list[Mapping[str, Any]] = validation_errors or []


class AuthenticationError(SonioxHttpError, AuthError):
    """HTTP 401: the key is missing, wrong, expired or of another region."""


class PermissionDeniedError(SonioxHttpError, AuthError):
    """HTTP 403: the key lacks the permission for this call."""


class NotFoundError(SonioxHttpError):
    """HTTP 404: there is no such file, job, voice or model."""


class ConflictError(SonioxHttpError):
    """HTTP 409: the current state of a job or voice does not allow this call."""


class HttpRateLimitError(SonioxHttpError, RateLimitError):
    """HTTP 429: too many requests, or a limit of the account."""


class ServerError(SonioxHttpError):
    """HTTP 500 and above: the service, or a proxy before it, failed."""


class AudioSourceError(SonioxError):
    """Failure of an audio source, not of the service."""

    code = "audio_source_error"


class AudioPermissionError(AudioSourceError):
    """Microphone that the system does not let this program use."""

    code = "permission_denied"


class AudioDeviceError(AudioSourceError):
    """Audio device that does not exist or was unplugged."""

    code = "device_not_found"


class AudioUnavailableError(AudioSourceError):
    """Audio capture that is not possible here, for instance without its library."""

    code = "audio_unavailable"


class WebhookSignatureError(SonioxError):
    """Webhook whose shared secret is missing or wrong."""

    code = "webhook_signature"


# HTTP-like status -> class (PROTOCOL 2.6, 3.7); any other is a plain RealtimeError
_BY_STATUS: dict[int, type[RealtimeError]] = {
    400: BadRequestError,
    401: RealtimeAuthError,
    402: QuotaError,
    403: RealtimeAuthError,
    408: NetworkError,
    413: DurationLimitError,
    429: RealtimeRateLimitError,
    500: NetworkError,
    503: NetworkError,
}

# older servers leave the slug out; for these the number says the same
_TYPE_BY_STATUS: dict[int, str] = {401: "unauthenticated", 408: "request_timeout"}

# error_type (before status) -> what the user should do next
_ADVICE: dict[str, str] = {
    "unauthenticated": (
        "check that the key is complete and not expired, that it belongs to a project of this "
        "region, and that a temporary key was made for this service (usage_type) and not used up"
    ),
    "permission_denied": "give the API key the permission for this service in the console",
    "temp_api_key_session_expired": "get a new temporary key and open a new connection",
    "organization_balance_exhausted": "add funds to the organization",
    "organization_monthly_budget_exhausted": "raise the organization's monthly budget",
    "project_monthly_budget_exhausted": "raise the project's monthly budget",
    "limit_exceeded": "wait, then retry with fewer requests at once, or ask for a higher limit",
    "max_concurrent_connections_reached": "close idle connections",
    "max_concurrent_streams_reached": "wait for a stream of this connection to terminate",
    "max_duration_reached": "open a new connection and continue there",
    "max_audio_duration_reached": "split long text into several streams",
    "model_not_available": "choose one of the models that client.models and client.tts_models list",
    "service_unavailable": "open a new connection and repeat the request",
    "internal_error": "retry",
}


def error_from_frame(frame: Mapping[str, Any]) -> RealtimeError:
    """Return the exception for an error frame of the service.

    Tolerates what older and hostile servers send: missing fields, numbers as strings, wrong
    types. Never raises. The message says what to do next. Source: PROTOCOL 2.6, 3.7.
    """
    status = _as_int(frame.get("error_code"))
    error_type = _as_str(frame.get("error_type"))
    request_id = _as_str(frame.get("request_id"))
    if error_type is None and status is not None:
        error_type = _TYPE_BY_STATUS.get(status)
    cls = _BY_STATUS.get(status, RealtimeError) if status is not None else RealtimeError
    said = _as_str(frame.get("error_message")) or "the service sent an error without a message"
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
    {
        "request_timeout",
        "internal_error",
        "service_unavailable",
        "max_duration_reached",
        "limit_exceeded",
        "max_concurrent_connections_reached",  # its number is not documented
    }
)
_RETRIABLE_HTTP = frozenset({408, 429, 500, 502, 503, 504})


def is_retriable(error: BaseException) -> bool:
    """Return whether a new attempt with the same input may succeed.

    True for a lost or refused connection, 408, 429 (after `retry_after_sec`, or a while), 500, 503,
    413 `max_duration_reached`, and over HTTP for network errors, time-outs and 5xx as well. False
    for `temp_api_key_session_expired`, after which a new key is needed, and for everything unknown.
    """
    if isinstance(error, RateLimitError):
        return True
    if isinstance(error, SonioxConnectionError):
        return error.status_code is None or error.status_code >= 500
    if isinstance(error, RealtimeError):
        return isinstance(error, NetworkError) or error.error_type in _RETRIABLE_TYPES
    if isinstance(error, SonioxHttpError):
        if error.status_code is None:
            return error.code in ("network_error", "timeout")
        return error.status_code in _RETRIABLE_HTTP
    return False


def retry_after(headers: Mapping[str, str]) -> Optional[float]:
    """Return the pause that a response's `Retry-After` asks for, in seconds.

    `None` if it has none, or one that cannot be read.
    """
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
    value = str(value).strip()
    if re.fullmatch(r"[0-9]{1,11}(\.[0-9]{0,9})?", value):
        return float(value)
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
        return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())
    # what it raises for nonsense varies by version
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


E = TypeVar("E", bound=SonioxError)


def advised(error: E, advice: str) -> E:
    """Return the error with a sentence of advice after its message; class and facts stay."""
    twin = copy.copy(error)
    twin.args = (f"{str(error).rstrip('. ')}. {advice}",)
    twin.__cause__ = error.__cause__
    return twin


def fresh(error: BaseException) -> BaseException:
    """Return a copy of an error for one more caller, chained to the original.

    One exception raised in two threads would share its traceback. An exception of another library
    (raised by the caller's own iterable, say) is returned itself: a copy could lack parts of it.
    """
    if not isinstance(error, SonioxError):
        return error
    twin = copy.copy(error)
    twin.__cause__ = error
    twin.__suppress_context__ = True
    return twin
