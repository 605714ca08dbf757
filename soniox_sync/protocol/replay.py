"""Audio that is not final yet, kept for the next session, and how fast it may be sent.

`ReplayBuffer` counts bytes from the start of the recording; `Pacer` is the allowance that keeps a
catch-up faster than real time but short of a flood (PROTOCOL 2.3). No clock of their own.
"""

from __future__ import annotations

from collections import deque
from typing import Optional

from ..audio.formats import RawAudio


class ReplayBuffer:
    """Holds the audio from `start` to `end`, both byte positions in the whole recording."""

    def __init__(self, audio: RawAudio, window_sec: float) -> None:
        self.audio = audio
        self._limit = audio.align_down(int(window_sec * audio.bytes_per_second))
        self._data = bytearray()
        self.start = 0

    @property
    def end(self) -> int:
        """Give the position after the last byte captured."""
        return self.start + len(self._data)

    @property
    def held_bytes(self) -> int:
        """Give how much memory the audio takes."""
        return len(self._data)

    def append(self, data: bytes) -> None:
        """Add captured audio; the oldest goes when more than the window would be held."""
        self._data += data
        excess = len(self._data) - self._limit
        if excess > 0:
            self.trim(self.start + excess)

    def trim(self, position: int) -> None:
        """Let go of what lies before `position`, in whole frames."""
        count = self.audio.align_down(min(position, self.end)) - self.start
        if count > 0:
            del self._data[:count]  # cheap: a bytearray forgets its front without copying
            self.start += count

    def read(self, position: int, limit: int) -> bytes:
        """Give up to `limit` bytes from `position` on, whole frames unless that is all there is."""
        begin = position - self.start
        piece = bytes(self._data[begin : begin + limit])
        whole = self.audio.align_down(len(piece))
        return piece[:whole] if whole else piece

    def position_at(self, ms: int) -> int:
        """Give the position of a moment, never in the middle of a frame."""
        return self.audio.ms_to_bytes(max(0, ms))

    def ms_at(self, position: int) -> int:
        """Give the moment of a position in whole milliseconds."""
        return self.audio.bytes_to_ms(position)


class ContainerBuffer:
    """Holds pieces of a container format until they are sent; they cannot be replayed.

    Positions count bytes; there is no way from them to milliseconds.
    """

    def __init__(self, max_pieces: int) -> None:
        self._max = max_pieces
        self._pieces: deque[bytes] = deque()
        self.start = 0
        self.end = 0

    @property
    def held_bytes(self) -> int:
        """Give how much memory the pieces take."""
        return self.end - self.start

    @property
    def is_full(self) -> bool:
        """Tell whether another piece would exceed the bound."""
        return len(self._pieces) >= self._max

    def append(self, data: bytes) -> None:
        """Add a piece. The caller refuses one when `is_full`."""
        self._pieces.append(data)
        self.end += len(data)

    def take(self) -> bytes:
        """Give the oldest piece, which is not kept."""
        piece = self._pieces.popleft()
        self.start += len(piece)
        return piece

    def clear(self) -> None:
        """Drop everything: a new container begins."""
        self._pieces.clear()
        self.start = self.end


class Pacer:
    """Allows audio in bursts of `burst_sec`, then at `speed` times real time (`None`: no limit).

    Source of the defaults: the service tolerates about ten seconds at once (PROTOCOL 2.3).
    """

    def __init__(self, speed: Optional[float], burst_sec: float) -> None:
        self._speed = speed
        self._burst = burst_sec
        self._allowance = burst_sec  # seconds of audio that may go now
        self._since: Optional[float] = None

    def allowed_sec(self, now: float) -> Optional[float]:
        """Give the seconds of audio that may be sent now; `None` for any amount."""
        if self._speed is None:
            return None
        if self._since is not None:
            gained = (now - self._since) * self._speed
            self._allowance = min(self._burst, self._allowance + gained)
        self._since = now
        return self._allowance

    def spend(self, seconds: float) -> None:
        """Note that `seconds` of audio were sent."""
        self._allowance -= seconds

    def wait_sec(self, seconds: float) -> float:
        """Give how long until `seconds` of audio may be sent."""
        if self._speed is None:
            return 0.0
        return max(0.0, (seconds - self._allowance) / self._speed)

    def restart(self) -> None:
        """Grant a full burst again, for a new session."""
        self._allowance = self._burst
        self._since = None
