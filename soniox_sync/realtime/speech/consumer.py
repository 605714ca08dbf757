"""Consumer's side of a speech: the audio of one stream after another, joined."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, Optional

from ...errors import SonioxError, SonioxTimeoutError, fresh
from ...protocol.tts import AudioChunk, Timestamps
from ...runtime.delivery import took_too_long
from ...transport.deadline import Deadline, take_from
from .attempt import Attempt
from .engine import Engine, PartEnd, PartQueue
from .joiner import open_joiner
from .played import Played

__all__ = ["Consumer"]


class Consumer:
    """Consumer of the audio of a speech. For one thread.

    `on_over` is called when the speech has ended or was cancelled; there is no audio after that.
    """

    def __init__(self, engine: Engine, played: Played, on_over: Callable[[], object]) -> None:
        self._engine = engine
        self._played = played
        self._on_over = on_over
        self._joiner = open_joiner(engine.config.audio_format, engine.config.sample_rate)
        self._queue: Optional[PartQueue] = None  # of the current part
        self._attempt: Optional[Attempt] = None  # current stream
        self._base_sec = 0.0  # where the audio of the current stream starts
        self._end_sec = 0.0  # end of the last character, for formats without a known duration
        self.is_over: bool = False
        self.was_cancelled: bool = False  # before all audio was returned
        self.error: Optional[BaseException] = None

    def take(self, deadline: Deadline, what: str) -> Optional[AudioChunk]:
        """Return the next chunk, `None` at the end; raise, each time, what ended the speech."""
        while not self.is_over:
            if self._engine.cancelled:
                self.was_cancelled = True
                self._set_over()
            elif self._attempt is not None:
                chunk = self._take_from_stream(self._attempt, deadline, what)
                if chunk is not None:
                    return chunk
            else:
                last = self._advance(deadline, what)
                if last is not None:
                    return last
        if self.error is not None and not self._engine.cancelled:
            raise fresh(self.error)
        return None

    def _advance(self, deadline: Deadline, what: str) -> Optional[AudioChunk]:
        """Go to the next stream, the next part, or the end; return the last chunk at the end."""
        source: queue.SimpleQueue[Any] = self._engine.parts
        if self._queue is not None:
            source = self._queue.items
        try:
            item = take_from(source, deadline)
        except queue.Empty:
            raise took_too_long(what, deadline) from None
        if self._engine.cancelled:
            return None
        if isinstance(item, PartQueue):
            self._queue = item
        elif isinstance(item, Attempt):
            if item.claim():
                self._begin(item)
        elif self._queue is not None and item.error is None:
            self._played.part_ended(self._queue.part)
            self._queue = None
            self._engine.part_played()
        else:
            return self._end(item)
        return None

    def _begin(self, attempt: Attempt) -> None:
        seconds = self._joiner.seconds
        self._base_sec = self._end_sec if seconds is None else seconds
        self._joiner.begin()
        self._played.begin(attempt)
        self._attempt = attempt

    def _set_over(self) -> None:
        self.is_over = True
        self._on_over()

    def _end(self, item: PartEnd) -> Optional[AudioChunk]:
        self._set_over()
        if item.error is not None:
            self.error = item.error
            if isinstance(item.error, SonioxError):
                item.error.audio_ms = self._played.audio_ms
            return None
        return self._hand_out(self._joiner.finish(), None, True)

    def _take_from_stream(
        self, attempt: Attempt, deadline: Deadline, what: str
    ) -> Optional[AudioChunk]:
        """Return the next chunk of a stream, `None` if it is over or there is nothing to return."""
        try:
            chunk = attempt.stream.next_chunk(deadline, what)
        except SonioxError as error:
            if isinstance(error, SonioxTimeoutError) and error.__cause__ is None:
                raise  # this call timed out; an error of the stream is chained to its cause
            chunk = None  # the pump decides what follows
        if chunk is None:
            self._attempt = None
            return None
        self._played.stream_audio(len(chunk.audio), chunk.timestamps)
        audio = self._joiner.feed(chunk.audio)
        timestamps = self._shift(chunk.timestamps)
        if not audio and timestamps is None:
            return None
        return self._hand_out(audio, timestamps, False)

    def _hand_out(
        self, audio: bytes, timestamps: Optional[Timestamps], is_last: bool
    ) -> AudioChunk:
        self._played.handed_out(len(audio), self._joiner.seconds)
        return AudioChunk(audio, timestamps, is_last)

    def _shift(self, timestamps: Optional[Timestamps]) -> Optional[Timestamps]:
        """Convert times in the current stream to times in the whole speech."""
        if timestamps is None:
            return None
        shifted = timestamps.shifted(self._base_sec)
        self._end_sec = max(self._end_sec, *shifted.character_end_times_seconds[-1:], 0.0)
        return shifted
