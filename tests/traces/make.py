"""Make the golden traces anew: `python -m tests.traces.make [NAME ...]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from soniox_sync.sandbox import Sandbox
from tests.traces.programs import PROGRAMS, Outcome

FOLDER = Path(__file__).parent
# what each program got when its trace was made
OUTCOMES = FOLDER / "outcomes.json"


def path_of(name: str) -> Path:
    """Return the path of a trace."""
    return FOLDER / f"{name}.jsonl"


def make(name: str, path: Path) -> Outcome:
    """Run a program against a sandbox with tones, and record its trace; return what it got."""
    program = PROGRAMS[name]
    path.unlink(missing_ok=True)
    with Sandbox(engines="tones", limits=program.limits) as sandbox:
        program.prepare(sandbox)
        with program.client(sandbox, trace=str(path), trace_audio=True) as client:
            return program.run(client)


def outcomes() -> dict[str, Outcome]:
    """Return what the programs got when their traces were made."""
    found: dict[str, Outcome] = json.loads(OUTCOMES.read_text(encoding="utf-8"))
    return found


def main(names: list[str]) -> None:
    """Make the named traces, or all."""
    found = outcomes() if OUTCOMES.exists() else {}
    for name in names or PROGRAMS:
        found[name] = make(name, path_of(name))
        print(f"{name}: {path_of(name).stat().st_size} bytes, {found[name]}")
    kept = {name: found[name] for name in PROGRAMS if name in found}
    OUTCOMES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
