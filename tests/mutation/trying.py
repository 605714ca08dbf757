"""Runs mutants: each in a process forked for it, with the tests that reach it, the quickest first.

There are two ways. Where the change is in the body of a function that nothing has called yet, a
process that has collected all tests replaces the code of that function: a mutant costs a fork and
its tests. Any other one (a constant, a default, a table) is there before the modules that use it:
those start in a process that has loaded what belongs to others, but nothing of the project.
"""

from __future__ import annotations

import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

from .forking import Verdict, run_forked
from .mutants import Mutant
from .plugins import ARGUMENTS, Only, Pinning, Verdicts
from .project import Project
from .recording import Record

# usual time of the tests that one mutant is given: those that pin a rule take milliseconds
BUDGET_SEC = 12.0
# loading the modules and collecting the tests, on a busy machine
LOADING_SEC = 90.0


@dataclass
class Task:
    """A mutant and the tests that may notice it, in the order they run in."""

    mutant: Mutant
    tests: list[str]
    left_out: int = 0  # tests beyond the budget
    anew: bool = False  # the modules have to be loaded with the change in them


def plan(mutant: Mutant, record: Record, uses: Uses) -> Task:
    """Choose the tests for a mutant."""
    lines = range(mutant.line, mutant.last_line + 1)
    reaching = record.reaching(mutant.module, lines)
    # a function that has run while modules loaded may have left others, such as a decorator's
    body = range(mutant.body[0], mutant.body[1] + 1)
    anew = mutant.function is None or any(
        (mutant.module, line) in record.imported for line in (*lines, *body)
    )
    if anew:
        reaching |= uses.tests(mutant, record)
    tests: list[str] = []
    spent = 0.0
    ordered = record.by_time(reaching)
    for test in ordered:
        spent += record.seconds[test]
        if tests and spent > BUDGET_SEC:
            break
        tests.append(test)
    return Task(mutant, tests, len(ordered) - len(tests), anew)


class Uses:
    """Where names are used, to find the tests of what runs once, when a module is loaded."""

    def __init__(self, project: Project) -> None:
        self._lines: dict[str, list[tuple[str, int]]] = {}
        for module in project.modules(""):
            text = (project.root / module).read_text()
            for number, line in enumerate(text.splitlines(), 1):
                for name in set(_words(line)):
                    self._lines.setdefault(name, []).append((module, number))

    def tests(self, mutant: Mutant, record: Record) -> set[str]:
        """Return the tests that run the module, or a line with a name that the mutant binds."""
        found = {
            test for (m, _), tests in record.tests.items() if m == mutant.module for test in tests
        }
        for name in mutant.names:
            for module, line in self._lines.get(name, ()):
                found |= record.reaching(module, [line])
        return found


def _words(line: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in line).split()


def try_all(
    project: Project, tasks: list[Task], record: Record, jobs: int, limit_sec: float
) -> Iterator[tuple[Task, Verdict]]:
    """Run all tasks; yield each with its verdict as soon as that is known.

    `limit_sec`: a test that takes that much longer than ten times its usual time hangs.
    """
    _load_libraries(record)
    limits = _limits(record, limit_sec)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = scratch
        anew = [task for task in tasks if task.anew]
        in_place = [task for task in tasks if not task.anew]
        for task, verdict in _try_in_place(project, in_place, limits, jobs):
            if verdict.kind == "load":
                anew.append(task)
            else:
                yield task, verdict

        def start(task: Task, pipe: int) -> None:
            _run_loaded_anew(project, task, pipe)

        for task, verdict in run_forked(anew, start, limits, jobs, LOADING_SEC):
            if verdict.kind == "broken":
                raise RuntimeError(verdict.test)
            yield task, verdict


def _limits(record: Record, least_sec: float) -> Callable[[str], float]:
    """Return how long each test may take: a busy machine is slow, and a hang is a verdict."""
    return lambda test: least_sec + 10.0 * record.seconds.get(test, 0.0)


def _load_libraries(record: Record) -> None:
    for name in record.libraries:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: BLE001 - a module that only others may load: those will
                continue


# -- in place ------------------------------------------------------------------------------------


def _try_in_place(
    project: Project, tasks: list[Task], limits: Callable[[str], float], jobs: int
) -> Iterator[tuple[Task, Verdict]]:
    """Fork a process that collects the tests and tries the tasks; yield what it reports."""
    if not tasks:
        return
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            files = sorted({test.split("::")[0] for task in tasks for test in task.tests})
            server = _Server(project, tasks, limits, jobs, writer)
            import pytest

            arguments = [*ARGUMENTS, "--rootdir", str(project.root), *files]
            code = int(pytest.main(arguments, plugins=[server])) if files else server.run({})
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader, encoding="utf-8") as answers:
        for line in answers:
            number, *verdict = json.loads(line)
            yield tasks[number], Verdict(*verdict)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"the process that tries mutants ended with status {status}")


