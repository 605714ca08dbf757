"""Starting an mp3 in the middle, where frames continue the data of frames before them.

A frame has room of its own, and may begin its data up to 511 bytes earlier, in the room that
frames before it left. A decoder that starts with such a frame has no data for it: some play
silence, others skip it, and are ahead of time from then on. So the frames whose room is needed are
sent first, with their descriptions cleared: to every decoder they are silence, and their bytes are
there.

Source: ISO 11172-3, 2.4.1.7 (side information), 2.4.2.7 (main_data_begin).
"""

from __future__ import annotations

from collections import deque
from typing import Optional

# the furthest that a frame can reach back, in bytes
_REACH_BYTES = 511


class _Layout:
    """Where the parts of a frame are: 4 bytes of header, side information, room for data."""

    def __init__(self, frame: bytes) -> None:
        self.is_mpeg_1 = bool(frame[1] & 8)
        is_mono = frame[3] >> 6 == 3
        has_checksum = not frame[1] & 1
        self.side: int = 6 if has_checksum else 4
        self.room: int = self.side + (
            (17 if is_mono else 32) if self.is_mpeg_1 else (9 if is_mono else 17)
        )
        # with a checksum over what would be cleared it cannot be
        self.can_be_silenced: bool = not has_checksum


def begins_before(frame: bytes) -> int:
    """Return how many bytes before its own room the data of a frame begins."""
    layout = _Layout(frame)
    # nine bits of MPEG 1, eight of MPEG 2
    high, low = frame[layout.side], frame[layout.side + 1]
    return high << 1 | low >> 7 if layout.is_mpeg_1 else high


def has_encoder_delay(frame: bytes) -> bool:
    """Return whether a first frame has no audio, but says what the encoder did."""
    at = _Layout(frame).room
    return frame[at : at + 4] in (b"Xing", b"Info") or frame[36:40] == b"VBRI"


def _silenced(frame: bytes, before: int) -> bytes:
    """Return a frame without audio, whose room, and `before` bytes before it, are kept."""
    layout = _Layout(frame)
    side = bytearray(layout.room - layout.side)
    if layout.is_mpeg_1:
        side[0], side[1] = before >> 1, (before & 1) << 7
    else:
        side[0] = min(before, 255)
    return frame[: layout.side] + bytes(side) + frame[layout.room :]


class Reservoir:
    """The last frames, as far back as a later one can reach. Not thread-safe."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._room = 0  # bytes of room in all of them

    def add(self, frame: bytes) -> None:
        """Add the next frame; what none can reach any longer is dropped."""
        self._frames.append(frame)
        self._room += len(frame) - _Layout(frame).room
        while self._room - (first := self._room_of(0)) >= _REACH_BYTES:
            self._frames.popleft()
            self._room -= first

    def _room_of(self, at: int) -> int:
        frame = self._frames[at]
        return len(frame) - _Layout(frame).room

    def before(self, frame: bytes) -> Optional[list[bytes]]:
        """Return the silent frames that must precede a frame, `None` if they are not there.

        For a frame whose data begins 300 bytes earlier, after frames with room for 200 bytes each::

            two of them    the first keeps 0 bytes before its room, the second 200
        """
        needed = begins_before(frame)
        at = len(self._frames)
        while needed > 0 and at > 0:
            at -= 1
            needed -= self._room_of(at)
        chosen = list(self._frames)[at:]
        if needed > 0 or not all(_Layout(each).can_be_silenced for each in chosen):
            return None
        silent, kept = [], 0
        for each in chosen:
            silent.append(_silenced(each, kept))
            kept = min(_REACH_BYTES, kept + len(each) - _Layout(each).room)
        return silent
