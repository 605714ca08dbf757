"""Optional C helpers (extra `fast`): used when installed, never required.

Both paths agree: the fast one hands whatever surprises it to the plain one (tests/test_accel.py
compares them on random and hostile input). One exception: an integer beyond 64 bits, which no field
of the service can mean, comes out of the fast JSON parser as a float.
"""

from __future__ import annotations

import binascii
import json
import sys
from typing import Any, Callable, Union

Buffer = Union[bytes, bytearray, memoryview]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_plain_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def plain_json_loads(data: Buffer) -> Any:
    """Parse one JSON text strictly: UTF-8 only, no NaN. Raises `ValueError` for anything else."""
    try:
        return _plain_decoder.decode(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def plain_b64decode(data: Buffer) -> bytes:
    """Decode padded standard base64 strictly. Raises `ValueError` for anything else."""
    if sys.version_info >= (3, 11):
        decoded = binascii.a2b_base64(data, strict_mode=True) if data else b""
    else:
        decoded = binascii.a2b_base64(data)
    # the lenient decoder skips what is not base64, the strict one of 3.11 padding after a whole
    # group: then fewer bytes come out than went in
    tail = bytes(data[-2:])
    padding = 2 if tail == b"==" else 1 if tail.endswith(b"=") else 0
    if len(data) % 4 or len(decoded) != len(data) // 4 * 3 - padding:
        raise binascii.Error("not base64")
    return decoded


# from here on translating every fourth byte by a table beats one big number (11 -> 7 us at 3,840 B)
_WORTH_TABLES = 1024
_tables: list[bytes] = []  # [k] maps each byte to itself XOR k; made when first needed


def plain_mask(data: bytes, key: bytes) -> bytes:
    """XOR `data` with the repeated 4-byte `key` (RFC 6455 5.3)."""
    size = len(data)
    if size < _WORTH_TABLES:
        pad = (key * (size // 4 + 1))[:size]
        mixed = int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")
        return mixed.to_bytes(size, "little")
    tables = _tables or _make_tables()
    masked = bytearray(size)
    for start, byte in enumerate(key):
        masked[start::4] = data[start::4].translate(tables[byte])
    return bytes(masked)


def _make_tables() -> list[bytes]:
    identity, ones = int.from_bytes(range(256), "little"), int.from_bytes(b"\1" * 256, "little")
    # whole or not at all: another thread may look meanwhile
    _tables[:] = [(identity ^ ones * byte).to_bytes(256, "little") for byte in range(256)]
    return _tables


def _pick_json() -> Callable[[Buffer], Any]:
    try:
        import orjson
    except ImportError:
        return plain_json_loads
    fast = orjson.loads

    def loads(data: Buffer) -> Any:
        try:
            return fast(data)
        except ValueError:
            return plain_json_loads(data)  # the stricter of the two must not decide alone

    return loads


def _pick_b64() -> Callable[[Buffer], bytes]:
    try:
        import pybase64
    except ImportError:
        return plain_b64decode
    fast = pybase64.b64decode

    def decode(data: Buffer) -> bytes:
        return fast(data, None, True)  # type: ignore[no-any-return]

    return decode


def _pick_mask() -> Callable[[bytes, bytes], bytes]:
    try:  # ten times faster still, where that library happens to be installed with its C part
        from websockets.speedups import apply_mask
    except ImportError:
        pass
    else:
        return apply_mask
    try:
        from wsaccel.xormask import XorMaskerSimple
    except ImportError:
        return plain_mask

    def mask(data: bytes, key: bytes) -> bytes:
        return bytes(XorMaskerSimple(key).process(data))

    return mask


json_loads = _pick_json()
b64decode = _pick_b64()
mask = _pick_mask()
