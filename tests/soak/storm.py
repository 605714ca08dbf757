"""Storm: random schedules of faults over real sockets, ten recordings at a time.

    python -m tests.soak.storm --count 1000 [--seed N]

Each schedule is drawn from its seed (`schedules.py`): a sandbox of its own that recognises
numbered audio, faults and downtimes of the service, a source, and what the user does meanwhile.
Afterwards no word may be lost, doubled or mistimed, `lost_ms` must be true, the recording must have
ended as it must, in time, and nothing may be left behind. A failure is printed with its seed, which
runs alone with `--seed N --count 1`.
"""

from __future__ import annotations

import argparse
import collections
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

# run as a program: `tests` is imported from the checkout
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from soniox_sync.audio.wav.header import wav_header
from soniox_sync.errors import SonioxConnectionError, SonioxError
from soniox_sync.protocol.tokens import Token
from soniox_sync.sandbox import Sandbox
from tests.soak.schedules import Plan, make_plan
from tests.soak.surroundings import Ears, StormNetwork, StormSource, surroundings

AT_A_TIME = 10
# a schedule takes a few seconds; its recording gives up after 50 s
DEADLINE_SEC = 75.0
# A rotation each second and a few losses need far fewer: more is a loop.
MOST_CONNECTIONS = 60
# what ends with the connections, on a loaded machine
GRACE_SEC = 10.0
# status codes that end a recording only when patience does
_OUTAGES = frozenset({413, 429, 500, 502, 503, 504})

Word = tuple[str, int, int]  # text, start_ms, end_ms


@dataclass
class Outcome:
    """What came of one schedule."""

    finals: list[Token] = field(default_factory=list)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    last_kind: str = ""
    final_ms: list[int] = field(default_factory=list)
    error: Optional[BaseException] = None
    lost_ms: int = 0
    reconnected: list[Any] = field(default_factory=list)
    muted: int = 0
    connections: int = 0

    @property
    def words(self) -> list[Word]:
        """Words, of the tokens that are not translations."""
        words: list[Word] = []
        for token in self.finals:
            if token.is_translation:
                continue
            assert token.start_ms is not None and token.end_ms is not None
            if token.text.startswith(" ") or not words:
                words.append((token.text.strip(), token.start_ms, token.end_ms))
            else:
                text, start, _ = words[-1]
                words[-1] = (text + token.text, start, token.end_ms)
        return words

    @property
    def translation(self) -> list[str]:
        """Translated words."""
        return "".join(token.text for token in self.finals if token.is_translation).split()


# -- one schedule ----------------------------------------------------------------------------------


def run_plan(plan: Plan, network: StormNetwork) -> Outcome:
    """Run a schedule and check it; return what came of it.

    Raises
        AssertionError: a promise was broken.
    """
    ears = Ears(plan)
    with Sandbox(engines="tones") as box:
        box.hear_with(ears)
        network.expect(box.port, plan.downtimes)
        for _, schedule in plan.faults:
            schedule(box)
        client = box.client()
        recording, source = _recording(plan, client)
        timers = [threading.Timer(at, recording.reconnect) for at in plan.reconnects_at]
        for timer in timers:
            timer.start()
        outcome = Outcome()
        try:
            _take_events(plan, recording, source, outcome)
        finally:
            for timer in timers:
                timer.cancel()
            recording.close()
            client.close()
        for timer in timers:
            timer.join()
        outcome.lost_ms = recording.lost_ms
        outcome.connections = box.log.totals["stt.connections"]
        assert source is None or source.crash is None, f"source: {source.crash!r}"
        _check_left(plan, box)
    assert not box.log.counts["connections"], "the sandbox has connections left after close()"
    _check(plan, ears, outcome)
    return outcome


