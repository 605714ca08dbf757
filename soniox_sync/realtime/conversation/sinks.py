"""Sinks as a conversation uses them, and how much of what was written they have played."""

from __future__ import annotations

import inspect
import math
import threading
from typing import Any, Callable, Optional, Protocol, Union

from ..._support.checks import (
    integer,
    refuse_awaitable,
    refused,
    run_checks,
    takes,
    text,
    wrong_type,
    wrong_value,
)
from ..._support.locks import new_lock
from ...audio import RawAudio, is_raw, stt_format_name, tts_format_name
from ...audio.formats import default_tts_sample_rate
from ...errors import InputTypeError, SonioxConnectionError, SonioxTimeoutError, StateError
from ...runtime.clock import Clock
from ...transport.deadline import Deadline, wait_for
from ...transport.latch import Latch

# as `audio.Player` plays by default
_DEFAULT_FORMAT = "pcm_s16le"
# A sink drops what it has in memory, or sends one short message for that. While it does, nothing
# is decided, not even a hang-up: who needs longer hangs.
_CLEAR_SEC = 2.0
# which of them the voice can be asked for is checked where that is known
_SHAPE_CHECKS = {"sink.audio_format": text(), "sink.sample_rate": integer(1)}
# what a sink raises whose peer is gone
PEER_IS_GONE = (ConnectionError, SonioxConnectionError, StateError)


class AudioSink(Protocol):
    """Where the agent's voice goes. Only `write` is needed; a plain callable is a sink, too.

    - `write(data)`: take headerless audio. Called by one thread; may block while enough waits to be
      played. Returns `False` or raises `ConnectionError`, `SonioxConnectionError` or `StateError`
      when the peer is gone, which is a hang-up; any other exception ends the conversation.
    - `clear()` (optional): drop what was written and not played. Called by any thread, also while
      `write` blocks, which then returns soon; must not block: while it does, nothing is decided,
      and after 2 s the conversation ends with `SonioxTimeoutError`. Without it, audio is written at
      most 0.2 s ahead.
    - `played_ms` (optional): milliseconds of the written audio that were played so far, a number
      that never falls; must not block. What was dropped never counts. Without it, or with `None` as
      an attribute, the sink is taken to play in real time from its first write.
    - `audio_format`, `sample_rate` (optional): what it plays; `"pcm_s16le"` at 24000 Hz otherwise.

    What `clear()` or `played_ms` raises is understood like what `write` raises. Inside all three
    `Conversation.close()` and `stop()` do not wait.
    """

    def write(self, data: bytes, /) -> object:
        """Play audio."""


SinkLike = Union[AudioSink, Callable[[bytes], object], None]


