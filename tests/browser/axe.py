"""Rules of accessibility on a page, checked by axe-core."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

_RUN = """
const done = arguments[0];
const tell = ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`;
axe.run(document, { resultTypes: ["violations"] })
  .then(({ violations }) => done(violations.map(tell)), (error) => done([String(error)]));
"""


def axe_script() -> str:
    """Return axe-core, as its Python package has it; skip the test without one."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-core is missing: pip install -e '.[browser]'")
    (path,) = Path(found.submodule_search_locations[0]).rglob("axe.min.js")
    return path.read_text(encoding="utf-8")


def violations(driver: Any) -> list[str]:
    """Return what axe-core finds wrong with the page as it is now, each with its elements."""
    if not driver.execute_script("return 'axe' in window"):
        driver.execute_script(axe_script())
    found: list[str] = driver.execute_async_script(_RUN)
    return found
