"""The whole run on a small project: what is killed, what survives, what hangs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("coverage", reason="the runner needs the extra `mutation`")
if not hasattr(os, "fork"):
    pytest.skip("the runner forks", allow_module_level=True)

REPOSITORY = Path(__file__).parents[2]

MODULE = """
LIMIT = 3
PINNED = 5


def is_full(count):
    return count >= LIMIT


def is_pinned(count):
    return count >= PINNED


def is_empty(count):
    return count == 0


def twice(function):
    def call(count):
        return function(count) * 2

    return call


@twice
def doubled(count):
    return count


def count_down(count):
    while count > 0:
        count = count - 1
    return count
"""
TESTS = """
from pkg.core.limits import count_down, doubled, is_full, is_pinned


def test_three_are_too_many():
    assert is_full(4)
    assert not is_full(2)


def test_it_is_pinned():
    assert is_pinned(5)
    assert not is_pinned(4)


def test_it_is_doubled():
    assert doubled(3) == 6


def test_it_ends():
    assert count_down(1) == 0


def test_wrong():
    assert not is_full(3)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Run all mutants of a project with one module; one of its tests fails anyway."""
    root = tmp_path_factory.mktemp("project")
    for folder in ("pkg/core", "tests/core"):
        (root / folder).mkdir(parents=True)
    for name in ("pkg/__init__.py", "pkg/core/__init__.py"):
        (root / name).touch()
    (root / "pkg/core/limits.py").write_text(MODULE)
    (root / "tests/core/test_limits.py").write_text(TESTS)
    command = [sys.executable, "-m", "tests.mutation", "core", "--root", str(root), "--name", "pkg"]
    path = os.pathsep.join([str(root), str(REPOSITORY)])
    settings = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-n 3 --dist loadfile"}
    settings["PYTHONPATH"] = path
    return subprocess.run(
        [*command, "--sample", "0", "--verbose", "--limit-sec", "3"],
        cwd=REPOSITORY,
        # options of the run around this one, for plugins that are not loaded here
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_limit_that_no_test_pins_survives(done: subprocess.CompletedProcess[str]) -> None:
    """A survivor is shown with its place and the number of tests that run it."""
    expected = (
        "limits.py:7 is_full\n- return count >= LIMIT\n+ return count > LIMIT\n  1 tests run it"
    )
    assert expected in done.stdout, done.stderr
    assert "+ return count > PINNED" not in done.stdout


def test_a_constant_is_changed_before_its_users_are_loaded(
    done: subprocess.CompletedProcess[str],
) -> None:
    """A constant has mutants, too: the tests of what uses it notice them."""
    killed = "killed tests/core/test_limits.py::test_it_is_pinned\npkg/core/limits.py:3"
    assert killed in done.stderr
    assert "- LIMIT = 3\n+ LIMIT = 4" in done.stdout


def test_what_a_decorator_left_is_changed_before_it_is_applied(
    done: subprocess.CompletedProcess[str],
) -> None:
    """A function inside one that ran while the module was loaded is made anew, with the change."""
    killed = "killed tests/core/test_limits.py::test_it_is_doubled\npkg/core/limits.py:"
    change = "twice.call\n- return function(count) * 2\n+ return function(count) / 2"
    assert change in done.stderr
    assert killed in done.stderr
    assert change not in done.stdout


def test_what_no_test_runs_survives(done: subprocess.CompletedProcess[str]) -> None:
    """Code without any test has mutants that need no run."""
    assert "+ return count != 0\n  no test runs it" in done.stdout


def test_a_mutant_that_hangs_is_counted_apart(done: subprocess.CompletedProcess[str]) -> None:
    """An endless loop ends with the time that its test has."""
    hanging = "timeout in tests/core/test_limits.py::test_it_ends\npkg/core/limits.py:32 count_down"
    assert hanging in done.stdout
    assert ", 0 timeouts of " not in done.stdout


def test_a_failing_test_is_no_judge(done: subprocess.CompletedProcess[str]) -> None:
    """What fails without a mutant kills none, and is counted."""
    assert "test_wrong" not in done.stderr
    assert "1 tests left out: too slow, or failing without any mutant" in done.stdout


def test_too_few_killed_is_a_failure(done: subprocess.CompletedProcess[str]) -> None:
    """The exit code tells whether the goal of the package is reached."""
    assert done.returncode == 1
