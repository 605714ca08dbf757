"""One TTS stream: its text, its kill timers, and the thread that speaks it (PROTOCOL 3.3 - 3.5)."""

from __future__ import annotations

import base64
import collections
import logging
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Callable, Optional

from .clock import Timer, Watch
from .encoders import open_encoder
from .narrate import Frame, Narrator, SentenceBuffer
from .problems import Problem
from .rest_ledger import Use
from .tts_config import TtsConfig, text_too_long

if TYPE_CHECKING:
    from .tts import TtsService
    from .world import World

__all__ = ["TtsStream"]

log = logging.getLogger(__name__)

# real seconds a finished sentence's last frame waits for the text's end, so that `audio_end` can
# ride on it; short enough not to be heard as a gap
_TAIL_WAIT = 0.15


class TtsStream:
    """Speaks one stream's text and reports to its service, which owns all sending.

    Every method but `_run` and what it calls runs under the service's lock; the speaking thread
    takes that lock only through `TtsService.emit` and `TtsService.end`.
    """

    def __init__(
        self, service: TtsService, world: World, stream_id: str, config: TtsConfig
    ) -> None:
        self.stream_id = stream_id
        self.config = config
        self.gone = threading.Event()
        self.text_ended = False
        self.release: Callable[[], None] = lambda: None
        self.use: Optional[Use] = None
        self._service = service
        self._limits = world.limits
        self._clock = world.clock
        self._encoder = open_encoder(config.audio_format, config.sample_rate, config.bitrate)
        self._narrator = Narrator(
            world.engines.synthesizer,
            config,
            frame_ms=world.limits.tts_chunk_ms,
            limit_sec=world.limits.tts_max_audio_sec,
        )
        self._sentences = SentenceBuffer()
        self._text_bytes = 0
        # Guards _segments and _no_more. Leaf.
        self._more = threading.Condition()
        self._segments: collections.deque[str] = collections.deque()
        self._no_more = False
        self._audio_sec = 0.0
        self._due = 0.0
        self._blocked_since: Optional[float] = None
        self._blocked_sec = 0.0
        self._began = time.monotonic()
        self._quiet = Watch(
            world.clock, world.limits.tts_writer_quiet_sec, self._killer("Request timeout")
        )
        self._timers: list[Timer] = []
        self._thread = threading.Thread(
            target=self._run,
            name=f"soniox-sandbox-tts-{service.number}-{stream_id[:16]}",
            daemon=True,
        )

    # --- under the service's lock

    def start(self) -> None:
        """Start the timers and the thread."""
        limits = self._limits
        if limits.tts_no_audio_start_sec is not None:
            self._timers.append(
                self._clock.later(limits.tts_no_audio_start_sec, self._check_started)
            )
        if limits.tts_min_rate is not None:
            self._timers.append(self._clock.later(limits.tts_min_rate_after_sec, self._check_rate))
        self._thread.start()

    def add_text(self, text: str, end: bool) -> None:
        """Take text. Raises `Problem` when it is more than one stream may hold."""
        self._text_bytes += len(text.encode("utf-8", "surrogatepass"))
        limit = self._limits.tts_max_text_bytes
        if limit is not None and self._text_bytes > limit:
            raise text_too_long(limit)
        if end:
            self.text_ended = True
            self._quiet.stop()
        else:
            self._quiet.start()
        ready = self._sentences.add(text) + (self._sentences.end() if end else [])
        with self._more:
            self._segments.extend(ready)
            self._no_more = self._no_more or end
            self._more.notify_all()

    def stop(self) -> None:
        """Silence it: timers, thread, account."""
        self.gone.set()
        self._quiet.stop()
        for timer in self._timers:
            timer.cancel()
        with self._more:
            self._more.notify_all()
        if self.use is not None:
            self.use.stop()
        self.release()

    def charge(self) -> None:
        """Note what was spoken, all of it."""
        if self.use is not None:
            self.use.done(
                output_audio_ms=round(self._audio_sec * 1000), input_chars=self._text_bytes
            )

    @property
    def alive(self) -> bool:
        """Tell whether the thread still runs."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the thread; never under a lock."""
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join()

    # --- timers, on the clock's thread

    def _killer(self, message: str) -> Callable[[], None]:
        return lambda: self._service.fail(self, Problem("request_timeout", message))

    def _check_started(self) -> None:
        if self._audio_sec == 0:
            self._killer("Stream killed: no audio output within timeout")()

    def _check_rate(self) -> None:
        # real seconds, whatever the time scale: audio has no scale
        now = time.monotonic()
        elapsed = now - self._began - self._blocked_sec - (now - (self._blocked_since or now))
        if 0 < self._audio_sec < elapsed * (self._limits.tts_min_rate or 0):
            self._killer("Stream killed: output audio rate below minimum")()
        elif not self.gone.is_set():
            self._timers[-1] = self._clock.later(1.0, self._check_rate)

    # --- the speaking thread

    def _run(self) -> None:
        try:
            self.gone.wait(self._limits.tts_first_audio_delay_sec)
            if self._speak_all():
                self._service.end(self)
        except Problem as problem:
            self._service.fail(self, problem)
        except Exception:
            log.exception("sandbox stream %s failed", self.stream_id)
            self._service.fail(self, Problem("internal_error", "The sandbox failed; see its log."))

    def _speak_all(self) -> bool:
        """Send all audio; False when the stream ended otherwise."""
        held: Optional[Frame] = None
        for frame in self._frames():
            if held is not None and not self._send(held):
                return False
            held = frame
            if frame.sec == 0 and not frame.characters:
                held = None
        if self.gone.is_set():
            return False
        if self._narrator.full:
            if held is not None:
                self._send(held)
            raise Problem("max_audio_duration_reached", "Maximum audio duration reached.")
        return self._send(held or _SILENCE, last=True)

    def _frames(self) -> Iterator[Frame]:
        """Speak segment by segment; an empty frame flushes the one held back."""
        while not self.gone.is_set() and not self._narrator.full:
            with self._more:
                if not self._segments and not self._no_more:
                    self._more.wait_for(self._something, _TAIL_WAIT)
                waiting = not self._segments and not self._no_more
            if waiting:
                yield _SILENCE
                with self._more:
                    self._more.wait_for(self._something)
            with self._more:
                if not self._segments:
                    if self._no_more or self.gone.is_set():
                        return
                    continue
                segment = self._segments.popleft()
            yield from self._narrator.say(segment)

    def _something(self) -> bool:
        return bool(self._segments) or self._no_more or self.gone.is_set()

    def _send(self, frame: Frame, *, last: bool = False) -> bool:
        self._pace(frame)
        data = self._encoder.feed(frame.pcm)
        if last:
            data += self._encoder.finish()
        self._audio_sec += frame.sec
        if not data and not frame.characters and not last:
            return True
        message = _message(self, frame, data, last)
        # a client that does not read is not the writer's fault: that time does not count
        self._blocked_since = time.monotonic()
        sent = self._service.emit(self, message, frame.sec)
        self._blocked_sec += time.monotonic() - self._blocked_since
        self._blocked_since = None
        return sent

    def _pace(self, frame: Frame) -> None:
        pace = self._limits.tts_pace
        if pace is None:
            return
        now = time.monotonic()
        if self._due > now:
            self.gone.wait(self._due - now)
        self._due = max(self._due, now) + frame.sec / pace


_SILENCE = Frame(b"", (), (), (), 0.0)


def _message(stream: TtsStream, frame: Frame, data: bytes, last: bool) -> dict[str, Any]:
    message: dict[str, Any] = {
        "stream_id": stream.stream_id,
        "audio": base64.b64encode(data).decode("ascii"),
        "audio_end": last,
    }
    if stream.config.timestamps and frame.characters:
        message["timestamps"] = {
            "characters": list(frame.characters),
            "character_start_times_seconds": list(frame.starts),
            "character_end_times_seconds": list(frame.ends),
        }
    return message
