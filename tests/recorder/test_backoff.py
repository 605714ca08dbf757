"""Back-off and patience of one outage, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from soniox_sync._support.checks import MAX_SECONDS
from soniox_sync.config.patience import Patience
from soniox_sync.errors import NetworkError, SonioxConnectionError
from soniox_sync.recorder.outage import Outage
from tests.recorder.driver import frame_error

LOSS = SonioxConnectionError("lost")
LIMITLESS: dict[str, Any] = {"max_reconnect_attempts": None, "give_up_after_sec": None}


def outage(jitter: float = 1.0, **options: Any) -> Outage:
    return Outage(Patience(**{**LIMITLESS, **options}), jitter=lambda: jitter)


def delays(of: Outage, count: int, error: BaseException = LOSS) -> list[float]:
    """Return the delays of `count` attempts that fail at once, in virtual time."""
    now, found = 0.0, []
    for _ in range(count):
        delay = of.next_delay(error, now)
        assert delay is not None
        found.append(delay)
        now += delay
    return found


# -- how soon --------------------------------------------------------------------------------------


def test_delays_double_from_the_base_up_to_the_ceiling() -> None:
    """The first attempt is made at once; then the base delay doubles until the ceiling."""
    assert delays(outage(), 9) == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert delays(outage(reconnect_base_delay_sec=0.5, max_reconnect_delay_sec=0.75), 4) == [
        0.0,
        0.5,
        0.75,
        0.75,
    ]


def test_a_base_above_the_ceiling_is_clamped() -> None:
    """The ceiling also applies to the base delay."""
    assert delays(outage(reconnect_base_delay_sec=5.0, max_reconnect_delay_sec=2.0), 3) == [
        0.0,
        2.0,
        2.0,
    ]


def test_no_delay_grows_without_end() -> None:
    """After thousands of attempts a delay is still the ceiling, which a thread can wait for."""
    longest = outage(
        reconnect_base_delay_sec=MAX_SECONDS, max_reconnect_delay_sec=float(MAX_SECONDS)
    )
    assert delays(longest, 3000)[-1] == MAX_SECONDS


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_jitter_takes_up_to_half(jitter: float, share: float) -> None:
    """Jitter shortens a delay by up to half, also at the ceiling; it never lengthens one."""
    assert delays(outage(jitter), 8) == [
        share * delay for delay in (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)
    ]


def test_by_default_jitter_is_random() -> None:
    """Two clients that lose their connections together do not return together."""
    patience = Patience(**LIMITLESS)
    first, second = [Outage(patience) for _ in range(2)]
    assert delays(first, 12) != delays(second, 12)


@pytest.mark.parametrize("code", [408, 413, 500, 503])
def test_the_first_attempt_after_an_outage_s_error_is_made_at_once(code: int) -> None:
    """Every kind of outage is followed by an immediate attempt, then by the base delay."""
    assert delays(outage(), 2, frame_error(code)) == [0.0, 1.0]


def test_too_many_requests_are_never_repeated_at_once() -> None:
    """After a 429 the first attempt waits for the base delay, and the delay doubles from there."""
    assert delays(outage(), 3, frame_error(429, "limit_exceeded")) == [1.0, 2.0, 4.0]
    # a number that the service has not documented
    assert delays(outage(), 1, frame_error(430, "max_concurrent_connections_reached")) == [1.0]


def test_retry_after_is_waited_for_exactly() -> None:
    """`Retry-After` replaces a shorter delay, ceiling or not, and no jitter shortens it."""
    longer = frame_error(429, "limit_exceeded", 45.0)
    assert delays(outage(0.0), 2, longer) == [45.0, 45.0]
    shorter = frame_error(429, "limit_exceeded", 0.7)
    assert delays(outage(), 3, shorter) == [1.0, 2.0, 4.0]
    endless = frame_error(429, "limit_exceeded", 1e300)
    assert delays(outage(), 1, endless) == [MAX_SECONDS]


# -- how often, and for how long -------------------------------------------------------------------


@pytest.mark.parametrize("most", [0, 1, 3])
def test_exactly_as_many_attempts_as_allowed(most: int) -> None:
    """`max_reconnect_attempts` attempts are made, and not one more."""
    limited = outage(max_reconnect_attempts=most)
    delays(limited, most)
    assert limited.attempt == most
    assert limited.next_delay(LOSS, 1000.0) is None
    assert limited.attempt == most


def test_the_last_attempt_is_made_when_patience_ends() -> None:
    """With 60 s of patience the last delay is cut so that its attempt is made at 60 s."""
    patient = outage(give_up_after_sec=60.0)
    assert delays(patient, 7) == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 29.0]
    assert patient.next_delay(LOSS, 60.0) is None


def test_patience_ends_at_its_limit() -> None:
    """A failure just before the limit is followed by an attempt, one at the limit is not."""
    patient = outage(give_up_after_sec=10.0)
    assert patient.next_delay(LOSS, 100.0) == 0.0
    assert patient.next_delay(LOSS, 109.5) == 0.5
    assert patient.next_delay(LOSS, 110.0) is None


def test_no_patience_means_no_attempt() -> None:
    """`give_up_after_sec=0` makes no attempt at all."""
    assert outage(give_up_after_sec=0.0).next_delay(LOSS, 5.0) is None


def test_a_retry_after_beyond_patience_ends_it_at_once() -> None:
    """A wait longer than what is left of patience is not begun; one that just fits is."""
    patient = outage(give_up_after_sec=10.0)
    assert patient.next_delay(frame_error(429, "limit_exceeded", 10.5), 0.0) is None
    assert patient.next_delay(frame_error(429, "limit_exceeded", 10.0), 0.0) == 10.0


def test_whichever_limit_is_reached_first_ends_it() -> None:
    """Count and clock are independent of each other."""
    by_count = outage(max_reconnect_attempts=2, give_up_after_sec=60.0)
    delays(by_count, 2)
    assert by_count.next_delay(LOSS, 1.0) is None
    by_clock = outage(max_reconnect_attempts=20, give_up_after_sec=2.0)
    delays(by_clock, 3)
    assert by_clock.next_delay(LOSS, 2.0) is None


@pytest.mark.parametrize(
    ("sec", "shown"),
    [(0.00281, "less than 0.1 s"), (0.1234, "0.1 s"), (9.94, "9.9 s"), (61.27, "61 s")],
)
def test_the_time_of_an_outage_is_rounded(sec: float, shown: str) -> None:
    """The time that was tried is shown in figures that a reader can use."""
    tried = outage(max_reconnect_attempts=1)
    delays(tried, 1)
    error = frame_error(503, "service_unavailable")
    assert f"to connect in {shown} (" in str(tried.gave_up(error, sec))


def test_the_reason_to_stop_is_added_to_the_last_error() -> None:
    """Class and facts of the error stay; the message adds attempts, time and limit."""
    patient = outage(give_up_after_sec=2.0)
    delays(patient, 3)
    error = frame_error(503, "service_unavailable")
    told = patient.gave_up(error, 2.0)
    assert isinstance(told, NetworkError)
    assert (told.status_code, told.error_type, told.request_id) == (
        503,
        "service_unavailable",
        "r-1",
    )
    assert str(told).startswith(str(error))
    assert str(told).endswith("Gave up after 3 attempts to connect in 2 s (give_up_after_sec)")
    counted = outage(max_reconnect_attempts=1)
    delays(counted, 1)
    assert str(counted.gave_up(error, 0.5)).endswith(
        "Gave up after 1 attempt to connect in 0.5 s (max_reconnect_attempts)"
    )
    counted.connected()
    assert "1 attempt to reconnect in 0.5 s" in str(counted.gave_up(error, 0.5))
    assert outage().gave_up(error, 0.0) is error  # nothing was tried
