"""The rules of a recording, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync.errors import (
    AbortError,
    AudioDeviceError,
    AuthError,
    BufferOverflowError,
    RateLimitError,
    RealtimeError,
    SonioxConnectionError,
    error_from_frame,
)
from soniox_sync.protocol.tokens import Result, SttEvent, Token
from soniox_sync.recorder.actions import (
    Abort,
    Announce,
    Done,
    Finalize,
    Finish,
    Open,
    Reconnected,
    RecordingState,
    RestartSource,
    Send,
    SessionRestart,
    Wait,
)
from tests.recorder.driver import Driver, final, partial
from tests.service_errors import OF_TRANSCRIPTION, ServiceError, name_of


def test_a_new_session_starts_at_the_last_final_millisecond() -> None:
    """After a loss the audio is sent again from where the final results end."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(1000)
    driver.receive(
        first, final(" one", 100, 400), partial(" two", 420, 900), final_ms=400, total_ms=1000
    )
    driver.lose(first)
    second = driver.open()
    assert driver.sent(second) == 600
    assert driver.reconnected == [Reconnected(attempt=1, replayed_ms=600, lost_ms=0)]
    driver.receive(second, final(" two", 20, 500), final_ms=500, total_ms=600)
    last = driver.events[-1].result
    assert [(t.text, t.start_ms, t.end_ms, t.session) for t in last.tokens] == [
        (" two", 420, 900, 1)
    ]
    assert (last.final_audio_proc_ms, last.total_audio_proc_ms) == (900, 1000)


def test_lost_partials_are_withdrawn_before_new_results() -> None:
    """The non-final tokens of a lost session are withdrawn before `session_restart`."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(500)
    driver.receive(first, partial(" perhaps", 0, 400), total_ms=500)
    driver.lose(first)
    withdrawal = driver.events[-1]
    assert withdrawal.result.tokens == []
    driver.open()
    restart = [n for n in driver.notices if isinstance(n, SessionRestart)][-1]
    assert driver.notices.index(restart) > driver.notices.index(withdrawal)
    assert (restart.session, restart.reset_transcript) == (1, False)


def test_without_auto_reconnect_a_loss_ends_the_recording() -> None:
    """A recording that may not reconnect ends with the error that ended its session."""
    driver = Driver(auto_reconnect=False)
    first = driver.open()
    error = SonioxConnectionError("gone")
    driver.recorder.failed(first, error, driver.now)
    assert driver.go() == Done(error)
    assert driver.recorder.state is RecordingState.ERROR


@pytest.mark.parametrize(
    ("frame", "retried"),
    [
        ({"error_code": 408, "error_type": "request_timeout"}, True),
        ({"error_code": 413, "error_type": "max_duration_reached"}, True),
        ({"error_code": 500, "error_type": "internal_error"}, True),
        ({"error_code": 503, "error_type": "service_unavailable"}, True),
        ({"error_code": 400, "error_type": "invalid_request"}, False),
        ({"error_code": 401, "error_type": "unauthenticated"}, False),
        ({"error_code": 402, "error_type": "organization_balance_exhausted"}, False),
        ({"error_code": 403, "error_type": "temp_api_key_session_expired"}, False),
        ({"error_code": 429, "error_type": "limit_exceeded"}, True),
    ],
)
def test_only_retriable_errors_reconnect(frame: dict[str, Any], retried: bool) -> None:
    """Exactly the errors listed in PROTOCOL 2.6 lead to a new session."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(100)
    driver.receive(first, total_ms=100)
    driver.recorder.failed(first, error_from_frame(frame), driver.now)
    assert isinstance(driver.go(), Announce) is retried


