"""Storm in small: fifty of the random schedules of `tests/soak/storm.py`, always the same ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from soniox_sync.protocol.tokens import Token
from tests.soak.schedules import Plan, make_plan
from tests.soak.storm import Outcome, check_words, storm

pytestmark = pytest.mark.slow

SEEDS = range(50)


def test_a_storm_loses_doubles_and_mistimes_no_word() -> None:
    """Through outages, cuts, refusals and rotations recordings are whole, and end as they must."""
    report = storm(SEEDS)
    assert not report.failures, "\n".join(map(str, report.failures))
    assert report.schedules == len(SEEDS)
    assert report.reconnects > 20 and report.words > 300


def transcribed(plan: Plan) -> Outcome:
    """Return what a recording of a plan should deliver."""
    words = [Token(f" w{n}", start, end, 0.9, True) for n, start, end in plan.speech.words]
    return Outcome(finals=words)


def later(word: Token) -> Token:
    """Return a word that ends 3 ms too late."""
    assert word.end_ms is not None
    return Token(word.text, word.start_ms, word.end_ms + 3, 0.9, True)


DAMAGE = {
    "missing": lambda words: words[:2] + words[3:],
    "doubled": lambda words: words[:3] + words[2:],
    "late": lambda words: [*words[:2], later(words[2]), *words[3:]],
    "incomplete": lambda words: words[:-1],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_storm_notices_what_is_wrong(damage: str) -> None:
    """A word that is missing, doubled or mistimed, and audio that is lost, fail a schedule."""
    plan = next(plan for plan in map(make_plan, SEEDS) if not plan.loses and not plan.translates)
    outcome = transcribed(plan)
    check_words(plan, outcome)
    with pytest.raises(AssertionError, match="lost_ms is 1"):
        check_words(plan, replace(outcome, lost_ms=1))
    outcome.finals = DAMAGE[damage](outcome.finals)
    with pytest.raises(AssertionError, match="w"):
        check_words(plan, outcome)
