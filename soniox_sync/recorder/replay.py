"""Audio that is not final yet, kept for the next session, and how fast it may be sent.

`ReplayBuffer` keeps headerless audio by its byte position in the whole recording (for containers:
`ContainerReplay`), `ContainerBuffer` queues what cannot be sent again, and `Pacer` makes a catch-up
faster than real time, but no faster than the service tolerates (PROTOCOL 2.3). They have no clock.
"""

from __future__ import annotations

from collections import deque
from typing import Optional

from ..audio.formats import RawAudio


class ReplayBuffer:
    """Audio from `start` to `end`, which are byte positions in the whole recording.

    `Uplink` sends it at a cursor between the two (here in ms, window 10 s)::

        captured  sent to  final to    start   cursor    end
            8000     8000      6000     1000     8000   8000    5000 ms before the final are kept
            8000     8000      6000     1000     6000   8000    lost: the cursor is moved back
           14000     8000      6000     4000     6000  14000    an outage: the window moves on
           17000     8000      6000     7000     7000  17000    1000 ms are lost
           17000    17000      6000     7000    17000  17000    replay and new audio are sent

    The new session counts from its own first audio: its 0 ms are 7000 ms in the recording.
    """

    def __init__(self, audio: RawAudio, window_sec: float, *, can_drop: bool = True) -> None:
        self.audio = audio
        self._can_drop = can_drop
        self._window = audio.align_down(int(window_sec * audio.bytes_per_second))
        self._limit = self._window
        self._data = bytearray()
        self.start: int = 0

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
        """Whether a whole window of audio is kept."""
        return len(self._data) >= self._limit

    def would_fill(self, count: int) -> bool:
        """Return whether a whole window is kept with `count` more bytes."""
        return len(self._data) + count >= self._limit

    def grow(self) -> None:
        """Keep another window of audio."""
        self._limit += self._window

    def append(self, data: bytes) -> None:
        """Add captured audio; beyond the window the oldest is dropped, if it may be."""
        self._data += data
        excess = len(self._data) - self._limit
        if excess > 0 and self._can_drop:
            self.trim(self.start + excess)

    def append_whole(self, data: bytes) -> bool:
        """Add captured audio in whole frames; return False, without adding it, for any other."""
        frame = self.audio.bytes_per_frame
        if len(data) % frame or len(self._data) % frame:
            return False
        self.append(data)
        return True

    def trim(self, position: int) -> None:
        """Drop the audio before `position`, in whole frames."""
        count = self.audio.align_down(min(position, self.end)) - self.start
        if count > 0:
            del self._data[:count]  # cheap: a bytearray drops its front without copying
            self.start += count

    def release(self, before_ms: int, cursor: int) -> None:
        """Drop the audio before a time and before the cursor."""
        self.trim(min(self.entry_at(before_ms)[0], cursor))

    def read(self, position: int, limit: int) -> bytes:
        """Return up to `limit` bytes from `position` on: whole frames, or part of a last one."""
        begin = position - self.start
        chunk = bytes(self._data[begin : begin + limit])
        whole = self.audio.align_down(len(chunk))
        # less than one frame: the end of the audio, which its source cut off
        return chunk[:whole] if whole else chunk

    def entry_at(self, ms: int) -> tuple[int, int]:
        """Return the position and time in ms from which audio can be sent again.

        They are those of `ms`, never in the middle of a frame, or of the first audio kept.
        """
        position = self.audio.ms_to_bytes(max(0, ms))
        if position < self.start:
            return self.start, self.ms_at(self.start)
        return min(position, self.end), ms

    def header_at(self, position: int) -> bytes:
        """Return nothing: samples need no header."""
        return b""

    def length_of(self, position: int, seconds: float) -> int:
        """Return how many bytes from `position` on take so long; at least one frame."""
        size = int(seconds * self.audio.bytes_per_second)
        return max(size, self.audio.bytes_per_frame)

    def ms_at(self, position: int) -> int:
        """Return the time at a position, in whole milliseconds."""
        return self.audio.bytes_to_ms(position)


class ContainerBuffer:
    """Queue of chunks of a container without known times. What was sent cannot be replayed.

    Positions count bytes; without decoding they cannot be converted to milliseconds.
    """

    def __init__(self, max_chunks: int, start: int = 0) -> None:
        self._max_chunks = max_chunks
        self._chunks: deque[bytes] = deque()
        self.start: int = start
        self.end: int = start

    @property
    def held_bytes(self) -> int:
        """Bytes kept in memory."""
        return self.end - self.start

    @property
    def is_full(self) -> bool:
        """Whether another chunk would exceed the limit."""
        return len(self._chunks) >= self._max_chunks

    def append(self, data: bytes) -> None:
        """Add a chunk. The caller refuses one when `is_full`."""
        self._chunks.append(data)
        self.end += len(data)

    def take(self) -> bytes:
        """Remove and return the oldest chunk."""
        chunk = self._chunks.popleft()
        self.start += len(chunk)
        return chunk

    def clear(self) -> None:
        """Drop everything: a new container starts."""
        self._chunks.clear()
        self.start = self.end


class Pacer:
    """Allowance for audio: `burst_sec` at once, then `speed` times real time (`None`: no limit).

    The service tolerates about ten seconds at once (PROTOCOL 2.3). With a burst of 10 s, a speed
    of 2, and 30 s of audio waiting::

        0 s     10 s of it are sent at once     allowance 0 s
        5 s     another 10 s have been sent     chunk by chunk, as the allowance grew
        10 s    the last 10 s have been sent
    """

    def __init__(self, speed: Optional[float], burst_sec: float) -> None:
        self._speed = speed
        self._burst_sec = burst_sec
        self._allowance_sec = burst_sec  # of audio that may be sent now
        self._since: Optional[float] = None  # when the allowance was last updated

    def allowed_sec(self, now: float) -> Optional[float]:
        """Return the seconds of audio that may be sent now; `None` for any amount."""
        if self._speed is None:
            return None
        if self._since is not None:
            gained_sec = (now - self._since) * self._speed
            self._allowance_sec = min(self._burst_sec, self._allowance_sec + gained_sec)
        self._since = now
        return self._allowance_sec

    def try_spend(self, seconds: float, now: float) -> bool:
        """Record that `seconds` of audio are sent, if so much is allowed; return whether it is."""
        allowed_sec = self.allowed_sec(now)
        if allowed_sec is not None and allowed_sec < seconds:
            return False
        self._allowance_sec -= seconds
        return True

    def spend(self, seconds: float) -> None:
        """Record that `seconds` of audio were sent."""
        self._allowance_sec -= seconds

    def wait_sec(self, seconds: float) -> float:
        """Return in how many seconds `seconds` of audio may be sent."""
        if self._speed is None:
            return 0.0
        return max(0.0, (seconds - self._allowance_sec) / self._speed)

    def restart(self) -> None:
        """Allow a full burst again, for a new session."""
        self._allowance_sec = self._burst_sec
        self._since = None
