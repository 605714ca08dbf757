"""The thread of a source that reads: pace, pause, back-pressure, one end.

`ThreadedSource` is the life cycle, a `Feed` is what is read. Handlers are called by that one
thread alone, so they come in order; one that blocks holds the source back.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Optional, Protocol, Union

from ..errors import AudioSourceError, ConfigurationError, InputTypeError, StateError
from .base import AudioSourceHandlers, SourceAudio

__all__ = ["Feed", "Pace", "SourceClock", "ThreadedSource", "speed_of"]

_log = logging.getLogger("soniox_sync")

# A thread of ours ends within a chunk once stopped; one that is inside foreign code (the user's
# iterable, a pipe that cannot be waited for) may never come back and gets the short grace.
_JOIN_SEC = 5.0
_GRACE_SEC = 0.5

# A source held back for longer does not burst to catch up: nothing of it is live, and the service
# takes audio in real time or close to it (PROTOCOL 2.3). Less is jitter, which the schedule absorbs
_MAX_LAG_SEC = 1.0


class SourceClock:
    """Is the time a source keeps; tests put their own in its place."""

    def now(self) -> float:
        """Give monotonic seconds."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        """Wait until `changed` is notified, at most `seconds` (`None`: without limit)."""
        changed.wait(seconds)


class Feed(Protocol):
    """Is what a source reads from; the source's thread alone calls `read` and `close`."""

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Say what is read, `None` while the header is yet to come."""

    @property
    def bytes_per_second(self) -> Optional[float]:
        """Give the weight of a second, for the pace; `None` when unknown."""

    @property
    def can_restart(self) -> bool:
        """Tell whether `restart` works."""

    def read(self) -> Optional[bytes]:
        """Give the next bytes, `b""` when there are none just now, `None` at the end."""

    def restart(self) -> None:
        """Make the next `read` begin with the container's header."""

    def wake(self) -> None:
        """Make a blocked `read` return, where that is possible. Called from any thread."""

    def close(self) -> None:
        """Give back what was opened."""


def speed_of(pace: Union[bool, float, None]) -> Optional[float]:
    """Give the factor of real time, `None` for as fast as the bytes are taken.

    Raises
        ConfigurationError: a negative or infinite pace. InputTypeError: no number.
    """
    if pace is None or pace is False:
        return None
    if pace is True:
        return 1.0
    if not isinstance(pace, (int, float)):
        raise InputTypeError(f"pace must be a bool or a number, not {type(pace).__name__}")
    if not 0 <= pace < float("inf"):
        raise ConfigurationError(f"pace must be positive and finite, not {pace}")
    return float(pace) or None


