"""Many schedules of the library, each decided by a seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("greenlet", reason="simulated threads are greenlets: pip install greenlet")

ROOT = Path(__file__).parents[2]
# in the ordinary run: about 10 s; `python -m tests.simulation --seeds 100000` on demand
SEEDS = 2000


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the simulation in a process of its own: the library is imported with stand-ins there."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def digest_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the digest in the last line that a run prints."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1].rpartition(" ")[2]


@pytest.mark.slow
def test_every_schedule_keeps_the_promises() -> None:
    """No deadlock, no lock order broken, nothing left behind, every truth of every scenario."""
    done = simulate("--seeds", str(SEEDS), "--keep-going")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("0 failures; digest ")


def test_a_run_is_the_same_in_another_process() -> None:
    """The digest covers every point of every schedule."""
    arguments = ("--seeds", "60")
    assert digest_of(simulate(*arguments)) == digest_of(simulate(*arguments))
    assert digest_of(simulate("--seeds", "60", "--first", "1")) != digest_of(simulate(*arguments))


def test_planted_races_are_found() -> None:
    """Each known race is found by its seed, or by one of the next if schedules have moved."""
    done = simulate("--races")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT FOUND" not in done.stdout


def test_an_entry_that_nobody_takes_is_seen() -> None:
    """A job left in a queue after its threads have ended fails the run, with the queue's owner."""
    program = """
from tests.simulation import loading
loading.load(loading.patches())
from tests.simulation.runner import prepare, run_one
prepare()
kept = []
class Owner:
    def __init__(self, simulation):
        self.jobs = simulation.queue.SimpleQueue()
def scenario(simulation, jobs):
    owner = Owner(simulation)
    kept.append(owner)
    for job in range(jobs):
        owner.jobs.put(job)
for jobs in (0, 2):
    print(run_one("kept", lambda simulation: scenario(simulation, jobs), 0).failure)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[0] == "None", done.stdout + done.stderr
    assert "2 entries of a queue of Owner" in done.stdout


def test_a_failing_schedule_is_shrunk_and_replays() -> None:
    """What is left of a schedule fails in the same way, with fewer switches."""
    from tests.simulation.races import RACES

    race = next(race for race in RACES if race.scenario == "clock")
    done = simulate(
        "--scenario", "clock", "--seed", str(race.seed), "--plant", race.name, "--shrink"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    shrunk = next(line for line in done.stdout.splitlines() if line.startswith("shrunk from "))
    before, after = [int(word) for word in shrunk.split() if word.isdigit()][:2]
    assert after < before
    again = simulate("--scenario", "clock", "--seed", str(race.seed), "--plant", race.name)
    assert (
        again.stdout
        == simulate("--scenario", "clock", "--seed", str(race.seed), "--plant", race.name).stdout
    )
