"""Handlers that record their calls, and clocks that tests control."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from soniox_sync.sources import AudioSource, AudioSourceHandlers
from soniox_sync.sources.pacing import SourceClock

# limits a test that would hang; nothing below takes more than milliseconds
PATIENCE_SEC = 20.0


class Collector:
    """Records the calls of a source, in order; `on_data` is called with each chunk as well."""

    def __init__(self, on_data: Optional[Callable[[bytes], object]] = None) -> None:
        self.calls: list[tuple[str, object]] = []
        self.threads: set[str] = set()
        self.over = threading.Event()
        self.got = threading.Condition()
        self._on_data = on_data
        self.handlers = AudioSourceHandlers(
            on_data=self._data,
            on_error=lambda error: self._last("error", error),
            on_muted=lambda: self._note("muted", None),
            on_unmuted=lambda: self._note("unmuted", None),
            on_end=lambda: self._last("end", None),
            on_restart=lambda: self._note("restart", None),
        )

    def _note(self, name: str, value: object) -> None:
        with self.got:
            self.threads.add(threading.current_thread().name)
            self.calls.append((name, value))
            self.got.notify_all()

    def _data(self, data: bytes) -> None:
        self._note("data", data)
        if self._on_data is not None:
            self._on_data(data)

    def _last(self, name: str, value: object) -> None:
        self._note(name, value)
        self.over.set()

    @property
    def names(self) -> list[str]:
        """Names of the calls so far."""
        with self.got:
            return [name for name, _ in self.calls]

    @property
    def chunks(self) -> list[bytes]:
        """Chunks so far."""
        with self.got:
            return [value for _, value in self.calls if isinstance(value, bytes)]

    @property
    def data(self) -> bytes:
        """Data so far."""
        return b"".join(self.chunks)

    @property
    def error(self) -> BaseException:
        """The one error."""
        errors = [value for name, value in self.calls if name == "error"]
        assert len(errors) == 1, f"{len(errors)} errors"
        error = errors[0]
        assert isinstance(error, BaseException)
        return error

    def wait_over(self) -> None:
        """Wait for the end or the error."""
        assert self.over.wait(PATIENCE_SEC), f"no end came after {self.names[-5:]}"

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` is true; it is checked after each call."""
        with self.got:
            assert self.got.wait_for(condition, PATIENCE_SEC), f"only {self.names[-5:]} came"


class SkippingClock(SourceClock):
    """Clock on which waits pass at once; a wait without a limit is real."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        if seconds is None:
            changed.wait(PATIENCE_SEC)
        else:
            self.time += max(seconds, 1e-6)  # less could be lost in rounding


class StandingClock(SourceClock):
    """Clock that stands still: a wait lasts until it is woken, and sets `waiting`."""

    def __init__(self) -> None:
        self.waiting = threading.Event()

    def now(self) -> float:
        return 0.0

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        self.waiting.set()
        changed.wait(PATIENCE_SEC)


def deliver(source: AudioSource) -> Collector:
    """Run a source to its end; return its calls."""
    collector = Collector()
    source.start(collector.handlers)
    collector.wait_over()
    source.stop()
    return collector
