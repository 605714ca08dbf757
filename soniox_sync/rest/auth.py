"""`client.auth`: temporary keys for browsers and devices (PROTOCOL 1.5, 5.7)."""

# ruff: noqa: RUF009 - needed() and optional() make dataclass fields, as field() does
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Optional

from .._support.checks import boolean, integer, one_of, run_checks
from ..config.constants import USAGES, Usage
from .arguments import reference_field
from .http import Api, Call
from .records import Record, moment, needed, text

_CHECKS = {
    "expires_in_seconds": integer(1, 3600, "s"),
    "single_use": boolean,
    "max_session_duration_seconds": integer(1, 18_000, "s"),
}


@dataclass(frozen=True, repr=False)
class TemporaryApiKey(Record):
    """API key that expires; its repr does not show it. `expires_at` is UTC."""

    api_key: str = needed(text, shown=False)
    expires_at: datetime = needed(moment)


class AuthApi(Api):
    """Temporary API keys: `client.auth`. Thread-safe."""

    _name = "auth"

    def create_temporary_api_key(
        self,
        *,
        usage_type: Usage = "transcribe_websocket",
        expires_in_seconds: int = 300,
        client_reference_id: Optional[str] = None,
        single_use: Optional[bool] = None,
        max_session_duration_seconds: Optional[int] = None,
    ) -> TemporaryApiKey:
        """Create a key for one service, for a program that must not have yours.

        `usage_type`: `"transcribe_websocket"` or `"tts_rt"` (WebSocket and HTTP).
        `expires_in_seconds`: 1 to 3600; after that nothing can be opened with it, but open sessions
        and streams go on. `single_use`: for one transcription or one stream of speech.
        `max_session_duration_seconds`: 1 to 18000; after that the service ends open sessions and
        streams. `client_reference_id`: at most 256 characters, overrides that of requests.

        Raises
            ConfigurationError: a value out of range.
            PermissionDeniedError: your key has no permission for this, or for the service.
            SonioxHttpError: the call failed otherwise.
        """
        one_of(USAGES)("usage_type", usage_type)
        options = {
            "expires_in_seconds": expires_in_seconds,
            "single_use": single_use,
            "max_session_duration_seconds": max_session_duration_seconds,
        }
        run_checks(options, _CHECKS)
        body = {
            "usage_type": usage_type,
            **{name: value for name, value in options.items() if value is not None},
            **reference_field(client_reference_id),
        }
        call = Call("POST", "/auth/temporary-api-key", body=body)
        return self._http.json(call, TemporaryApiKey.from_raw)
