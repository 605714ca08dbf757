"""Asking a silent peer for a sign of life, and judging it dead."""

from __future__ import annotations

from typing import Callable, Optional

from .clock import Clock, IdleTimer, Timer

# what we put into our pings; peers send it back
PING_PAYLOAD = b"soniox-sync"


class Heartbeat:
    """Pings a peer that was silent for `interval_sec` and calls `dead(silence_sec)` when nothing,
    not even the answer, came for `timeout_sec` after that. `None` turns either part off.

    The reader says `heard` at each piece; everything else runs on the clock. Source: PROTOCOL 2.8.
    """

    def __init__(
        self,
        clock: Clock,
        interval_sec: Optional[float],
        timeout_sec: Optional[float],
        ping: Callable[[bytes], None],
        dead: Callable[[float], None],
    ) -> None:
        # Immutable
        self._clock = clock
        self._timeout = timeout_sec
        self._send = ping
        self._dead = dead
        # Written by the reader, read by the clock
        self.heard = clock.now()
        # Clock only
        self._verdict: Optional[Timer] = None
        self._asked = 0.0  # when the ping went out that this verdict is for
        # Set once
        self._stopped = False
        self._pings: Optional[IdleTimer] = None
        if interval_sec is not None:
            self._pings = IdleTimer(clock, interval_sec, lambda: self.heard, self._ping)

    def stop(self) -> None:
        """Ask and judge no more. Any thread."""
        self._stopped = True
        for timer in (self._pings, self._verdict):
            if timer is not None:
                timer.cancel()

    def _ping(self) -> None:
        if self._stopped:
            return
        asked = self._clock.now()
        self._send(PING_PAYLOAD)
        if self._timeout is None:
            return
        if self._verdict is not None:
            if self.heard < self._asked:
                return  # an earlier ping is unanswered still: its deadline stands
            self._verdict.cancel()
        self._asked = asked
        self._verdict = timer = self._clock.call_later(self._timeout, lambda: self._judge(asked))
        if self._was_stopped():  # meanwhile: then stop() cancelled the timer before this one
            timer.cancel()

    def _was_stopped(self) -> bool:
        return self._stopped

    def _judge(self, asked: float) -> None:
        if self.heard < asked and not self._stopped:
            self._dead(self._clock.now() - self.heard)
