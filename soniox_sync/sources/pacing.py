"""When the next chunk is due: in real time or a multiple of it, with pauses, until `stop()`."""

from __future__ import annotations

import threading
import time
from typing import Optional, Union

from .._support.checks import number
from .._support.locks import new_condition, new_lock

# A source held back for longer does not catch up with a burst: it is not live, and the service
# expects audio in real time or close to it (PROTOCOL 2.3). Less is jitter, which is caught up
_MAX_LAG_SEC = 1.0


# a time that has passed: `Gate.wait_until()` waits during a pause only
AT_ONCE = float("-inf")


class SourceClock:
    """Clock of a source; replaced in tests."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        """Wait until `changed` is notified, at most `seconds` (`None`: no limit)."""
        changed.wait(seconds)


def speed_of(pace: Union[bool, float, None]) -> Optional[float]:
    """Return `pace` as a multiple of real time, `None` for as fast as possible.

    Raises
        ConfigurationError: a negative or infinite pace.
        InputTypeError: not a number.
    """
    if pace is None or isinstance(pace, bool):
        return 1.0 if pace else None
    number(0)("pace", pace)
    return float(pace) or None


class Gate:
    """Where the thread of a source waits: for its schedule, and during a pause, until `stop()`."""

    def __init__(self, clock: SourceClock) -> None:
        self._clock = clock
        # Guards the fields below. Waited on, and never held during anything else. Leaf. It is
        # acquired directly, not through its condition, where Ctrl-C could leave it acquired.
        self._lock = new_lock()
        self._changed = new_condition(self._lock)
        self._stopped = False
        self._paused_at: Optional[float] = None
        self._paused_sec = 0.0

    @property
    def stopped(self) -> bool:
        """Whether `stop()` was called."""
        return self._stopped

    @property
    def paused(self) -> bool:
        """Whether it holds the thread."""
        return self._paused_at is not None

    def stop(self) -> None:
        """End this and every later wait."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

    def pause(self) -> None:
        """Hold the thread and its schedule."""
        with self._lock:
            if self._paused_at is None:
                self._paused_at = self._clock.now()
                self._changed.notify_all()

    def resume(self) -> None:
        """Let the thread and its schedule continue, without a burst."""
        with self._lock:
            if self._paused_at is not None:
                self._paused_sec += self._clock.now() - self._paused_at
                self._paused_at = None
                self._changed.notify_all()

    def played(self) -> float:
        """Return the time on the clock in seconds, without pauses."""
        with self._lock:
            return self._played()

    def _played(self) -> float:
        now = self._clock.now() if self._paused_at is None else self._paused_at
        return now - self._paused_sec

    def wait_until(self, due: float) -> bool:
        """Wait until `played()` reaches `due`, outside of a pause; return False once stopped."""
        if due == AT_ONCE and self._paused_at is None:
            return not self._stopped
        with self._lock:
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
    """Absolute schedule: a late chunk does not delay those after it. Not thread-safe."""

    # Chunks of 120 ms at speed 1, in seconds of `played()`. A delay is caught up, but never more
    # than `_MAX_LAG_SEC`:
    #
    #     chunk   handlers ready at   delivered at   the next is due at
    #     1        0.00                0.00           0.12
    #     2        0.30 (late)         0.30           0.24   so 3 is delivered at once
    #     3        0.30                0.30           0.36   back on schedule
    #     4        9.36 (held back)    9.36           8.48   one second is caught up, not nine

    def __init__(self, gate: Gate, speed: Optional[float]) -> None:
        self._gate = gate
        self._speed = speed
        self._due = gate.played()

    def wait(self, num_bytes: int, bytes_per_second: Optional[float]) -> bool:
        """Wait until the next chunk is due and count it; return False once stopped."""
        if self._speed is None or not bytes_per_second:
            return self._gate.wait_until(AT_ONCE)  # waits only during a pause
        if not self._gate.wait_until(self._due):
            return False
        self._due = max(self._due, self._gate.played() - _MAX_LAG_SEC)
        self._due += num_bytes / bytes_per_second / self._speed
        return True
