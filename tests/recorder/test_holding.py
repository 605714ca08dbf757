"""A source that can wait is held back before its audio would leave the replay window."""

from __future__ import annotations

import pytest

from soniox_sync.config.recording import RecordingOptions
from soniox_sync.protocol.tokens import Result, SttEvent
from soniox_sync.recorder.actions import Finalize, Open
from tests.muxers import webm
from tests.recorder.driver import Driver, final
from tests.recorder.test_schedules import SEEDS
from tests.recorder.world import BYTES_PER_MS, World

WINDOW = {"replay_window_sec": 20.0, "auto_reconnect": True, "catch_up_speed": None}


def held_back(**options: object) -> tuple[Driver, int]:
    """Return a driver with a full window of audio, all sent, and the number of its session."""
    driver = Driver(can_wait=True, **{**WINDOW, **options})
    session = driver.open()
    for _ in range(20):
        assert not driver.recorder.must_wait
        driver.capture(1000)
    return driver, session


def requests(driver: Driver) -> int:
    return sum(isinstance(action, Finalize) for action in driver.done)


def opened(driver: Driver) -> int:
    return sum(isinstance(action, Open) for action in driver.done)


def test_a_full_window_holds_the_source_back_until_audio_is_final() -> None:
    """The source waits from a whole window on, and goes on when a final result frees a part."""
    driver, session = held_back()
    assert driver.recorder.must_wait
    driver.receive(session, final("one", 0, 900), final_ms=4000, total_ms=20_000)
    assert driver.recorder.must_wait  # 5 s are kept before the final
    driver.receive(session, final("two", 5000, 5900), final_ms=6000, total_ms=20_000)
    assert not driver.recorder.must_wait


def test_audio_of_a_source_that_can_wait_is_never_dropped() -> None:
    """What it delivers beyond the window is kept, and a loss replays everything."""
    driver, session = held_back()
    driver.capture(30_000)
    driver.lose(session)
    assert driver.sent(driver.open()) == 50_000
    assert driver.recorder.lost_ms == 0


def test_a_live_source_is_not_held_back_and_loses_its_oldest_audio() -> None:
    """A microphone cannot wait: what leaves the window is lost, and counted."""
    driver = Driver(**WINDOW)
    session = driver.open()
    for _ in range(5):
        driver.capture(10_000)
        assert not driver.recorder.must_wait
    driver.lose(session)
    assert driver.sent(driver.open()) == 20_000
    assert driver.recorder.lost_ms == 30_000


def test_after_finish_timeout_without_a_final_the_service_is_asked_to_finalize() -> None:
    """A service that itself waits for more audio is asked once, after exactly that time."""
    driver, session = held_back()
    wait = driver.go()
    assert wait.until == 10.0
    driver.now = 9.99
    driver.go()
    assert requests(driver) == 0
    driver.now = 10.0
    driver.go()
    driver.go()
    assert requests(driver) == 1
    driver.receive(session, final("one", 0, 900), final_ms=20_000, total_ms=20_000)
    driver.recorder.received(session, SttEvent("finalized", Result((), 20_000, 20_000)), 10.0)
    assert not driver.recorder.must_wait


def test_a_window_that_finalize_did_not_free_grows() -> None:
    """After as long again the source goes on, until the window is full at twice the size."""
    driver, _ = held_back()
    driver.now = 10.0
    driver.go()
    driver.now = 19.99
    driver.go()
    assert driver.recorder.must_wait
    driver.now = 20.0
    driver.go()
    assert not driver.recorder.must_wait
    driver.capture(19_999)
    assert not driver.recorder.must_wait
    driver.capture(1)
    assert driver.recorder.must_wait
    assert requests(driver) == 1
    driver.now = 30.0
    driver.go()
    assert requests(driver) == 2


def test_a_final_result_renews_the_patience() -> None:
    """Patience counts from the last final result, also one that frees too little."""
    driver, session = held_back()
    driver.now = 6.0
    driver.receive(session, final("one", 0, 900), final_ms=1000, total_ms=20_000)
    driver.now = 15.99
    driver.go()
    assert requests(driver) == 0
    driver.now = 16.0
    driver.go()
    assert requests(driver) == 1


