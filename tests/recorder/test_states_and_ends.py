"""What a recording reports of its states, and how it ends where there was little to transcribe."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.config.recording import RecordingOptions
from soniox_sync.errors import AbortError, SonioxConnectionError
from soniox_sync.protocol.states import StateChange
from soniox_sync.protocol.tokens import Token
from soniox_sync.recorder.actions import (
    Abort,
    Announce,
    Done,
    Finalize,
    Finish,
    Open,
    RecorderContext,
    RecordingState,
    Send,
    Wait,
)
from soniox_sync.recorder.recorder import Recorder
from tests.recorder.driver import Driver, final, frame_error

R = RecordingState
LOSS = SonioxConnectionError("lost")


def changes(driver: Driver) -> list[tuple[str, str, str]]:
    """Return all state changes so far: old, new, reason."""
    found = [notice for notice in driver.notices if isinstance(notice, StateChange)]
    return [(str(c.old_state), str(c.new_state), c.reason) for c in found]


def without_format(**options: Any) -> Recorder:
    """Return a recorder that has started, and does not know the format of its audio."""
    recorder = Recorder(RecordingOptions(**options), RecorderContext(), jitter=lambda: 1.0)
    recorder.start()
    return recorder


def test_states_are_the_words_of_the_service() -> None:
    """Source: PROTOCOL 9; users compare them with strings."""
    assert [state.value for state in R] == [
        *("idle", "starting", "connecting", "recording", "paused"),
        *("reconnecting", "stopping", "stopped", "error", "canceled"),
    ]
    assert [state for state in R if state.is_over] == [R.STOPPED, R.ERROR, R.CANCELED]


def test_a_whole_recording_goes_through_its_states() -> None:
    """From `idle` to `stopped`, each with its reason."""
    driver = Driver()
    number = driver.open()
    driver.capture(500)
    driver.recorder.pause()
    driver.recorder.resume()
    driver.recorder.stop()
    driver.go()
    driver.recorder.finished(number, driver.now)
    assert driver.go() == Done()
    assert changes(driver) == [
        ("idle", "starting", "user_action"),
        ("starting", "connecting", "user_action"),
        ("connecting", "recording", "connected"),
        ("recording", "paused", "user_action"),
        ("paused", "recording", "user_action"),
        ("recording", "stopping", "user_action"),
        ("stopping", "stopped", "finished"),
    ]


def test_a_loss_and_a_reconnect_have_their_reasons() -> None:
    """`connection_lost` for what happened, `user_action` for what was asked for."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(500)
    driver.lose(number)
    driver.open()
    driver.recorder.reconnect()
    driver.open()
    assert changes(driver)[3:] == [
        ("recording", "reconnecting", "connection_lost"),
        ("reconnecting", "recording", "reconnected"),
        ("recording", "reconnecting", "user_action"),
        ("reconnecting", "recording", "reconnected"),
    ]


def test_ends_have_their_reasons() -> None:
    """A cancellation is the user's action, everything else an error."""
    driver = Driver()
    driver.open()
    driver.recorder.cancel(AbortError("cancelled"))
    assert changes(driver)[-1] == ("recording", "canceled", "user_action")
    driver = Driver()
    driver.open()
    driver.recorder.fail(SonioxConnectionError("lost"))
    assert changes(driver)[-1] == ("recording", "error", "error")


def test_a_source_that_fails_stops_the_recording_for_that_reason() -> None:
    """What it delivered is still transcribed; then its error is raised."""
    driver = Driver()
    number = driver.open()
    driver.capture(500)
    error = OSError("unplugged")
    driver.recorder.source_ended(error)
    assert changes(driver)[-1] == ("recording", "stopping", "error")
    driver.go()
    driver.recorder.finished(number, driver.now)
    assert driver.go() == Done(error)


def test_a_recording_that_is_over_stays_so() -> None:
    """Neither a later error nor a cancellation changes how it ended."""
    driver = Driver()
    driver.open()
    driver.recorder.cancel(AbortError("cancelled"))
    before = driver.go()
    driver.recorder.fail(SonioxConnectionError("lost"))
    driver.recorder.cancel(AbortError("again"))
    driver.recorder.stop()
    assert driver.go() == before
    assert driver.recorder.state is R.CANCELED


def test_nothing_to_transcribe_needs_no_session() -> None:
    """A source that ends before its first byte ends the recording, whose last event is reported."""
    recorder = without_format()
    recorder.stop()
    assert recorder.next(0.0) == Done()
    assert recorder.state is R.STOPPED
    assert [n.kind for n in recorder.take_notices() if not isinstance(n, StateChange)] == [
        "finished"
    ]


