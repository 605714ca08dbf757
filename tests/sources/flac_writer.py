"""Minimal FLAC writer: verbatim frames, which decode to exactly the samples."""

from __future__ import annotations

import functools
import struct


@functools.cache
def _table(polynomial: int, bits: int) -> list[int]:
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = value << 1 ^ polynomial if value >> (bits - 1) else value << 1
            value &= (1 << bits) - 1
        table.append(value)
    return table


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    table, mask, value = _table(polynomial, bits), (1 << bits) - 1, 0
    for byte in data:
        value = value << 8 & mask ^ table[value >> (bits - 8) ^ byte]
    return value


def frame(number: int, samples: list[int]) -> bytes:
    """Return a frame; `number` is below 55,296, as numbers are coded in the manner of UTF-8."""
    # block size in 16 bits at the end, rate and width from the header, mono, 16 bits
    head = struct.pack(">HBB", 0xFFF8, 0x70, 0x08)
    head += chr(number).encode() + struct.pack(">H", len(samples) - 1)
    head += bytes([_crc(head, 0x07, 8)])
    body = head + b"\x02" + struct.pack(f">{len(samples)}h", *samples)
    return body + struct.pack(">H", _crc(body, 0x8005, 16))


def stream_info(count: int, sample_rate: int, block: int) -> bytes:
    """Return the block that describes the stream, the last one; a `count` of 0 is unknown."""
    packed = sample_rate << 44 | 0 << 41 | 15 << 36 | count
    info = struct.pack(">HH", block, block) + bytes(6) + struct.pack(">Q", packed) + bytes(16)
    return struct.pack(">I", 0x80 << 24 | len(info)) + info


def flac(samples: list[int], sample_rate: int = 16000, block: int = 400) -> bytes:
    """Make a FLAC file of 16-bit mono samples."""
    frames = [
        frame(index, samples[start : start + block])
        for index, start in enumerate(range(0, len(samples), block))
    ]
    return b"fLaC" + stream_info(len(samples), sample_rate, block) + b"".join(frames)
