"""One TTS stream: its text, its timers, and the thread that speaks it (PROTOCOL 3.3 - 3.5)."""

from __future__ import annotations

import base64
import collections
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional, Protocol

from ..._support.locks import new_condition
from ..audio.encoders import open_encoder
from ..clock import Timer, Watch
from ..problems import Problem
from ..usage import StreamUsage
from ..world import World
from .config import TtsConfig, text_too_long
from .narrate import Frame, Narrator, SentenceBuffer

__all__ = ["StreamOwner", "TtsStream"]

log: logging.Logger = logging.getLogger(__name__)

# real seconds for which the last frame of a sentence is held back, so that it can contain
# `audio_end` if the text ends now; too short to be heard as a gap
_HOLD_SEC = 0.15

_NO_AUDIO = Frame(b"", (), (), (), 0.0)


class StreamOwner(Protocol):
    """Connection of a stream. It does all sending. Thread-safe."""

    number: int
    """Number of the connection, for thread names."""

    def emit(self, stream: TtsStream, message: dict[str, Any], sec: float) -> bool:
        """Send a message with `sec` seconds of audio; return False if the stream has ended."""

    def finish(self, stream: TtsStream) -> None:
        """End a stream whose audio is all sent."""

    def fail(self, stream: TtsStream, problem: Problem) -> None:
        """End a stream with an error."""