@pytest.mark.parametrize("container", [True, False])
@pytest.mark.parametrize("message", ["Request timeout", "Audio decode error"])
def test_a_refusal_before_any_result_is_raised_at_once_with_advice(
    container: bool, message: str
) -> None:
    """A 408 or 400 at the start is not an outage: the audio is not in the declared format."""
    driver = Driver(auto_reconnect=True, container=container, can_restart=container)
    first = driver.open()
    driver.capture(100)
    code = 408 if "timeout" in message else 400
    frame = {"error_code": code, "error_message": message, "request_id": "r-17"}
    driver.recorder.failed(first, error_from_frame(frame), driver.now)
    done = driver.go()
    assert isinstance(done, Done)
    assert isinstance(done.error, RealtimeError)
    assert (done.error.status_code, done.error.request_id) == (code, "r-17")
    assert str(done.error).startswith(message)
    advice = "Is this an audio file? Raw audio needs its format" if container else "pcm_s16le"
    assert advice in str(done.error)


def test_no_advice_about_the_audio_for_other_causes() -> None:
    """A 400 about an option, and a 408 when no audio was sent, do not mention files."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(100)
    error = error_from_frame({"error_code": 400, "error_message": "Invalid language hint."})
    driver.recorder.failed(first, error, driver.now)
    assert driver.go() == Done(error)
    driver = Driver(auto_reconnect=True)
    error = error_from_frame({"error_code": 408, "error_message": "Request timeout"})
    driver.recorder.failed(driver.open(), error, driver.now)
    assert driver.go() == Done(error)


@pytest.mark.parametrize("each", OF_TRANSCRIPTION, ids=name_of)
def test_a_container_ends_with_the_service_s_error(each: ServiceError) -> None:
    """A recording of a container ends with the service's own error, followed by advice."""
    driver = Driver(auto_reconnect=True, container=True)
    first = driver.open()
    driver.capture(100)
    driver.receive(first, total_ms=100)
    driver.recorder.failed(first, error_from_frame(each.frame), driver.now)
    done = driver.go()
    assert isinstance(done, Done)
    each.check(done.error, "cannot be sent from the middle" if each.retriable else "")


def test_a_source_that_cannot_restart_raises_the_cause() -> None:
    """When the source cannot start a new container, the cause of the loss is raised."""
    driver = Driver(auto_reconnect=True, container=True, can_restart=True)
    first = driver.open()
    driver.capture(100)
    driver.receive(first, total_ms=100)
    each = next(each for each in OF_TRANSCRIPTION if each.code == 503)
    driver.recorder.failed(first, error_from_frame(each.frame), driver.now)
    driver.recorder.restart_failed(AudioDeviceError("gone"))
    done = driver.go()
    assert isinstance(done, Done)
    each.check(done.error, "restart()")


def test_a_rate_limit_waits_for_retry_after() -> None:
    """A 429 is not retried before its `Retry-After`, and never at once."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(100)
    error = error_from_frame({"error_code": 429, "error_type": "limit_exceeded"})
    assert isinstance(error, RateLimitError)
    error.retry_after_sec = 7.5
    driver.recorder.failed(first, error, driver.now)
    announced = driver.go()
    assert isinstance(announced, Announce)
    assert announced.delay_sec == 7.5


def test_an_expired_temporary_key_reconnects_only_with_a_new_one() -> None:
    """`temp_api_key_session_expired` is retried if a callable can return another key."""
    driver = Driver(auto_reconnect=True, new_key_possible=True)
    first = driver.open()
    expired = {"error_code": 403, "error_type": "temp_api_key_session_expired"}
    error = error_from_frame(expired)
    assert isinstance(error, AuthError)
    driver.recorder.failed(first, error, driver.now)
    assert isinstance(driver.go(), Announce)


def test_attempts_back_off_and_end() -> None:
    """The first attempt is immediate, the delay then doubles; in the end the error is raised."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=3, reconnect_base_delay_sec=1.0)
    driver.recorder.failed(driver.open(), SonioxConnectionError("lost"), driver.now)
    delays = []
    for _ in range(3):
        action = driver.go()
        assert isinstance(action, Announce)
        delays.append(action.delay_sec)
        driver.recorder.announced(False, driver.now)
        driver.now += action.delay_sec
        driver.go()
        number = driver.done[-1].number
        driver.recorder.failed(number, SonioxConnectionError("refused"), driver.now)
    assert delays == [0.0, 1.0, 2.0]
    assert isinstance(driver.go(), Done)
    assert driver.recorder.state is RecordingState.ERROR


