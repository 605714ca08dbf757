"""Order of events: each session starts with `connected` and `session_restart`."""

from __future__ import annotations

from typing import Any

from soniox_sync.errors import SonioxConnectionError
from soniox_sync.protocol.states import StateChange
from soniox_sync.protocol.tokens import Result, SttEvent
from soniox_sync.recorder.actions import (
    Announce,
    Connected,
    Done,
    Finish,
    Open,
    Reconnected,
    SessionRestart,
)
from tests.recorder.driver import Driver, final

LOSS = SonioxConnectionError("lost")


def announced(driver: Driver) -> list[Any]:
    """Return what handlers get, with the session of the first token in place of each result."""
    found: list[Any] = []
    for notice in driver.notices:
        if isinstance(notice, StateChange):
            continue
        if isinstance(notice, SttEvent):
            tokens = notice.result.tokens
            found += [tokens[0].session] if tokens else []
        else:
            found.append(notice)
    return found


def speak(driver: Driver, number: int, start_ms: int) -> None:
    driver.receive(
        number,
        final(" word", start_ms, start_ms + 400),
        final_ms=start_ms + 400,
        total_ms=start_ms + 500,
    )


def test_the_first_session_is_announced_before_its_results() -> None:
    """`connected`, then `session_restart` with the session number of the next tokens; no reset."""
    driver = Driver(auto_reconnect=True, reset_transcript_on_reconnect=True)
    first = driver.open()
    driver.capture(500)
    speak(driver, first, 0)
    assert announced(driver) == [Connected(), SessionRestart(reset_transcript=False, session=0), 0]


def test_a_reconnect_is_announced_in_order() -> None:
    """After a loss: `reconnected`, `connected`, `session_restart` (here with a reset), result."""
    driver = Driver(auto_reconnect=True, reset_transcript_on_reconnect=True)
    first = driver.open()
    driver.capture(1000)
    speak(driver, first, 0)
    before = len(announced(driver))
    driver.lose(first)
    assert announced(driver)[before:] == []  # the loss itself resets and announces nothing
    second = driver.open()
    speak(driver, second, 0)
    assert announced(driver)[before:] == [
        Reconnected(attempt=1, replayed_ms=600, lost_ms=0),
        Connected(),
        SessionRestart(reset_transcript=True, session=1),
        1,
    ]


def test_a_prevented_reconnect_starts_no_session() -> None:
    """A handler that prevents the reconnect changes nothing in the transcript."""
    driver = Driver(auto_reconnect=True, reset_transcript_on_reconnect=True)
    first = driver.open()
    driver.capture(500)
    before = len(announced(driver))
    driver.recorder.failed(first, LOSS, driver.now)
    assert isinstance(driver.go(), Announce)
    driver.recorder.announced(True, driver.now)
    assert isinstance(driver.go(), Done)
    assert announced(driver)[before:] == []


def test_failed_attempts_start_no_session() -> None:
    """Attempts that fail one after another report neither `connected` nor a restart."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=1)
    first = driver.open()
    driver.capture(500)
    before = len(announced(driver))
    driver.lose(first)
    assert isinstance(driver.done[-1], Open)
    driver.recorder.failed(driver.done[-1].number, LOSS, driver.now)
    assert isinstance(driver.go(), Done)
    assert announced(driver)[before:] == []


def test_a_rotation_starts_a_session_without_a_reset() -> None:
    """At a rotation the new session connects at once, and starts when the old one has finished."""
    driver = Driver(auto_reconnect=True, reset_transcript_on_reconnect=True, rotate_after_sec=1.0)
    first = driver.open()
    driver.capture(2000)
    driver.go()
    speak(driver, first, 0)
    driver.recorder.received(first, SttEvent("endpoint", Result((), 500, 500)), driver.now)
    before = len(announced(driver))
    driver.now += 5.0
    second = driver.open()
    assert Finish(first) in driver.done
    assert announced(driver)[before:] == [Connected()]
    driver.recorder.finished(first, driver.now)
    speak(driver, second, 100)
    assert announced(driver)[before:] == [
        Connected(),
        SessionRestart(reset_transcript=False, session=1),
        1,
    ]
