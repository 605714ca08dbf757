"""Builds WAVs, and parses whole ones."""

from __future__ import annotations

import struct
from typing import Optional

from soniox_sync.audio import WavHeader, WavParser

SAMPLES = bytes(range(256)) * 4


def chunk(name: bytes, body: bytes, size: int = -1) -> bytes:
    """Build a RIFF chunk, padded; `size` declares a false size."""
    declared = len(body) if size < 0 else size
    return name + struct.pack("<I", declared) + body + b"\0" * (len(body) % 2)


def fmt(tag: int, channels: int, rate: int, sample_bytes: int, bits: int = 0) -> bytes:
    """Build the body of a plain format chunk."""
    align = channels * sample_bytes
    return struct.pack(
        "<HHIIHH", tag, channels, rate, rate * align, align, bits or sample_bytes * 8
    )


def riff(*chunks: bytes, magic: bytes = b"RIFF") -> bytes:
    """Build a WAV from chunks."""
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body)) + body


PLAIN = riff(chunk(b"fmt ", fmt(1, 1, 16000, 2)), chunk(b"data", SAMPLES))


def parse(data: bytes) -> tuple[Optional[WavHeader], bytes]:
    """Parse a whole WAV at once; return its header and what follows it."""
    parser = WavParser()
    return parser.feed(data), parser.rest
