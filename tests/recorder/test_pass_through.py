"""Audio that goes out as it is captured: the same as capturing it, and asking what to do."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.recorder.actions import Open, Send, Wait
from tests.recorder.driver import Driver
from tests.recorder.world import BYTES_PER_MS

CHUNK = bytes(125 * BYTES_PER_MS)


def settled(**options: Any) -> Driver:
    """Return a driver whose session has sent a first chunk, and has nothing to do."""
    driver = Driver(auto_reconnect=True, **options)
    driver.open()
    driver.capture(125)
    assert driver.recorder.is_settled()
    return driver


def state(driver: Driver) -> tuple[Any, ...]:
    recorder: Any = driver.recorder
    uplink = recorder._uplink
    return uplink.cursor, uplink.end, uplink._sent_to, recorder._sessions.current.sent_sec


@pytest.mark.parametrize("call", ["finalize", "stop", "reconnect"])
def test_what_is_asked_for_is_not_settled(call: str) -> None:
    """A request of the user's is something to do."""
    driver = settled()
    getattr(driver.recorder, call)()
    assert not driver.recorder.is_settled()


def test_it_is_capturing_and_sending() -> None:
    """Both ways give the same message, and leave the recorder in the same state."""
    slow, fast = settled(), settled()
    slow.recorder.capture(CHUNK, 1.0)
    assert fast.recorder.pass_through(CHUNK, 1.0) == slow.recorder.next(1.0) == Send(0, CHUNK)
    assert state(fast) == state(slow)
    assert isinstance(fast.recorder.next(1.0), Wait)
    assert fast.recorder.held_bytes == slow.recorder.held_bytes


@pytest.mark.parametrize(
    ("size", "options"),
    [
        (1 + 125 * BYTES_PER_MS, {}),  # not whole frames
        (300 * BYTES_PER_MS, {}),  # longer than a message
        (200 * BYTES_PER_MS, {"catch_up_burst_sec": 0.25, "catch_up_speed": 1.0}),  # too fast
        (100 * BYTES_PER_MS, {"rotate_after_sec": 1.0, "catch_up_speed": None}),  # due
        (200 * BYTES_PER_MS, {"can_wait": True, "replay_window_sec": 1.0}),  # fills the window
    ],
    ids=["frames", "length", "pace", "rotation", "window"],
)
def test_what_needs_a_decision_is_left_to_it(size: int, options: dict[str, Any]) -> None:
    """Then `None` is returned, and nothing has changed."""
    driver = settled(**options)
    for _ in range(7 if "can_wait" in options else 0):
        driver.capture(100)
    if "rotate_after_sec" in options:
        while driver.recorder.pass_through(CHUNK, 0.0):  # audio ahead of the clock
            pass
    before = state(driver)
    assert driver.recorder.pass_through(bytes(size), 0.0) is None
    assert state(driver) == before


def test_a_rotation_by_its_audio_is_not_passed_by() -> None:
    """Once as much audio was sent as a session may get, the standby is opened."""
    driver = settled(rotate_after_sec=1.0, catch_up_speed=None)
    sent = 1
    while Open(1) not in driver.done:
        if driver.recorder.pass_through(CHUNK, 0.0) is None:
            driver.capture(125)
        sent += 1
    assert sent == 8


def test_a_container_is_never_passed_through() -> None:
    """Its pages are looked at."""
    driver = Driver(auto_reconnect=True, container=True)
    driver.open()
    driver.recorder.capture(b"OggS" + bytes(100))
    driver.go()
    assert driver.recorder.pass_through(b"OggS" + bytes(100), 0.0) is None
