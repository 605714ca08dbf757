"""WebSocket frames, as the transport reads them; compared with a plain reader of RFC 6455."""

from __future__ import annotations

from typing import Optional

from soniox_sync.transport.frames import (
    CLOSE,
    FrameError,
    FrameReader,
    decode_close,
    encode_close,
)
from tests.fuzz.targets.pieces import pieces

TOKENS = (
    *(
        b"\x81\x00",
        b"\x82\x01x",
        b"\x01\x01a",
        b"\x00\x01b",
        b"\x80\x01c",
        b"\x89\x00",
        b"\x8a\x01y",
    ),
    *(
        b"\x88\x02\x03\xe8",
        b"\x88\x00",
        b"\x88\x01\x03",
        b"\x81\x7e\x00\x7e",
        b"\x82\x7f" + bytes(7),
    ),
    *(b"\x81\x7e\x10\x00", b"\x81\x7f\xff", b"\xc1", b"\x81\x80", b"\x83", b"\x09\x00"),
)
# small, so that inputs of the usual size exceed it
_MOST = 1000
# what a reader keeps: twice the largest message it takes, or its largest buffer
_BUFFER = 512 * 1024

Found = tuple[list[tuple[int, bytes]], Optional[int]]


def check(data: bytes) -> None:
    """Read frames whole and in pieces: the same messages, and the same violation after them."""
    wire = data[1:]
    whole = _read([wire])
    assert whole == _read(pieces(wire, data[0] if data else 1)), "depends on how it is cut"
    assert whole[0] == _plainly(wire), "not the messages of the RFC"
    for opcode, payload in whole[0]:
        if opcode == CLOSE:
            try:
                code, _ = decode_close(payload)
            except FrameError as error:
                encode_close(error.code)
            else:
                assert 1000 <= code < 5000


def _read(parts: list[bytes]) -> Found:
    reader = FrameReader(_MOST)
    found: list[tuple[int, bytes]] = []
    for part in parts:
        rest = memoryview(part)
        while rest:
            room = reader.room()
            assert 0 < len(room) <= _BUFFER
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            rest = rest[count:]
            reader.filled(count)
            found += reader.messages()
            try:
                reader.check()
            except FrameError as error:
                return found, error.code
    return found, None


def _plainly(wire: bytes) -> list[tuple[int, bytes]]:
    """Return the messages before the first violation, read as the RFC is written."""
    found: list[tuple[int, bytes]] = []
    parts: list[bytes] = []
    started = at = 0
    while len(wire) - at >= 2:
        first, second = wire[at], wire[at + 1]
        opcode, final = first & 15, first >> 7
        begins = opcode in (1, 2) and not started
        continues = opcode == 0 and started
        controls = opcode in (8, 9, 10) and final
        if first & 0x70 or second & 0x80 or not (begins or continues or controls):
            break
        extended = {126: 2, 127: 8}.get(second, 0)
        if len(wire) < at + 2 + extended:
            break
        start = at + 2 + extended
        size = int.from_bytes(wire[at + 2 : start], "big") if extended else second
        if size > _MOST or (controls and second > 125) or len(wire) < start + size:
            break
        at = start + size
        payload = wire[start:at]
        if controls:
            found.append((opcode, payload))
            continue
        started = started or opcode
        parts.append(payload)
        # an endless message of empty parts is one that is too large
        if sum(map(len, parts)) > _MOST or (len(parts) > _MOST // 64 and len(parts) > 1):
            break
        if final:
            found.append((started, b"".join(parts)))
            started, parts = 0, []
    return found
