"""Buffering of audio for playback: what is collected before playback starts, gaps, the end."""

from __future__ import annotations

from collections import deque


class PlayBuffer:
    """Buffer between a writer and a device; decides when the device gets audio. No lock, no I/O.

    The device gets nothing until `start_bytes` have been collected, so that network jitter is not
    heard. When the audio runs out (an underrun), they are collected again: one longer gap sounds
    better than many short ones. Fewer are played once they have waited as long as `start_bytes`
    last: nobody says that a reply is over while a conversation goes on. With `start_bytes = 100`:

        put(80)     80 waiting    take(40) -> nothing yet
        put(40)    120 waiting    take(40) -> 40 bytes
                    80 waiting    take(90) -> 80 bytes; an underrun
        put(40)     40 waiting    take(60) -> nothing: collecting again
                    40 waiting    take(60) -> 40 bytes: they waited long enough; an underrun
        put(40)     40 waiting    take(40) -> nothing
        end()       40 waiting    take(90) -> 40 bytes, however few; now `is_finished`
    """

    def __init__(self, start_bytes: int = 0) -> None:
        self.start_bytes = start_bytes
        self.waiting_bytes: int = 0
        self.played_bytes: int = 0
        self.underruns: int = 0
        self._waiting: deque[bytes] = deque()
        self._playing = False  # False while the start buffer fills
        self._held_bytes = 0  # of silence that were played while audio waited
        self._ended = False

    @property
    def is_finished(self) -> bool:
        """Whether everything was played and nothing more will come."""
        return self._ended and not self._waiting

    def put(self, data: bytes) -> None:
        """Append audio."""
        if data:
            self._waiting.append(data)
            self.waiting_bytes += len(data)

    def end(self) -> None:
        """Record that there is no more audio: what is left is played, however short."""
        self._ended = True

    def clear(self) -> None:
        """Drop the audio that was not played; what comes next is collected again."""
        self._waiting.clear()
        self.waiting_bytes = 0
        self._playing = False
        self._held_bytes = 0

    def take(self, wanted: int) -> bytes:
        """Return up to `wanted` bytes to play now; the device plays silence for the rest."""
        if not self._playing:
            self._playing = self._may_start(wanted)
        if not self._playing:
            return b""
        taken: list[bytes] = []
        size = 0
        while self._waiting and size < wanted:
            chunk = self._waiting.popleft()
            if size + len(chunk) > wanted:
                self._waiting.appendleft(chunk[wanted - size :])
                chunk = chunk[: wanted - size]
            taken.append(chunk)
            size += len(chunk)
        self.waiting_bytes -= size
        self.played_bytes += size
        if size < wanted and not self._ended:
            self.underruns += 1
            self._playing = False
        return b"".join(taken)

    def _may_start(self, wanted: int) -> bool:
        """Return whether to play now, and count `wanted` bytes of silence if not."""
        if self._ended or self.waiting_bytes >= self.start_bytes:
            self._held_bytes = 0
            return True
        if self._waiting:
            self._held_bytes += wanted
            if self._held_bytes > self.start_bytes:
                self._held_bytes = 0
                return True
        return False