def _recording(plan: Plan, client: Any) -> tuple[Any, Optional[StormSource]]:
    """Start the recording of a plan."""
    options = {
        **plan.options,
        "session_options": {
            "connect_timeout_sec": 1.0,
            "finish_timeout_sec": 2.0,
            "ping_interval_sec": 0.5,
            "ping_timeout_sec": 1.0,
        },
    }
    if plan.way in ("source", "live"):
        source = StormSource(plan)
        recording = client.realtime.record(source=source, auto_reconnect=True, **options)
        source.recording = recording
        source.started.set()
        return recording, source
    data = b"".join(step.data for step in plan.steps)
    audio: Any = data
    if plan.way == "iterable":
        audio = (step.data for step in plan.steps)
    elif plan.way == "wav":
        audio = wav_header(sample_rate=plan.speech.rate, data_bytes=len(data)) + data
    if plan.muxed is None and plan.way != "wav":
        options.update(audio_format="pcm_s16le", sample_rate=plan.speech.rate, num_channels=1)
    transcription = client.realtime.transcribe(audio, pace=plan.speed or False, **options)
    transcription.start()
    return transcription.recording, None


def _take_events(
    plan: Plan, recording: Any, source: Optional[StormSource], outcome: Outcome
) -> None:
    deadline = time.monotonic() + DEADLINE_SEC
    recording.on("reconnected", outcome.reconnected.append)
    recording.on("source_muted", lambda: setattr(outcome, "muted", outcome.muted + 1))
    stopper = None
    if plan.ends_by_stop:
        assert source is not None
        stopper = threading.Thread(target=_stop, args=(recording, source), daemon=True)
        stopper.start()
    try:
        while True:
            event = recording.next_event(max(0.0, deadline - time.monotonic()))
            if event is None:
                break
            outcome.kinds[event.kind] += 1
            outcome.last_kind = event.kind
            outcome.final_ms.append(event.result.final_audio_proc_ms)
            if event.kind == "result":
                outcome.finals += event.result.final_tokens
    except SonioxError as error:
        outcome.error = error
        assert recording.state.is_over, f"hang: {recording!r} after {DEADLINE_SEC:g} s"
    if stopper is not None:
        stopper.join(GRACE_SEC)
        assert not stopper.is_alive(), "stop() hangs"


def _stop(recording: Any, source: StormSource) -> None:
    source.delivered.wait(DEADLINE_SEC)
    try:
        recording.stop(DEADLINE_SEC)
    except SonioxError:
        pass  # next_event() raises it, too


# -- the checks ------------------------------------------------------------------------------------


def tolerance_ms(plan: Plan) -> int:
    """Return how far off the times of words may be.

    They are cut to whole milliseconds in the session, and so is the start of the session in the
    recording. Where a millisecond is a whole number of samples that costs nothing, unless audio was
    dropped, which may end within one. At 44.1 kHz each of the two costs up to one.
    """
    if plan.speech.rate == 44100:
        return 2 if plan.loses or plan.is_held else 1
    return 1 if plan.loses else 0


def _check_left(plan: Plan, box: Sandbox) -> None:
    # the service notices the end of a connection late if it reads slowly, or not at all
    frozen = sum("half_open" in name or "slow_reader" in name for name, _ in plan.faults)
    deadline = time.monotonic() + GRACE_SEC
    pause = threading.Event()
    while (left := box.log.counts["stt.connections"]) > frozen and time.monotonic() < deadline:
        pause.wait(0.01)
    assert left <= frozen, f"{left} connections left, not {frozen}"


def _check(plan: Plan, ears: Ears, outcome: Outcome) -> None:
    assert not ears.errors, f"a container was not whole: {ears.errors}"
    assert outcome.final_ms == sorted(outcome.final_ms), "final_audio_proc_ms goes back"
    assert outcome.connections <= MOST_CONNECTIONS, f"{outcome.connections} connections"
    positions = _positions(plan, ears)
    if outcome.error is not None:
        _check_error(plan, outcome)
    else:
        assert outcome.last_kind == "finished" and outcome.kinds["finished"] == 1, outcome.kinds
        did = [step.what for step in plan.steps]
        if "finalize" in did or "pause" in did:
            assert outcome.kinds["finalized"], "finalize() was not answered"
        assert outcome.muted == did.count("mute")
    if plan.loses:
        _check_losses(plan, outcome, positions)
    else:
        check_words(plan, outcome)


def _check_error(plan: Plan, outcome: Outcome) -> None:
    error = outcome.error
    status = getattr(error, "status_code", None)
    if plan.fatal is not None and status == plan.fatal:
        return
    is_outage = isinstance(error, SonioxConnectionError) or status in _OUTAGES
    assert plan.gives_up and is_outage, f"ended by {error!r}"


