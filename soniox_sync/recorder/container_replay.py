"""Audio in a container, kept for the next session like headerless audio. No I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Optional

from ..audio.framing.base import Framing

# The largest message: a header may have a picture, and a page much silence.
MAX_BYTES = 64 * 1024


class ContainerReplay:
    """Bytes of a container from `start` to `end`, with the times of its pages, clusters or frames.

    Like `ReplayBuffer`, but a session starts with the header, and then at an entry: where decoding
    can start. A WebM with a header of 500 bytes and a cluster each five seconds (times in ms)::

        position      0      500     9000    17400    26100
        time          0        0     5000    10000    15000
        entry_at(12200) -> (17400, 10000)     header_at(17400) -> the first 500 bytes
        release(12200, 26100)                 start == 17400: the header is kept apart
    """

    def __init__(self, framing: Framing, window_sec: float, *, can_drop: bool = True) -> None:
        self._framing = framing
        self._window_ms = window_sec * 1000
        self._limit_ms = self._window_ms
        self._can_drop = can_drop
        self._data = bytearray()
        self._needed_ms = 0  # from here on the audio may be sent again
        self.start: int = 0
        # Marks in order, by position and by time; the header is `None` where nothing can start.
        # The first one is an entry at `start`, in the beginning with its own header behind it.
        self._positions = [0]
        self._times = [0.0]
        self._headers: list[Optional[bytes]] = [b""]
        # of entries: the time of a session that starts there, and until when it is not heard well
        self._starts = [0.0]
        self._leads = [0.0]

    @property
    def is_broken(self) -> bool:
        """Whether nothing is known of this container, so that none of it can be kept."""
        return self._framing.is_broken

    @property
    def end(self) -> int:
        """Position after the last byte captured."""
        return self.start + len(self._data)

    @property
    def held_bytes(self) -> int:
        """Bytes kept in memory."""
        return len(self._data)

    @property
    def is_full(self) -> bool:
        """Whether a whole window of audio is kept, not counting what only an entry needs."""
        begin_ms = max(self._times[0], self._needed_ms)
        return self._framing.end_ms - begin_ms >= self._limit_ms

    def grow(self) -> None:
        """Keep another window of audio."""
        self._limit_ms += self._window_ms

    def append(self, data: bytes) -> None:
        """Add captured bytes; beyond the window the oldest audio is dropped, if it may be."""
        self._data += data
        for mark in self._framing.feed(data):
            self._positions.append(mark.position)
            self._times.append(max(mark.ms, self._times[-1]))  # estimates need their order
            self._headers.append(mark.header)
            self._starts.append(mark.ms)
            self._leads.append(mark.lead_ms)
        if self._can_drop and self.is_full:
            # at least a window is kept: it may begin inside a unit
            self._drop(self._entry_before(self._framing.end_ms - self._limit_ms))

    def _drop(self, count: int) -> None:
        """Drop what is before mark number `count`, an entry."""
        del self._data[: self._positions[count] - self.start]
        self.start = self._positions[count]
        del self._positions[:count], self._times[:count]
        del self._headers[:count], self._starts[:count], self._leads[:count]

    def release(self, before_ms: int, cursor: int) -> None:
        """Drop the audio before a time and before the cursor, up to the last entry before both."""
        self._needed_ms = max(self._needed_ms, min(before_ms, self.ms_at(cursor)))
        sent = self._entry(bisect_right(self._positions, cursor) - 1)
        self._drop(min(self._entry_before(before_ms), sent))

    def _entry(self, mark: int) -> int:
        """Return the last entry that is not after a mark."""
        while mark > 0 and self._headers[mark] is None:
            mark -= 1
        return max(0, mark)

    def _entry_before(self, ms: float) -> int:
        """Return the last entry from which the audio at a time is heard well."""
        at = self._entry(bisect_right(self._times, ms) - 1)
        while at > 0 and self._starts[at] + self._leads[at] > ms:
            at = self._entry(at - 1)
        return at

    def read(self, position: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `position` on."""
        begin = position - self.start
        return bytes(self._data[begin : begin + limit])

    def entry_at(self, ms: int) -> tuple[int, int]:
        """Return the position and time of the last entry for `ms`, or of the first one kept."""
        at = self._entry_before(ms)
        return self._positions[at], round(self._starts[at])

    def header_at(self, position: int) -> bytes:
        """Return what a new session must receive before the bytes from an entry on."""
        at = bisect_right(self._positions, position) - 1
        return self._headers[self._entry(at)] or b""

    def ms_at(self, position: int) -> int:
        """Return the time at a position: that of a mark, between two of them an estimate."""
        return round(self._estimate(position, self._positions, self._times, self.end, self._end_ms))

    def length_of(self, position: int, seconds: float) -> int:
        """Return about how many bytes from `position` on take so long: one at least."""
        ms = self.ms_at(position) + seconds * 1000
        reached = self._estimate(ms, self._times, self._positions, self._end_ms, self.end)
        return min(MAX_BYTES, max(1, int(reached) - position))

    @property
    def _end_ms(self) -> float:
        return max(self._framing.end_ms, self._times[-1])

    def _estimate(
        self, x: float, xs: Sequence[float], ys: Sequence[float], x_end: float, y_end: float
    ) -> float:
        """Interpolate between two marks, or between the last one and the end."""
        at = max(0, bisect_right(xs, x) - 1)
        is_last = at + 1 == len(xs)
        x_next, y_next = (x_end, y_end) if is_last else (xs[at + 1], ys[at + 1])
        if x_next <= xs[at]:
            return y_next
        part = min(1.0, max(0.0, (x - xs[at]) / (x_next - xs[at])))
        return ys[at] + part * (y_next - ys[at])
