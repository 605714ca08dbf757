"""Conversion between little-endian bytes and arrays of samples, on any machine."""

from __future__ import annotations

import array
import sys
from typing import Any

__all__ = ["pack", "unpack"]


def unpack(data: bytes, code: str = "h") -> array.array[Any]:
    """Return little-endian bytes as samples; `code` is the type code of `array`."""
    samples = array.array(code, data)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def pack(samples: array.array[Any]) -> bytes:
    """Return samples as little-endian bytes."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
