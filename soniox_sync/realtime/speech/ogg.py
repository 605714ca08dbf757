"""Ogg pages of several Opus streams, renumbered into one (RFC 3533, RFC 7845).

They become one logical stream rather than a chain of streams, because some browsers stop at the end
of the first.

    stream   pages in: number, granule          pages out
    1        0 OpusHead, 1 OpusTags, 2 960      0 OpusHead, 1 OpusTags, 2 960
    2        0 OpusHead, 1 OpusTags, 2 960      3 1920
    end                                         4 1920 (empty, last)

A granule is the number of samples up to the end of a page, at 48 kHz; 960 are one packet of 20 ms.
"""

from __future__ import annotations

import struct
from typing import Optional

__all__ = ["OggJoiner", "ogg_page"]

_HEAD = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_OPUS_RATE = 48000  # of granules, whatever the sample rate of the audio


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
    """Return a page with a segment table (without the count) and data."""
    head = _HEAD.pack(b"OggS", 0, flags, granule, serial, number, 0, len(table))
    crc = _crc(head + table + data)
    return head[:22] + struct.pack("<I", crc) + head[26:] + table + data


class _Page:
    def __init__(self, data: bytes, start: int, count: int, size: int) -> None:
        _, _, self.flags, self.granule, self.serial, _, _, _ = _HEAD.unpack_from(data, start)
        table = start + _HEAD.size
        self.table = data[table : table + count]
        self.data = data[table + count : start + size]


# samples per frame, by the upper five bits of a packet's first byte (RFC 6716, 3.1)
_SILK, _HYBRID, _CELT = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
_FRAME = (*(_SILK * 3), *(_HYBRID * 2), *(_CELT * 4))


def packet_samples(start: bytes) -> int:
    """Return the number of samples in an Opus packet; `start` is at least its first two bytes."""
    if not start:
        return 0
    code = start[0] & 3
    if code == 3:
        frames = start[1] & 0x3F if len(start) > 1 else 0
    else:
        frames = 1 if code == 0 else 2
    return frames * _FRAME[start[0] >> 3]


class _Packets:
    """Total number of samples in the packets, page by page."""

    def __init__(self) -> None:
        self.samples = 0
        self._unfinished = 0  # samples of a packet that continues on the next page

    def add(self, page: _Page) -> bool:
        """Count the packets that end on `page`; return whether any does."""
        # after an entry of 255 the packet continues with the next entry, perhaps on the next page;
        # a smaller entry ends it
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
    """Joiner of Ogg Opus: whole pages. If it meets other bytes, it passes on all from there.

    Granules are computed from the packets: on its last page a stream excludes the padding of its
    last packet, which is allowed only at the end of a stream.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._passing_on = False
        self._first = True  # the first stream: its headers are kept
        self._headers = True  # headers of the current stream may still come
        self._serial = 0
        self._number = 0
        self._packets = _Packets()
        self._granule = 0
        self._skip = 0  # samples that a decoder drops at the start

    @property
    def seconds(self) -> Optional[float]:
        """Duration of the audio returned."""
        return None if self._passing_on else max(0, self._granule - self._skip) / _OPUS_RATE

    def begin(self) -> None:
        """Start another stream; an incomplete page is dropped."""
        self._rest = b""
        if self._number:
            self._first, self._headers = False, True

    def feed(self, data: bytes) -> bytes:
        """Return the pages that are complete."""
        data = self._rest + data
        self._rest = b""
        if self._passing_on:
            return data
        taken: list[bytes] = []
        at = 0
        while len(data) - at >= _HEAD.size:
            if data[at : at + 4] != b"OggS":
                self._passing_on = True
                return b"".join((*taken, data[at:]))
            count = data[at + 26]
            size = _HEAD.size + count + sum(data[at + 27 : at + 27 + count])
            if len(data) - at < _HEAD.size + count or len(data) - at < size:
                break
            taken.append(self._renumbered(_Page(data, at, count, size)))
            at += size
        self._rest = data[at:]
        if not b"OggS".startswith(self._rest[:4]):
            self._passing_on = True
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
        if not self._packets.add(page):
            return self._page(page, -1)  # no packet ends on it (RFC 3533, 6)
        self._granule = self._packets.samples
        return self._page(page, self._granule)

    def _page(self, page: _Page, granule: int) -> bytes:
        number, self._number = self._number, self._number + 1
        flags = page.flags & ~_LAST
        return ogg_page(flags, granule, self._serial, number, page.table, page.data)

    def finish(self) -> bytes:
        """Return an empty page that ends the stream."""
        if self._passing_on or not self._number:
            return b""
        return ogg_page(_LAST, self._granule, self._serial, self._number, b"", b"")
