"""`POST /v1/auth/temporary-api-key`: keys that work until they expire (PROTOCOL 5.7)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta, timezone

from ..keys import KeyRule
from ..problems import Problem
from ..server.routes import Answer, Request
from .api import RestApi
from .common import check_text, invalid, iso, whole_number

__all__ = ["add_key_routes"]

# usage_type -> the service that the key of the request must be permitted to use
_USAGES = {"transcribe_websocket": "stt", "tts_rt": "tts"}
_BODY = "body.payload."


def add_key_routes(api: RestApi) -> None:
    """Add the endpoint."""
    api.route("POST", "/v1/auth/temporary-api-key", create_key)


def create_key(api: RestApi, request: Request) -> Answer:
    """Serve `POST /auth/temporary-api-key`."""
    own = api.admit(request).rule
    body = request.json()
    usage = body.get("usage_type")
    if not isinstance(usage, str) or usage not in _USAGES:
        raise invalid(f"{_BODY}usage_type", f"Input should be one of {', '.join(_USAGES)}.")
    if own.permissions is not None and _USAGES[usage] not in set(own.permissions):
        raise Problem("permission_denied", "The API key has no permission for this service.")
    expires = whole_number(
        body.get("expires_in_seconds"), f"{_BODY}expires_in_seconds", 1, 3600, needed=True
    )
    longest = whole_number(
        body.get("max_session_duration_seconds"),
        f"{_BODY}max_session_duration_seconds",
        1,
        18000,
    )
    single = body.get("single_use")
    if not isinstance(single, (bool, type(None))):
        raise invalid(f"{_BODY}single_use", "Input should be a valid boolean.")
    rule = KeyRule(
        usage_type=usage,
        single_use=bool(single),
        expires_in_sec=expires,
        max_session_duration_sec=longest,
        client_reference_id=check_text(
            body.get("client_reference_id"), f"{_BODY}client_reference_id", 256
        ),
    )
    key = f"snx_temp_{secrets.token_urlsafe(24)}"
    api.world.keys.add(key, rule)
    expires_at = datetime.now(timezone.utc) + timedelta(seconds=expires or 0)
    return Answer.json({"api_key": key, "expires_at": iso(expires_at)}, 201)
