"""Containers whose audio is lossless, written by us, and a decoder that forgives nothing."""

from __future__ import annotations

import array
import itertools
import struct
import zlib
from dataclasses import dataclass
from typing import Optional

from tests.sources.flac_writer import frame, stream_info

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class Unit:
    """Bytes of a container that carry these samples; decoding can start at an entry."""

    data: bytes
    pcm: bytes
    is_entry: bool = True


@dataclass
class Muxed:
    """A container: its header, then its units."""

    header: bytes
    units: list[Unit]

    @property
    def data(self) -> bytes:
        return self.header + b"".join(unit.data for unit in self.units)


def _blocks(pcm: bytes, size: int) -> list[bytes]:
    return [pcm[at : at + 2 * size] for at in range(0, len(pcm), 2 * size)]


def _samples(pcm: bytes) -> list[int]:
    return list(array.array("h", pcm))


def flac(pcm: bytes, rate: int, block: int = 400, *, known: bool = True) -> Muxed:
    """Mux samples as FLAC; without `known` as if it were streamed, with its length unknown."""
    count = len(pcm) // 2 if known else 0
    frames = [
        Unit(frame(number, _samples(piece)), piece)
        for number, piece in enumerate(_blocks(pcm, block))
    ]
    return Muxed(b"fLaC" + stream_info(count, rate, block), frames)


def ogg_page(
    packets: list[bytes], position: int, *, number: int = 0, flags: int = 0, serial: int = 7
) -> bytes:
    """Return an Ogg page of whole packets."""
    lacing = b"".join(bytes([255] * (len(p) // 255) + [len(p) % 255]) for p in packets)
    head = b"OggS" + struct.pack("<BBqIII", 0, flags, position, serial, number, 0)
    page = head + bytes([len(lacing)]) + lacing + b"".join(packets)
    # Ogg counts bits from the other end than zlib, and does not invert
    crc = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    crc = int.from_bytes(crc.to_bytes(4, "little").translate(_REVERSED), "big")
    return page[:22] + struct.pack("<I", crc) + page[26:]


def ogg(pcm: bytes, rate: int, block: int = 100, *, per_page: int = 4) -> Muxed:
    """Mux samples as FLAC in Ogg, so many blocks to a page."""
    info = b"\x7fFLAC\1\0" + struct.pack(">H", 1) + b"fLaC" + stream_info(0, rate, block)
    comment = b"\x84\0\0\x08" + bytes(8)
    header = ogg_page([info], 0, flags=2) + ogg_page([comment], 0, number=1)
    frames = list(enumerate(_blocks(pcm, block)))
    units = []
    position = 0
    for at in range(0, len(frames), per_page):
        packets = [frame(number, _samples(piece)) for number, piece in frames[at : at + per_page]]
        samples = b"".join(piece for _, piece in frames[at : at + per_page])
        position += len(samples) // 2
        units.append(Unit(ogg_page(packets, position, number=2 + len(units)), samples))
    return Muxed(header, units)


def element(name: int, body: bytes, *, unknown: bool = False) -> bytes:
    """Return an EBML element; `unknown`: one that is as long as what follows belongs to it."""
    size = b"\x01" + b"\xff" * 7 if unknown else (1 << 56 | len(body)).to_bytes(8, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + size + body


def number(name: int, value: int) -> bytes:
    """Return an EBML element with a number."""
    return element(name, value.to_bytes(8, "big"))


def webm(
    pcm: bytes,
    rate: int,
    block: int = 100,
    *,
    cluster_ms: int = 1000,
    live: bool = False,
    grouped: bool = False,
    start_ms: int = 0,
) -> Muxed:
    """Mux samples as Matroska; `live`: of unknown lengths, `grouped`: blocks in groups."""
    audio = number(0xD7, 1) + number(0x83, 2) + element(0x86, b"A_PCM/INT/LIT")
    tracks = element(0x1654AE6B, element(0xAE, audio))
    info = element(0x1549A966, number(0x2AD7B1, 1_000_000))
    ebml = element(0x1A45DFA3, element(0x4282, b"matroska"))
    header = ebml + element(0x18538067, b"", unknown=True) + info + tracks
    units: list[Unit] = []
    pieces = [(at * block * 1000 // rate, piece) for at, piece in enumerate(_blocks(pcm, block))]
    for cluster, group in itertools.groupby(pieces, lambda each: each[0] // cluster_ms):
        first = number(0xE7, start_ms + cluster * cluster_ms)
        blocks = []
        for ms, piece in group:
            body = b"\x81" + struct.pack(">hB", ms - cluster * cluster_ms, 0x80) + piece
            data = element(0xA0, element(0xA1, body)) if grouped else element(0xA3, body)
            blocks.append(Unit(data, piece, is_entry=False))
        size = len(first) + sum(len(each.data) for each in blocks)
        start = element(0x1F43B675, bytes(size), unknown=live)[: -size if size else None]
        blocks[0] = Unit(start + first + blocks[0].data, blocks[0].pcm)
        units += blocks
    return Muxed(header, units)


class StrictDecoder:
    """Decodes what one session receives of a container: a header, then its units from an entry on.

    Anything else, and a unit that is missing, repeated or cut, is an error.
    """

    def __init__(self, muxed: Muxed) -> None:
        self._muxed = muxed
        self._pending = b""
        self._has_header = False
        self.first: Optional[int] = None  # number of the first unit
        self._next = 0

    def feed(self, data: bytes) -> bytes:
        """Return the samples of the units that are complete."""
        self._pending += data
        if not self._has_header:
            header = self._muxed.header
            assert header.startswith(self._pending[: len(header)]), "no header at the start"
            if len(self._pending) < len(header):
                return b""
            self._has_header, self._pending = True, self._pending[len(header) :]
        pcm = []
        while self._pending and (unit := self._unit()) is not None:
            pcm.append(unit.pcm)
            self._pending = self._pending[len(unit.data) :]
            self._next += 1
        return b"".join(pcm)

    def _unit(self) -> Optional[Unit]:
        units = self._muxed.units
        if self.first is None:
            longest = max(len(unit.data) for unit in units)
            if len(self._pending) < longest and not any(
                unit.is_entry and self._pending.startswith(unit.data) for unit in units
            ):
                return None
            starts = [
                at
                for at, unit in enumerate(units)
                if unit.is_entry and self._pending.startswith(unit.data)
            ]
            assert starts, "the audio does not start at an entry"
            self.first = self._next = starts[0]
        assert self._next < len(units), "more than there was"
        unit = units[self._next]
        cut = min(len(unit.data), len(self._pending))
        assert unit.data[:cut] == self._pending[:cut], "not the unit that follows"
        return unit if cut == len(unit.data) else None

    def end(self) -> None:
        """Check that nothing is cut at the end."""
        assert not self._pending, "cut at the end"
