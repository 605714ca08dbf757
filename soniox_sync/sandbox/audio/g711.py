"""G.711 companding, by table: `audioop` left the standard library with Python 3.13."""

from __future__ import annotations

import functools

from .samples import unpack

__all__ = ["decode_alaw", "decode_mulaw", "encode_alaw", "encode_mulaw"]


def encode_mulaw(pcm: bytes) -> bytes:
    """Encode s16le samples as mu-law bytes."""
    table = _mulaw_encoder()
    return bytes([table[(sample >> 2) & 0x3FFF] for sample in unpack(pcm)])


def encode_alaw(pcm: bytes) -> bytes:
    """Encode s16le samples as A-law bytes."""
    table = _alaw_encoder()
    return bytes([table[(sample >> 3) & 0x1FFF] for sample in unpack(pcm)])


def decode_mulaw(data: bytes) -> bytes:
    """Decode mu-law bytes to s16le samples."""
    table = _mulaw_decoder()
    return b"".join([table[byte] for byte in data])


def decode_alaw(data: bytes) -> bytes:
    """Decode A-law bytes to s16le samples."""
    table = _alaw_decoder()
    return b"".join([table[byte] for byte in data])


@functools.cache
def _mulaw_decoder() -> tuple[bytes, ...]:
    return tuple(_mulaw_value(byte).to_bytes(2, "little", signed=True) for byte in range(256))


def _mulaw_value(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)
    return 0x84 - magnitude if byte & 0x80 else magnitude - 0x84


@functools.cache
def _alaw_decoder() -> tuple[bytes, ...]:
    return tuple(_alaw_value(byte).to_bytes(2, "little", signed=True) for byte in range(256))


def _alaw_value(byte: int) -> int:
    byte ^= 0x55
    exponent, mantissa = (byte & 0x70) >> 4, (byte & 0x0F) << 4
    magnitude = mantissa + 8 if exponent == 0 else (mantissa + 0x108) << (exponent - 1)
    return magnitude if byte & 0x80 else -magnitude


@functools.cache
def _mulaw_encoder() -> bytes:
    # indexed by the upper 14 bits in two's complement: mu-law ignores the other two
    return bytes(
        _mulaw_byte((index if index < 0x2000 else index - 0x4000) << 2) for index in range(0x4000)
    )


def _mulaw_byte(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 0x84
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF


@functools.cache
def _alaw_encoder() -> bytes:
    # indexed by the upper 13 bits in two's complement: A-law ignores the other three
    return bytes(
        _alaw_byte((index if index < 0x1000 else index - 0x2000) << 3) for index in range(0x2000)
    )


def _alaw_byte(sample: int) -> int:
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else ~sample, 32767)
    exponent = max(magnitude.bit_length() - 8, 0)
    mantissa = (magnitude >> (exponent + 3 if exponent else 4)) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55
