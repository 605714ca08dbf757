"""One opening of an input device: the queue between PortAudio's thread and ours, and its end."""

from __future__ import annotations

import logging
import queue
import threading
from typing import Any, Optional

from ..audio import RawAudio
from ..errors import AudioDeviceError
from .base import AudioSourceHandlers

__all__ = ["Capture", "LossCounts", "MuteWatch"]

_log = logging.getLogger("soniox_sync")

# Handlers of a live source do not block, so this much only gathers when the process stands still.
_MAX_QUEUED_MS = 10_000

# handing over what is queued takes milliseconds: a thread that needs longer is in a stuck handler
_JOIN_SEC = 5.0

# what the queue holds besides audio
_END = object()  # closed by us: hand over what stands before this, then end
_LOST = object()  # PortAudio ended the stream
_RESUMED = object()  # the device has all of `stall_sec` again


class LossCounts:
    """Counts what was lost. Written by PortAudio's audio thread alone."""

    def __init__(self, shape: RawAudio) -> None:
        self._shape = shape
        self.chunks = 0
        self.num_bytes = 0
        self.overflows = 0

    @property
    def dropped_ms(self) -> int:
        """Give the length of what was dropped."""
        return self._shape.bytes_to_ms(self.num_bytes)


class MuteWatch:
    """Finds runs of digital silence, for the handing-over thread; `None` seconds: never."""

    def __init__(self, shape: RawAudio, after_sec: Optional[float]) -> None:
        self._limit = None if after_sec is None else int(after_sec * shape.bytes_per_second)
        self._run = 0
        self._muted = False

    def ends(self, data: bytes) -> bool:
        """Tell whether `data` ends a mute; asked before it is handed over."""
        if not self._muted or data.count(0) == len(data):
            return False
        self._muted = False
        return True

    def begins(self, data: bytes) -> bool:
        """Tell whether with `data` a mute begins; asked after it was handed over."""
        if self._limit is None or self._muted:
            return False
        silent = len(data) - len(data.rstrip(b"\0"))
        self._run = self._run + silent if silent == len(data) else silent
        self._muted = self._run >= self._limit
        return self._muted


class Capture:
    """Owns a stream and the thread that hands its audio over.

    `lock` is the source's: it guards every call on the stream. `mute` lives on in the capture
    that follows a restart.
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
        self.thread = threading.Thread(
            target=self._main, name="soniox-source-microphone", daemon=True
        )
        self._lock = lock
        self._max_bytes = shape.ms_to_bytes(_MAX_QUEUED_MS)
        self._stall_sec = stall_sec
        # Under lock; the flags are read without it
        self.stream: Any = None
        self.over = False
        self._paused = False
        self._abandoned = False
        # Written by the audio thread alone. SimpleQueue.put never waits.
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._counts = counts
        self._put_bytes = 0
        # Handing-over thread only
        self._taken_bytes = 0
        self._reported = (counts.chunks, counts.overflows)

    # PortAudio's threads: copy, count, return

    def on_audio(self, indata: Any, frames: int, time: Any, status: Any) -> None:
        """Take a piece of audio."""
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
        """Learn that the stream stopped, by us or by itself."""
        if not self._paused and not self.over:
            self._queue.put(_LOST)

    # Under the lock

    def pause(self) -> None:
        """Stop the stream. Raises as PortAudio does."""
        if self.over or self._paused:
            return
        self._paused = True  # first: the stream says that it finished
        try:
            self.stream.stop(ignore_errors=False)
        except BaseException:
            self._paused = False
            raise

    def resume(self) -> None:
        """Start the stream again. Raises as PortAudio does."""
        if self.over or not self._paused:
            return
        self.stream.start()
        self._queue.put(_RESUMED)
        self._paused = False

    def close(self) -> None:
        """Close the stream, let the thread hand over what is queued and end. Idempotent.

        On the thread itself nothing more is handed over.
        """
        if self.thread is threading.current_thread():
            self._abandoned = True
        if self.over:
            return
        self.over = True
        stream, self.stream = self.stream, None
        try:
            if stream is not None:
                stream.stop()  # gives the last whole pieces; close() alone throws them away
                stream.close()
        finally:
            self._queue.put(_END)

    # Without the lock

    def join(self) -> None:
        """Wait for the thread, unless called on it."""
        if self.thread is threading.current_thread() or self.thread.ident is None:
            return
        self.thread.join(_JOIN_SEC)
        if self.thread.is_alive():
            self._abandoned = True
            _log.warning("! the microphone's thread does not end: a handler of it blocks")

    # The handing-over thread

    def _main(self) -> None:
        try:
            self._pump()
        except Exception as error:  # noqa: BLE001 - a thread's top: reported
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            stopped = self.over
            self.close()
        if stopped:
            _log.warning("! the microphone failed while it was being stopped: %r", error)
            return
        try:
            self.handlers.on_error(error)
        except Exception:  # noqa: BLE001 - a thread's top: logged
            _log.exception("! a microphone's last handler failed")

    def _pump(self) -> None:
        while not self._abandoned:
            item = self._take()
            if item is _END:
                return
            if item is _LOST:
                raise AudioDeviceError("the microphone stopped: it was unplugged or taken away")
            if item is not _RESUMED:
                self._taken_bytes += len(item)
                self._report_losses()
                self._hand_over(item)

    def _take(self) -> Any:
        while True:
            try:
                return self._queue.get(timeout=self._stall_sec)
            except queue.Empty:
                if not self._paused and not self.over:
                    raise AudioDeviceError(
                        f"the microphone delivered nothing for {self._stall_sec:g} s: it was "
                        "unplugged or taken away"
                    ) from None

    def _hand_over(self, data: bytes) -> None:
        handlers = self.handlers
        if self.mute.ends(data) and handlers.on_unmuted is not None:
            handlers.on_unmuted()
        if self._abandoned:
            return
        handlers.on_data(data)
        if self.mute.begins(data) and handlers.on_muted is not None and not self._abandoned:
            handlers.on_muted()

    def _report_losses(self) -> None:
        lost = (self._counts.chunks, self._counts.overflows)
        if lost != self._reported:
            self._reported = lost
            _log.warning(
                "! the microphone lost audio: %d pieces (%d ms) dropped, %d overflows so far",
                lost[0],
                self._counts.dropped_ms,
                lost[1],
            )