def check_words(plan: Plan, outcome: Outcome) -> None:
    """Check that every word was delivered once, at its time; if it failed, those up to then."""
    expected = [(f"w{number}", start, end) for number, start, end in plan.speech.words]
    words = _joined(outcome.words) if plan.is_held else outcome.words
    if outcome.error is not None:
        # its last word may be cut where its session ended
        words = words[:-1]
        expected = expected[: len(words)]
    names = [text for text, _, _ in words]
    assert names == [text for text, _, _ in expected], _difference(names, expected)
    for (text, start, end), (_, true_start, true_end) in zip(words, expected):
        off = max(abs(start - true_start), abs(end - true_end))
        # of a word that finalize() cut, a container that is sent again repeats the first half
        if plan.is_held and plan.muxed is not None and end < true_end:
            off = abs(start - true_start)
        assert off <= tolerance_ms(plan), f"{text} at {start}-{end}, not {true_start}-{true_end}"
    assert outcome.lost_ms == 0, f"lost_ms is {outcome.lost_ms}"
    if plan.translates and outcome.error is None:
        translated = [f"{text}(es)" for text in names]
        assert outcome.translation == translated, f"translation: {outcome.translation}"


def _joined(words: list[Word]) -> list[Word]:
    """Join halves of words: a service that is asked to finalize within a word makes two of it.

    A recording asks where it must, when a slow service has not answered for a whole window.
    """
    joined: list[Word] = []
    for text, start, end in words:
        if joined and joined[-1][0] == text and abs(start - joined[-1][2]) <= 1:
            joined[-1] = (text, joined[-1][1], end)
        else:
            joined.append((text, start, end))
    return joined


def _difference(names: list[str], expected: list[Word]) -> str:
    true = [text for text, _, _ in expected]
    counts = collections.Counter(names)
    doubled = [text for text in counts if counts[text] > 1]
    missing = [text for text in true if text not in counts]
    strange = [text for text in counts if text not in true]
    return f"missing {missing}, doubled {doubled}, strange {strange}; {names}"


