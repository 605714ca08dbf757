"""The cost of ``import``, timed within new interpreters, the standard library's part apart."""

from __future__ import annotations

import json
import subprocess
import sys
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

# what the statement brought in, in the order of completion, and how long it took
_TIME = """
import sys, time
for name in {hidden!r}: sys.modules[name] = None
before = set(sys.modules)
t0 = time.perf_counter()
{statement}
t1 = time.perf_counter()
names = [n for n in list(sys.modules) if n not in before]
{ready}
t2 = time.perf_counter()
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
t0 = time.perf_counter()
for name in {names!r}: __import__(name)
print(time.perf_counter() - t0)
"""


def measure(client: str) -> Dict[str, float]:
    """Import a client in a new interpreter, then the same standard modules alone in another."""
    hidden = ACCELERATORS if client == "plain" else ()
    script = _TIME.format(hidden=hidden, statement=_STATEMENT[client], ready=_READY)
    timed = json.loads(_python(script))
    standard: List[str] = timed["standard"]
    alone = float(_python(_TIME_STANDARD.format(names=standard)))
    return {
        "total_ms": timed["total"] * 1e3,
        "own_ms": (timed["total"] - alone) * 1e3,
        "ready_ms": timed["ready"] * 1e3,
        "requests": float(timed["requests"]),
    }


def measurable(client: str) -> bool:
    """Tell whether importing this client means anything; the floor imports nothing."""
    return client in _STATEMENT


def _python(script: str) -> str:
    # without site: an editable install's start-up code loads half of what is to be measured
    start = f"import sys, os; sys.path[:] = {[_ROOT, *sys.path]!r}\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", start + script], stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise ClientFailure(f"the import failed with status {done.returncode}")
    return done.stdout
