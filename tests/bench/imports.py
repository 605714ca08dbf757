"""The cost of ``import``: CPU time in new interpreters, without the standard library's part.

Bytecode is cached, as it is for an installed package: compiling the modules of a checkout at each
import, as with ``PYTHONDONTWRITEBYTECODE``, takes longer than everything else.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List

from tests.bench.fleet import ClientFailure
from tests.bench.worker import ACCELERATORS

_STATEMENT = {
    "official": "from soniox import SonioxClient",
    "plain": "from soniox_sync import SonioxClient",
    "fast": "from soniox_sync import SonioxClient",
}
_ROOT = str(Path(__file__).resolve().parents[2])

_READY = "r = SonioxClient(api_key='bench').realtime; r.tts; r.stt"

# the modules that the statement imported, and the time it took
_TIME = """
import sys, time
for name in {hidden!r}: sys.modules[name] = None
before = set(sys.modules)
t0 = time.process_time()
{statement}
t1 = time.process_time()
names = [n for n in list(sys.modules) if n not in before]
{ready}
t2 = time.process_time()
import json, sysconfig
home = sysconfig.get_paths()["stdlib"]
def standard(name):
    spec = getattr(sys.modules[name], "__spec__", None)
    origin = getattr(spec, "origin", None) or ""
    return spec is not None and spec.name == name and (
        origin in ("built-in", "frozen") or origin.startswith(home) and "-packages" not in origin)
print(json.dumps({{"total": t1 - t0, "ready": t2 - t0, "requests": "requests" in names,
                  "standard": [n for n in names if standard(n)]}}))
"""

_TIME_STANDARD = """
import time
t0 = time.process_time()
for name in {names!r}: __import__(name)
print(time.process_time() - t0)
"""


def measure(client: str) -> Dict[str, float]:
    """Import a client in a new interpreter, then the same standard modules alone in another."""
    hidden = ACCELERATORS if client == "plain" else ()
    script = _TIME.format(hidden=hidden, statement=_STATEMENT[client], ready=_READY)
    _fill_cache(script)
    timed = json.loads(_python(script))
    standard: List[str] = timed["standard"]
    alone = float(_python(_TIME_STANDARD.format(names=standard)))
    return {
        "total_ms": timed["total"] * 1e3,
        "own_ms": (timed["total"] - alone) * 1e3,
        "ready_ms": timed["ready"] * 1e3,
        "requests": float(timed["requests"]),
    }


@functools.cache
def _fill_cache(script: str) -> None:
    _python(script)


@functools.cache
def _cache() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of the bytecode, which is removed at the end of this process."""
    return tempfile.TemporaryDirectory()


def measurable(client: str) -> bool:
    """Return whether this client has an import to measure; the floor has none."""
    return client in _STATEMENT


def _python(script: str) -> str:
    # without site: an editable install's start-up code imports half of the modules to be measured
    start = f"import sys, os; sys.path[:] = {[_ROOT, *sys.path]!r}\n"
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": _cache().name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-S", "-c", start + script],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    if done.returncode:
        raise ClientFailure(f"the import failed with status {done.returncode}")
    return done.stdout
