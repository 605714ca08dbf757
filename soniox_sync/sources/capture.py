"""One capture from an input device: the queue between PortAudio's thread and ours."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any, Optional

from .._support.queues import get_within
from ..audio import RawAudio
from ..errors import AudioDeviceError
from .base import AudioSourceHandlers

_log = logging.getLogger("soniox_sync")

# Handlers of a live source do not block: this much is queued only if the process is suspended.
_MAX_QUEUED_MS = 10_000

# delivering what is queued takes milliseconds: if it takes longer, a handler is blocking
_JOIN_SEC = 5.0

# markers in the queue, besides audio
_END = object()  # closed by us: deliver what is queued before this, then end
_LOST = object()  # PortAudio ended the stream
_RESUMED = object()  # `stall_sec` starts over


class LossCounts:
    """Counters of lost audio. Only PortAudio's audio thread writes them."""

    def __init__(self, shape: RawAudio) -> None:
        self._shape = shape
        self.chunks = 0
        self.num_bytes = 0
        self.overflows = 0

    @property
    def dropped_ms(self) -> int:
        """Milliseconds of audio that was dropped."""
        return self._shape.bytes_to_ms(self.num_bytes)


class MuteWatch:
    """Detector of digital silence. Delivery thread only; `after_sec=None` turns it off."""

    def __init__(self, shape: RawAudio, after_sec: Optional[float]) -> None:
        self._limit = None if after_sec is None else int(after_sec * shape.bytes_per_second)
        self._run = 0
        self._muted = False

    def ends(self, data: bytes) -> bool:
        """Return whether `data` ends a mute; to be called before `data` is delivered."""
        if not self._muted or data.count(0) == len(data):
            return False
        self._muted = False
        return True

    def begins(self, data: bytes) -> bool:
        """Return whether a mute starts with `data`; to be called after `data` was delivered."""
        if self._limit is None or self._muted:
            return False
        # zeros at the end of a chunk may continue in the next one
        silent = len(data) - len(data.rstrip(b"\0"))
        self._run = self._run + silent if silent == len(data) else silent
        self._muted = self._run >= self._limit
        return self._muted


class Capture:
    """A PortAudio stream and the thread that delivers its audio.

    `lock` is the source's, and guards every call on the stream. `mute` is shared with the capture
    that follows after a restart.
    """

    def __init__(
        self,
        handlers: AudioSourceHandlers,
        shape: RawAudio,
        lock: threading.Lock,
        counts: LossCounts,
        mute: MuteWatch,
        stall_sec: Optional[float],
    ) -> None:
        # Immutable
        self.handlers = handlers
        self.mute = mute
        self.thread: threading.Thread = threading.Thread(
            target=self._main, name="soniox-source-microphone", daemon=True
        )
        self._lock = lock
        self._max_bytes = shape.ms_to_bytes(_MAX_QUEUED_MS)
        self._stall_sec = stall_sec
        # Under lock; the flags are read without it
        self.stream: Any = None
        self.ended: bool = False
        self.paused: bool = False
        self._discard = False
        # Written by the audio thread alone. SimpleQueue.put never waits.
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._counts = counts
        self._put_bytes = 0
        # Delivery thread only
        self._taken_bytes = 0
        self._reported = (counts.chunks, counts.overflows)

    # -- PortAudio's threads: copy, count, return -------------------------------------------------

    def on_audio(self, indata: Any, frames: int, time: Any, status: Any) -> None:
        """Queue a chunk, or count it as dropped."""
        if status and status.input_overflow:
            self._counts.overflows += 1
        data = bytes(indata)
        if self._put_bytes - self._taken_bytes + len(data) > self._max_bytes:
            self._counts.chunks += 1
            self._counts.num_bytes += len(data)
            return
        self._put_bytes += len(data)
        self._queue.put(data)

    def on_finished(self) -> None:
        """Called when the stream has stopped: by itself, unless it was paused or closed."""
        if not self.paused and not self.ended:
            self._queue.put(_LOST)

    # -- under the lock --------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop the stream; raises as PortAudio does."""
        if self.ended or self.paused:
            return
        self.paused = True  # first: stopping calls on_finished
        try:
            self.stream.stop(ignore_errors=False)
        except BaseException:
            self.paused = False
            raise

    def resume(self) -> None:
        """Start the stream again; raises as PortAudio does."""
        if self.ended or not self.paused:
            return
        self.stream.start()
        self._queue.put(_RESUMED)
        self.paused = False

    def close(self) -> None:
        """Close the stream; the thread delivers what is queued and ends. Idempotent.

        Called on the thread itself, nothing more is delivered.
        """
        if self.thread is threading.current_thread():
            self._discard = True
        if self.ended:
            return
        self.ended = True
        stream, self.stream = self.stream, None
        try:
            if stream is not None:
                stream.stop()  # delivers the last whole chunks; close() alone drops them
                stream.close()
        finally:
            self._queue.put(_END)

    # -- without the lock ------------------------------------------------------------------------

    def join(self) -> None:
        """Wait for the thread, unless called on it."""
        if self.thread is threading.current_thread() or self.thread.ident is None:
            return
        self.thread.join(_JOIN_SEC)
        if self.thread.is_alive():
            self._discard = True
            _log.warning("! the thread of the microphone did not end: a handler is blocking")

    # -- the delivery thread ---------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._pump()
        except Exception as error:  # noqa: BLE001 - top of a thread: reported
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            stopped = self.ended
            self.close()
        if stopped:
            _log.warning("! the microphone failed while it was being stopped: %r", error)
            return
        try:
            self.handlers.on_error(error)
        except Exception:  # noqa: BLE001 - top of a thread: logged
            _log.exception("! the on_error handler of a microphone failed")

    def _pump(self) -> None:
        while not self._discard:
            item = self._take()
            if item is _END:
                return
            if item is _LOST:
                raise AudioDeviceError("the microphone stopped: it was unplugged or disabled")
            if item is not _RESUMED:
                self._taken_bytes += len(item)
                self._report_losses()
                self._deliver(item)

    def _take(self) -> Any:
        while True:
            try:
                return get_within(self._queue, self._stall_sec)
            except queue.Empty:
                if not self.paused and not self.ended:
                    raise AudioDeviceError(
                        f"no data from the microphone for {self._stall_sec:g} s: it was "
                        "unplugged or disabled"
                    ) from None

    def _deliver(self, data: bytes) -> None:
        handlers = self.handlers
        if self.mute.ends(data) and handlers.on_unmuted is not None:
            handlers.on_unmuted()
        if self._discard:
            return
        handlers.on_data(data)
        if self.mute.begins(data) and handlers.on_muted is not None and not self._discard:
            handlers.on_muted()

    def _report_losses(self) -> None:
        lost = (self._counts.chunks, self._counts.overflows)
        if lost != self._reported:
            self._reported = lost
            _log.warning(
                "! the microphone lost audio: %d chunks (%d ms) dropped, %d overflows so far",
                lost[0],
                self._counts.dropped_ms,
                lost[1],
            )