class _Server(Pinning):
    """In place of pytest's loop over the tests: a loop over mutants."""

    def __init__(
        self,
        project: Project,
        tasks: list[Task],
        limits: Callable[[str], float],
        jobs: int,
        pipe: int,
    ) -> None:
        self._project = project
        self._tasks = tasks
        self._limits = limits
        self._jobs = jobs
        self._pipe = pipe
        self._functions: dict[tuple[str, str, int], list[types.FunctionType]] = {}

    def pytest_runtestloop(self, session: Any) -> bool:
        self.run({item.nodeid: item for item in session.items})
        return True

    def run(self, items: dict[str, Any]) -> int:
        gc.unfreeze()  # the tests' conftest hides all objects from the collector
        self._functions = _functions_below(str(self._project.root / self._project.package))
        gc.freeze()
        number_of = {id(task): number for number, task in enumerate(self._tasks)}

        def start(task: Task, pipe: int) -> None:
            self._run(task, items, pipe)

        done = run_forked(self._tasks, start, self._limits, self._jobs, LOADING_SEC)
        for task, verdict in done:
            line = json.dumps([number_of[id(task)], verdict.kind, verdict.test]) + "\n"
            os.write(self._pipe, line.encode())
        return 0

    def _run(self, task: Task, items: dict[str, Any], pipe: int) -> None:
        """In the child: change the code, run the tests until one fails."""
        verdicts = Verdicts(pipe)
        if not self._change(task.mutant):
            verdicts.tell("load", "")
            return
        chosen = [items[test] for test in task.tests if test in items]
        if chosen:
            chosen[0].config.pluginmanager.register(verdicts)
        for item, following in zip(chosen, [*chosen[1:], None]):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        verdicts.tell("survived", "")

    def _change(self, mutant: Mutant) -> bool:
        """Replace the code of the function; return whether that was possible."""
        path = self._project.root / mutant.module
        changed = compile(mutant.apply(), str(path), "exec", dont_inherit=True)
        assert mutant.function is not None
        code = _code_at(changed, mutant.function.split("."), mutant.function_line)
        key = (str(path), mutant.function.split(".")[-1], mutant.function_line)
        functions = self._functions.get(key, [])
        if code is None or any(f.__code__.co_freevars != code.co_freevars for f in functions):
            return False
        for function in functions:
            function.__code__ = code
        return bool(functions)


def _functions_below(folder: str) -> dict[tuple[str, str, int], list[types.FunctionType]]:
    """Return all functions whose source is below a folder, by file, name and first line."""
    found: dict[tuple[str, str, int], list[types.FunctionType]] = {}
    for each in gc.get_objects():
        if type(each) is types.FunctionType and each.__code__.co_filename.startswith(folder):
            code = each.__code__
            key = (code.co_filename, code.co_name, code.co_firstlineno)
            found.setdefault(key, []).append(each)
    return found


def _code_at(code: types.CodeType, names: list[str], line: int) -> Optional[types.CodeType]:
    """Return the code of a function, by its qualified name and first line."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType) and constant.co_name == names[0]:
            if len(names) == 1 and constant.co_firstlineno == line:
                return constant
            found = _code_at(constant, names[1:], line) if len(names) > 1 else None
            if found is not None:
                return found
    return None


# -- loaded anew ---------------------------------------------------------------------------------


def _run_loaded_anew(project: Project, task: Task, pipe: int) -> None:
    """In the child: load the project with the change in it, run the tests until one fails."""
    if not task.tests:
        Verdicts(pipe).tell("survived", "")
        return
    import pytest

    finder = _Finder(project, task.mutant)
    sys.meta_path.insert(0, finder)
    # now: pytest puts a finder of its own first, which reads modules of plugins from their files
    importlib.import_module(finder.name)
    files = list(dict.fromkeys(test.split("::")[0] for test in task.tests))
    arguments = [*ARGUMENTS, "--rootdir", str(project.root), *files]
    only = Only(pipe, task.tests)
    code = pytest.main(arguments, plugins=[only])
    if not finder.was_used:
        only.tell("broken", f"{finder.name} was loaded without the change")
    only.tell("survived" if code in (0, 5) else "killed", "" if code in (0, 5) else "pytest")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the changed module, and leaves all others to others."""

    def __init__(self, project: Project, mutant: Mutant) -> None:
        self._path = project.root / mutant.module
        parts = Path(mutant.module).with_suffix("").parts
        self._is_package = parts[-1] == "__init__"
        self.name: str = ".".join(parts[:-1] if self._is_package else parts)
        self._mutant = mutant
        self.was_used: bool = False

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if fullname != self.name:
            return None
        self.was_used = True
        locations = [str(self._path.parent)] if self._is_package else None
        loader = _Loader(fullname, self._path, self._mutant)
        return importlib.util.spec_from_file_location(
            fullname, self._path, loader=loader, submodule_search_locations=locations
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: Path, mutant: Mutant) -> None:
        super().__init__(name, str(path))
        self._mutant = mutant

    def get_code(self, fullname: str) -> types.CodeType:
        return compile(self._mutant.apply(), self.path, "exec", dont_inherit=True)