class Sink:
    """Adapter of what `converse()` was given as sink. Thread-safe as the sink is."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        has_write = hasattr(sink, "write")
        if has_write and isinstance(sink, type):
            raise InputTypeError(
                f"sink: expected an object, got its class; write {sink.__name__}()"
            )
        write = (lambda data: None) if sink is None else getattr(sink, "write", sink)
        if not callable(write):
            raise wrong_type("sink", "an object with write(), a callable or None", sink)
        takes("data")("sink.write" if has_write else "sink", write)
        self._write: Callable[[bytes], object] = write
        clear = (lambda: None) if sink is None else getattr(sink, "clear", None)
        if callable(clear):
            takes()("sink.clear", clear)
        self._clear: Optional[Callable[[], object]] = clear if callable(clear) else None
        self._clearing: list[threading.Thread] = []  # append and remove are atomic
        self._hanging: Optional[Latch] = None  # a clear() that has not returned in time
        self.reports: bool = _reports(sink)
        name = getattr(sink, "audio_format", None)
        rate = getattr(sink, "sample_rate", None)
        run_checks({"sink.audio_format": name, "sink.sample_rate": rate}, _SHAPE_CHECKS)
        self.audio_format: Optional[str] = name
        self.sample_rate: Optional[int] = rate

    @property
    def can_clear(self) -> bool:
        """Whether what was written can be dropped."""
        return self._clear is not None

    @property
    def is_current(self) -> bool:
        """Whether the caller runs inside `clear()`."""
        return threading.current_thread() in self._clearing

    @property
    def played_ms(self) -> float:
        """Milliseconds that it says it has played.

        Raises
            InputTypeError: not a number.
            ConfigurationError: below 0, or not finite.
            Exception: what the sink raised.
        """
        return _milliseconds(self._sink.played_ms)

    def write(self, data: bytes) -> bool:
        """Write audio; return whether somebody is there to hear it."""
        try:
            answer = self._write(data)
        except PEER_IS_GONE:
            return False
        refuse_awaitable("sink.write", "a write that returns when it has written", answer)
        return answer is not False

    def clear(self) -> None:
        """Drop what was not played, if the sink can; the peer may be gone.

        Raises
            SonioxTimeoutError: it has not returned in time, now or before.
            Exception: what the sink raised.
        """
        if self._sink is None or self._clear is None:
            return
        if self._hanging is not None and not self._hanging.is_set():
            raise _hangs()
        done = Latch()
        error: list[BaseException] = []
        threading.Thread(
            target=self._run_clear,
            args=(self._clear, done, error),
            name="soniox-conversation-clear",
            daemon=True,
        ).start()
        if not wait_for(done, Deadline(_CLEAR_SEC)):
            self._hanging = done
            raise _hangs()
        if error and not isinstance(error[0], PEER_IS_GONE):  # else the next write reports it
            raise error[0]

    def _run_clear(
        self, clear: Callable[[], object], done: Latch, error: list[BaseException]
    ) -> None:
        """Call `clear()` on a thread of its own, so that one that blocks holds nobody else."""
        thread = threading.current_thread()
        self._clearing.append(thread)
        try:
            refuse_awaitable("sink.clear", "a clear that returns when it has cleared", clear())
        except BaseException as raised:  # noqa: BLE001 - the user's code: raised by the caller
            error.append(raised)
        finally:
            self._clearing.remove(thread)
            done.set()

    def shape(self, audio_format: Optional[str], sample_rate: Optional[int]) -> RawAudio:
        """Return the format that the voice is asked for: what was told, or what the sink plays.

        Raises
            ConfigurationError: a format with a header or of unknown length.
        """
        name = audio_format or self.audio_format or _DEFAULT_FORMAT
        if not is_raw(name):
            raise wrong_value(
                "audio_format",
                "a headerless format, as what was heard is measured in it",
                name,
                "use pcm_s16le, pcm_f32le, pcm_mulaw or pcm_alaw",
            )
        rate = sample_rate or self.sample_rate or default_tts_sample_rate(tts_format_name(name))
        return RawAudio(stt_format_name(name), rate)


def _hangs() -> SonioxTimeoutError:
    return SonioxTimeoutError(
        f"the sink's clear() has not returned within {_CLEAR_SEC:g} s: it must not block"
    )


def _reports(sink: Any) -> bool:
    """Return whether a sink has `played_ms`.

    Raises
        ConfigurationError: it has, but it cannot be read, or is not a number of milliseconds.
    """
    is_declared = inspect.getattr_static(sink, "played_ms", None) is not None
    try:
        value = sink.played_ms if is_declared else getattr(sink, "played_ms", None)
        if value is None and not is_declared:
            return False
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise refused("sink.played_ms", "a number of milliseconds", got) from error
    _milliseconds(value)
    return True


def _milliseconds(value: Any) -> float:
    if isinstance(value, (str, bytes, bool)) or not hasattr(value, "__float__"):
        advice = "it is an attribute or a property, not a method" if callable(value) else ""
        raise wrong_type("sink.played_ms", "a number of milliseconds", value, advice)
    ms = float(value)
    if not (math.isfinite(ms) and ms >= 0):
        raise wrong_value("sink.played_ms", "a finite number of milliseconds from 0 up", value)
    return ms


class Playout:
    """Position of the sink in the audio that was written to it, in ms. Thread-safe.

    What is dropped by `clear()` never had a position: what is written next begins where the sink
    stood then. A sink that does not report plays in real time (2 s at 10 s, dropped at 11 s)::

        write(2000) -> 0..2000    at 10.5 s: 500    cleared() at 11 s -> 1000    write -> 1000..
    """

    def __init__(self, sink: Sink, clock: Clock) -> None:
        # Immutable
        self._sink = sink
        self._clock = clock
        # Guards the fields below. Leaf.
        self._lock = new_lock()
        self._written_ms = sink.played_ms if sink.reports else 0.0
        # of a sink that does not report: it played `_from_ms` at `_since`
        self._since = 0.0
        self._from_ms = 0.0

    @property
    def played_ms(self) -> float:
        """What was played so far."""
        if self._sink.reports:
            return self._sink.played_ms
        with self._lock:
            return self._modelled()

    def _modelled(self) -> float:
        at = self._from_ms + (self._clock.now() - self._since) * 1000
        return max(self._from_ms, min(at, self._written_ms))

    @property
    def ahead_ms(self) -> float:
        """What was written and not played."""
        return self._written_ms - self.played_ms

    def wrote(self, ms: float) -> tuple[float, float]:
        """Count audio that is being written; return where it begins and ends."""
        reported = self._sink.played_ms if self._sink.reports else None
        with self._lock:
            if reported is not None:
                start = max(self._written_ms, reported)
            else:
                start = self._written_ms
                if self._modelled() >= start:  # it had nothing to play
                    self._since, self._from_ms = self._clock.now(), start
            self._written_ms = start + ms
            return start, self._written_ms

    def cleared(self) -> float:
        """Count what was not played as dropped; return what was heard, or will be.

        A sink that cannot drop anything plays on to the end of what was written.
        """
        if not self._sink.can_clear:
            return self._written_ms
        played = self.played_ms
        with self._lock:
            self._written_ms = min(self._written_ms, played)
            return played
