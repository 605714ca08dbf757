"""Which lines each test runs, recorded once by coverage and kept until sources or tests change."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .project import Project

FOLDER = ".mutation"


@dataclass
class Record:
    """What the tests of a project run."""

    seconds: dict[str, float] = field(default_factory=dict)  # by test
    failed: dict[str, str] = field(default_factory=dict)  # without a mutant: their reports
    tests: dict[tuple[str, int], set[str]] = field(default_factory=dict)  # by module and line
    imported: set[tuple[str, int]] = field(default_factory=set)  # lines run while modules load
    libraries: list[str] = field(default_factory=list)  # modules of others that the tests import

    def reaching(self, module: str, lines: Iterable[int]) -> set[str]:
        """Return the tests that run one of the lines."""
        return set().union(*(self.tests.get((module, line), ()) for line in lines))

    def by_time(self, tests: Iterable[str]) -> list[str]:
        """Return passing tests, the quickest first."""
        passing = (test for test in tests if test not in self.failed)
        return sorted(passing, key=lambda test: (self.seconds.get(test, 0.0), test))


def record(project: Project, test_files: list[str]) -> Record:
    """Return what the tests in some files run; run those whose record is missing or outdated."""
    store = _Store(project)
    outdated = [name for name in test_files if not store.knows(name)]
    # folder by folder: what is recorded stays when a run is interrupted
    for _, names in itertools.groupby(outdated, key=os.path.dirname):
        files = list(names)
        print(f"recording {os.path.dirname(files[0])}: {len(files)} files", file=sys.stderr)
        store.add(_run_apart(project, files), files)
    return store.read(test_files)


class _Store:
    """The file that keeps records, each as long as neither tests nor what they run changes."""

    def __init__(self, project: Project) -> None:
        self._project = project
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self._path = project.root / FOLDER / f"python{python}.json"
        self._sources = {module: project.source_key(module) for module in project.modules("")}
        self._data: dict[str, Any] = {}
        self._load()

    def _load(self) -> None:
        self._data = {"files": {}, "imported": {}, "libraries": []}
        if self._path.exists():
            self._data = json.loads(self._path.read_text())

    def knows(self, test_file: str) -> bool:
        """Return whether the record of a test file is there and still right."""
        entry = self._data["files"].get(test_file)
        if entry is None or entry["key"] != self._project.test_key(test_file):
            return False
        return all(self._sources.get(name) == key for name, key in entry["sources"].items())

    def add(self, data: dict[str, Any], test_files: list[str]) -> None:
        """Add what test files were found to run."""
        self._load()  # another run may have added to it
        for name in test_files:
            key = self._project.test_key(name)
            self._data["files"][name] = {"key": key, "tests": {}, "sources": {}}
        for test, entry in data["tests"].items():
            file = self._data["files"][test.split("::")[0]]
            file["tests"][test] = entry
            file["sources"].update({module: self._sources[module] for module in entry["lines"]})
        for module, lines in data["imported"].items():
            known = self._data["imported"].get(module)
            if known is None or known["key"] != self._sources[module]:
                known = {"key": self._sources[module], "lines": []}
            known["lines"] = sorted({*known["lines"], *lines})
            self._data["imported"][module] = known
        self._data["libraries"] = sorted({*self._data["libraries"], *data["libraries"]})
        self._path.parent.mkdir(exist_ok=True)
        written = self._path.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(self._data))
        written.replace(self._path)

    def read(self, test_files: list[str]) -> Record:
        found = Record(libraries=self._data["libraries"])
        for name in test_files:
            for test, entry in self._data["files"][name]["tests"].items():
                found.seconds[test] = entry["seconds"]
                if entry["failed"] is not None:
                    found.failed[test] = entry["failed"]
                for module, lines in entry["lines"].items():
                    for line in lines:
                        found.tests.setdefault((module, line), set()).add(test)
        for module, known in self._data["imported"].items():
            if known["key"] == self._sources.get(module):
                found.imported |= {(module, line) for line in known["lines"]}
        return found


def _run_apart(project: Project, test_files: list[str]) -> dict[str, Any]:
    """Run test files in a process forked for them; return what it recorded."""
    path = project.root / FOLDER
    path.mkdir(exist_ok=True)
    answer = path / f"{os.getpid()}.recording"
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            answer.write_text(json.dumps(_run(project, test_files)))
            code = 0
        finally:
            os._exit(code)
    os.waitpid(pid, 0)
    if not answer.exists():
        raise RuntimeError("the tests cannot be recorded: they end the process")
    data: dict[str, Any] = json.loads(answer.read_text())
    answer.unlink()
    if "error" in data:
        raise RuntimeError(f"the tests cannot be recorded: {data['error']}")
    return data


def _run(project: Project, test_files: list[str]) -> dict[str, Any]:
    # the other way of measuring (sys.monitoring) cannot tell tests apart
    os.environ["COVERAGE_CORE"] = "ctrace"
    import coverage
    import pytest

    from .plugins import ARGUMENTS, Recording

    source = str(project.root / project.package)
    measured = coverage.Coverage(data_file=None, config_file=False, source=[source])
    measured.start()
    plugin = Recording(measured.switch_context)
    _silence()
    arguments = [*ARGUMENTS, "--rootdir", str(project.root), *test_files]
    code = pytest.main(arguments, plugins=[plugin])
    measured.stop()
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return {"error": f"exit code {code}; {plugin.failed}"}
    tests: dict[str, Any] = {
        test: {"seconds": round(seconds, 4), "failed": plugin.failed.get(test), "lines": {}}
        for test, seconds in plugin.seconds.items()
    }
    imported: dict[str, list[int]] = {}
    data = measured.get_data()
    for name in data.measured_files():
        module = str(Path(name).relative_to(project.root))
        for line, contexts in data.contexts_by_lineno(name).items():
            for context in contexts:
                if context in tests:
                    tests[context]["lines"].setdefault(module, []).append(line)
                else:
                    imported.setdefault(module, []).append(line)
    return {"tests": tests, "imported": imported, "libraries": _libraries(project)}


def _libraries(project: Project) -> list[str]:
    """Return the imported modules of others: of the standard library and of what is installed."""
    own = {project.package, project.tests, "__main__", "conftest", "coverage", "__mp_main__"}
    return sorted(name for name in list(sys.modules) if name.split(".")[0] not in own)


def _silence() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
