"""The plain and the fast helpers agree with each other and with their specifications."""

from __future__ import annotations

import base64
import importlib.util
import json
import math
import os
import re
import sys
from typing import Any, Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soniox_sync._support import accel as _accel

# RFC 4648 4: whole groups of four, padding at the end only
_STRICT = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

_DECODERS = [_accel.plain_b64decode, _accel.b64decode]
_LOADERS = [_accel.plain_json_loads, _accel.json_loads]
_MASKS = [_accel.plain_mask, _accel.mask]


def outcome(function: Callable[..., Any], *arguments: Any) -> tuple[str, Any]:
    try:
        return "value", function(*arguments)
    except ValueError:
        return "refused", None


def same(one: Any, other: Any) -> bool:
    """Compare parsed JSON with types: 1 is not 1.0 and not True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


# -- base64 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", _DECODERS)
@given(data=st.binary(max_size=300))
def test_base64_round_trips(decode: Callable[[bytes], bytes], data: bytes) -> None:
    """Both decoders return the original, from bytes and from a view of a larger buffer."""
    encoded = base64.b64encode(data)
    assert decode(encoded) == data
    assert decode(memoryview(b'"' + encoded + b'"')[1:-1]) == data


@pytest.mark.parametrize("decode", _DECODERS)
@given(
    data=st.one_of(
        st.text("AQz+/=\n -_\\", max_size=12).map(str.encode),
        st.binary(max_size=12),
    )
)
@example(b"QQ==QUJD")
@example(b"QUJD====")
@example(b"====")
@example(b"=")
@example(b"QQ=")
@example(b"QQ")
@example(b"Q")
@example(b"QUJD\n")
@example(b" QUJD")
@example(b"QQ==\n\n\n\n")
@example("QUJé".encode())
@example(b"QUJ\xff")
@example(b"-_-_")
def test_base64_is_strict(decode: Callable[[bytes], bytes], data: bytes) -> None:
    """A decoder accepts exactly what RFC 4648 allows, and raises `ValueError` for the rest."""
    kind, value = outcome(decode, data)
    if _STRICT.fullmatch(data):
        assert kind == "value"
        assert len(value) == len(data) // 4 * 3 - data.count(b"=")
    else:
        assert kind == "refused"


@given(data=st.text("AQRz+/=", max_size=16).map(str.encode))
@example(b"QR==")
@example(b"QUK=")
def test_base64_decoders_agree(data: bytes) -> None:
    """The fast decoder returns what the plain one returns, unused bits included."""
    assert outcome(_accel.b64decode, data) == outcome(_accel.plain_b64decode, data)


# -- JSON -----------------------------------------------------------------------------------------

_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("loads", _LOADERS)
@given(value=_values)
def test_json_round_trips(loads: Callable[[bytes], Any], value: Any) -> None:
    """Both parsers return what the standard library wrote, types and big integers included."""
    assert same(loads(json.dumps(value).encode()), value)
    written = json.dumps(value, ensure_ascii=False)
    try:
        assert same(loads(written.encode()), value)
    except UnicodeEncodeError:
        pass  # half a surrogate pair can only be sent as an escape, tested above


_HOSTILE = [
    b"",
    b" ",
    b"nul",
    b"NaN",
    b"[Infinity]",
    b'{"a": -Infinity}',
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b'{"a": 1, "b": 3, "a": {"a": 4}}',
    b'{"\\u0061": 1, "a": 2}',
    b'{"a": 1, "\\u0061": 2}',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\ud83d\\ude00"',
    b'"\xed\xa0\x80"',
    b'"\xff"',
    b'"\xc0\x80"',
    b'"\xf4\x90\x80\x80"',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    '{"a":1}'.encode("utf-16"),
    b'"\n"',
    b'"\x00"',
    b'"\x1f"',
    b'"\x7f"',
    b'"\\x41"',
    b'"\\u00"',
    b'"unended',
    b"01",
    b"-",
    b"-0",
    b"-0.0",
    b"1.",
    b".5",
    b"+1",
    b"1e5",
    b"1E+2",
    b"1e400",
    b"-1e400",
    b"1e-400",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"9" * 5000,
    b"{} {}",
    b"{}\x00",
    b"\x0b{}",
    b"\xc2\xa0{}",
    b"[1,]",
    b'{"a":1,}',
    b"{'a':1}",
    b"{a:1}",
    b"/* */ {}",
    b"[" * 5000,
    b"[" * 200 + b"]" * 200,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
]


@pytest.mark.parametrize("data", _HOSTILE, ids=lambda data: repr(data[:24]))
def test_json_parsers_agree_on_hostile_input(data: bytes) -> None:
    """The fast parser accepts, refuses and returns exactly what the plain one does."""
    plain, fast = outcome(_accel.plain_json_loads, data), outcome(_accel.json_loads, data)
    assert plain[0] == fast[0]
    assert same(plain[1], fast[1])


@given(
    data=st.one_of(
        st.binary(max_size=24),
        st.text('{}[]":,\\u0dD8aeE+-.1 \nNtrufls', max_size=24).map(str.encode),
    )
)
def test_json_parsers_agree_on_random_input(data: bytes) -> None:
    """On random bytes, too, the fast parser does exactly what the plain one does."""
    plain, fast = outcome(_accel.plain_json_loads, data), outcome(_accel.json_loads, data)
    assert plain[0] == fast[0]
    assert same(plain[1], fast[1])


@pytest.mark.parametrize("loads", _LOADERS)
def test_json_keeps_the_magnitude_of_huge_integers(loads: Callable[[bytes], Any]) -> None:
    """An integer beyond 64 bits keeps its magnitude, exactly or as a float."""
    assert loads(b'{"n": 18446744073709551616}')["n"] == pytest.approx(2**64)
    assert loads(b"-123456789012345678901234567890") == pytest.approx(-(1.23456789012345678e29))


@pytest.mark.parametrize("loads", _LOADERS)
def test_json_accepts_any_buffer(loads: Callable[[Any], Any]) -> None:
    """The parsers accept bytes, bytearrays and views."""
    data = b'{"a":[1,"\xc3\xa9"]}'
    for buffer in (data, bytearray(data), memoryview(data)):
        assert loads(buffer) == {"a": [1, "é"]}


# -- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", _MASKS)
@given(data=st.binary(max_size=70), key=st.binary(min_size=4, max_size=4))
def test_masks_follow_the_rfc(
    mask: Callable[[bytes, bytes], bytes], data: bytes, key: bytes
) -> None:
    """A mask is the byte-wise XOR of RFC 6455 5.3, and its own inverse."""
    masked = mask(data, key)
    assert type(masked) is bytes
    assert masked == bytes(byte ^ key[index % 4] for index, byte in enumerate(data))
    assert mask(masked, key) == data


@pytest.mark.parametrize("mask", _MASKS)
def test_masks_cover_large_payloads(mask: Callable[[bytes, bytes], bytes]) -> None:
    """A mask covers a payload of a little more than 64 KB."""
    data = bytes(range(256)) * 257 + b"end"
    assert mask(mask(data, b"\x00\xff\x80\x01"), b"\x00\xff\x80\x01") == data


@pytest.mark.parametrize("mask", _MASKS)
@pytest.mark.parametrize("size", [1023, 1024, 1025, 1026, 1027, 3840, 65536, 70001])
def test_large_masks_follow_the_rfc(mask: Callable[[bytes, bytes], bytes], size: int) -> None:
    """Large payloads of any length are masked correctly up to their last bytes."""
    data, key = os.urandom(size), os.urandom(4)
    assert mask(data, key) == bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


# -- without the helpers --------------------------------------------------------------------------


def test_helpers_are_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra packages the plain helpers are used."""
    for name in ("orjson", "pybase64", "wsaccel.xormask", "websockets.speedups"):
        monkeypatch.setitem(sys.modules, name, None)
    spec = importlib.util.find_spec("soniox_sync._support.accel")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.json_loads is module.plain_json_loads
    assert module.b64decode is module.plain_b64decode
    assert module.mask is module.plain_mask
