"""Every error that the service documents for its WebSockets, and the exception for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

from soniox_sync.errors import (
    BadRequestError,
    DurationLimitError,
    NetworkError,
    QuotaError,
    RealtimeAuthError,
    RealtimeError,
    RealtimeRateLimitError,
    is_retriable,
)


@dataclass(frozen=True)
class ServiceError:
    """One error of the service: its number, its slug, its class, whether it is retriable."""

    code: int
    type: str
    cls: type[RealtimeError]
    retriable: bool = False

    @property
    def frame(self) -> dict[str, Any]:
        """Error frame as the service sends it."""
        slug = self.type.replace("_", "-")
        return {
            "error_code": self.code,
            "error_type": self.type,
            "error_message": "It went wrong.",
            "more_info": f"https://soniox.com/docs/api-reference/errors#{slug}",
            "request_id": "r-17",
        }

    def check(self, error: Optional[BaseException], advice: str = "") -> None:
        """Assert that `error` has all fields of this one; its message ends with `advice`."""
        assert type(error) is self.cls, repr(error)
        assert isinstance(error, RealtimeError)
        facts = (error.status_code, error.error_type, error.request_id, error.more_info)
        assert facts == (self.code, self.type, "r-17", self.frame["more_info"])
        assert error.raw is not None
        assert error.raw["error_message"] == "It went wrong."
        assert is_retriable(error) is self.retriable
        assert str(error).startswith(f"It went wrong ({self.code}, {self.type}, request r-17)")
        assert advice in str(error)


_BUDGETS = [
    ServiceError(402, "organization_balance_exhausted", QuotaError),
    ServiceError(402, "organization_monthly_budget_exhausted", QuotaError),
    ServiceError(402, "project_monthly_budget_exhausted", QuotaError),
]
_COMMON = [
    ServiceError(400, "invalid_request", BadRequestError),
    ServiceError(400, "model_not_available", BadRequestError),
    ServiceError(401, "unauthenticated", RealtimeAuthError),
    *_BUDGETS,
    ServiceError(403, "permission_denied", RealtimeAuthError),
    ServiceError(403, "temp_api_key_session_expired", RealtimeAuthError),
    ServiceError(408, "request_timeout", NetworkError, True),
    ServiceError(429, "limit_exceeded", RealtimeRateLimitError, True),
    ServiceError(429, "max_concurrent_connections_reached", RealtimeRateLimitError, True),
    ServiceError(500, "internal_error", NetworkError, True),
    ServiceError(503, "service_unavailable", NetworkError, True),
]
# PROTOCOL 2.6
OF_TRANSCRIPTION = [*_COMMON, ServiceError(413, "max_duration_reached", DurationLimitError, True)]
# PROTOCOL 3.7
OF_SPEECH = [
    *_COMMON,
    ServiceError(400, "invalid_stream_state", BadRequestError),
    ServiceError(400, "max_concurrent_streams_reached", BadRequestError),
    ServiceError(413, "max_audio_duration_reached", DurationLimitError),
]


def name_of(error: ServiceError) -> str:
    """Return the name of a test case."""
    return f"{error.code}-{error.type}"
