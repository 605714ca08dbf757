"""Companded telephone samples (mu-law, A-law) to 16-bit PCM: one table look-up a sample."""

from __future__ import annotations

import array
import sys

__all__ = ["to_pcm"]


def _mulaw(code: int) -> int:
    code = ~code & 0xFF
    size = ((code & 15) << 3) + 132 << (code >> 4 & 7)
    return 132 - size if code & 0x80 else size - 132


def _alaw(code: int) -> int:
    code ^= 0x55
    segment = code >> 4 & 7
    size = (code & 15) << 4
    size = size + 8 if segment == 0 else size + 264 << segment - 1
    return size if code & 0x80 else -size


_TABLES = {
    "mulaw": [_mulaw(code) for code in range(256)],
    "alaw": [_alaw(code) for code in range(256)],
}


def to_pcm(data: bytes, encoding: str) -> bytes:
    """Expand `"mulaw"` or `"alaw"` to `pcm_s16le`. Source: ITU-T G.711."""
    samples = array.array("h", map(_TABLES[encoding].__getitem__, data))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
