"""Starts the benchmark by path: ``python tests/bench/run.py`` is ``python -m tests.bench``."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # started by path, Python puts this folder on sys.path instead of the project's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    runpy.run_module("tests.bench", run_name="__main__")
