"""Rules of patience: attempts, silence, drains, rotations, requests and holding."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from soniox_sync.config.patience import Patience
from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import (
    ConnectTimeoutError,
    NetworkError,
    RateLimitError,
    SonioxConnectionError,
)
from soniox_sync.protocol.tokens import Result, SttEvent
from soniox_sync.recorder.actions import Abort, Announce, Done, Finalize, Finish, Wait
from soniox_sync.recorder.finalizing import FinalizeRequests
from soniox_sync.recorder.holding import Holding
from soniox_sync.recorder.merging import Merger
from soniox_sync.recorder.outage import Outage, is_limit
from soniox_sync.recorder.retry import Retry
from soniox_sync.recorder.rotation import Rotation, TranslationWatchdog
from soniox_sync.recorder.sessions import Session, SessionPhase, Sessions
from soniox_sync.recorder.uplink import Uplink
from tests.recorder.driver import Driver, final, frame_error, partial
from tests.recorder.world import AUDIO, BYTES_PER_MS

LOST = SonioxConnectionError("lost")

# -- attempts ------------------------------------------------------------------------------------


def outage(jitter: float = 1.0, **patience: Any) -> Outage:
    given = {"give_up_after_sec": None, "max_reconnect_attempts": None, **patience}
    return Outage(Patience(**given), lambda: jitter)


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (RateLimitError("a"), True),
        (frame_error(400, "limit_exceeded"), True),
        (frame_error(400, "max_concurrent_connections_reached"), True),
        (frame_error(400, "invalid_request"), False),
        (LOST, False),
        (OSError("limit_exceeded"), False),
    ],
)
def test_limits_are_known_by_class_or_type(error: BaseException, is_one: bool) -> None:
    """Either says that there are too many requests."""
    assert is_limit(error) is is_one


def test_an_attempt_has_what_is_left_and_five_seconds_at_least() -> None:
    """Connecting takes less than a second where it works, and a lost packet is repeated."""
    patience = outage(give_up_after_sec=20.0)
    assert patience.opening_sec(0.0) == float("inf") or patience.opening_sec(0.0) is None
    patience.begin(0.0)
    assert [patience.opening_sec(now) for now in (0.0, 14.0, 15.0, 19.0, 30.0)] == [
        *(20.0, 6.0, 5.0, 5.0, 5.0)
    ]
    patience.begin(10.0)  # it runs already
    assert patience.opening_sec(10.0) == 10.0
    assert outage().opening_sec(0.0) is None


def test_a_connection_ends_an_outage_only_before_any_attempt() -> None:
    """Later it has to be stable first."""
    patience = outage(give_up_after_sec=20.0)
    patience.begin(0.0)
    patience.connected()
    assert patience.was_connected and patience.opening_sec(19.0) is None
    patience.next_delay(LOST, 100.0)
    patience.connected()
    assert patience.opening_sec(110.0) == 10.0
    patience.end()
    assert patience.attempt == 0 and patience.opening_sec(500.0) is None


@pytest.mark.parametrize(
    ("connected", "most", "now", "said"),
    [
        (True, None, 12.4, "Gave up after 1 attempt to reconnect in 12 s (give_up_after_sec)"),
        (False, 1, 9.96, "1 attempt to connect in 10 s (max_reconnect_attempts)"),
        (False, 2, 9.94, "1 attempt to connect in 9.9 s (give_up_after_sec)"),
        (False, None, 0.1, "in 0.1 s"),
        (False, None, 0.09, "in less than 0.1 s"),
    ],
)
def test_giving_up_says_after_what(
    connected: bool, most: Optional[int], now: float, said: str
) -> None:
    """The number of attempts, the time, and the limit that was reached."""
    patience = outage(give_up_after_sec=60.0, max_reconnect_attempts=most)
    if connected:
        patience.connected()
    patience.next_delay(LOST, 0.0)
    assert said in str(patience.gave_up(SonioxConnectionError("lost"), now))


def test_what_was_never_tried_again_is_raised_as_it_is() -> None:
    """Nor is an error of another kind changed."""
    assert outage().gave_up(LOST, 0.0) is LOST
    patience = outage()
    patience.next_delay(LOST, 0.0)
    error = OSError("x")
    assert patience.gave_up(error, 0.0) is error


# -- which losses are an outage ------------------------------------------------------------------


def retry(new_key: bool = False, **options: Any) -> Retry:
    return Retry(RecordingOptions(auto_reconnect=True, **options), new_key, lambda: 1.0)


@pytest.mark.parametrize(
    ("error", "results", "new_key", "replaced"),
    [
        (LOST, False, False, True),
        (frame_error(408), False, False, False),
        (frame_error(408), True, False, True),
        (frame_error(403, "temp_api_key_session_expired"), True, False, False),
        (frame_error(403, "temp_api_key_session_expired"), True, True, True),
        (frame_error(403), True, True, False),
        (SonioxConnectionError("bug", code="internal_error"), True, True, False),
        (ValueError("x"), True, True, False),
    ],
)
def test_what_may_be_replaced(
    error: BaseException, results: bool, new_key: bool, replaced: bool
) -> None:
    """Neither wrong audio nor a refused key nor a bug of our own."""
    decides = retry(new_key)
    decides.has_results = results
    failure = decides.lost(None, 0, error, 0.0, counts=True)
    assert failure is (None if replaced else error)
    assert (decides.cause is error, decides.awaits_handlers) == (replaced, replaced)


def test_a_loss_that_does_not_count_is_no_attempt() -> None:
    """Another session is open already."""
    decides = retry()
    assert decides.lost(None, 0, LOST, 0.0, counts=False) is None
    assert (decides.attempt, decides.awaits_handlers, decides.cause) == (0, False, LOST)
    assert decides.waits_until(0.0) is None


def test_the_delay_begins_when_the_handlers_have_run() -> None:
    """They may take as long as they like."""
    decides = retry(reconnect_base_delay_sec=4.0)
    decides.lost(None, 0, LOST, 0.0, counts=True)
    decides.lost(None, 0, LOST, 0.0, counts=True)
    assert decides.delay_sec == 4.0 and decides.waits_until(0.0) is None
    decides.handlers_ran(10.0)
    assert not decides.awaits_handlers
    assert (decides.waits_until(13.9), decides.waits_until(14.0)) == (14.0, None)
    decides.replace(LOST)
    assert decides.waits_until(10.0) is None


@pytest.mark.parametrize("code", ["ping_timeout", "send_timeout", "finish_timeout", "other"])
def test_a_connection_that_was_silent_is_not_stable(code: str) -> None:
    """It was dead for a while before: only its last message counts."""
    decides = retry(stable_after_sec=10.0)
    decides.lost(None, 0, LOST, 0.0, counts=True)
    session = Session(1)
    session.opened(0.0)
    lost = SonioxConnectionError("x", code=code)
    decides.session_lived(session, 0, 100.0, lost)
    assert decides.attempt == (0 if code == "other" else 1)


def test_a_session_that_is_being_opened_does_not_live() -> None:
    """However long that takes."""
    decides = retry(stable_after_sec=10.0)
    decides.lost(None, 0, LOST, 0.0, counts=True)
    decides.session_lived(Session(1), 9000, 100.0)
    assert decides.attempt == 1


def test_giving_up_before_any_session_is_a_timeout() -> None:
    """With the limit, and what to do; later it is the cause of the last loss."""
    decides = retry(give_up_after_sec=7.5)
    error = decides.gave_up(None, 0.0)
    assert isinstance(error, ConnectTimeoutError) and "no connection within 7.5 s" in str(error)
    decides.lost(None, 0, NetworkError("down"), 0.0, counts=True)
    assert str(decides.gave_up(None, 0.0)).startswith("down")
    assert str(decides.gave_up(NetworkError("last"), 0.0)).startswith("last")


def test_an_attempt_without_reconnecting_has_no_limit() -> None:
    """Then `connect_timeout_sec` is all there is."""
    decides = Retry(RecordingOptions(auto_reconnect=False), False, lambda: 1.0)
    assert decides.opening(5.0) is None
    assert retry(give_up_after_sec=7.0).opening(5.0) == 12.0


# -- ends that do not come -----------------------------------------------------------------------


def test_a_session_that_still_answers_is_not_cut() -> None:
    """Patience with its last results starts again with each of them."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(1000)
    driver.recorder.stop()
    driver.go()
    assert Finish(number) in driver.done
    driver.now = 9.0
    driver.receive(number, partial(" one", 0, 500), total_ms=500)
    driver.now = 18.9
    assert driver.go() == Wait(19.0)
    assert Abort(number) not in driver.done
    driver.now = 19.0
    assert isinstance(driver.go(), Announce)
    assert Abort(number) in driver.done


