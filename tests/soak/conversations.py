"""Random conversations: many in virtual time, or some over real sockets.

    python -m tests.soak.conversations --count 1000 [--seed N]
    python -m tests.soak.conversations --calls 50 [--seed N]

`--count`: stories of `tests/conversation/world.py`, in which caller, recogniser, reply, voice and
sink are simulated. `--calls`: a sandbox, a scripted caller with ten times our speed, faults of the
connections. Afterwards every word must be in exactly one turn, no turn answered twice, and nothing
left behind. A failure is printed with its seed, which runs alone with `--seed N --count 1`.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

# run as a program: `tests` is imported from the checkout
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from soniox_sync import Conversation
from soniox_sync.sandbox import HangUp, Line, Quiet, Sandbox
from tests.conversation.world import Story

SPEED = 10.0
AT_A_TIME = 4
# a call takes some seconds; lost connections are replaced within a few
DEADLINE_SEC = 90.0
GRACE_SEC = 10.0
_LINES = (
    "What time is it?",
    "How do the tides work?",
    "Could you please repeat that?",
    "I would like two tickets to Berlin.",
    "No, wait a moment.",
    "Thank you very much.",
)


def main() -> int:
    """Run what was asked for; return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=0, help="stories in virtual time")
    parser.add_argument("--calls", type=int, default=0, help="calls over real sockets")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed")
    options = parser.parse_args()
    began = time.monotonic()
    failed = _run_all("story", options.seed, options.count, 1, lambda seed: tell(seed))
    failed += _run_all("call", options.seed, options.calls, AT_A_TIME, call)
    left = _threads_left()
    took = time.monotonic() - began
    print(f"{options.count} stories, {options.calls} calls, {failed} failed, in {took:.0f} s")
    if left:
        print(f"threads left behind: {left}")
    return 1 if failed or left else 0


def _run_all(what: str, first: int, count: int, at_a_time: int, run: Callable[[int], None]) -> int:
    failed = 0

    def attempt(seed: int) -> bool:
        try:
            run(seed)
        except BaseException:  # noqa: BLE001 - printed, with the seed
            print(f"{what} {seed} failed:\n{traceback.format_exc()}", flush=True)
            return False
        return True

    with ThreadPoolExecutor(at_a_time) as workers:
        for number, is_good in enumerate(workers.map(attempt, range(first, first + count)), 1):
            failed += not is_good
            if number % 100 == 0:
                print(f"{number} of {count}: {failed} failed", flush=True)
    return failed


def tell(seed: int) -> None:
    """Run one story in virtual time."""
    Story(seed).run().check()


def call(seed: int) -> None:
    """Run one call over real sockets."""
    rng = random.Random(seed)
    steps: list[object] = []
    said: list[str] = []
    for text in rng.sample(_LINES, rng.randint(1, 4)):
        said.append(text)
        is_over = len(said) > 1 and rng.random() < 0.4
        steps.append(Line(text, over=True) if is_over else text)
        if rng.random() < 0.2:
            steps.append(Quiet(rng.uniform(0.1, 2.0)))
    calls: list[str] = []
    running = threading.Lock()

    def reply(text: str, conversation: Conversation) -> Iterator[str]:
        assert running.acquire(blocking=False), "two calls of reply at a time"
        try:
            calls.append(text)
            assert conversation.messages()[-1] == {"role": "user", "content": text}
            for number in range(rng.randint(1, 3)):
                yield f"Answer {len(calls)} part {number} is what you hear. "
        finally:
            running.release()

    with Sandbox() as sandbox:
        if rng.random() < 0.4:
            sandbox.faults.drop(kind="stt", after_audio_ms=rng.randint(500, 8000))
        if rng.random() < 0.3:
            sandbox.faults.drop(kind="tts", after_audio_ms=rng.randint(100, 3000))
        caller = sandbox.caller([*steps, HangUp()], speed=SPEED)
        with sandbox.client() as client:
            with client.realtime.converse(
                caller, reply, caller, voice="Adrian", stt={"max_endpoint_delay_ms": 500}
            ) as conversation:
                conversation.on("turn", bool)
                conversation.wait(DEADLINE_SEC)
                turns = conversation.turns
    words = _words(" ".join(turn.user_text for turn in turns))
    assert words == _words(" ".join(caller.said)), (words, caller.said)
    for turn in turns:
        assert turn.agent_text.startswith(turn.agent_text_heard), turn
    assert conversation.ended_by == "user"


def _words(text: str) -> list[str]:
    return [word.strip(".,?!").lower() for word in text.split()]


def _threads_left() -> list[str]:
    """Return the threads that are still there after a while."""
    deadline = time.monotonic() + GRACE_SEC
    while True:
        left = [each.name for each in threading.enumerate() if each.name.startswith("soniox-")]
        if not left or time.monotonic() > deadline:
            return sorted(left)
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
