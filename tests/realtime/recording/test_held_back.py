"""Finite sources: one that is held back returns when stopped, and one of nothing is an error."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync import ConfigurationError, SonioxClient
from tests.realtime.recording.test_pump import Bench, quick
from tests.realtime.servers import RAW
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


class Nothing:
    """Source that ends at once."""

    is_live = False

    def start(self, handlers: Any) -> None:
        handlers.on_end()

    def stop(self) -> None:
        """Do nothing: it has ended."""


def test_a_source_that_ends_without_audio_is_an_error(client: SonioxClient) -> None:
    """Of one that is not live: it names what is missing."""
    recording = client.realtime.record(source=Nothing(), **RAW)
    with pytest.raises(ConfigurationError, match=r"^audio: expected audio to transcribe, got no"):
        list(recording)
