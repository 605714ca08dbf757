"""What many consumers heard, and what that cost their process."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Sequence

from tests.bench import frames, usage

AUDIO_BYTES = 3_840
PERIOD_SEC = 0.12
# until each of them has heard something; connecting 200 takes a fraction of it
START_SEC = 60.0


class Ear:
    """One consumer: the age of each event when it had it. One thread adds, the meter reads."""

    def __init__(self) -> None:
        self.ages_ns: List[int] = []
        self.firsts_ns: List[int] = []  # from the call to the first audio

    def tokens(self, tokens: Iterable[Any]) -> None:
        """Read the tokens of a result, as a program that shows them does, and note its age."""
        said = last = ""
        for token in tokens:
            last = token.text
            if token.is_final:
                said += last
        if last:
            self.ages_ns.append(time.monotonic_ns() - int(last))

    def dicts(self, tokens: Iterable[Any]) -> None:
        """Do the same with tokens that were only parsed."""
        said = last = ""
        for token in tokens:
            last = token["text"]
            if token["is_final"]:
                said += last
        if last:
            self.ages_ns.append(time.monotonic_ns() - int(last))

    def audio(self, chunk: bytes) -> None:
        """Note the age of a chunk, if it has any audio."""
        if chunk:
            self.ages_ns.append(frames.age_ns(chunk))

    def audio_of_call(self, started_ns: int, chunks: Iterable[bytes]) -> None:
        """Read the audio that a call at ``started_ns`` asked for."""
        is_first = True
        for chunk in chunks:
            if is_first and chunk:
                self.firsts_ns.append(time.monotonic_ns() - started_ns)
                is_first = False
            self.audio(chunk)


class Ending:
    """When the work is to end, and what failed before."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.errors: List[BaseException] = []

    @property
    def is_set(self) -> bool:
        """Whether no more work is to be begun."""
        return self.event.is_set()

    def failed(self, error: BaseException) -> None:
        """End everything because of an error."""
        self.errors.append(error)
        self.event.set()

    def check(self) -> None:
        """Raise the first error."""
        if self.errors:
            raise self.errors[0]


def paced(index: int, count: int) -> Iterator[float]:
    """Yield when consumer ``index`` of ``count`` is to send next: all of them spread evenly."""
    due = time.monotonic() + index / count * PERIOD_SEC
    while True:
        yield due
        due += PERIOD_SEC


def live_audio(index: int, count: int, ending: Ending) -> Iterator[bytes]:
    """Yield audio when it is due, as a microphone or a phone does, until the end."""
    audio = bytes(range(256)) * (AUDIO_BYTES // 256)
    for due in paced(index, count):
        time.sleep(max(0.0, due - time.monotonic()))
        if ending.is_set:
            return
        yield audio


class Window:
    """The measured time: counts, CPU and ages between its start and its end."""

    def __init__(self, ears: Sequence[Ear], others_cpu: Callable[[], float]) -> None:
        self._ears, self._others_cpu = ears, others_cpu

    def start(self) -> None:
        """Begin, after the warm-up."""
        self._marks = [(len(ear.ages_ns), len(ear.firsts_ns)) for ear in self._ears]
        self._cpu, self._wall = self._cpu_sec(), time.monotonic()

    def _cpu_sec(self) -> float:
        """Return the CPU time of this process without its CPU-bound neighbour's."""
        return time.process_time() - self._others_cpu()

    def end(self) -> Dict[str, float]:
        """Return the numbers."""
        cpu, wall = self._cpu_sec() - self._cpu, time.monotonic() - self._wall
        ages: List[int] = []
        firsts: List[int] = []
        for ear, (heard, begun) in zip(self._ears, self._marks):
            ages += ear.ages_ns[heard:]
            firsts += ear.firsts_ns[begun:]
        if not ages:
            raise RuntimeError("nothing arrived")
        now = usage.snapshot()
        numbers = {
            "cpu_us": cpu / len(ages) * 1e6,
            "events_s": len(ages) / wall,
            "cores": cpu / wall,
            "threads": now.threads,
            "rss_mb": now.rss_kb / 1024,
        }
        numbers.update(_quantiles("", ages))
        if firsts:
            numbers.update(_quantiles("first_", firsts))
        return numbers


def _quantiles(name: str, values_ns: List[int]) -> Dict[str, float]:
    values_ns.sort()
    return {
        f"{name}p50_ms": values_ns[len(values_ns) // 2] / 1e6,
        f"{name}p99_ms": values_ns[int(len(values_ns) * 0.99)] / 1e6,
    }


def all_started(ears: Sequence[Ear]) -> bool:
    """Return whether each consumer has heard something."""
    return all(ear.ages_ns for ear in ears)


def threaded(
    work: Callable[[int, Ear, Ending], None],
    count: int,
    warm_sec: float,
    seconds: float,
    others_cpu: Callable[[], float],
) -> Dict[str, float]:
    """Run ``work`` in ``count`` threads, and measure them for ``seconds`` after the warm-up.

    ``others_cpu``: CPU seconds of this process that are not the work's.
    """
    ears, ending = [Ear() for _ in range(count)], Ending()

    def run(index: int) -> None:
        try:
            work(index, ears[index], ending)
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            ending.failed(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    try:
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + START_SEC
        while not all_started(ears) and not ending.is_set:
            if time.monotonic() > deadline:
                raise RuntimeError("not all of them have begun")
            time.sleep(0.05)
        # an error ends the wait
        ending.event.wait(warm_sec)
        window = Window(ears, others_cpu)
        window.start()
        ending.event.wait(seconds)
        ending.check()
        numbers = window.end()
    finally:
        ending.event.set()
        for thread in threads:
            thread.join()
    ending.check()
    return numbers