def test_no_session_is_opened_before_the_format_is_known() -> None:
    """The format is part of a session's first message."""
    recorder = without_format()
    assert recorder.next(0.0) == Wait()
    recorder.set_audio_format(None)
    assert recorder.next(0.0) == Open(0)


def test_nothing_to_finalize_is_finalized() -> None:
    """`finalize()` before any audio is answered at once, without a message."""
    recorder = without_format()
    recorder.finalize()
    assert [n.kind for n in recorder.take_notices() if not isinstance(n, StateChange)] == [
        "finalized"
    ]


def test_a_replacement_of_our_own_is_made_at_once() -> None:
    """`reconnect()` is no attempt: no handler is asked, and nothing is waited for."""
    driver = Driver(auto_reconnect=True)
    driver.open()
    driver.capture(500)
    driver.recorder.reconnect()
    driver.go()
    assert driver.done[-1] == Open(1)
    driver.recorder.opened(1, driver.now)
    assert driver.reconnected[-1].attempt == 0


def test_a_standby_that_fails_costs_nothing() -> None:
    """The current session goes on, and another standby is opened five seconds later."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=60.0)
    first = driver.open()
    driver.now = 60.0
    driver.go()
    assert driver.done[-1] == Open(1)
    driver.recorder.failed(1, SonioxConnectionError("refused"), driver.now)
    assert driver.go() == Wait(65.0)
    assert driver.recorder.state is R.RECORDING
    driver.capture(500)
    assert driver.sent(first) == 500
    driver.now = 65.0
    driver.go()
    assert driver.done[-1] == Open(2)


def test_a_standby_that_finishes_costs_nothing_either() -> None:
    """`finished` without any audio is a refusal as well."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=60.0)
    driver.open()
    driver.now = 60.0
    driver.go()
    driver.recorder.finished(1, driver.now)
    assert driver.go() == Wait(65.0)
    assert driver.recorder.state is R.RECORDING


@pytest.mark.parametrize("stopping", [False, True])
def test_translations_that_stop_replace_a_session_unless_it_is_the_last(stopping: bool) -> None:
    """At the end nothing is replaced: what is still owed comes with the last results."""
    driver = Driver(auto_reconnect=True, translation_watchdog=True)
    first = driver.open()
    driver.capture(16_000)
    if stopping:
        driver.recorder.stop()
    word = final(" eins", 0, 15_000, translation_status="original")
    driver.receive(first, word, final_ms=15_000, total_ms=16_000)
    assert (Open(1) in driver.done) is not stopping


def test_a_rotation_that_is_due_by_its_audio_is_something_to_do() -> None:
    """Audio that was sent faster than real time makes a session old, too."""
    driver = Driver(auto_reconnect=True, rotate_after_sec=10.0, catch_up_speed=None)
    driver.open()
    driver.capture(9000)
    assert driver.recorder.is_settled()
    driver.recorder.capture(bytes(2 * 16_000))
    assert all(isinstance(driver.recorder.next(driver.now), Send) for _ in range(4))
    assert not driver.recorder.is_settled()


