"""What both services share on the wire: JSON texts, error fields, malformed frames."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from .._accel import json_loads
from ..errors import RealtimeError, SonioxConnectionError, error_from_frame


def encode(message: Mapping[str, Any]) -> str:
    """Spell one message as compact JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def parse_object(payload: bytes) -> dict[str, Any]:
    """Read one JSON object, or raise `SonioxConnectionError` (`code="protocol_error"`)."""
    try:
        parsed = json_loads(payload)
    except ValueError as error:
        raise malformed(f"a message that is not JSON ({error})", payload) from None
    if not isinstance(parsed, dict):
        raise malformed("a message that is not a JSON object", payload)
    return parsed


def malformed(what: str, payload: bytes = b"") -> SonioxConnectionError:
    """Make the error for a frame that breaks the protocol; its text shows how the frame began."""
    start = payload[:80].decode("utf-8", "backslashreplace")
    shown = f": {start!r}" if payload else ""
    return SonioxConnectionError(
        f"the server sent {what}{shown}; a gateway between may have changed it",
        code="protocol_error",
    )


def find_error(frame: Mapping[str, Any]) -> Optional[RealtimeError]:
    """Give the error a frame carries, `None` if its error fields are absent or null."""
    get = frame.get
    if get("error_code") is None and get("error_message") is None and get("error_type") is None:
        return None
    return error_from_frame(frame)
