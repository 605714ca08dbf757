"""Optional C helpers (extra `fast`): used when installed, never required.

Both paths agree: the fast one passes what it cannot parse to the plain one, and
tests/protocol/test_accel.py compares them on random and hostile input. One exception: the fast JSON
parser turns an integer beyond 64 bits, which no field of the service holds, into a float.
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
    """Parse a JSON text strictly: UTF-8 only, no NaN.

    Raises
        ValueError: anything else.
    """
    try:
        return _plain_decoder.decode(str(data, "utf-8"))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def plain_b64decode(data: Buffer) -> bytes:
    """Decode padded standard base64 strictly.

    Raises
        ValueError: anything else.
    """
    if sys.version_info >= (3, 11):
        decoded = binascii.a2b_base64(data, strict_mode=True) if data else b""
    else:
        decoded = binascii.a2b_base64(data)
    # the lenient decoder skips characters that are not base64, the strict one of 3.11 skips padding
    # after a whole group: either way there are fewer bytes than the length of the text implies
    tail = bytes(data[-2:])
    padding = 2 if tail == b"==" else 1 if tail.endswith(b"=") else 0
    if len(data) % 4 or len(decoded) != len(data) // 4 * 3 - padding:
        raise binascii.Error("not base64")
    return decoded


# from this size on, translating every fourth byte by a table is faster than the XOR of one big int
# (7 us instead of 11 at 3840 bytes)
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
    # in one step, because another thread may be reading the list
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
            return plain_json_loads(data)  # orjson refuses some texts that json accepts

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
    try:  # ten times faster still, if `websockets` happens to be installed with its C extension
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