def test_progress_ends_an_outage() -> None:
    """A session that made 5 s of audio final counts as a success: the next loss is attempt 1."""
    driver = Driver(auto_reconnect=True, max_reconnect_attempts=1, catch_up_speed=None)
    number = driver.open()
    for round_ in range(1, 4):
        driver.capture(6000)
        driver.receive(number, final(f" w{round_}", 0, 5900), final_ms=5900, total_ms=6000)
        driver.lose(number)
        number = driver.open()
    assert [notice.attempt for notice in driver.reconnected] == [1, 1, 1]


def test_a_handler_may_prevent_reconnecting() -> None:
    """`prevent_default()` ends the recording instead of opening a new session."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    assert isinstance(driver.go(), Announce)
    driver.recorder.announced(True, driver.now)
    done = driver.go()
    assert isinstance(done, Done) and isinstance(done.error, SonioxConnectionError)


def test_audio_beyond_the_window_is_counted_as_lost() -> None:
    """Audio that the replay window dropped during an outage is counted in `lost_ms`."""
    driver = Driver(auto_reconnect=True, replay_window_sec=2.0)
    first = driver.open()
    driver.capture(500)
    driver.receive(first, final(" one", 0, 500), final_ms=500, total_ms=500)
    driver.lose(first)
    driver.capture(5000)
    assert driver.recorder.lost_ms == 3000
    second = driver.open()
    assert driver.reconnected[-1].lost_ms == 3000
    driver.receive(second, final(" late", 0, 300), final_ms=300, total_ms=300)
    assert driver.events[-1].result.tokens[0].start_ms == 3500


def test_lost_audio_is_counted_once() -> None:
    """Dropped audio counts once, although each new session would start before it."""
    driver = Driver(auto_reconnect=True, replay_window_sec=1.0, catch_up_speed=None)
    first = driver.open()
    for _ in range(6):
        driver.capture(1000)
    driver.lose(first)  # nothing was final: the first five seconds are gone
    assert driver.recorder.lost_ms == 5000
    driver.now += 60
    second = driver.open()
    driver.capture(1000)
    driver.lose(second)  # and of the audio of this one, the sixth
    driver.now += 60
    assert driver.recorder.lost_ms == 6000
    driver.open()
    assert sum(notice.lost_ms for notice in driver.reconnected) == 6000


def test_a_pause_is_not_part_of_the_recording() -> None:
    """Audio captured while paused is left out; earlier audio is made final."""
    driver = Driver()
    first = driver.open()
    driver.capture(300)
    driver.recorder.pause()
    driver.go()
    assert driver.recorder.state is RecordingState.PAUSED
    assert driver.done[-1] == Finalize(first)
    driver.capture(700)
    driver.recorder.resume()
    driver.capture(100)
    assert driver.sent(first) == 400
    assert driver.recorder.state is RecordingState.RECORDING


def test_stop_during_an_outage_still_transcribes_the_rest() -> None:
    """stop() while reconnecting waits for a session, sends it the remaining audio, and finishes."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(1000)
    driver.lose(first)
    driver.recorder.stop()
    second = driver.open()
    assert driver.sent(second) == 1000
    assert driver.done[-1] == Finish(second)
    driver.recorder.finished(second, driver.now)
    assert driver.go() == Done(None)
    assert driver.events[-1].kind == "finished"
    assert driver.recorder.state is RecordingState.STOPPED


def test_stop_before_any_audio_finishes_without_a_session() -> None:
    """A recording that captured nothing finishes and opens nothing."""
    driver = Driver()
    driver.recorder.stop()
    assert driver.go() == Done(None)
    assert not any(isinstance(action, Open) for action in driver.done)


def test_an_error_of_the_source_follows_its_audio() -> None:
    """An error of the source is raised after everything captured was transcribed."""
    driver = Driver()
    first = driver.open()
    driver.capture(200)
    error = AudioDeviceError("unplugged")
    driver.recorder.stop(error)
    driver.go()
    assert driver.done[-1] == Finish(first)
    driver.recorder.finished(first, driver.now)
    assert driver.go() == Done(error)
    assert "finished" not in [event.kind for event in driver.events]


