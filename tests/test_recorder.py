"""The rules of a recording, played through against a perfect recogniser in virtual time."""

from __future__ import annotations

import os
import random
from typing import Any, Optional

import pytest
from recorder_world import AUDIO, BYTES_PER_MS, World

from soniox_sync.errors import (
    AbortError,
    AudioDeviceError,
    AuthError,
    BufferOverflowError,
    SonioxConnectionError,
    error_from_frame,
)
from soniox_sync.protocol.recorder import Recorder
from soniox_sync.protocol.recorder_actions import (
    Abandon,
    Announce,
    Done,
    End,
    Finalize,
    Open,
    RecorderSettings,
    RecordingState,
    RestartSource,
    Send,
    Wait,
)
from soniox_sync.protocol.tokens import Result, SttEvent, Token

# a thousand in the ordinary run; more on demand
SEEDS = int(os.environ.get("SONIOX_SYNC_SCHEDULES", "1000"))
BLOCKS = 10


def settings_for(rng: random.Random, **over: Any) -> RecorderSettings:
    chosen: dict[str, Any] = {
        "auto_reconnect": True,
        "max_reconnect_attempts": 1000,
        "reconnect_base_delay_sec": 0.1,
        "rotate_after_sec": rng.choice([None, 5.0, 12.0]),
        "catch_up_speed": rng.choice([None, 2.0, 4.0]),
    }
    return RecorderSettings(**{**chosen, **over})