def test_last_results_that_never_come_fail_with_the_time() -> None:
    """Without reconnecting the recording ends after `finish_timeout_sec`, which is named."""
    driver = Driver(auto_reconnect=False)
    driver.open()
    driver.capture(1000)
    driver.recorder.stop()
    driver.go()
    driver.now = 10.0
    done = driver.go()
    assert isinstance(done, Done)
    assert isinstance(done.error, SonioxConnectionError)
    assert done.error.code == "finish_timeout"
    assert "last result was not received: no data from the server for 10 s" in str(done.error)


def test_a_session_has_no_patience_to_keep_before_its_end() -> None:
    """A service that hears nothing has nothing to say."""
    session = Session(0)
    session.opened(0.0)
    assert session.silent_until(10.0) is None
    session.finish(5.0)
    assert session.silent_until(10.0) == 15.0
    assert session.phase is SessionPhase.FINISHING


def test_a_replaced_session_has_ten_seconds() -> None:
    """Then the results of its successor are delivered without it."""
    sessions = Sessions()
    sessions.current, sessions.standby = sessions.new(), sessions.new()
    assert [sessions.current.number, sessions.standby.number] == [0, 1]
    assert sessions.drain(5.0).number == 1
    assert sessions.wake_times(10.0) == [15.0]
    assert sessions.standby is None
    drained = sessions.drained()
    assert drained is not None and drained.number == 1
    assert sessions.drained() is None and sessions.wake_times(10.0) == []


