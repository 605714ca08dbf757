"""Inputs made of other inputs: the same ones for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Callable

# larger inputs find nothing that smaller ones do not, and take longer
MAX_BYTES = 4096
# one input in some thousands is this long, of repeated parts: what takes quadratic time shows there
_MAX_REPEATED = 64 * 1024

_NUMBERS = (0, 1, 2, 3, 7, 8, 125, 126, 127, 128, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536)
_LARGE = (2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
# of JSON, and of its neighbours that are not JSON
_SCALARS = (
    *(b"null", b"true", b"false", b"0", b"-0", b"-1", b"1.5", b"1e5", b"1e999", b"-1e999"),
    *(b"9007199254740993", b"18446744073709551616", b"1" + b"0" * 400, b"1e-400", b"0.1e1"),
    *(b'""', b'" "', b'"<end>"', b'"<fin>"', b'"\\ud800"', b'"\\u0000"', b'"\xf0\x9f\x98\x80"'),
    *(b'"429"', b'"1e5"', b'"2026-01-31T12:00:00Z"', b'"\\u0661"', b'"-->"', b'"***"'),
    *(b"[]", b"{}", b"[[]]", b"[null]", b'{"a":1}', b"NaN", b"Infinity", b'"' + b"x" * 300 + b'"'),
    b"[" * 1200,
)
_SCALAR = re.compile(rb'-?\d+(?:\.\d+)?|"[^"]{0,80}"|true|false|null')

Change = Callable[[bytearray, random.Random], None]


class Mutator:
    """Maker of inputs from a pool of them. `tokens`: what the format consists of."""

    def __init__(self, tokens: Sequence[bytes], *, is_text: bool) -> None:
        self._tokens = tuple(tokens) or (b"\0",)
        self._is_text = is_text
        self._changes: list[Change] = [
            *(_flip, _set, _number, _insert, _delete, _copy, _swap, self._token, self._token)
        ]
        if is_text:
            self._changes += [self._scalar] * 5

    def make(self, pool: Sequence[bytes], rng: random.Random) -> bytes:
        """Return a new input, made of one of the pool, or of two."""
        data = bytearray(_any(pool, rng))
        draw = rng.random()
        if draw < 0.1:
            other = _any(pool, rng)
            data[_place(data, rng) :] = other[_place(other, rng) :]
        elif draw > 0.9995:
            return self._repeated(data, rng)
        for _ in range(1 + int(4 * rng.random() ** 2)):
            _any(self._changes, rng)(data, rng)
        return bytes(data[:MAX_BYTES])

    def _repeated(self, data: bytearray, rng: random.Random) -> bytes:
        start, end = sorted((_place(data, rng), _place(data, rng)))
        part = bytes(data[start:end]) or _any(self._tokens, rng)
        data[start:end] = part * (_MAX_REPEATED // len(part))
        return bytes(data[: 2 * _MAX_REPEATED])

    def _token(self, data: bytearray, rng: random.Random) -> None:
        at, token = _place(data, rng), _any(self._tokens, rng)
        data[at : at + (len(token) if rng.random() < 0.5 else 0)] = token

    def _scalar(self, data: bytearray, rng: random.Random) -> None:
        found = _SCALAR.search(data, _place(data, rng)) or _SCALAR.search(data)
        if found is not None:
            values = self._tokens if rng.random() < 0.3 else _SCALARS
            data[found.start() : found.end()] = _any(values, rng)


def _any(choices: Sequence, rng: random.Random):  # type: ignore[no-untyped-def,type-arg]
    return choices[int(rng.random() * len(choices))]  # three times as fast as choice()


def _place(data: Sequence[int], rng: random.Random) -> int:
    """Return a position in data, or its end."""
    return int(rng.random() * (len(data) + 1))


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[int(rng.random() * len(data))] ^= 1 << int(rng.random() * 8)


def _set(data: bytearray, rng: random.Random) -> None:
    if data:
        data[int(rng.random() * len(data))] = int(rng.random() * 256)


def _number(data: bytearray, rng: random.Random) -> None:
    """Write a number at a limit, in either order of bytes."""
    width = (1, 2, 3, 4, 8)[int(rng.random() * 5)]
    value = _any(_NUMBERS if rng.random() < 0.7 else _LARGE, rng) & ((1 << 8 * width) - 1)
    at = _place(data, rng)
    order = "big" if rng.random() < 0.5 else "little"
    data[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]


def _insert(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.getrandbits(32).to_bytes(4, "little")[: 1 + int(rng.random() * 4)]


def _delete(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + 1 + int(16 * rng.random() ** 2)]


def _copy(data: bytearray, rng: random.Random) -> None:
    start, end = sorted((_place(data, rng), _place(data, rng)))
    at = _place(data, rng)
    data[at:at] = data[start:end] * (1 + int(3 * rng.random() ** 3))


def _swap(data: bytearray, rng: random.Random) -> None:
    """Move a part elsewhere."""
    start, end = sorted((_place(data, rng), _place(data, rng)))
    part = data[start:end]
    del data[start:end]
    at = _place(data, rng)
    data[at:at] = part
