"""When a recording reconnects, and when it gives up: what counts, and what is an outage."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.config.patience import PATIENT
from soniox_sync.errors import (
    ConnectTimeoutError,
    NetworkError,
    QuotaError,
    RateLimitError,
    RealtimeError,
    SonioxConnectionError,
    error_from_frame,
)
from soniox_sync.recorder.actions import Abort, Announce, Done, Open, RecordingState, Wait
from tests.recorder.driver import Driver, final, frame_error

LOSS = SonioxConnectionError("lost")


# -- when count and clock start anew ---------------------------------------------------------------


def attempts_of(driver: Driver, number: int, error: BaseException = LOSS) -> tuple[int, float]:
    """Lose a session; return the attempt that is announced, and its delay."""
    driver.recorder.failed(number, error, driver.now)
    action = driver.go()
    assert isinstance(action, Announce), action
    driver.recorder.announced(False, driver.now)
    driver.now += action.delay_sec
    return action.attempt, action.delay_sec


@pytest.mark.parametrize(("lived", "attempt"), [(9.9, 2), (10.0, 1)])
def test_a_session_that_lived_is_stable(lived: float, attempt: int) -> None:
    """A session of `stable_after_sec`, and none shorter, ends the outage before it."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(1000)
    assert attempts_of(driver, first)[0] == 1
    second = driver.open()
    driver.now += lived
    assert attempts_of(driver, second) == (attempt, float(attempt - 1))


@pytest.mark.parametrize(("new_ms", "attempt"), [(4999, 2), (5000, 1)])
def test_five_seconds_of_new_audio_are_stable(new_ms: int, attempt: int) -> None:
    """A session that makes 5 s final, and none that makes less, ends the outage before it."""
    driver = Driver(auto_reconnect=True, catch_up_speed=None)
    first = driver.open()
    driver.capture(10_000)
    driver.receive(first, final(" one", 0, 1000), final_ms=1000, total_ms=10_000)
    assert attempts_of(driver, first)[0] == 1
    second = driver.open()
    driver.receive(second, final(" two", 0, 900), final_ms=new_ms, total_ms=9000)
    assert attempts_of(driver, second)[0] == attempt


def test_repeated_audio_is_not_new() -> None:
    """What was final before does not count again: each session has to make 5 s of its own final."""
    driver = Driver(auto_reconnect=True, catch_up_speed=None)
    number = driver.open()
    driver.capture(20_000)
    for attempt in (1, 2, 3):
        driver.receive(number, final(" word", 0, 900), final_ms=3000, total_ms=5000)
        assert attempts_of(driver, number)[0] == attempt
        number = driver.open()


def test_a_word_and_a_cut_again_and_again_makes_few_connections() -> None:
    """A service that cuts after every first word is reopened ever more slowly, then given up."""
    driver = Driver(auto_reconnect=True, **PATIENT)
    number = driver.open()
    driver.capture(60_000)
    while driver.recorder.state is not RecordingState.ERROR:
        driver.receive(number, final(" word", 0, 200), final_ms=200, total_ms=500)
        driver.now += 0.05
        driver.recorder.failed(number, LOSS, driver.now)
        action = driver.go()
        if isinstance(action, Announce):
            driver.recorder.announced(False, driver.now)
            driver.now += action.delay_sec
            number = driver.open()
    assert sum(isinstance(action, Open) for action in driver.done) == 8
    assert 60.0 <= driver.now < 61.0


def test_the_clock_starts_anew_with_a_stable_session() -> None:
    """Outages an hour apart are two outages; a session that lived a moment is part of one."""
    driver = Driver(auto_reconnect=True, give_up_after_sec=5.0, max_reconnect_attempts=None)
    number = driver.open()
    driver.capture(1000)
    for _ in range(3):
        driver.now += 3600.0
        assert attempts_of(driver, number) == (1, 0.0)
        number = driver.open()
    driver.now += 5.1  # not stable
    driver.recorder.failed(number, LOSS, driver.now)
    assert isinstance(driver.go(), Done)