class Gate:
    """Is where a source's thread waits: for the schedule, through a pause, until the stop."""

    def __init__(self, clock: SourceClock) -> None:
        self._clock = clock
        # Guards the fields below. Held across nothing but the wait on itself. Leaf.
        self._changed = threading.Condition(threading.Lock())
        self._stopped = False
        self._paused_at: Optional[float] = None
        self._paused_sec = 0.0

    @property
    def stopped(self) -> bool:
        """Tell whether `stop()` was called."""
        return self._stopped

    def stop(self) -> None:
        """End every wait, for good."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def pause(self) -> None:
        """Hold the thread and its schedule."""
        with self._changed:
            if self._paused_at is None:
                self._paused_at = self._clock.now()
                self._changed.notify_all()

    def resume(self) -> None:
        """Let the thread go on; the schedule goes on where it stood, without a burst."""
        with self._changed:
            if self._paused_at is not None:
                self._paused_sec += self._clock.now() - self._paused_at
                self._paused_at = None
                self._changed.notify_all()

    def played(self) -> float:
        """Give the seconds on the clock, without those of pauses."""
        with self._changed:
            return self._played()

    def _played(self) -> float:
        now = self._clock.now() if self._paused_at is None else self._paused_at
        return now - self._paused_sec

    def wait_until(self, due: float) -> bool:
        """Wait until `played()` reaches `due` and no pause holds; False once stopped."""
        with self._changed:
            while not self._stopped:
                left = due - self._played()
                if self._paused_at is not None:
                    self._clock.wait(self._changed, None)
                elif left > 0:
                    self._clock.wait(self._changed, left)
                else:
                    return True
            return False


class Pace:
    """Is an absolute schedule: a late piece does not delay those after it. Not thread-safe."""

    def __init__(self, gate: Gate, speed: Optional[float]) -> None:
        self._gate = gate
        self._speed = speed
        self._due = gate.played()

    def wait(self, num_bytes: int, bytes_per_second: Optional[float]) -> bool:
        """Wait until the next piece is due and count it; False once stopped."""
        if self._speed is None or not bytes_per_second:
            return self._gate.wait_until(float("-inf"))
        if not self._gate.wait_until(self._due):
            return False
        self._due = max(self._due, self._gate.played() - _MAX_LAG_SEC)
        self._due += num_bytes / bytes_per_second / self._speed
        return True


class _Run:
    """Is one start of a source, until its end."""

    def __init__(self, handlers: AudioSourceHandlers, clock: SourceClock) -> None:
        self.handlers = handlers
        self.gate = Gate(clock)
        self.feed: Optional[Feed] = None
        self.thread: Optional[threading.Thread] = None
        self.reading = False  # the thread is inside code that may not return
        self.restart = threading.Event()
        self.over = False


class ThreadedSource:
    """Reads a feed on one daemon thread and hands it over, at a pace.

    Not live: an `on_data` that blocks holds the reading back. All methods are safe from any
    thread. Subclasses say what is read, in `_open`.
    """

    is_live = False
    _thread_name = "soniox-source"

    def __init__(
        self, *, pace: Union[bool, float, None] = False, clock: Optional[SourceClock] = None
    ) -> None:
        # Immutable
        self._speed = speed_of(pace)
        self._clock = clock or SourceClock()
        # Guards _run, and its thread's start. Held across neither reading nor handlers. Leaf.
        self._lock = threading.Lock()
        self._run: Optional[_Run] = None

    def _open(self) -> Feed:
        raise AssertionError("a subclass opens its feed")  # pragma: no cover

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Say what is delivered; `None` before `start()`, and until a stream's header came."""
        run = self._run
        return run.feed.audio if run is not None and run.feed is not None else None

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Open what is to be read and begin to deliver it.

        Raises
            OSError: it could not be opened. ConfigurationError: its format must be told.
            StateError: the source is running, or what it reads is used up.
        """
        run = _Run(handlers, self._clock)
        with self._lock:
            if self._run is not None and not self._run.over:
                raise StateError("cannot start: the source is running")
            self._run = run
        try:
            run.feed = self._open()
        except BaseException:
            run.over = True
            raise
        self._launch(run, run.feed)

    def _launch(self, run: _Run, feed: Feed) -> None:
        thread = threading.Thread(
            target=self._main, args=(run, feed), name=self._thread_name, daemon=True
        )
        with self._lock:
            if not run.gate.stopped:
                thread.start()
                run.thread = thread
                return
        run.over = True  # stopped while it was being opened
        feed.close()

    def stop(self) -> None:
        """End; no handler is called once this returned. Idempotent, legal inside a handler.

        Waits for the thread, 5 s at most; half a second when it is stuck where it cannot be woken
        (the user's iterable, a pipe on Windows): it is then left behind and delivers nothing.
        """
        with self._lock:
            run = self._run
            if run is None:
                return
            run.gate.stop()
        if run.feed is not None:
            run.feed.wake()
        _join(run)

    def pause(self) -> None:
        """Cease reading and delivering; the piece on its way still arrives. Idempotent."""
        run = self._run
        if run is not None:
            run.gate.pause()

    def resume(self) -> None:
        """Go on where it was paused, at the same pace, without a burst. Idempotent."""
        run = self._run
        if run is not None:
            run.gate.resume()

    def _restart(self) -> None:
        run = self._run
        if run is None or run.over or run.feed is None:
            raise StateError("cannot restart: the source is not running")
        if run.feed.audio is not None and run.feed.audio.raw is not None:
            return  # samples go on without a header
        if not run.feed.can_restart:
            raise AudioSourceError("cannot restart: the header of this container is not known")
        run.restart.set()

    def _main(self, run: _Run, feed: Feed) -> None:
        error: Optional[BaseException] = None
        try:
            self._pump(run, feed)
        except BaseException as exc:  # noqa: BLE001 - a thread's top: the user's code may raise any
            error = exc
        try:
            feed.close()
        except BaseException as exc:  # noqa: BLE001 - the same
            if error is None:
                error = exc
        run.over = True
        _tell_end(run, error)

    def _pump(self, run: _Run, feed: Feed) -> None:
        pace = Pace(run.gate, self._speed)
        while run.gate.wait_until(float("-inf")):
            if run.restart.is_set():
                _begin_again(run, feed)
            run.reading = True
            data = feed.read()
            run.reading = False
            if data is None:
                return
            if not data:
                continue
            if not pace.wait(len(data), feed.bytes_per_second):
                return
            run.handlers.on_data(data)


def _begin_again(run: _Run, feed: Feed) -> None:
    run.restart.clear()
    feed.restart()
    if run.handlers.on_restart is not None:
        run.handlers.on_restart()


def _tell_end(run: _Run, error: Optional[BaseException]) -> None:
    """Call the one handler that ends a run, or none after a stop."""
    if run.gate.stopped:
        if error is not None:
            _log.warning("! a source failed while it was being stopped: %r", error)
        return
    try:
        if error is not None:
            run.handlers.on_error(error)
        elif run.handlers.on_end is not None:
            run.handlers.on_end()
    except Exception:  # noqa: BLE001 - a thread's top: logged
        _log.exception("! a source's last handler failed")


def _join(run: _Run) -> None:
    thread = run.thread
    if thread is None or thread is threading.current_thread():
        return
    thread.join(_GRACE_SEC)
    if thread.is_alive() and not run.reading:
        thread.join(_JOIN_SEC - _GRACE_SEC)
    if thread.is_alive():
        _log.warning("! %s does not end: it is left behind and delivers nothing", thread.name)