class TtsStream:
    """One stream: accepts text, and speaks it on a thread of its own.

    `start`, `add_text`, `stop` and `charge` are called under the connection's lock. The speaking
    thread and the timers take that lock only through `StreamOwner`.
    """

    def __init__(self, owner: StreamOwner, world: World, stream_id: str, config: TtsConfig) -> None:
        self.stream_id = stream_id
        self.config = config
        self.stopped: threading.Event = threading.Event()
        self.text_ended: bool = False
        self.release: Callable[[], None] = lambda: None
        self.usage: Optional[StreamUsage] = None
        self._owner = owner
        self._limits = limits = world.limits
        self._clock = world.clock
        self._encoder = open_encoder(config.audio_format, config.sample_rate, config.bitrate)
        self._narrator = Narrator(
            world.engines.synthesizer,
            config,
            frame_ms=limits.tts_chunk_ms,
            limit_sec=limits.tts_max_audio_sec,
        )
        self._sentences = SentenceBuffer()
        self._text_bytes = 0
        # Guards _segments and _complete. Leaf.
        self._more = new_condition()
        self._segments: collections.deque[str] = collections.deque()
        self._complete = False  # no segment will follow
        # Written by the speaking thread
        self._audio_sec = 0.0
        self._due = 0.0
        self._blocked_since: Optional[float] = None
        self._blocked_sec = 0.0
        self._began = time.monotonic()
        self._quiet_watch = Watch(
            self._clock, limits.tts_writer_quiet_sec, lambda: self._time_out("Request timeout")
        )
        self._start_timer: Optional[Timer] = None
        self._rate_timer: Optional[Timer] = None
        self._thread = threading.Thread(
            target=self._run,
            name=f"soniox-sandbox-tts-{owner.number}-{stream_id[:16]}",
            daemon=True,
        )

    # --- under the connection's lock

    def start(self) -> None:
        """Start the timers and the thread."""
        limits = self._limits
        if limits.tts_no_audio_start_sec is not None:
            self._start_timer = self._clock.later(
                limits.tts_no_audio_start_sec, self._check_started
            )
        if limits.tts_min_rate is not None:
            self._rate_timer = self._clock.later(limits.tts_min_rate_after_sec, self._check_rate)
        self._thread.start()

    def add_text(self, text: str, end: bool) -> None:
        """Add text.

        Raises
            Problem: 400 if the stream has too much text.
        """
        self._text_bytes += len(text.encode("utf-8", "surrogatepass"))
        limit = self._limits.tts_max_text_bytes
        if limit is not None and self._text_bytes > limit:
            raise text_too_long(limit)
        if end:
            self.text_ended = True
            self._quiet_watch.stop()
        else:
            self._quiet_watch.start()
        ready = self._sentences.add(text) + (self._sentences.end() if end else [])
        with self._more:
            self._segments.extend(ready)
            self._complete = self._complete or end
            self._more.notify_all()

    def stop(self) -> None:
        """Stop the timers and the thread, and release the account's quota."""
        self.stopped.set()
        self._quiet_watch.stop()
        for timer in (self._start_timer, self._rate_timer):
            if timer is not None:
                timer.cancel()
        with self._more:
            self._more.notify_all()
        if self.usage is not None:
            self.usage.end()
        self.release()

    def charge(self) -> None:
        """Record what was spoken as usage."""
        if self.usage is not None:
            self.usage.charge(
                output_audio_ms=round(self._audio_sec * 1000), input_chars=self._text_bytes
            )

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the thread; never under a lock."""
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join()

    # --- timers, on the clock's thread

    def _time_out(self, message: str) -> None:
        self._owner.fail(self, Problem("request_timeout", message))

    def _check_started(self) -> None:
        if self._audio_sec == 0:
            self._time_out("Stream killed: no audio output within timeout")

    def _check_rate(self) -> None:
        # real seconds, whatever the time scale: audio is not scaled
        now = time.monotonic()
        elapsed = now - self._began - self._blocked_sec - (now - (self._blocked_since or now))
        if 0 < self._audio_sec < elapsed * (self._limits.tts_min_rate or 0):
            self._time_out("Stream killed: output audio rate below minimum")
        elif not self.stopped.is_set():
            self._rate_timer = self._clock.later(1.0, self._check_rate)

    # --- the speaking thread

    def _run(self) -> None:
        try:
            self.stopped.wait(self._limits.tts_first_audio_delay_sec)
            if self._speak_all():
                self._owner.finish(self)
        except Problem as problem:
            self._owner.fail(self, problem)
        except Exception:
            log.exception("sandbox stream %s failed", self.stream_id)
            self._owner.fail(self, Problem("internal_error", "The sandbox failed; see its log."))
        finally:
            self._encoder.close()

    def _speak_all(self) -> bool:
        """Send all audio; return False if the stream was stopped before its end.

        Each frame is held back until the next one exists, because the last one has `audio_end`.
        """
        held: Optional[Frame] = None
        for frame in self._frames():
            if held is not None and not self._send(held):
                return False
            held = frame if frame.sec or frame.characters else None
        if self.stopped.is_set():
            return False
        if self._narrator.full:
            if held is not None:
                self._send(held)
            raise Problem("max_audio_duration_reached", "Maximum audio duration reached.")
        return self._send(held or _NO_AUDIO, last=True)

    def _frames(self) -> Iterator[Frame]:
        """Speak the segments; yield `_NO_AUDIO` to release the last frame if none is waiting."""
        while not self._narrator.full:
            with self._more:
                ready = self._more.wait_for(self._may_go_on, _HOLD_SEC)
            if not ready:
                yield _NO_AUDIO
            with self._more:
                self._more.wait_for(self._may_go_on)
                if self.stopped.is_set() or not self._segments:
                    return
                segment = self._segments.popleft()
            yield from self._narrator.say(segment)

    def _may_go_on(self) -> bool:
        return bool(self._segments) or self._complete or self.stopped.is_set()

    def _send(self, frame: Frame, *, last: bool = False) -> bool:
        self._pace(frame)
        data = self._encoder.feed(frame.pcm)
        if last:
            data += self._encoder.finish()
        self._audio_sec += frame.sec
        if not data and not frame.characters and not last:
            return True
        # time for which the client does not read is not the writer's fault, and does not count
        self._blocked_since = time.monotonic()
        sent = self._owner.emit(self, self._message(frame, data, last), frame.sec)
        self._blocked_sec += time.monotonic() - self._blocked_since
        self._blocked_since = None
        return sent

    def _pace(self, frame: Frame) -> None:
        pace = self._limits.tts_pace
        if pace is None:
            return
        now = time.monotonic()
        if self._due > now:
            self.stopped.wait(self._due - now)
        self._due = max(self._due, now) + frame.sec / pace

    def _message(self, frame: Frame, data: bytes, last: bool) -> dict[str, Any]:
        message: dict[str, Any] = {
            "stream_id": self.stream_id,
            "audio": base64.b64encode(data).decode("ascii"),
            "audio_end": last,
        }
        if self.config.timestamps and frame.characters:
            message["timestamps"] = {
                "characters": list(frame.characters),
                "character_start_times_seconds": list(frame.starts),
                "character_end_times_seconds": list(frame.ends),
            }
        return message
