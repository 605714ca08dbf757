"""WebM and Matroska: clusters of blocks with timecodes. Source: RFC 8794, RFC 9559."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Optional

from .base import Framing
from .vorbis import VorbisStart, vorbis_start

_EBML = 0x1A45DFA3
_SEGMENT = 0x18538067
_INFO, _TIMECODE_SCALE = 0x1549A966, 0x2AD7B1
_TRACKS, _TRACK, _TRACK_NUMBER, _TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x83
_CODEC_PRIVATE = 0x63A2
_AUDIO = 2  # a type of track
_CLUSTER, _TIMECODE = 0x1F43B675, 0xE7
_BLOCK_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_CLUSTER_MARK = _CLUSTER.to_bytes(4, "big")
# elements whose contents are read, not skipped
_OPENED = frozenset({_SEGMENT, _CLUSTER, _BLOCK_GROUP})
# those that are needed whole, and are small
_WHOLE = frozenset({_EBML, _INFO, _TRACKS, _TIMECODE})
# the number of a track, the time of a block, its flags, and the first byte of its packet
_BLOCK_HEAD = 8 + 2 + 1 + 1
# A longer element is no audio: its length is damaged.
_MAX_ELEMENT_BYTES = 256 * 1024 * 1024
# of those that are needed whole; what codecs describe themselves with takes some kilobytes
_MAX_WHOLE_BYTES = 1024 * 1024
_NUMBER_BYTES = 8  # of the longest (RFC 8794, 7.2)
# A cluster may be as long as the recording, so that one that is longer can be entered inside.
_LONG_CLUSTER_MS = 10_000.0


def _number(data: bytes, at: int, *, keep_marker: bool = False) -> Optional[tuple[int, int]]:
    """Read a number of one to eight bytes; return it and the position after it.

    It is `None` if `data` ends inside, and -1 if all its bits are set: a length that is unknown.
    """
    if at >= len(data):
        return None
    length = 9 - data[at].bit_length()
    if at + length > len(data) or length > 8:
        return None if length <= 8 else (0, at + 1)
    value = int.from_bytes(data[at : at + length], "big")
    if not keep_marker:
        value &= (1 << 7 * length) - 1
        value = -1 if value == (1 << 7 * length) - 1 else value
    return value, at + length


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the elements in the body of another one."""
    at = 0
    while (name := _number(data, at, keep_marker=True)) and (size := _number(data, name[1])):
        at = size[1] + max(0, size[0])
        yield name[0], data[size[1] : at]


class WebmFraming(Framing):
    """Clusters and blocks. Decoding can start at each cluster, and at some blocks of a long one."""

    def __init__(self) -> None:
        super().__init__()
        self._is_lost = False  # after damage, until the next cluster
        self._scale = 1.0  # ms of a unit of the timecodes
        self._track = -1  # number of the first audio track, -1 if there is no list
        self._vorbis: Optional[VorbisStart] = None
        self._first_silent_ms: Optional[float] = None  # at the start of the stream
        self._timecode = 0
        self._cluster_at: Optional[int] = None  # until its first block is seen
        self._group_at: Optional[int] = None
        self._entry_ms = 0.0

    def _step(self) -> int:
        if self._is_lost:
            found = self._pending.find(_CLUSTER_MARK)
            if found:
                # a mark may be cut by the end of what has come
                return found if found > 0 else max(0, len(self._pending) - 3)
            self._is_lost = False
        head = bytes(self._pending[:12])
        name = _number(head, 0, keep_marker=True)
        size = None if name is None else _number(head, name[1])
        if name is None or size is None:
            return 0
        return self._element(name[0], size[0], size[1])

    def _element(self, name: int, size: int, start: int) -> int:
        """Take in one element; return how many of its bytes were used."""
        if name in _OPENED:
            self._open(name)
            return start
        if name <= 0 or not 0 <= size <= _MAX_ELEMENT_BYTES:
            return self._resync()
        needed = size if name in _WHOLE else 0
        if needed > (_NUMBER_BYTES if name == _TIMECODE else _MAX_WHOLE_BYTES):
            return self._resync()
        if name in (_BLOCK, _SIMPLE_BLOCK):
            needed = min(size, _BLOCK_HEAD)
        if len(self._pending) < start + needed:
            return 0
        self._read(name, bytes(self._pending[start : start + needed]))
        return start + size

    def _open(self, name: int) -> None:
        if name == _BLOCK_GROUP:
            self._group_at = self._position
        if name == _CLUSTER:
            self._in_header = False
            self._cluster_at = self._position

    def _read(self, name: int, body: bytes) -> None:
        if name == _EBML:
            if not self._in_header:  # another file behind this one
                self._begin_header()
        elif name == _INFO:
            nanoseconds = dict(_elements(body)).get(_TIMECODE_SCALE, b"\x0f\x42\x40")
            self._break_if(len(nanoseconds) > _NUMBER_BYTES)
            self._scale = int.from_bytes(nanoseconds[:_NUMBER_BYTES], "big") / 1e6
        elif name == _TRACKS:
            self._find_audio(body)
        elif name == _TIMECODE and self._cluster_at is not None:
            self._timecode = int.from_bytes(body, "big")
        elif name in (_BLOCK, _SIMPLE_BLOCK):
            self._block(name, body)

    def _find_audio(self, tracks: bytes) -> None:
        for name, body in _elements(tracks):
            fields = dict(_elements(body)) if name == _TRACK else {}
            if int.from_bytes(fields.get(_TRACK_TYPE, b""), "big") == _AUDIO:
                self._track = int.from_bytes(fields.get(_TRACK_NUMBER, b""), "big")
                self._vorbis = vorbis_start(fields.get(_CODEC_PRIVATE, b""))
                return

    def _block(self, name: int, head: bytes) -> None:
        track = _number(head, 0)
        group_at, self._group_at = self._group_at, None
        if self._in_header or track is None or len(head) < track[1] + 2:
            return
        if self._track not in (-1, track[0]):
            return
        offset = struct.unpack_from(">h", head, track[1])[0]
        stamp_ms = (self._timecode + offset) * self._scale
        position = self._position if name == _SIMPLE_BLOCK or group_at is None else group_at
        ms = self._time(stamp_ms)
        is_inside = self._cluster_at is None
        if is_inside and ms - self._entry_ms < _LONG_CLUSTER_MS:
            self._mark(position, ms, entry=False)
            return
        self._entry_ms = ms
        inside = b""
        if self._cluster_at is not None:
            position, self._cluster_at = self._cluster_at, None
        else:
            # a cluster of its own, of unknown length: what follows decides where it ends
            timecode = self._timecode.to_bytes(8, "big")
            inside = _CLUSTER_MARK + b"\x01" + b"\xff" * 7 + b"\xe7\x88" + timecode
        silent_ms = self._silent_ms(head[track[1] + 3 :])
        if self._first_silent_ms is None:
            self._first_silent_ms = silent_ms
        self._mark(position, ms + silent_ms - self._first_silent_ms, inside=inside)

    def _silent_ms(self, packet: bytes) -> float:
        """Return how much a decoder that starts with this packet leaves out."""
        vorbis = self._vorbis
        return vorbis.silent_samples(packet) * 1000 / vorbis.rate if vorbis is not None else 0.0

    def _resync(self) -> int:
        """Skip to the next cluster: what is here is no element.

        How much of the rest has come makes no difference: until there is a cluster, nothing is
        taken for an element.
        """
        self._break_if(self._in_header)
        self._cluster_at = None
        self._is_lost = True
        return 1
