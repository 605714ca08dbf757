"""`soniox_sync.errors`: the class for each server error, and what can be retried."""

from __future__ import annotations

import copy
import pickle

import pytest

import soniox_sync.errors as errors
from soniox_sync.errors import (
    AudioDeviceError,
    AudioPermissionError,
    AudioUnavailableError,
    AuthenticationError,
    AuthError,
    BadRequestError,
    ConfigurationError,
    ConnectTimeoutError,
    DurationLimitError,
    HttpRateLimitError,
    InputTypeError,
    NetworkError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RealtimeAuthError,
    RealtimeError,
    RealtimeRateLimitError,
    ServerError,
    SonioxConnectionError,
    SonioxError,
    SonioxHttpError,
    SonioxTimeoutError,
    advised,
    error_from_frame,
    fresh,
    is_retriable,
    retry_after,
)

FRAME = {
    "tokens": [],
    "error_code": 401,
    "error_type": "unauthenticated",
    "error_message": "Invalid API key.",
    "more_info": "https://soniox.com/docs/api-reference/errors#unauthenticated",
    "request_id": "req-7",
}


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, BadRequestError),
        (401, RealtimeAuthError),
        (402, QuotaError),
        (403, RealtimeAuthError),
        (408, NetworkError),
        (413, DurationLimitError),
        (429, RealtimeRateLimitError),
        (500, NetworkError),
        (503, NetworkError),
        (418, RealtimeError),
    ],
)
def test_status_decides_the_class(status, cls):
    """The HTTP-like number of an error frame decides its exception class."""
    error = error_from_frame({"error_code": status, "error_message": "no"})
    assert type(error) is cls
    assert error.status_code == status


def test_frame_fields_are_kept():
    """An error frame's five fields and the frame itself are attributes of the exception."""
    error = error_from_frame(FRAME)
    assert error.error_type == "unauthenticated"
    assert error.request_id == "req-7"
    assert error.more_info == FRAME["more_info"]
    assert error.raw == FRAME
    assert error.code == "auth_error"


def test_message_says_what_to_do_next():
    """The message of a 401 names the region and the kind of key as things to check."""
    text = str(error_from_frame(FRAME))
    assert "Invalid API key" in text
    assert "region" in text
    assert "usage_type" in text
    assert "req-7" in text


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"error_code": None, "error_type": None, "error_message": None, "request_id": None},
        {"error_code": "abc", "error_message": ["x"]},
        {"error_code": float("nan")},
        {"error_code": float("inf")},
        {"error_code": True},
        {"error_code": {"a": 1}, "error_type": 5, "more_info": 3},
    ],
)
def test_malformed_frames_become_plain_errors(frame):
    """A frame with missing or mistyped fields becomes a RealtimeError without a status."""
    error = error_from_frame(frame)
    assert type(error) is RealtimeError
    assert error.status_code is None
    assert str(error)


def test_string_codes_are_numbers():
    """An error code sent as a string of digits is read as a number."""
    error = error_from_frame({"error_code": "503", "error_message": "Cannot continue request"})
    assert type(error) is NetworkError
    assert error.status_code == 503


def test_old_server_gets_its_error_type():
    """A 408 without error_type, as old servers send it, is a request_timeout."""
    assert error_from_frame({"error_code": 408}).error_type == "request_timeout"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SonioxConnectionError("lost"), True),
        (SonioxConnectionError("refused", status_code=503), True),
        (SonioxConnectionError("refused", status_code=403), False),
        (ConnectTimeoutError("late"), True),
        (error_from_frame({"error_code": 408}), True),
        (error_from_frame({"error_code": 500}), True),
        (error_from_frame({"error_code": 503}), True),
        (error_from_frame({"error_code": 413, "error_type": "max_duration_reached"}), True),
        (error_from_frame({"error_code": 413, "error_type": "max_audio_duration_reached"}), False),
        (error_from_frame({"error_code": 400}), False),
        (error_from_frame({"error_code": 401}), False),
        (error_from_frame({"error_code": 402}), False),
        (
            error_from_frame({"error_code": 403, "error_type": "temp_api_key_session_expired"}),
            False,
        ),
        (error_from_frame({"error_code": 429}), True),
        (error_from_frame({"error_type": "max_concurrent_connections_reached"}), True),
        (SonioxHttpError("x", status_code=429), True),
        (ServerError("x", status_code=502), True),
        (SonioxHttpError("x", status_code=404), False),
        (SonioxHttpError("x", code="network_error"), True),
        (SonioxHttpError("x", code="timeout"), True),
        (SonioxHttpError("x", code="aborted"), False),
        (ConfigurationError("x"), False),
        (SonioxTimeoutError("x"), False),
        (OSError("x"), False),
    ],
)
def test_what_can_be_retried(error, expected):
    """Lost connections, 408, 500, 503 and the STT duration limit are retriable, refusals not."""
    assert is_retriable(error) is expected


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (ConfigurationError, ValueError),
        (InputTypeError, TypeError),
        (InputTypeError, ConfigurationError),
        (SonioxConnectionError, ConnectionError),
        (SonioxConnectionError, RealtimeError),
        (SonioxTimeoutError, TimeoutError),
        (ConnectTimeoutError, SonioxTimeoutError),
        (ConnectTimeoutError, SonioxConnectionError),
        (RealtimeAuthError, AuthError),
        (RealtimeAuthError, RealtimeError),
        (AuthenticationError, AuthError),
        (AuthenticationError, SonioxHttpError),
        (PermissionDeniedError, AuthError),
        (PermissionDeniedError, SonioxHttpError),
        (RealtimeRateLimitError, RateLimitError),
        (RealtimeRateLimitError, QuotaError),
        (HttpRateLimitError, RateLimitError),
        (HttpRateLimitError, SonioxHttpError),
    ],
)
def test_errors_extend_the_builtins(cls, builtin):
    """Errors are caught as the builtin, or the class of both transports, that fits them."""
    with pytest.raises(builtin, match="why"):
        raise cls("why")


