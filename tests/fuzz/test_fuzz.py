"""What is read from others is a result or a documented error, whatever it is."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Optional

import pytest

from tests.fuzz.engine import CORPUS, TooSlowError, corpus_of, failure, run
from tests.fuzz.mutation import Mutator
from tests.fuzz.targets import NAMES, Target, load

_INPUTS = 300


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_and_new_inputs_keep_the_promise(name: str) -> None:
    """Each target keeps its promise for its corpus, all findings among it, and for new inputs."""
    report = run(load(name), len(corpus_of(name)) + _INPUTS, 1, guided=False)
    shown = [f"{found.data!r}\n{found.trace}" for found in report.findings.values()]
    assert not shown, "\n".join(shown)


def test_every_target_has_a_small_corpus() -> None:
    """A target has a folder of inputs of a few kilobytes each, and no other has one."""
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(NAMES)
    sizes = {path: path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()}
    assert {path.name for path, size in sizes.items() if size > 4096} == set()


def _fails_on(part: bytes) -> Target:
    def check(data: bytes) -> None:
        if part in data:
            raise KeyError("internal")

    return Target("wav", check, [b"RIFF", part], False)


def test_a_failure_is_found_and_made_short() -> None:
    """An exception that is not documented is a finding, cut down to what causes it."""
    report = run(_fails_on(b"ab"), 2000, 0, guided=False)
    (finding,) = report.findings.values()
    assert finding.data == b"ab" and "KeyError" in finding.trace


def test_a_run_can_be_repeated() -> None:
    """The same seed makes the same inputs, another one makes others."""
    pool = corpus_of("stt")

    def made(seed: int) -> list[bytes]:
        mutator, rng = Mutator(load("stt").tokens, is_text=True), random.Random(seed)
        return [mutator.make(pool, rng) for _ in range(50)]

    assert made(1) == made(1) != made(2)


@pytest.mark.parametrize(("size", "seconds"), [(100, 0.6), (64 * 1024, 3.8)])
def test_time_that_the_length_does_not_explain_is_a_finding(size: int, seconds: float) -> None:
    """Half a second of the processor is allowed, and 50 ms for each kilobyte, but no more."""
    target = Target("wav", lambda data: None, [], False)

    def after(taken: float) -> Optional[BaseException]:
        return failure(target, bytes(size), iter((5.0, 5.0 + taken)).__next__)

    assert after(seconds - 0.15) is None
    assert isinstance(after(seconds), TooSlowError)


def test_the_page_names_every_target() -> None:
    """The documentation lists the targets."""
    page = (Path(__file__).parents[2] / "docs" / "fuzzing.rst").read_text(encoding="utf-8")
    assert all(f"``{name}``" in page for name in NAMES)