def test_only_a_session_with_a_role_is_found() -> None:
    """Its events are dropped once it has none."""
    sessions = Sessions()
    sessions.current, sessions.standby = sessions.new(), sessions.new()
    assert [sessions.find(n) is not None for n in (0, 1, 2)] == [True, True, False]
    assert sessions.live is None and sessions.ready_standby is None
    sessions.current.opened(0.0)
    sessions.standby.opened(0.0)
    assert sessions.live is sessions.current and sessions.ready_standby is sessions.standby
    assert sessions.is_delivering(sessions.current)
    assert not sessions.is_delivering(sessions.standby)
    assert [session.number for session in sessions.drop_all()] == [0, 1]
    assert sessions.find(0) is None and sessions.drop_all() == []


def test_a_session_that_is_opened_or_waits_delivers_nothing() -> None:
    """Its results follow those of its predecessor."""
    sessions = Sessions()
    sessions.current = sessions.new()
    assert not sessions.is_delivering(sessions.current)
    sessions.current.opened(0.0)
    sessions.standby = sessions.new()
    sessions.standby.opened(0.0)
    new = sessions.drain(0.0)
    assert not sessions.is_delivering(new)


def test_withheld_results_are_forgotten_once_they_were_delivered() -> None:
    """By another session, up to where they reach."""
    sessions = Sessions()
    sessions.current = session = sessions.new()
    session.offset_ms = 1000
    session.pending = [SttEvent("result", Result((), ms, ms)) for ms in (500, 300)]
    assert session.pending_ms == 1500
    sessions.withhold()
    sessions.superseded(1499)
    assert sessions.withheld == [session]
    sessions.superseded(1500)
    assert sessions.take_withheld() == []