CLASSES = [
    value for value in (getattr(errors, name) for name in errors.__all__) if isinstance(value, type)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_keeps_its_message_and_code(cls):
    """Every exported class takes a message and a code and keeps both through pickle and copy."""
    error = cls("why", code="custom")
    assert isinstance(error, SonioxError)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert (str(twin), twin.message, twin.code) == ("why", "why", "custom")


def test_realtime_fields_survive_pickling():
    """A RealtimeError keeps its fields through pickle, as process pools need it."""
    twin = pickle.loads(pickle.dumps(error_from_frame(FRAME)))
    assert (twin.status_code, twin.request_id, twin.raw) == (401, "req-7", FRAME)


def test_source_errors_carry_their_codes():
    """The three audio source errors carry the codes of the permission model."""
    assert AudioPermissionError("x").code == "permission_denied"
    assert AudioDeviceError("x").code == "device_not_found"
    assert AudioUnavailableError("x").code == "audio_unavailable"


def test_fresh_returns_a_new_exception_for_each_waiter():
    """A fresh error has the same class and fields, and the first one as its cause."""
    first = error_from_frame(FRAME)
    twin = fresh(first)
    assert twin is not first
    assert type(twin) is type(first)
    assert str(twin) == str(first)
    assert twin.__cause__ is first
    assert twin.request_id == "req-7"


def test_fresh_leaves_foreign_exceptions_alone():
    """An exception that is not the library's is returned unchanged."""
    foreign = KeyError("x")
    assert fresh(foreign) is foreign


def test_http_error_has_empty_collections():
    """An HTTP error made from a message alone has empty headers and validation errors."""
    error = SonioxHttpError("x")
    assert error.headers == {}
    assert error.validation_errors == []
    assert error.status_code is None


@pytest.mark.parametrize("cls", [AuthError, RateLimitError])
def test_the_classes_of_both_transports_share_their_fields(cls):
    """`AuthError` and `RateLimitError` always have status, type and request id."""
    members = [each for each in CLASSES if issubclass(each, cls)]
    assert {issubclass(each, RealtimeError) for each in members if each is not cls} == {True, False}
    for member in members:
        error = member("no", status_code=429, error_type="slug", request_id="r-1")
        facts = (error.status_code, error.error_type, error.request_id, error.more_info)
        assert facts == (429, "slug", "r-1", None)
    assert AuthenticationError("x").code == PermissionDeniedError("x").code == "http_error"
    assert HttpRateLimitError("x").retry_after_sec is None


def test_advice_is_a_sentence_after_the_service_s_own():
    """Advice is appended; class, fields and message of the error stay the same."""
    error = error_from_frame({**FRAME, "error_code": 503, "error_type": "service_unavailable"})
    advised_error = advised(error, "Send raw PCM.")
    assert type(advised_error) is NetworkError
    assert str(advised_error) == f"{error}. Send raw PCM."
    assert (advised_error.status_code, advised_error.error_type, advised_error.request_id) == (
        503,
        "service_unavailable",
        "req-7",
    )
    assert is_retriable(advised_error)
    assert "PCM" not in str(error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        ("0.7", 0.7),
        (" 10 ", 10.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 +99999999999999", None),
        ("Fri, 31 Dec 1999 23:59:59 -0930", 0.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("Wed, 21 Oct 99999999 07:28:00 GMT", None),
        ("0", 0.0),
        ("00000000007", 7.0),
        ("99999999999", 99999999999.0),
        ("9" * 400, None),
        ("7, 9", None),
        ("+5", None),
        ("0x10", None),
        ("NaN", None),
        ("\u0667", None),
        ("soon", None),
        ("-5", None),
        ("1e400", None),
        ("", None),
    ],
)
def test_retry_after_is_read_leniently(text, seconds):
    """`Retry-After` is seconds, also fractions, or a date; anything else is no pause."""
    assert retry_after({"retry-after": text}) == seconds
    assert retry_after({}) is None
