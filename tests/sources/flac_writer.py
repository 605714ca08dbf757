"""FLAC written by hand: verbatim frames, so that decoding gives exactly the samples back."""

from __future__ import annotations

import struct


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
    return value


def _frame(number: int, samples: list[int]) -> bytes:
    assert number < 128  # larger ones take more bytes
    # block size in 16 bits at the end, rate and width from the header, mono, 16 bits
    head = struct.pack(">HBBBH", 0xFFF8, 0x70, 0x08, number, len(samples) - 1)
    head += bytes([_crc(head, 0x07, 8)])
    body = head + b"\x02" + struct.pack(f">{len(samples)}h", *samples)
    return body + struct.pack(">H", _crc(body, 0x8005, 16))


def flac(samples: list[int], sample_rate: int = 16000, block: int = 400) -> bytes:
    """Make a FLAC file of 16-bit mono samples."""
    frames = [
        _frame(index, samples[start : start + block])
        for index, start in enumerate(range(0, len(samples), block))
    ]
    packed = sample_rate << 44 | 0 << 41 | 15 << 36 | len(samples)
    info = struct.pack(">HH", block, block) + bytes(6) + struct.pack(">Q", packed) + bytes(16)
    header = b"fLaC" + struct.pack(">I", 0x80 << 24 | len(info)) + info
    return header + b"".join(frames)
