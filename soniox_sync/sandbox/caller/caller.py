"""`Caller`: source and sink of a conversation, played by a script."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Callable, NamedTuple, Optional, TypeVar

from ..._support import checks as _checks
from ..._support.locks import new_condition, new_lock
from ..._support.reprs import counted, quoted, summary
from ...audio import tts_format_name
from ...errors import SonioxConnectionError, SonioxTimeoutError, StateError
from ...sources.base import AudioSourceHandlers, SourceAudio
from ..audio import g711
from ..engines.base import Recognizer
from .dialogue import Dialogue, Moment, NeverHeard
from .hearing import Hearing
from .lines import HangUp, Key, Line, Step

__all__ = ["FORMATS", "Caller"]

log: logging.Logger = logging.getLogger(__name__)

# of the caller's time in one step, at most; and of real time, at least: shorter waits are not exact
_STEP_MS = 20
_STEP_SEC = 0.005
# after a longer delay it does not catch up with a burst: nobody would hear that either
_MAX_LAG_SEC = 0.5
# no handler blocks: one that takes longer hangs
_JOIN_SEC = 5.0


class _Codec(NamedTuple):
    """Conversion between 16-bit samples and what goes over the line."""

    sample_bytes: int
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]


_CODECS: Mapping[str, _Codec] = {
    "pcm_s16le": _Codec(2, bytes, bytes),
    "mulaw": _Codec(1, g711.encode_mulaw, g711.decode_mulaw),
    "alaw": _Codec(1, g711.encode_alaw, g711.decode_alaw),
}
FORMATS: tuple[str, ...] = tuple(_CODECS)

Handler = TypeVar("Handler", bound=Callable[[str], object])


class Caller:
    """Scripted caller, as the source and the sink of a conversation; see `Sandbox.caller`.

    Its time begins with `start()`, and passes `speed` times as fast as real time: so fast comes
    what it says, and so fast it plays what it hears. Headerless audio, one channel, both ways. One
    call each. Thread-safe.
    """

    is_live = True
    echo_free = True

    def __init__(
        self,
        steps: Sequence[Step],
        spoken: Mapping[str, bytes],
        recognizer: Recognizer,
        audio_format: str,
        sample_rate: int,
        speed: float,
    ) -> None:
        # Immutable
        self.audio: SourceAudio = SourceAudio(audio_format, sample_rate, 1)
        self.audio_format: str = tts_format_name(audio_format)
        self.sample_rate: int = sample_rate
        self.speed: float = speed
        self._codec = _CODECS[audio_format]
        self._steps = tuple(steps)
        self._spoken = spoken
        self._step_ms = max(_STEP_MS, _STEP_SEC * 1000 * speed)
        # bytes in a step, of the line and of what is written
        self._frame = 2 * max(1, int(sample_rate * self._step_ms / 1000))
        self._written_frame = self._frame * self._codec.sample_bytes // 2
        # Guards the fields below. Never held during handlers or waits. Leaf.
        self._changed = new_condition(new_lock())
        self._waiting: deque[bytes] = deque()  # written, not played
        self._played_bytes = 0
        self._thread: Optional[threading.Thread] = None
        self._stopped = False
        self._hung_up = False
        self._paused = False
        self._on_dtmf: Optional[Callable[[str], object]] = None
        # Calling thread only
        self._dialogue = Dialogue(steps)
        self._hearing = Hearing(recognizer, sample_rate)
        self._line = b""  # what is left of the line that it says
        self._said: tuple[str, ...] = ()

    def __repr__(self) -> str:
        state = "hung up" if self._hung_up else "not started" if self._thread is None else "calling"
        said = counted(len(self._said), "line") + " said"
        return summary(self, state, said, f"heard {quoted(self.heard)}" if self.heard else "")

    @property
    def heard(self) -> str:
        """Text that was really played to the caller, up to the last whole word.

        What was cleared before it sounded is not in it, nor a word that was cut off.
        """
        return self._hearing.text

    @property
    def said(self) -> tuple[str, ...]:
        """Lines that the caller has begun to say, in order."""
        return self._said

    @property
    def played_ms(self) -> float:
        """Milliseconds of what was written that were played, in the caller's time."""
        return self._played_bytes * 1000 / self._codec.sample_bytes / self.sample_rate

    # -- the source -------------------------------------------------------------------------------

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Begin the call.

        Raises
            StateError: this caller has called before.
        """
        with self._changed:
            if self._thread is not None:
                raise StateError("cannot start: a caller calls once; make another")
            self._thread = threading.Thread(
                target=self._main, args=(handlers,), name="soniox-sandbox-caller", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the call from the other side; no handler is called after it. Idempotent."""
        with self._changed:
            self._stopped = self._hung_up = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_SEC)

    def pause(self) -> None:
        """Deliver nothing until `resume()`; the call goes on. Idempotent."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again what the caller says. Idempotent."""
        self._paused = False

    def on_dtmf(self, handler: Handler) -> Handler:
        """Set the function that gets each key that the caller presses; return it."""
        _checks.function("handler", handler)
        self._on_dtmf = handler
        return handler

    # -- the sink ---------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Play audio after what was written before. Does not wait for it.

        Raises
            SonioxConnectionError: the caller has hung up.
        """
        with self._changed:
            if self._hung_up:
                raise SonioxConnectionError("the caller has hung up")
            if data:
                self._waiting.append(bytes(data))

    def clear(self) -> None:
        """Drop what was written and not yet played."""
        with self._changed:
            self._waiting.clear()

    def _play(self) -> bytes:
        """Take what is played in one step."""
        taken: list[bytes] = []
        size = 0
        with self._changed:
            while self._waiting and size < self._written_frame:
                data = self._waiting.popleft()
                if size + len(data) > self._written_frame:
                    self._waiting.appendleft(data[self._written_frame - size :])
                    data = data[: self._written_frame - size]
                taken.append(data)
                size += len(data)
            self._played_bytes += size
        return self._codec.decode(b"".join(taken))

    # -- the calling thread -----------------------------------------------------------------------

    def _main(self, handlers: AudioSourceHandlers) -> None:
        error: Optional[BaseException] = None
        try:
            self._call(handlers)
        except NeverHeard as reason:
            error = SonioxTimeoutError(str(reason))
        except BaseException as raised:  # noqa: BLE001 - top of a thread, may be the user's
            error = raised
        with self._changed:
            self._hung_up = True
            stopped = self._stopped
        self._hearing.finish()
        if stopped:
            return
        try:
            if error is not None:
                handlers.on_error(error)
            elif handlers.on_end is not None:
                handlers.on_end()
        except Exception:
            log.exception("the on_end or on_error handler of a caller failed")

    def _call(self, handlers: AudioSourceHandlers) -> None:
        began = due = time.monotonic()
        step_sec = self._step_ms / 1000 / self.speed
        steps = 0
        while self._wait_until(due):
            now = time.monotonic()
            due = max(due, now - _MAX_LAG_SEC) + step_sec
            played = self._play()
            self._hearing.feed(played)
            moment = Moment(steps * self._step_ms, now - began, bool(played), self.heard)
            steps += 1
            if not self._line and not self._act(moment):
                return
            frame, self._line = self._line[: self._frame], self._line[self._frame :]
            if not self._paused:
                handlers.on_data(self._codec.encode(frame.ljust(self._frame, b"\0")))

    def _wait_until(self, due: float) -> bool:
        """Wait, and return False once stopped."""
        with self._changed:
            while not self._stopped:
                left = due - time.monotonic()
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False

    def _act(self, moment: Moment) -> bool:
        """Do what the script says; return False to hang up."""
        step = self._dialogue.next(moment)
        if isinstance(step, Line):
            self._dialogue.line_begins(moment)
            self._said = (*self._said, step.text)
            self._line = self._spoken[step.text]
        elif isinstance(step, Key) and self._on_dtmf is not None:
            self._on_dtmf(step.digit)
        return not isinstance(step, HangUp)
