"""`python -m tests.fuzz [TARGET ...] [--inputs N] [--seed S]`: see docs/fuzzing.rst."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.engine import Report, run
from tests.fuzz.targets import NAMES, load

# what a hostile input may make the process hold: more is a MemoryError, and so a finding
_MEMORY_BYTES = 2 * 1024**3


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, most))


def _show(report: Report, folder: Path) -> None:
    rate = report.inputs / report.seconds if report.seconds else 0
    print(
        f"{report.target:<11}{report.inputs:>10,} inputs {report.seconds:>8.1f} s {rate:>8,.0f}/s "
        f"{report.lines:>6,} lines {report.pool:>5} kept  {len(report.findings)} findings",
        flush=True,
    )
    for finding in report.findings.values():
        path = folder / report.target / finding.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(finding.data)
        print(f"\n{path}: {finding.where}\n{finding.data[:200]!r}\n{finding.trace}", flush=True)


def main() -> int:
    """Run the targets; return 1 if there were findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[[], *NAMES], help="default: all of them")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, default=Path("build/fuzz"), help="for findings")
    given = parser.parse_args()
    _limit_memory()
    reports = []
    for name in given.target or NAMES:
        reports.append(run(load(name), given.inputs, given.seed))
        _show(reports[-1], given.save)
    return 1 if any(report.findings for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
