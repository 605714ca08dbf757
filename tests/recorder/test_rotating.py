"""What a rotation leaves to the next session."""

from __future__ import annotations

import pytest

from soniox_sync.errors import SonioxConnectionError, error_from_frame
from soniox_sync.protocol.tokens import Token
from soniox_sync.recorder.actions import Done, Finish, Open, RecordingState, SessionRestart
from tests.recorder.driver import Driver, final, frame_error


def opened(driver: Driver) -> list[int]:
    return [action.number for action in driver.done if isinstance(action, Open)]


def test_the_replay_after_a_rotation_is_not_the_reason_for_the_next() -> None:
    """In silence 3 s are sent again to each new session; they do not make it 1 s old."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=1.0, catch_up_speed=None)
    first = driver.open()
    driver.capture(4000)
    driver.receive(first, final_ms=4000, total_ms=4000)
    second = driver.open()
    assert driver.sent(second) == 3000
    driver.recorder.finished(first, driver.now)
    driver.receive(second, final_ms=3000, total_ms=3000)
    assert opened(driver) == [first, second]
    driver.capture(1250)  # new audio counts
    driver.receive(second, final_ms=4250, total_ms=4250)
    assert len(opened(driver)) == 3


def test_a_result_of_a_session_that_was_replaced_shows_that_the_audio_is_understood() -> None:
    """After it a 408 of the next session is an outage, not advice about wrong audio."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=1.0, catch_up_speed=None)
    first = driver.open()
    driver.capture(2000)
    driver.recorder.pause()
    second = driver.open()
    driver.receive(first, final("one", 0, 900), final_ms=2000, total_ms=2000)
    driver.lose(second, error_from_frame({"error_code": 408, "error_type": "request_timeout"}))
    assert driver.recorder.state is RecordingState.RECONNECTING


def translation(text: str) -> Token:
    return final(text, 0, 0, translation_status="translation")


def original(text: str, start: int, end: int) -> Token:
    return final(text, start, end, translation_status="original")


def owing_translation(*, stops: bool = True) -> tuple[Driver, int, int]:
    """Return a driver, and two sessions: the first was replaced, and owes a translation."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=1.0, catch_up_speed=None)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, original(" one", 0, 900), final_ms=2000, total_ms=2000)
    second = driver.open()
    assert Finish(first) in driver.done
    driver.capture(1000)
    if stops:
        driver.recorder.stop()
        driver.go()
        assert Finish(second) in driver.done
    return driver, first, second


def finish_second(driver: Driver, second: int) -> None:
    """Let the second session deliver a word and its translation, and finish."""
    tokens = original(" two", 1100, 1900), translation(" zwei")
    driver.receive(second, *tokens, final_ms=2100, total_ms=2100)
    driver.recorder.finished(second, driver.now)
    driver.go()


def texts(driver: Driver) -> list[str]:
    return [token.text for event in driver.events for token in event.result.final_tokens]


def test_a_session_that_finishes_first_waits_for_its_predecessor() -> None:
    """At the end the predecessor's translations still come, before the words that follow."""
    driver, first, second = owing_translation()
    finish_second(driver, second)
    assert not driver.recorder.state.is_over
    driver.receive(first, translation(" eins"), final_ms=2000, total_ms=2000)
    driver.recorder.finished(first, driver.now)
    driver.go()
    assert driver.recorder.state is RecordingState.STOPPED
    assert texts(driver) == [" one", " eins", " two", " zwei"]


@pytest.mark.parametrize("way", ["lost", "silent"])
@pytest.mark.parametrize("successor", ["live", "finishing", "finished"])
def test_what_a_lost_predecessor_did_not_translate_is_replayed(way: str, successor: str) -> None:
    """Whatever its successor does: only a new session can translate those words."""
    driver, first, second = owing_translation(stops=successor != "live")
    if successor == "finished":
        finish_second(driver, second)
    if way == "lost":
        driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    else:
        driver.now = 9.99
        driver.go()
        assert not driver.reconnected
        driver.now = 10.0
    assert driver.sent(driver.open()) == 3000  # from the word on
    assert driver.reconnected[-1].replayed_ms == 3000


