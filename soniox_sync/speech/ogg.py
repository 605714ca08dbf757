"""Ogg pages of several Opus streams, renumbered into one (RFC 3533, RFC 7845).

One logical stream rather than a chain of them: some browsers stop at the end of the first.
"""

from __future__ import annotations

import struct
from typing import Optional

__all__ = ["OggJoiner", "ogg_page"]

_HEAD = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_OPUS_RATE = 48000  # granules count at this rate whatever the audio's is


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) if crc & 0x80000000 else crc << 1
        table.append(crc & 0xFFFFFFFF)
    return tuple(table)


_CRC = _crc_table()


def _crc(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFF00) ^ _CRC[crc >> 24 ^ byte]
    return crc


def ogg_page(
    flags: int, granule: int, serial: int, number: int, table: bytes, data: bytes
) -> bytes:
    """Make a page from its segment table (without the count) and its data."""
    head = _HEAD.pack(b"OggS", 0, flags, granule, serial, number, 0, len(table))
    crc = _crc(head + table + data)
    return head[:22] + struct.pack("<I", crc) + head[26:] + table + data


class _Page:
    def __init__(self, data: bytes, start: int, count: int, size: int) -> None:
        _, _, self.flags, self.granule, self.serial, _, _, _ = _HEAD.unpack_from(data, start)
        behind = start + _HEAD.size
        self.table = data[behind : behind + count]
        self.data = data[behind + count : start + size]


# samples of one frame by the upper five bits of a packet's first byte (RFC 6716, 3.1)
_SILK, _HYBRID, _CELT = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
_FRAME = (*(_SILK * 3), *(_HYBRID * 2), *(_CELT * 4))


def packet_samples(start: bytes) -> int:
    """Give the samples of an Opus packet, of which the first two bytes are enough."""
    if not start:
        return 0
    code = start[0] & 3
    if code == 3:
        frames = start[1] & 0x3F if len(start) > 1 else 0
    else:
        frames = 1 if code == 0 else 2
    return frames * _FRAME[start[0] >> 3]


class _Packets:
    """Adds up the samples of one stream's packets, page by page."""

    def __init__(self) -> None:
        self.samples = 0
        self._unfinished = 0  # of a packet that goes on on the next page

    def ended_on(self, page: _Page) -> bool:
        """Take in a page; tell whether any packet ends on it."""
        at, starts, ended = 0, not page.flags & _CONTINUED, False
        for lacing in page.table:
            if starts:
                self._unfinished = packet_samples(page.data[at : at + min(lacing, 2)])
            at += lacing
            starts = lacing < 255
            if starts:
                self.samples += self._unfinished
                self._unfinished, ended = 0, True
        return ended


class OggJoiner:
    """Hands out whole pages of one stream; bytes that are no Ogg are passed on as they are.

    Pages are timed by the packets on them: what an encoder says of its last page leaves out what
    it added to fill a packet, which is allowed at the end of a stream only.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._plain = False
        self._first = True  # the first stream: its headers are kept
        self._headers = True  # of the present stream may still come
        self._serial = 0
        self._number = 0
        self._packets = _Packets()
        self._granule = 0
        self._skip = 0  # samples a decoder drops at the start

    @property
    def seconds(self) -> Optional[float]:
        """Give the duration of the audio handed out."""
        return None if self._plain else max(0, self._granule - self._skip) / _OPUS_RATE

    def begin(self) -> None:
        """Learn that another stream follows."""
        self._rest = b""
        if self._number:
            self._first, self._headers = False, True

    def feed(self, data: bytes) -> bytes:
        """Give the whole pages there are."""
        data = self._rest + data
        self._rest = b""
        if self._plain:
            return data
        taken: list[bytes] = []
        at = 0
        while len(data) - at >= _HEAD.size:
            if data[at : at + 4] != b"OggS":
                self._plain = True
                return b"".join((*taken, data[at:]))
            count = data[at + 26]
            size = _HEAD.size + count + sum(data[at + 27 : at + 27 + count])
            if len(data) - at < _HEAD.size + count or len(data) - at < size:
                break
            taken.append(self._renumbered(_Page(data, at, count, size)))
            at += size
        self._rest = data[at:]
        if not b"OggS".startswith(self._rest[:4]):
            self._plain = True
            taken.append(self._rest)
            self._rest = b""
        return b"".join(taken)

    def _renumbered(self, page: _Page) -> bytes:
        if page.data[:8] == b"OpusHead":
            if self._first:
                self._serial = page.serial
                self._skip = int.from_bytes(page.data[10:12], "little")
            return self._page(page, 0) if self._first else b""
        if self._headers and page.granule == 0 and page.data:
            return self._page(page, 0) if self._first else b""
        self._headers = False
        if not self._packets.ended_on(page):
            return self._page(page, -1)
        self._granule = self._packets.samples
        return self._page(page, self._granule)

    def _page(self, page: _Page, granule: int) -> bytes:
        number, self._number = self._number, self._number + 1
        flags = page.flags & ~_LAST
        return ogg_page(flags, granule, self._serial, number, page.table, page.data)

    def finish(self) -> bytes:
        """Give an empty last page."""
        if self._plain or not self._number:
            return b""
        return ogg_page(_LAST, self._granule, self._serial, self._number, b"", b"")