@pytest.mark.parametrize("code", ["ping_timeout", "send_timeout"])
def test_a_connection_that_was_silent_did_not_live(code: str) -> None:
    """A dead connection that took a minute to notice is no stable session."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(1000)
    for attempt in (1, 2, 3):
        driver.now += 60.0
        assert attempts_of(driver, number, SonioxConnectionError("x", code=code))[0] == attempt
        number = driver.open()


def test_a_service_that_never_answers_is_given_up() -> None:
    """A service that takes all audio and never answers does not keep a recording for ever."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=2)
    number = driver.open()
    driver.capture(1000)
    driver.recorder.stop()
    for _ in range(2):
        assert driver.go() == Wait(driver.now + 10.0)
        driver.now += 10.0
        action = driver.go()
        assert isinstance(action, Announce)
        driver.recorder.announced(False, driver.now)
        driver.now += action.delay_sec
        driver.open()
    assert number == 0
    driver.now += 10.0
    done = driver.go()
    assert isinstance(done, Done) and "Gave up after 2 attempts" in str(done.error)


def test_our_own_replacement_is_no_outage() -> None:
    """`reconnect()` neither counts as an attempt nor starts the clock."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=1, give_up_after_sec=1.0)
    driver.open()
    driver.capture(1000)
    for _ in range(5):
        driver.now += 3.0
        driver.recorder.reconnect()
        number = driver.open()
    assert [notice.attempt for notice in driver.reconnected] == [0] * 5
    assert attempts_of(driver, number) == (1, 0.0)


def test_a_stable_session_ends_the_outage_while_it_lives() -> None:
    """A session that was stable before we replaced it leaves no attempts to its successor."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(1000)
    assert attempts_of(driver, number)[0] == 1
    number = driver.open()
    driver.now += 10.0
    driver.receive(number, total_ms=1000)
    driver.recorder.reconnect()
    assert attempts_of(driver, driver.open())[0] == 1


def test_a_silent_connection_that_made_audio_final_was_stable() -> None:
    """5 s of new audio are stable, whatever the connection was lost to."""
    driver = Driver(auto_reconnect=True, catch_up_speed=None)
    number = driver.open()
    driver.capture(20_000)
    for _ in range(3):
        driver.receive(number, final(" word", 0, 5000), final_ms=5000, total_ms=6000)
        silent = SonioxConnectionError("x", code="ping_timeout")
        assert attempts_of(driver, number, silent)[0] == 1
        number = driver.open()


