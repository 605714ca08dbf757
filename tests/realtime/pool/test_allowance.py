"""How a pool learns from refusals how many streams an account allows, rule by rule."""

from __future__ import annotations

import pytest

from soniox_sync.realtime.pool.allowance import Allowance


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)


def test_the_most_is_permitted_until_a_refusal() -> None:
    """Without a refusal only the pool's own bound counts."""
    allowance = Allowance(5)
    assert allowance.permits(4, 100.0)
    assert not allowance.permits(5, 100.0)


def test_a_refusal_permits_one_stream_fewer_after_a_pause() -> None:
    """Five active streams were one too many: after 0.5 s four are permitted."""
    allowance = Allowance(10)
    allowance.refused(5, 100.0)
    assert not allowance.permits(0, 100.49)
    assert allowance.permits(3, 100.5)
    assert not allowance.permits(4, 100.5)


def test_pauses_double_up_to_8_s_until_a_stream_is_accepted() -> None:
    """Consecutive refusals wait longer; one accepted stream ends the series."""
    allowance = Allowance(10)
    pauses = []
    for _ in range(6):
        allowance.refused(5, 100.0)
        pauses.append(allowance.pause_until - 100.0)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    allowance.accepted()
    allowance.refused(5, 100.0)
    assert allowance.pause_until == 100.5


def test_one_stream_is_always_permitted() -> None:
    """An account that refuses the first stream is asked again after the pause."""
    allowance = Allowance(10)
    for active in (3, 2, 1, 1):
        allowance.refused(active, 100.0)
    assert allowance.permits(0, 110.0)
    assert not allowance.permits(1, 110.0)


def test_a_later_refusal_raises_nothing() -> None:
    """The bound that an earlier refusal set is kept when one comes with more streams."""
    allowance = Allowance(10)
    allowance.refused(3, 100.0)
    allowance.refused(9, 101.0)
    assert allowance.permits(1, 110.0)
    assert not allowance.permits(2, 110.0)


def test_after_30_s_without_a_refusal_one_more_is_tried() -> None:
    """One more stream is tried every 30 s, until the pool's own bound is reached again."""
    allowance = Allowance(4)
    allowance.refused(3, 100.0)
    assert not allowance.permits(2, 130.0)
    assert allowance.permits(2, 130.1)
    assert not allowance.permits(3, 160.1)
    assert allowance.permits(3, 160.2)
    assert not allowance.permits(4, 1000.0)