def faults_for(rng: random.Random) -> dict[str, Any]:
    return {
        "drop": rng.choice([0.0, 0.3, 0.8]),
        "refuse": rng.choice([0.0, 0.3]),
        "lag": rng.choice([0.0, 0.05, 1.0]),
        "pace": rng.choice([1.0, 3.0]),
        "pause": rng.choice([0.0, 0.05]),
    }


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_faults_lose_and_double_no_word(block: int) -> None:
    """A thousand random schedules of drops, refusals, lags and pauses deliver each word once."""
    for seed in range(block * SEEDS // BLOCKS, (block + 1) * SEEDS // BLOCKS):
        rng = random.Random(seed)
        world = World(seed, settings_for(rng), rng.choice([3, 8, 20]), **faults_for(rng))
        try:
            world.run()
            world.check_whole()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("block", range(4))
def test_random_faults_lose_and_double_no_translation(block: int) -> None:
    """Random faults deliver every original exactly once, and its translation, too, in order."""
    for seed in range(block * SEEDS // 20, (block + 1) * SEEDS // 20):
        rng = random.Random(seed)
        world = World(
            seed, settings_for(rng), rng.choice([5, 20]), translate=True, **faults_for(rng)
        )
        try:
            world.run()
            world.check_whole()
            check_translations(world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def check_translations(world: World) -> None:
    """Check that all words were translated, and once.

    A session that was replaced in the middle of a word translates the half it heard, and no words
    tell that from what it owed: behind such a half some may come twice, but none may be missing.
    """
    expected = [word.upper() for word in world.words()]
    translated = "".join(world.translations).split()
    if any("~" in word for word in translated):
        assert set(expected) <= set(translated)
    else:
        assert translated == expected


def test_ten_hours_are_whole_in_bounded_memory() -> None:
    """A recording of ten hours rotates, keeps no more audio than at its start, and is whole."""
    settings = RecorderSettings(auto_reconnect=True, rotate_after_sec=270 * 60.0)
    world = World(7, settings, 10 * 3600, every_ms=1000, lag=0.2)
    world.run()
    world.check_whole()
    rotations = [p for k, p in world.notices if k == "state_change" and p["reason"] == "rotated"]
    assert len(rotations) == 2
    assert world.max_held <= 30_000 * BYTES_PER_MS


class Hand:
    """Plays shell and service by hand, for one rule at a time."""

    def __init__(self, container: bool = False, **settings: Any) -> None:
        self.now = 0.0
        self.recorder = Recorder(RecorderSettings(**settings), jitter=lambda: 1.0)
        self.recorder.start()
        self.recorder.know(None if container else AUDIO)
        self.done: list[Any] = []

    def go(self) -> Any:
        """Carry out actions until there is something to wait for; give that."""
        for _ in range(10_000):
            action = self.recorder.next(self.now)
            if isinstance(action, (Wait, Done)):
                return action
            self.done.append(action)
            if isinstance(action, Announce):
                return action
        raise AssertionError("never waits")

    def open(self) -> int:
        self.go()
        number = next(a.number for a in reversed(self.done) if isinstance(a, Open))
        self.recorder.opened(number, self.now)
        self.go()
        return number

    def capture(self, ms: int) -> None:
        self.recorder.capture(b"\1\0" * ms)
        self.go()

    def hear(self, number: int, *tokens: Token, final_ms: int = 0, total_ms: int = 0) -> None:
        event = SttEvent("result", Result(list(tokens), final_ms, total_ms))
        self.recorder.heard(number, event, self.now)
        self.go()

    def lose(self, number: int, error: Optional[BaseException] = None) -> Any:
        self.recorder.failed(number, error or SonioxConnectionError("lost"), self.now)
        action = self.go()
        if isinstance(action, Announce):
            self.recorder.announced(False, self.now)
            return self.go()
        return action

    def sent(self, number: int) -> int:
        return sum(
            len(a.data) // BYTES_PER_MS
            for a in self.done
            if isinstance(a, Send) and a.number == number
        )

    def told(self, kind: str) -> list[Any]:
        return [payload for name, payload in self.recorder.notices if name == kind]


def final(text: str, start: int, end: int, **more: Any) -> Token:
    return Token(text, start, end, 1.0, True, **more)


def guess(text: str, start: int, end: int) -> Token:
    return Token(text, start, end, 0.5, False)


def test_a_new_session_hears_from_the_last_finalised_millisecond() -> None:
    """After a loss the audio is sent again from the end of what is final, no earlier."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(1000)
    hand.hear(first, final(" one", 100, 400), guess(" two", 420, 900), final_ms=400, total_ms=1000)
    hand.lose(first)
    second = hand.open()
    assert hand.sent(second) == 600
    assert hand.told("reconnected") == [{"attempt": 1, "replayed_ms": 600, "lost_ms": 0}]
    hand.hear(second, final(" two", 20, 500), final_ms=500, total_ms=600)
    last = hand.told("event")[-1].result
    assert [(t.text, t.start_ms, t.end_ms, t.session) for t in last.tokens] == [
        (" two", 420, 900, 1)
    ]
    assert (last.final_audio_proc_ms, last.total_audio_proc_ms) == (900, 1000)


def test_a_lost_guess_is_withdrawn_before_new_results() -> None:
    """The non-final tokens of a lost session vanish, and `session_restart` comes before others."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(500)
    hand.hear(first, guess(" perhaps", 0, 400), total_ms=500)
    hand.lose(first)
    kinds = [kind for kind, _ in hand.recorder.notices]
    assert hand.told("event")[-1].result.tokens == []
    assert kinds.index("session_restart") > kinds.index("event")


def test_without_auto_reconnect_a_loss_is_the_end() -> None:
    """A recording that may not reconnect ends with the very error that ended its session."""
    hand = Hand(auto_reconnect=False)
    first = hand.open()
    error = SonioxConnectionError("gone")
    hand.recorder.failed(first, error, hand.now)
    assert hand.go() == Done(error)
    assert hand.recorder.state is RecordingState.ERROR


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
        ({"error_code": 429, "error_type": "limit_exceeded"}, False),
    ],
)
def test_only_retriable_errors_reconnect(frame: dict[str, Any], retried: bool) -> None:
    """Exactly the errors that PROTOCOL 2.6 names are answered with a new session."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(100)
    hand.recorder.failed(first, error_from_frame(frame), hand.now)
    assert isinstance(hand.go(), Announce) is retried


def test_an_expired_temporary_key_reconnects_only_with_a_new_one() -> None:
    """`temp_api_key_session_expired` is retried when a callable can give another key."""
    hand = Hand(auto_reconnect=True, new_key_possible=True)
    first = hand.open()
    expired = {"error_code": 403, "error_type": "temp_api_key_session_expired"}
    error = error_from_frame(expired)
    assert isinstance(error, AuthError)
    hand.recorder.failed(first, error, hand.now)
    assert isinstance(hand.go(), Announce)


def test_attempts_wait_longer_each_time_and_end() -> None:
    """The first attempt comes at once, the next after the base delay doubling, then the error."""
    hand = Hand(auto_reconnect=True, max_reconnect_attempts=3, reconnect_base_delay_sec=1.0)
    hand.recorder.failed(hand.open(), SonioxConnectionError("lost"), hand.now)
    delays = []
    for _ in range(3):
        action = hand.go()
        assert isinstance(action, Announce)
        delays.append(action.delay_sec)
        hand.recorder.announced(False, hand.now)
        hand.now += action.delay_sec
        hand.go()
        number = hand.done[-1].number
        hand.recorder.failed(number, SonioxConnectionError("refused"), hand.now)
    assert delays == [0.0, 1.0, 2.0]
    assert isinstance(hand.go(), Done)
    assert hand.recorder.state is RecordingState.ERROR


def test_progress_ends_an_outage() -> None:
    """A session that made audio final counts as success: the next loss starts from attempt 1."""
    hand = Hand(auto_reconnect=True, max_reconnect_attempts=1)
    number = hand.open()
    for round_ in range(1, 4):
        hand.capture(1000)
        hand.hear(number, final(f" w{round_}", 0, 900), final_ms=900, total_ms=1000)
        hand.lose(number)
        number = hand.open()
    assert [facts["attempt"] for facts in hand.told("reconnected")] == [1, 1, 1]


def test_a_handler_may_forbid_reconnecting() -> None:
    """`prevent_default()` ends the recording instead of opening a new session."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.recorder.failed(first, SonioxConnectionError("lost"), hand.now)
    assert isinstance(hand.go(), Announce)
    hand.recorder.announced(True, hand.now)
    done = hand.go()
    assert isinstance(done, Done) and isinstance(done.error, SonioxConnectionError)


def test_audio_beyond_the_window_is_counted_as_lost() -> None:
    """What the replay window could not keep during an outage is told in `lost_ms`."""
    hand = Hand(auto_reconnect=True, replay_window_sec=2.0)
    first = hand.open()
    hand.capture(500)
    hand.hear(first, final(" one", 0, 500), final_ms=500, total_ms=500)
    hand.lose(first)
    hand.capture(5000)
    assert hand.recorder.lost_ms == 3000
    second = hand.open()
    assert hand.told("reconnected")[-1]["lost_ms"] == 3000
    hand.hear(second, final(" late", 0, 300), final_ms=300, total_ms=300)
    assert hand.told("event")[-1].result.tokens[0].start_ms == 3500


def test_lost_audio_is_counted_once() -> None:
    """Audio that went is counted once, though each new session would begin before it."""
    hand = Hand(auto_reconnect=True, replay_window_sec=1.0, catch_up_speed=None)
    first = hand.open()
    for _ in range(6):
        hand.capture(1000)
    hand.lose(first)  # nothing was final: the first five seconds are gone
    assert hand.recorder.lost_ms == 5000
    hand.now += 60
    second = hand.open()
    hand.capture(1000)
    hand.lose(second)  # and of what this one heard, the sixth
    hand.now += 60
    assert hand.recorder.lost_ms == 6000
    hand.open()
    assert sum(facts["lost_ms"] for facts in hand.told("reconnected")) == 6000


def test_a_pause_is_not_part_of_the_recording() -> None:
    """Audio captured while paused is left out; what came before is made final."""
    hand = Hand()
    first = hand.open()
    hand.capture(300)
    hand.recorder.pause()
    hand.go()
    assert hand.recorder.state is RecordingState.PAUSED
    assert hand.done[-1] == Finalize(first)
    hand.capture(700)
    hand.recorder.resume()
    hand.capture(100)
    assert hand.sent(first) == 400
    assert hand.recorder.state is RecordingState.RECORDING


def test_stop_during_an_outage_still_transcribes_the_rest() -> None:
    """stop() while reconnecting waits for a session, sends it what is left, and finishes."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(1000)
    hand.lose(first)
    hand.recorder.stop()
    second = hand.open()
    assert hand.sent(second) == 1000
    assert hand.done[-1] == End(second)
    hand.recorder.finished(second, hand.now)
    assert hand.go() == Done(None)
    assert hand.told("event")[-1].kind == "finished"
    assert hand.recorder.state is RecordingState.STOPPED


def test_stop_before_any_audio_finishes_without_a_session() -> None:
    """A recording that captured nothing ends well and opens nothing."""
    hand = Hand()
    hand.recorder.stop()
    assert hand.go() == Done(None)
    assert not any(isinstance(action, Open) for action in hand.done)


def test_a_failed_source_ends_after_what_it_gave() -> None:
    """An error of the source is raised after everything captured was transcribed."""
    hand = Hand()
    first = hand.open()
    hand.capture(200)
    error = AudioDeviceError("unplugged")
    hand.recorder.stop(error)
    hand.go()
    assert hand.done[-1] == End(first)
    hand.recorder.finished(first, hand.now)
    assert hand.go() == Done(error)
    assert "finished" not in [event.kind for event in hand.told("event")]


def test_cancel_cuts_every_line() -> None:
    """cancel() abandons the session at once and ends with its error."""
    hand = Hand()
    first = hand.open()
    error = AbortError("enough")
    hand.recorder.cancel(error)
    assert hand.go() == Done(error)
    assert hand.done[-1] == Abandon(first)
    assert hand.recorder.state is RecordingState.CANCELED


def test_a_session_the_server_finished_early_is_replaced() -> None:
    """`finished` before the end of audio was sent is a loss, not an end."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(100)
    hand.recorder.finished(first, hand.now)
    assert isinstance(hand.go(), Announce)


def test_a_replayed_pause_is_not_told_twice() -> None:
    """An endpoint that an earlier session told of is not delivered again by the replay."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(2000)
    hand.hear(first, final(" one", 0, 500), final_ms=500, total_ms=2000)
    endpoint = SttEvent("endpoint", Result((), 1900, 2000))
    hand.recorder.heard(first, endpoint, hand.now)
    hand.lose(first)
    second = hand.open()
    hand.recorder.heard(second, endpoint, hand.now)
    assert [event.kind for event in hand.told("event")].count("endpoint") == 1


def test_the_words_of_two_sessions_are_parted() -> None:
    """A session's first word has no leading space; after a change of sessions it gets one."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(2000)
    hand.hear(first, final("Hello", 0, 300), final(" dear", 300, 600), final_ms=600)
    hand.lose(first)
    second = hand.open()
    hand.hear(second, final("world", 10, 400), final(".", 400, 410), final_ms=410)
    said = [t.text for e in hand.told("event") if e.kind == "result" for t in e.result.tokens]
    assert "".join(said) == "Hello dear world."


def test_scripts_without_spaces_are_joined_as_they_are() -> None:
    """No space is put between the words of two sessions where the script has none."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(2000)
    hand.hear(first, final("今日", 0, 300), final_ms=300)
    hand.lose(first)
    second = hand.open()
    hand.hear(second, final("は", 0, 100), final_ms=100)
    said = [t.text for e in hand.told("event") if e.kind == "result" for t in e.result.tokens]
    assert "".join(said) == "今日は"


def test_a_container_without_restart_ends_with_the_loss() -> None:
    """Audio in a container cannot be replayed; without `restart()` the loss is told, not hidden."""
    hand = Hand(container=True, auto_reconnect=True, can_restart=False)
    first = hand.open()
    hand.recorder.capture(b"ID3 compressed")
    hand.go()
    hand.recorder.failed(first, SonioxConnectionError("lost"), hand.now)
    done = hand.go()
    assert isinstance(done, Done) and "container" in str(done.error)


def test_a_container_is_restarted_and_its_loss_counted() -> None:
    """With `restart()` a new container goes to the new session; what was not final is counted."""
    hand = Hand(container=True, auto_reconnect=True, can_restart=True)
    first = hand.open()
    hand.recorder.capture(b"header")
    hand.go()
    hand.hear(first, final(" one", 0, 400), final_ms=400, total_ms=1500)
    hand.recorder.capture(b"never sent")
    hand.recorder.failed(first, SonioxConnectionError("lost"), hand.now)
    assert isinstance(hand.go(), Announce)
    assert RestartSource() in hand.done
    assert hand.recorder.lost_ms == 1100
    hand.recorder.announced(False, hand.now)
    hand.recorder.container_restarted()
    hand.recorder.capture(b"new header")
    second = hand.open()
    data = b"".join(a.data for a in hand.done if isinstance(a, Send) and a.number == second)
    assert data == b"new header"
    hand.hear(second, final(" two", 0, 300), final_ms=300, total_ms=300)
    assert hand.told("event")[-1].result.tokens[0].start_ms == 1500


def test_too_many_pieces_of_a_container_fail_loudly() -> None:
    """A container whose queue is full ends with `BufferOverflowError` instead of losing a piece."""
    hand = Hand(container=True, buffer_queue_size=2)
    for _ in range(3):
        hand.recorder.capture(b"piece")
    done = hand.go()
    while not isinstance(done, Done):
        done = hand.go()
    assert isinstance(done.error, BufferOverflowError)


@pytest.mark.parametrize("ask", ["finalize", "pause"])
def test_a_finalize_lost_with_its_session_is_asked_again(ask: str) -> None:
    """What was to become final is asked of the next session, once it has heard the audio again."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(1000)
    getattr(hand.recorder, ask)()
    hand.go()
    hand.lose(first)
    second = hand.open()
    assert hand.done.count(Finalize(first)) == 1
    assert hand.sent(second) == 1000
    assert hand.done[-1] == Finalize(second)
    hand.recorder.heard(second, SttEvent("finalized", Result((), 1000, 1000)), hand.now)
    hand.lose(second)
    hand.now += 60
    third = hand.open()
    assert hand.sent(third) > 0
    assert Finalize(third) not in hand.done


def test_a_finalize_of_nothing_is_answered_at_once() -> None:
    """Before any audio there is nothing to ask the service, and nobody is left waiting."""
    hand = Hand()
    first = hand.open()
    hand.recorder.finalize()
    hand.go()
    assert [event.kind for event in hand.told("event")] == ["finalized"]
    assert Finalize(first) not in hand.done


def test_words_without_times_are_not_heard_again() -> None:
    """Final words that tell no times reach as far as the counter says, and come once."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(1000)
    hand.hear(first, Token(" one", is_final=True), final_ms=600, total_ms=1000)
    hand.lose(first)
    second = hand.open()
    assert hand.sent(second) == 400


def test_a_finalize_lost_with_a_container_is_asked_of_the_next() -> None:
    """A container that begins anew is finalised once something of it was sent."""
    hand = Hand(container=True, auto_reconnect=True, can_restart=True)
    first = hand.open()
    hand.recorder.capture(b"header")
    hand.recorder.finalize()
    hand.go()
    assert hand.done[-1] == Finalize(first)
    hand.lose(first)
    second = hand.open()
    assert Finalize(second) not in hand.done
    hand.recorder.container_restarted()
    hand.recorder.capture(b"header")
    hand.go()
    assert hand.done[-1] == Finalize(second)


def test_the_watchdog_replaces_a_session_that_stopped_translating() -> None:
    """Fifteen seconds of originals without any translation bring a new session, words kept."""
    hand = Hand(auto_reconnect=True, translation_watchdog=True, catch_up_speed=None)
    first = hand.open()
    hand.capture(20_000)
    for start in range(0, 16_000, 1000):
        word = final(f" w{start}", start, start + 1000, translation_status="original")
        hand.hear(first, word, final_ms=start + 1000, total_ms=20_000)
    assert Abandon(first) in hand.done
    second = hand.open()
    assert second != first
    assert hand.sent(second) == 20_000  # from the first original that is still owed


def test_a_slow_line_catches_up_at_twice_the_pace() -> None:
    """After the burst of ten seconds, waiting audio goes out at twice real time and no faster."""
    hand = Hand(catch_up_speed=2.0, catch_up_burst_sec=10.0)
    hand.go()
    hand.capture(60_000)
    first = hand.open()
    assert hand.sent(first) == 10_000
    hand.now += 5.0
    hand.go()
    assert hand.sent(first) == 20_000


def test_reconnect_changes_the_session_without_an_attempt() -> None:
    """reconnect() replaces the session at once, asks nobody and loses nothing."""
    hand = Hand()
    first = hand.open()
    hand.capture(500)
    hand.recorder.reconnect()
    second = hand.open()
    assert hand.sent(second) == 500
    assert Abandon(first) in hand.done
    assert hand.told("reconnected") == [{"attempt": 0, "replayed_ms": 500, "lost_ms": 0}]


def test_a_service_that_never_finishes_counts_as_lost() -> None:
    """After the end of audio, ten seconds without a word are a loss, not a wait for ever."""
    hand = Hand(auto_reconnect=True)
    first = hand.open()
    hand.capture(100)
    hand.recorder.stop()
    wait = hand.go()
    assert isinstance(wait, Wait) and wait.until == 10.0
    hand.now = 10.0
    assert isinstance(hand.go(), Announce)
    assert Abandon(first) in hand.done
