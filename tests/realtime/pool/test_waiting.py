"""Callers that wait for a slot while a pool pauses after a refusal."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from soniox_sync.realtime.pool import allowance
from soniox_sync.realtime.pool.table import SlotTable
from tests.waiting import WAIT, Task


@pytest.mark.parametrize("looks", range(1, 5))
def test_a_pause_that_ends_between_two_looks_at_the_clock_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """Whenever the pause is over, a caller that waits without a limit gets the free slot."""
    monkeypatch.setattr(allowance.random, "uniform", lambda low, high: 0.02)
    # the pause begins at 0 s, and after some looks at the clock it is long over
    moments = itertools.chain([0.0] * looks, itertools.repeat(1000.0))
    connection: Any = SimpleNamespace()
    table = SlotTable(lambda: connection, 1, 1, lambda: next(moments))
    table.limit_exceeded()
    taken, retired = Task(lambda: table.take(None)).result(WAIT)
    assert taken.taken == 1 and not retired
