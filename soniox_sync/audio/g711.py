"""Decoding telephone samples (mu-law, A-law) to 16-bit PCM, one table look-up per sample."""

from __future__ import annotations

import array
import sys

# A code is a sign bit, three bits of segment (the exponent) and four bits of step (the mantissa).
# mu-law inverts all bits, and has a bias of 132, which is added before the shift and subtracted
# after it. A-law inverts every other bit, and its segment 0 is linear. Each result is the middle of
# its step.


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
    """Expand samples of `"mulaw"` or `"alaw"` to `pcm_s16le`. Source: ITU-T G.711."""
    samples = array.array("h", map(_TABLES[encoding].__getitem__, data))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
