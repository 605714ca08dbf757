"""Limits of an account: requests per minute, streams, open connections."""

from __future__ import annotations

import collections
import time
from typing import Callable, Optional

from .._support.locks import new_lock
from .limits import Limits
from .log import Traffic
from .problems import Problem

__all__ = ["Quota"]

# names in the messages of the service's 429s (PROTOCOL 3.7)
_SERVICE_NAMES = {"stt": "speech-to-text", "tts": "text-to-speech", "rest": "REST"}


class Quota:
    """Counts what an account uses, and refuses what exceeds its limits. Thread-safe.

    Every successful `begin_*` returns a function that undoes it.
    """

    def __init__(self, limits: Limits, traffic: Traffic) -> None:
        self._limits = limits
        self._traffic = traffic
        # Guards the counters. Leaf.
        self._lock = new_lock()
        self._active: collections.Counter[str] = collections.Counter()
        self._recent: dict[str, collections.deque[float]] = collections.defaultdict(
            collections.deque
        )

    def begin_connection(self, kind: str) -> tuple[Callable[[], None], Optional[Problem]]:
        """Count an open WebSocket; the problem, if any, is to be reported on it."""
        problem = None
        limit = getattr(self._limits, f"{kind}_max_connections", None)
        with self._lock:
            self._active[f"{kind}.connections"] += 1
            if limit is not None and self._active[f"{kind}.connections"] > limit:
                problem = Problem(
                    "max_concurrent_connections_reached",
                    "Too many open connections for your organization.",
                )
        self._traffic.count(f"{kind}.connections", 1)
        return self._ender(f"{kind}.connections"), problem

    def begin_stream(self, kind: str) -> Callable[[], None]:
        """Count a stream (or a `POST /tts`).

        Raises
            Problem: 429 if it is one too many.
        """
        with self._lock:
            self._check_rate(kind)
            limit = getattr(self._limits, f"{kind}_max_streams", None)
            if limit is not None and self._active[f"{kind}.streams"] >= limit:
                raise _too_much("Concurrent requests", kind)
            self._active[f"{kind}.streams"] += 1
        self._traffic.count(f"{kind}.streams", 1)
        return self._ender(f"{kind}.streams")

    def count_request(self, kind: str) -> None:
        """Count a request that is not a stream.

        Raises
            Problem: 429 if it is one too many.
        """
        with self._lock:
            self._check_rate(kind)

    def _check_rate(self, kind: str) -> None:
        limit = getattr(self._limits, f"{kind}_requests_per_minute", None)
        if limit is None:
            return
        recent, now = self._recent[kind], time.monotonic()
        while recent and recent[0] <= now - 60 * self._limits.time_scale:
            recent.popleft()
        if len(recent) >= limit:
            raise _too_much("Requests per minute", kind)
        recent.append(now)

    def _ender(self, name: str) -> Callable[[], None]:
        ended = False

        def end() -> None:
            nonlocal ended
            with self._lock:
                if ended:
                    return
                ended = True
                self._active[name] -= 1
            self._traffic.count(name, -1)

        return end


def _too_much(what: str, kind: str) -> Problem:
    return Problem(
        "limit_exceeded",
        f"{what} limit for {_SERVICE_NAMES[kind]} has been exceeded for your organization.",
    )
