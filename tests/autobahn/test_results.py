"""The kept results of the Autobahn test suite: nothing failed, and what is not OK has a reason."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.autobahn.results import differences, explanation, kept, unexplained

_AGENTS = ("plain", "fast")


def case(behavior: str, close: str = "OK") -> dict[str, str]:
    """Return a case as the suite reports it."""
    return {"behavior": behavior, "behaviorClose": close}


@pytest.mark.parametrize("agent", _AGENTS)
def test_no_kept_case_failed(agent: str) -> None:
    """All 517 cases of the suite were run, and each passed or is explained."""
    table = kept()[agent]
    assert len(table) == 517
    index = {agent: {name: case(*results) for name, results in table.items()}}
    assert unexplained(index) == []
    found = Counter(behavior for behavior, _ in table.values())
    assert found == {"OK": 294, "INFORMATIONAL": 3, "NON-STRICT": 4, "UNIMPLEMENTED": 216}


def test_both_ways_have_the_same_results() -> None:
    """The extra `fast` changes no result."""
    assert kept()["plain"] == kept()["fast"]


@pytest.mark.parametrize(
    ("name", "result"), [("1.1.1", "NON-STRICT"), ("6.4.1", "FAILED"), ("7.1.1", "UNCLEAN")]
)
def test_a_result_without_a_reason_is_reported(name: str, result: str) -> None:
    """What failed, or is not strict without a reason, is named with its case."""
    for found in (case(result), case("OK", result)):
        assert unexplained({"plain": {name: found}}) == [f"plain {name}: {result}"]


def test_reasons_are_those_of_whole_groups() -> None:
    """The reason of group 12 is not that of case 1.2."""
    assert explanation("12.1.1", "UNIMPLEMENTED")
    assert not explanation("1.2.1", "UNIMPLEMENTED") and not explanation("12.1.1", "FAILED")


def test_a_changed_result_is_reported() -> None:
    """A result that is not the kept one is named with both, and so is a case that is missing."""
    table = {"plain": {"1.1.1": ("OK", "OK"), "1.1.2": ("OK", "OK")}}
    lines = differences({"plain": {"1.1.1": case("FAILED")}}, table)
    assert lines == [
        "plain 1.1.1: ('FAILED', 'OK'), kept ('OK', 'OK')",
        "plain 1.1.2: None, kept ('OK', 'OK')",
    ]
