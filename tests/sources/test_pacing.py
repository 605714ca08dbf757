"""`Gate` and `Pace`: when a chunk is due."""

from __future__ import annotations

import pytest

from soniox_sync.errors import ConfigurationError, InputTypeError
from soniox_sync.sources.pacing import Gate, Pace, speed_of
from tests.sources.helpers import SkippingClock


def test_the_worked_example() -> None:
    """Late chunks catch up, but by at most one second."""
    clock = SkippingClock()
    start = clock.time
    pace = Pace(Gate(clock), 1.0)
    out = []
    for ready in (0.0, 0.30, 0.30, 9.36, 9.36, 9.36):
        clock.time = max(clock.time, start + ready)
        assert pace.wait(120, 1000.0)
        out.append(round(clock.time - start, 3))
    assert out[:4] == [0.0, 0.30, 0.30, 9.36]
    assert out[4:] == [9.36, 9.36]
    for _ in range(20):
        pace.wait(120, 1000.0)
    # 26 chunks of 120 ms: at the fourth the schedule dropped its backlog above one second
    assert clock.time - start == pytest.approx(9.36 - 1.0 + 22 * 0.12)


def test_pauses_do_not_count() -> None:
    """The schedule stops while paused."""
    clock = SkippingClock()
    gate = Gate(clock)
    clock.time += 1
    gate.pause()
    clock.time += 5
    assert gate.played() == pytest.approx(101.0)
    gate.resume()
    clock.time += 1
    assert gate.played() == pytest.approx(102.0)


@pytest.mark.parametrize(
    ("pace", "speed"), [(None, None), (False, None), (0, None), (True, 1.0), (1, 1.0), (2.5, 2.5)]
)
def test_speeds(pace: object, speed: object) -> None:
    """`True` is real time, a number a multiple of it, `False`, `None` and 0 are no pacing."""
    assert speed_of(pace) == speed  # type: ignore[arg-type]


def test_refused_speeds() -> None:
    """A negative pace and one that is not a number are refused by name."""
    with pytest.raises(ConfigurationError, match=r"^pace: expected a number of at least 0, got -1"):
        speed_of(-1)
    with pytest.raises(InputTypeError, match=r"^pace: expected a number, got str"):
        speed_of("fast")  # type: ignore[arg-type]
