"""What a decoder of Vorbis leaves out at each start. Source: the Vorbis I specification, 4.3.8."""

from __future__ import annotations

import struct
from typing import Optional

_IDENTIFICATION = b"\x01vorbis"


class VorbisStart:
    """Samples that are not heard when decoding starts with a packet.

    A block is heard half over the next one, so that the first packet has no output of its own.
    """

    def __init__(self, header: bytes) -> None:
        self.rate: int = struct.unpack_from("<I", header, 12)[0]
        self._blocks = 1 << (header[28] & 15), 1 << (header[28] >> 4)

    def silent_samples(self, packet: bytes) -> int:
        """Return how many samples a decoder that starts with `packet` leaves out."""
        if not packet:
            return 0
        # the mode is one bit, as every known encoder has two: short blocks and long ones
        is_long, was_long = packet[0] >> 1 & 1, packet[0] >> 2 & 1
        return (self._blocks[is_long] + self._blocks[is_long and was_long]) // 4


def vorbis_start(data: bytes) -> Optional[VorbisStart]:
    """Return it for the first header packet in `data`, `None` if that is not Vorbis."""
    at = data.find(_IDENTIFICATION)
    start = VorbisStart(data[at:]) if 0 <= at <= len(data) - 29 else None
    return start if start is not None and start.rate else None  # nothing can be 0 Hz
