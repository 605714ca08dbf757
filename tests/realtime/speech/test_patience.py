"""For how long a speech tries again, rule by rule; jitter is left out where delays are compared."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional

import pytest

from soniox_sync.config import TtsStreamConfig
from soniox_sync.config.patience import Patience
from soniox_sync.errors import SonioxConnectionError, error_from_frame
from soniox_sync.realtime.speech.engine import Engine, PartQueue
from soniox_sync.realtime.speech.planner import Part, Planner, Progress, SpeechLimits
from soniox_sync.realtime.speech.retrying import Retries, may_try_again
from soniox_sync.recorder import outage
from tests.waiting import WAIT, ManualClock

LOSS = SonioxConnectionError("lost")
STALLED = SonioxConnectionError("no audio", code="stalled")


def limit_exceeded(retry_after_sec: Optional[float] = None) -> Any:
    error: Any = error_from_frame({"error_code": 429, "error_type": "limit_exceeded"})
    error.retry_after_sec = retry_after_sec
    return error


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage.Outage.__init__, "__defaults__", (lambda: 1.0,))


def patient(**options: Any) -> Retries:
    return Retries(
        Patience(**{"max_reconnect_attempts": None, "give_up_after_sec": 60.0, **options})
    )


def stream(
    part: Part, *, opened_at: float, audio_sec: float = 0.0, last_audio_at: Optional[float] = None
) -> Any:
    """Return a stream of a part that has ended with this much audio."""
    part.progress = Progress()
    part.progress.audio_sec = audio_sec
    part.progress.has_audio = last_audio_at is not None
    part.progress.last_audio_at = last_audio_at or 0.0
    return SimpleNamespace(part=part, opened_at=opened_at)


def lose(
    retries: Retries, part: Part, now: float, attempt: Any = None, error: Any = LOSS
) -> Optional[float]:
    return retries.next_delay(part, attempt, error, now, alone=True)


def test_a_part_is_tried_again_like_a_session() -> None:
    """At once, then after delays that double; when patience ends the last error is raised."""
    retries, part = patient(give_up_after_sec=6.0), Part(0)
    retries.opening(part, 0.0)
    assert [lose(retries, part, now) for now in (0.0, 0.0, 1.0)] == [0.0, 1.0, 2.0]
    assert lose(retries, part, 3.0) == 3.0  # the rest of patience
    assert lose(retries, part, 6.0) is None
    told = retries.gave_up(part, LOSS, 6.0)
    assert str(told) == ("lost. Gave up after 4 attempts to connect in 6 s (give_up_after_sec)")
    retries.opened(Part(1))  # the speech was connected once
    assert "4 attempts to reconnect in 6 s" in str(retries.gave_up(part, LOSS, 6.0))


def test_each_part_has_an_outage_of_its_own() -> None:
    """Two parts that lose the same connection are both tried again at once."""
    retries = patient()
    assert [lose(retries, Part(number), 0.0) for number in (0, 1)] == [0.0, 0.0]


@pytest.mark.parametrize(("audio_sec", "delay"), [(4.9, 1.0), (5.0, 0.0)])
def test_a_stream_with_five_seconds_of_audio_was_stable(audio_sec: float, delay: float) -> None:
    """5 s of audio, and no less, end the outage before a stream."""
    retries, part = patient(), Part(0)
    lose(retries, part, 0.0)
    attempt = stream(part, opened_at=0.0, audio_sec=audio_sec, last_audio_at=1.0)
    assert lose(retries, part, 1.0, attempt) == delay


@pytest.mark.parametrize(("last_audio_at", "delay"), [(109.9, 1.0), (110.0, 0.0)])
def test_a_stream_that_lived_was_stable(last_audio_at: float, delay: float) -> None:
    """A stream lived from its start until its last audio, whenever its end was noticed."""
    retries, part = patient(), Part(0)
    lose(retries, part, 99.0)
    attempt = stream(part, opened_at=100.0, audio_sec=1.0, last_audio_at=last_audio_at)
    assert lose(retries, part, 130.0, attempt, STALLED) == delay


def test_a_stream_without_audio_was_never_stable() -> None:
    """A service that takes text and never speaks is given up, however long each stream is open."""
    retries, part = patient(), Part(0)
    made = 0
    for now in (20.0, 40.0, 60.0, 80.0, 100.0):
        retries.opening(part, now - 20.0)
        retries.opened(part)
        attempt = stream(part, opened_at=now - 20.0)
        if lose(retries, part, now, attempt, STALLED) is None:
            break
        made += 1
    assert made == 3


def test_the_time_before_the_first_text_counts() -> None:
    """An outage that began while the first text was awaited is not longer than any other."""
    retries, part = patient(give_up_after_sec=5.0), Part(0)
    assert retries.connecting_sec(10.0) == 5.0
    retries.connecting_failed(10.0)
    retries.opening(part, 14.0)
    assert lose(retries, part, 14.5) == 0.0
    assert lose(retries, part, 15.0) is None
    later = Part(1)
    retries.opening(later, 100.0)
    assert lose(retries, later, 104.9) == 0.0


def test_connecting_may_not_outlast_patience() -> None:
    """An attempt may take what is left of patience, at least 5 s, without patience any time."""
    retries, part = patient(give_up_after_sec=20.0), Part(0)
    assert retries.opening(part, 0.0) == 20.0
    lose(retries, part, 12.0)
    assert retries.opening(part, 12.0) == 8.0
    lose(retries, part, 19.0)
    assert retries.opening(part, 19.0) == 5.0
    assert patient(give_up_after_sec=None).opening(part, 0.0) is None


def test_a_limit_of_streams_waits_for_the_speech_s_own_stream() -> None:
    """While another stream of the speech is open, too many streams are no outage."""
    retries, part = patient(give_up_after_sec=2.0, max_reconnect_delay_sec=7.0), Part(1)
    refused = limit_exceeded()
    assert retries.next_delay(part, None, refused, 0.0, alone=False) == 1.0
    assert retries.next_delay(part, None, refused, 2.0, alone=False) == 7.0
    assert retries.next_delay(part, None, refused, 2.0, alone=True) is None


def test_the_slot_of_a_part_that_ended_is_used_at_once() -> None:
    """A part refused for too many streams is tried again when another one ends, with patience."""
    retries, first, second = patient(), Part(0), Part(1)
    retries.next_delay(second, None, limit_exceeded(), 0.0, alone=False)
    assert retries.next_delay(second, None, limit_exceeded(), 1.0, alone=False) == 2.0
    assert retries.part_ended(first) == {second}
    assert retries.part_ended(first) == set()
    assert retries.next_delay(second, None, limit_exceeded(), 500.0, alone=True) == 1.0


def test_a_wait_that_the_service_asked_for_is_not_cut_short() -> None:
    """After a `Retry-After` the end of another part changes nothing."""
    retries, second = patient(), Part(1)
    delay = retries.next_delay(second, None, limit_exceeded(9.0), 0.0, alone=False)
    assert delay == 9.0
    assert retries.part_ended(Part(0)) == set()


def test_a_part_that_waits_is_hastened() -> None:
    """`hasten()` makes a later attempt due now, and never delays one."""
    planner = Planner(SpeechLimits())
    planner.add("Hello there. ", 0.0)
    (send,) = planner.decide(1.0)
    assert planner.restart(send.part, 0, 50.0)
    assert planner.decide(2.0) == []
    planner.hasten(send.part, 2.0)
    assert planner.decide(2.0)[0].text == "Hello there. "
    send.part.not_before = 1.0
    planner.hasten(send.part, 9.0)
    assert send.part.not_before == 1.0


@pytest.mark.parametrize(
    ("code", "error_type", "at_first", "resumed"),
    [
        (400, "invalid_request", False, False),
        (400, "invalid_stream_state", False, True),
        (401, "unauthenticated", False, False),
        (402, "organization_balance_exhausted", False, False),
        (408, "request_timeout", True, True),
        (413, "max_audio_duration_reached", False, True),
        (429, "limit_exceeded", True, True),
        (500, "internal_error", True, True),
        (503, "service_unavailable", True, True),
    ],
)
def test_which_errors_another_stream_may_avoid(
    code: int, error_type: str, at_first: bool, resumed: bool
) -> None:
    """Outages and limits are tried again, some refusals only for the rest of a text."""
    error = error_from_frame({"error_code": code, "error_type": error_type})
    assert may_try_again(error, resumed=False) is at_first
    assert may_try_again(error, resumed=True) is resumed


# -- in a speech -----------------------------------------------------------------------------------

CONFIG = TtsStreamConfig(
    model="tts-rt-v2",
    language="en",
    voice="Adrian",
    audio_format="pcm_s16le",
    sample_rate=16_000,
    stream_id="s",
)


class Opener:
    """Service of one speech: each step takes `sec` on the clock and then fails or works."""

    def __init__(self, clock: ManualClock, sec: float, *, prepares: bool, opens: int) -> None:
        self._clock = clock
        self._sec = sec
        self._prepares = prepares
        self._opens = opens  # so many streams are open for `sec`, and fail without audio
        self.limits: list[Optional[float]] = []  # of each connect
        self.opened = 0

    def _take(self, connect_sec: Optional[float], works: bool) -> None:
        self.limits.append(connect_sec)
        self._clock.advance(self._sec)
        if not works:
            raise LOSS

    def prepare(self, connect_sec: Optional[float]) -> None:
        self._take(connect_sec, self._prepares)

    def open(self, config: TtsStreamConfig, wait_sec: float, connect_sec: Optional[float]) -> Any:
        self.opened += 1
        if self.opened > self._opens:
            self._take(connect_sec, works=False)
        observers: list[Any] = []

        def send_text(text: str, *, end: bool) -> None:
            self._clock.advance(self._sec)
            observers[0].failed(LOSS)

        return SimpleNamespace(
            config=config,
            observe=observers.append,
            send_text=send_text,
            cancel=lambda deadline: None,
        )

    def replace_connection(self, error: SonioxConnectionError) -> None:
        """Do nothing."""

    def interrupt(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def ended(sec: float, *, prepares: bool, opens: int, **options: Any) -> tuple[Opener, str]:
    """Let a speech fail; return its service, and the message of the error it ends with."""
    clock = ManualClock(0)
    opener = Opener(clock, sec, prepares=prepares, opens=opens)
    patience = Patience(
        **{"max_reconnect_attempts": None, "reconnect_base_delay_sec": 0.0, **options}
    )
    engine = Engine("Hello.", opener, CONFIG, SpeechLimits(), patience, clock=clock)
    engine.start()
    part = engine.parts.get(timeout=WAIT)
    assert isinstance(part, PartQueue)
    while (error := getattr(part.items.get(timeout=WAIT), "error", None)) is None:
        pass
    engine.close(WAIT)
    return opener, str(error)


def test_a_speech_whose_first_connection_hung_gives_up_in_time() -> None:
    """The connect made before the first text is part of the outage, and of its time limit."""
    opener, error = ended(5.0, prepares=False, opens=0, give_up_after_sec=10.0)
    assert opener.opened == 1
    assert opener.limits == [10.0, 5.0]
    assert error == "lost"  # the time is over before an attempt was possible


def test_a_stream_that_was_open_is_no_outage_until_it_is_lost() -> None:
    """The clock starts when a stream is lost, not when it was opened."""
    opener, error = ended(8.0, prepares=True, opens=1, give_up_after_sec=6.0)
    assert opener.opened == 2
    assert "Gave up after 1 attempt" in error