def test_cancel_aborts_the_session() -> None:
    """cancel() aborts the session at once and ends with its error."""
    driver = Driver()
    first = driver.open()
    error = AbortError("enough")
    driver.recorder.cancel(error)
    assert driver.go() == Done(error)
    assert driver.done[-1] == Abort(first)
    assert driver.recorder.state is RecordingState.CANCELED


def test_a_session_that_the_server_finished_early_is_replaced() -> None:
    """`finished` before the end of audio was sent counts as a loss."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(100)
    driver.recorder.finished(first, driver.now)
    assert isinstance(driver.go(), Announce)


def test_a_replayed_endpoint_is_not_delivered_twice() -> None:
    """An endpoint that an earlier session reported is not delivered again after the replay."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, final(" one", 0, 500), final_ms=500, total_ms=2000)
    endpoint = SttEvent("endpoint", Result((), 1900, 2000))
    driver.recorder.received(first, endpoint, driver.now)
    driver.lose(first)
    second = driver.open()
    driver.recorder.received(second, endpoint, driver.now)
    assert [event.kind for event in driver.events].count("endpoint") == 1


def test_the_words_of_two_sessions_are_separated() -> None:
    """A session's first word has no leading space; in later sessions one is added."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, final("Hello", 0, 300), final(" dear", 300, 600), final_ms=600)
    driver.lose(first)
    second = driver.open()
    driver.receive(second, final("world", 10, 400), final(".", 400, 410), final_ms=410)
    said = [t.text for e in driver.events if e.kind == "result" for t in e.result.tokens]
    assert "".join(said) == "Hello dear world."


def test_scripts_without_spaces_are_joined_as_they_are() -> None:
    """No space is added between the words of two sessions in a script without spaces."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(2000)
    driver.receive(first, final("今日", 0, 300), final_ms=300)
    driver.lose(first)
    second = driver.open()
    driver.receive(second, final("は", 0, 100), final_ms=100)
    said = [t.text for e in driver.events if e.kind == "result" for t in e.result.tokens]
    assert "".join(said) == "今日は"


def test_a_container_without_restart_ends_with_the_loss() -> None:
    """Audio in a container cannot be replayed; without `restart()` the loss is an error."""
    driver = Driver(container=True, auto_reconnect=True, can_restart=False)
    first = driver.open()
    driver.recorder.capture(b"ID3 compressed")
    driver.go()
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    done = driver.go()
    assert isinstance(done, Done) and "container" in str(done.error)


def test_a_container_is_restarted_and_its_loss_counted() -> None:
    """With `restart()` a new container is sent to the new session; lost audio is counted."""
    driver = Driver(container=True, auto_reconnect=True, can_restart=True)
    first = driver.open()
    driver.recorder.capture(b"header")
    driver.go()
    driver.receive(first, final(" one", 0, 400), final_ms=400, total_ms=1500)
    driver.recorder.capture(b"never sent")
    driver.recorder.failed(first, SonioxConnectionError("lost"), driver.now)
    assert isinstance(driver.go(), Announce)
    assert RestartSource() in driver.done
    assert driver.recorder.lost_ms == 1100
    driver.recorder.announced(False, driver.now)
    driver.recorder.container_restarted()
    driver.recorder.capture(b"new header")
    second = driver.open()
    data = b"".join(a.data for a in driver.done if isinstance(a, Send) and a.number == second)
    assert data == b"new header"
    driver.receive(second, final(" two", 0, 300), final_ms=300, total_ms=300)
    assert driver.events[-1].result.tokens[0].start_ms == 1500


def test_too_many_chunks_of_a_container_are_an_error() -> None:
    """A container whose queue is full ends with `BufferOverflowError` instead of losing a chunk."""
    driver = Driver(container=True, buffer_queue_size=2)
    for _ in range(3):
        driver.recorder.capture(b"chunk")
    done = driver.go()
    while not isinstance(done, Done):
        done = driver.go()
    assert isinstance(done.error, BufferOverflowError)


