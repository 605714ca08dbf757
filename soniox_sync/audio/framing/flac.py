"""FLAC: frames, each of which says where its samples are. Source: RFC 9639."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .base import Framing

# the longest header of a frame: 4 bytes, 7 of its number, 2 + 2 of sizes, 1 of the checksum
_HEADER_BYTES = 16
# Frames are shorter than this; if there is none, the stream is damaged.
_MAX_FRAME_BYTES = 1024 * 1024
# A frame whose number is further ahead is part of another one that looks like it.
_MAX_GAP_SEC = 60


class _Frame(NamedTuple):
    """Header of a frame: its number (or first sample), its length in samples."""

    number: int
    samples: int


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x107) if value & 0x80 else value << 1
    return value


def _number(data: bytes) -> tuple[int, int]:
    """Decode a number in the manner of UTF-8; return it and its bytes, 0 bytes if it is none."""
    first = data[0]
    if first < 0x80:
        return first, 1
    length = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= length <= 7:
        return 0, 0
    value = first & (0x7F >> length)
    for byte in data[1:length]:
        if byte & 0xC0 != 0x80:
            return 0, 0
        value = value << 6 | byte & 0x3F
    return value, length


def frame_at(data: bytes) -> Optional[_Frame]:
    """Return the frame whose header `data` begins with, `None` if it is none; 16 bytes suffice."""
    size, rate = data[2] >> 4, data[2] & 15
    if data[0] != 0xFF or data[1] & 0xFE != 0xF8 or not size or rate == 15 or data[3] & 1:
        return None
    number, length = _number(data[4:11])
    if not length:
        return None
    at = 4 + length
    if size in (6, 7):  # the length is at the end of the header
        samples = int.from_bytes(data[at : at + size - 5], "big") + 1
        at += size - 5
    else:
        samples = 192 if size == 1 else 576 << size - 2 if size < 6 else 256 << size - 8
    at += (1, 2, 2)[rate - 12] if rate >= 12 else 0
    return _Frame(number, samples) if _crc8(data[:at]) == data[at] else None


class FlacFraming(Framing):
    """Frames of a FLAC stream. Decoding can start at each.

    A frame has no length, so the next one is searched: two bytes of sync, a header whose checksum
    is right, and the number that is due. Inside a frame that is all but impossible.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rate = 0
        self._block = 0  # samples of the first frame: of all but the last, if they are numbered
        self._sync = b""  # of all frames of this stream, once the first was seen
        self._due = 0  # first sample of the next frame
        self._searched = 0  # pending bytes in which no frame starts

    def _step(self) -> int:
        if self._position == 0:
            return self._magic()
        if self._in_header and not self._sync:
            return self._metadata()
        return self._frame()

    def _magic(self) -> int:
        if len(self._pending) < 4:
            return 0
        self._break_if(self._pending[:4] != b"fLaC")
        return 4

    def _metadata(self) -> int:
        data = self._pending
        if len(data) < 4:
            return 0
        kind, size = data[0] & 0x7F, 4 + int.from_bytes(data[1:4], "big")
        if self._position == 4:
            if len(data) < 38:
                return 0
            self._rate = int.from_bytes(data[14:17], "big") >> 4
            self._break_if(kind != 0 or size != 38 or not self._rate)
        if data[0] & 0x80:
            self._sync = b"\xff"  # the audio follows
        return size

    def _frame(self) -> int:
        """Find the next frame; what lies before it belongs to the one before."""
        while True:
            found = self._pending.find(self._sync, self._searched)
            if found < 0:
                self._searched = max(0, len(self._pending) - 1)
                self._break_if(self._searched > _MAX_FRAME_BYTES)
                return 0
            self._searched = found
            if len(self._pending) < found + _HEADER_BYTES:
                return 0
            self._searched += 1
            frame = frame_at(bytes(self._pending[found : found + _HEADER_BYTES]))
            if frame is not None and self._is_next(frame, found) and found:
                self._searched = 1
                return found

    def _is_next(self, frame: _Frame, found: int) -> bool:
        """Mark a frame that starts `found` bytes from here; return False if it is not one."""
        is_first = len(self._sync) == 1
        if is_first:
            self._sync = bytes(self._pending[found : found + 2])
            self._block = frame.samples
            # a gap between the header and the first frame is part of the header
            self._header += self._pending[:found]
            self._in_header = False
        sample = frame.number if self._sync[1] & 1 else frame.number * self._block
        # one that is late follows a damaged frame
        if not (is_first or self._due <= sample <= self._due + self._rate * _MAX_GAP_SEC):
            return False
        ms = self._time(sample * 1000 / self._rate)
        self._mark(self._position + found, ms)
        self._due = sample + frame.samples
        self._time(self._due * 1000 / self._rate)
        return True
