"""`python -m tests.mutation [PACKAGE ...] [--sample N --seed S]`: what would no test miss?"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Optional

from .equivalents import EQUIVALENTS
from .forking import Verdict
from .mutants import Mutant, mutants_of, sample
from .project import PACKAGES, Project
from .recording import Record, record
from .trying import Task, Uses, plan, try_all


def main(arguments: Optional[list[str]] = None) -> int:
    """Try mutants of some packages; return 0 if enough are killed in each, else 1.

    argparse exits with 2 if the arguments are wrong.
    """
    options = _parser().parse_args(arguments)
    # threads that numpy starts, and children would lack
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # each pytest of ours has its own arguments
    os.environ.pop("PYTEST_ADDOPTS", None)
    project = Project(options.root.resolve(), options.name)
    os.chdir(project.root)
    enough = True
    for folder in options.package or PACKAGES:
        known = record(project, project.test_files(folder))
        mutants = [
            m
            for module in project.modules(folder)
            for m in mutants_of(project.root / module, module)
        ]
        if options.only:
            mutants = [m for m in mutants if options.only in m.identity]
        if options.sample:
            mutants = sample(mutants, options.sample, options.seed)
        enough = _try(project, folder, mutants, known, options) and enough
    return 0 if enough else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "package",
        nargs="*",
        help=f"folder or module of the package (default: {', '.join(PACKAGES)})",
    )
    parser.add_argument(
        "--sample", type=int, default=400, help="mutants a package, 0 for all (default: 400)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: 1)")
    parser.add_argument("--only", help="only those whose module, function or line contains this")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default: 2)")
    parser.add_argument(
        "--at-least", type=int, help="percent to kill, instead of the package's goal"
    )
    parser.add_argument(
        "--limit-sec", type=float, default=10.0, help="beyond which a test hangs (default: 10)"
    )
    parser.add_argument("--verbose", action="store_true", help="print what killed each, too")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="root of the project")
    parser.add_argument("--name", default="soniox_sync", help="name of the package in it")
    return parser


def _try(
    project: Project,
    folder: str,
    mutants: list[Mutant],
    known: Record,
    options: argparse.Namespace,
) -> bool:
    """Try the mutants of one package and print the result; return whether enough were killed."""
    excused = {each.identity for each in EQUIVALENTS}
    real = [m for m in mutants if m.identity not in excused]
    uses = Uses(project)
    tasks = [plan(mutant, known, uses) for mutant in real]
    results: list[tuple[Task, Verdict]] = []
    for task, verdict in try_all(project, tasks, known, options.jobs, options.limit_sec):
        results.append((task, verdict))
        if verdict.kind == "survived" or options.verbose:
            print(f"\n{verdict.kind} {verdict.test}\n{task.mutant.diff()}", file=sys.stderr)
    return _report(project, folder, results, len(mutants) - len(real), known, options)


def _report(
    project: Project,
    folder: str,
    results: list[tuple[Task, Verdict]],
    equivalent: int,
    known: Record,
    options: argparse.Namespace,
) -> bool:
    survivors = [task for task, verdict in results if verdict.kind == "survived"]
    timeouts = [(task, v) for task, v in results if v.kind == "timeout"]
    for task in sorted(survivors, key=lambda t: (t.mutant.module, t.mutant.start)):
        print(f"\n{task.mutant.diff()}\n  {_why(task)}")
    for task, verdict in timeouts:
        print(f"\ntimeout in {verdict.test or 'loading'}\n{task.mutant.diff()}")
    killed = len(results) - len(survivors) - len(timeouts)
    percent = 100.0 * (killed + len(timeouts)) / len(results) if results else 100.0
    goal = options.at_least if options.at_least is not None else project.goal(folder)
    sampled = f"sample of {options.sample}, seed {options.seed}" if options.sample else "all"
    print(
        f"\n{folder}: {killed} killed, {len(survivors)} survived, {len(timeouts)} timeouts of "
        f"{len(results)} ({sampled}; {equivalent} equivalent left out): {percent:.1f} %, "
        f"goal {goal} %"
    )
    if known.failed:
        print(f"{len(known.failed)} tests left out: too slow, or failing without any mutant")
    return percent >= goal


def _why(task: Task) -> str:
    if not task.tests:
        return "no test runs it"
    more = f", {task.left_out} more were not run" if task.left_out else ""
    return f"{len(task.tests)} tests run it{more}"


if __name__ == "__main__":
    sys.exit(main())
