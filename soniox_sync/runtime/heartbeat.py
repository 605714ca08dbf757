"""Pings to a silent peer, and the time limit for its answer."""

from __future__ import annotations

from typing import Callable, Optional

from .clock import Clock, IdleTimer, Timer

# payload of our pings; the peer repeats it in its pong
PING_PAYLOAD = b"soniox-sync"


class Heartbeat:
    """Pings of one connection, and the time limit for their answer.

    Calls `ping(payload)` when nothing was received for `interval_sec`, and
    `on_timeout(silence_sec)` when neither a pong nor data follows within `timeout_sec`. `None`
    turns either part off. The reader sets `last_received`; everything else runs on the clock.
    Source: PROTOCOL 2.8.
    """

    def __init__(
        self,
        clock: Clock,
        interval_sec: Optional[float],
        timeout_sec: Optional[float],
        ping: Callable[[bytes], None],
        on_timeout: Callable[[float], None],
    ) -> None:
        # Immutable
        self._clock = clock
        self._timeout = timeout_sec
        self._send_ping = ping
        self._on_timeout = on_timeout
        # Written by the reader, read by the clock
        self.last_received: float = clock.now()
        # Clock only
        self._timeout_timer: Optional[Timer] = None
        self._pinged_at = 0.0  # when the ping that the timer belongs to was sent
        # Set once
        self._stopped = False
        self._idle_timer: Optional[IdleTimer] = None
        if interval_sec is not None:
            self._idle_timer = IdleTimer(
                clock, interval_sec, lambda: self.last_received, self._ping
            )
            self._idle_timer.start()

    def stop(self) -> None:
        """Stop pinging and timing. Thread-safe."""
        self._stopped = True
        for timer in (self._idle_timer, self._timeout_timer):
            if timer is not None:
                timer.cancel()

    def _ping(self) -> None:
        if self._stopped:
            return
        pinged_at = self._clock.now()
        self._send_ping(PING_PAYLOAD)
        if self._timeout is None:
            return
        if self._timeout_timer is not None:
            if self.last_received < self._pinged_at:
                return  # an earlier ping is still unanswered: its deadline applies
            self._timeout_timer.cancel()
        self._pinged_at = pinged_at
        self._timeout_timer = timer = self._clock.call_later(
            self._timeout, lambda: self._check_answer(pinged_at)
        )
        if self._was_stopped():  # stop() ran in the meantime and cancelled the previous timer
            timer.cancel()

    def _was_stopped(self) -> bool:
        return self._stopped  # a method: mypy assumes that an attribute keeps its value

    def _check_answer(self, pinged_at: float) -> None:
        if self.last_received < pinged_at and not self._stopped:
            self._on_timeout(self._clock.now() - self.last_received)
