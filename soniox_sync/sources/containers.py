"""What the bytes of a container reveal: its type, its byte rate, where decoding can start again.

No I/O except reading the file objects passed in. Rates are estimates for pacing, never for times.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, Optional

from ..audio.framing.choose import kind_of
from ..audio.framing.mpeg import frame_kind, mp3_kbps

# enough to recognise every type below, including the first packet of an Ogg page
HEAD_BYTES = 64

# A longer header (album art) is not searched: such a file cannot be restarted.
_MAX_HEADER_BYTES = 1024 * 1024

# An Ogg page has at most 65,307 bytes, so the last page starts within these.
_LAST_PAGE_BYTES = 70_000

_WEBM_CLUSTER = b"\x1f\x43\xb6\x75"


def sniff(head: bytes) -> Optional[str]:
    """Return the container that starts with `head`, `vorbis` for Ogg Vorbis, `None` if unknown."""
    found = kind_of(head)
    return "vorbis" if found == "ogg" and head[28:35] == b"\x01vorbis" else found


def bytes_per_second(kind: Optional[str], file: BinaryIO, start: int) -> Optional[float]:
    """Return an estimate of the mean rate; `None` if the header has no information.

    `file` must be seekable and is left at any position; `start` is where the container starts.
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
        data += more  # an unbuffered file may return a part
    return data


def _mp3_rate(file: BinaryIO, start: int) -> Optional[float]:
    head = _read_at(file, start, 10)
    at = start
    if head[:3] == b"ID3" and len(head) == 10:
        b = head[6:10]  # seven bits in each
        at += 10 + (b[0] << 21 | b[1] << 14 | b[2] << 7 | b[3])
    data = _read_at(file, at, 4096)
    found = find_entry("mp3", data)
    return mp3_kbps(data[found:]) * 125.0 if found is not None else None  # kbit to bytes


def _flac_seconds(file: BinaryIO, start: int) -> float:
    head = _read_at(file, start, 26)
    if len(head) < 26 or head[4] & 0x7F != 0:
        return 0.0
    # STREAMINFO: 20 bits sample rate, 3 + 5 bits channels and sample size, 36 bits samples
    packed = struct.unpack_from(">Q", head, 18)[0]
    rate, samples = packed >> 44, packed & 0xFFFFFFFFF
    return samples / rate if rate else 0.0


def _ogg_seconds(file: BinaryIO, start: int) -> float:
    head = _read_at(file, start, HEAD_BYTES)
    rate = 0
    if head[28:36] == b"OpusHead":
        rate = 48000  # Opus counts its positions at this rate, whatever the sample rate
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
    """Return how many bytes of header must precede audio from the middle; `None` if unknown.

    `data` is the start of the container, at most 1 MiB. MPEG frames need no header.
    """
    if kind in ("mp3", "aac"):
        return 0
    if kind in ("ogg", "vorbis"):
        return _ogg_header_length(data)
    if kind == "flac":
        return _flac_header_length(data)
    if kind == "webm":
        return _find(data, _WEBM_CLUSTER)
    return None


def header_of(kind: Optional[str], file: BinaryIO, start: int) -> Optional[bytes]:
    """Read the header that must precede audio from the middle; return `None` if it is unknown."""
    data = _read_at(file, start, _MAX_HEADER_BYTES)
    length = header_length(kind, data)
    return None if length is None else data[:length]


def _ogg_header_length(data: bytes) -> Optional[int]:
    """Find the first page with audio: header pages have position 0, or -1 if no packet ends."""
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
    """Find the first page, cluster or frame, where decoding can start; `None` if there is none."""
    if kind in ("ogg", "vorbis"):
        return _find(data, b"OggS")
    if kind == "webm":
        return _find(data, _WEBM_CLUSTER)
    at = data.find(b"\xff")
    while 0 <= at <= len(data) - 3:
        if _is_frame(kind, data[at : at + 3]):
            return at
        at = data.find(b"\xff", at + 1)
    return None


def _find(data: bytes, mark: bytes) -> Optional[int]:
    at = data.find(mark)
    return at if at >= 0 else None


def _is_frame(kind: Optional[str], head: bytes) -> bool:
    if kind == "flac":
        # sync code, a block size and a rate that exist
        return head[1] & 0xFE == 0xF8 and head[2] >> 4 != 0 and head[2] & 15 != 15
    return frame_kind(head) == kind
