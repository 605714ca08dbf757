"""How long answers took, over all turns."""

from __future__ import annotations

import pytest

from soniox_sync import Latency, Turn
from soniox_sync.conversation.turns import measure, quantile


def turn(total: float | None = None, *, interrupted: bool = False) -> Turn:
    if total is None:
        return Turn("", "Hello.", "Hello.", interrupted)
    return Turn("Hi.", latency=Latency(total, total / 2, total / 4, total / 4))


def test_metrics_count_turns_and_measure_answers() -> None:
    """Count and interrupted of all; median and p95 of each time of the turns that have it."""
    turns = [turn(), turn(interrupted=True), *[turn(float(sec)) for sec in range(1, 102)]]
    found = measure(turns)
    assert (found.count, found.interrupted) == (103, 1)
    assert found.median == Latency(51.0, 25.5, 12.75, 12.75)
    assert found.p95.total_sec == 96.0


def test_metrics_of_nothing_are_none() -> None:
    """Before the first answer there is no time."""
    found = measure([turn()])
    assert found.median == found.p95 == Latency()
    assert measure([]).count == 0


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([], 0.5, None), ([1.0], 0.95, 1.0), ([1.0, 2.0], 0.5, 1.5), ([1.0, 2.0, 9.0], 0.5, 2.0)],
)
def test_a_share_may_lie_between_two_values(
    values: list[float], share: float, found: float | None
) -> None:
    """As medians do."""
    assert quantile(values, share) == found


def test_reprs_show_what_matters() -> None:
    """Of turns, times, silence and metrics."""
    assert repr(Latency()) == "<Latency none>"
    shown = repr(Turn("Hi.", "Hello there.", "Hello", interrupted=True))
    assert shown == "<Turn 'Hi.' -> 'Hello' interrupted>"
    assert "2 turns, 1 interrupted" in repr(measure([turn(), turn(interrupted=True)]))
