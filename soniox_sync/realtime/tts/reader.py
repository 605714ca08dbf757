"""Reading audio chunk by chunk or all at once, for streams and for `speak()`."""

from __future__ import annotations

from collections import deque
from typing import Callable, Optional

from ...protocol.tts import AudioChunk
from ...transport.deadline import Deadline

# called with a deadline and a name for what is waited for, for the message of a timeout
Take = Callable[[Deadline, str], Optional[AudioChunk]]


class ChunkReader:
    """Reader of decoded chunks; those of a `read()` that timed out are returned again.

    For the consumer's thread only.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._kept: deque[AudioChunk] = deque()

    def next(self, deadline: Deadline, what: str = "next audio") -> Optional[AudioChunk]:
        """Return the next chunk, `None` at the end. Raises what the source of the chunks raises."""
        if self._kept:
            try:
                return self._kept.popleft()
            except IndexError:
                pass  # another consumer came first
        return self._take(deadline, what)

    def read(self, timeout_sec: Optional[float]) -> bytes:
        """Return all remaining audio; if it raises, audio received so far is kept."""
        deadline = Deadline(timeout_sec)
        taken: list[AudioChunk] = []
        try:
            while (chunk := self.next(deadline, "end of the audio")) is not None:
                taken.append(chunk)
        except BaseException:
            self._kept.extendleft(reversed(taken))
            raise
        return b"".join(chunk.audio for chunk in taken)

    def clear(self) -> None:
        """Drop what is kept."""
        self._kept.clear()