def test_a_replay_delivers_the_translations_before_those_that_follow() -> None:
    """What the successor had recognised already is not delivered before them, nor twice."""
    driver, first, second = owing_translation()
    finish_second(driver, second)
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    third = driver.open()
    assert texts(driver) == [" one"]
    tokens = original(" one", 0, 900), translation(" eins"), original(" two", 1100, 1900)
    driver.receive(third, *tokens, final_ms=2000, total_ms=3000)
    driver.receive(third, translation(" zwei"), final_ms=3000, total_ms=3000)
    driver.recorder.finished(third, driver.now)
    assert driver.go() == Done(None)
    assert texts(driver) == [" one", " eins", " two", " zwei"]


@pytest.mark.parametrize("how_far", ["nothing", "half", "all"])
def test_what_was_recognised_is_delivered_though_the_replay_fails(how_far: str) -> None:
    """If the service refuses a further session, the user still gets what was received, once."""
    driver, first, second = owing_translation()
    finish_second(driver, second)
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    third = driver.open()
    if how_far != "nothing":
        tokens = original(" one", 0, 900), translation(" eins")
        driver.receive(third, *tokens, final_ms=1000, total_ms=3000)
    if how_far == "all":
        tokens = original(" two", 1100, 1900), translation(" zwei")
        driver.receive(third, *tokens, final_ms=3000, total_ms=3000)
    driver.lose(third, frame_error(401))
    assert driver.recorder.state is RecordingState.ERROR
    expected = (
        [" one", " two", " zwei"] if how_far == "nothing" else [" one", " eins", " two", " zwei"]
    )
    assert texts(driver) == expected
    # what was replayed as a whole is not taken up again
    restarts = [notice for notice in driver.notices if isinstance(notice, SessionRestart)]
    assert len(restarts) == (2 if how_far == "all" else 3)


def test_what_cannot_be_replayed_is_delivered_at_once() -> None:
    """If the audio has left the window, the words that were recognised are not withheld."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=1.0, replay_window_sec=2.0)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, original(" one", 0, 900), final_ms=2000, total_ms=2000)
    second = driver.open()
    driver.capture(1000)
    tokens = original(" two", 1100, 1900), translation(" zwei")
    driver.receive(second, *tokens, final_ms=2100, total_ms=2100)
    assert texts(driver) == [" one"]
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    driver.go()
    assert texts(driver) == [" one", " two", " zwei"]


def test_a_failing_source_does_not_keep_back_what_was_recognised() -> None:
    """The successor's results, which wait for the predecessor, are delivered before the error."""
    driver, _, second = owing_translation(stops=False)
    driver.receive(second, original(" two", 1100, 1900), final_ms=2100, total_ms=2100)
    driver.recorder.fail(ValueError("the source broke"))
    assert texts(driver) == [" one", " two"]


def test_without_translations_owed_a_recording_does_not_wait_for_a_silent_predecessor() -> None:
    """Its successor has transcribed all that followed: nothing is missing."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=1.0, catch_up_speed=None)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, final(" one", 0, 900), final_ms=2000, total_ms=2000)
    second = driver.open()
    driver.capture(1000)
    driver.recorder.stop()
    driver.go()
    driver.receive(second, final(" two", 1100, 1900), final_ms=2100, total_ms=2100)
    driver.recorder.finished(second, driver.now)
    assert driver.go() == Done(None)
    assert texts(driver) == [" one", " two"]


def test_a_rotation_and_a_stop_within_10_s_wait_no_longer_than_that() -> None:
    """The recorder names the moment at which it gives up on the predecessor."""
    driver, _, second = owing_translation()
    finish_second(driver, second)
    assert driver.go().until == 10.0


def test_a_session_is_due_at_the_time_that_was_waited_for() -> None:
    """Whatever the times round to, the standby is opened when the wait for it is over."""
    for n in range(1, 100):
        driver = Driver(rotate_after_sec=5.0)
        driver.now = n * 0.7253
        driver.open()
        driver.now = driver.go().until
        driver.go()
        assert opened(driver) == [0, 1], driver.now