def _positions(plan: Plan, ears: Ears) -> list[tuple[int, int]]:
    """Return from where to where each session got the audio, in ms; check that it was whole."""
    found = []
    for session in ears.sessions:
        pcm = bytes(session.pcm)
        at = plan.speech.pcm.find(pcm)
        assert at >= 0, f"a session got {len(pcm)} bytes that were not captured so"
        if len(set(memoryview(pcm[: len(pcm) // 2 * 2]).cast("H"))) < 2:
            # equal samples may be anywhere; the last session has the end
            if session is not ears.sessions[-1] or not plan.speech.pcm.endswith(pcm):
                continue
            at = len(plan.speech.pcm) - len(pcm)
        per_ms = 2 * plan.speech.rate / 1000
        found.append((int(at / per_ms), int((at + len(pcm)) / per_ms)))
    return found


def _check_losses(plan: Plan, outcome: Outcome, positions: list[tuple[int, int]]) -> None:
    """Check words and `lost_ms` of a recording whose window was too small for an outage.

    Between the last final word before it and the audio that the next session starts with there may
    be a loss: at most all of that, and at least what no session ever got.
    """
    tolerance = tolerance_ms(plan)
    words = outcome.words
    numbers = [int(text[1:]) for text, _, _ in words]
    assert numbers == sorted(set(numbers)), f"doubled or out of order: {numbers}"
    starts = sorted(start for start, _ in positions)
    gaps = []
    for start in starts:
        final = max((end for _, begin, end in words if begin < start), default=0)
        if final < start:
            gaps.append((final, start))
    if outcome.error is None:
        got = {number: span for (_, *span), number in zip(words, numbers)}
        for number, begin, end in plan.speech.words:
            if any(a < end + tolerance and begin - tolerance < b for a, b in gaps):
                continue  # it may be lost, or cut
            assert number in got, f"w{number} at {begin} is missing outside of {gaps}"
            off = max(abs(got[number][0] - begin), abs(got[number][1] - end))
            assert off <= tolerance, f"w{number} at {got[number]}, not {begin}-{end}"
    if outcome.error is not None:  # nothing after the last word need have been transcribed
        last = max((end for _, _, end in words), default=0)
        gaps.append((last, len(plan.speech.pcm) * 500 // plan.speech.rate))
    most = _length(gaps) + tolerance * len(gaps)
    least = _never_sent(positions) - tolerance * len(starts)
    assert least <= outcome.lost_ms <= most, f"lost_ms {outcome.lost_ms}, not {least} to {most}"
    told = sum(each.lost_ms for each in outcome.reconnected)
    # nothing is told of what was lost at the end, or in a rotation
    may_differ = outcome.error is not None or plan.options["rotate_after_sec"] is not None
    assert told == outcome.lost_ms or (may_differ and told < outcome.lost_ms), f"told {told}"


def _length(spans: list[tuple[int, int]]) -> int:
    """Return how much the spans cover together."""
    total, reached = 0, -1
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def _never_sent(positions: list[tuple[int, int]]) -> int:
    """Return how much lies between the sessions, in ms."""
    lost, reached = 0, 0
    for begin, end in sorted(positions):
        lost += max(0, begin - reached)
        reached = max(reached, end)
    return lost


# -- many schedules --------------------------------------------------------------------------------


@dataclass
class Failure:
    """Schedule that broke a promise."""

    seed: int
    plan: Plan
    why: str

    def __str__(self) -> str:
        again = f"python -m tests.soak.storm --seed {self.seed} --count 1"
        return f"seed {self.seed}: {self.why}\n    {self.plan.describe()}\n    again: {again}"


@dataclass
class Report:
    """What came of many schedules."""

    schedules: int = 0
    connections: int = 0
    reconnects: int = 0
    words: int = 0
    lost_ms: int = 0
    ended_by_error: int = 0
    slowest_sec: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.schedules} schedules, {self.words} words, {self.connections} connections, "
            f"{self.reconnects} reconnects, {self.ended_by_error} ended by an error, "
            f"{self.lost_ms} ms lost, slowest {self.slowest_sec:.1f} s, "
            f"{len(self.failures)} failures"
        )


def storm(seeds: range, *, at_a_time: int = AT_A_TIME, verbose: bool = False) -> Report:
    """Run the schedules of these seeds and return what came of them."""
    report = Report()
    lock = threading.Lock()  # guards report

    def run(seed: int) -> None:
        plan = make_plan(seed)
        started = time.monotonic()
        outcome, why = None, ""
        try:
            outcome = run_plan(plan, network)
        except AssertionError as error:
            why = str(error)
        except Exception:  # noqa: BLE001 - top of a thread: reported
            why = traceback.format_exc()
        with lock:
            report.schedules += 1
            report.slowest_sec = max(report.slowest_sec, time.monotonic() - started)
            if outcome is not None:
                report.connections += outcome.connections
                report.reconnects += len(outcome.reconnected)
                report.words += len(outcome.words)
                report.lost_ms += outcome.lost_ms
                report.ended_by_error += outcome.error is not None
            if why:
                report.failures.append(Failure(seed, plan, why))
                if verbose:
                    print(report.failures[-1], flush=True)
            if verbose and report.schedules % 100 == 0:
                print(report, flush=True)

    with surroundings() as network, ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(run, seeds))
    return report


def _left_behind(descriptors: int) -> tuple[list[str], int]:
    """Return the threads that do not end, and how many descriptors there are more than before."""
    deadline = time.monotonic() + GRACE_SEC
    pause = threading.Event()
    while True:
        # the clock serves the whole process
        threads = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
        threads = [name for name in threads if name != "soniox-clock"]
        more = _descriptors() - descriptors
        if not (threads or more > 0) or time.monotonic() >= deadline:
            return threads, more
        pause.wait(0.05)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def main() -> int:
    """Parse the command line, run the storm, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000, help="schedules (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first (default: 0)")
    parser.add_argument("--at-a-time", type=int, default=AT_A_TIME, help="recordings at a time")
    options = parser.parse_args()
    storm(range(0))  # what is made once per process
    before = _descriptors()
    started = time.monotonic()
    seeds = range(options.seed, options.seed + options.count)
    report = storm(seeds, at_a_time=options.at_a_time, verbose=True)
    threads, descriptors = _left_behind(before)
    took = time.monotonic() - started
    print(f"{report} in {took:.0f} s; left: threads {threads}, {descriptors} descriptors")
    return 1 if report.failures or threads or descriptors > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
