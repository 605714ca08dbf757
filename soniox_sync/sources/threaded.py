"""Thread of a source that reads a feed: pace, pause, back-pressure, one end.

`ThreadedSource` is the life cycle, a `Feed` what is read. Only this thread calls the handlers, so
the calls are in order; a handler that blocks holds the source back.
"""

from __future__ import annotations

import logging
import threading
from typing import Optional, Union

from .._support.checks import refused
from .._support.locks import new_lock
from .._support.reprs import summary
from ..errors import StateError
from .base import AudioSourceHandlers, SourceAudio, describe_audio
from .feeds import Feed
from .pacing import AT_ONCE, Gate, Pace, SourceClock, speed_of

_log = logging.getLogger("soniox_sync")

# Once stopped, the thread ends within a chunk; inside code that cannot be interrupted (the user's
# iterable, a pipe that cannot be waited for) it may never end, so the wait is short.
_JOIN_SEC = 5.0
_GRACE_SEC = 0.5


class Run:
    """One run of a source, from `start()` to its end."""

    def __init__(self, handlers: AudioSourceHandlers, clock: SourceClock) -> None:
        self.handlers = handlers
        self.gate: Gate = Gate(clock)
        self.feed: Optional[Feed] = None
        self.thread: Optional[threading.Thread] = None
        self.reading = False  # the thread is inside code that may not return
        self.restart: bool = False
        self.is_empty = True  # nothing was delivered
        self.outcome = ""  # set once: ended, failed or stopped
        # one that has ended, and whose last handler still ran when this one was started
        self.before: Optional[Run] = None

    @property
    def state(self) -> str:
        """Word for a repr."""
        if self.outcome:
            return self.outcome
        return "stopped" if self.gate.stopped else "paused" if self.gate.paused else "running"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return bool(self.outcome)


class ThreadedSource:
    """Base of the sources that read a feed on a daemon thread and deliver it at a pace.

    Not live: an `on_data` that blocks holds back the reading. Thread-safe.
    Subclasses return the feed from `_open`.
    """

    is_live = False
    echo_free = True
    _thread_name = "soniox-source"

    def __init__(
        self, *, pace: Union[bool, float, None] = False, clock: Optional[SourceClock] = None
    ) -> None:
        # Immutable
        self._speed = speed_of(pace)
        self._clock = clock or SourceClock()
        # Guards _run, and the start of its thread. Not held during reading or handlers. Leaf.
        self._lock = new_lock()
        self._run: Optional[Run] = None

    def _open(self) -> Feed:
        raise AssertionError("a subclass opens its feed")  # pragma: no cover

    def _describe(self) -> tuple[str, Optional[SourceAudio]]:
        raise AssertionError("a subclass says what it reads")  # pragma: no cover

    def __repr__(self) -> str:
        subject, audio = self._describe()
        run = self._run
        return summary(
            self, subject, describe_audio(audio), "not started" if run is None else run.state
        )

    @property
    def audio(self) -> Optional[SourceAudio]:
        """Format of what is delivered; `None` before `start()`, and until a header was read."""
        run = self._run
        return run.feed.audio if run is not None and run.feed is not None else None

    def start(self, handlers: AudioSourceHandlers) -> None:
        """Open what is to be read, and start delivering it.

        Raises
            OSError: it could not be opened.
            ConfigurationError: its format must be declared.
            StateError: the source is running, or can be read only once.
        """
        run = Run(handlers, self._clock)
        with self._lock:
            before = self._run
            if before is not None:
                if not before.ended:
                    raise StateError("cannot start: the source is running")
                before.before = None
                if before.thread is not None and before.thread.is_alive():
                    run.before = before
            self._run = run
        try:
            run.feed = self._open()
        except BaseException:
            run.outcome = "failed"
            raise
        self._start_thread(run, run.feed)

    def _start_thread(self, run: Run, feed: Feed) -> None:
        thread = threading.Thread(
            target=self._main, args=(run, feed), name=self._thread_name, daemon=True
        )
        with self._lock:
            if not run.gate.stopped:
                thread.start()
                run.thread = thread
                return
        run.outcome = "stopped"  # while it was being opened
        feed.close()

    def stop(self) -> None:
        """Stop; no handler is called after this has returned.

        Waits for the thread, at most 5 s; only half a second if the thread cannot be interrupted
        (in the user's iterable, or a pipe on Windows): it then delivers nothing more. If the source
        was started again while the last handler of the run before had not returned, it waits as
        long for that. Idempotent; callable inside a handler.
        """
        with self._lock:
            run = self._run
            if run is None:
                return
            run.gate.stop()
            before = run.before
        if run.feed is not None:
            run.feed.wake()
        _join(run)
        if before is not None:
            _join(before)

    def pause(self) -> None:
        """Stop reading and delivering; one more chunk may still be delivered. Idempotent."""
        run = self._run
        if run is not None:
            run.gate.pause()

    def resume(self) -> None:
        """Continue where it was paused, at the same pace, without a burst. Idempotent."""
        run = self._run
        if run is not None:
            run.gate.resume()

    # -- the source's thread ---------------------------------------------------------------------

    def _main(self, run: Run, feed: Feed) -> None:
        error: Optional[BaseException] = None
        try:
            self._pump(run, feed)
        except BaseException as exc:  # noqa: BLE001 - top of a thread, may be the user's
            error = exc
        try:
            feed.close()
        except BaseException as exc:  # noqa: BLE001 - the same
            if error is None:
                error = exc
        if error is None and run.is_empty and not run.gate.stopped:
            error = refused("audio", "audio to transcribe", "no audio at all")
        failed = error is not None
        run.outcome = "stopped" if run.gate.stopped else "failed" if failed else "ended"
        _report_end(run, error)

    def _pump(self, run: Run, feed: Feed) -> None:
        pace = Pace(run.gate, self._speed)
        while run.gate.wait_until(AT_ONCE):
            if run.restart:
                run.restart = False
                feed.restart()
                if run.handlers.on_restart is not None:
                    run.handlers.on_restart()
            run.reading = True
            data = feed.read()
            run.reading = False
            if data is None:
                return
            if not data:
                continue
            run.is_empty = False
            if not pace.wait(len(data), feed.bytes_per_second):
                return
            run.handlers.on_data(data)


def _report_end(run: Run, error: Optional[BaseException]) -> None:
    """Call the handler that ends a run, or none after `stop()`."""
    if run.gate.stopped:
        if error is not None:
            _log.warning("! a source failed while being stopped: %r", error)
        return
    try:
        if error is not None:
            run.handlers.on_error(error)
        elif run.handlers.on_end is not None:
            run.handlers.on_end()
    except Exception:  # noqa: BLE001 - top of a thread: logged
        _log.exception("! the on_end or on_error handler of a source failed")


def _join(run: Run) -> None:
    thread = run.thread
    if thread is None or thread is threading.current_thread():
        return
    thread.join(_GRACE_SEC)
    if thread.is_alive() and not run.reading:
        thread.join(_JOIN_SEC - _GRACE_SEC)
    if thread.is_alive():
        _log.warning("! thread %s did not end; it delivers nothing more", thread.name)