def test_patience_starts_again_in_a_new_session() -> None:
    """After a loss it counts from when the new session has received everything."""
    driver, session = held_back()
    driver.now = 9.0
    driver.lose(session)
    driver.go()
    driver.now = 60.0  # an outage, during which nothing can be asked
    driver.go()
    assert requests(driver) == 0
    driver.open()
    assert driver.recorder.must_wait
    driver.now = 69.99
    driver.go()
    assert requests(driver) == 0
    driver.now = 70.0
    driver.go()
    assert requests(driver) == 1


def test_a_rotation_does_not_renew_the_patience() -> None:
    """Sessions that are replaced sooner than patience ends do not hold the source back for ever."""
    driver, session = held_back(rotate_after_sec=25.0)
    driver.now = 12.0
    driver.receive(session, final("one", 0, 900), final_ms=1000, total_ms=20_000)
    driver.now = 22.0
    driver.go()
    assert requests(driver) == 1
    driver.now = 31.99  # the rotation is due since 25 s, and the speech pauses
    driver.go()
    assert opened(driver) == 1
    driver.now = 32.0
    driver.go()
    assert not driver.recorder.must_wait
    driver.capture(1000)
    assert opened(driver) == 2


def test_what_a_lost_session_was_asked_in_vain_is_not_asked_again() -> None:
    """A service that finalizes nothing, and loses each session, does not hold it back for ever."""
    driver, session = held_back()
    driver.now = 10.0
    driver.go()
    driver.recorder.received(session, SttEvent("finalized", Result((), 0, 20_000)), 10.0)
    driver.now = 15.0
    driver.lose(session)
    driver.open()
    driver.now = 24.99
    driver.go()
    assert driver.recorder.must_wait
    driver.now = 25.0
    driver.go()
    assert not driver.recorder.must_wait
    assert requests(driver) == 1


def test_a_small_window_is_freed_by_final_results() -> None:
    """What is kept before the last final does not fill a window of a few seconds."""
    driver = Driver(can_wait=True, **{**WINDOW, "replay_window_sec": 2.0})
    session = driver.open()
    driver.capture(2000)
    assert driver.recorder.must_wait
    driver.receive(session, final("one", 0, 1400), final_ms=1500, total_ms=2000)
    assert not driver.recorder.must_wait


@pytest.mark.parametrize("pace", [1.0, 20.0])
@pytest.mark.parametrize("lag_ms", [5000, 19_000, 30_000, 150_000])
@pytest.mark.parametrize("seed", range(max(1, SEEDS // 500)))
def test_no_word_is_lost_by_a_service_whose_finals_lag(seed: int, lag_ms: int, pace: float) -> None:
    """Finals that lag more than the window, and losses, cost neither words nor unlimited memory."""
    world = World(
        seed,
        RecordingOptions(auto_reconnect=True, max_reconnect_attempts=1000, replay_window_sec=20.0),
        seconds=300,
        can_wait=True,
        final_lag_ms=lag_ms,
        drop=0.5,
        pace=pace,
    )
    world.run()
    world.check_complete()
    assert world.max_held <= (max(20_000, lag_ms) + 45_000) * BYTES_PER_MS


@pytest.mark.parametrize("seed", [0, 6])  # of services that make every word final at once
def test_a_window_shorter_than_a_cluster_does_not_slow_a_source_down(seed: int) -> None:
    """A cluster is kept whole; once all of it is final the window grows without any patience."""
    options = RecordingOptions(auto_reconnect=True, replay_window_sec=1.0)
    world = World(
        seed,
        options,
        12,
        can_wait=True,
        pace=20.0,
        every_ms=100,
        lag=0.0,
        mux=lambda pcm: webm(pcm, 1000, cluster_ms=3000),
    )
    world.run()
    world.check_complete()
    assert world.now < 10.0  # one patience
