"""Messages that both services have in common: JSON, error fields, malformed frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from .._support.accel import json_loads
from ..errors import RealtimeError, SonioxConnectionError, error_from_frame


def encode(message: Mapping[str, Any]) -> str:
    """Return a message as compact JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


class ParsedText(bytes):
    """Text message that was parsed before; `value` is what it contains."""

    value: Any


def parse_object(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in `payload`.

    Raises
        SonioxConnectionError: it is something else (`code="protocol_error"`).
    """
    try:
        parsed = payload.value if type(payload) is ParsedText else json_loads(payload)
    except ValueError as error:
        raise malformed(f"a message that is not JSON ({error})", payload) from None
    if not isinstance(parsed, dict):
        raise malformed("a message that is not a JSON object", payload)
    return parsed


def malformed(what: str, payload: bytes = b"") -> SonioxConnectionError:
    """Return the error for a frame that violates the protocol, with the start of the frame."""
    start = payload[:80].decode("utf-8", "backslashreplace")
    shown = f": {start!r}" if payload else ""
    return SonioxConnectionError(
        f"the server sent {what}{shown}; a proxy or gateway may have altered it",
        code="protocol_error",
    )


def find_error(frame: Mapping[str, Any]) -> Optional[RealtimeError]:
    """Return the error in a frame, `None` if its error fields are absent or null."""
    get = frame.get
    if get("error_code") is None and get("error_message") is None and get("error_type") is None:
        return None
    return error_from_frame(frame)