def test_a_prevented_attempt_fails_with_its_cause() -> None:
    """An answer that comes too late changes nothing."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(100)
    driver.recorder.announced(True, driver.now)
    driver.recorder.failed(number, LOSS, driver.now)
    assert isinstance(driver.go(), Announce)
    driver.recorder.announced(True, driver.now)
    assert driver.go() == Done(LOSS)
    driver.recorder.announced(False, driver.now)
    assert driver.go() == Done(LOSS)


def test_a_session_that_was_given_up_is_aborted_when_it_opens() -> None:
    """Nobody would use it."""
    driver = Driver()
    driver.go()
    assert Open(0) in driver.done
    driver.recorder.opened(7, driver.now)
    driver.go()
    assert driver.done[-1] == Abort(7)
    driver.recorder.opened(0, driver.now)
    driver.recorder.opened(0, driver.now)
    driver.go()
    assert driver.done[-1] == Abort(0)


def test_a_pause_is_one_however_often_it_is_asked_for() -> None:
    """What was captured is finalized once; a source that can wait has to."""
    driver = Driver(can_wait=True)
    number = driver.open()
    driver.capture(500)
    assert not driver.recorder.is_paused and not driver.recorder.must_wait
    driver.recorder.pause()
    driver.go()
    driver.recorder.pause()
    driver.go()
    assert driver.recorder.is_paused and driver.recorder.must_wait
    assert driver.done.count(Finalize(number)) == 1


def test_a_recording_stopped_while_it_connects_is_stopping_once_it_is_open() -> None:
    """It has a session, and audio to send."""
    driver = Driver()
    driver.go()
    driver.capture(500)
    driver.recorder.stop()
    driver.open()
    assert driver.recorder.state is R.STOPPING
    assert driver.sent(0) == 500


def test_audio_after_a_stop_is_not_part_of_the_recording() -> None:
    """Nor while it is paused."""
    driver = Driver()
    number = driver.open()
    driver.recorder.pause()
    driver.capture(100)
    driver.recorder.resume()
    driver.capture(200)
    driver.recorder.stop()
    driver.capture(400)
    assert driver.sent(number) == 200


def test_the_end_of_the_audio_is_sent_behind_all_of_it() -> None:
    """Also where the last of it has to wait for its pace."""
    driver = Driver(rotate_after_sec=None, catch_up_burst_sec=1.0, catch_up_speed=1.0)
    number = driver.open()
    driver.recorder.capture(bytes(2 * 1500))
    driver.recorder.stop()
    assert driver.go() == Wait(pytest.approx(0.25))
    assert Finish(number) not in driver.done
    driver.now = 0.5
    driver.go()
    assert driver.sent(number) == 1500 and driver.done[-1] == Finish(number)


def test_words_without_a_counter_show_that_the_audio_is_understood() -> None:
    """After them a 408 is an outage."""
    driver = Driver(auto_reconnect=True)
    number = driver.open()
    driver.capture(100)
    driver.receive(number, final(" one", 0, 100))
    driver.recorder.failed(number, frame_error(408), driver.now)
    assert isinstance(driver.go(), Announce)


def test_a_container_that_was_not_sent_yet_is_sent_to_another_session() -> None:
    """There is nothing to send again, so no source has to restart."""
    driver = Driver(container=True, auto_reconnect=True)
    driver.lose(driver.open())
    second = driver.open()
    driver.recorder.capture(b"#!AMR\n" + bytes(20))
    driver.go()
    assert Send(second, b"#!AMR\n" + bytes(20)) in driver.done
    assert [notice.replayed_ms for notice in driver.reconnected] == [0]


def test_nothing_passes_through_without_a_session() -> None:
    """It is kept for one."""
    driver = Driver(rotate_after_sec=None)
    assert driver.recorder.pass_through(bytes(20), 0.0) is None
    assert not driver.recorder.has_audio


def translation(text: str) -> Token:
    return Token(text, is_final=True, translation_status="translation")


def in_a_replay(**options: Any) -> tuple[Driver, int]:
    """Return a driver whose second session receives a translated word again."""
    driver = Driver(auto_reconnect=True, **options)
    first = driver.open()
    driver.capture(1000)
    word = final(" eins", 0, 900, translation_status="original")
    driver.receive(first, word, translation(" a"), translation(" longer story"), final_ms=1000)
    driver.lose(first)
    second = driver.open()
    driver.receive(second, translation(" a"))
    return driver, second


def texts(driver: Driver) -> list[str]:
    return [token.text for event in driver.events for token in event.result.tokens]


def test_what_was_held_back_is_delivered_before_the_end() -> None:
    """It looked like a repetition, and no more of it came."""
    driver, second = in_a_replay()
    assert texts(driver) == [" eins", " a", " longer story"]
    driver.recorder.stop()
    driver.go()
    driver.recorder.finished(second, driver.now)
    assert texts(driver) == [" eins", " a", " longer story", " a"]
    assert driver.events[-1].kind == "finished"


def test_what_was_held_back_is_delivered_before_the_next_session() -> None:
    """After a rotation, once the session before has finished."""
    driver, second = in_a_replay(rotate_after_sec=60.0)
    driver.receive(second, final_ms=1500)  # half a second of silence
    driver.now = 60.0
    third = driver.open()
    assert Finish(second) in driver.done
    driver.receive(third, final(" zwei", 100, 200))
    driver.recorder.finished(second, driver.now)
    assert texts(driver)[3:] == [" a", " zwei"]


def test_a_recording_that_is_watched_is_never_settled() -> None:
    """Words may come without a translation: somebody has to ask."""
    driver = Driver(auto_reconnect=True)
    driver.open()
    driver.capture(125)
    assert driver.recorder.is_settled()
    driver = Driver(auto_reconnect=True, translation_watchdog=True)
    driver.open()
    driver.capture(125)
    assert not driver.recorder.is_settled()


def test_a_new_session_has_its_own_patience() -> None:
    """A held source waits as long for it as for the one before."""
    options = {"replay_window_sec": 1.0, "catch_up_speed": None, "rotate_after_sec": None}
    driver = Driver(auto_reconnect=True, can_wait=True, **options)
    first = driver.open()
    driver.capture(1000)
    assert driver.go() == Wait(10.0)
    driver.now = 5.0
    driver.lose(first)
    driver.open()
    assert driver.go() == Wait(15.0)
