"""What a container's first bytes tell: its kind, how heavy a second is, where it can begin again.

No I/O but reading the file objects handed in. Sizes are estimates for pacing, never for times.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Optional

__all__ = ["HEAD_BYTES", "bytes_per_second", "find_entry", "header_length", "sniff"]

# enough to tell every kind below, the first packet of an Ogg page included
HEAD_BYTES = 64

# A header beyond this (album art) is not looked through: such a file cannot begin again.
_MAX_HEADER_BYTES = 1024 * 1024

# An Ogg page has at most 65,307 bytes, so the last page starts within these.
_LAST_PAGE_BYTES = 70_000

_WEBM_CLUSTER = b"\x1f\x43\xb6\x75"

_MAGIC = (
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"\x30\x26\xb2\x75", "asf"),
    (b"#!AMR", "amr"),
)


def sniff(head: bytes) -> Optional[str]:
    """Name what begins with `head`: a container's name, `vorbis` for Ogg Vorbis; else `None`."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return "vorbis" if head[28:35] == b"\x01vorbis" else "ogg"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    return _sniff_frame(head)


def _sniff_frame(head: bytes) -> Optional[str]:
    """Tell MPEG audio frames by their first three bytes; few random bytes look like them."""
    if len(head) < 3 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:  # layer 0: ADTS
        return "aac" if head[2] >> 2 & 15 < 13 else None
    is_layer_3 = head[1] & 0xE0 == 0xE0 and head[1] & 0x18 != 0x08 and head[1] & 6 == 2
    return "mp3" if is_layer_3 and _mp3_kbps(head) else None


# kbit/s of MPEG layer 3 by the index in the frame's third byte
_MPEG_1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG_2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)


def _mp3_kbps(frame: bytes) -> int:
    if frame[2] & 0x0C == 0x0C:  # a sample rate that does not exist
        return 0
    table = _MPEG_1_KBPS if frame[1] & 0x18 == 0x18 else _MPEG_2_KBPS
    return table[frame[2] >> 4]


def bytes_per_second(kind: Optional[str], file: BinaryIO, start: int) -> Optional[float]:
    """Estimate the mean weight of a second; `None` when the header does not tell.

    `file` can seek and is left anywhere; `start` is where the container begins.
    """
    if kind == "mp3":
        return _mp3_rate(file, start)
    size = file.seek(0, os.SEEK_END) - start
    if kind == "flac":
        return _per_second(size, _flac_seconds(file, start))
    if kind in ("ogg", "vorbis"):
        return _per_second(size, _ogg_seconds(file, start))
    return None


def _per_second(size: int, seconds: float) -> Optional[float]:
    return size / seconds if seconds > 0 else None


def _read_at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    data = file.read(size)
    while data and len(data) < size and (more := file.read(size - len(data))):
        data += more  # an unbuffered file may give a part
    return data


def _mp3_rate(file: BinaryIO, start: int) -> Optional[float]:
    head = _read_at(file, start, 10)
    at = start
    if head[:3] == b"ID3" and len(head) == 10:
        b = head[6:10]  # seven bits in each
        at += 10 + (b[0] << 21 | b[1] << 14 | b[2] << 7 | b[3])
    data = _read_at(file, at, 4096)
    found = find_entry("mp3", data)
    return _mp3_kbps(data[found:]) * 125.0 if found is not None else None


def _flac_seconds(file: BinaryIO, start: int) -> float:
    head = _read_at(file, start, 26)
    if len(head) < 26 or head[4] & 0x7F != 0:
        return 0.0
    packed = struct.unpack_from(">Q", head, 18)[0]  # 20 bits rate, 3 + 5 other, 36 bits samples
    rate, samples = packed >> 44, packed & 0xFFFFFFFFF
    return samples / rate if rate else 0.0


def _ogg_seconds(file: BinaryIO, start: int) -> float:
    head = _read_at(file, start, HEAD_BYTES)
    rate = 0
    if head[28:36] == b"OpusHead":
        rate = 48000  # positions count this clock, whatever the sample rate
    elif head[28:35] == b"\x01vorbis" and len(head) >= 44:
        rate = struct.unpack_from("<I", head, 40)[0]
    end = file.seek(0, os.SEEK_END)
    tail = _read_at(file, max(start, end - _LAST_PAGE_BYTES), _LAST_PAGE_BYTES)
    last = tail.rfind(b"OggS")
    if not rate or last < 0 or len(tail) < last + 14:
        return 0.0
    position = struct.unpack_from("<q", tail, last + 6)[0]
    return position / rate if position > 0 else 0.0


def header_length(kind: Optional[str], data: bytes) -> Optional[int]:
    """Count the bytes that must precede audio from the middle; `None` when that is not known.

    `data` is the container's beginning, 1 MiB is always enough. MPEG frames need none.
    """
    if kind in ("mp3", "aac"):
        return 0
    if kind in ("ogg", "vorbis"):
        return _ogg_header_length(data)
    if kind == "flac":
        return _flac_header_length(data)
    if kind == "webm":
        found = data.find(_WEBM_CLUSTER)
        return found if found >= 0 else None
    return None


def header_of(kind: Optional[str], file: BinaryIO, start: int) -> Optional[bytes]:
    """Read what must precede audio from the middle; `None` when that is not known."""
    data = _read_at(file, start, _MAX_HEADER_BYTES)
    length = header_length(kind, data)
    return None if length is None else data[:length]


def _ogg_header_length(data: bytes) -> Optional[int]:
    """Find the first page with audio: header pages stand at position 0 or end no packet (-1)."""
    at = 0
    while len(data) >= at + 27 and data[at : at + 4] == b"OggS":
        if struct.unpack_from("<q", data, at + 6)[0] not in (0, -1):
            return at
        segments = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + data[at + 26] + sum(segments)
    return None


def _flac_header_length(data: bytes) -> Optional[int]:
    at = 4
    while len(data) >= at + 4:
        last = data[at] & 0x80
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        if last:
            return at if at <= len(data) else None
    return None


def find_entry(kind: Optional[str], data: bytes) -> Optional[int]:
    """Find where audio from the middle can begin: a page, a cluster, a frame; `None`: not here."""
    if kind in ("ogg", "vorbis"):
        return _found(data.find(b"OggS"))
    if kind == "webm":
        return _found(data.find(_WEBM_CLUSTER))
    at = data.find(b"\xff")
    while 0 <= at <= len(data) - 3:
        if _is_frame(kind, data[at : at + 3]):
            return at
        at = data.find(b"\xff", at + 1)
    return None


def _found(at: int) -> Optional[int]:
    return at if at >= 0 else None


def _is_frame(kind: Optional[str], head: bytes) -> bool:
    if kind == "flac":
        # sync code, a block size and a rate that exist
        return head[1] & 0xFE == 0xF8 and head[2] >> 4 != 0 and head[2] & 15 != 15
    return _sniff_frame(head) == kind
