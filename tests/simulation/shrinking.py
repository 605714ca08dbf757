"""Making a failing schedule short: as few switches between threads as the failure survives."""

from __future__ import annotations

from typing import Optional

from .runner import Result, run_one
from .scenarios import scenario
from .strategies import Scripted

_MAX_RUNS = 400
_Switches = list[tuple[int, int]]


def shrunk(result: Result) -> Result:
    """Return a run that fails in the same way with fewer switches; `result` if there is none."""
    best = _replay(result, result.switches)
    if best is None:
        return result
    runs = 0
    size = max(1, len(best.switches) // 2)
    while size and runs < _MAX_RUNS:
        start = 0
        while start < len(best.switches) and runs < _MAX_RUNS:
            runs += 1
            fewer = best.switches[:start] + best.switches[start + size :]
            shorter = _replay(result, fewer)
            if shorter is not None and len(shorter.switches) < len(best.switches):
                best = shorter
            else:
                start += size
        size //= 2
    print(f"shrunk from {len(result.switches)} switches to {len(best.switches)} in {runs} runs")
    return best


def _replay(result: Result, switches: _Switches) -> Optional[Result]:
    """Run with the given switches; return it if it fails as `result` did."""
    assert result.failure is not None
    again = run_one(
        result.scenario,
        scenario(result.scenario),
        result.seed,
        strategy=Scripted(result.seed, switches),
        record=True,
    )
    same = again.failure is not None and again.failure.kind == result.failure.kind
    return again if same else None
