"""The loop: make an input, give it to a target, keep what reached a new line, or failed."""

from __future__ import annotations

import hashlib
import random
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from tests.fuzz.coverage import Coverage
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import Target

CORPUS = Path(__file__).parent / "corpus"

# Of processor time, for one input: far above what the slowest target takes in linear time, far
# below what 64 KB take in quadratic time.
_ALLOWED_SEC = 0.5
_ALLOWED_SEC_PER_KB = 0.05
# attempts at making a failing input shorter
_SHORTENINGS = 400


class TooSlowError(AssertionError):
    """Input that took more processor time than its length explains."""


@dataclass
class Finding:
    """Input that a target failed on, made as short as possible, and how it failed."""

    data: bytes
    where: str
    trace: str

    @property
    def name(self) -> str:
        """Name for its file in the corpus."""
        return f"found-{hashlib.sha256(self.data).hexdigest()[:8]}"


@dataclass
class Report:
    """What one run over one target did; `seconds` are those of the processor."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    lines: int = 0
    pool: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)


def corpus_of(name: str) -> list[bytes]:
    """Return the inputs of a target in the repository, in the order of their names."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def failure(
    target: Target, data: bytes, clock: Callable[[], float] = time.thread_time
) -> Optional[BaseException]:
    """Return what an input makes of a target's promise, `None` if it is kept."""
    allowed = _ALLOWED_SEC + _ALLOWED_SEC_PER_KB * len(data) / 1024
    start = clock()
    try:
        target.check(data)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return error
    taken = clock() - start
    if taken > allowed:
        return TooSlowError(f"{taken:.1f} s for {len(data)} bytes")
    return None


def where(error: BaseException) -> str:
    """Return what makes two failures the same one: class, file and line, the innermost of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "soniox_sync" in frame.filename] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} {place}"


def run(target: Target, inputs: int, seed: int, *, guided: bool = True) -> Report:
    """Give a target its corpus and then new inputs, `inputs` in all; the same for the same seed.

    `guided`: what reaches a line that nothing reached before is kept, and more made of it.
    """
    report = Report(target.name)
    rng = random.Random(f"{target.name} {seed}")
    mutator = Mutator(target.tokens, is_text=target.is_text)
    pool = corpus_of(target.name)
    waiting = list(reversed(pool))
    coverage = Coverage()
    start = time.process_time()
    with coverage.watching() if guided else nullcontext():
        for _ in range(inputs):
            data = waiting.pop() if waiting else mutator.make(pool, rng)
            lines = coverage.lines
            error = failure(target, data)
            if error is not None:
                _keep(report, target, data, error)
            elif coverage.lines > lines:
                pool.append(data)
            report.inputs += 1
    report.seconds = time.process_time() - start
    report.lines, report.pool = coverage.lines, len(pool)
    return report


def _keep(report: Report, target: Target, data: bytes, error: BaseException) -> None:
    place = where(error)
    if place in report.findings:
        return
    data = _shortened(target, data, place)
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    report.findings[place] = Finding(data, place, shown)


def _shortened(target: Target, data: bytes, place: str) -> bytes:
    """Cut parts out of a failing input for as long as it fails in the same place."""
    attempts, size = 0, max(1, len(data) // 2)
    while size and attempts < _SHORTENINGS:
        at = 0
        while at < len(data) and attempts < _SHORTENINGS:
            attempts += 1
            shorter = data[:at] + data[at + size :]
            error = failure(target, shorter)
            if error is not None and where(error) == place:
                data = shorter
            else:
                at += size
        size //= 2
    return data
