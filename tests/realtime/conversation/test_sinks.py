"""Sinks of every kind: what was played of what was written, and what a cut does to it."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError, SonioxConnectionError
from soniox_sync.realtime.conversation.sinks import Playout, Sink
from tests.waiting import ManualClock


class Reporting:
    """Sink that says what it has played, and can be cleared."""

    audio_format = "mulaw"
    sample_rate = 8000

    def __init__(self) -> None:
        self.played_ms = 0.0
        self.written: list[bytes] = []
        self.cleared = 0

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def clear(self) -> None:
        self.cleared += 1


def test_a_sink_is_asked_for_its_format() -> None:
    """The voice is asked for in it; what is told wins; pcm_s16le at 24 kHz otherwise."""
    shape = Sink(Reporting()).shape(None, None)
    assert (shape.format, shape.sample_rate) == ("mulaw", 8000)
    shape = Sink(print).shape(None, None)
    assert (shape.format, shape.sample_rate) == ("pcm_s16le", 24000)
    shape = Sink(None).shape("pcm_mulaw", None)
    assert (shape.format, shape.sample_rate) == ("mulaw", 8000)


@pytest.mark.parametrize("name", ["wav", "mp3", "opus"])
def test_audio_of_unknown_length_is_refused(name: str) -> None:
    """What was heard could not be measured."""
    with pytest.raises(ConfigurationError, match="audio_format: expected a headerless format"):
        Sink(None).shape(name, None)


def test_what_cannot_be_written_to_is_refused() -> None:
    """A sink has `write()`, or is a callable, or `None`."""
    with pytest.raises(InputTypeError, match="sink: expected an object with write"):
        Sink(5)


@pytest.mark.parametrize("error", [BrokenPipeError(), SonioxConnectionError("gone")])
def test_a_peer_that_is_gone_is_no_failure(error: Exception) -> None:
    """It is a hang-up; so is `False`, as a player says that was stopped."""

    def write(data: bytes) -> None:
        raise error

    assert not Sink(write).write(b"x")
    assert not Sink(lambda data: False).write(b"x")
    assert Sink(lambda data: None).write(b"x")


def test_another_error_is_raised() -> None:
    """It ends the conversation with it."""
    with pytest.raises(ZeroDivisionError):
        Sink(lambda data: 1 // 0).write(b"x")


def test_a_sink_that_reports_is_believed() -> None:
    """Positions follow what it has played; what was dropped never had one."""
    target = Reporting()
    playout = Playout(Sink(target), ManualClock())
    assert playout.wrote(2000) == (0, 2000)
    target.played_ms = 700.0
    assert (playout.played_ms, playout.ahead_ms) == (700, 1300)
    assert playout.cleared() == 700
    assert playout.wrote(500) == (700, 1200)


def test_a_sink_that_was_used_before_begins_where_it_stands() -> None:
    """Its count began when it was made."""
    target = Reporting()
    target.played_ms = 5000.0
    assert Playout(Sink(target), ManualClock()).wrote(100) == (5000, 5100)


def test_a_report_that_comes_late_moves_what_follows() -> None:
    """What was played before the clear took effect counts."""
    target = Reporting()
    playout = Playout(Sink(target), ManualClock())
    playout.wrote(2000)
    target.played_ms = 700.0
    playout.cleared()
    target.played_ms = 720.0
    assert playout.wrote(100) == (720, 820)


class Clearable:
    """Sink that can be cleared, and says nothing."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def clear(self) -> None:
        """Drop it."""


def test_without_a_report_it_plays_in_real_time() -> None:
    """From its first write; with nothing to play it stands, and goes on with the next write."""
    clock = ManualClock()
    playout = Playout(Sink(Clearable()), clock)
    clock.advance(5)
    assert playout.wrote(1000) == (0, 1000)
    clock.advance(0.4)
    assert playout.played_ms == pytest.approx(400)
    clock.advance(5)
    assert playout.played_ms == 1000
    assert playout.wrote(1000) == (1000, 2000)
    clock.advance(0.5)
    assert playout.cleared() == pytest.approx(1500)
    clock.advance(1)
    assert playout.played_ms == pytest.approx(1500)


@pytest.mark.parametrize("sink", [print, Clearable().write])
def test_what_cannot_be_cleared_is_heard_to_its_end(sink: Any) -> None:
    """A plain callable has no way to drop anything."""
    clock = ManualClock()
    playout = Playout(Sink(sink), clock)
    playout.wrote(200)
    clock.advance(0.1)
    assert playout.cleared() == 200
    assert playout.wrote(100) == (200, 300)


def test_no_sink_is_silent_and_can_be_cut() -> None:
    """`None`: for tests of `reply`, and for text."""
    sink = Sink(None)
    assert sink.can_clear
    assert sink.write(b"x")
    sink.clear()


def test_a_sink_that_cannot_drop_anything_is_not_asked_to() -> None:
    """Clearing it does nothing."""
    Sink(print).clear()


def test_a_rate_that_was_told_wins() -> None:
    """Over the sink's, as the format does."""
    assert Sink(Reporting()).shape(None, 16000).sample_rate == 16000
