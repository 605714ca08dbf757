"""`Speech`: what `client.realtime.speak()` gives: one continuous audio of any text."""

from __future__ import annotations

import os
import queue
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, Optional, Union

from ..audio.wav import save_audio
from ..audio.whole import whole_file
from ..errors import SonioxConnectionError, SonioxError, SonioxTimeoutError, fresh
from ..protocol.tts import AudioChunk, Timestamps
from ..transport.deadline import Deadline, take_from
from .attempt import Attempt, bytes_per_second, marks_of
from .engine import Engine, Lane, PartEnd
from .joiner import open_joiner
from .lengths import estimate_sec
from .spoken import spoken_length, text_of

__all__ = ["Speech", "SpeechMetrics"]

# how long close() waits for the thread: it has said goodbye to the server by then
_CLOSE_WAIT_SEC = 3.0
# the estimate of a text's length is that much too long, on average
_ESTIMATE_IS_HIGH = 1.3
# compressed speech whose bit rate nobody knows
_COMPRESSED_BYTES_PER_SEC = 8000.0


class SpeechMetrics:
    """Measures one speech; readable at any time from any thread, `None` where not known yet.

    `time_to_first_audio_sec`: from the first text sent to the first audio received.
    `audio_bytes`, `audio_sec`: of the audio handed out (`audio_sec` is `None` for formats that do
    not tell). `wall_sec`: from the first text sent to the end (or to now).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.audio_bytes = 0
        self.audio_sec: Optional[float] = 0.0

    def _handed_out(self, size: int, seconds: Optional[float]) -> None:
        self.audio_bytes += size
        self.audio_sec = seconds

    @property
    def time_to_first_audio_sec(self) -> Optional[float]:
        """Give the seconds from the first text to the first audio."""
        first_text, first_audio = self._engine.first_text_at, self._engine.first_audio_at
        return None if first_text is None or first_audio is None else first_audio - first_text

    @property
    def wall_sec(self) -> Optional[float]:
        """Give the seconds since the first text, up to the end."""
        engine = self._engine
        if engine.first_text_at is None:
            return None
        end = engine.now() if engine.ended_at is None else engine.ended_at
        return end - engine.first_text_at

    def __repr__(self) -> str:
        return f"<SpeechMetrics {self.audio_bytes} bytes, {self.audio_sec} s>"


class Speech:
    """Is the audio of one text, whatever its length: iterate over it, `read()` it or `save()` it.

    Made by `client.realtime.speak()`, already at work. One thread consumes; `cancel()`, `close()`
    and the facts are legal from any. Leaving the loop early, or the `with` block, cancels it.
    """

    def __init__(self, engine: Engine) -> None:
        # Immutable
        self._engine = engine
        self._audio_format = engine.config.audio_format
        self._metrics = SpeechMetrics(engine)
        self._rate = bytes_per_second(engine.config)
        # Consumer only
        self._joiner = open_joiner(self._audio_format, engine.config.sample_rate)
        self._kept: deque[AudioChunk] = deque()  # taken by a read() that timed out
        self._lane: Optional[Lane] = None
        self._attempt: Optional[Attempt] = None
        self._last: Optional[Attempt] = None  # of the present part, over or not
        self._base_sec = 0.0  # where the present stream's audio began
        self._end_sec = 0.0  # the last character's end, for formats that tell no time
        self._is_over = False
        self._error: Optional[BaseException] = None
        # Consumer only; read by spoken_text
        self._said: list[str] = []  # texts of the parts played out
        self._heard_bytes = 0  # of the present stream
        self._heard_marks: list[tuple[str, float]] = []
        # nobody closes a speech that was dropped: its thread must not wait for ever
        self._finalizer = weakref.finalize(self, engine.abandon)
        self._finalizer.atexit = False
        engine.start()

    # -- facts -----------------------------------------------------------------------------------

    @property
    def metrics(self) -> SpeechMetrics:
        """Give the measurements, live."""
        return self._metrics

    @property
    def audio_format(self) -> str:
        """Give the format of the audio."""
        return self._audio_format

    @property
    def sample_rate(self) -> Optional[int]:
        """Give the rate asked for in Hz; `None` leaves it to the service (raw formats have one)."""
        return self._engine.config.sample_rate

    @property
    def spoken_text(self) -> str:
        """Give the text whose audio was handed out so far.

        With timestamps on it is exact to the character, as far as the service's normalised text
        can be matched; otherwise it is estimated from the audio handed out, and ends with a word.
        """
        said, attempt = "".join(self._said), self._last
        if attempt is None:
            return said
        part, begin = attempt.part, attempt.begin
        text = part.text[begin:]
        return said + part.lead + part.text[:begin] + text[: self._heard_chars(attempt, text)]

    def _heard_chars(self, attempt: Attempt, text: str) -> int:
        raw_sec = self._heard_bytes / self._rate if self._rate else None
        if self._heard_marks:
            return spoken_length(text, text_of(self._heard_marks, raw_sec))
        if attempt.is_complete and attempt.audio_bytes:
            share = self._heard_bytes / attempt.audio_bytes
        else:
            speed = self._engine.config.speed or 1.0
            sec = self._heard_bytes / (self._rate or _COMPRESSED_BYTES_PER_SEC)
            share = sec / max(0.1, estimate_sec(text, speed) / _ESTIMATE_IS_HIGH)
        count = int(len(text) * min(1.0, share))
        return count if count == len(text) else text.rfind(" ", 0, count + 1) + 1

    # -- audio -----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the audio as it is made; whole samples in each chunk, one WAV header.

        Ends after all text was spoken, or at once after `cancel()`. Raises what went wrong after
        the audio before it: an exception of the text iterable as it is, errors of the service with
        `audio_ms`, the milliseconds of audio handed out before (`None` where a format cannot
        tell). Leaving the loop early cancels.
        """
        for chunk in self.events():
            if chunk.weight:
                yield chunk.audio

    def events(self) -> Iterator[AudioChunk]:
        """Iterate over `AudioChunk(audio, timestamps, audio_end)`; ends and raises like `iter`.

        Times count from the beginning of the whole speech. Only the very last chunk has
        `audio_end`; it may be empty.
        """
        try:
            while (chunk := self._next(Deadline(None))) is not None:
                yield chunk
        finally:
            if not self._is_over:
                self.cancel()

    def read(self, timeout_sec: Optional[float] = None) -> bytes:
        """Read all remaining audio. Raises like iteration, or `SonioxTimeoutError`; what came is
        then kept for whatever consumes the speech next.

        `timeout_sec` limits the whole call; `None` waits for the end.
        """
        deadline = Deadline(timeout_sec)
        taken: list[AudioChunk] = []
        try:
            while (chunk := self._next(deadline)) is not None:
                taken.append(chunk)
        except BaseException:
            self._kept.extendleft(reversed(taken))
            raise
        return b"".join(chunk.audio for chunk in taken)

    def save(self, path: Union[str, os.PathLike[str], BinaryIO]) -> int:
        """Write the remaining audio to a file or binary file object; give its size in bytes.

        A WAV's length fields are set right at the end. Under a path the file appears only when it
        is whole. Raises like iteration, then nothing is left under `path`.
        """
        if not isinstance(path, (str, os.PathLike)):
            return save_audio(iter(self), path, self._audio_format)
        with whole_file(path) as file:
            return save_audio(iter(self), file, self._audio_format)

    # -- taking ----------------------------------------------------------------------------------

    def _next(self, deadline: Deadline) -> Optional[AudioChunk]:
        """Give the next chunk, `None` at the end; raises each time what ended it."""
        if self._engine.pid != os.getpid():
            raise SonioxConnectionError(
                "this speech was begun before a fork and belongs to the parent process",
                code="forked",
            )
        if self._kept and not self._engine.cancelled:
            return self._kept.popleft()
        while not self._is_over:
            if self._engine.cancelled:
                self._finished()
            elif self._attempt is not None:
                chunk = self._from_stream(self._attempt, deadline)
                if chunk is not None:
                    return chunk
            else:
                last = self._advance(deadline)
                if last is not None:
                    return last
        if self._error is not None and not self._engine.cancelled:
            raise fresh(self._error)
        return None

    def _advance(self, deadline: Deadline) -> Optional[AudioChunk]:
        """Go on to the next stream, part, or the end; gives the very last chunk."""
        source: queue.SimpleQueue[Any] = self._engine.out
        if self._lane is not None:
            source = self._lane.items
        try:
            item = take_from(source, deadline)
        except queue.Empty:
            raise SonioxTimeoutError("the audio did not end within the time allowed") from None
        if self._engine.cancelled:
            return None
        if isinstance(item, Lane):
            self._lane = item
        elif isinstance(item, Attempt):
            if item.claim():
                self._begin(item)
        elif self._lane is not None and item.error is None:
            self._part_done(self._lane)
        else:
            return self._end(item)
        return None

    def _begin(self, attempt: Attempt) -> None:
        seconds = self._joiner.seconds
        self._base_sec = self._end_sec if seconds is None else seconds
        self._joiner.begin()
        self._heard_bytes, self._heard_marks = 0, []
        self._attempt = self._last = attempt

    def _part_done(self, lane: Lane) -> None:
        self._said.append(lane.part.lead + lane.part.text)
        self._lane = self._last = None
        self._engine.consumed()

    def _finished(self) -> None:
        self._is_over = True
        # it would keep the engine, and with it an exception's frames, alive for ever
        self._finalizer.detach()

    def _end(self, item: PartEnd) -> Optional[AudioChunk]:
        self._finished()
        if item.error is not None:
            self._error = item.error
            if isinstance(item.error, SonioxError):
                item.error.audio_ms = self._audio_ms()
            return None
        return self._handed_out(self._joiner.finish(), None, True)

    def _audio_ms(self) -> Optional[int]:
        seconds = self._joiner.seconds
        if seconds is None and self._rate:
            seconds = self._metrics.audio_bytes / self._rate
        return None if seconds is None else int(seconds * 1000)

    def _from_stream(self, attempt: Attempt, deadline: Deadline) -> Optional[AudioChunk]:
        """Give the next chunk of a stream; `None` when it is over or had nothing to hand out."""
        try:
            chunk = attempt.stream._next(deadline, "audio")
            audio = b"" if chunk is None else attempt.stream._decoded(chunk)
        except SonioxError as error:
            if isinstance(error, SonioxTimeoutError) and error.__cause__ is None:
                raise  # the caller's own deadline
            chunk = None  # how it goes on is decided by the pump
        if chunk is None:
            self._attempt = None
            return None
        self._heard_bytes += len(audio)
        self._heard_marks += marks_of(chunk.timestamps)
        audio = self._joiner.feed(audio)
        timestamps = self._shifted(chunk.timestamps)
        if not audio and timestamps is None:
            return None
        return self._handed_out(audio, timestamps, False)

    def _handed_out(
        self, audio: bytes, timestamps: Optional[Timestamps], is_last: bool
    ) -> AudioChunk:
        self._metrics._handed_out(len(audio), self._joiner.seconds)
        return AudioChunk(audio, timestamps, is_last)

    def _shifted(self, timestamps: Optional[Timestamps]) -> Optional[Timestamps]:
        if timestamps is None:
            return None
        shifted = dict(timestamps)
        for name in ("character_start_times_seconds", "character_end_times_seconds"):
            times = shifted.get(name)
            if isinstance(times, list):
                shifted[name] = [
                    round(at + self._base_sec, 4) if isinstance(at, (int, float)) else at
                    for at in times
                ]
        ends = shifted.get("character_end_times_seconds")
        if isinstance(ends, list) and ends and isinstance(ends[-1], (int, float)):
            self._end_sec = max(self._end_sec, ends[-1])
        return shifted

    # -- end -------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Be silent at once: iteration ends, the streams and the text stop. Never blocks.

        For barge-in, from any thread; `spoken_text` then tells what had been handed out.
        Idempotent; does nothing once all audio was handed out.
        """
        self._finalizer.detach()
        self._engine.cancel()

    def close(self) -> None:
        """Cancel what is not over and release the connection; waits up to about 3 s for the
        thread. Idempotent; legal from any thread."""
        self._finalizer.detach()
        self._engine.close(_CLOSE_WAIT_SEC)

    def __enter__(self) -> Speech:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "over" if self._is_over else "cancelled" if self._engine.cancelled else "speaking"
        return f"<Speech {self._engine.name} {state} {self._metrics.audio_bytes} bytes>"
