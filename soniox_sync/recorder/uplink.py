"""Outgoing audio: captured, kept until it is final, sent from a cursor at a limited pace.

One cursor, one writer: audio goes into the buffer first and from there to the current session; only
`rewind()` moves the cursor back. Audio that had to be dropped is counted. No I/O, no clock.
"""

from __future__ import annotations

from typing import Callable, Optional, Union

from ..audio.formats import RawAudio
from ..audio.framing.choose import framing_of
from ..config.recording import RecordingOptions
from ..errors import BufferOverflowError
from .container_replay import MAX_BYTES, ContainerReplay
from .replay import ContainerBuffer, Pacer, ReplayBuffer

# The largest message. Clients send 20 ms to 1 s at once (PROTOCOL 2.3); chunks of live audio are
# smaller anyway.
MAX_CHUNK_SEC = 0.25
# This much audio is kept before the resume point, which may still move back: to the start of a
# word, or of an original without its translation. At most half of a smaller window.
_KEEP_BEHIND_MS = 5000
# from where it may have to be sent again costs as much to find out as to merge a result
_TRIM_MS = 1000


class LostAudio:
    """Total of lost audio, each millisecond counted once.

    After each lost connection the next session may have to start before the audio that is still
    kept, so the same gap is found several times::

        add(0, 5000)     ms == 5000   spans [(0, 5000)]
        add(1000, 6000)  ms == 6000   spans [(0, 6000)]
        add(9000, 9500)  ms == 6500   spans [(0, 6000), (9000, 9500)]
    """

    def __init__(self) -> None:
        self.ms: int = 0
        self._spans: list[tuple[int, int]] = []  # disjoint, in order

    def add(self, begin_ms: int, end_ms: int) -> None:
        """Count the audio between two times; nothing unless `end_ms` is the later one."""
        if end_ms <= begin_ms:
            return
        later = []
        # spans that end before the new one stay as they are
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
    """Outgoing audio of one recording. Not thread-safe.

    Headerless audio, and containers whose times are understood, are kept in a buffer from which
    they can be sent again; what cannot is only queued.
    """

    def __init__(self, options: RecordingOptions, *, can_wait: bool = False) -> None:
        self._can_wait = can_wait  # the source: it is held back while the window is full
        self._window_sec = options.replay_window_sec
        self._max_chunks = options.buffer_queue_size
        self._pacer = Pacer(options.catch_up_speed, options.catch_up_burst_sec)
        # one of the two, once the format is known; of a container after its first bytes
        self._buffer: Optional[Union[ReplayBuffer, ContainerReplay]] = None
        self._container: Optional[ContainerBuffer] = None
        self.cursor: int = 0  # position of the next byte to send
        self._sent_to = 0  # position after the last byte that was ever sent
        self._mark = (0, 0)  # position and exact time in ms of the last rewind()
        self._needed_ms = 0  # time for which the cursor was moved back; decoding may start before
        self._is_session_new = False  # a header precedes its first chunk
        self._header = b""  # what is left of that
        self._lost = LostAudio()
        self._lost_reported_ms = 0
        self._trimmed_ms = 0  # up to where audio was final when it was last trimmed

    def set_audio_format(self, audio: Optional[RawAudio]) -> None:
        """Set the format of the captured audio; `None` stands for a container format."""
        if audio is not None:
            self._buffer = ReplayBuffer(audio, self._window_sec, can_drop=not self._can_wait)
        else:
            self._container = ContainerBuffer(self._max_chunks)

    @property
    def has_audio_format(self) -> bool:
        """Whether `set_audio_format()` was called."""
        return self._buffer is not None or self._container is not None

    @property
    def audio(self) -> Optional[RawAudio]:
        """Format of headerless audio; `None` for a container, and until it is known."""
        return self._buffer.audio if isinstance(self._buffer, ReplayBuffer) else None

    @property
    def can_replay(self) -> bool:
        """Whether audio can be sent again from the middle."""
        return self._buffer is not None

    @property
    def is_unsent(self) -> bool:
        """Whether no audio was sent yet, so that there is nothing to send again."""
        return self.cursor == 0

    @property
    def is_replaying(self) -> bool:
        """Whether the audio that was sent last had been sent before, in an earlier session."""
        return self.cursor < self._sent_to

    @property
    def held_bytes(self) -> int:
        """Bytes of audio kept in memory."""
        kept = self._buffer or self._container
        return 0 if kept is None else kept.held_bytes

    @property
    def lost_ms(self) -> int:
        """Milliseconds of audio that had to be dropped."""
        return self._lost.ms

    def newly_lost_ms(self) -> int:
        """Return how many milliseconds were lost since the last call."""
        newly = self.lost_ms - self._lost_reported_ms
        self._lost_reported_ms = self.lost_ms
        return newly

    @property
    def end(self) -> int:
        """Position after the last byte captured."""
        kept = self._buffer or self._container
        return 0 if kept is None else kept.end

    @property
    def ahead_sec(self) -> float:
        """Seconds captured but not sent; infinite when a container's queue is full."""
        buffer = self._buffer
        if buffer is not None:
            end = buffer.end
            return self._seconds(buffer, end) if end > self.cursor else 0.0
        return float("inf") if self.is_full else 0.0

    # -- in --------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether a container's queue is full; audio that is kept always fits."""
        return self._container is not None and self._container.is_full

    def overflow(self) -> BufferOverflowError:
        """Return the error of a queue that is full."""
        return BufferOverflowError(
            f"more than {self._max_chunks} chunks of audio are waiting to be sent, and none of a "
            "container format can be dropped: raise buffer_queue_size"
        )

    @property
    def is_window_full(self) -> bool:
        """Whether a source that can wait has to, until earlier audio is final."""
        return self._can_wait and self._buffer is not None and self._buffer.is_full

    @property
    def is_caught_up(self) -> bool:
        """Whether everything captured was sent, and the source need not wait for results."""
        buffer = self._buffer
        if buffer is None:
            return self._container is None or self._container.end <= self.cursor
        return buffer.end <= self.cursor and not (self._can_wait and buffer.is_full)

    def grow_window(self) -> None:
        """Keep more audio that is not final; only after `is_window_full`."""
        assert self._buffer is not None
        self._buffer.grow()

    def capture(self, data: bytes) -> bool:
        """Add captured audio; return whether everything that waits to be sent is still kept.

        When live audio exceeds the window, the oldest is dropped, sent or not.
        """
        if self._container is not None and self.end == 0:
            self._recognise(data)
        if self._container is not None:
            self._container.append(data)
            return True
        buffer = self._buffer
        assert buffer is not None
        # before it is dropped: then a container has no time for it
        cursor_ms = max(self.cursor_ms, self._needed_ms)
        buffer.append(data)
        is_whole = buffer.start <= self.cursor
        if not is_whole:
            self.cursor, at_ms = self._mark = buffer.entry_at(0)
            self._lost.add(cursor_ms, at_ms)
        if isinstance(buffer, ContainerReplay) and buffer.is_broken:
            self._give_up_replay(buffer)
        return is_whole

    def pass_through(self, data: bytes, now: float) -> Optional[float]:
        """Add captured audio and take it as sent, if it can go out as it is; return its seconds.

        That is what `capture()` and `next_chunk()` would do, if all before was sent and nothing is
        in the way; otherwise `None`, and nothing has changed.
        """
        buffer = self._buffer
        if type(buffer) is not ReplayBuffer or self._is_session_new or self._header:
            return None
        if self._can_wait and buffer.would_fill(len(data)):
            return None  # then the source has to wait, and the service to be asked for results
        seconds = buffer.audio.bytes_to_sec(len(data))
        if seconds > MAX_CHUNK_SEC or not self._pacer.try_spend(seconds, now):
            return None
        if not buffer.append_whole(data):
            self._pacer.spend(-seconds)
            return None
        self._sent(data)
        return seconds

    def _recognise(self, head: bytes) -> None:
        """Keep a container for the next session, if its first bytes say how."""
        framing = framing_of(head)
        if framing is not None:
            self._container = None
            can_drop = not self._can_wait
            self._buffer = ContainerReplay(framing, self._window_sec, can_drop=can_drop)

    def _give_up_replay(self, buffer: ContainerReplay) -> None:
        """Only send what is left of a container that is not what it looked like."""
        self._mark = (self.cursor, buffer.ms_at(self.cursor))
        self._buffer, self._container = None, ContainerBuffer(self._max_chunks, self.cursor)
        rest = buffer.read(self.cursor, buffer.end - self.cursor)
        if rest:
            self._container.append(rest)

    def trim(self, final_ms: int, resume_ms: Callable[[], int]) -> None:
        """Drop audio that was sent, well before the time from which it may be sent again.

        Not for each word: once a second of audio, by what is final; at once if a source waits.
        """
        buffer = self._buffer
        if buffer is None:
            return
        if final_ms < self._trimmed_ms + _TRIM_MS and not (self._can_wait and buffer.is_full):
            return
        self._trimmed_ms = final_ms
        keep_from_ms = resume_ms() - min(_KEEP_BEHIND_MS, int(self._window_sec * 500))
        buffer.release(keep_from_ms, self.cursor)

    # -- out -------------------------------------------------------------------------------------

    def next_chunk(self, now: float, until: Optional[int] = None) -> tuple[bytes, float]:
        """Return the next audio that may be sent now, and its seconds; `b""` if there is none.

        `until`: position of a `finalize`, which must not be sent late, within a later word.
        """
        if self._container is not None:
            return self._sent(self._container.take() if self._container.held_bytes else b""), 0.0
        buffer = self._buffer
        assert buffer is not None
        if buffer.end <= self.cursor:
            return b"", 0.0
        if self._is_session_new:
            self._is_session_new, self._header = False, buffer.header_at(self.cursor)
        if self._header:
            header, self._header = self._header[:MAX_BYTES], self._header[MAX_BYTES:]
            return header, 0.0
        allowed_sec = self._pacer.allowed_sec(now)
        limit = buffer.length_of(self.cursor, MAX_CHUNK_SEC)
        if until is not None and until > self.cursor:
            limit = min(limit, max(until - self.cursor, buffer.length_of(self.cursor, 0.0)))
        chunk = buffer.read(self.cursor, limit)
        seconds = self._seconds(buffer, self.cursor + len(chunk))
        if allowed_sec is not None and allowed_sec < min(seconds, MAX_CHUNK_SEC):
            return b"", 0.0  # wait until the whole chunk is allowed: no tiny messages
        self._pacer.spend(seconds)
        return self._sent(chunk), seconds

    def _seconds(self, buffer: Union[ReplayBuffer, ContainerReplay], until: int) -> float:
        """Return the length of the audio from the cursor up to a position."""
        if isinstance(buffer, ReplayBuffer):
            return buffer.audio.bytes_to_sec(until - self.cursor)
        return (buffer.ms_at(until) - buffer.ms_at(self.cursor)) / 1000

    def _sent(self, chunk: bytes) -> bytes:
        self.cursor += len(chunk)
        self._sent_to = max(self._sent_to, self.cursor)
        return chunk

    def wait_sec(self) -> Optional[float]:
        """Return in how many seconds the next chunk may be sent; `None` if nothing is waiting."""
        buffer = self._buffer
        if buffer is None or buffer.end <= self.cursor:
            return None
        seconds = self._seconds(buffer, buffer.end)
        # not 0: rounding may leave the allowance slightly short, and the caller would spin
        return max(self._pacer.wait_sec(min(seconds, MAX_CHUNK_SEC)), 0.001)

    def begin_session(self) -> None:
        """Allow a new session its burst, and send it the header first."""
        self._pacer.restart()
        self._is_session_new = True

    # -- replay ----------------------------------------------------------------------------------

    def rewind(self, to_ms: int) -> int:
        """Move the cursor back to a time; return the time that it could be moved to.

        That is earlier where decoding can only start before. It is later if the audio in between is
        no longer kept, which is counted as lost.
        """
        buffer = self._buffer
        assert buffer is not None
        self.cursor, at_ms = buffer.entry_at(to_ms)
        self._lost.add(to_ms, at_ms)
        self._needed_ms = to_ms
        self._mark = (self.cursor, at_ms)
        return at_ms

    @property
    def cursor_ms(self) -> int:
        """Time of the next byte to send, in ms; of a queued container when it started."""
        if self._buffer is None or self.cursor == self._mark[0]:
            # At 44.1 kHz the frame at 1234 ms begins at 1233.99 ms and would be read as 1233: the
            # times of the new session would be a millisecond early.
            return self._mark[1]
        return self._buffer.ms_at(self.cursor)

    def keeps(self, ms: int) -> bool:
        """Return whether all audio from a time on can be sent again."""
        return self._buffer is not None and self._buffer.entry_at(ms)[1] <= ms

    def replayed_ms(self, from_ms: int) -> int:
        """Return how many milliseconds of audio from `from_ms` on were sent before."""
        if self._buffer is None:
            return 0
        return max(0, self._buffer.ms_at(self._sent_to) - from_ms)

    def restart_container(self, final_ms: int, at_ms: int) -> None:
        """Drop what is queued: a new container starts `at_ms`, what is between is lost."""
        assert self._container is not None
        self._lost.add(final_ms, at_ms)
        self._container.clear()
        self.cursor = self._container.start
        self._mark = (self.cursor, at_ms)
