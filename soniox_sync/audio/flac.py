"""FLAC that arrives as a stream: counting its samples, which its header does not say.

An encoder that cannot go back leaves the number of samples in the header at 0, "unknown". Players
accept that, but some programs cannot read such a file: soundfile asks for as much memory as there
could be samples. Only the last frame is needed to know it, because each frame has its number.
Source: RFC 9639.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple, Optional

from .saver import StreamSaver, Target

# the marker, the head of the first block, and that block: STREAMINFO
_HEAD_BYTES = 4 + 4 + 34
_BLOCK_SIZE = slice(10, 12)  # the largest block of the stream, in samples
_SAMPLES = slice(21, 26)  # 4 bits of the sample size, then 36 bits: the number of samples
_MAX_SAMPLES = 1 << 36
_SYNC = re.compile(rb"\xff[\xf8\xf9]")  # blocks of equal size, of various sizes
_MAX_FRAME_HEAD = 16


class FlacSaver(StreamSaver):
    """Writer for a FLAC that arrives as a stream; `close()` counts its samples in the header.

    Only if the header has no number and the last frame is complete; otherwise, and if they are not
    FLAC, the bytes are written unchanged. `target` and the rest as in `WavSaver`.
    """

    _kind = "FLAC"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._head = b""
        self._tail = bytearray()  # enough for the last frame
        self._keep = 0

    def _follow(self, data: bytes) -> None:
        if len(self._head) < _HEAD_BYTES:
            self._head = (self._head + data)[:_HEAD_BYTES]
            self._keep = _longest_frame(self._head)
        self._tail += data
        if len(self._tail) > 2 * self._keep:
            del self._tail[: -self._keep or None]

    def _correct(self, start: int) -> None:
        header = counted(self._head, bytes(self._tail))
        if header is not None and self._can_go_back(start):
            self._patch(start + _SAMPLES.start, header)


def with_sample_count(audio: bytes) -> bytes:
    """Return a FLAC with the number of samples in its header; anything else unchanged."""
    head = audio[:_HEAD_BYTES]
    header = counted(head, audio[-_longest_frame(head) :])
    if header is None:
        return audio
    return audio[: _SAMPLES.start] + header + audio[_SAMPLES.stop :]


def counted(head: bytes, tail: bytes) -> Optional[bytes]:
    """Return the five bytes of the header that count the samples, `None` to leave them.

    `tail` contains at least the last frame. Example, with blocks of 4096 samples:

        head: 4096 samples per block, 0 samples in all
        tail: ... | frame 28, 4096 samples | frame 29, 512 samples
        the number is 29 * 4096 + 512 = 119296
    """
    if not _longest_frame(head):
        return None
    before = head[_SAMPLES]
    last = _last_frame(tail)
    if int.from_bytes(before, "big") % _MAX_SAMPLES or last is None:
        return None
    block = 1 if last.counts_samples else int.from_bytes(head[_BLOCK_SIZE], "big")
    total = last.number * block + last.samples
    if total >= _MAX_SAMPLES:
        return None
    return bytes([before[0] & 0xF0 | total >> 32]) + (total & 0xFFFFFFFF).to_bytes(4, "big")


def _longest_frame(head: bytes) -> int:
    """Return how many bytes a frame may have; 0 if this is not the head of a FLAC."""
    if len(head) < _HEAD_BYTES or head[:4] != b"fLaC" or head[4] & 0x7F or head[7] != 34:
        return 0
    shape = int.from_bytes(head[20:22], "big")  # 20 bits rate, 3 channels, 5 sample size
    channels, bits = (shape >> 9 & 7) + 1, (shape >> 4 & 31) + 1
    block = int.from_bytes(head[_BLOCK_SIZE], "big")
    # not compressed, with the extra bit of a difference of channels; subframes have short heads
    return _MAX_FRAME_HEAD + channels * (block * (bits + 1) // 8 + 8) + 2


class _Frame(NamedTuple):
    """What the head of a frame says; `number`: of the frame, or of its first sample."""

    number: int
    counts_samples: bool
    samples: int


def _last_frame(tail: bytes) -> Optional[_Frame]:
    """Find the frame that ends with the last byte; `None` if that one is cut.

    Its start is not marked: it is where a head with a right checksum begins, from which on the
    checksum of the whole is right, too. That one is computed from the end, so that all starts
    together take one pass: a tail may be made of nothing but heads.
    """
    end, value = len(tail), 0
    for at in reversed([found.start() for found in _SYNC.finditer(tail)]):
        value, end = _crc_backwards(tail[at:end], value), at
        if value == 0:
            frame = _read_head(tail[at : at + _MAX_FRAME_HEAD])
            if frame is not None:
                return frame
    return None


def _read_head(data: bytes) -> Optional[_Frame]:
    """Read the head of a frame; `None` if it is none."""
    if len(data) < 6 or data[3] & 1:
        return None
    size_code, rate_code = data[2] >> 4, data[2] & 15
    if not size_code or rate_code == 15:
        return None
    # a number as in UTF-8, of up to seven bytes
    ones = next((i for i in range(8) if not data[4] >> (7 - i) & 1), 8)
    if ones in (1, 8):
        return None
    at = 5 + max(0, ones - 1)
    number = data[4] & (0xFF >> ones) if ones else data[4]
    for byte in data[5:at]:
        number = number << 6 | byte & 0x3F
    more = {6: 1, 7: 2}.get(size_code, 0)
    samples = int.from_bytes(data[at : at + more], "big") + 1 if more else _BLOCKS[size_code]
    at += more + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if at >= len(data) or _crc(data[: at + 1], 0x07, 8):
        return None
    return _Frame(number, data[1] & 1 == 1, samples)


# code -> samples in a block
_BLOCKS = {
    1: 192,
    **{code: 576 << (code - 2) for code in range(2, 6)},
    **{code: 256 << (code - 8) for code in range(8, 16)},
}


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """Return the checksum of data; 0 if the data ends with its checksum."""
    table, mask, value = _crc_table(polynomial, bits), (1 << bits) - 1, 0
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> (bits - 8) ^ byte]
    return value


def _crc_backwards(data: bytes, value: int) -> int:
    """Return the checksum of 16 bits of what was computed to `value`, with data before it.

    It is 0 exactly where that of the whole, read forwards, is: a polynomial divides a message if
    and only if the reversed one, here 0x4003, divides the message from its last bit to its first.
    """
    table = _reversed_table()
    for byte in reversed(data):
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value


@cache
def _reversed_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xC002 if value & 1 else 0)  # 0x4003, its bits reversed
        table.append(value)
    return tuple(table)


@cache
def _crc_table(polynomial: int, bits: int) -> tuple[int, ...]:
    table = []
    for value in range(256):
        value <<= bits - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (bits - 1) & 1 else 0)
        table.append(value & ((1 << bits) - 1))
    return tuple(table)
