"""The audio on its way out: captured, kept until it is final, sent at the cursor, at a pace.

One cursor, one writer: audio goes into the buffer first and from there to the present session; only
`rewind()` moves the cursor back. What had to be given up is counted. No I/O, no clock.
"""

from __future__ import annotations

from typing import Optional

from ..audio.formats import RawAudio
from .replay import ContainerBuffer, Pacer, ReplayBuffer

# one message at most; live audio comes in smaller pieces anyway
_LARGEST_PIECE_SEC = 0.25


class _Lost:
    """Adds up audio that had to go, each millisecond once, however often it is found missing."""

    def __init__(self) -> None:
        self.ms = 0
        self._spans: list[tuple[int, int]] = []  # disjoint, in order

    def add(self, begin_ms: int, end_ms: int) -> None:
        """Count what lies between two moments."""
        if end_ms <= begin_ms:
            return
        later = []
        while self._spans and self._spans[-1][1] >= begin_ms:
            begin, end = self._spans.pop()
            if begin > end_ms:
                later.append((begin, end))
            else:
                self.ms -= end - begin
                begin_ms, end_ms = min(begin, begin_ms), max(end, end_ms)
        self.ms += end_ms - begin_ms
        self._spans += [(begin_ms, end_ms), *reversed(later)]


class Uplink:
    """Holds the audio of one recording. Not thread-safe."""

    def __init__(
        self, window_sec: float, max_pieces: int, speed: Optional[float], burst_sec: float
    ) -> None:
        self._window_sec = window_sec
        self._max_pieces = max_pieces
        self._pacer = Pacer(speed, burst_sec)
        self._buffer: Optional[ReplayBuffer] = None
        self._container: Optional[ContainerBuffer] = None
        self.cursor = 0  # the next byte to send
        self._sent_to = 0  # the furthest byte ever sent
        self._mark = (0, 0)  # a position and its exact moment, where the last rewind() led
        self._lost = _Lost()
        self._lost_of_containers_ms = 0

    def know(self, audio: Optional[RawAudio]) -> None:
        """Learn what is captured: headerless audio, or (`None`) some container format."""
        if audio is not None:
            self._buffer = ReplayBuffer(audio, self._window_sec)
        else:
            self._container = ContainerBuffer(self._max_pieces)

    @property
    def knows_audio(self) -> bool:
        """Tell whether `know()` was called."""
        return self._buffer is not None or self._container is not None

    @property
    def can_replay(self) -> bool:
        """Tell whether audio can be sent again from the middle."""
        return self._buffer is not None

    @property
    def held_bytes(self) -> int:
        """Give how much audio is kept in memory."""
        kept = self._buffer or self._container
        return 0 if kept is None else kept.held_bytes

    @property
    def lost_ms(self) -> int:
        """Give how much audio had to be given up."""
        return self._lost.ms + self._lost_of_containers_ms

    @property
    def end(self) -> int:
        """Give the position after the last byte captured."""
        kept = self._buffer or self._container
        return 0 if kept is None else kept.end

    @property
    def ahead_sec(self) -> float:
        """Give the seconds captured but not sent; infinite when a container's queue is full."""
        if self._buffer is not None:
            return self._buffer.audio.bytes_to_sec(self._buffer.end - self.cursor)
        full = self._container is not None and self._container.is_full
        return float("inf") if full else 0.0

    # -- in --------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Tell whether a container's queue takes no more; headerless audio always fits."""
        return self._container is not None and self._container.is_full

    def capture(self, data: bytes) -> bool:
        """Take audio; False when the oldest that was never sent had to go for it."""
        if self._container is not None:
            self._container.append(data)
            return True
        buffer = self._buffer
        assert buffer is not None
        buffer.append(data)
        if buffer.start <= self.cursor:
            return True
        self._lost.add(buffer.ms_at(self.cursor), buffer.ms_at(buffer.start))
        self.cursor = buffer.start
        return False

    def trim(self, keep_from_ms: int) -> None:
        """Let go of what lies before a moment and was sent."""
        if self._buffer is not None:
            self._buffer.trim(min(self._buffer.position_at(keep_from_ms), self.cursor))

    # -- out -------------------------------------------------------------------------------------

    def piece(self, now: float) -> tuple[bytes, float]:
        """Give the next audio that the pace allows, and its seconds; `b""` if none may go."""
        if self._container is not None:
            return self._sent(self._container.take() if self._container.held_bytes else b""), 0.0
        buffer = self._buffer
        assert buffer is not None
        waiting = buffer.end - self.cursor
        if waiting <= 0:
            return b"", 0.0
        rate = buffer.audio.bytes_per_second
        allowed = self._pacer.allowed_sec(now)
        size = min(waiting, int(_LARGEST_PIECE_SEC * rate))
        if allowed is not None and allowed * rate < size:
            return b"", 0.0  # wait for the whole piece rather than send crumbs
        piece = self._sent(buffer.read(self.cursor, max(size, buffer.audio.bytes_per_frame)))
        seconds = buffer.audio.bytes_to_sec(len(piece))
        self._pacer.spend(seconds)
        return piece, seconds

    def _sent(self, piece: bytes) -> bytes:
        self.cursor += len(piece)
        self._sent_to = max(self._sent_to, self.cursor)
        return piece

    def wait_sec(self) -> Optional[float]:
        """Give how long until the pace allows the next piece; `None` when nothing waits."""
        buffer = self._buffer
        if buffer is None or buffer.end <= self.cursor:
            return None
        seconds = buffer.audio.bytes_to_sec(buffer.end - self.cursor)
        return max(self._pacer.wait_sec(min(seconds, _LARGEST_PIECE_SEC)), 0.001)

    def new_session(self) -> None:
        """Grant a session its burst."""
        self._pacer.restart()

    # -- again -----------------------------------------------------------------------------------

    def rewind(self, moment_ms: int) -> int:
        """Move the cursor back to a moment; give the moment it really is.

        They differ when the audio in between is no longer held; that much is counted as lost.
        """
        buffer = self._buffer
        assert buffer is not None
        position = buffer.position_at(moment_ms)
        if position < buffer.start:
            begin = buffer.ms_at(buffer.start)
            self._lost.add(moment_ms, begin)
            moment_ms, position = begin, buffer.start
        self.cursor = min(position, buffer.end)
        self._mark = (self.cursor, moment_ms)
        return moment_ms

    @property
    def cursor_ms(self) -> int:
        """Give the moment of the next byte to send; for headerless audio."""
        if self.cursor == self._mark[0]:
            return self._mark[1]  # not rounded a second time
        assert self._buffer is not None
        return self._buffer.ms_at(self.cursor)

    def replayed_ms(self, from_ms: int) -> int:
        """Give how much audio from a moment on was sent before."""
        if self._buffer is None:
            return 0
        return max(0, self._buffer.ms_at(self._sent_to) - from_ms)

    def restart_container(self, lost_ms: int) -> None:
        """Drop everything: a new container begins. `lost_ms` is what that costs."""
        assert self._container is not None
        self._lost_of_containers_ms += max(0, lost_ms)
        self._container.clear()
        self.cursor = self._container.start
