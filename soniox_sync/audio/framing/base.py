"""Base of the framings: pending bytes, positions, one clock."""

from __future__ import annotations

from typing import NamedTuple, Optional

# A header may have a picture of some megabytes. What is longer is not kept, nor are units of which
# none is audio.
_MAX_HEADER_BYTES = 16 * 1024 * 1024
_MAX_UNMARKED_BYTES = 32 * 1024 * 1024
# A larger step of the timestamps is no audio: a stream was spliced, or a recorder was paused.
_MAX_STEP_MS = 60_000.0


class Mark(NamedTuple):
    """A position in a container at a time: the start of a page, cluster, block or frame.

    `position` counts bytes, `ms` audio, both from the start of the stream. `header` is what must
    precede the bytes from here for a decoder to start with this time; `None`: it cannot start here.
    `lead_ms`: how much of the audio is silent or distorted then, as it depends on what was before.
    """

    position: int
    ms: float
    header: Optional[bytes]
    lead_ms: float = 0.0


class Framing:
    """Finds the marks of a container that is fed in pieces, cut anywhere. Not thread-safe.

    `is_broken`: this is not the container that it looked like, or it has no times.
    `end_ms`: time up to which the audio is known.
    """

    def __init__(self) -> None:
        self.is_broken: bool = False
        self.end_ms: float = 0.0
        self._pending = bytearray()
        self._position = 0  # of the first pending byte
        self._skip = 0  # bytes of a unit that is understood already
        self._in_header = True
        self._header = bytearray()
        self._header_copy = b""  # one for all marks
        self._marks: list[Mark] = []
        self._unmarked = 0  # bytes since the last mark
        self._base_ms: Optional[float] = None  # what the timestamps say at 0 ms

    def feed(self, data: bytes) -> list[Mark]:
        """Take in the next bytes; return the marks that are new."""
        self._pending += data
        while self._pending and not self.is_broken:
            self._skip = self._skip or self._step()
            if not self._skip:
                break
            used = min(self._skip, len(self._pending))
            self._skip -= used
            self._consume(used)
        marks, self._marks = self._marks, []
        return marks

    def _step(self) -> int:
        """Return how many bytes from here on are understood, 0 if more must be fed first."""
        raise AssertionError("a subclass knows its container")  # pragma: no cover

    def _break_if(self, is_wrong: bool) -> None:
        """Mark the stream as one that cannot be understood, if `is_wrong`."""
        self.is_broken = self.is_broken or is_wrong

    def _consume(self, count: int) -> None:
        if self._in_header:
            self._header += self._pending[:count]
            self._break_if(len(self._header) > _MAX_HEADER_BYTES)
        del self._pending[:count]  # cheap: a bytearray drops its front without copying
        self._position += count
        self._unmarked += count
        self._break_if(self._unmarked > _MAX_UNMARKED_BYTES)

    def _begin_header(self) -> None:
        """Start a new header: of a stream that is chained to the one before."""
        self._in_header = True
        self._header.clear()
        self._header_copy = b""
        self._base_ms = None

    def _mark(
        self,
        position: int,
        ms: float,
        *,
        entry: bool = True,
        inside: bytes = b"",
        lead_ms: float = 0.0,
    ) -> None:
        """Add a mark. `inside`: what must follow the header for an entry inside a unit."""
        header = None
        if entry:
            if len(self._header_copy) != len(self._header):
                self._header_copy = bytes(self._header)
            header = self._header_copy + inside
        self._marks.append(Mark(position, ms, header, lead_ms))
        self._unmarked = 0

    def _time(self, stamp_ms: float) -> float:
        """Return the time at a timestamp, and move the end to it.

        The timestamps may start anywhere, and may jump, but the audio has no gaps (in ms)::

            stamp 5000 -> 0      the first one
            stamp 6000 -> 1000
            stamp 900000 -> 1000   a jump: time goes on where it was
            stamp 901000 -> 2000
        """
        if self._base_ms is None:
            self._base_ms = stamp_ms - self.end_ms
        ms = stamp_ms - self._base_ms
        # timestamps are rounded, so they may go back a little
        if not self.end_ms - 1000 <= ms <= self.end_ms + _MAX_STEP_MS:
            self._base_ms = stamp_ms - self.end_ms
            ms = self.end_ms
        self.end_ms = max(self.end_ms, ms)
        return self.end_ms
