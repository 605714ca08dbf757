"""Errors as the service reports them, and their two forms in JSON (PROTOCOL 2.6, 3.7, 5.1)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Optional

__all__ = ["ERROR_CODES", "Problem", "bad_request", "new_request_id"]

_MORE_INFO = "https://soniox.com/docs/api-reference/errors#"

# error_type -> HTTP-like code (PROTOCOL 5.10)
ERROR_CODES: Mapping[str, int] = {
    "invalid_request": 400,
    "invalid_cursor": 400,
    "model_not_available": 400,
    "invalid_stream_state": 400,
    "max_concurrent_streams_reached": 400,
    "unauthenticated": 401,
    "organization_balance_exhausted": 402,
    "organization_monthly_budget_exhausted": 402,
    "project_monthly_budget_exhausted": 402,
    "permission_denied": 403,
    "temp_api_key_session_expired": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "max_duration_reached": 413,
    "max_audio_duration_reached": 413,
    "limit_exceeded": 429,
    "max_concurrent_connections_reached": 429,
    "internal_error": 500,
    "service_unavailable": 503,
}


def new_request_id() -> str:
    """Return an id for the errors of one request or connection."""
    return str(uuid.uuid4())


class Problem(Exception):
    """Error of the service: raised where it is found, sent as a frame or a body.

    `code` defaults to the documented number of `error_type`, 500 if it is unknown.
    """

    def __init__(
        self,
        error_type: str,
        message: str,
        *,
        code: Optional[int] = None,
        validation_errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.code: int = ERROR_CODES.get(error_type, 500) if code is None else code
        self.validation_errors: tuple[Mapping[str, str], ...] = tuple(validation_errors)

    def frame(self, request_id: str) -> dict[str, Any]:
        """Return the five error fields of a WebSocket frame or a `POST /tts` body."""
        return {
            "error_code": self.code,
            "error_type": self.error_type,
            "error_message": self.message,
            "more_info": self._more_info(),
            "request_id": request_id,
        }

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the error body of the `/v1` endpoints, which names its fields differently."""
        return {
            "status_code": self.code,
            "error_type": self.error_type,
            "message": self.message,
            "validation_errors": [dict(each) for each in self.validation_errors],
            "request_id": request_id,
            "more_info": self._more_info(),
        }

    def _more_info(self) -> str:
        return _MORE_INFO + self.error_type.replace("_", "-")


def bad_request(message: str) -> Problem:
    """Return a 400 `invalid_request`."""
    return Problem("invalid_request", message)