@pytest.mark.parametrize("most", [0, 3])
def test_a_standby_session_needs_no_attempt(most: int) -> None:
    """If the next session is open already when one is lost, that is no attempt: it takes over."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=1.0, max_reconnect_attempts=most)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, final(" one", 0, 400), final_ms=400, total_ms=2000)
    driver.now += 1.5
    standby = driver.open()
    assert standby == first + 1
    driver.recorder.failed(first, LOSS, driver.now)
    assert not isinstance(driver.go(), (Announce, Done))
    assert [notice.attempt for notice in driver.reconnected] == [0]
    assert driver.recorder.state is RecordingState.RECORDING


# -- opening ---------------------------------------------------------------------------------------


def test_an_attempt_that_hangs_ends_with_patience() -> None:
    """An attempt is given up when patience ends, and the last error is raised."""
    driver = Driver(auto_reconnect=True, give_up_after_sec=8.0)
    first = driver.open()
    driver.capture(100)
    error = frame_error(503, "service_unavailable")
    assert attempts_of(driver, first, error) == (1, 0.0)
    assert driver.go() == Wait(8.0)
    driver.now = 8.0
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, NetworkError)
    assert str(done.error).startswith(str(error))
    assert Abort(1) in driver.done


def test_the_last_attempt_has_a_few_seconds() -> None:
    """An attempt made just before patience ends has 5 s to succeed."""
    driver = Driver(auto_reconnect=True, give_up_after_sec=2.0)
    first = driver.open()
    driver.capture(100)
    attempts_of(driver, first)
    driver.go()
    driver.now = 1.5
    assert attempts_of(driver, 1) == (2, 0.5)  # the rest of patience
    assert driver.go() == Wait(7.0)
    number = driver.open()
    assert driver.recorder.state is RecordingState.RECORDING
    driver.now = 30.0
    assert isinstance(driver.go(), Wait)  # an open session has no such limit
    assert number == 2


def test_a_first_connection_that_hangs_is_given_up_too() -> None:
    """Patience also limits the first connection, before anything failed."""
    driver = Driver(auto_reconnect=True, give_up_after_sec=6.0)
    assert driver.go() == Wait(6.0)
    driver.now = 6.0
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, ConnectTimeoutError)
    assert "no connection within 6 s" in str(done.error)


@pytest.mark.parametrize("options", [{"auto_reconnect": False}, {"give_up_after_sec": None}])
def test_without_patience_only_the_connection_limits_itself(options: dict[str, Any]) -> None:
    """Without reconnecting or without a limit the recorder waits for the connection to fail."""
    driver = Driver(**{"auto_reconnect": True, "give_up_after_sec": 6.0, **options})
    assert driver.go() == Wait()


def test_the_time_to_connect_first_is_no_outage() -> None:
    """A slow first connection takes nothing from the patience for a later loss."""
    driver = Driver(auto_reconnect=True, give_up_after_sec=6.0, stable_after_sec=100.0)
    driver.go()
    driver.now = 4.0
    number = driver.open()
    driver.capture(100)
    driver.now = 20.0
    assert attempts_of(driver, number) == (1, 0.0)
    driver.go()
    driver.now = 25.9
    assert attempts_of(driver, 1)[0] == 2


# -- what is an outage -----------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["connecting", "open"])
@pytest.mark.parametrize(
    "error",
    [
        SonioxConnectionError("the host name could not be resolved"),
        SonioxConnectionError("refused", status_code=502),
        SonioxConnectionError("refused", status_code=503),
        frame_error(500, "internal_error"),
        frame_error(503, "service_unavailable"),
        frame_error(429, "limit_exceeded"),
    ],
    ids=["DNS", "502", "503 at the upgrade", "500", "503", "429"],
)
def test_an_outage_at_the_start_is_waited_out(before: str, error: RealtimeError) -> None:
    """An outage is waited out before any result, too, whether or not a session was open."""
    driver = Driver(auto_reconnect=True, **PATIENT)
    driver.go()
    if before == "open":
        driver.open()
    driver.capture(1000)
    number = 0
    while driver.now < 40.0:
        attempts_of(driver, number, error)
        driver.go()
        number += 1
    driver.recorder.opened(number, driver.now)
    driver.go()
    assert driver.recorder.state is RecordingState.RECORDING
    assert driver.sent(number) == 1000
    assert driver.recorder.lost_ms == 0


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404])
def test_what_no_attempt_can_change_is_raised_at_once(code: int) -> None:
    """402 and other 4xx end a recording however much patience there is, also in an outage."""
    driver = Driver(auto_reconnect=True, **PATIENT)
    first = driver.open()
    driver.capture(1000)
    driver.receive(first, total_ms=1000)
    attempts_of(driver, first)
    driver.go()
    driver.recorder.failed(1, frame_error(code), driver.now)
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, RealtimeError)
    assert done.error.status_code == code
    assert "Gave up" not in str(done.error)
    assert isinstance(done.error, QuotaError) is (code == 402)


@pytest.mark.parametrize(("code", "message"), [(408, "Request timeout"), (400, "Audio decode")])
@pytest.mark.parametrize("after_an_outage", [False, True])
def test_advice_about_the_audio_is_not_delayed(
    code: int, message: str, after_an_outage: bool
) -> None:
    """Before any result a 408 or 400 is raised at once, whatever was waited for before."""
    driver = Driver(auto_reconnect=True, **PATIENT)
    number = driver.open()
    driver.capture(1000)
    if after_an_outage:
        attempts_of(driver, number, frame_error(503, "service_unavailable"))
        number = driver.open()
    at = driver.now
    error = error_from_frame({"error_code": code, "error_message": message, "request_id": "r-9"})
    driver.recorder.failed(number, error, driver.now)
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, RealtimeError)
    assert (done.error.status_code, done.error.request_id) == (code, "r-9")
    assert "pcm_s16le" in str(done.error) and "Gave up" not in str(done.error)
    assert driver.now == at


def test_a_408_after_results_is_an_outage() -> None:
    """Once the audio was recognised a 408 is waited out like a lost connection."""
    driver = Driver(auto_reconnect=True, **PATIENT)
    number = driver.open()
    driver.capture(1000)
    driver.receive(number, total_ms=1000)
    assert attempts_of(driver, number, frame_error(408, "request_timeout")) == (1, 0.0)


def test_an_exhausted_count_raises_the_service_s_error() -> None:
    """The error of the last attempt ends the recording, with its class and facts."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=1)
    first = driver.open()
    driver.capture(100)
    attempts_of(driver, first, LOSS)
    driver.go()
    driver.recorder.failed(1, frame_error(429, "limit_exceeded"), driver.now)
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, RateLimitError)
    assert (done.error.status_code, done.error.request_id) == (429, "r-1")


def test_no_limit_is_announced_as_none() -> None:
    """`max_attempts` is `None` when the number of attempts is not limited."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=None)
    driver.recorder.failed(driver.open(), LOSS, driver.now)
    assert driver.go() == Announce(1, None, 0.0)