@pytest.mark.parametrize("ask", ["finalize", "pause"])
def test_a_finalize_lost_with_its_session_is_repeated(ask: str) -> None:
    """An unanswered finalize is sent to the next session, after the replayed audio."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(1000)
    getattr(driver.recorder, ask)()
    driver.go()
    driver.lose(first)
    second = driver.open()
    assert driver.done.count(Finalize(first)) == 1
    assert driver.sent(second) == 1000
    assert driver.done[-1] == Finalize(second)
    driver.recorder.received(second, SttEvent("finalized", Result((), 1000, 1000)), driver.now)
    driver.lose(second)
    driver.now += 60
    third = driver.open()
    assert driver.sent(third) > 0
    assert Finalize(third) not in driver.done


def test_a_finalize_without_audio_is_answered_at_once() -> None:
    """Before any audio nothing is sent to the service, and `finalized` is reported all the same."""
    driver = Driver()
    first = driver.open()
    driver.recorder.finalize()
    driver.go()
    assert [event.kind for event in driver.events] == ["finalized"]
    assert Finalize(first) not in driver.done


def test_words_without_times_are_not_replayed() -> None:
    """Final words without times extend to the service's counter, and are delivered once."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(1000)
    driver.receive(first, Token(" one", is_final=True), final_ms=600, total_ms=1000)
    driver.lose(first)
    second = driver.open()
    assert driver.sent(second) == 400


def test_a_finalize_lost_with_a_container_is_repeated_in_the_next() -> None:
    """The finalize is sent again in the new container, after some of its audio."""
    driver = Driver(container=True, auto_reconnect=True, can_restart=True)
    first = driver.open()
    driver.recorder.capture(b"header")
    driver.recorder.finalize()
    driver.go()
    assert driver.done[-1] == Finalize(first)
    driver.lose(first)
    second = driver.open()
    assert Finalize(second) not in driver.done
    driver.recorder.container_restarted()
    driver.recorder.capture(b"header")
    driver.go()
    assert driver.done[-1] == Finalize(second)


def test_the_watchdog_replaces_a_session_that_stopped_translating() -> None:
    """After 15 s of originals without a translation a new session starts; no word is lost."""
    driver = Driver(auto_reconnect=True, translation_watchdog=True, catch_up_speed=None)
    first = driver.open()
    driver.capture(20_000)
    for start in range(0, 16_000, 1000):
        word = final(f" w{start}", start, start + 1000, translation_status="original")
        driver.receive(first, word, final_ms=start + 1000, total_ms=20_000)
    assert Abort(first) in driver.done
    second = driver.open()
    assert second != first
    assert driver.sent(second) == 20_000  # from the first original without a translation


def test_waiting_audio_catches_up_at_twice_real_time() -> None:
    """After a burst of 10 s, waiting audio is sent at twice real time."""
    driver = Driver(catch_up_speed=2.0, catch_up_burst_sec=10.0)
    driver.go()
    driver.capture(60_000)
    first = driver.open()
    assert driver.sent(first) == 10_000
    driver.now += 5.0
    driver.go()
    assert driver.sent(first) == 20_000


def test_reconnect_replaces_the_session_without_an_attempt() -> None:
    """reconnect() replaces the session at once, without calling handlers, and loses nothing."""
    driver = Driver()
    first = driver.open()
    driver.capture(500)
    driver.recorder.reconnect()
    second = driver.open()
    assert driver.sent(second) == 500
    assert Abort(first) in driver.done
    assert driver.reconnected == [Reconnected(attempt=0, replayed_ms=500, lost_ms=0)]


def test_a_service_that_never_finishes_counts_as_lost() -> None:
    """After the end of audio, 10 s without a message count as a loss."""
    driver = Driver(auto_reconnect=True)
    first = driver.open()
    driver.capture(100)
    driver.recorder.stop()
    wait = driver.go()
    assert isinstance(wait, Wait) and wait.until == 10.0
    driver.now = 10.0
    assert isinstance(driver.go(), Announce)
    assert Abort(first) in driver.done
