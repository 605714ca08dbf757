"""A source that was held back in `on_data()` returns when the recording stops."""

from __future__ import annotations

from tests.realtime.recording.test_pump import Bench, quick
from tests.waiting import Task, eventually

__all__ = ["quick"]


def test_a_source_that_is_held_back_returns_when_it_is_stopped() -> None:
    """Also during a pause, which would hold it for ever; what it brought is captured."""
    bench = Bench(is_live=False)
    bench.runtime.command(bench.runtime.recorder.pause)
    feeding = Task(bench.bring)
    eventually(lambda: bench.runtime._capture.is_held)
    bench.runtime.stop_source()
    feeding.result()
    bench.end()
