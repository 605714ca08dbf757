"""Soak test of speech: a text that stalls, a pool that loses connections, the planner.

    python tests/soak/speech.py text --chars 20000 --scale 0.2 [--seed N]
    python tests/soak/speech.py pool --threads 32 --utterances 1000
    python tests/soak/speech.py plan --seeds 300

`text` speaks a text in four scripts, with stalls of up to 30 s, against a sandbox with all the
service's timers; times are multiplied by `--scale` (1 is real time). `pool` shares three
connections that are lost at random. `plan` runs the planner alone, in virtual time. Each prints its
results and fails with an assertion.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

# run as a program: `tests` is imported from the checkout
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from soniox_sync.realtime.speech.planner import Planner, SpeechLimits
from soniox_sync.sandbox import Sandbox
from tests.realtime.pool import test_pool
from tests.realtime.speech.letters import (
    audible,
    client_of,
    collapsed,
    letter_engines,
    spoken_in,
)
from tests.realtime.speech.virtual import (
    VirtualService,
    mixed_text,
    perform,
    stalling_writer,
)


def speak_text(seed: int, chars: int, scale: float, cuts: int) -> None:
    """Speak a long text that stalls; every character is spoken once, in order, without an error."""
    rng = random.Random(seed)
    text = mixed_text(rng, chars)
    arrivals = stalling_writer(rng, text, rng.choice((0.01, 0.03)))
    pause = threading.Event()
    started = time.monotonic()

    def writer() -> Iterator[str]:
        for arrival in arrivals:
            left = started + arrival.at * scale - time.monotonic()
            if left > 0.001:
                pause.wait(left)
            yield arrival.text

    limits = {"time_scale": scale, "tts_pace": 20.0 / scale}
    with Sandbox(engines=letter_engines(), limits=limits) as sandbox:
        for number in range(cuts):
            sandbox.faults.drop(kind="tts", skip=number, after_audio_ms=rng.randint(1_000, 200_000))
        speech = client_of(sandbox).realtime.speak(
            writer(), max_quiet_sec=3.0 * scale, timestamps=cuts > 0
        )
        audio = speech.read()
        wrong = [e for e in sandbox.log.entries() if (e.message or {}).get("error_code")]
        totals = sandbox.log.totals
        print(
            f"seed {seed}: {len(text)} characters in {time.monotonic() - started:.0f} s, "
            f"{totals['tts.streams']} streams, {totals['tts.connections']} connections, "
            f"{len(audio) / 16000:.0f} s of audio, {len(wrong)} errors"
        )
        assert not wrong, wrong
        if cuts:
            assert collapsed(speech.spoken_text) == collapsed(text)
        got, expected = audible(spoken_in(audio)), audible(text)
        at = next(
            (i for i, (a, b) in enumerate(zip(got, expected)) if a != b),
            min(len(got), len(expected)),
        )
        assert got == expected, (
            f"at {at}: heard {got[at - 20 : at + 20]!r}, not {expected[at - 20 : at + 20]!r}"
        )


def use_pool(threads: int, utterances: int) -> None:
    """Share a pool of three connections among threads while connections are lost."""
    with Sandbox(engines="tones", limits={"tts_pace": None}) as sandbox:
        started = time.monotonic()
        got = test_pool.hammer(sandbox, threads, utterances)
        sizes = set(got.pop("sizes"))
        print(f"{utterances} utterances in {time.monotonic() - started:.1f} s: {got}")
        assert len(sizes) == 1, sizes
        assert got["peak"] <= 15
        assert got["left"] == 0
        assert got["readers"] <= 6


def plan(seeds: int) -> None:
    """Run the planner against a simulated service in virtual time."""
    for seed in range(seeds):
        rng = random.Random(seed)
        text = mixed_text(rng, 20_000)
        arrivals = stalling_writer(rng, text, rng.choice((0.0, 0.01, 0.05, 0.2)))
        service = VirtualService(rng.choice((1.3, 3.0, 20.0)), rng.uniform(0.05, 0.075))
        got = perform(
            Planner(SpeechLimits()), arrivals, service, listens_sec=rng.choice((0.0, 1.0))
        )
        assert not got.deaths, (seed, got.deaths)
        assert "".join(got.parts) == text, seed
        print(f"seed {seed}: {got.sec:.0f} s, {got.requests} streams")


def main() -> None:
    """Parse the command line and run one of the three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("text", "pool", "plan"))
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(2**32),
        help="text: seed of the random numbers",
    )
    parser.add_argument("--chars", type=int, default=20_000, help="text: its length")
    parser.add_argument("--scale", type=float, default=0.2, help="text: factor of all times")
    parser.add_argument("--cuts", type=int, default=0, help="text: connections to lose")
    parser.add_argument("--threads", type=int, default=32, help="pool: number of threads")
    parser.add_argument("--utterances", type=int, default=1000, help="pool: number of streams")
    parser.add_argument("--seeds", type=int, default=300, help="plan: number of runs")
    options = parser.parse_args()
    if options.what == "text":
        speak_text(options.seed, options.chars, options.scale, options.cuts)
    elif options.what == "pool":
        use_pool(options.threads, options.utterances)
    else:
        plan(options.seeds)


if __name__ == "__main__":
    main()
