"""`client.auth`: temporary keys for browsers and devices (PROTOCOL 1.5, 5.7)."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from ..config import (
    MAX_CLIENT_REFERENCE_ID_CHARS,
    TEMP_KEY_MAX_EXPIRY_SEC,
    TEMP_KEY_MAX_SESSION_SEC,
)
from ..config._values import boolean, integer
from ..config._values import text as text_check
from ..errors import ConfigurationError
from .http import Call, Http
from .records import Record, moment, needed, text

_USAGES = ("transcribe_websocket", "tts_rt")
_CHECKS = {
    "expires_in_seconds": integer(1, TEMP_KEY_MAX_EXPIRY_SEC, "s"),
    "client_reference_id": text_check(MAX_CLIENT_REFERENCE_ID_CHARS, empty=True),
    "single_use": boolean,
    "max_session_duration_seconds": integer(1, TEMP_KEY_MAX_SESSION_SEC, "s"),
}


@dataclass(frozen=True)
class TemporaryApiKey(Record):
    """Is a key that ends by itself; its repr does not show it. `expires_at` is UTC."""

    api_key: str = needed(text, shown=False)
    expires_at: datetime = needed(moment)


class AuthApi:
    """Is `client.auth`. Thread-safe."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create_temporary_api_key(
        self,
        *,
        usage_type: str = "transcribe_websocket",
        expires_in_seconds: int = 300,
        client_reference_id: Optional[str] = None,
        single_use: Optional[bool] = None,
        max_session_duration_seconds: Optional[int] = None,
    ) -> TemporaryApiKey:
        """Make a key for one service, to hand to a program that must not hold yours.

        `usage_type`: `"transcribe_websocket"` or `"tts_rt"` (WebSocket and HTTP).
        `expires_in_seconds`: 1 to 3600; afterwards nothing can be opened with it, what is open
        goes on. `single_use`: for one transcription or one stream of speech.
        `max_session_duration_seconds`: 1 to 18000; then the service ends what is open.
        `client_reference_id`: at most 256 characters, wins over that of requests.

        Raises `ConfigurationError` for a value out of range, `PermissionDeniedError` when your key
        lacks the right for this or for the service, another `SonioxHttpError` otherwise.
        """
        if usage_type not in _USAGES:
            raise ConfigurationError(f"usage_type must be one of {', '.join(map(repr, _USAGES))}")
        options = {
            "expires_in_seconds": expires_in_seconds,
            "client_reference_id": client_reference_id,
            "single_use": single_use,
            "max_session_duration_seconds": max_session_duration_seconds,
        }
        body = {name: value for name, value in options.items() if value is not None}
        for name, value in body.items():
            _CHECKS[name](name, value)
        call = Call("POST", "/auth/temporary-api-key", body={"usage_type": usage_type, **body})
        return self._http.json(call, TemporaryApiKey.from_raw)
