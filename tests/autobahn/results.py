"""Results of the suite: the kept ones, and why those are right that are not `OK`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "results.txt"

# of behaviour, and of how the connection was closed; INFORMATIONAL says what the suite saw where
# the RFC leaves the choice
_GOOD = frozenset({"OK", "INFORMATIONAL"})
# the start of a case's number, its result -> why that is right
_COMPRESSED = "permessage-deflate is not offered: audio does not shrink, and results are small"
_LATE = "a text that is not UTF-8 is refused when it is whole, by the parser of its JSON"
EXPLAINED: Mapping[tuple[str, str], str] = {
    ("6.4.", "NON-STRICT"): _LATE,
    ("12.", "UNIMPLEMENTED"): _COMPRESSED,
    ("13.", "UNIMPLEMENTED"): _COMPRESSED,
}

Table = dict[str, tuple[str, str]]


def table_of(cases: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return behaviour and close of each case, in the order of the suite."""
    order = sorted(cases, key=lambda name: [int(part) for part in name.split(".")])
    return {name: (cases[name]["behavior"], cases[name]["behaviorClose"]) for name in order}


def explanation(case: str, result: str) -> str:
    """Return why a result is right, the empty string for one that needs no reason or has none."""
    found = (
        why
        for (start, what), why in EXPLAINED.items()
        if f"{case}.".startswith(start) and what == result
    )
    return next(found, "")


def unexplained(index: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return a line for each result that is neither good nor explained."""
    return [
        f"{agent} {case}: {result}"
        for agent, cases in index.items()
        for case, results in table_of(cases).items()
        for result in results
        if result not in _GOOD and not explanation(case, result)
    ]


def differences(index: Mapping[str, Mapping[str, Any]], table: Mapping[str, Table]) -> list[str]:
    """Return a line for each result that is not the kept one."""
    lines = []
    for agent, cases in index.items():
        found, before = table_of(cases), table.get(agent, {})
        for case in sorted({*found, *before}):
            if found.get(case) != before.get(case):
                lines.append(f"{agent} {case}: {found.get(case)}, kept {before.get(case)}")
    return lines


def kept() -> dict[str, Table]:
    """Return the kept results, by agent."""
    found: dict[str, Table] = {"plain": {}, "fast": {}}
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            case, *results = line.split()
            found["plain"][case] = results[0], results[1]
            found["fast"][case] = results[2], results[3]
    return found


def write(index: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the results of both agents as the kept ones."""
    plain, fast = table_of(index["plain"]), table_of(index["fast"])
    lines = ["# case, then behaviour and close: plain, and with the extra `fast`"]
    lines += [f"{case:<8} {' '.join((*plain[case], *fast[case]))}" for case in plain]
    GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