# -- rotation ------------------------------------------------------------------------------------


def test_a_rotation_is_due_by_age_or_by_audio() -> None:
    """Exactly then, and it stays due."""
    session = Session(0)
    session.opened(100.0)
    rotation = Rotation(60.0)
    assert not rotation.is_due(session, 159.9) and not rotation.has_begun(session)
    session.sent_sec = 59.9
    assert not rotation.has_begun(session) and rotation.has_begun(session, 0.1)
    assert rotation.wake_times(session) == [160.0]
    assert rotation.is_due(session, 160.0)
    session = Session(1)
    session.opened(100.0)
    session.sent_sec = 60.0
    rotation = Rotation(60.0)
    assert rotation.is_due(session, 100.0)
    session.sent_sec = 0.0
    assert rotation.is_due(session, 100.0) and rotation.has_begun(session)
    assert rotation.wake_times(session) == [0.0, 1300.0]
    rotation.completed()
    assert not rotation.is_due(session, 100.0)


def test_without_a_rotation_none_is_due() -> None:
    """`None`: never."""
    session, never = Session(0), Rotation(None)
    session.sent_sec = 1e9
    assert not never.is_due(session, 1e9) and not never.has_begun(session, 1e9)
    assert never.wake_times(session) == []


def test_a_pause_of_half_a_second_is_one() -> None:
    """Where endpoints are off or slower; a paused recording may change at any time."""
    for silence_ms, may in [(499, False), (500, True)]:
        merger, rotation = Merger(), Rotation(1.0)
        merger.begin(0)
        merger.accept(Result([final(" one", 0, 400)], 400 + silence_ms, 400 + silence_ms))
        session = Session(0)
        assert rotation.is_due(session, 10.0)
        assert rotation.may_switch(merger, 10.0, paused=False, in_segment=True) is may
        assert rotation.may_switch(merger, 10.0, paused=True, in_segment=True)
        assert not rotation.may_switch(merger, 1209.9, paused=False, in_segment=True) or may
        assert rotation.may_switch(merger, 1210.0, paused=False, in_segment=True)


def test_a_standby_is_not_used_before_a_pause() -> None:
    """It is open, and waits: a word would be cut otherwise."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=60.0)
    first = driver.open()
    driver.capture(500)
    driver.receive(first, partial(" on", 0, 400), total_ms=500)
    driver.now = 60.0
    second = driver.open()
    assert second == 1 and Finish(first) not in driver.done
    driver.receive(first, final(" one", 0, 450), final_ms=450, total_ms=500)
    assert Finish(first) not in driver.done
    driver.capture(500)
    driver.receive(first, final_ms=950, total_ms=1000)
    assert Finish(first) in driver.done


def test_a_lost_session_is_replaced_by_its_standby_at_once() -> None:
    """Without an attempt, a handler or a delay."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=60.0)
    first = driver.open()
    driver.capture(500)
    driver.receive(first, partial(" on", 0, 400), total_ms=500)
    driver.now = 60.0
    second = driver.open()
    driver.recorder.failed(first, LOST, driver.now)
    driver.go()
    assert driver.sent(second) == 500
    assert driver.reconnected[-1].attempt == 0
    assert not any(isinstance(action, Announce) for action in driver.done)


