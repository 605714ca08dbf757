"""The thread that turns passages into audio, and writes it to the sink."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from typing import Callable, Optional

from ...audio import RawAudio
from ...conversation.agent import Passage, Voice
from ...protocol.tts import AudioChunk
from ...transport.latch import Latch
from ..speech import Speech
from .heard import heard_by_share, heard_by_times
from .sinks import Playout, Sink
from .texts import TextFeed

# Audio is written in pieces, so that a cut waits for no more than one of them; those of a sink that
# cannot drop anything are shorter.
_PIECE_MS = 100
_SHORT_PIECE_MS = 20
# how far ahead of a sink that cannot drop what it has
_AHEAD_MS = 200.0

MakeSpeech = Callable[[Iterable[str], Voice], Speech]


class Recital:
    """One passage being spoken: its text, its audio, and how much of it was heard."""

    def __init__(self, passage: Passage) -> None:
        # Immutable
        self.passage = passage
        self.feed: TextFeed = TextFeed()
        self.is_cut: Latch = Latch()
        # Written by the voice's thread
        self.speech: Optional[Speech] = None
        self.times: list[tuple[str, float]] = []
        self.start_ms: Optional[float] = None
        self.received_sec: float = 0.0
        self.is_complete: bool = False  # all audio was received

    def cut(self) -> None:
        """Speak no more of it. Never blocks; thread-safe."""
        self.is_cut.set()
        self.feed.drop()
        speech = self.speech
        if speech is not None:
            speech.cancel()

    def take(self, chunk: AudioChunk, seconds: float) -> None:
        """Note what a chunk has to say about time."""
        self.received_sec += seconds
        if chunk.timestamps is not None:
            stamps = chunk.timestamps
            self.times += zip(stamps.characters, stamps.character_end_times_seconds)

    def heard(self, played_ms: float) -> int:
        """Return how many characters of the passage the sink had played."""
        if self.start_ms is None:
            return 0
        text, sec = self.passage.text, (played_ms - self.start_ms) / 1000
        if self.is_complete and not self.passage.is_open and sec >= self.received_sec - 0.001:
            return len(text)
        if self.times:
            return heard_by_times(text, self.times, sec)
        if not self.is_complete and self.speech is not None:
            text = text[: len(self.speech.spoken_text)]
        return heard_by_share(text, sec, self.received_sec)


class VoiceThread:
    """Speaks passages one after another. Thread-safe.

    `on_written(passage, start_ms, end_ms)`, `on_voiced(passage)`, `on_gone()` and
    `on_error(error)` are called on this thread; `on_sound()` before audio is written, and
    `on_quiet()` when that was dropped again.
    """

    def __init__(
        self,
        make_speech: MakeSpeech,
        sink: Sink,
        playout: Playout,
        shape: RawAudio,
        *,
        on_written: Callable[[Passage, float, float], None],
        on_voiced: Callable[[Passage], None],
        on_gone: Callable[[], None],
        on_error: Callable[[BaseException], None],
        on_sound: Callable[[], None],
        on_quiet: Callable[[], None],
        prepare: Callable[[], object],
        name: str,
    ) -> None:
        # Immutable
        self._make_speech = make_speech
        self._sink = sink
        self._playout = playout
        self._shape = shape
        self._on_written, self._on_voiced = on_written, on_voiced
        self._on_gone, self._on_error = on_gone, on_error
        self._on_sound, self._on_quiet = on_sound, on_quiet
        self._prepare = prepare
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._recitals: queue.SimpleQueue[Optional[Recital]] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def speak(self, recital: Recital) -> None:
        """Speak a passage, after those before it."""
        self._recitals.put(recital)

    def stop(self) -> None:
        """End the thread; what it speaks must have been cut. Does not wait."""
        self._recitals.put(None)

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread, inside the sink's `write()` or `played_ms`."""
        return threading.current_thread() is self._thread

    def join(self, timeout_sec: float) -> None:
        """Wait for the end of the thread, unless this is the thread."""
        if not self.is_current and self._thread.is_alive():
            self._thread.join(timeout_sec)

    def _run(self) -> None:
        self._prepare()
        while (recital := self._recitals.get()) is not None:
            try:
                self._voice(recital)
            except BaseException as error:  # noqa: BLE001 - top of a thread: ends the loop
                if not recital.is_cut.is_set():
                    self._on_error(error)
            del recital

    def _voice(self, recital: Recital) -> None:
        if recital.is_cut.is_set():
            return
        recital.speech = speech = self._make_speech(recital.feed, recital.passage.voice)
        if recital.is_cut.is_set():  # in the meantime: cut() found no speech
            speech.cancel()
        try:
            for chunk in speech.events():
                if recital.is_cut.is_set():
                    return
                recital.take(chunk, len(chunk.audio) / self._shape.bytes_per_second)
                recital.is_complete = chunk.audio_end
                if not self._write(recital, chunk.audio):
                    return
        finally:
            speech.cancel()  # close() would wait for its threads, and the next passage for them
        if not recital.is_cut.is_set():
            recital.is_complete = True
            self._on_voiced(recital.passage)

    def _write(self, recital: Recital, audio: bytes) -> bool:
        """Write audio in pieces; return False if nobody hears it any more."""
        piece_ms = _PIECE_MS if self._sink.can_clear else _SHORT_PIECE_MS
        size = max(self._shape.bytes_per_frame, self._shape.ms_to_bytes(piece_ms))
        for at in range(0, len(audio), size):
            piece = audio[at : at + size]
            self._wait_for_sink(recital, piece_ms)
            if recital.is_cut.is_set():
                return False
            self._on_sound()
            start, end = self._playout.wrote(len(piece) / self._shape.bytes_per_second * 1000)
            if recital.start_ms is None:
                recital.start_ms = start
            is_heard = self._sink.write(piece)
            if recital.is_cut.is_set():  # while it was being written: it must not sound
                self._clear_again()
                return False
            if not is_heard:
                self._on_gone()
                return False
            self._on_written(recital.passage, start, end)
        return True

    def _clear_again(self) -> None:
        try:
            self._sink.clear()
            self._playout.cleared()
        except BaseException as error:  # noqa: BLE001 - the user's sink: ends the loop
            self._on_error(error)
        self._on_quiet()

    def _wait_for_sink(self, recital: Recital, piece_ms: float) -> None:
        """Wait until a sink that cannot drop anything has played nearly all it has."""
        while not self._sink.can_clear:
            too_much = self._playout.ahead_ms + piece_ms - _AHEAD_MS
            if too_much <= 0 or recital.is_cut.wait(max(0.005, too_much / 1000)):
                return
