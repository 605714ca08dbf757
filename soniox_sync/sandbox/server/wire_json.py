"""Decoding JSON from clients: whatever the input, only `ValueError` is raised."""

from __future__ import annotations

import json
from typing import Any, Union

__all__ = ["read_json"]


def read_json(text: Union[str, bytes]) -> Any:
    """Decode JSON.

    Raises
        ValueError: it is not JSON, is nested too deeply, or contains a lone surrogate, which could
            not be encoded in a response.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _may_hold_surrogates(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _may_hold_surrogates(text: Union[str, bytes]) -> bool:
    if isinstance(text, str):
        return "\\ud" in text or "\\uD" in text
    return b"\\ud" in text or b"\\uD" in text
