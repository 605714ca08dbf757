"""What a package index shows of the package, and what its metadata claim."""

from __future__ import annotations

import configparser
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.rst").read_text(encoding="utf-8")
DECLARED = configparser.ConfigParser()
DECLARED.read(ROOT / "setup.cfg", encoding="utf-8")
TARGET = re.compile(r"<([^>`]+)>`__")


@pytest.fixture(scope="module")
def setup_script() -> Any:
    """Load setup.py without running it."""
    pytest.importorskip("setuptools", reason="setuptools is not installed: only pip needs it")
    spec = importlib.util.spec_from_file_location("setup_script", ROOT / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("documentation", ["", "https://pages.example/soniox-sync"])
def test_links_work_on_an_index_page(setup_script: Any, documentation: str) -> None:
    """No link of the README is relative on an index page; the names of the pages stay."""
    shown = setup_script.readme_for_index(README, documentation)
    assert all(target.startswith("https://") for target in TARGET.findall(shown))
    pages = re.findall(r"<docs/(\w+)\.rst>", README)
    assert pages
    for page in pages:
        link = f"<{documentation}/{page}.html>`__" if documentation else f"(``docs/{page}.rst``)"
        assert link in shown


def test_the_readme_names_the_pythons_of_the_classifiers() -> None:
    """The README names the oldest and newest Python of the classifiers."""
    pythons = re.findall(r":: Python :: (3\.\d+)$", DECLARED["metadata"]["classifiers"], re.M)
    assert f"Python {pythons[0]} to {pythons[-1]}" in README
    assert DECLARED["options"]["python_requires"] == f">={pythons[0]}"


def test_engines_without_a_wheel_are_left_out_by_markers() -> None:
    """On the newest Pythons no requirement of `sandbox` and `fast` needs a compiler."""
    extras = DECLARED["options.extras_require"]
    required = {**dict(extras), "install": DECLARED["options"]["install_requires"]}
    lines = [line.strip() for name in ("sandbox", "fast") for line in required[name].splitlines()]
    for package, first in (("pocketsphinx", "3.14"), ("wsaccel", "3.14"), ("miniaudio", "3.15")):
        found = [line for line in lines if line.startswith(package)]
        assert found
        for line in found:
            assert re.search(rf'python_version (== |< "{first}")', line), line


def test_the_source_distribution_has_the_golden_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """MANIFEST.in takes every golden trace, and what its program got, along."""
    egg_info = pytest.importorskip("setuptools.command.egg_info")
    monkeypatch.chdir(ROOT)
    files = egg_info.FileList()
    for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            files.process_template_line(line)
    found = {Path(name).as_posix() for name in files.files}
    traces = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/traces/*.jsonl")}
    assert len(traces) > 10
    assert traces | {"tests/traces/outcomes.json"} <= found