def test_a_finalize_that_a_rotation_left_unanswered_is_asked_again() -> None:
    """The next session gets it behind the same audio."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=60.0)
    first = driver.open()
    driver.capture(500)
    driver.recorder.finalize()
    driver.go()
    assert Finalize(first) in driver.done
    driver.now = 60.0
    second = driver.open()
    assert Finish(first) in driver.done and Finalize(second) in driver.done
    driver.recorder.finished(first, driver.now)
    driver.recorder.received(second, SttEvent("finalized", Result((), 500, 500)), driver.now)
    driver.lose(second)
    third = driver.open()
    assert Finalize(third) not in driver.done


def test_the_watchdog_acts_once_a_minute() -> None:
    """After fifteen seconds of originals without a translation."""
    watchdog = TranslationWatchdog(True)
    assert not watchdog.should_replace(14_999, 0.0)
    assert watchdog.should_replace(15_000, 0.0)
    assert not watchdog.should_replace(15_000, 59.9)
    assert watchdog.should_replace(15_000, 60.0)
    assert not TranslationWatchdog(False).should_replace(99_999, 0.0)


# -- requests and holding ------------------------------------------------------------------------


def test_a_new_request_replaces_one_that_was_not_answered() -> None:
    """It applies to more audio: repeating the older one would be one too many."""
    requests = FinalizeRequests()
    requests.request(100)
    assert requests.take_due(100) and requests.waiting is None
    requests.request(300)
    requests.session_changed()
    assert requests.waiting == 300
    assert not requests.take_due(299) and requests.take_due(300)
    requests.session_changed(restart_at=500)
    assert requests.waiting == 501
    requests.take_due(501)
    requests.answered()
    requests.session_changed()
    assert requests.waiting is None


def holding(window_ms: int = 1000, patience_sec: float = 10.0) -> tuple[Holding, Uplink, Merger]:
    """Return the back-pressure on a source whose window is full and sent."""
    options = RecordingOptions(replay_window_sec=window_ms / 1000, catch_up_speed=None)
    uplink, merger = Uplink(options, can_wait=True), Merger()
    uplink.set_audio_format(AUDIO)
    uplink.capture(bytes(window_ms * BYTES_PER_MS))
    merger.begin(0)
    return Holding(uplink, merger, FinalizeRequests(), patience_sec), uplink, merger


def send_all(uplink: Uplink) -> None:
    while uplink.next_chunk(0.0)[0]:
        pass


def test_patience_begins_when_all_was_sent() -> None:
    """Then the service is asked, and asked in vain the window grows."""
    held, uplink, _ = holding()
    assert not held.relieve(0.0) and held.wake_times == [] and not held.is_waiting
    send_all(uplink)
    assert held.must_wait
    assert not held.relieve(0.0) and held.wake_times == [10.0] and held.is_waiting
    assert not held.relieve(9.9)
    assert held.relieve(10.0) and held.must_wait and held.wake_times == [20.0]
    assert not held.relieve(19.9)
    assert held.relieve(20.0) and not held.must_wait
    assert not held.relieve(20.0) and held.wake_times == [] and not held.is_waiting


def test_a_new_final_result_starts_patience_again() -> None:
    """Whoever makes progress is waited for."""
    held, uplink, merger = holding()
    send_all(uplink)
    held.relieve(0.0)
    assert held.relieve(10.0)
    merger.accept(Result([], 100, 1000))
    assert not held.relieve(20.0) and held.wake_times == [30.0]
    held.session_changed()
    assert held.wake_times == [] and not held.is_waiting
    assert not held.relieve(25.0) and held.wake_times == [35.0]


def test_the_window_grows_at_once_if_the_service_owes_nothing() -> None:
    """All audio is final: what is kept is the last cluster, longer than the window."""
    held, uplink, merger = holding()
    send_all(uplink)
    merger.accept(Result([], 999, 1000))
    assert not held.relieve(0.0)
    merger.accept(Result([], 1000, 1000))
    assert held.relieve(0.0) and not held.must_wait


def test_a_source_reads_five_seconds_ahead() -> None:
    """Neither a file of hours nor a long pause takes more memory."""
    for ms, waits in [(5000, False), (5001, True)]:
        held, _, _ = holding()
        uplink = Uplink(RecordingOptions(), can_wait=True)
        uplink.set_audio_format(AUDIO)
        uplink.capture(bytes(ms * BYTES_PER_MS))
        held = Holding(uplink, Merger(), FinalizeRequests(), 10.0)
        assert held.must_wait is waits
